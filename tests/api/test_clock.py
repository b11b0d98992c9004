"""A clock that is set forward or back while gradd runs, or between two runs, breaks no order, no wait and no estimate."""
import contextlib
import pathlib
import sqlite3
import struct
import time

import pytest
from conftest import GRADD, IS_URL, Client, problem_of
from test_jobs import MODEL, X, Y, job, submit, wait

LIBRARY = pathlib.Path(GRADD).resolve().parent / "tests" / "clock" / "shift.so"
pytestmark = [
    pytest.mark.skipif(IS_URL, reason="needs servers of its own"),
    pytest.mark.skipif(not LIBRARY.exists(), reason=f"make test-api builds {LIBRARY.name}, which sets the clock"),
]
HOUR = 3600 * 1000
DAY = 24 * HOUR
LONG = {"epochs": 1000000, "optimizer": {"name": "SGD", "learning_rate": 1e-6}, "record": {"every_steps": 100000},
        "dataset": "long"}


class Clock:
    """The clock of the servers of one test."""

    def __init__(self, path):
        self.path = path
        self.path.write_bytes(struct.pack("=q", 0))
        self.environment = {"LD_PRELOAD": str(LIBRARY), "GRADD_TEST_CLOCK": str(path)}

    def set(self, milliseconds):
        """So far from the true time."""
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=q", milliseconds))


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path / "clock")


@pytest.fixture
def serve(start, clock):
    """serve(): (server, client) of a server by that clock, the model and the data sets there."""
    with contextlib.ExitStack() as stack:

        def run(*options):
            server = start(*options, environment=clock.environment)
            client = stack.enter_context(Client(server.url))
            client.put("/v1/models/job-line", json=MODEL)
            client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}})
            client.put("/v1/datasets/long", json={"columns": {"X": X * 50, "y": Y * 50}})
            return server, client

        yield run


def ids(client, query=""):
    return [item["id"] for item in client.get(f"/v1/jobs{query}").json()["items"]]


def test_the_clock_is_another(serve, clock):
    """The tests below would pass without a shifted clock."""
    clock.set(400 * DAY)
    _, client = serve()
    told = client.get("/v1/models/job-line").json()["created_at"]
    assert int(told[:4]) > time.gmtime().tm_year


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_order_of_jobs(serve, clock, jump, restart):
    """Lists and the queue have the order in which jobs were accepted."""
    server, client = serve("--workers", "1")
    first = submit(client, **LONG)
    wait(client, first, {"running"})
    order = [first, *(submit(client, epochs=1) for _ in range(3))]
    clock.set(jump)
    if restart:
        server.stop()
        server, client = serve("--workers", "1")
    order += [submit(client, epochs=1) for _ in range(3)]
    clock.set(0)
    order += [submit(client, epochs=1) for _ in range(3)]
    assert ids(client) == order
    assert ids(client, "?sort=-created_at") == order[::-1]
    client.post(f"/v1/jobs/{first}/cancel")
    versions = {wait(client, identity)["version"]: identity for identity in order[1:]}
    assert [versions[version] for version in sorted(versions)] == order[1:]


def test_times_of_a_job(serve, clock):
    """A job does not start before it was made, nor end before it started; its points do not go back."""
    server, client = serve("--workers", "1")
    clock.set(DAY)
    identity = submit(client, epochs=30000, checkpoint={"every_epochs": 500}, from_version=1)
    queued = submit(client, **LONG)
    clock.set(0)
    wait(client, identity, {"running", "succeeded"})
    server.kill()
    clock.set(-DAY)
    server, client = serve("--workers", "1")
    body = wait(client, identity)
    assert body["state"] == "succeeded"
    assert body["created_at"] <= body["started_at"] <= body["finished_at"]
    times = [point["time"] for point in client.get(f"/v1/jobs/{identity}/costs").json()["points"]]
    assert times == sorted(times) and times[0] <= times[-1]
    body = client.post(f"/v1/jobs/{queued}/cancel").json()
    assert body["state"] == "cancelled" and body["created_at"] <= body["finished_at"]


def test_estimates(serve, clock):
    _, client = serve("--workers", "1")
    identity = submit(client, **LONG)
    wait(client, identity, {"running"})
    time.sleep(0.6)
    before = client.get(f"/v1/jobs/{identity}").json()
    for shift in [DAY, -DAY, 0]:
        clock.set(shift)
        time.sleep(0.2)
        now = client.get(f"/v1/jobs/{identity}").json()
        for name in ["eta_seconds", "samples_per_second"]:
            assert before[name] / 2 < now[name] < before[name] * 2, (name, shift, before[name], now[name])


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_waits(serve, clock, jump):
    """Long polls and comments of event streams come by seconds that pass."""
    _, client = serve("--workers", "1")
    submit(client, **LONG)
    identity = submit(client, **LONG)
    tag = client.get(f"/v1/jobs/{identity}").headers["ETag"]
    with client.get("/v1/events", stream=True, timeout=30) as events:
        clock.set(jump)
        start = time.monotonic()
        answer = client.get(f"/v1/jobs/{identity}?wait=1", headers={"If-None-Match": tag})
        assert answer.status_code == 304 and 0.9 < time.monotonic() - start < 5
        assert next(events.iter_lines())


def test_stop(serve, clock):
    server, client = serve()
    identity = submit(client, **LONG)
    wait(client, identity, {"running"})
    clock.set(-DAY)
    status, seconds = server.stop()
    assert status == 0 and seconds < 2


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY])
def test_keys(serve, clock, jump):
    """A key lives for a day after what it made was deleted, whatever the clock says meanwhile."""
    _, client = serve()
    key = {"Idempotency-Key": "made-and-deleted"}
    answer = client.post("/v1/jobs", json=job(epochs=1), headers=key)
    wait(client, answer.json()["id"])
    assert client.delete("/v1/jobs/" + answer.json()["id"]).status_code == 204
    clock.set(jump)
    assert client.post("/v1/jobs", json=job(epochs=1), headers={"Idempotency-Key": "another"}).status_code == 202
    problem_of(client.post("/v1/jobs", json=job(epochs=1), headers=key), 410, "gone")


def test_a_claim_that_failed_is_tried_again(serve, clock):
    """After about a second, though the clock is another: nothing else wakes the worker."""
    server, client = serve("--workers", "1")
    units, rows = 1500, 512
    slow = {"program": "h = X @ W @ W @ W @ W\ncost = MSE(h, X)", "inputs": {"X": {"shape": ["batch", units]}},
            "parameters": {"W": {"shape": [units, units]}}, "cost": "cost"}
    assert client.put("/v1/models/slow", json=slow).status_code == 201
    columns = {"X": [[0.01] * units] * rows}
    assert client.put("/v1/datasets/slow", json={"columns": columns}).status_code == 201
    first = submit(client, model="slow", dataset="slow", batch_size=rows, epochs=100000,
                   optimizer={"name": "SGD", "learning_rate": 1e-9})
    wait(client, first, {"running"})
    second = submit(client, epochs=1)
    time.sleep(1)
    clock.set(DAY)
    with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        client.post(f"/v1/jobs/{first}/cancel") # the worker still is in a step that takes long
        other.execute("BEGIN IMMEDIATE")
        deadline = time.monotonic() + 20
        while "no job could be claimed" not in server.log():
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.05)
        other.execute("ROLLBACK")
    assert wait(client, second, seconds=10)["state"] == "succeeded"
