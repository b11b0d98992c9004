"""Queries of a model on rows of a data set, through the transforms of a version."""
import numpy
import pytest
from conftest import Client

ROWS = 40
DATA = numpy.array([[((i * 7) % 11) / 3 - 1, ((i * 5) % 13) / 2, ((i * 3) % 17) / 5] for i in range(ROWS)])
KINDS = ["red", "green", "blue"]
MODEL = {
    "program": "h = Tanh(Linear(X, W)); p = Linear(h, V) + K @ U; cost = MSE(p, y)", "cost": "cost", "output": "p",
    "inputs": {"X": {"shape": ["batch", 2]}, "K": {"shape": ["batch", 3]}, "y": {"shape": ["batch", 1]}},
    "parameters": {"W": {"shape": [2, 3]}, "V": {"shape": [3, 1]}, "U": {"shape": [3, 1]}}, "dtype": "float64", "seed": 3,
}
BIND = {"X": {"columns": ["a", "b"], "transform": "standardize"}, "K": {"columns": ["kind"], "transform": "one_hot"},
        "y": {"columns": ["t"], "transform": "minmax"}}


def table(rows=DATA, kinds=KINDS, header="a,b,kind,t"):
    return header + "\n" + "".join(
        f"{float(a)!r},{float(b)!r},{kinds[i % len(kinds)]},{float(t)!r}\n" for i, (a, b, t) in enumerate(rows))


def put_table(client, name, text):
    answer = client.put(f"/v1/datasets/{name}", data=text, headers={"Content-Type": "text/csv"})
    assert answer.status_code in (200, 201), answer.text


@pytest.fixture(scope="module")
def trained(server):
    with Client(server.url) as client:
        return train(client)


def train(client):
    assert client.put("/v1/models/of-rows", json={"name": "of-rows", **MODEL}).status_code in (200, 201)
    put_table(client, "of-rows", table())
    job = client.post("/v1/jobs", json={"model": "of-rows", "dataset": "of-rows", "bind": BIND, "epochs": 3,
                                        "optimizer": {"name": "SGD", "learning_rate": 0.1}}).json()
    while job["state"] not in ("succeeded", "failed"):
        job = client.get(f"/v1/jobs/{job['id']}", params={"wait": 5}).json()
    assert job["state"] == "succeeded", job
    return "/v1/models/of-rows"


def inputs(first=0, end=ROWS):
    """What the transforms make of the rows, by NumPy."""
    x = (DATA[:, :2] - DATA[:, :2].mean(0)) / DATA[:, :2].std(0)
    t = DATA[:, 2:]
    y = (t - t.min()) / (t.max() - t.min())
    k = numpy.array([[float(sorted(KINDS)[j] == KINDS[i % 3]) for j in range(3)] for i in range(ROWS)])
    return {"X": x[first:end].tolist(), "K": k[first:end].tolist(), "y": y[first:end].tolist()}


@pytest.mark.parametrize("kind, body, keys", [
    ("evaluate", {"of": ["p", "cost"]}, ["values"]),
    ("gradient", {}, ["value", "gradients"]),
    ("gradient", {"wrt": ["X", "W"], "of": "cost"}, ["value", "gradients"]),
    ("gradient", {"per_sample": True, "wrt": "V"}, ["value", "gradients"]),
    ("jacobian", {"wrt": "V"}, ["value", "jacobians"]),
    ("jvp", {"of": "cost", "tangents": {"V": [[1], [2], [3]]}}, ["value", "tangent"]),
    ("hvp", {"vector": {"V": [[1], [2], [3]]}, "wrt": ["V", "W"]}, ["value", "gradients", "products"]),
    ("hessian", {"wrt": "V"}, ["value", "gradients", "hessians"]),
    ("predict", {"outputs": "p"}, ["outputs"]),
])
@pytest.mark.parametrize("first, end", [(0, ROWS), (3, 9), (39, 40)])
def test_rows_are_what_training_saw(client, trained, kind, body, keys, first, end):
    found = client.post(f"{trained}/{kind}", json={**body, "dataset": "of-rows", "row_range": [first, end]})
    told = client.post(f"{trained}/{kind}", json={**body, "inputs": inputs(first, end)})
    assert found.status_code == told.status_code == 200, (found.text, told.text)
    for key in keys:
        a, b = found.json()[key], told.json()[key]
        if not isinstance(a, dict):
            a, b = {"": a}, {"": b}
        assert sorted(a) == sorted(b)
        for name in a:
            x, y = (v[name]["V"] if kind == "hessian" and key == "hessians" else v[name] for v in (a, b))
            numpy.testing.assert_allclose(numpy.array(x), numpy.array(y), rtol=1e-9, atol=1e-12)


