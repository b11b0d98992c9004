"""One model, a hundred clients at once, a batch size after another: more plans than the cache may hold."""
import concurrent.futures
import http.client
import json
import pathlib
import time

from conftest import Client
from test_models import put

CLIENTS, REQUESTS, BATCHES = 100, 8, 300
WRT = ["W1", "b1", "W2"]
MODEL = {
    "layers": [{"op": "Linear", "units": 2}, "Tanh"] * 30 + [{"op": "Linear", "units": 1}], "input": 2, "loss": "MSE",
}
SLOWEST_SECONDS = 5  # a bound that only a stall reaches
GROWTH_BYTES = 8 << 20


def rss(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def batch_of(client, i):
    return (client * 37 + i * 61) % BATCHES + 1


def ask(server, client):
    """One client's requests over one connection: [(batch, seconds, status, value)]"""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    told = []
    for i in range(REQUESTS):
        batch = batch_of(client, i)
        body = json.dumps({"inputs": {"X": [[0.5, 1]] * batch, "y": [[1]] * batch}, "wrt": WRT[(client + i) % len(WRT)]})
        start = time.monotonic()
        connection.request("POST", "/v1/models/many/gradient", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        document = json.loads(answer.read())
        told.append((batch, time.monotonic() - start, answer.status, document.get("value")))
    connection.close()
    return told


def round_of_all(server):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(ask, server, client) for client in range(CLIENTS)]
        return [told for future in futures for told in future.result()]


def test_a_hundred_clients_at_differing_batches(start, record_property):
    server = start("--max-memory", "16M")  # of which a mebibyte for plans
    with Client(server.url) as client:
        put(client, "many", MODEL)
        plan = client.get("/v1/models/many/plan?batch=100", headers={"Accept": "application/json"}).json()["gradient"]
        assert BATCHES * len(WRT) * plan["plan_bytes"] > 2 * GROWTH_BYTES
    sizes, values = [rss(server.process)], {}
    for _ in range(3):
        for batch, seconds, status, value in round_of_all(server):
            assert status == 200
            assert seconds < SLOWEST_SECONDS
            assert values.setdefault(batch, value) == value
        sizes.append(rss(server.process))
    assert len(values) > BATCHES // 2
    record_property("rss_bytes", sizes)
    print("rss", [size >> 10 for size in sizes], "KiB")
    assert max(sizes) - sizes[0] < GROWTH_BYTES
    assert sizes[3] - sizes[2] < GROWTH_BYTES // 8
