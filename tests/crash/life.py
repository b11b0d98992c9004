"""The server that is killed, life after life, on one database."""
import collections
import hashlib
import itertools
import re
import struct
import time

from conftest import Client, Server
from kinds import BY_TIME, WIDE
from ledger import Ledger
from reference import FINISHED, outcome, put_resources
from remains import Remains, check_database, checkpoint_rows

UNFINISHED = 4  # jobs that are kept going
WORKERS = 6  # more than those: a job of urgency is claimed at once
WIDE_VERSIONS = 12  # of a megabyte each
FINISHED_KEPT = 10  # jobs; older ones are deleted
WAIT_SECONDS = 60
GOES_ON = re.compile(r"job (\S+) goes on from step (\d+)$", re.MULTILINE)


class Life:
    """start(), then kill() and bury(), as often as it takes. pending: the request that got no answer; remains: what the
    last life left."""

    def __init__(self, folder, kinds, outcomes, rng):
        self.folder, self.kinds, self.outcomes, self.rng = folder, kinds, outcomes, rng
        self.database = folder / "killed.db"
        self.log = folder / "killed.db.log"
        self.server = self.client = self.remains = self.pending = self.ledger = None
        self.waiting = rng.sample(list(kinds), len(kinds))
        self.done = collections.Counter()  # kinds
        self.log_read = self.resumed = self.claimed_again = self.compared = self.staged = 0
        self.compared_jobs = set()
        self.wide, self.numbers = None, itertools.count(1)

    # ---- living and dying ----

    def begin(self):
        self.start()
        self.ledger = Ledger(self.kinds, put_resources(self.client))
        self.renew_wide()
        self.top_up()

    def start(self):
        if self.server is None:
            self.server = Server(self.database, "--workers", str(WORKERS))
            self.client = Client(self.server.url)

    def kill(self):
        if self.server is not None:
            self.server.kill()
            self.client.close()
            self.server = self.client = None

    def bury(self):
        """Looks at what the dead server left, and holds it against what clients know; answers it."""
        before, remains = self.remains, Remains(self.database, self.folder)
        check_database(remains.copy)
        deleting = self.ledger.of_path(self.pending.path) if self.pending and self.pending.method == "DELETE" else ()
        for identity, job in self.ledger.jobs.items():
            if identity in deleting and identity not in remains.states:
                continue
            assert identity in remains.states, f"{identity} was acknowledged and is gone"
            state, attempts, _ = remains.states[identity]
            told = job.body
            assert attempts >= told["attempts"], (told, state, attempts)
            assert not job.finished() or state == told["state"], (told, state)
            assert remains.points.get(identity, 0) >= len(job.points), f"points of {identity} are gone"
            if state == "running":
                job.killed.add(attempts)
        self._read_log(before)
        self.staged += remains.staged > 0
        self.remains = remains
        return remains

    def _read_log(self, before):
        """Jobs that were running go on from their newest checkpoint, and nothing went wrong."""
        with open(self.log, "rb") as file:
            file.seek(self.log_read)
            text = file.read().decode()
        self.log_read += len(text.encode())
        bad = [line for line in text.splitlines() if re.search(r" (WARNING|ERROR) ", line)]
        assert not bad, bad
        first = {}
        for job, step in GOES_ON.findall(text):
            self.resumed += 1
            first.setdefault(job, int(step))
        for job in before.running() if before else ():
            if job in first:
                assert first[job] == before.checkpoints.get(job), (job, first[job], before.checkpoints.get(job))

    # ---- between deaths ----

    def settle(self):
        """Repeats what got no answer, checks everything that was told, compares what has ended, keeps jobs going."""
        if self.pending is not None:
            request, self.pending = self.pending, None
            request.told(self.ledger, request.send(self.client, repeated=True))
        known = self.finished()
        self.ledger.check(self.client, (set(self.ledger.jobs) - set(known)) | set(known[-1:]))
        self.compare()
        self.tidy()
        self.top_up()

    def observe(self, seconds):
        """Polls like a dashboard: what it reads must stay."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.ledger.read_jobs(self.client)
            active = self.of_state("running")
            if active:
                self.ledger.read_points(self.client, [self.rng.choice(active)])
            time.sleep(min(0.03, max(0, end - time.monotonic())))

    def next_kind(self):
        return self.waiting.pop() if self.waiting else self.rng.choice([name for name in self.kinds if name != BY_TIME])

    def order(self, kind, **changes):
        """The request for a job of a kind; those of the wide model train the one that is in use now."""
        model = self.wide if self.kinds[kind]["model"] == "wide" else self.kinds[kind]["model"]
        return self.ledger.submit(kind, **{"model": model, **changes})

    def renew_wide(self):
        """Versions of the wide model pile up: another takes its place, and it goes when its jobs have ended."""
        if self.wide is None or self.client.get(f"/v1/models/{self.wide}").json()["version"] > WIDE_VERSIONS:
            self.wide = f"wide-{next(self.numbers)}"
            self.perform(self.ledger.put("model", f"/v1/models/{self.wide}", json=WIDE))
        for path in [path for path in self.ledger.resources if path.startswith("/v1/models/wide-")]:
            name = path.rpartition("/")[2]
            if name != self.wide and not self.ledger.unfinished(name):
                self.perform(self.ledger.delete(path))

    def perform(self, request):
        request.told(self.ledger, request.send(self.client))

    def submit_now(self, kind, **changes):
        """A job that is claimed next; answers its id."""
        before = set(self.ledger.jobs)
        self.perform(self.order(kind, priority=50, **changes))
        return (set(self.ledger.jobs) - before).pop()

    def await_state(self, identity, *states):
        end = time.monotonic() + WAIT_SECONDS
        while True:
            body = self.client.get(f"/v1/jobs/{identity}").json()
            if body["state"] in states:
                return
            assert time.monotonic() < end, f"a job never is {states}: {body}"
            time.sleep(0.001)

    def of_state(self, *states):
        return [identity for identity, job in self.ledger.jobs.items() if job.body["state"] in states]

    def finished(self, *states):
        return self.of_state(*(states or FINISHED))

    def top_up(self):
        while len(self.of_state("queued", "running")) < UNFINISHED:
            self.perform(self.order(self.next_kind()))

    def tidy(self):
        """Deletes the oldest of what has piled up."""
        for identity in self.finished()[:-FINISHED_KEPT]:
            self.perform(self.ledger.delete(f"/v1/jobs/{identity}"))
        for path in self.ledger.spare()[:-3]:
            self.perform(self.ledger.delete(path))
        self.renew_wide()

    # ---- comparing ----

    def compare(self):
        """Those that have ended since, with the uninterrupted run."""
        for identity in self.finished("succeeded", "failed"):
            if identity in self.compared_jobs:
                continue
            job = self.ledger.jobs[identity]
            expected, found = self.outcomes[job.kind], outcome(self.client, job.body)
            if job.body["verifies"]:
                assert job.body["same"] is True, job.body
                expected = {**expected, "version": None, "best_version": None, "versions": 0}
            for name, value in expected.items():
                assert found[name] == value, (job.kind, identity, name, found[name], value)
            assert job.body["attempts"] >= 1 + len(job.killed), (job.body, job.killed)
            self.check_digest(job.body)
            self.claimed_again += job.body["attempts"] - 1
            self.compared_jobs.add(identity)
            self.done[job.kind] += 1
            self.compared += 1

    def check_digest(self, body):
        """The digest is that of the version's parameters, computed from their numbers."""
        if body["version"] is None or body["model"].startswith(("wide", "model-")):
            return
        model = self.client.get(f"/v1/models/{body['model']}").json()
        answer = self.client.get(f"/v1/models/{body['model']}/parameters?version={body['version']}&tensors=flat")
        numbers = [x for name in model["parameters"] for x in answer.json()["parameters"][name]["data"]]
        form = "f" if model["dtype"] == "float32" else "d"
        assert hashlib.sha256(struct.pack(f"<{len(numbers)}{form}", *numbers)).hexdigest() == body["digest"], body

    # ---- the end ----

    def end(self):
        """Lets every job end, and checks all once more."""
        self.start()
        self.settle()
        while self.waiting:
            self.perform(self.order(self.waiting.pop()))
        for identity in self.of_state("paused"):
            self.perform(self.ledger.act(identity, "resume"))
        end = time.monotonic() + WAIT_SECONDS
        while self.of_state("queued", "running"):
            assert time.monotonic() < end, f"jobs are stuck: {[self.ledger.jobs[i].body for i in self.of_state('queued', 'running')]}"
            time.sleep(0.05)
            self.ledger.read_jobs(self.client)
        self.ledger.check(self.client, self.ledger.jobs)
        self.compare()
        status, _ = self.server.stop()
        assert status == 0
        self.kill()
        self._read_log(None)
        for identity, count in checkpoint_rows(self.database).items():
            keep = self.ledger.jobs[identity].body["checkpoint"]["keep"]
            assert count <= keep + 1, f"{identity} has {count} checkpoints, and keeps {keep}"

    def missing_kinds(self):
        return set(self.kinds) - set(self.done)

    def report(self):
        return (f"{self.resumed} of {self.claimed_again} second attempts went on from a checkpoint; {self.ledger.points_read} cost "
                f"points read; {self.staged} uploads were staged when killed")
