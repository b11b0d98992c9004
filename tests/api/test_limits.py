"""What would take more memory than the limits allow is refused with both sizes; indices that only the values show."""
import re
import time

import pytest
from conftest import Client
from test_models import problem, put

MEMORY = 16 * 1024 * 1024
WIDE = {
    "program": "h = W * Expand(b, shape=[1000, 5000])\ncost = ReduceSum(Exp(h) * Sin(h)) + ReduceMean(y)",
    "inputs": {"y": {"shape": ["batch"]}},
    "parameters": {"W": {"shape": [1000, 1]}, "b": {"shape": [1]}},
    "cost": "cost",
}


def narrower(columns):
    return {**WIDE, "program": WIDE["program"].replace("5000", str(columns))}


@pytest.fixture
def small(start):
    """A client of a server that has 16 MiB: 2 MiB for a query."""
    with Client(start("--max-memory", "16M").url) as client:
        yield client


def refused(answer, code, limit):
    """The item that names what was asked and the limit."""
    document = problem(answer, 422, code)
    told = [item for item in document["errors"] if item["code"] == "limit_exceeded"]
    assert len(told) == len(document["errors"])
    asked, most = (int(number) for number in re.findall(r"\d{4,}", told[0]["detail"]))
    assert asked > most == limit, told
    return asked


def test_a_model(small):
    sizes = [
        refused(small.post("/v1/models", json={"name": "wide", **WIDE}), "invalid_model", MEMORY),
        refused(small.put("/v1/models/wide", json=WIDE), "invalid_model", MEMORY),
        refused(small.post("/v1/models?dry_run=true", json={"name": "wide", **WIDE}), "invalid_model", MEMORY),
    ]
    assert len(set(sizes)) == 1
    problem(small.get("/v1/models/wide"), 404, "not_found")


def test_queries_of_a_model(small):
    put(small, "narrower", narrower(800))
    body = {"inputs": {"y": [1, 2]}}
    refused(small.post("/v1/models/narrower/predict", json={"inputs": {}}), "invalid_query", MEMORY // 8)
    refused(small.post("/v1/models/narrower/evaluate", json={**body, "of": "cost"}), "invalid_query", MEMORY // 8)
    asked = refused(small.post("/v1/models/narrower/gradient", json=body), "invalid_query", MEMORY // 8)
    told = small.post("/v1/models?dry_run=true&batch=2", json={"name": "n", **narrower(800)}).json()
    assert asked == told["memory_bytes"]["gradient"]


def test_differentiate(small):
    body = {"program": "f = ReduceSum(Exp(Expand(x, shape=[1000, 5000]) * y))", "inputs": {"x": [1], "y": [[1]] * 1000}}
    refused(small.post("/v1/differentiate", json=body), "invalid_query", MEMORY // 8)
    answer = {"program": "f = Expand(x, shape=[4000, 5000])", "inputs": {"x": [1]}, "query": "evaluate"}
    refused(small.post("/v1/differentiate", json=answer), "invalid_query", 10_000_000)
    tensor = {"program": "f = ReduceSum(Expand(x, shape=[2000000, 50000]))", "inputs": {"x": [1]}}
    document = problem(small.post("/v1/differentiate", json=tensor), 422, "invalid_query")
    assert "100000000000 elements, the limit is 2147483648" in document["errors"][0]["detail"]


def test_a_job(small):
    """At a batch of one the model fits; the job's batch does not."""
    put(small, "job", {
        "program": "l = Linear(X, W, b)\ncost = MSE(ReduceMean(Exp(l), axes=1, keepdims=1), y)", "cost": "cost",
        "inputs": {"X": {"shape": ["batch", 1]}, "y": {"shape": ["batch", 1]}},
        "parameters": {"W": {"shape": [1, 20000]}, "b": {"shape": [20000]}}})
    small.put("/v1/datasets/job", json={"columns": {"X": [[0]] * 1000, "y": [[0]] * 1000}}).raise_for_status()
    job = {"model": "job", "dataset": "job", "optimizer": {"name": "SGD", "learning_rate": 0.1}, "epochs": 1}
    refused(small.post("/v1/jobs", json={**job, "batch_size": 1000}), "invalid_job", MEMORY)
    assert small.post("/v1/jobs", json={**job, "batch_size": 1}).status_code == 202


def test_memory_of_a_job(client):
    """Arenas, parameters and the optimizer's state: two more tensors a parameter for Adam, each kept twice."""
    put(client, "job-memory", {
        "layers": [{"op": "Linear", "units": 50}, "Tanh", {"op": "Linear", "units": 1}], "input": 20, "loss": "MSE"})
    client.put("/v1/datasets/job-memory", json={"columns": {"X": [[0] * 20] * 64, "y": [[0]] * 64}}).raise_for_status()

    def memory(name, batch, **more):
        job = client.post("/v1/jobs", json={
            "model": "job-memory", "dataset": "job-memory", "epochs": 1, "batch_size": batch,
            "optimizer": {"name": name, "learning_rate": 0.01, **more}})
        assert job.status_code == 202, job.text
        assert client.get(job.headers["Location"]).json()["memory_bytes"] == job.json()["memory_bytes"]
        return job.json()["memory_bytes"]

    parameters = 4 * (20 * 50 + 50 + 50 + 1)
    plain = memory("SGD", 32)
    assert memory("SGD", 64) > plain > 2 * parameters
    assert memory("SGD", 32, momentum=0.9) >= plain + 2 * parameters
    assert memory("Adam", 32) >= plain + 2 * 2 * parameters


EMBEDDING = {
    "program": "e = Gather(E, k)\nl = Linear(e, W, b)\ncost = MSE(l, y)", "cost": "cost",
    "inputs": {"k": {"shape": ["batch"]}, "y": {"shape": ["batch", 1]}},
    "parameters": {"E": {"shape": [5, 3]}, "W": {"shape": [3, 1]}, "b": {"shape": [1]}},
}


@pytest.mark.parametrize("index", [5, -6, 1234567, 2.6e9, 4.5000005])
def test_an_index_that_a_query_gives(client, index):
    put(client, "gather", EMBEDDING)
    y = [[1], [1]]
    for query, body in (("predict", {"k": [0, index]}), ("gradient", {"k": [0, index], "y": y})):
        answer = client.post(f"/v1/models/gather/{query}", json={"inputs": body})
        item = problem(answer, 422, "invalid_query")["errors"][0]
        assert (item["code"], item["pointer"]) == ("index_out_of_range", "/inputs")
        told = re.fullmatch(r"Gather e \(line 1\): index (\S+) is out of range: it must be from -5 to 4", item["detail"])
        assert float(told[1]) == pytest.approx(index, rel=1e-6)


def test_an_index_that_a_job_meets(client):
    put(client, "gather-job", EMBEDDING)
    data = {"columns": {"k": [0, 1, 2, 3, 9], "y": [[1]] * 5}}
    client.put("/v1/datasets/gather-job", json=data).raise_for_status()
    job = client.post("/v1/jobs", json={
        "model": "gather-job", "dataset": "gather-job", "optimizer": {"name": "SGD", "learning_rate": 0.1}, "epochs": 3})
    assert job.status_code == 202, job.text
    for _ in range(200):
        told = client.get(job.headers["Location"]).json()
        if told["finished_at"]:
            break
        time.sleep(0.05)
    assert told["state"] == "failed"
    assert told["error"]["type"] == "/problems/index_out_of_range"
    assert told["error"]["detail"] == "Gather e (line 1): index 9 is out of range: it must be from -5 to 4"
