"""Before the restart: upload, train, poll, predict, gradient."""

import json

from session import DATA, NOTES, call, finished, read_json


def test_main_job():
    with open(DATA / "diabetes.csv", "rb") as rows:
        dataset = call("PUT", "/v1/datasets/diabetes", 201, data=rows, headers={"Content-Type": "text/csv"})
    assert dataset["rows"] == 442
    model = call("POST", "/v1/models", 201, json=read_json("diabetes.model.json"))
    assert model["parameter_count"] == 10 * 8 + 8 + 8 + 1

    job = call("POST", "/v1/jobs", 202, json=read_json("diabetes.job.json"))
    done = finished(job["id"])
    assert done["state"] == "succeeded", done
    costs = call("GET", f"/v1/jobs/{job['id']}/costs", 200)["points"]
    assert len(costs) == 200
    assert costs[-1]["cost"] < 0.6 * costs[0]["cost"]

    predicted = call("POST", "/v1/models/diabetes/predict", 200, json=read_json("diabetes.row.json"))
    assert 50 < predicted["predictions"][0]["progression"] < 350
    inputs = {"X": [[0.5] * 10], "y": [[1]]}
    gradient = call("POST", "/v1/models/diabetes/gradient", 200, json={"inputs": inputs})
    assert set(gradient["gradients"]) == {"W1", "b1", "W2", "b2"}

    # A job that is running when the server goes away.
    long = dict(read_json("diabetes.job.json"), epochs=900000, batch_size=1)
    running = call("POST", "/v1/jobs", 202, json=long)
    NOTES.write_text(
        json.dumps(
            {
                "dataset": dataset,
                "job": done,
                "costs": costs,
                "predicted": predicted,
                "inputs": inputs,
                "gradient": gradient,
                "running": running["id"],
            }
        )
    )
