"""api/examples are replayed in order, as one session of a client, on a server of their own.

An example is {"what", "method", "path", "headers", "body", "status", "answer"}; `{job}` in a path is the id of the last
job; `until` says what the answer is waited for. In an answer "..." stands for any value: for what differs between runs.
GRADD_WRITE_EXAMPLES=1 writes the answers anew.
"""
import json
import os
import time

import pytest
from conftest import ROOT, Client

FOLDER = ROOT / "api" / "examples"
NAMES = sorted(path.name for path in FOLDER.glob("*.json"))
VARIES = {
    "id", "created_at", "started_at", "finished_at", "time", "job", "samples_per_second", "eta_seconds", "memory_bytes",
    "flops_per_sample", "etag", "verifies",
}  # fmt: skip
SECONDS = 20


@pytest.fixture
def session(start):
    with Client(start().url) as client:
        yield client


def send(session, example, job):
    body = example.get("body")
    data = body if isinstance(body, str) or body is None else json.dumps(body)
    path = example["path"].replace("{job}", job or "")
    deadline = time.monotonic() + SECONDS
    while True:
        answer = session.request(example["method"], path, data=data, headers=example.get("headers"))
        told = answer.json() if answer.content else None
        if all(told.get(name) == value for name, value in example.get("until", {}).items()):
            return answer.status_code, told
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def blank(value):
    """What varies, as "...": times, ids, speeds."""
    if isinstance(value, list):
        return [blank(item) for item in value]
    if isinstance(value, dict):
        return {
            name: "..." if name in VARIES and item is not None else blank(item) for name, item in value.items()
        }
    return value


def laid_out(value, indent=0, key=""):
    """JSON text: what fits into a line stands on one."""
    line = json.dumps(value)
    inside = " " * (indent + 2)
    if indent and len(line) + len(key) + indent <= 110 or not isinstance(value, (dict, list)) or not value:
        return line
    if isinstance(value, list):
        parts = [inside + laid_out(item, indent + 2) for item in value]
        return "[\n" + ",\n".join(parts) + "\n" + " " * indent + "]"
    parts = [f"{inside}{json.dumps(name)}: {laid_out(item, indent + 2, name)}" for name, item in value.items()]
    return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"


def matches(expected, actual):
    if expected == "...":
        return True
    if isinstance(expected, dict) and isinstance(actual, dict):
        return list(expected) == list(actual) and all(matches(expected[name], actual[name]) for name in expected)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(matches, expected, actual))
    return type(expected) is type(actual) and expected == actual


def test_examples(session):
    job = None
    assert NAMES
    for name in NAMES:
        example = json.loads((FOLDER / name).read_text())
        status, told = send(session, example, job)
        if os.environ.get("GRADD_WRITE_EXAMPLES"):
            example["answer"] = blank(told)
            (FOLDER / name).write_text(laid_out(example) + "\n")
        assert status == example["status"], (name, told)
        assert matches(example["answer"], told), f"{name}: {json.dumps(told, indent=2)}"
        if name.endswith("_job.json"):
            job = told["id"]


def test_an_answer_that_differs_is_seen():
    assert matches({"a": [1, "..."]}, {"a": [1, 2]})
    for actual in ({"a": [1]}, {"a": [2, 2]}, {"b": [1, 2]}, {"a": [1, 2], "b": 3}, {"a": [1.0, 2]}, [1, 2]):
        assert not matches({"a": [1, "..."]}, actual)
