"""api/openapi.yaml is true: held against the table of routes, both ways, and real answers are held against its schemas."""
import re

import pytest
import yaml
from conftest import ROOT
from jsonschema import Draft202012Validator

DOCUMENT = yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text(encoding="utf-8"))
MACROS = {"PAGED": ["limit", "after"], "FLAT": ["tensors"], "JSON": ["application/json"], "NULL": []}
MEMBER = r"(NULL|JSON|PAGED|FLAT|LIST\([^)]*\))"
ROUTE = re.compile(
    r'\{"(?P<method>[A-Z]+)", "(?P<path>[^"]+)", (?P<handle>\w+), (?P<upload>&?\w+), (?P<limit>NO_BODY|LIMIT\(\w+\)), '
    rf"(?P<types>{MEMBER}), (?P<parameters>{MEMBER}), (?P<answers>{MEMBER}), (?P<place>ON_\w+), (?P<creates>\w+)\}}"
)


def members(text):
    return MACROS[text] if text in MACROS else re.findall(r'"([^"]+)"', text)


def table():
    """The routes of api/routes.c: {(method, path): match}"""
    source = (ROOT / "api" / "routes.c").read_text(encoding="utf-8")
    body = source[source.index("const struct route routes[]") : source.index("route_count")]
    found = {(m["method"].lower(), m["path"]): m for m in ROUTE.finditer(body)}
    assert len(found) == len(re.findall(r"^    \{", body, re.MULTILINE)), "a line of the table was not understood"
    return found


ROUTES = table()
OPERATIONS = {(method, path): op for path, item in DOCUMENT["paths"].items() for method, op in item.items()}


def resolve(part):
    while "$ref" in part:
        target = DOCUMENT
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = target
    return part


def parameters_of(operation, place):
    return [p["name"] for p in map(resolve, operation.get("parameters", [])) if p["in"] == place]


def test_every_route_is_described_and_every_description_has_a_route():
    assert set(ROUTES) == set(OPERATIONS)


@pytest.mark.parametrize("method, path", sorted(ROUTES))
def test_parameters_types_and_answers_agree(method, path):
    route, operation = ROUTES[method, path], OPERATIONS[method, path]
    assert sorted(parameters_of(operation, "query")) == sorted(members(route["parameters"]))
    assert parameters_of(operation, "path") == re.findall(r"\{(\w+)\}", path)
    assert ("Idempotency-Key" in parameters_of(operation, "header")) == (route["creates"] == "true")
    assert list(operation.get("requestBody", {}).get("content", {})) == members(route["types"])
    answers = members(route["answers"]) or ["application/json"]
    assert "default" in operation["responses"]
    for status, answer in operation["responses"].items():
        if status.startswith("2") and status != "204":
            assert list(resolve(answer)["content"]) == answers


def references(part):
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_references_lead_somewhere_and_everything_is_used():
    used = set(references(DOCUMENT))
    for reference in used:
        assert resolve({"$ref": reference})
    named = {f"#/components/{kind}/{name}" for kind, all_of in DOCUMENT["components"].items() for name in all_of}
    assert named == used


def test_operation_ids_are_unique():
    identifiers = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(identifiers)) == len(identifiers)


def test_schemas_are_schemas():
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_served_documents_are_this_one(client):
    served = client.get("/openapi.json").json()
    assert served == DOCUMENT
    answer = client.get("/openapi.yaml")
    assert answer.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(answer.content) == DOCUMENT
    assert served["info"]["version"] == client.get("/").json()["version"]


# ---------------------------------------------------------------- real answers


def check(answer, method, path):
    """Holds an answer against what the document says about the operation."""
    operation = OPERATIONS[method, path]
    told = resolve(operation["responses"].get(str(answer.status_code), operation["responses"]["default"]))
    if answer.status_code < 400:
        assert str(answer.status_code) in operation["responses"], answer.text
    assert answer.headers["X-Request-Id"]
    if not answer.content:
        assert "content" not in told
        return
    kind = answer.headers["Content-Type"].split(";")[0]
    assert kind in told["content"], (answer.status_code, kind)
    if not kind.endswith("json"):
        return
    schema = {**told["content"][kind]["schema"], "components": DOCUMENT["components"]}
    errors = [f"{e.json_path}: {e.message}" for e in Draft202012Validator(schema).iter_errors(answer.json())]
    assert not errors, errors


MODEL = {
    "name": "openapi",
    "program": "X, y = Input(), Input()\nW, b = Input(), Input()\nl = Linear(X, W, b)\ncost = MSE(l, y)",
    "inputs": {"X": {"shape": ["batch", 2]}, "y": {"shape": ["batch", 1]}},
    "parameters": {"W": {"shape": [2, 1]}, "b": {"shape": [1]}},
    "cost": "cost",
}
VALUES = {"X": [[1, 2], [3, 4]], "y": [[1], [2]]}
DATA = {"columns": {"X": [[1, 2], [3, 4], [5, 6]], "y": [[1], [2], [3]]}}
JOB = {"model": "openapi", "dataset": "openapi", "optimizer": {"name": "SGD", "learning_rate": 0.01}, "epochs": 2}
MISSING = "/v1/jobs/01900000-0000-7000-8000-000000000000"


