"""What jobs come to, against the same training written out with numpy: which rows train, which validate, and how."""
import time

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
    """(mean training cost, validation cost, scores) of each epoch of SGD on standardized rows, and the parameters at the
    end. Scores are of the validation rows, or without them of the training rows, in the units of the rows."""
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
        cost = ((with_ones(validation) @ w - validation[:, 2]) ** 2).mean() if len(validation) else None
        scored = validation if len(validation) else training
        error, truth = with_ones(scored) @ w - scored[:, 2], scored[:, 2]
        scores = {"mae": abs(error).mean() * std[2], "r2": 1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum()}
        costs.append((total / len(training), cost, scores))
    return costs, w


def check(client, body, points, training, validation):
    costs, w = by_numpy(training, validation)
    assert [(p["cost"], p["validation_cost"]) for p in points] == [pytest.approx(pair[:2], rel=1e-12) for pair in costs]
    if body.get("metrics"):
        assert [p["scores"] for p in points] == [pytest.approx(of[2], rel=1e-12) for of in costs]
        assert body["scores"] == points[-1]["scores"]
    assert body["best_cost"] == min(p["validation_cost" if len(validation) else "cost"] for p in points)
    made = client.get(f"/v1/models/numpy-line/parameters?version={body['version']}").json()["parameters"]
    assert [made["W"][0][0], made["W"][1][0], made["b"][0]] == pytest.approx(list(w), rel=1e-12)


def test_validation_by_a_second_data_set(client):
    rule = {"dataset": "numpy-second"}
    body, points = run(client, validation=rule, metrics=["r2", "mae"])
    assert (body["validation"], body["steps"], body["metrics"]) == (rule, 30, ["mae", "r2"])
    digest = client.get("/v1/datasets/numpy-second").json()["digest"]
    assert body["lineage"]["validation_digest"] == digest != body["lineage"]["dataset_digest"]
    check(client, body, points, matrix(table(40)), matrix(table(12, 100)))


@pytest.mark.parametrize("rule", [{"column": "part", "value": 1}, {"column": "name", "value": "test"}])
def test_validation_by_the_value_of_a_column(client, rule):
    body, points = run(client, validation=rule)
    assert (body["validation"], body["steps"]) == (rule, 24)
    rows, marks = matrix(table(40)), np.arange(40) % 4 == 1
    check(client, body, points, rows[~marks], rows[marks])


def test_metrics_of_the_training_rows(client):
    """Without validation; points between epochs have none, and CSV has them in columns of their own."""
    body, points = run(client, metrics=["mae", "r2"], batch_size=16, record={"every_steps": 2})
    assert body["validation_cost"] is None
    between, ends = [p for p in points if p["step"] % 3], [p for p in points if p["step"] % 3 == 0]
    assert len(between) == 6 and all(p["scores"] == {} for p in between)
    assert "scores" not in run(client)[1][0]
    costs, _ = by_numpy(matrix(table(40)), matrix(table(0)), batch=16)
    assert [p["scores"] for p in ends] == [pytest.approx(of[2], rel=1e-12) for of in costs]
    text = client.get(f"/v1/jobs/{body['id']}/costs", headers={"Accept": "text/csv"}).text.splitlines()
    assert text[0] == "step,epoch,cost,validation_cost,learning_rate,gradient_norm,mae,r2,time"
    for line, point in zip(text[1:], points):
        assert line.split(",")[6:8] == [str(point["scores"].get(name, "")) for name in ["mae", "r2"]]


def classes(client, name, program, shape, target, columns, **model):
    """A classifier of rows (a, b) and the job that trains it; returns the job, its points and the output of its rows."""
    w = {"W": {"shape": [2, shape]}, "b": {"shape": [shape]}}
    spec = {"program": program, "inputs": {"X": {"shape": ["batch", 2]}, "y": {"shape": target}}, "parameters": w,
            "cost": "cost", "output": "p", "dtype": "float64", "seed": 3, **model}
    answer = client.put(f"/v1/models/{name}", json=spec)
    assert answer.status_code in (200, 201), answer.text
    data = {**table(40), **columns}
    put(client, name, data)
    bind = {"X": {"columns": ["a", "b"]}, "y": {"columns": list(columns)}}
    body, points = run(client, model=name, dataset=name, bind=bind, metrics=["accuracy"], epochs=60)
    inputs = {"X": [list(row) for row in zip(data["a"], data["b"])]}
    answer = client.post(f"/v1/models/{name}/evaluate", json={"inputs": inputs, "version": body["version"]})
    return body["scores"]["accuracy"], np.array(answer.json()["values"]["p"])


