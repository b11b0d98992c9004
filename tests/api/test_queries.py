"""Predict, evaluate and gradient on a model and its versions."""
import concurrent.futures
import math
import random
import time

import pytest
from conftest import Client

NET = {
    "program": [
        "l1 = Linear(X, W1, b1)",
        "s1 = Sigmoid(l1)",
        "l2 = Linear(s1, W2, b2)",
        "cost = MSE(l2, y)",
    ],
    "inputs": {"X": {"shape": ["batch", 3]}, "y": {"shape": ["batch", 1]}},
    "parameters": {
        "W1": {"init": {"value": [[0.5, -0.25], [1, 2], [-1, 0.125]]}},
        "b1": {"init": {"value": [0.5, -0.5]}},
        "W2": {"init": {"value": [[2], [-3]]}},
        "b2": {"init": {"value": [0.25]}},
    },
    "cost": "cost",
    "dtype": "float64",
}


@pytest.fixture
def make(client):
    """make(name, spec): stores a model, deleted after the test."""
    made = []

    def run(name, spec):
        made.append(name)
        answer = client.put(f"/v1/models/{name}", json=spec)
        assert answer.status_code == 201, answer.text

    yield run
    for name in made:
        client.delete(f"/v1/models/{name}?cascade=true")


@pytest.fixture
def ask(client):
    """ask(model, query, ...): the answer, which must be 200."""

    def run(model, query, parameters="", **body):
        answer = client.post(f"/v1/models/{model}/{query}{parameters}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return run


@pytest.fixture
def refuse(client, problem):
    def run(model, query, **body):
        return problem(client.post(f"/v1/models/{model}/{query}", json=body), 422, "invalid_query")["errors"]

    return run


def output_by_hand(row):
    value = NET["parameters"]
    hidden = [
        sum(x * w[j] for x, w in zip(row, value["W1"]["init"]["value"])) + value["b1"]["init"]["value"][j]
        for j in range(2)
    ]
    s1 = [1 / (1 + math.exp(-h)) for h in hidden]
    return 2 * s1[0] - 3 * s1[1] + 0.25


def rows_of(count, seed=1):
    generator = random.Random(seed)
    return [[generator.uniform(-2, 2) for _ in range(3)] for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 17, 33, 100, 1000])
def test_predict_at_every_batch(make, ask, count):
    make("net", NET)
    rows = rows_of(count)
    answer = ask("net", "predict", inputs={"X": rows})
    assert list(answer) == ["model", "version", "outputs"]
    assert answer["model"] == "net" and answer["version"] == 1
    told = [row[0] for row in answer["outputs"]["l2"]]
    assert told == pytest.approx([output_by_hand(row) for row in rows], rel=1e-13)


def test_a_row_does_not_depend_on_its_batch(make, ask):
    make("net", NET)
    rows = rows_of(40)
    together = ask("net", "predict", inputs={"X": rows})["outputs"]["l2"]
    for i in (0, 1, 15, 16, 39):
        assert ask("net", "predict", inputs={"X": [rows[i]]})["outputs"]["l2"] == [together[i]]


def test_no_rows(make, ask):
    make("net", NET)
    answer = ask("net", "predict", inputs={"X": {"shape": [0, 3], "data": []}})
    assert answer["outputs"] == {"l2": []}


def test_evaluate(make, ask):
    make("net", NET)
    answer = ask("net", "evaluate", inputs={"X": [[1, 2, 3]]})
    assert answer == {"model": "net", "version": 1, "values": {"l2": answer["values"]["l2"]}}
    answer = ask("net", "evaluate", inputs={"X": [[1, 2, 3]], "y": [[0]]}, of=["cost", "s1", "b1", "X"])
    assert list(answer["values"]) == ["cost", "s1", "b1", "X"]
    assert answer["values"]["b1"] == [0.5, -0.5] and answer["values"]["X"] == [[1, 2, 3]]
    assert ask("net", "evaluate", of="W2")["values"] == {"W2": [[2], [-3]]}
    assert ask("net", "predict", inputs={"X": [[1, 2, 3]]}, outputs=["s1"])["outputs"] == {
        "s1": answer["values"]["s1"]
    }


