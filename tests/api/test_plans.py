"""Plans in words: GET /v1/models/{m}/plan and gradd explain."""
import json
import re
import subprocess

import pytest
from conftest import GRADD, IS_URL, Client
from test_models import lesson, problem, put

JSON = {"Accept": "application/json"}


def plan(client, name, batch):
    answer = client.get(f"/v1/models/{name}/plan?batch={batch}", headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.json()


def explain(body, *options, **more):
    return subprocess.run(
        [GRADD, "explain", *options], input=body, capture_output=True, text=True, check=False, timeout=60, **more
    )


def test_words_and_json_agree(client):
    put(client, "plan", lesson())
    answer = client.get("/v1/models/plan/plan?batch=32")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["Vary"] == "Accept"
    told = plan(client, "plan", 32)
    assert (told["model"], told["batch"], told["dtype"]) == ("plan", 32, "float32")
    titles = re.findall(r"^(predict|gradient) of (\w+) at batch 32 in float32: (\d+) steps, (\d+) flops, "
                        r"arena (\d+) bytes \((\d+) without reuse\)", answer.text, re.MULTILINE)
    assert [(kind, of) for kind, of, *_ in titles] == [("predict", "l2"), ("gradient", "cost")]
    for kind, of, *numbers in titles:
        one = told[kind]
        assert one["of"] == of
        assert [len(one["steps"]), one["flops"], one["arena_bytes"], one["unshared_bytes"]] == [int(n) for n in numbers]
    assert "l1 = Linear(X, W1, b1) (32,8)" in answer.text


def test_steps(client):
    """Every node that a client named and that is needed is computed once; pieces lie inside the arena; flops add up."""
    put(client, "plan-steps", lesson())
    for kind, names in (("predict", {"l1", "s1", "l2"}), ("gradient", {"l1", "s1", "l2", "cost"})):
        one = plan(client, "plan-steps", 7)[kind]
        computed = [node["name"] for step in one["steps"] for node in step["nodes"]]
        assert names <= set(computed)
        assert sum(computed.count(name) for name in names) == len(names)
        assert sum(step["flops"] for step in one["steps"]) == one["flops"]
        scratch = sum(piece["bytes"] for step in one["steps"] for piece in step["pieces"] if piece["role"] == "scratch")
        assert one["arena_bytes"] <= 2 * one["unshared_bytes"] + scratch + 64 * 2 * len(one["steps"])
        leaves = set()
        for step in one["steps"]:
            assert step["kernel"]
            assert any(piece["role"] == "written" for piece in step["pieces"])
            assert step["bytes"] == sum(piece["bytes"] for piece in step["pieces"] if piece["role"] != "scratch")
            for piece in step["pieces"]:
                if piece["place"] == "arena":
                    assert piece["offset"] + piece["bytes"] <= one["arena_bytes"]
                if piece["place"] == "leaf":
                    leaves.add((piece["name"], piece["bytes"]))
        assert {("X", 7 * 10 * 4), ("W1", 10 * 8 * 4), ("b1", 8 * 4)} <= leaves


def test_dry_run_tells_the_arena(client):
    put(client, "plan-dry", lesson())
    for batch in (1, 32, 1000):
        told = plan(client, "plan-dry", batch)
        dry = client.post(f"/v1/models?dry_run=true&batch={batch}", json=lesson(name="dry")).json()["memory_bytes"]
        assert dry == {kind: told[kind]["arena_bytes"] for kind in ("predict", "gradient")}


def test_default_batch_is_one(client):
    put(client, "plan-one", lesson())
    answer = client.get("/v1/models/plan-one/plan")
    assert answer.text == client.get("/v1/models/plan-one/plan?batch=1").text
    tags = {client.get(f"/v1/models/plan-one/plan?batch={batch}").headers["ETag"] for batch in (1, 2)}
    assert len(tags) == 2
    again = client.get("/v1/models/plan-one/plan", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_model_without_a_cost(client):
    put(client, "plan-predict", lesson(cost=None, output="l2"))
    assert plan(client, "plan-predict", 2)["gradient"] is None
    assert "gradient: the model has no scalar cost" in client.get("/v1/models/plan-predict/plan").text


def test_mistakes(client):
    put(client, "plan-bad", lesson())
    problem(client.get("/v1/models/nobody/plan"), 404, "not_found")
    problem(client.get("/v1/models/plan-bad/plan", headers={"Accept": "image/png"}), 406, "not_acceptable")
    for batch in ("0", "-1", "1.5", "x", "", "2147483649", "99999999999999999999"):
        problem(client.get(f"/v1/models/plan-bad/plan?batch={batch}"), 422, "invalid_request")
    problem(client.get("/v1/models/plan-bad/plan?version=1"), 422, "unknown_parameter")
    document = problem(client.get("/v1/models/plan-bad/plan?batch=2147483648"), 422, "invalid_request")
    assert document["errors"][0]["code"] == "limit_exceeded"
    assert "21474836480 elements" in document["errors"][0]["detail"]


def test_a_plan_over_the_limit_names_both_sizes(start):
    with Client(start("--max-memory", "16M").url) as client:
        put(client, "plan-large", lesson())
        document = problem(client.get("/v1/models/plan-large/plan?batch=1000000"), 422, "invalid_request")
        sizes = [int(n) for n in re.findall(r"\d{4,}", document["errors"][0]["detail"])]
        assert document["errors"][0]["code"] == "limit_exceeded"
        assert sizes[0] > sizes[1] == 2 * 1024 * 1024


@pytest.mark.skipif(IS_URL, reason="GRADD is the URL of a running server")
class TestCommand:
    def test_prints_what_the_server_answers(self, client, tmp_path):
        put(client, "plan-cli", lesson())
        expected = client.get("/v1/models/plan-cli/plan?batch=32").text
        path = tmp_path / "model.json"
        path.write_text(json.dumps(lesson()))
        for options in ([str(path), "--batch", "32"], ["--batch=32", str(path)]):
            done = explain(None, *options)
            assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
        assert explain(json.dumps(lesson()), "-", "--batch", "32").stdout == expected

    @pytest.mark.parametrize("options", [[], ["a", "b"], ["a", "--batch"], ["a", "--batch", "0"], ["a", "--bach=3"],
                                         ["a", "--batch", "2", "--batch=3"]])
    def test_wrong_usage(self, options):
        done = explain("", *options)
        assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("gradd: ")

    @pytest.mark.parametrize("body", ["", "{", "[]", "{}", json.dumps(lesson(cost="nothing"))])
    def test_bad_models(self, body):
        done = explain(body, "-")
        assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith("gradd: ")

    def test_files_that_can_not_be_read(self, tmp_path):
        assert "No such file" in explain(None, str(tmp_path / "none.json")).stderr
        assert explain(None, str(tmp_path)).returncode == 1
        limited = explain(json.dumps(lesson()) + " " * 2000, "-", env={"GRADD_MAX_MODEL": "2K"})
        assert limited.returncode == 1 and "2048 bytes" in limited.stderr
