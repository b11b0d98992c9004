"""What both halves of the integration tests share: where the server is, and notes that outlive its restart."""

import json
import os
import pathlib
import time

import requests

URL = os.environ["GRADD"]
NOTES = pathlib.Path(os.environ.get("NOTES", "/notes")) / "notes.json"
DEMO = pathlib.Path(__file__).parent.parent / "demo"
DATA = pathlib.Path(__file__).parent.parent / "data"

http = requests.Session()


def call(method, path, status, **arguments):
    answer = http.request(method, URL + path, timeout=30, **arguments)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def finished(job, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        resource = call("GET", f"/v1/jobs/{job}", 200)
        if resource["state"] in ("succeeded", "failed", "cancelled"):
            return resource
        time.sleep(0.1)
    raise AssertionError(f"job {job} did not finish in {seconds} s: {resource}")


def read_json(name):
    return json.loads((DEMO / name).read_text())
