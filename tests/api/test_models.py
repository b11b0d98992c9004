"""Models: the three forms, what is shown of them, versions and parameters, and what is refused."""
import hashlib
import struct

import pytest

LESSON = """X, y = Input(), Input()
W1, b1 = Input(), Input()
W2, b2 = Input(), Input()

l1 = Linear(X, W1, b1)
s1 = Sigmoid(l1)
l2 = Linear(s1, W2, b2)
cost = MSE(l2, y)"""
INPUTS = {"X": {"shape": ["batch", 10]}, "y": {"shape": ["batch", 1]}}
PARAMETERS = {"W1": {"shape": [10, 8]}, "b1": {}, "W2": {}, "b2": {"init": "ones"}}


def lesson(**changes):
    body = {"program": LESSON, "inputs": INPUTS, "parameters": PARAMETERS, "cost": "cost", "seed": 7, **changes}
    return {key: value for key, value in body.items() if value is not None}


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"/problems/{code}", document
    return document


def put(client, name, body):
    answer = client.put(f"/v1/models/{name}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def test_post_and_get(client):
    answer = client.post("/v1/models", json=lesson(name="posted"))
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == "/v1/models/posted"
    body = answer.json()
    assert body["program"] == LESSON
    assert (body["cost"], body["output"], body["dtype"], body["seed"]) == ("cost", "l2", "float32", 7)
    assert (body["parameter_count"], body["version"]) == (97, 1)
    assert body["inputs"] == INPUTS
    assert body["parameters"] == {
        "W1": {"shape": [10, 8], "init": "glorot_uniform"},
        "b1": {"shape": [8], "init": "zeros"},
        "W2": {"shape": [8, 1], "init": "glorot_uniform"},
        "b2": {"shape": [1], "init": "ones"},
    }
    assert [node["name"] for node in body["nodes"]] == ["X", "y", "W1", "b1", "W2", "b2", "l1", "s1", "l2", "cost"]
    assert body["nodes"][6] == {
        "name": "l1", "op": "Linear", "inputs": ["X", "W1", "b1"], "attributes": {}, "shape": ["batch", 8]
    }
    assert body["flops_per_sample"] > 2 * 97
    assert client.get("/v1/models/posted").json() == body
    problem(client.post("/v1/models", json=lesson(name="posted")), 409, "name_taken")


def test_lesson_with_its_inputs_alone(client):
    """Where only inputs are listed the other leaves are parameters; a shape that follows from nothing is asked for."""
    document = problem(client.put("/v1/models/bare", json=lesson(parameters=None)), 422, "invalid_model")
    found = [(item["code"], item["line"], item["detail"].split("'")[1]) for item in document["errors"]]
    assert found == [("unknown_shape", 2, "W1"), ("unknown_shape", 2, "b1"), ("unknown_shape", 3, "W2")]
    body = put(client, "bare", {
        "program": ["X, y = Input(), Input()", "W, b = Input(), Input()", "p = Linear(X, W, b)", "cost = MSE(p, y)"],
        "inputs": INPUTS, "cost": "cost",
    })
    assert body["parameters"] == {
        "W": {"shape": [10, 1], "init": "glorot_uniform"}, "b": {"shape": [1], "init": "zeros"}
    }


def test_three_forms_are_one_model(client):
    program = put(client, "form-program", lesson(parameters={"W1": {"shape": [10, 8]}, "b1": {}, "W2": {}, "b2": {}}))
    layers = put(client, "form-layers", {
        "layers": [{"op": "Linear", "units": 8}, "Sigmoid", {"op": "Linear", "units": 1}],
        "input": 10, "loss": "MSE", "seed": 7,
    })
    graph = client.get("/v1/models/form-program/graph").json()
    nodes = put(client, "form-nodes", graph)
    digests = {
        client.get(f"/v1/models/{name}/versions").json()["items"][0]["digest"]
        for name in ["form-program", "form-layers", "form-nodes"]
    }
    assert len(digests) == 1
    by_name = [sorted(model["nodes"], key=lambda node: node["name"]) for model in (program, layers, nodes)]
    assert by_name[0] == by_name[1] == by_name[2]
    assert layers["layers"][1] == "Sigmoid"
    assert "program" not in nodes


def test_graph_round_trip(client):
    """Unnamed nodes get names past those taken, constants and attributes survive."""
    program = ["_1 = X * 2", "h = Concat(_1 + 3, -X, axis=1)", "t = ReduceSum(h ^ 2, axes=1)", "cost = Sum(grad(t, X))"]
    put(client, "round", {"program": program, "inputs": {"X": {"shape": ["batch", 3]}}, "cost": "cost"})
    answer = client.get("/v1/models/round/graph")
    graph = answer.json()
    assert graph["outputs"] == [graph["output"], "cost"]
    names = [node["name"] for node in graph["nodes"]]
    assert len(set(names)) == len(names) and "_1" in names and "_2" in names
    again = put(client, "round-again", graph)
    assert again["nodes"] == graph["nodes"]
    assert client.get("/v1/models/round-again/graph").json() == graph
    value = {"inputs": {"X": [[1, 2, 3], [4, 5, 6]]}, "of": ["t", "cost"]}
    first, second = (client.post(f"/v1/models/{name}/evaluate", json=value).json() for name in ["round", "round-again"])
    assert first["values"] == second["values"]


def test_graphviz(client):
    put(client, "drawn", lesson())
    answer = client.get("/v1/models/drawn/graph", headers={"Accept": "text/vnd.graphviz"})
    assert answer.headers["Content-Type"].startswith("text/vnd.graphviz")
    assert answer.headers["Vary"] == "Accept"
    assert answer.text.startswith('digraph "drawn" {') and answer.text.rstrip().endswith("}")
    assert answer.text.count(" -> ") == 9
    problem(client.get("/v1/models/drawn/graph", headers={"Accept": "image/png"}), 406, "not_acceptable")


def test_put_creates_keeps_and_replaces(client):
    first = client.put("/v1/models/put", json=lesson(name="put"))
    same = client.put("/v1/models/put", json=lesson(program=LESSON.splitlines()))
    other = client.put("/v1/models/put", json=lesson(seed=8))
    assert (first.status_code, same.status_code, other.status_code) == (201, 200, 200)
    assert same.json() == first.json()
    assert other.json()["seed"] == 8
    assert other.headers["ETag"] != first.headers["ETag"] == same.headers["ETag"]
    document = problem(client.put("/v1/models/put", json=lesson(name="others")), 422, "invalid_model")
    assert document["errors"][0]["pointer"] == "/name"


def test_dry_run_stores_nothing(client):
    small, large = (
        client.post(f"/v1/models?dry_run=true&batch={batch}", json=lesson(name="dry")).json() for batch in (1, 1000)
    )
    assert (small["version"], small["created_at"]) == (None, None)
    assert small["memory_bytes"]["predict"] < large["memory_bytes"]["predict"] < large["memory_bytes"]["gradient"]
    problem(client.get("/v1/models/dry"), 404, "not_found")
    problem(client.post("/v1/models?batch=3", json=lesson(name="dry")), 422, "invalid_request")
    problem(client.post("/v1/models?dry_run=yes", json=lesson(name="dry")), 422, "invalid_request")
    problem(client.post("/v1/models?dry_run=true&batch=0", json=lesson(name="dry")), 422, "invalid_request")


def test_dry_run_of_put(client):
    put(client, "dry-put", lesson())
    before = client.get("/v1/models/dry-put").json()
    answer = client.put("/v1/models/dry-put?dry_run=true&batch=5", json=lesson(seed=8))
    assert (answer.status_code, answer.json()["seed"], answer.json()["version"]) == (200, 8, None)
    assert answer.json()["memory_bytes"]["predict"] > 0
    assert client.get("/v1/models/dry-put").json() == before
    assert client.put("/v1/models/dry-new?dry_run=true", json=lesson()).status_code == 200
    problem(client.get("/v1/models/dry-new"), 404, "not_found")
    problem(client.put("/v1/models/dry-put?dry_run=true", json=lesson(name="others")), 422, "invalid_model")
    problem(client.put("/v1/models/dry-put?batch=5", json=lesson()), 422, "invalid_request")


def test_idempotency_key(client):
    key = {"Idempotency-Key": "model-key-1"}
    first = client.post("/v1/models", json=lesson(name="keyed"), headers=key)
    again = client.post("/v1/models", json=lesson(name="keyed"), headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    problem(client.post("/v1/models", json=lesson(name="keyed2"), headers=key), 422, "key_reused")
    assert client.delete("/v1/models/keyed").status_code == 204
    problem(client.post("/v1/models", json=lesson(name="keyed"), headers=key), 410, "gone")
    bad = client.post("/v1/models", json=lesson(name="k"), headers={"Idempotency-Key": "a b"})
    problem(bad, 422, "invalid_request")


def test_parameters_and_versions(client):
    put(client, "versions", lesson(dtype="float64"))
    initial = client.get("/v1/models/versions/parameters").json()
    assert (initial["model"], initial["version"]) == ("versions", 1)
    assert list(initial["parameters"]) == ["W1", "b1", "W2", "b2"]
    changed = dict(initial["parameters"], b2=[0.1])
    answer = client.put("/v1/models/versions/parameters", json={"parameters": changed})
    assert answer.status_code == 201, answer.text
    assert answer.json()["version"] == 2
    assert answer.headers["Location"] == "/v1/models/versions/parameters?version=2"
    assert client.get("/v1/models/versions/parameters").json()["parameters"] == changed
    assert client.get(answer.headers["Location"]).json()["parameters"] == changed
    assert client.get("/v1/models/versions/parameters?version=1").json() == initial
    assert client.get("/v1/models/versions").json()["version"] == 2
    versions = client.get("/v1/models/versions/versions").json()["items"]
    assert [version["version"] for version in versions] == [1, 2]
    assert versions[1]["digest"] == answer.json()["digest"] != versions[0]["digest"]
    assert versions[1]["job"] is None and versions[1]["cost"] is None
    page = client.get("/v1/models/versions/versions?limit=1")
    assert (page.json()["items"], page.json()["next"]) == (versions[:1], "1")
    assert client.get(page.links["next"]["url"]).json() == {"items": versions[1:], "next": None}
    problem(client.get("/v1/models/versions/versions?after=x"), 422, "invalid_request")
    problem(client.get("/v1/models/versions/parameters?version=3"), 422, "unknown_version")


def numbers(value):
    return [leaf for part in value for leaf in numbers(part)] if isinstance(value, list) else [value]


def test_digest_is_of_the_parameters(client):
    put(client, "digest", lesson())
    parameters = client.get("/v1/models/digest/parameters").json()["parameters"]
    flat = [number for name in ["W1", "b1", "W2", "b2"] for number in numbers(parameters[name])]
    expected = hashlib.sha256(struct.pack(f"<{len(flat)}f", *flat)).hexdigest()
    assert client.get("/v1/models/digest/versions").json()["items"][0]["digest"] == expected


def test_flat_tensors(client):
    put(client, "flat", lesson(parameters={**PARAMETERS, "b1": {"init": {"value": [1, 2, 3, 4, 5, 6, 7, 8]}}}))
    body = client.get("/v1/models/flat?tensors=flat").json()
    assert body["parameters"]["b1"]["init"] == {"value": {"shape": [8], "data": [1, 2, 3, 4, 5, 6, 7, 8]}}
    parameters = client.get("/v1/models/flat/parameters?tensors=flat").json()["parameters"]
    assert parameters["W2"]["shape"] == [8, 1]
    assert client.put("/v1/models/flat/parameters", json={"parameters": parameters}).status_code == 201


def test_bad_parameters(client):
    put(client, "strict", lesson())
    good = client.get("/v1/models/strict/parameters").json()["parameters"]
    document = problem(
        client.put("/v1/models/strict/parameters", json={"parameters": {"W1": [[1]], "b1": good["b1"], "w2": 1}}),
        422, "invalid_request",
    )
    assert sorted((item["code"], item["pointer"]) for item in document["errors"]) == [
        ("missing_field", "/parameters/W2"), ("missing_field", "/parameters/b2"),
        ("shape_mismatch", "/parameters/W1"), ("unknown_name", "/parameters/w2"),
    ]
    assert client.get("/v1/models/strict").json()["version"] == 1


def test_list_and_delete(client):
    for name in ["list-a", "list-b", "list-c"]:
        put(client, name, lesson())
    page = client.get("/v1/models?limit=2&after=list-").json()
    assert [item["name"] for item in page["items"]] == ["list-a", "list-b"]
    assert page["next"] == "list-b"
    answer = client.delete("/v1/models/list-b")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(client.delete("/v1/models/list-b"), 404, "not_found")
    for path in ["", "/versions", "/parameters", "/graph"]:
        problem(client.get("/v1/models/list-b" + path), 404, "not_found")


def test_etag(client):
    put(client, "etag", lesson())
    for path in ["/v1/models/etag", "/v1/models/etag/graph", "/v1/models/etag/parameters"]:
        answer = client.get(path)
        again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b""), path


BAD_MODELS = {
    "misspelt op": (lesson(program=LESSON.replace("Sigmoid", "Sigmod")), "unknown_op", "/program"),
    "misspelt name": (lesson(program=LESSON.replace("Linear(s1", "Linear(s2")), "unknown_name", "/program"),
    "shapes": (lesson(parameters={**PARAMETERS, "W2": {"shape": [9, 1]}}), "shape_mismatch", "/program"),
    "no program": (lesson(program=None), "missing_field", ""),
    "two programs": (lesson(layers=["Sigmoid"]), "conflicting_fields", "/layers"),
    "unknown field": (lesson(dtpye="float32"), "unknown_field", "/dtpye"),
    "unknown dtype": (lesson(dtype="float16"), "invalid_value", "/dtype"),
    "unknown cost": (lesson(cost="loss"), "unknown_name", "/cost"),
    "cost that is no number": (lesson(cost="l2"), "shape_mismatch", "/cost"),
    "seed": (lesson(seed=1.5), "wrong_type", "/seed"),
    "initializer": (lesson(parameters={**PARAMETERS, "b1": {"init": "zero"}}), "invalid_value", "/parameters/b1/init"),
    "value's shape": (
        lesson(parameters={**PARAMETERS, "b1": {"init": {"value": [1, 2]}}}), "shape_mismatch", None),
    "batch in a parameter": (
        lesson(parameters={**PARAMETERS, "b1": {"shape": ["batch"]}}), "invalid_value", "/parameters/b1/shape"),
    "unknown shape": (
        {"program": "cost = Sum(a * b)", "inputs": {"a": {}}, "parameters": {"b": {}}}, "unknown_shape", None),
    "not an object": ([1], "wrong_type", ""),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_models(client, case):
    body, code, pointer = BAD_MODELS[case]
    document = problem(client.put("/v1/models/bad", json=body), 422, "invalid_model")
    found = [(item["code"], item.get("pointer")) for item in document["errors"]]
    assert any(c == code and pointer in (None, p) for c, p in found), document
    assert all(item["detail"] for item in document["errors"])
    problem(client.get("/v1/models/bad"), 404, "not_found")


def test_all_errors_at_once(client):
    body = lesson(program=LESSON.replace("Sigmoid", "Sigmod").replace("MSE(l2, y)", "MSE(l2, z)"), seed=-1)
    document = problem(client.post("/v1/models", json=body), 422, "invalid_model")
    codes = {item["code"] for item in document["errors"]}
    assert {"missing_field", "unknown_op", "unknown_name", "out_of_range"} <= codes
    item = next(item for item in document["errors"] if item["code"] == "unknown_op")
    assert (item["line"], item["column"]) == (6, 6)
    assert "Sigmoid" in item["detail"]


def test_hostile_programs(client):
    for program in ["f = " + "(" * 10000 + "x" + ")" * 10000, "x+" * 500000, "[" * 5000, "\n" * 1048577, "f = x\0"]:
        body = {"program": program, "inputs": {"x": {"shape": []}}}
        assert client.put("/v1/models/hostile", json=body).status_code in (400, 422), program[:20]
    problem(client.get("/v1/models/hostile"), 404, "not_found")


def test_gradient_that_would_explode(client):
    """Each Grad of a product doubles what follows: refused, not computed for hours."""
    lines = ["g0 = x ^ 40 * Sin(x) * Exp(x)"] + [f"g{i} = grad(g{i - 1} * Sin(g{i - 1}), x)" for i in range(1, 40)]
    body = {"program": lines, "inputs": {"x": {"shape": []}}, "cost": "g39"}
    answer = client.put("/v1/models/explode", json=body, timeout=120)
    assert answer.status_code == 422, answer.text[:500]
    problem(client.get("/v1/models/explode"), 404, "not_found")
