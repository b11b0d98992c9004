"""Watching jobs: ?wait=, Server-Sent Events, the cost history in three forms, and pages of other origins."""
import csv
import io
import json
import socket
import threading
import time

import pytest
from conftest import Client
from test_jobs import MODEL, X, Y, job, long_job, problem, submit, wait  # noqa: F401 (a fixture is used by its name)

pytestmark = pytest.mark.usefixtures("resources")


@pytest.fixture(scope="module")
def resources(server):
    with Client(server.url) as client:
        assert client.put("/v1/models/job-line", json=MODEL).status_code in (200, 201)
        assert client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}}).status_code in (200, 201)


def events(client, path, last=None, timeout=20):
    """The events of a stream as they come: (id, name, job); None for a comment."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": str(last)} if last is not None else {})}
    with client.get(path, headers=headers, stream=True, timeout=timeout) as answer:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "text/event-stream"
        fields = {}
        for line in answer.iter_lines(chunk_size=1):
            line = line.decode()
            if line.startswith(":"):
                yield None
            elif line:
                name, value = line.split(": ", 1)
                fields[name] = value
            elif fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                fields = {}


def paused_tag(client, identity):
    """Pauses a job; its ETag when its worker has let go of it, with one more checkpoint."""
    client.post(f"/v1/jobs/{identity}/pause")
    tags = [None]
    while tags[-1] is None or tags[-1] != tags[-2]:
        time.sleep(0.3)
        tags.append(client.get(f"/v1/jobs/{identity}").headers["ETag"])
    return tags[-1]


# ---------------------------------------------------------------- ?wait=


def test_wait_ends_with_the_job(client):
    identity = submit(client, epochs=20000)
    tag, states = None, []
    while not states or states[-1] not in ("succeeded", "failed"):
        answer = client.get(f"/v1/jobs/{identity}?wait=30", headers={"If-None-Match": tag} if tag else {})
        assert answer.status_code == 200, answer.text
        assert answer.headers["ETag"] != tag
        tag = answer.headers["ETag"]
        states.append(answer.json()["state"])
    assert states[-1] == "succeeded"
    start = time.monotonic()
    answer = client.get(f"/v1/jobs/{identity}?wait=30", headers={"If-None-Match": tag})
    assert answer.status_code == 304
    assert time.monotonic() - start < 5


def test_wait_tells_a_change_by_somebody_else(client, server, long_job):
    tag = paused_tag(client, long_job)
    assert client.get(f"/v1/jobs/{long_job}?wait=0", headers={"If-None-Match": tag}).status_code == 304

    def change():
        time.sleep(0.5)
        with Client(server.url) as other:
            other.patch(f"/v1/jobs/{long_job}", json={"priority": 3})

    thread = threading.Thread(target=change)
    thread.start()
    start = time.monotonic()
    answer = client.get(f"/v1/jobs/{long_job}?wait=30", headers={"If-None-Match": tag})
    took = time.monotonic() - start
    thread.join()
    assert (answer.status_code, answer.json()["priority"]) == (200, 3)
    assert 0.3 < took < 10


def test_wait_is_over_after_its_seconds(client, long_job):
    tag = paused_tag(client, long_job)
    start = time.monotonic()
    assert client.get(f"/v1/jobs/{long_job}?wait=1", headers={"If-None-Match": tag}).status_code == 304
    assert client.get(f"/v1/jobs/{long_job}?wait=1").status_code == 200
    assert 2 <= time.monotonic() - start < 10


@pytest.mark.parametrize("value", ["61", "-1", "x", "1.5", ""])
def test_wait_is_checked(client, long_job, value):
    document = problem(client.get(f"/v1/jobs/{long_job}?wait={value}"), 422, "invalid_request")
    assert document["errors"][0]["code"] == "out_of_range"


def test_wait_for_no_job(client):
    problem(client.get("/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057?wait=30"), 404, "not_found")


# ---------------------------------------------------------------- events


def test_events_of_a_job(client):
    identity = submit(client, epochs=100000)
    told = list(events(client, f"/v1/jobs/{identity}/events"))
    numbers = [number for number, _, _ in told]
    assert told[0][1] == "state"
    assert numbers == sorted(set(numbers))
    assert {name for _, name, _ in told[1:-1]} <= {"state", "progress"}
    assert "progress" in {name for _, name, _ in told}
    number, name, body = told[-1]
    assert (name, body["state"], body["id"]) == ("state", "succeeded", identity)
    assert body == client.get(f"/v1/jobs/{identity}").json()
    steps = [body["step"] for _, _, body in told]
    assert steps == sorted(steps)
    assert [told[-1]] == list(events(client, f"/v1/jobs/{identity}/events", last=number - 1))
    answer = client.get(f"/v1/jobs/{identity}/events", headers={"Last-Event-ID": str(number)})
    assert (answer.status_code, answer.content) == (204, b"")
    assert list(events(client, f"/v1/jobs/{identity}/events", last="x")) == [told[-1]]
    assert list(events(client, f"/v1/jobs/{identity}/events", last=10**15)) == [told[-1]]
    problem(client.get("/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057/events"), 404, "not_found")


def test_events_of_all_jobs(client, long_job):
    stream = events(client, "/v1/events")
    number, name, body = next(event for event in stream if event and event[2]["id"] == long_job)
    assert (name, body["state"]) in {("state", "queued"), ("state", "running")}
    other = submit(client)
    seen = []
    for event in stream:
        seen.append(event)
        if event and event[2]["id"] == other and event[2]["state"] == "succeeded":
            break
    client.post(f"/v1/jobs/{long_job}/cancel")
    for event in stream:
        seen.append(event)
        if event and event[2]["id"] == long_job and event[2]["state"] == "cancelled":
            break
    stream.close()
    numbers = [event[0] for event in seen if event]
    assert numbers == sorted(set(numbers)) and numbers[0] > number
    # Who comes back is told what has changed since, each job once, as it is.
    again = events(client, "/v1/events", last=number)
    told = {}
    for event in again:
        told[event[2]["id"]] = event
        if other in told and long_job in told:
            break
    again.close()
    assert told[other][2]["state"] == "succeeded"
    assert told[long_job][2]["state"] == "cancelled"


def test_event_ids_survive_a_restart(start):
    first = start()
    with Client(first.url) as client:
        client.put("/v1/models/job-line", json=MODEL)
        client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}})
        identity = submit(client)
        *_, (number, _, _) = events(client, f"/v1/jobs/{identity}/events")
        assert client.delete(f"/v1/jobs/{identity}").status_code == 204
    assert first.stop()[0] == 0
    with Client(start().url) as client:
        other = submit(client)
        told = next(events(client, "/v1/events", last=number))
        assert told[0] > number
        assert told[2]["id"] == other


def test_the_stop_of_the_server_ends_streams_and_waits(start):
    server = start()
    with Client(server.url) as client, Client(server.url) as second:
        client.put("/v1/models/job-line", json=MODEL)
        client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}})
        identity = submit(client, epochs=10**6)
        tag = paused_tag(client, identity)
        answers = {}

        def follow():
            answers["events"] = list(events(client, f"/v1/jobs/{identity}/events"))

        def wait_for_it():
            answers["wait"] = second.get(f"/v1/jobs/{identity}?wait=60", headers={"If-None-Match": tag}).status_code

        threads = [threading.Thread(target=target) for target in (follow, wait_for_it)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        status, seconds = server.stop()
        for thread in threads:
            thread.join()
    assert (status, seconds < 2) == (0, True)
    assert answers["wait"] == 304
    assert [event[2]["state"] for event in answers["events"]] == ["paused"]


def test_a_slow_reader_is_dropped(start):
    """It is cut off once what it has not read is gone, and nobody waits for it."""
    server = start()
    with Client(server.url) as client:
        client.put("/v1/models/job-line", json=MODEL)
        client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}})
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((server.host, server.port))
        slow.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        identity = submit(client, epochs=10**6)
        assert client.post(f"/v1/jobs/{identity}/pause").status_code == 200
        for i in range(6000):
            assert client.patch(f"/v1/jobs/{identity}", json={"priority": i % 50}).status_code == 200
        slow.settimeout(10)
        received = 0
        while part := slow.recv(65536):
            received += len(part)
        assert 0 < received < 6000 * 1000
        slow.close()


def test_a_client_that_leaves_is_forgotten(start):
    server = start()
    with Client(server.url) as client:
        for _ in range(50):
            with socket.create_connection((server.host, server.port)) as short:
                short.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
                assert short.recv(12) == b"HTTP/1.1 200"
        end = time.monotonic() + 10
        sockets = None
        while sockets != 1 and time.monotonic() < end:
            time.sleep(0.1)
            with open(f"/proc/{server.process.pid}/net/tcp", encoding="ascii") as table:
                port = f":{server.port:04X}"
                sockets = sum(port in line.split()[1] and line.split()[3] == "01" for line in table.readlines()[1:])
            client.get("/healthz")
        assert sockets == 1


# ---------------------------------------------------------------- the cost history


@pytest.fixture(scope="module")
def finished(server, resources):
    with Client(server.url) as client:
        identity = submit(client, epochs=3000, validation={"fraction": 0.2})
        assert wait(client, identity)["state"] == "succeeded"
    return identity


def test_costs_in_three_forms(client, finished):
    path = f"/v1/jobs/{finished}/costs"
    points = client.get(path).json()["points"]
    assert len(points) == 3000
    lines = client.get(path, headers={"Accept": "application/x-ndjson"})
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == points
    table = client.get(path, headers={"Accept": "text/csv"})
    assert table.headers["Content-Type"] == "text/csv"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert list(rows[0]) == list(points[0])
    for row, point in zip(rows, points, strict=True):
        for name, value in point.items():
            assert (row[name] if name == "time" else float(row[name]) if row[name] else None) == value
    after = client.get(path + "?after=11900", headers={"Accept": "text/csv"}).text.splitlines()
    assert len(after) == 1 + sum(point["step"] > 11900 for point in points)


def test_costs_are_sampled(client, finished):
    path = f"/v1/jobs/{finished}/costs"
    whole = client.get(path).json()["points"]
    answer = client.get(path + "?max_points=100").json()
    points = answer["points"]
    assert (answer["sampled"], answer["total"]) == (True, 3000)
    assert 50 < len(points) <= 100
    assert [points[0], points[-1]] == [whole[0], whole[-1]]
    costs = [point["cost"] for point in whole]
    assert {min(costs), max(costs)} <= {point["cost"] for point in points}
    lines = client.get(path + "?max_points=100", headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == points


def test_costs_of_no_job(client):
    for accept in ("application/json", "text/csv"):
        answer = client.get("/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057/costs", headers={"Accept": accept + ", */*;q=0.1"})
        problem(answer, 404, "not_found")


# ---------------------------------------------------------------- pages of other origins


def test_a_page_of_another_origin_may_watch(start):
    server = start("--cors-origin", "http://dash.example")
    with Client(server.url) as client:
        asked = {"Origin": "http://dash.example", "Access-Control-Request-Method": "GET",
                 "Access-Control-Request-Headers": "if-none-match, last-event-id"}
        answer = client.options("/v1/events", headers=asked)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "http://dash.example"
        allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
        assert {"if-none-match", "last-event-id"} <= allowed
        with client.get("/v1/events", headers={"Origin": "http://dash.example"}, stream=True) as stream:
            assert stream.headers["Access-Control-Allow-Origin"] == "http://dash.example"
        with client.get("/v1/events", headers={"Origin": "http://other.example"}, stream=True) as stream:
            assert "Access-Control-Allow-Origin" not in stream.headers
