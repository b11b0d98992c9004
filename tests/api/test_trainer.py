"""What jobs come to, against the same training written out with numpy: which rows train, which validate, and how."""
import pytest

from test_jobs import problem, wait

np = pytest.importorskip("numpy")

MODEL = {
    "program": "p = Linear(X, W, b)\ncost = MSE(p, y)",
    "inputs": {"X": {"shape": ["batch", 2]}, "y": {"shape": ["batch", 1]}},
    "parameters": {"W": {"init": {"value": [[0.5], [-0.25]]}}, "b": {"init": {"value": [0.125]}}},
    "cost": "cost", "dtype": "float64",
}
RATE = 0.05


def table(rows, first=0):
    """Columns a, b and c, whose parity is `part` and `name`."""
    indices = range(first, first + rows)
    a, b = [i * 7 % 11 / 4 for i in indices], [i * 5 % 13 / 8 - 1 for i in indices]
    return {
        "a": a, "b": b, "c": [2 * p - q + (i % 3) / 10 for i, p, q in zip(indices, a, b)],
        "part": [i % 4 for i in indices], "name": [["train", "test"][i % 4 == 1] for i in indices],
    }


def put(client, name, columns):
    body = {"header": list(columns), "rows": [list(row) for row in zip(*columns.values())]}
    answer = client.put(f"/v1/datasets/{name}", json=body)
    assert answer.status_code in (200, 201), answer.text


@pytest.fixture(scope="module", autouse=True)
def resources(server):
    from conftest import Client

    with Client(server.url) as client:
        assert client.put("/v1/models/numpy-line", json=MODEL).status_code in (200, 201)
        put(client, "numpy-first", table(40))
        put(client, "numpy-second", table(12, 100))
        yield


def job(**changes):
    bind = {"X": {"columns": ["a", "b"], "transform": "standardize"}, "y": {"columns": ["c"], "transform": "standardize"}}
    return {
        "model": "numpy-line", "dataset": "numpy-first", "bind": bind, "from_version": 1, "epochs": 6,
        "optimizer": {"name": "SGD", "learning_rate": RATE}, "batch_size": 8, "shuffle": False, **changes,
    }


def run(client, **changes):
    answer = client.post("/v1/jobs", json=job(**changes))
    assert answer.status_code == 202, answer.text
    body = wait(client, answer.json()["id"])
    assert body["state"] == "succeeded", body
    return body, client.get(f"/v1/jobs/{body['id']}/costs").json()["points"]


def matrix(columns):
    return np.array([columns[name] for name in "abc"], dtype=float).T


def by_numpy(training, validation, epochs=6, batch=8):
    """(mean training cost, validation cost) of each epoch of SGD on standardized rows, and the parameters at the end."""
    mean, std = training.mean(0), training.std(0)
    training, validation = (training - mean) / std, (validation - mean) / std
    w, costs = np.array([0.5, -0.25, 0.125]), []
    with_ones = lambda rows: np.column_stack([rows[:, :2], np.ones(len(rows))])
    for _ in range(epochs):
        total = 0
        for at in range(0, len(training), batch):
            rows = training[at : at + batch]
            error = with_ones(rows) @ w - rows[:, 2]
            total += (error**2).sum()
            w = w - RATE * 2 * with_ones(rows).T @ error / len(rows)
        costs.append((total / len(training), ((with_ones(validation) @ w - validation[:, 2]) ** 2).mean()))
    return costs, w


def check(client, body, points, training, validation):
    costs, w = by_numpy(training, validation)
    assert [(p["cost"], p["validation_cost"]) for p in points] == [pytest.approx(pair, rel=1e-12) for pair in costs]
    assert body["best_cost"] == min(p["validation_cost"] for p in points)
    made = client.get(f"/v1/models/numpy-line/parameters?version={body['version']}").json()["parameters"]
    assert [made["W"][0][0], made["W"][1][0], made["b"][0]] == pytest.approx(list(w), rel=1e-12)


def test_validation_by_a_second_data_set(client):
    rule = {"dataset": "numpy-second"}
    body, points = run(client, validation=rule)
    assert (body["validation"], body["steps"]) == (rule, 30)
    digest = client.get("/v1/datasets/numpy-second").json()["digest"]
    assert body["lineage"]["validation_digest"] == digest != body["lineage"]["dataset_digest"]
    check(client, body, points, matrix(table(40)), matrix(table(12, 100)))


