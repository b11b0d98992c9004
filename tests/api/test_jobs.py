"""Jobs: submitted, watched, stopped and deleted, and what is refused."""
import contextlib
import re
import sqlite3
import time

import pytest
from conftest import Client

X = [[i / 20, (i * 7 % 20) / 20] for i in range(20)]
Y = [[2 * a - b + 0.5] for a, b in X]
MODEL = {
    "program": "p = Linear(X, W, b)\ncost = MSE(p, y)",
    "inputs": {"X": {"shape": ["batch", 2]}, "y": {"shape": ["batch", 1]}},
    "parameters": {"W": {}, "b": {}},
    "cost": "cost",
}
FINISHED = {"succeeded", "failed", "cancelled"}


@pytest.fixture(scope="module", autouse=True)
def resources(server):
    import requests

    with requests.Session() as session:
        session.trust_env = False
        assert session.put(server.url + "/v1/models/job-line", json=MODEL).status_code in (200, 201)
        table = {"columns": {"X": X, "y": Y}}
        assert session.put(server.url + "/v1/datasets/job-line", json=table).status_code in (200, 201)


def job(**changes):
    body = {
        "model": "job-line", "dataset": "job-line", "optimizer": {"name": "SGD", "learning_rate": 0.1}, "epochs": 50,
        "batch_size": 4, "seed": 3, **changes,
    }
    return {key: value for key, value in body.items() if value is not None}


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"/problems/{code}", document
    return document


def submit(client, **changes):
    answer = client.post("/v1/jobs", json=job(**changes))
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == "/v1/jobs/" + answer.json()["id"]
    return answer.json()["id"]


