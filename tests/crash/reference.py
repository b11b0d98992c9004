"""The uninterrupted run: what each kind of job comes to on a server that nobody kills."""
import datetime
import time

from kinds import BY_TIME, DATASETS, MODELS, TIMED, bodies

FINISHED = {"succeeded", "failed", "cancelled"}
SECONDS = 120
PROBE_SECONDS = 0.1
# What an attempt can't change, of the fields of a job.
SAME_FIELDS = ["state", "epoch", "step", "steps", "cost", "best_cost", "validation_cost", "scores", "stopped", "digest", "error",
               "memory_bytes"]


def put_resources(client):
    """Answers {path: body}."""
    told = {}
    for name, model in MODELS.items():
        answer = client.put(f"/v1/models/{name}", json=model)
        assert answer.status_code == 201, answer.text
        told[f"/v1/models/{name}"] = answer.json()
    for name, columns in DATASETS.items():
        answer = client.put(f"/v1/datasets/{name}", json={"columns": columns})
        assert answer.status_code == 201, answer.text
        told[f"/v1/datasets/{name}"] = answer.json()
    return told


def wait(client, identity, seconds=SECONDS):
    """The job, once it is finished."""
    end = time.monotonic() + seconds
    while True:
        body = client.get(f"/v1/jobs/{identity}", params={"wait": 5}).json()
        if body["state"] in FINISHED:
            return body
        assert time.monotonic() < end, f"a job is not finished after {seconds} s: {body}"
        time.sleep(0.02)


def submit(client, body):
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def points_of(client, identity, after=0):
    answer = client.get(f"/v1/jobs/{identity}/costs", params={"after": after})
    assert answer.status_code == 200, answer.text
    return answer.json()["points"]


def without_time(points):
    return [{name: value for name, value in point.items() if name != "time"} for point in points]


def items_of(client, path):
    """Every item of a list, page by page."""
    items, after = [], {}
    while True:
        answer = client.get(path, params={"limit": 1000, **after})
        assert answer.status_code == 200, (path, answer.text)
        items += answer.json()["items"]
        if answer.json()["next"] is None:
            return items
        after = {"after": answer.json()["next"]}


def versions_of(client, model, job):
    """{version: (digest, epoch, step, cost)} of those that the job made."""
    made = [v for v in items_of(client, f"/v1/models/{model}/versions") if v["job"] == job]
    return {v["version"]: (v["digest"], v["epoch"], v["step"], v["cost"]) for v in made}


def outcome(client, body):
    """What two trainings of one kind must have in common, to the bit."""
    made = versions_of(client, body["model"], body["id"])
    return {
        **{name: body[name] for name in SAME_FIELDS if name in body},
        "version": made.get(body["version"]), "best_version": made.get(body["best_version"]), "versions": len(made),
        "points": without_time(points_of(client, body["id"])),
    }


def seconds_of(body):
    """How long a finished job trained."""
    start, end = (datetime.datetime.fromisoformat(body[name].rstrip("Z")) for name in ["started_at", "finished_at"])
    return max((end - start).total_seconds(), 0.001)


def measured_epochs(client):
    """{kind: epochs that take about its seconds here}"""
    epochs = {}
    for name, (seconds, body) in TIMED.items():
        count = 4
        took = seconds_of(wait(client, submit(client, {**body, "epochs": count})))
        while took < PROBE_SECONDS:
            count = int(count * min(10, 1.5 * PROBE_SECONDS / took)) + 1
            took = seconds_of(wait(client, submit(client, {**body, "epochs": count})))
        epochs[name] = max(4, int(count * seconds / took))
    return epochs


def run(client):
    """({kind: body}, {kind: outcome})"""
    put_resources(client)
    kinds = bodies(measured_epochs(client))
    jobs = {name: submit(client, kinds[name]) for name in sorted(kinds, key=lambda name: name != BY_TIME)}
    return kinds, {name: outcome(client, wait(client, identity)) for name, identity in jobs.items()}