NUMBERS = [int(a + b > 1.5) + int(a > 2) for a, b in zip(table(40)["a"], table(40)["b"])]
SIGNS = [int(number > 0) for number in NUMBERS]


def test_accuracy_of_classes(client):
    """Held against the output of the version that the last epoch made."""
    number, three = {"y": NUMBERS}, {f"y{k}": [int(n == k) for n in NUMBERS] for k in range(3)}
    truth = np.array(NUMBERS)
    program = "p = Linear(X, W, b)\ncost = CrossEntropy(p, y)"
    told, output = classes(client, "classes-number", program, 3, ["batch", 1], number)
    assert 0.3 < told < 1 and told == (output.argmax(1) == truth).mean()
    told, output = classes(client, "classes-hot", program, 3, ["batch", 3], three)
    assert 0.3 < told < 1 and told == (output.argmax(1) == truth).mean()
    told, output = classes(client, "classes-squares", "p = Softmax(Linear(X, W, b))\ncost = MSE(p, y)", 3, ["batch", 3], three)
    assert 0.3 < told < 1 and told == (output.argmax(1) == truth).mean()


@pytest.mark.parametrize("name, program, limit", [
    ("logits", "p = Linear(X, W, b)\ncost = BCEWithLogits(p, y)", 0),
    ("probabilities", "p = Sigmoid(Linear(X, W, b))\ncost = BCE(p, y)", 0.5),
    ("sigmoid", "z = Linear(X, W, b)\np = Sigmoid(z)\ncost = BCEWithLogits(z, y)", 0.5),
])
def test_accuracy_by_thresholds(client, name, program, limit):
    told, output = classes(client, f"classes-{name}", program, 1, ["batch", 1], {"y": SIGNS})
    assert 0.3 < told < 1 and told == ((output[:, 0] > limit) == np.array(SIGNS, bool)).mean()
    several = {"y0": SIGNS, "y1": [n % 2 for n in NUMBERS]}
    told, output = classes(client, f"labels-{name}", program, 2, ["batch", 2], several)
    assert told == ((output > limit) == np.array(list(several.values()), bool).T).mean()


def test_accuracy_by_hinge(client):
    """The classes are -1 and 1."""
    program = "p = Linear(X, W, b)\ncost = Hinge(p, y)"
    told, output = classes(client, "classes-hinge", program, 1, ["batch", 1], {"y": [2 * s - 1 for s in SIGNS]})
    assert 0.3 < told < 1 and told == ((output[:, 0] > 0) == np.array(SIGNS, bool)).mean()


@pytest.mark.parametrize("metrics, changes", [
    (["accuracy"], {}),
    (["mae"], {"model": "classes-number", "bind": {"X": {"columns": ["a", "b"]}, "y": {"columns": ["part"]}}}),
    (["r2"], {"model": "numpy-no-target", "bind": {"X": {"columns": ["a", "b"]}}}),
])
def test_metrics_that_make_no_sense(client, metrics, changes):
    model = {**MODEL, "program": "p = Linear(X, W, b)\ncost = Mean(p ^ 2)", "inputs": {"X": {"shape": ["batch", 2]}}}
    client.put("/v1/models/numpy-no-target", json=model)
    document = problem(client.post("/v1/jobs", json=job(metrics=metrics, **changes)), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("invalid_value", "/metrics")]


def test_r2_of_a_target_that_does_not_vary(client):
    put(client, "numpy-flat", {**table(20), "c": [1] * 20})
    body, _ = run(client, dataset="numpy-flat", metrics=["r2", "mae"])
    assert set(body["scores"]) == {"mae"}


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


