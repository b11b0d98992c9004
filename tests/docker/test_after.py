"""After the restart: everything is there again, to the bit."""

import json

from session import NOTES, call, finished, read_json


def test_everything_is_found_again():
    before = json.loads(NOTES.read_text())
    assert call("GET", "/v1/datasets/diabetes", 200) == before["dataset"]
    job = before["job"]["id"]
    assert call("GET", f"/v1/jobs/{job}", 200) == before["job"]
    assert call("GET", f"/v1/jobs/{job}/costs", 200)["points"] == before["costs"]
    assert call("POST", "/v1/models/diabetes/predict", 200, json=read_json("diabetes.row.json")) == before["predicted"]
    assert call("POST", "/v1/models/diabetes/gradient", 200, json={"inputs": before["inputs"]}) == before["gradient"]


def test_the_running_job_goes_on():
    running = json.loads(NOTES.read_text())["running"]
    assert call("GET", f"/v1/jobs/{running}", 200)["state"] in ("queued", "running")
    assert call("POST", f"/v1/jobs/{running}/cancel", 200)["state"] == "cancelled"


def test_the_same_job_gives_the_same_bits():
    before = json.loads(NOTES.read_text())["job"]
    again = finished(call("POST", "/v1/jobs", 202, json=dict(read_json("diabetes.job.json"), from_version=1))["id"])
    assert again["digest"] == before["digest"]