def wait(client, identity, states=FINISHED, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        body = client.get(f"/v1/jobs/{identity}").json()
        if body["state"] in states:
            return body
        time.sleep(0.01)
    raise AssertionError(f"the job is still {body['state']}: {body}")


@pytest.fixture
def long_job(client):
    """A job that trains until it is stopped."""
    n = 20000
    client.put("/v1/datasets/job-long", json={"columns": {"X": [[i % 7, i % 5] for i in range(n)],
                                                      "y": [[i % 3] for i in range(n)]}})
    identity = submit(client, dataset="job-long", epochs=100000, batch_size=2,
                      optimizer={"name": "SGD", "learning_rate": 1e-6})
    yield identity
    client.post(f"/v1/jobs/{identity}/cancel")


def test_job_from_start_to_end(client):
    identity = submit(client, labels={"team": "a"}, validation={"fraction": 0.2}, epochs=500, from_version=1)
    body = wait(client, identity)
    assert body["state"] == "succeeded", body
    assert (body["model"], body["dataset"], body["epochs"]) == ("job-line", "job-line", 500)
    assert body["labels"] == {"team": "a"}
    assert (body["epoch"], body["step"], body["steps"], body["progress"]) == (500, 2000, 2000, 1)
    assert body["optimizer"] == {
        "name": "SGD", "learning_rate": 0.1, "momentum": 0, "nesterov": False, "weight_decay": 0
    }
    assert (body["seed"], body["batch_size"], body["threads"], body["from_version"]) == (3, 4, 1, 1)
    assert body["created_at"] <= body["started_at"] <= body["finished_at"]
    assert body["best_cost"] <= body["validation_cost"] and body["cost"] < 1e-3
    assert body["error"] is None and body["eta_seconds"] is None and body["attempts"] == 1
    assert body["memory_bytes"] > 0
    versions = client.get("/v1/models/job-line/versions?limit=1000").json()["items"]
    made = next(version for version in versions if version["job"] == identity)
    assert (made["version"], made["digest"]) == (body["version"], body["digest"])
    assert body["lineage"]["final_digest"] == body["digest"]
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", body["lineage"]["gradd_version"])
    assert body["lineage"]["start_digest"] == versions[0]["digest"]
    assert body["lineage"]["dataset_digest"] == client.get("/v1/datasets/job-line").json()["digest"]
    parameters = client.get(f"/v1/models/job-line/parameters?version={body['version']}").json()["parameters"]
    assert parameters["W"] == [[pytest.approx(2, abs=0.05)], [pytest.approx(-1, abs=0.05)]]


def test_the_same_job_has_the_same_bits(client):
    first, second = (wait(client, submit(client, from_version=1)) for _ in range(2))
    assert first["digest"] == second["digest"] is not None
    assert wait(client, submit(client, from_version=1, seed=4))["digest"] != first["digest"]
    points = [client.get(f"/v1/jobs/{body['id']}/costs").json()["points"] for body in (first, second)]
    for point in points[0] + points[1]:
        del point["time"]
    assert points[0] == points[1]


def test_costs(client):
    identity = submit(client, epochs=40, validation={"fraction": 0.25}, record={"every_steps": 3}, from_version=1)
    wait(client, identity)
    answer = client.get(f"/v1/jobs/{identity}/costs")
    body = answer.json()
    points = body["points"]
    assert (body["sampled"], body["total"]) == (False, len(points))
    steps = [point["step"] for point in points]
    assert steps == sorted(set(steps)) and steps[-1] == 160
    assert {step for step in range(3, 161, 3)} <= set(steps) and {4 * epoch for epoch in range(1, 41)} <= set(steps)
    for point in points:
        assert (point["validation_cost"] is not None) == (point["step"] % 4 == 0)
        assert point["learning_rate"] == 0.1
        assert point["epoch"] == (point["step"] + 3) // 4
    assert points[-1]["cost"] < points[0]["cost"]
    rest = client.get(f"/v1/jobs/{identity}/costs?after={steps[9]}").json()
    assert (rest["points"], rest["total"]) == (points[10:], len(points))
    sample = client.get(f"/v1/jobs/{identity}/costs?max_points=10").json()
    assert sample["sampled"] and 4 <= len(sample["points"]) <= 10 and sample["total"] == len(points)
    costs = [point["cost"] for point in points]
    assert all(point in points for point in sample["points"])
    assert sample["points"][0] == points[0] and sample["points"][-1] == points[-1]
    assert {min(costs), max(costs)} <= {point["cost"] for point in sample["points"]}
    again = client.get(f"/v1/jobs/{identity}/costs", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    for query in ["max_points=3", "after=-1", "after=x", "from=1"]:
        assert client.get(f"/v1/jobs/{identity}/costs?{query}").status_code == 422, query


def test_transforms_and_rows(client):
    client.put("/v1/datasets/job-people", json={
        "header": ["age", "town", "income"],
        "rows": [[20 + i, ["Rome", "Oslo", "Lima"][i % 3], 1000 + 10 * i + 50 * (i % 3)] for i in range(30)],
    })
    answer = client.put("/v1/models/job-income", json={
        "program": "p = age @ A + town @ T + b\ncost = MSE(p, income)",
        "inputs": {"age": {"shape": ["batch", 1]}, "town": {"shape": ["batch", 3]}, "income": {"shape": ["batch", 1]}},
        "parameters": {"A": {"shape": [1, 1]}, "T": {"shape": [3, 1]}, "b": {"shape": [1]}}, "cost": "cost",
    })
    assert answer.status_code == 201, answer.text
    bind = {
        "age": {"columns": ["age"], "transform": "standardize"},
        "town": {"columns": ["town"], "transform": "one_hot"},
        "income": {"columns": ["income"], "transform": "minmax"},
    }
    identity = submit(client, model="job-income", dataset="job-people", bind=bind, epochs=300)
    body = wait(client, identity)
    assert body["state"] == "succeeded", body
    assert body["bind"] == bind
    answer = client.post("/v1/models/job-income/predict", json={"rows": [{"age": 30, "town": "Oslo"}]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == [{"income": pytest.approx(1150, rel=0.02)}]


def test_cancel(client, long_job):
    body = wait(client, long_job, {"running"})
    assert body["state"] == "running"
    start = time.monotonic()
    answer = client.post(f"/v1/jobs/{long_job}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert time.monotonic() - start < 1
    body = client.get(f"/v1/jobs/{long_job}").json()
    assert body["state"] == "cancelled" and body["finished_at"] and body["version"] is None
    for action in ["cancel", "pause", "resume"]:
        problem(client.post(f"/v1/jobs/{long_job}/{action}"), 409, "wrong_state")
    assert client.delete(f"/v1/jobs/{long_job}").status_code == 204


def test_pause_and_resume(client, long_job):
    wait(client, long_job, {"running"})
    assert client.post(f"/v1/jobs/{long_job}/pause").json()["state"] == "paused"
    problem(client.post(f"/v1/jobs/{long_job}/pause"), 409, "wrong_state")
    problem(client.delete(f"/v1/jobs/{long_job}"), 409, "wrong_state")
    answer = client.patch(f"/v1/jobs/{long_job}", json={"priority": 5})
    assert (answer.status_code, answer.json()["priority"]) == (200, 5)
    assert client.post(f"/v1/jobs/{long_job}/resume").json()["state"] in ("queued", "running")
    assert wait(client, long_job, {"running"})["attempts"] == 2


def test_running_job_holds_what_it_uses(client, long_job):
    running = wait(client, long_job, {"running"})
    assert running["finished_at"] is None
    problem(client.patch(f"/v1/jobs/{long_job}", json={"priority": 5}), 409, "wrong_state")
    problem(client.delete(f"/v1/jobs/{long_job}"), 409, "wrong_state")
    problem(client.delete("/v1/datasets/job-long"), 409, "in_use")
    problem(client.put("/v1/datasets/job-long", json={"columns": {"X": [[1, 2]], "y": [[1]]}}), 409, "in_use")
    problem(client.put("/v1/models/job-line", json={**MODEL, "seed": 99}), 409, "in_use")
    problem(client.delete("/v1/models/job-line?cascade=true"), 409, "in_use")
    assert client.get("/v1/datasets/job-long").json()["rows"] == 20000
    end = time.monotonic() + 20
    while time.monotonic() < end and not running["eta_seconds"]:
        running = client.get(f"/v1/jobs/{long_job}").json()
    assert running["step"] > 0 and running["eta_seconds"] > 0 and 0 < running["progress"] < 1
    assert running["samples_per_second"] > 0


def test_the_rest_is_told_by_the_rows_that_train(client, long_job):
    client.post(f"/v1/jobs/{long_job}/cancel")
    identity = submit(client, dataset="job-long", epochs=100000, batch_size=2, validation={"fraction": 0.75},
                      optimizer={"name": "SGD", "learning_rate": 1e-6})
    end, body = time.monotonic() + 20, {"eta_seconds": None}
    while not body["eta_seconds"] and time.monotonic() < end:
        body = client.get(f"/v1/jobs/{identity}").json()
    client.post(f"/v1/jobs/{identity}/cancel")
    samples = (1 - body["progress"]) * 100000 * 5000
    assert body["eta_seconds"] == pytest.approx(samples / body["samples_per_second"], rel=1e-3)


def test_failure_says_why(client):
    identity = submit(client, optimizer={"name": "SGD", "learning_rate": 1e30}, epochs=500)
    body = wait(client, identity)
    assert body["state"] == "failed"
    assert body["error"]["type"] == "/problems/nonfinite"
    assert "step" in body["error"]["detail"]
    assert body["version"] is None


def test_delete(client):
    identity = submit(client, epochs=1)
    wait(client, identity)
    answer = client.delete(f"/v1/jobs/{identity}")
    assert (answer.status_code, answer.content) == (204, b"")
    for call in [client.get, client.delete]:
        problem(call(f"/v1/jobs/{identity}"), 404, "not_found")
    problem(client.get(f"/v1/jobs/{identity}/costs"), 404, "not_found")
    problem(client.post(f"/v1/jobs/{identity}/cancel"), 404, "not_found")
    problem(client.get("/v1/jobs/1"), 404, "not_found")


def test_list(client):
    mine = [submit(client, epochs=1, labels={"list": "x y"}) for _ in range(3)]
    for identity in mine:
        wait(client, identity)
    query = {"label": "list:x y", "state": "succeeded", "model": "job-line"}
    answer = client.get("/v1/jobs", params={**query, "limit": 2})
    assert [item["id"] for item in answer.json()["items"]] == mine[:2]
    rest = client.get(answer.links["next"]["url"])
    assert [item["id"] for item in rest.json()["items"]] == mine[2:]
    newest = client.get("/v1/jobs", params={**query, "sort": "-created_at"}).json()
    assert [item["id"] for item in newest["items"]] == mine[::-1]
    assert newest["items"][0] == client.get(f"/v1/jobs/{mine[2]}").json()
    assert client.get("/v1/jobs", params={**query, "model": "other"}).json()["items"] == []
    for bad in ["state=done", "label=x", "sort=cost", "limit=0", "stat=queued"]:
        assert client.get("/v1/jobs?" + bad).status_code == 422, bad


def test_etag_changes_with_the_job(client):
    identity = submit(client, epochs=1)
    wait(client, identity)
    answer = client.get(f"/v1/jobs/{identity}")
    again = client.get(f"/v1/jobs/{identity}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_idempotency_key_outlives_what_the_job_names(client):
    client.put("/v1/models/keyed-line", json=MODEL)
    body, key = job(model="keyed-line", epochs=1), {"Idempotency-Key": "job-key-1"}
    first = client.post("/v1/jobs", json=body, headers=key)
    assert first.status_code == 202
    identity = first.json()["id"]
    wait(client, identity)
    costless = {key: value for key, value in MODEL.items() if key != "cost"}
    assert client.put("/v1/models/keyed-line", json=costless).status_code == 200
    again = client.post("/v1/jobs", json=body, headers=key)
    assert (again.status_code, again.headers["Location"]) == (202, first.headers["Location"])
    assert again.json()["state"] == "succeeded" and again.json()["version"] is None
    problem(client.post("/v1/jobs", json=job(epochs=2), headers=key), 422, "key_reused")
    client.delete(f"/v1/jobs/{identity}")
    problem(client.post("/v1/jobs", json=body, headers=key), 410, "gone")


def version(client, body):
    return client.get(f"/v1/models/{body['model']}/parameters?version={body['version']}").json()["parameters"]


def test_verify(client):
    body = wait(client, submit(client, epochs=20, validation={"fraction": 0.2}, labels={"team": "v"}, priority=3))
    newest = client.get("/v1/models/job-line").json()["version"]
    answer = client.post(f"/v1/jobs/{body['id']}/verify")
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == "/v1/jobs/" + answer.json()["id"] != "/v1/jobs/" + body["id"]
    assert (answer.json()["verifies"], answer.json()["same"]) == (body["id"], None)
    again = wait(client, answer.json()["id"])
    assert (again["state"], again["same"], again["version"]) == ("succeeded", True, None), again
    assert again["digest"] == body["digest"]
    for field in ["from_version", "optimizer", "validation", "labels", "priority", "seed", "cost", "best_cost"]:
        assert again[field] == body[field], field
    assert client.get("/v1/models/job-line").json()["version"] == newest
    assert (body["verifies"], body["same"], body["forked_from"]) == (None, None, None)
    twice = wait(client, client.post(f"/v1/jobs/{again['id']}/verify").json()["id"])
    assert (twice["verifies"], twice["same"]) == (again["id"], True)


def test_verification_tells_other_bits(start):
    """As if the machine had computed something else."""
    first = start()
    with Client(first.url) as client:
        client.put("/v1/models/job-line", json=MODEL)
        client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}})
        identity = submit(client, epochs=2)
        wait(client, identity)
    first.stop()
    with contextlib.closing(sqlite3.connect(first.database)) as database, database:
        database.execute("UPDATE job SET digest = replace(digest, substr(digest, 1, 1), 'x')")
    second = start()
    with Client(second.url) as client:
        body = wait(client, client.post(f"/v1/jobs/{identity}/verify").json()["id"])
        assert (body["state"], body["same"]) == ("succeeded", False)
        other = wait(client, submit(client, epochs=300, from_version=1))
    second.stop()
    with contextlib.closing(sqlite3.connect(first.database)) as database, database: # the last byte of the first norm
        database.execute("UPDATE cost_segment SET points = CAST(substr(points, 1, 40) || x'01' || substr(points, 42) AS BLOB)"
                         " WHERE job = ?", [other["id"]])
    third = start()
    with Client(third.url) as client:
        body = wait(client, client.post(f"/v1/jobs/{other['id']}/verify").json()["id"])
        assert (body["state"], body["same"], body["digest"]) == ("succeeded", False, other["digest"])
        client.delete(f"/v1/jobs/{other['id']}")
        body = wait(client, client.post(f"/v1/jobs/{body['id']}/verify").json()["id"])
        assert body["same"]


def test_what_can_not_be_verified(client, long_job):
    wait(client, long_job, {"running"})
    problem(client.post(f"/v1/jobs/{long_job}/verify"), 409, "wrong_state")
    client.post(f"/v1/jobs/{long_job}/cancel")
    problem(client.post(f"/v1/jobs/{long_job}/verify"), 409, "wrong_state")
    problem(client.post("/v1/jobs/none/verify"), 404, "not_found")
    problem(client.post("/v1/jobs/none/fork", json={}), 404, "not_found")


def test_neither_verify_nor_fork_what_stood_on_something_else(client):
    table = {"columns": {"X": X, "y": Y}}
    client.put("/v1/models/fork-line", json=MODEL)
    client.put("/v1/datasets/fork-line", json=table)
    body = wait(client, submit(client, model="fork-line", dataset="fork-line", epochs=1))
    paths = [f"/v1/jobs/{body['id']}/verify", f"/v1/jobs/{body['id']}/fork"]
    client.put("/v1/datasets/fork-line", json={"columns": {"X": X, "y": Y[::-1]}})
    problem(client.post(paths[0]), 409, "wrong_state")
    problem(client.post(paths[1], json={}), 409, "wrong_state")
    assert client.post(paths[1], json={"dataset": "job-line"}).status_code == 202
    client.delete("/v1/datasets/fork-line")
    problem(client.post(paths[0]), 409, "wrong_state")
    problem(client.post(paths[1], json={}), 409, "wrong_state")
    client.put("/v1/datasets/fork-line", json=table)
    assert wait(client, client.post(paths[0]).json()["id"])["same"]
    for job_of_model in client.get("/v1/jobs?model=fork-line").json()["items"]:
        wait(client, job_of_model["id"])
    client.put("/v1/models/fork-line", json={**MODEL, "seed": 5})
    problem(client.post(paths[0]), 409, "wrong_state")
    problem(client.post(paths[1], json={"from_version": 1}), 409, "wrong_state")


def test_fork_from_a_version(client):
    """Two jobs one after the other are one job of as many epochs, if rows are not shuffled and the optimizer remembers
    nothing."""
    first = wait(client, submit(client, epochs=10, shuffle=False, labels={"team": "f"}, from_version=1))
    answer = client.post(f"/v1/jobs/{first['id']}/fork", json={"epochs": 15, "priority": 2})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == "/v1/jobs/" + answer.json()["id"]
    second = wait(client, answer.json()["id"])
    assert (second["forked_from"], second["from_step"], second["from_version"]) == (first["id"], None, first["version"])
    assert (second["epochs"], second["priority"], second["labels"], second["shuffle"]) == (15, 2, {"team": "f"}, False)
    assert second["lineage"]["start_digest"] == first["digest"]
    whole = wait(client, submit(client, epochs=25, shuffle=False, from_version=1))
    assert whole["digest"] == second["digest"] != first["digest"]
    other = client.post(f"/v1/jobs/{first['id']}/fork", json={"from_version": 1, "labels": None, "optimizer": {"name": "Adam"}})
    other = wait(client, other.json()["id"])
    assert (other["from_version"], other["labels"], other["optimizer"]["name"]) == (1, {}, "Adam")


def test_fork_from_a_step(client):
    """From each checkpoint that is kept, also of a job that was cancelled; and such a fork can be verified and forked."""
    rule = {"every_steps": 10, "keep": 3}
    first = wait(client, submit(client, epochs=10, shuffle=False, from_version=1, checkpoint=rule))
    whole = wait(client, submit(client, epochs=4, shuffle=False, from_version=1))
    forks = {}
    for step in [30, 40, 50]:
        answer = client.post(f"/v1/jobs/{first['id']}/fork", json={"from_step": step, "epochs": 2, "checkpoint": None})
        assert answer.status_code == 202, answer.text
        forks[step] = wait(client, answer.json()["id"])
        assert (forks[step]["from_step"], forks[step]["forked_from"]) == (step, first["id"])
        assert (forks[step]["steps"], forks[step]["checkpoint"]) == (10, {"keep": 1})
    assert forks[50]["lineage"]["start_digest"] == first["digest"] != forks[30]["lineage"]["start_digest"]
    assert forks[30]["digest"] == wait(client, submit(client, epochs=8, shuffle=False, from_version=1))["digest"]
    assert forks[30]["digest"] != whole["digest"]
    again = wait(client, client.post(f"/v1/jobs/{forks[30]['id']}/verify").json()["id"])
    assert (again["same"], again["from_step"]) == (True, 30)
    document = problem(client.post(f"/v1/jobs/{first['id']}/fork", json={"from_step": 20, "epochs": 0}), 422, "invalid_job")
    assert ("out_of_range", "/epochs") in [(e["code"], e["pointer"]) for e in document["errors"]]
    document = problem(client.post(f"/v1/jobs/{first['id']}/fork", json={"from_step": 20}), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("out_of_range", "/from_step")]
    assert "30, 40, 50" in document["errors"][0]["detail"]


def test_forks_that_are_wrong(client, long_job):
    done = wait(client, submit(client, epochs=1))
    path = f"/v1/jobs/{done['id']}/fork"
    for changes, code, pointer in [
        ({"model": "job-line"}, "unknown_field", "/model"), ({"epoch": 2}, "unknown_field", "/epoch"),
        ({"from_step": 5, "from_version": 1}, "invalid_value", "/from_step"), ({"from_step": 0}, "out_of_range", "/from_step"),
        ({"from_version": 9999}, "unknown_version", "/from_version"), ({"epochs": None}, "missing_field", "/epochs"),
        ({"dataset": "nowhere"}, "unknown_dataset", "/dataset"), ([], "wrong_type", ""),
        ({"optimizer": {"name": "LBFGS"}}, "invalid_value", "/batch_size"),
    ]:
        document = problem(client.post(path, json=changes), 422, "invalid_job")
        assert (code, pointer) in [(e["code"], e["pointer"]) for e in document["errors"]], (changes, document)
    for nothing in ({"batch_size": None, "optimizer": {"name": "LBFGS"}}, {"from_step": None, "from_version": None}):
        assert client.post(path, json=nothing).status_code == 202
    document = problem(client.post(f"/v1/jobs/{long_job}/fork", json={}), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("missing_field", "/from_version")]


@pytest.mark.parametrize("action, body", [("verify", None), ("fork", {"epochs": 2})])
def test_verify_and_fork_once_with_a_key(client, action, body):
    done = wait(client, submit(client, epochs=1))
    path, key = f"/v1/jobs/{done['id']}/{action}", {"Idempotency-Key": f"{action}-{done['id']}"}
    first, again = (client.post(path, json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.headers["Location"] == again.headers["Location"]
    wait(client, first.json()["id"])
    client.delete(f"/v1/jobs/{done['id']}")
    assert client.post(path, json=body, headers=key).headers["Location"] == first.headers["Location"]
    other = client.get(first.headers["Location"]).json()
    assert (other["verifies"] if action == "verify" else other["forked_from"]) == done["id"]


BAD_JOBS = {
    "no model": ({"model": "nowhere"}, "unknown_model", "/model"),
    "no data set": ({"dataset": "nowhere"}, "unknown_dataset", "/dataset"),
    "no version": ({"from_version": 99999}, "unknown_version", "/from_version"),
    "unknown field": ({"epoch": 3}, "unknown_field", "/epoch"),
    "epochs missing": ({"epochs": None}, "missing_field", "/epochs"),
    "epochs": ({"epochs": 0}, "out_of_range", "/epochs"),
    "threads": ({"threads": 257}, "out_of_range", "/threads"),
    "optimizer": ({"optimizer": {"name": "Adma"}}, "invalid_value", "/optimizer/name"),
    "learning rate": ({"optimizer": {"name": "SGD"}}, "missing_field", "/optimizer/learning_rate"),
    "unknown input": ({"bind": {"Z": {"columns": ["X"]}}}, "unknown_name", "/bind/Z"),
    "unknown column": ({"bind": {"X": {"columns": ["Q"]}}}, "unknown_column", "/bind/X/columns/0"),
    "counts": ({"bind": {"X": {"columns": ["X", "y"]}}}, "shape_mismatch", "/bind/X"),
    "transform": ({"bind": {"X": {"columns": ["X"], "transform": "one_hot"}}}, "wrong_type", "/bind/X/columns/0"),
    "too many points": ({"epochs": 10000000}, "limit_exceeded", None),
}


@pytest.mark.parametrize("case", BAD_JOBS)
def test_bad_jobs(client, case):
    changes, code, pointer = BAD_JOBS[case]
    before = client.get("/v1/jobs?sort=-created_at&limit=1").json()["items"]
    document = problem(client.post("/v1/jobs", json=job(**changes)), 422, "invalid_job")
    found = [(item["code"], item.get("pointer")) for item in document["errors"]]
    assert any(c == code and pointer in (None, p) for c, p in found), document
    assert client.get("/v1/jobs?sort=-created_at&limit=1").json()["items"] == before


def test_all_errors_at_once(client):
    document = problem(
        client.post("/v1/jobs", json={"model": "nowhere", "epochs": -1, "optimizer": {"name": "SGD", "momentum": 2}}),
        422, "invalid_job",
    )
    assert {(item["code"], item["pointer"]) for item in document["errors"]} == {
        ("missing_field", "/dataset"), ("out_of_range", "/epochs"), ("missing_field", "/optimizer/learning_rate"),
        ("out_of_range", "/optimizer/momentum"),
    }


def test_model_without_cost(client):
    client.put("/v1/models/costless", json={key: value for key, value in MODEL.items() if key != "cost"})
    document = problem(client.post("/v1/jobs", json=job(model="costless")), 422, "invalid_job")
    assert document["errors"][0]["code"] == "no_cost"


def test_schedule_clipping_and_freezing(client):
    identity = submit(client, epochs=10, schedule={"name": "exponential", "factor": 0.5}, clip_gradient_norm=0.01,
                      freeze=["b"], from_version=1)
    body = wait(client, identity)
    assert body["state"] == "succeeded", body
    assert body["schedule"] == {"name": "exponential", "factor": 0.5, "warmup_steps": 0}
    assert (body["clip_gradient_norm"], body["freeze"]) == (0.01, ["b"])
    points = client.get(f"/v1/jobs/{identity}/costs").json()["points"]
    assert [point["learning_rate"] for point in points] == [0.1 * 0.5**epoch for epoch in range(10)]
    assert all(point["gradient_norm"] > 0.01 for point in points)
    before = client.get("/v1/models/job-line/parameters?version=1").json()["parameters"]
    after = client.get(f"/v1/models/job-line/parameters?version={body['version']}").json()["parameters"]
    assert (before["b"] == after["b"], before["W"] == after["W"]) == (True, False)


@pytest.mark.parametrize("optimizer", [
    {"name": "RMSprop", "centered": True, "momentum": 0.5},
    {"name": "Adagrad", "learning_rate": 0.5, "initial_accumulator": 0.1},
])
def test_optimizers(client, optimizer):
    body = wait(client, submit(client, optimizer=optimizer, epochs=200, from_version=1))
    assert body["state"] == "succeeded", body
    assert optimizer.items() <= body["optimizer"].items()
    points = client.get(f"/v1/jobs/{body['id']}/costs").json()["points"]
    assert points[-1]["cost"] < 0.5 * points[0]["cost"]


def test_frozen_parameters_must_be_there(client):
    document = problem(client.post("/v1/jobs", json=job(freeze=["b", "c"])), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("unknown_name", "/freeze/1")]
    document = problem(client.post("/v1/jobs", json=job(freeze=["b", "W"])), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("invalid_value", "/freeze")]


def test_early_stopping_restores_the_best_epoch(client):
    """At this rate the cost rises from the first epoch on: the version is the one that a job of one epoch makes."""
    diverging = {"optimizer": {"name": "SGD", "learning_rate": 2}, "batch_size": 20, "from_version": 1}
    last = {}
    for restore in (True, False):
        rule = {"patience": 3, "min_delta": 0, "restore_best": restore}
        body = wait(client, submit(client, epochs=50, early_stopping=rule, **diverging))
        assert (body["state"], body["epoch"], body["early_stopping"]) == ("succeeded", 4, rule), body
        points = client.get(f"/v1/jobs/{body['id']}/costs").json()["points"]
        assert [point["epoch"] for point in points] == [1, 2, 3, 4]
        assert body["best_cost"] == points[0]["cost"] < points[-1]["cost"]
        versions = client.get("/v1/models/job-line/versions?limit=1000").json()["items"]
        last[restore] = next(version for version in versions if version["version"] == body["version"])
        epochs = 1 if restore else 4
        assert (last[restore]["epoch"], last[restore]["cost"]) == (epochs, points[epochs - 1]["cost"])
        assert wait(client, submit(client, epochs=epochs, **diverging))["digest"] == body["digest"]
        assert body["stopped"] == "early_stopping"
        best = next(version for version in versions if version["version"] == body["best_version"])
        assert (best["epoch"], best["job"], best["digest"]) == (1, body["id"], last[True]["digest"])
        assert body["best_version"] == body["version"] if restore else body["best_version"] == body["version"] - 1
    assert last[True]["digest"] != last[False]["digest"]


def test_the_last_epoch_is_the_best(client):
    body = wait(client, submit(client, epochs=2, early_stopping={"patience": 9, "restore_best": False}))
    assert (body["state"], body["stopped"], body["best_version"]) == ("succeeded", None, body["version"])
    assert wait(client, submit(client, epochs=2))["best_version"] is None


def test_stop_at_the_last_finite_parameters(client):
    """W and b grow by a factor an epoch until they overflow; the version is what the last hundred epochs before make."""
    diverging = {"optimizer": {"name": "SGD", "learning_rate": 0.75}, "batch_size": 20, "from_version": 1}
    failed = wait(client, submit(client, epochs=5000, **diverging))
    assert (failed["state"], failed["stopped"]) == ("failed", None)
    body = wait(client, submit(client, epochs=5000, on_nonfinite="stop", **diverging))
    assert (body["state"], body["stopped"], body["on_nonfinite"]) == ("succeeded", "nonfinite", "stop"), body
    points = client.get(f"/v1/jobs/{body['id']}/costs").json()["points"]
    assert 100 <= body["epoch"] == body["step"] <= points[-1]["epoch"] and body["epoch"] % 100 == 0
    assert body["cost"] == points[body["epoch"] - 1]["cost"]
    again = wait(client, submit(client, epochs=body["epoch"], **diverging))
    assert again["digest"] == body["digest"]


def test_lbfgs_solves_linear_regression_in_few_epochs(client):
    body = wait(client, submit(client, optimizer={"name": "LBFGS"}, epochs=3, batch_size=None, from_version=1))
    assert (body["state"], body["steps"]) == ("succeeded", 3), body
    assert "batch_size" not in body
    assert body["optimizer"]["history"] == 10
    parameters = client.get(f"/v1/models/job-line/parameters?version={body['version']}").json()["parameters"]
    assert parameters["W"] == [[pytest.approx(2, abs=1e-3)], [pytest.approx(-1, abs=1e-3)]]
    assert parameters["b"] == [pytest.approx(0.5, abs=1e-3)]


def test_lbfgs_takes_all_rows_and_the_true_gradient(client):
    document = problem(client.post("/v1/jobs", json=job(optimizer={"name": "LBFGS"})), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("invalid_value", "/batch_size")]
    clipped = job(optimizer={"name": "LBFGS"}, batch_size=None, clip_gradient_norm=1)
    document = problem(client.post("/v1/jobs", json=clipped), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("invalid_value", "/clip_gradient_norm")]


@pytest.mark.parametrize("rule, steps", [
    ({"every_steps": 30, "keep": 3}, {120, 150, 180}),
    ({"every_epochs": 8, "keep": 1}, {200}),
    ({"every_epochs": 9, "every_steps": 100, "keep": 4}, {100, 135, 180, 200}),
    ({"every_epochs": 100}, set()),
])
def test_checkpoints_at_the_steps_asked_for(start, rule, steps):
    """40 epochs of 5 steps, each better than the one before, so that the best is among the newest."""
    running = start()
    with Client(running.url) as client:
        client.put("/v1/models/job-line", json=MODEL)
        client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}})
        identity = submit(client, epochs=40, checkpoint=rule)
        body = wait(client, identity)
    assert (body["state"], body["steps"], body["checkpoint"]) == ("succeeded", 200, {"keep": 1, **rule}), body
    running.stop()
    with contextlib.closing(sqlite3.connect(running.database)) as database:
        assert {step for step, in database.execute("SELECT step FROM checkpoint")} == steps


def test_a_full_queue(start):
    """Beyond it a job is refused, also one that would verify or fork; and taken when there is room again."""
    running = start("--workers", "1", "--max-queued", "2")
    with Client(running.url) as client:
        client.put("/v1/models/job-line", json=MODEL)
        client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}})
        done = submit(client, epochs=1)
        wait(client, done)
        long = submit(client, epochs=900000)
        wait(client, long, {"running"})
        queued = [submit(client, epochs=1) for _ in range(2)]
        for path, body in [("/v1/jobs", job(epochs=1)), (f"/v1/jobs/{done}/verify", None), (f"/v1/jobs/{done}/fork", {})]:
            answer = client.post(path, json=body)
            problem(answer, 429, "queue_full")
            assert int(answer.headers["Retry-After"]) > 0
            assert "2" in answer.json()["detail"]
        assert client.post(f"/v1/jobs/{queued[0]}/pause").status_code == 200
        third = submit(client, epochs=1)
        client.post(f"/v1/jobs/{long}/cancel")
        assert wait(client, third)["state"] == "succeeded"


def test_a_stop_keeps_what_was_trained(start):
    """A job that runs when the server is told to stop goes on from there, not from its beginning."""
    first = start()
    with Client(first.url) as client:
        client.put("/v1/models/job-line", json=MODEL)
        client.put("/v1/datasets/job-line", json={"columns": {"X": X, "y": Y}})
        identity = submit(client, epochs=60000)
        end = time.monotonic() + 20
        while client.get(f"/v1/jobs/{identity}").json()["step"] < 1000 and time.monotonic() < end:
            time.sleep(0.01)
    status, seconds = first.stop()
    assert (status, seconds < 2) == (0, True)
    second = start()
    with Client(second.url) as client:
        body = wait(client, identity)
        assert (body["state"], body["attempts"]) == ("succeeded", 2), body
        again = wait(client, submit(client, epochs=60000, from_version=1))
        assert again["digest"] == body["digest"]
        points = [client.get(f"/v1/jobs/{one}/costs").json()["points"] for one in (identity, again["id"])]
    for point in points[0] + points[1]:
        del point["time"]
    assert points[0] == points[1]
    step = int(re.search(rf"job {identity} goes on from step (\d+)", second.log())[1])
    assert step >= 1000