def test_gradient_of_the_cost(make, ask):
    make("net", NET)
    rows, targets, step = rows_of(5), [[0.5], [1], [-1], [0], [2]], 1e-6
    answer = ask("net", "gradient", inputs={"X": rows, "y": targets})
    assert list(answer) == ["model", "version", "of", "value", "gradients"]
    assert list(answer["gradients"]) == ["W1", "b1", "W2", "b2"]
    errors = [output_by_hand(row) - target[0] for row, target in zip(rows, targets)]
    assert answer["value"] == pytest.approx(sum(e * e for e in errors) / 5, rel=1e-13)
    assert answer["gradients"]["b2"] == pytest.approx([2 * sum(errors) / 5], rel=1e-13)
    by_input = ask("net", "gradient", inputs={"X": rows, "y": targets}, wrt=["X", "y"])["gradients"]
    assert by_input["y"][2][0] == pytest.approx(-2 * errors[2] / 5, rel=1e-13)
    costs = []
    for sign in (1, -1):
        moved = [list(row) for row in rows]
        moved[3][1] += sign * step
        costs.append(ask("net", "evaluate", of="cost", inputs={"X": moved, "y": targets})["values"]["cost"])
    assert by_input["X"][3][1] == pytest.approx((costs[0] - costs[1]) / (2 * step), rel=1e-6)


def test_gradient_of_and_by_inner_nodes(make, ask):
    make("net", NET)
    answer = ask("net", "gradient", inputs={"X": [[1, 0, 1]]}, of="l2", wrt=["s1", "l2", "y", "b1"])
    assert answer["gradients"]["s1"] == [[2, -3]]
    assert answer["gradients"]["l2"] == [[1]]
    assert answer["gradients"]["y"] == [[0]]
    assert answer["independent"] == ["y"]


def test_a_cotangent(make, ask, refuse):
    make("net", NET)
    rows = rows_of(2)
    answer = ask("net", "gradient", inputs={"X": rows}, of="l2", wrt="b2", cotangent=[[1], [10]])
    assert answer["gradients"] == {"b2": [11]}
    (error,) = refuse("net", "gradient", inputs={"X": rows}, of="l2", wrt="b2")
    assert error["code"] == "missing_cotangent"
    (error,) = refuse("net", "gradient", inputs={"X": rows}, of="l2", wrt="b2", cotangent=[1, 10])
    assert error["code"] == "shape_mismatch" and error["expected"] == [2, 1] and error["actual"] == [2]


def test_a_trace(make, ask):
    make("net", NET)
    answer = ask("net", "gradient", inputs={"X": [[1, 2, 3]], "y": [[1]]}, trace=True)
    assert {node["name"] for node in answer["nodes"]} == {"X", "y", "W1", "b1", "W2", "b2", "l1", "s1", "l2", "cost"}
    assert answer["backward"][0] == "cost"


def test_flat_tensors(make, ask):
    make("net", NET)
    answer = ask("net", "gradient", "?tensors=flat", inputs={"X": [[1, 2, 3]], "y": [[1]]}, wrt="W1")
    assert answer["gradients"]["W1"]["shape"] == [3, 2] and len(answer["gradients"]["W1"]["data"]) == 6


def test_float32(make, ask):
    make("net32", {**NET, "dtype": "float32"})
    rows = rows_of(8)
    told = [row[0] for row in ask("net32", "predict", inputs={"X": rows})["outputs"]["l2"]]
    assert told == pytest.approx([output_by_hand(row) for row in rows], rel=1e-5, abs=1e-6)


def test_mistakes_are_told_at_once(make, refuse):
    make("net", NET)
    errors = refuse("net", "gradient", inputs={"X": [[1, 2]], "z": 1, "W1": 1, "l1": 1}, of="cots", wrt=["W1", "W11"])
    told = {error["pointer"]: error for error in errors}
    assert set(told) == {"/of", "/wrt/1", "/inputs/X", "/inputs/z", "/inputs/W1", "/inputs/l1"}
    assert "did you mean 'cost'?" in told["/of"]["detail"]
    assert told["/inputs/X"]["expected"] == ["batch", 3] and told["/inputs/X"]["actual"] == [1, 2]


def test_batches_that_do_not_agree(make, refuse):
    make("net", NET)
    (error,) = refuse("net", "gradient", inputs={"X": rows_of(3), "y": [[1], [2]]})
    assert error["pointer"] == "/inputs/y" and error["expected"] == [3, 1] and error["actual"] == [2, 1]


def test_missing_inputs(make, refuse):
    make("net", NET)
    errors = refuse("net", "gradient")
    assert [error["code"] for error in errors] == ["missing_input", "missing_input"]
    (error,) = refuse("net", "predict")
    assert "'X'" in error["detail"] and error["pointer"] == "/inputs"


def test_a_model_without_cost(make, refuse, ask):
    make("plain", {"program": "f = x * w", "inputs": {"x": {"shape": ["batch"]}}, "parameters": {"w": {"shape": []}}})
    (error,) = refuse("plain", "gradient", inputs={"x": [1]})
    assert error["code"] == "no_cost" and error["pointer"] == "/of"
    assert ask("plain", "gradient", inputs={"x": [3]}, of="f")["gradients"] == {"w": 3}