# By loss: the program, elements of a row of y, what is fed as y, and PyTorch's elements of the loss and their number a row.
CUT = "p = Linear(X, W, b)\ncost = "
LOSSES = {
    "MSE": (CUT + "MSE(p, y)", 2, "real", lambda F, p, y: F.mse_loss(p, y, reduction="none"), 2),
    "MAE": (CUT + "MAE(p, y)", 2, "real", lambda F, p, y: F.l1_loss(p, y, reduction="none"), 2),
    "Huber": (CUT + "Huber(p, y, delta=0.7)", 2, "real", lambda F, p, y: F.huber_loss(p, y, reduction="none", delta=0.7), 2),
    "LogCosh": (CUT + "LogCosh(p, y)", 2, "real", lambda F, p, y: (p - y).cosh().log(), 2),
    "BCE": (CUT + "BCE(Sigmoid(p), y)", 2, "half", lambda F, p, y: F.binary_cross_entropy(p.sigmoid(), y, reduction="none"), 2),
    "BCEWithLogits": (CUT + "BCEWithLogits(p, y)", 2, "half",
                      lambda F, p, y: F.binary_cross_entropy_with_logits(p, y, reduction="none"), 2),
    "CrossEntropy": (CUT + "CrossEntropy(p, y)", 1, "class", lambda F, p, y: F.cross_entropy(p, y[:, 0].long(), reduction="none"), 1),
    "CrossEntropy of probabilities": (CUT + "CrossEntropy(p, y)", 2, "half",
                                      lambda F, p, y: F.cross_entropy(p, y, reduction="none"), 1),
    "KLDiv": (CUT + "KLDiv(LogSoftmax(p), y)", 2, "half", lambda F, p, y: F.kl_div(F.log_softmax(p, -1), y, reduction="none"), 1),
    "Hinge": (CUT + "Hinge(p, y)", 2, "sign", lambda F, p, y: (1 - y * p).relu(), 2),
    "PoissonNLL": (CUT + "PoissonNLL(p, y)", 2, "half", lambda F, p, y: F.poisson_nll_loss(p, y, reduction="none"), 2),
    "GaussianNLL": (CUT + "GaussianNLL(p, y, Exp(p))", 2, "real",
                    lambda F, p, y: F.gaussian_nll_loss(p, y, p.exp(), reduction="none"), 2),
}
KINDS = {
    "real": lambda i: ((i * 11 % 17) / 8 - 1, (i * 3 % 7) / 4), "half": lambda i: ((i % 3) / 2, 1 - (i % 3) / 2),
    "class": lambda i: (i % 2,), "sign": lambda i: (1 - 2 * (i % 2), 1 - 2 * (i // 2 % 2)),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_rows(client, loss):
    """A third of the rows validate; the last batch is shorter; another term of the cost stays as it is."""
    torch = pytest.importorskip("torch")
    program, width, kind, elements, count = LOSSES[loss]
    rows = 45
    data = table(rows)
    y = [KINDS[kind](i) for i in range(rows)]
    columns = {"a": data["a"], "b": data["b"], **{f"y{k}": [row[k] for row in y] for k in range(width)},
               "w": [(i * 5 % 7) / 2 for i in range(rows)], "third": [i % 3 for i in range(rows)]}
    put(client, "weighted", columns)
    first = {"W": [[0.5, -0.25], [0.125, 0.75]], "b": [0.25, -0.5]}
    model = {"program": program + " + 0.1 * Sum(W * W)", "cost": "cost", "dtype": "float64",
             "inputs": {"X": {"shape": ["batch", 2]}, "y": {"shape": ["batch", width]}},
             "parameters": {name: {"init": {"value": value}} for name, value in first.items()}}
    assert client.put("/v1/models/weighted", json=model).status_code in (200, 201)
    bind = {"X": {"columns": ["a", "b"]}, "y": {"columns": [f"y{k}" for k in range(width)]}}
    body, points = run(client, model="weighted", dataset="weighted", bind=bind, weight="w", epochs=4,
                       validation={"column": "third", "value": 2})
    assert body["weight"] == "w"

    tensor = lambda value: torch.tensor(value, dtype=torch.float64)
    X, Y, w = tensor([[a, b] for a, b in zip(data["a"], data["b"])]), tensor(y), tensor(columns["w"])
    trains = tensor(columns["third"]) != 2
    w = w / w[trains].mean()
    W, b = (tensor(first[name]).requires_grad_() for name in "Wb")
    step = torch.optim.SGD([W, b], RATE)

    def cost_of(rows):
        each = elements(torch.nn.functional, X[rows] @ W + b, Y[rows]).reshape(len(rows), -1).sum(1) / count
        return (each * w[rows]).mean() + 0.1 * (W * W).sum()

    training, validation = trains.nonzero()[:, 0], (~trains).nonzero()[:, 0]
    for point in points:
        total = 0
        for rows in training.split(8):
            cost = cost_of(rows)
            step.zero_grad()
            cost.backward()
            step.step()
            total += cost.item() * len(rows)
        assert point["cost"] == pytest.approx(total / len(training), rel=1e-12)
        with torch.no_grad():
            expected = sum(cost_of(rows).item() * len(rows) for rows in validation.split(8)) / len(validation)
        assert point["validation_cost"] == pytest.approx(expected, rel=1e-12)
    made = client.get(f"/v1/models/weighted/parameters?version={body['version']}").json()["parameters"]
    assert made["W"] == [pytest.approx(row, rel=1e-12) for row in W.tolist()]
    assert made["b"] == pytest.approx(b.tolist(), rel=1e-12)


def test_equal_weights_change_little(client):
    """A weight of one everywhere is none, but for rounding."""
    put(client, "numpy-even", {**table(40), "w": [3] * 40})
    body, points = run(client, dataset="numpy-even", weight="w", validation={"column": "part", "value": 1})
    rows, marks = matrix(table(40)), np.arange(40) % 4 == 1
    check(client, body, points, rows[~marks], rows[marks])


@pytest.mark.parametrize("weight, code, changes", [
    ("nothing", "unknown_column", {}), ("name", "wrong_type", {}), ("minus", "out_of_range", {}),
    ("zero", "out_of_range", {}),
    ("w", "invalid_value", {"model": "numpy-formula"}),
])
def test_weights_that_do_not_fit(client, weight, code, changes):
    put(client, "numpy-weights", {**table(40), "w": [1] * 40, "minus": [1] * 39 + [-1], "zero": [0] * 40, "first": [1] + [0] * 39})
    formula = {**MODEL, "program": "p = Linear(X, W, b)\ncost = Mean((p - y) ^ 2)"}
    client.put("/v1/models/numpy-formula", json=formula)
    document = problem(client.post("/v1/jobs", json=job(dataset="numpy-weights", weight=weight, **changes)), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [(code, "/weight")]
    answer = client.post("/v1/jobs", json=job(dataset="numpy-weights", weight="first", validation={"column": "first", "value": 1}))
    body = wait(client, answer.json()["id"])
    assert (body["state"], body["error"]["type"]) == ("failed", "/problems/out_of_range"), body
    document = problem(client.post("/v1/jobs", json=job(dataset="numpy-weights", weight="w",
                                                        validation={"dataset": "numpy-second"})), 422, "invalid_job")
    assert [(e["code"], e["pointer"]) for e in document["errors"]] == [("unknown_column", "/validation/dataset")]


ROBUST = [
    {"optimizer": {"name": "Adam"}, "validation": {"dataset": "second"}, "metrics": ["mae", "r2"], "weight": "w", "batch_size": 7,
     "early_stopping": {"patience": 3000, "restore_best": False}},
    {"optimizer": {"name": "SGD", "learning_rate": 0.05, "momentum": 0.9}, "validation": {"column": "part", "value": 2},
     "metrics": ["r2"], "checkpoint": {"every_steps": 333, "keep": 3}, "on_nonfinite": "stop"},
    {"optimizer": {"name": "LBFGS"}, "weight": "w", "metrics": ["mae"], "epochs": 1500},
    {"optimizer": {"name": "RMSprop"}, "weight": "w", "validation": {"fraction": 0.3}, "record": {"every_steps": 5},
     "checkpoint": {"every_epochs": 20}},
]


def test_a_killed_server_changes_no_bit(start):
    """Jobs that a killed server leaves end like jobs that are trained in one go: bits and cost histories are compared."""
    from conftest import Client

    with_weights = {"w": [(i * 5 % 7) / 2 for i in range(200)]}
    running = start()
    with Client(running.url) as client:
        network = {"program": "h = Tanh(Linear(X, W, b))\np = Linear(h, V, c)\ncost = MSE(p, y)", "inputs": MODEL["inputs"],
                   "parameters": {"W": {"shape": [2, 8]}, "b": {}, "V": {}, "c": {}}, "cost": "cost", "output": "p"}
        assert client.put("/v1/models/numpy-line", json=network).status_code == 201
        put(client, "numpy-first", {**table(200), **with_weights})
        put(client, "second", {**table(60, 500), "w": [1 + i % 3 for i in range(60)]})
        bodies = [{**job(epochs=6000, shuffle=True, seed=3), **changes} for changes in ROBUST]
        del bodies[2]["batch_size"]
        jobs = [client.post("/v1/jobs", json=body).json()["id"] for body in bodies]
        for _ in range(3):
            time.sleep(0.25)
            running.kill()
            running = start()
            client.url = running.url
        done = [wait(client, identity) for identity in jobs]
        assert [body["state"] for body in done] == ["succeeded"] * len(jobs)
        assert max(body["attempts"] for body in done) > 1
        again = [wait(client, client.post(f"/v1/jobs/{identity}/verify").json()["id"]) for identity in jobs]
    assert [body["same"] for body in again] == [True] * len(jobs)
    for body, other in zip(done, again):
        for field in ["cost", "validation_cost", "best_cost", "scores", "epoch", "step", "stopped"]:
            assert body[field] == other[field], field
