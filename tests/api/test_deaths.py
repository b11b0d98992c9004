"""Jobs that bring the process down: three times without a checkpoint in between, and they fail."""
import ctypes
import os
import pathlib
import resource
import signal
import time

import pytest
from conftest import IS_URL, Client

pytestmark = pytest.mark.skipif(IS_URL, reason="needs servers of its own")

MODEL = {"program": "p = Linear(X, W); cost = MSE(p, y)", "cost": "cost", "output": "p",
         "inputs": {"X": {"shape": ["batch", 1]}, "y": {"shape": ["batch", 1]}}, "parameters": {"W": {"shape": [1, 1]}}}
DATA = "X,y\n" + "".join(f"{i},{2 * i}\n" for i in range(512))
ENDLESS = {"model": "m", "dataset": "d", "epochs": 900_000, "batch_size": 1,
           "optimizer": {"name": "SGD", "learning_rate": 1e-9}}


@pytest.fixture(autouse=True)
def no_core_files():
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, limits)


def job_of(server, job):
    with Client(server.url) as client:
        return client.get(f"/v1/jobs/{job}").json()


def submit(server, **more):
    with Client(server.url) as client:
        client.put("/v1/models/m", json={"name": "m", **MODEL})
        client.put("/v1/datasets/d", data=DATA, headers={"Content-Type": "text/csv"})
        answer = client.post("/v1/jobs", json={**ENDLESS, **more})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]


def await_step(server, job, step=1):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        now = job_of(server, job)
        if now["state"] == "running" and now["step"] >= step:
            return now
        time.sleep(0.01)
    raise AssertionError(now)


def die(server, number):
    server.process.send_signal(number)
    assert server.process.wait(20) == -number


def busiest_thread(process):
    """By its time in user mode: one that trains."""
    def ticks(task):
        return int((task / "stat").read_text().rsplit(")", 1)[1].split()[11])

    return int(max(pathlib.Path(f"/proc/{process}/task").iterdir(), key=ticks).name)


def send_to_thread(process, thread, number):
    """tgkill(2), which Python has not."""
    calls = {"x86_64": 234, "aarch64": 131}
    if os.uname().machine not in calls:
        pytest.skip("tgkill's number is not known here")
    return ctypes.CDLL(None).syscall(calls[os.uname().machine], process, thread, int(number)) == 0


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT])
def test_three_deaths_fail_the_job(start, number):
    server = start("--workers", "1")
    job = submit(server)
    for _ in range(3):
        await_step(server, job)
        die(server, number)
        server = start("--workers", "1")
    failed = job_of(server, job)
    assert failed["state"] == "failed" and failed["finished_at"] and failed["attempts"] == 3
    assert failed["error"]["type"] == "/problems/crashed"
    assert "3 times without a checkpoint" in failed["error"]["detail"]
    other = submit(server)
    await_step(server, other)


def test_only_the_job_of_the_thread_that_dies(start, tmp_path):
    server = start("--workers", "2")
    jobs = [submit(server), submit(server)]
    for job in jobs:
        await_step(server, job)
    time.sleep(0.5)
    assert send_to_thread(server.process.pid, busiest_thread(server.process.pid), signal.SIGSEGV)
    server.process.wait(20)
    lines = (tmp_path / "own.db-deaths").read_text().splitlines()
    assert len(lines) == 1 and lines[0] in jobs


def test_kills_do_not_count(start, tmp_path):
    server = start("--workers", "1")
    job = submit(server)
    for _ in range(4):
        await_step(server, job)
        die(server, signal.SIGKILL)
        assert (tmp_path / "own.db-deaths").read_text() == ""
        server = start("--workers", "1")
    await_step(server, job)


def test_a_checkpoint_forgives(start):
    server = start("--workers", "1")
    job = submit(server, checkpoint={"every_steps": 2000})
    step = 1
    for _ in range(5):
        step = await_step(server, job, step + 4000)["step"]
        die(server, signal.SIGSEGV)
        server = start("--workers", "1")
    await_step(server, job, step)


def test_a_server_without_jobs_writes_nothing(start, tmp_path):
    server = start()
    die(server, signal.SIGSEGV)
    assert (tmp_path / "own.db-deaths").read_text() == ""