def test_no_such_model(client, problem):
    for query in ("predict", "evaluate", "gradient"):
        problem(client.post(f"/v1/models/nobody/{query}", json={}), 404, "not_found")


def test_versions(client, make, ask, refuse):
    make("net", NET)
    values = {name: spec["init"]["value"] for name, spec in NET["parameters"].items()}
    put = client.put("/v1/models/net/parameters", json={"parameters": {**values, "b2": [10.25]}})
    assert put.status_code == 201, put.text
    first = ask("net", "predict", inputs={"X": [[1, 2, 3]]}, version=1)
    newest = ask("net", "predict", inputs={"X": [[1, 2, 3]]})
    assert first["version"] == 1 and newest["version"] == 2
    assert newest["outputs"]["l2"][0][0] - first["outputs"]["l2"][0][0] == pytest.approx(10, rel=1e-13)
    (error,) = refuse("net", "predict", inputs={"X": [[1, 2, 3]]}, version=3)
    assert error["code"] == "unknown_version" and error["pointer"] == "/version"


# ---- rows


@pytest.fixture
def trained(client, make):
    """A model that was trained on rows: y = 2 x + 1, standardized."""
    make(
        "line",
        {
            "program": "p = X * w + b\ncost = MSE(p, y)",
            "inputs": {"X": {"shape": ["batch", 1]}, "y": {"shape": ["batch", 1]}},
            "parameters": {"w": {"shape": [1]}, "b": {"shape": [1]}},
            "cost": "cost",
            "dtype": "float64",
        },
    )
    csv = "x,y\n" + "".join(f"{x},{2 * x + 1}\n" for x in range(10))
    assert client.put("/v1/datasets/points", data=csv, headers={"Content-Type": "text/csv"}).status_code == 201
    job = client.post(
        "/v1/jobs",
        json={
            "model": "line",
            "dataset": "points",
            "bind": {
                "X": {"columns": ["x"], "transform": "standardize"},
                "y": {"columns": ["y"], "transform": "standardize"},
            },
            "optimizer": {"name": "SGD", "learning_rate": 0.2},
            "epochs": 200,
            "batch_size": 10,
        },
    )
    assert job.status_code == 202, job.text
    deadline = time.monotonic() + 20
    while client.get(job.headers["Location"]).json()["state"] != "succeeded":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield "line"
    client.delete("/v1/models/line?cascade=true")
    client.delete("/v1/datasets/points")


def test_rows_in_the_data_s_own_units(trained, ask):
    answer = ask(trained, "predict", rows=[{"x": 3}, {"x": 100}])
    assert answer["version"] == 2
    assert [row["y"] for row in answer["predictions"]] == pytest.approx([7, 201], rel=1e-9)
    assert len(answer["outputs"]["p"]) == 2


def test_mistakes_in_rows(trained, refuse):
    errors = refuse(trained, "predict", rows=[{"x": "three"}, {"X": 3}, {}, {"x": [1, 2]}])
    pointers = [error["pointer"] for error in errors]
    assert "/rows/0/x" in pointers and "/rows/1/X" in pointers and "/rows/3/x" in pointers
    assert any(pointer.startswith("/rows/2") for pointer in pointers)


def test_rows_need_a_trained_version(trained, client, problem):
    answer = client.post(f"/v1/models/{trained}/predict", json={"rows": [{"x": 3}], "version": 1})
    problem(answer, 422, "invalid_query")


# ---- many at once


def test_a_hundred_at_once(make, server):
    make("net", NET)

    def one(count):
        rows = rows_of(count, seed=count)
        with Client(server.url) as client:
            predict = client.post("/v1/models/net/predict", json={"inputs": {"X": rows}}).json()
            gradient = client.post(
                "/v1/models/net/gradient", json={"inputs": {"X": rows, "y": [[0]] * count}, "wrt": "b2"}
            ).json()
        outputs = [output_by_hand(row) for row in rows]
        assert [row[0] for row in predict["outputs"]["l2"]] == pytest.approx(outputs, rel=1e-13)
        assert gradient["gradients"]["b2"] == pytest.approx([2 * sum(outputs) / count], rel=1e-11)

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        list(pool.map(one, range(1, 101)))


def test_a_dear_query_goes_to_the_pool(make, ask):
    """A product of 500 x 500 matrices is no work for a thread that others wait for; its answer is the same."""
    make("wide", {"program": "f = ReduceMean(X @ Transpose(X))", "inputs": {"X": {"shape": ["batch", 500]}}})
    answer = ask("wide", "evaluate", inputs={"X": [[1] * 500] * 500})
    assert answer["values"] == {"f": 500}