def test_answers_about_the_server(client):
    for path in ("/", "/healthz", "/readyz", "/openapi.json", "/openapi.yaml", "/problems"):
        check(client.get(path), "get", path)
    check(client.get("/problems/gone"), "get", "/problems/{code}")
    check(client.get("/problems/none"), "get", "/problems/{code}")


def test_answers_of_differentiate(client):
    path = "/v1/differentiate"
    body = {"program": "f = x^2", "inputs": {"x": 4}}
    for more in ({}, {"trace": True}, {"query": "evaluate"}, {"of": "g"}, {"wrt": "x", "dtype": "float32"}):
        check(client.post(path, json={**body, **more}), "post", path)
    check(client.post(path + "?tensors=flat", json=body), "post", path)
    check(client.post(path, json={"program": "f = Log(x)", "inputs": {"x": [0, 1]}, "cotangent": [1, 1]}), "post", path)
    check(client.post(path, data=b"{"), "post", path)


def test_answers_about_resources(client):
    """A model, a data set and a job from their making to their end."""

    def run(method, path, where, **more):
        answer = client.request(method.upper(), where, **more)
        check(answer, method, path)
        return answer

    model, dataset = "/v1/models/{m}", "/v1/datasets/{d}"
    run("post", "/v1/models", "/v1/models?dry_run=true&batch=4", json=MODEL)
    run("post", "/v1/models", "/v1/models", json={**MODEL, "cost": "none"})
    assert run("post", "/v1/models", "/v1/models", json=MODEL).status_code == 201
    run("post", "/v1/models", "/v1/models", json=MODEL)
    run("put", model, "/v1/models/openapi", json=MODEL)
    run("put", model, "/v1/models/openapi?dry_run=true&batch=4", json=MODEL)
    run("get", "/v1/models", "/v1/models")
    run("get", model, "/v1/models/openapi")
    run("get", model + "/versions", "/v1/models/openapi/versions")
    parameters = run("get", model + "/parameters", "/v1/models/openapi/parameters").json()["parameters"]
    run("put", model + "/parameters", "/v1/models/openapi/parameters", json={"parameters": parameters})
    run("get", model + "/graph", "/v1/models/openapi/graph")
    run("get", model + "/graph", "/v1/models/openapi/graph", headers={"Accept": "text/vnd.graphviz"})
    for accept in ("text/plain", "application/json"):
        run("get", model + "/plan", "/v1/models/openapi/plan?batch=3", headers={"Accept": accept})
    run("get", model + "/plan", "/v1/models/openapi/plan?batch=0")
    run("post", model + "/predict", "/v1/models/openapi/predict", json={"inputs": {"X": VALUES["X"]}})
    run("post", model + "/evaluate", "/v1/models/openapi/evaluate", json={"of": "cost", "inputs": VALUES})
    run("post", model + "/gradient", "/v1/models/openapi/gradient", json={"inputs": VALUES, "trace": True})
    assert run("put", dataset, "/v1/datasets/openapi", json=DATA).status_code == 201
    run("put", dataset, "/v1/datasets/openapi", data=b"a,b\n1,x\n2,\n", headers={"Content-Type": "text/csv"})
    run("get", "/v1/datasets", "/v1/datasets")
    run("get", dataset, "/v1/datasets/openapi")
    run("get", dataset + "/rows", "/v1/datasets/openapi/rows?limit=2")
    job = run("post", "/v1/jobs", "/v1/jobs", json=JOB).json()["id"]
    run("post", "/v1/jobs", "/v1/jobs", json={**JOB, "epochs": 0})
    for _ in range(200):
        if run("get", "/v1/jobs/{id}", f"/v1/jobs/{job}").json()["finished_at"]:
            break
    run("get", "/v1/jobs", "/v1/jobs")
    run("get", "/v1/jobs/{id}/costs", f"/v1/jobs/{job}/costs")
    run("patch", "/v1/jobs/{id}", f"/v1/jobs/{job}", json={"priority": 5})
    for action in ("cancel", "pause", "resume"):
        run("post", "/v1/jobs/{id}/" + action, f"/v1/jobs/{job}/{action}")
        run("post", "/v1/jobs/{id}/" + action, f"{MISSING}/{action}")
    for action, body in (("verify", {}), ("fork", {"json": {"epochs": 1}})):
        other = run("post", "/v1/jobs/{id}/" + action, f"/v1/jobs/{job}/{action}", **body).json()["id"]
        run("post", "/v1/jobs/{id}/" + action, f"{MISSING}/{action}", **body)
        for _ in range(200):
            if run("get", "/v1/jobs/{id}", f"/v1/jobs/{other}").json()["finished_at"]:
                break
    run("delete", "/v1/jobs/{id}", f"/v1/jobs/{job}")
    run("delete", dataset, "/v1/datasets/openapi")
    run("delete", model, "/v1/models/openapi?cascade=true")
