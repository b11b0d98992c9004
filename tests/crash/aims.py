"""What is under way when the server is killed, and the evidence that it was.

An aim brings something under way and kills after a random delay. How long that something takes is learned: a kill that
came too early makes the next delays longer, one that came too late makes them shorter.
"""
import contextlib
import itertools
import signal
import subprocess
import threading
import time

import requests
from conftest import GRADD, Client
from kinds import BY_TIME, WIDE, csv, table
from reference import points_of

EARLY, HIT, LATE = "early", "hit", "late"
WIDE_TORN = 32  # frames of a transaction that writes a megabyte: others write fewer
BY_TIME_SECONDS = 5.4


class Delay:
    def __init__(self, seconds):
        self.seconds = seconds

    def draw(self, rng):
        return rng.uniform(0, self.seconds)

    def learn(self, verdict):
        factor = {EARLY: 1.3, HIT: 1.05, LATE: 0.7}[verdict]
        self.seconds = min(max(self.seconds * factor, 0.0002), 2)


class Sender(threading.Thread):
    """Sends a request while the server is killed; answer stays None where none came."""

    def __init__(self, url, request):
        super().__init__()
        self.url, self.request, self.answer, self.wrong = url, request, None, None

    def run(self):
        try:
            with Client(self.url) as client:
                self.answer = self.request.send(client)
        except requests.RequestException:
            pass
        except AssertionError as wrong:
            self.wrong = wrong