def test_all_rows_without_a_range(client, trained):
    whole = client.post(f"{trained}/evaluate", json={"dataset": "of-rows"}).json()
    assert whole == client.post(f"{trained}/evaluate", json={"dataset": "of-rows", "row_range": [0, ROWS]}).json()
    assert numpy.array(whole["values"]["p"]).shape == (ROWS, 1)


def test_a_check_on_rows(client, trained):
    answer = client.post(f"{trained}/check", json={"dataset": "of-rows", "row_range": [0, 4], "wrt": "V"}).json()
    assert answer["ok"] is True


def test_the_dtype_of_the_query(client, trained):
    answer = client.post(f"{trained}/evaluate", json={"dataset": "of-rows", "dtype": "float32"}).json()
    exact = client.post(f"{trained}/evaluate", json={"dataset": "of-rows"}).json()
    error = numpy.abs(numpy.array(answer["values"]["p"]) - numpy.array(exact["values"]["p"])).max()
    assert 0 < error < 1e-5


def test_predictions_in_the_units_of_the_data(client, trained):
    answer = client.post(f"{trained}/predict", json={"dataset": "of-rows", "row_range": [0, 2]}).json()
    rows = [{"a": DATA[i][0], "b": DATA[i][1], "kind": KINDS[i]} for i in range(2)]
    assert answer == client.post(f"{trained}/predict", json={"rows": rows}).json()


def test_columns_that_are_not_needed_may_be_missing(client, trained, problem):
    put_table(client, "no-target", "".join(",".join(line.split(",")[:3]) + "\n" for line in table().splitlines()))
    answer = client.post(f"{trained}/evaluate", json={"dataset": "no-target", "row_range": [0, 5]})
    assert answer.json() == client.post(f"{trained}/evaluate", json={"dataset": "of-rows", "row_range": [0, 5]}).json()
    errors = problem(client.post(f"{trained}/gradient", json={"dataset": "no-target"}), 422, "invalid_query")["errors"]
    assert [(e["code"], e["pointer"]) for e in errors] == [("unknown_column", "/dataset")]


@pytest.mark.parametrize("body, errors", [
    ({"dataset": "none"}, [("unknown_dataset", "/dataset")]),
    ({"dataset": "of-rows", "row_range": [0, 41]}, [("out_of_range", "/row_range")]),
    ({"dataset": "of-rows", "row_range": [3, 3]}, [("out_of_range", "/row_range")]),
    ({"dataset": "of-rows", "row_range": [-1, 3]}, [("out_of_range", "/row_range/0")]),
    ({"dataset": "of-rows", "row_range": [0, 2.5]}, [("wrong_type", "/row_range/1")]),
    ({"dataset": "of-rows", "row_range": 3}, [("wrong_type", "/row_range")]),
    ({"dataset": "of-rows", "row_range": [1]}, [("wrong_type", "/row_range")]),
    ({"row_range": [0, 2], "inputs": {}}, [("missing_field", "/row_range")]),
    ({"dataset": "of-rows", "inputs": {}}, [("conflicting_fields", "/dataset")]),
    ({"dataset": "../x"}, [("invalid_name", "/dataset")]),
    ({"dataset": 3}, [("wrong_type", "/dataset")]),
])
def test_mistakes(client, trained, problem, body, errors):
    found = problem(client.post(f"{trained}/evaluate", json=body), 422, "invalid_query")["errors"]
    assert [(e["code"], e["pointer"]) for e in found] == errors


def test_labels_that_training_did_not_know(client, trained, problem):
    put_table(client, "other-kinds", table(kinds=["red", "yellow"]))
    found = problem(client.post(f"{trained}/evaluate", json={"dataset": "other-kinds"}), 422, "invalid_query")["errors"]
    assert [(e["code"], e["pointer"]) for e in found] == [("unknown_category", "/dataset")]
    assert "yellow" in found[0]["detail"]


def test_a_version_without_transforms_takes_no_rows(client, trained, problem):
    answer = client.post(f"{trained}/evaluate", json={"dataset": "of-rows", "version": 1})
    assert "has no transforms" in problem(answer, 422, "invalid_query")["detail"]


def test_more_rows_than_a_query_may_take(start):
    with Client(start("--max-memory", "16M").url) as client:
        path = train(client)
        put_table(client, "of-rows-long", table(numpy.tile(DATA, (2000, 1))))
        answer = client.post(f"{path}/evaluate", json={"dataset": "of-rows-long"})
        assert answer.status_code == 422, answer.text
        found = answer.json()["errors"]
        assert [(e["code"], e["pointer"]) for e in found] == [("limit_exceeded", "/row_range")]
        assert "the values of 80000 rows take 3840000 bytes; the limit is 2097152" == found[0]["detail"]
        assert client.post(f"{path}/evaluate", json={"dataset": "of-rows-long", "row_range": [5, 9]}).status_code == 200