@pytest.mark.parametrize("rule", [{"column": "part", "value": 1}, {"column": "name", "value": "test"}])
def test_validation_by_the_value_of_a_column(client, rule):
    body, points = run(client, validation=rule)
    assert (body["validation"], body["steps"]) == (rule, 24)
    rows, marks = matrix(table(40)), np.arange(40) % 4 == 1
    check(client, body, points, rows[~marks], rows[marks])


def test_the_second_data_set_is_held_while_the_job_needs_it(client):
    put(client, "numpy-held", table(12, 100))
    answer = client.post("/v1/jobs", json=job(validation={"dataset": "numpy-held"}, epochs=500000))
    identity = answer.json()["id"]
    problem(client.delete("/v1/datasets/numpy-held"), 409, "in_use")
    client.post(f"/v1/jobs/{identity}/cancel")
    assert client.delete("/v1/datasets/numpy-held").status_code == 204
    assert client.get(f"/v1/jobs/{identity}").json()["validation"] == {"dataset": "numpy-held"}


BAD = {
    "two ways": ({"fraction": 0.5, "dataset": "numpy-second"}, "invalid_value", "/validation"),
    "no way": ({}, "invalid_value", "/validation"),
    "no data set": ({"dataset": "nowhere"}, "unknown_dataset", "/validation/dataset"),
    "no column": ({"column": "par", "value": 1}, "unknown_column", "/validation/column"),
    "column alone": ({"column": "part"}, "missing_field", "/validation/value"),
    "value alone": ({"value": 1}, "missing_field", "/validation/column"),
    "no such number": ({"column": "part", "value": 9}, "invalid_value", "/validation/value"),
    "no such label": ({"column": "name", "value": "Test"}, "invalid_value", "/validation/value"),
    "label of a number": ({"column": "part", "value": "1"}, "wrong_type", "/validation/value"),
    "number of a label": ({"column": "name", "value": 1}, "wrong_type", "/validation/value"),
    "all rows": ({"column": "one", "value": 1}, "out_of_range", "/validation"),
    "null": ({"column": "part", "value": None}, "wrong_type", "/validation/value"),
    "columns missing": ({"dataset": "numpy-less"}, "unknown_column", "/validation/dataset"),
    "other types": ({"dataset": "numpy-types"}, "wrong_type", "/validation/dataset"),
    "other shapes": ({"dataset": "numpy-shapes"}, "shape_mismatch", "/validation/dataset"),
}


@pytest.mark.parametrize("case", BAD)
def test_validations_that_do_not_fit(client, case):
    rule, code, pointer = BAD[case]
    put(client, "numpy-first", {**table(40), "one": [1] * 40})
    put(client, "numpy-less", {"a": [1], "b": [2]})
    put(client, "numpy-types", {"a": ["x"], "b": [2], "c": [3]})
    client.put("/v1/datasets/numpy-shapes", json={"columns": {"a": [[1, 2]], "b": [2], "c": [3]}})
    document = problem(client.post("/v1/jobs", json=job(validation=rule)), 422, "invalid_job")
    assert (code, pointer) in [(e["code"], e["pointer"]) for e in document["errors"]], document


def test_categories_to_validate_on_must_be_known(client):
    put(client, "numpy-towns", {"town": ["Rome", "Oslo", "Lima"] * 2, "c": range(6)})
    put(client, "numpy-more-towns", {"town": ["Oslo", "Paris", "Quito"], "c": range(3)})
    put(client, "numpy-less-towns", {"town": ["Rome", "Lima"], "c": [1, 2]})
    towns = {**MODEL, "program": "p = X @ W + b\ncost = MSE(p, y)", "inputs": {**MODEL["inputs"], "X": {"shape": ["batch", 3]}},
             "parameters": {"W": {"shape": [3, 1]}, "b": {"shape": [1]}}}
    client.put("/v1/models/numpy-towns", json=towns)
    bind = {"X": {"columns": ["town"], "transform": "one_hot"}, "y": {"columns": ["c"]}}
    body = {"model": "numpy-towns", "dataset": "numpy-towns", "bind": bind}
    document = problem(client.post("/v1/jobs", json=job(**body, validation={"dataset": "numpy-more-towns"})), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("unknown_category", "/validation/dataset")]
    assert "'Paris'" in document["errors"][0]["detail"]
    run(client, **body, validation={"dataset": "numpy-less-towns"})