class Aims:
    """Each method of a phase answers EARLY, HIT or LATE; the server is dead then. life: what has the server in hand."""

    def __init__(self, life, rng):
        self.life, self.rng = life, rng
        self.numbers = itertools.count(1)
        self.upload_body = csv(table(60000, 7))
        self.delays = {name: Delay(seconds) for name, seconds in [
            ("start-up", 0.02), ("claim", 0.01), ("finish", 0.1), ("checkpoint", 0.05), ("training", 0.4), ("stop", 0.02),
            ("upload", 0.1),
        ]}

    def _kill_after(self, name):
        delay = self.delays[name].draw(self.rng)
        time.sleep(delay)
        self.life.kill()

    # ---- before anything is asked ----

    def start_up(self):
        """The process is killed before it says that it listens."""
        delay = self.delays["start-up"]
        with open(self.life.log, "ab") as log:
            process = subprocess.Popen([GRADD, "serve", "--listen", "127.0.0.1:0", "--db", str(self.life.database)],
                                       stdout=subprocess.PIPE, stderr=log)
            time.sleep(delay.draw(self.rng))
            process.kill()
            line, _ = process.communicate()
        self.life.bury()
        verdict = LATE if line else HIT
        delay.learn(verdict)
        return verdict

    def claim(self):
        """Jobs that the killed server was running are claimed again; those that wait, too."""
        before = self.life.remains.states
        self.life.start()
        self._kill_after("claim")
        states = self.life.bury().states
        claimed = [j for j in states if states[j][0] == "running" and states[j][1] > before.get(j, (None, 0))[1]]
        fresh = [job for job in claimed if states[job][2] == before.get(job, (None, 0, 0))[2]]
        verdict = HIT if fresh else LATE if claimed else EARLY
        self.delays["claim"].learn(verdict)
        return verdict

    # ---- what a job does ----

    def training(self):
        self._kill_after("training")
        return HIT if self.life.bury().running() else LATE

    def checkpoint(self):
        """A job that writes a megabyte after every step."""
        self.life.await_state(self.life.submit_now("wide"), "running", "succeeded")
        self._kill_after("checkpoint")
        return HIT if self.life.bury().torn >= WIDE_TORN else EARLY

    def finish(self):
        """A job whose end is a megabyte: killed after it began and before anybody was told of its end."""
        identity = self.life.submit_now("short")
        watcher = Watcher(self.life.server.url, identity)
        watcher.start()
        self._kill_after("finish")
        watcher.join()
        remains = self.life.bury()
        if watcher.told:
            self.life.ledger.note(identity, watcher.told)
            verdict = LATE
        else:
            ended = remains.states[identity][0] == "succeeded"
            verdict = HIT if ended or remains.torn >= WIDE_TORN else EARLY
        self.delays["finish"].learn(verdict)
        return verdict

    def by_time(self):
        """A job without a rule of its own is left alone until its checkpoint is due, then killed."""
        identity = self.life.submit_now(BY_TIME)
        self.life.observe(BY_TIME_SECONDS)
        self._kill_after("training")
        remains = self.life.bury()
        return HIT if identity in remains.running() and identity in remains.checkpoints else EARLY

    def stop(self):
        """SIGTERM, and then the kill while jobs are handed back."""
        self.life.server.process.send_signal(signal.SIGTERM)
        delay = self.delays["stop"].draw(self.rng)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.life.server.process.wait(delay)
        verdict = HIT if self.life.server.process.poll() is None else LATE
        self.life.kill()
        self.life.bury()
        self.delays["stop"].learn(verdict)
        return verdict

    # ---- what clients ask for ----

    def _strike(self, request):
        """Kills while the request is unanswered: it is repeated in the next life."""
        delay = self.delays.setdefault(request.phase, Delay(0.01))
        sender = Sender(self.life.server.url, request)
        sender.start()
        time.sleep(delay.draw(self.rng))
        self.life.kill()
        sender.join()
        if sender.wrong:
            raise sender.wrong
        if sender.answer is None:
            self.life.pending = request
        else:
            request.told(self.life.ledger, sender.answer)
        self.life.bury()
        verdict = LATE if sender.answer is not None else HIT
        delay.learn(verdict)
        return verdict

    def upload(self):
        """Hit when a part of it was durable already."""
        path = f"/v1/datasets/upload-{next(self.numbers)}"
        csv_type = {"Content-Type": "text/csv"}
        verdict = self._strike(self.life.ledger.put("upload", path, data=self.upload_body, headers=csv_type))
        if verdict == HIT and self.life.remains.staged == 0:
            self.delays["upload"].learn(EARLY)
            return EARLY
        return verdict

    def model(self):
        """A new one, or a new version."""
        ledger = self.life.ledger
        if self.rng.random() < 0.3:
            return self._strike(ledger.put_parameters("line", {"W": [[self.rng.random()]]}))
        return self._strike(ledger.put("model", f"/v1/models/model-{next(self.numbers)}", json=WIDE))

    def submit(self):
        ledger, finished = self.life.ledger, self.life.finished("succeeded")
        makers = [lambda: self.life.order(self.life.next_kind())]
        if finished:
            identity = self.rng.choice(finished)
            makers += [lambda: ledger.verify(identity), lambda: ledger.fork(identity)]
        return self._strike(self.rng.choice(makers)())

    def control(self):
        """A job that is paused is resumed; else one is paused, or cancelled."""
        ledger, paused = self.life.ledger, self.life.of_state("paused")
        if paused:
            return self._strike(ledger.act(self.rng.choice(paused), "resume"))
        if self.rng.random() < 0.3:
            return self._strike(ledger.act(self.life.submit_now(BY_TIME), "cancel"))
        return self._strike(ledger.act(self.rng.choice(self.life.of_state("running", "queued")), "pause"))

    def delete(self):
        """A job with its costs and checkpoints, a data set, or a model with a job that it has."""
        ledger, spare = self.life.ledger, self.life.ledger.spare()
        jobs = [f"/v1/jobs/{identity}" for identity in self.life.finished()]
        paths = [some for some in (spare, jobs) if some]
        if not paths:
            return self.training()
        path = self.rng.choice(self.rng.choice(paths))
        if path.startswith("/v1/models/"):
            identity = self.life.submit_now("short", model=path.rpartition("/")[2])
            self.life.await_state(identity, "succeeded")
        return self._strike(ledger.delete(path))


class Watcher(threading.Thread):
    """Waits for a job's end; told: its body then, or None where the server died before."""

    def __init__(self, url, identity):
        super().__init__()
        self.url, self.identity, self.told = url, identity, None

    def run(self):
        with contextlib.suppress(requests.RequestException), Client(self.url) as client:
            while True:
                body = client.get(f"/v1/jobs/{self.identity}").json()
                if body["state"] == "succeeded":
                    points_of(client, self.identity)
                    self.told = body
                    return
