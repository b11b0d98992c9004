"""Jacobians, products and Hessians, many cotangents and rows one by one: of formulas and models, by hand and by PyTorch."""
import random
import re

import pytest

TENSORS = {"program": "y = W @ x", "inputs": {"W": [[1, 2, 3], [4, 5, 6]], "x": [1, 0, 2]}}
NET = {
    "program": ["l1 = Linear(X, W1, b1)", "s1 = Tanh(l1)", "l2 = Linear(s1, W2, b2)", "cost = MSE(l2, y)"],
    "inputs": {"X": {"shape": ["batch", 3]}, "y": {"shape": ["batch", 2]}},
    "parameters": {"W1": {"shape": [3, 4]}, "b1": {"shape": [4]}, "W2": {"shape": [4, 2]}, "b2": {"shape": [2]}},
    "cost": "cost",
    "dtype": "float32",
    "seed": 3,
}


def numbers(*shape, seed=1):
    generator = random.Random(f"{seed}{shape}")

    def make(*dims):
        return [make(*dims[1:]) for _ in range(dims[0])] if dims else generator.uniform(-1, 1)

    return make(*shape)


def flat(tensor):
    return [x for item in tensor for x in flat(item)] if isinstance(tensor, list) else [tensor]


def shape(tensor):
    return [len(tensor)] + (shape(tensor[0]) if tensor else []) if isinstance(tensor, list) else []


def close(actual, expected, rel=1e-12):
    assert shape(actual) == shape(expected)
    assert flat(actual) == pytest.approx(flat(expected), rel=rel, abs=rel * 1e-2)


@pytest.fixture
def ask(client):
    def run(**body):
        answer = client.post("/v1/differentiate", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return run


@pytest.fixture
def refuse(client, problem):
    def run(**body):
        return problem(client.post("/v1/differentiate", json=body), 422, "invalid_query")["errors"]

    return run


@pytest.fixture
def net(client):
    """net(query, ...): the answer of the stored network."""
    answer = client.put("/v1/models/derived", json=NET)
    assert answer.status_code in (200, 201), answer.text

    def run(query, **body):
        answer = client.post(f"/v1/models/derived/{query}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    yield run
    client.delete("/v1/models/derived?cascade=true")


# ---- by the algebra of vectors, matrices and tensors


def test_a_matrix_times_a_vector(ask):
    answer = ask(**TENSORS, query="jacobian")
    assert answer["of"] == "y" and answer["value"] == [7, 16]
    assert answer["jacobians"]["x"] == [[1, 2, 3], [4, 5, 6]]  # dy/dx = W
    # dy_i/dW_jk = x_k where i = j, else 0
    assert answer["jacobians"]["W"] == [[[1, 0, 2], [0, 0, 0]], [[0, 0, 0], [1, 0, 2]]]


def test_a_vector_times_a_matrix(ask):
    answer = ask(program="y = x @ W", inputs={"x": [2, 3], "W": [[1, 2, 3], [4, 5, 6]]}, query="jacobian")
    assert answer["jacobians"]["x"] == [[1, 4], [2, 5], [3, 6]]  # dy_i/dx_j = W_ji
    # dy_i/dW_jk = x_j where i = k
    assert answer["jacobians"]["W"] == [[[2 * (k == i) for k in range(3)], [3 * (k == i) for k in range(3)]] for i in range(3)]


def test_rows_times_a_matrix(ask):
    X, W = numbers(3, 2), numbers(2, 2, seed=2)
    answer = ask(program="Y = X @ W", inputs={"X": X, "W": W}, query="jacobian")
    # dY_ij/dX_kl = W_lj where i = k: a row depends on its row alone
    rows, wide = range(3), range(2)
    close(answer["jacobians"]["X"], [[[[W[l][j] * (i == k) for l in wide] for k in rows] for j in wide] for i in rows])
    # dY_ij/dW_kl = X_ik where j = l
    close(answer["jacobians"]["W"], [[[[X[i][k] * (j == l) for l in wide] for k in wide] for j in wide] for i in rows])


def test_a_chain_of_products(ask):
    V, W = numbers(2, 3), numbers(3, 4, seed=2)
    answer = ask(program="y = V @ (W @ x)", inputs={"V": V, "W": W, "x": [1, 2, 3, 4]}, wrt="x", query="jacobian")
    close(answer["jacobians"]["x"], [[sum(V[i][k] * W[k][j] for k in range(3)) for j in range(4)] for i in range(2)])


def test_elementwise_is_diagonal(ask):
    x = [0.5, -1, 2]
    answer = ask(program="y = x^3", inputs={"x": x}, query="jacobian")
    close(answer["jacobians"]["x"], [[3 * x[i] ** 2 * (i == j) for j in range(3)] for i in range(3)])


def test_few_inputs_go_forward(ask):
    """One input and many outputs: columns, not rows."""
    answer = ask(program="y = x * W + z", inputs={"x": 2, "W": [[1, 2], [3, 4]], "z": 1}, wrt=["z", "x"], query="jacobian")
    assert answer["jacobians"] == {"z": [[1, 1], [1, 1]], "x": [[1, 2], [3, 4]]}
    answer = ask(program="y = Concat(x * 2, x^2, axis=0)", inputs={"x": [3, 5]}, query="jacobian")
    assert answer["jacobians"]["x"] == [[2, 0], [0, 2], [6, 0], [0, 10]]


# ---- directions


def test_a_tangent(ask):
    assert ask(**TENSORS, query="jvp", tangents={"x": [1, 1, 0]}) == {"of": "y", "value": [7, 16], "tangent": [3, 9]}
    both = ask(**TENSORS, query="jvp", tangents={"x": [1, 1, 0], "W": [[1, 0, 0], [0, 0, 1]]})
    assert both["tangent"] == [3 + 1, 9 + 2]
    listed = ask(**TENSORS, query="jvp", tangents=[{"x": [1, 1, 0]}, {"W": [[1, 0, 0], [0, 0, 1]]}])
    assert listed["value"] == [7, 16] and listed["tangent"] == [[3, 9], [1, 2]]


def test_many_cotangents(ask):
    answer = ask(**TENSORS, wrt="x", cotangents=[[1, 0], [0, 1], [1, -1]])
    assert answer == {"of": "y", "value": [7, 16], "gradients": {"x": [[1, 2, 3], [4, 5, 6], [-3, -3, -3]]}}


def test_a_hessian_and_its_products(ask):
    question = {"program": "f = Sum(x^3) * y", "inputs": {"x": [1, 2], "y": 3}}
    answer = ask(**question, query="hessian")
    assert answer["value"] == 27 and answer["gradients"] == {"x": [9, 36], "y": 9}
    assert answer["hessians"] == {
        "x": {"x": [[18, 0], [0, 36]], "y": [3, 12]},
        "y": {"x": [3, 12], "y": 0},
    }
    product = ask(**question, query="hvp", vector={"x": [1, 10]})
    assert product["gradients"] == answer["gradients"]
    assert product["products"] == {"x": [18, 360], "y": 123}
    many = ask(**question, query="hvp", wrt=["y", "x"], vectors=[{"x": [1, 10]}, {"y": 2}])
    assert many["products"] == {"y": [123, 0], "x": [[18, 360], [6, 24]]}


def test_rows_one_by_one(ask):
    question = {"program": "f = Sum((x @ w)^2)", "inputs": {"x": [[1, 2], [3, 4], [0, 1]], "w": [1, 1]}, "batch": "x"}
    answer = ask(**question, per_sample=True)
    assert answer["value"] == [9, 49, 1]
    assert answer["gradients"]["w"] == [[6, 12], [42, 56], [0, 2]]
    assert answer["gradients"]["x"] == [[[6, 6]], [[14, 14]], [[2, 2]]]
    whole = ask(**question)["gradients"]["w"]
    assert whole == [48, 70]
    led = ask(program="g = x * w", inputs=question["inputs"], batch="x", per_sample=True, wrt="w",
              cotangent=[[[1, 0]], [[0, 1]], [[1, 1]]])  # fmt: skip
    assert led["value"] == [[[1, 2]], [[3, 4]], [[0, 1]]] and led["gradients"]["w"] == [[1, 0], [0, 4], [0, 1]]
    none = ask(program="f = Sum(x * w)", inputs={"x": {"shape": [0, 2], "data": []}, "w": [1, 1]}, batch="x", per_sample=True)
    assert none["value"] == [] and none["gradients"]["w"] == []


def test_independent(ask):
    answer = ask(program="a = x * 1; f = y^2", inputs={"x": [1, 2], "y": 3}, query="jacobian")
    assert answer["jacobians"] == {"x": [0, 0], "y": 6} and answer["independent"] == ["x"]
    answer = ask(program="a = x * 1; f = y^2", inputs={"x": [1, 2], "y": 3}, query="hessian")
    assert answer["hessians"]["x"] == {"x": [[0, 0], [0, 0]], "y": [0, 0]} and answer["independent"] == ["x"]


def test_nothing_has_no_derivatives(ask):
    answer = ask(program="y = x * 2", inputs={"x": []}, query="jacobian")
    assert answer["value"] == [] and answer["jacobians"]["x"] == []


# ---- mistakes


@pytest.mark.parametrize(
    "body, code, pointer",
    [
        ({"query": "jvp"}, "missing_field", "/tangents"),
        ({"query": "hvp"}, "missing_field", "/vector"),
        ({"query": "jvp", "tangents": {"z": 1}}, "unknown_name", "/tangents/z"),
        ({"query": "jvp", "tangents": {"x": [1]}}, "shape_mismatch", "/tangents/x"),
        ({"query": "jvp", "tangents": [{"x": [1, 1, 1]}, {"x": 2}]}, "shape_mismatch", "/tangents/1/x"),
        ({"query": "jvp", "tangents": []}, "wrong_type", "/tangents"),
        ({"query": "jvp", "tangents": 3}, "wrong_type", "/tangents"),
        ({"query": "hessian"}, "shape_mismatch", None),
        ({"query": "hvp", "of": "y", "vector": {"x": [1, 1, 1]}}, "shape_mismatch", "/of"),
        ({"query": "hvp", "wrt": "W", "vector": {"x": [1, 1, 1]}}, "invalid_value", "/vector/x"),
        ({"query": "hvp", "vector": {"x": [1, 1, 1]}, "vectors": [{"x": [1, 1, 1]}]}, "conflicting_fields", "/vectors"),
        ({"cotangent": [1, 1], "cotangents": [[1, 1]]}, "conflicting_fields", "/cotangents"),
        ({"cotangents": [1, 1]}, "shape_mismatch", "/cotangents"),
        ({"cotangents": [[1, 1]], "trace": True}, "conflicting_fields", "/trace"),
        ({"cotangent": [1, 1], "per_sample": True}, "invalid_value", "/per_sample"),
        ({"query": "jacobian", "tangents": {"x": [1, 1, 1]}}, "conflicting_fields", "/tangents"),
        ({"query": "evaluate", "wrt": "x"}, "conflicting_fields", "/wrt"),
        ({"cotangent": [1, 1], "batch": "z"}, "unknown_name", "/batch"),
    ],
)
def test_mistakes(refuse, body, code, pointer):
    errors = refuse(**TENSORS, **body)
    assert code in [error["code"] for error in errors], errors
    (error,) = [error for error in errors if error["code"] == code][:1]
    if pointer is not None:
        assert error["pointer"] == pointer


def test_sizes_are_refused_before_the_work(refuse):
    x = {"shape": [4000], "data": [1] * 4000}
    (error,) = refuse(program="y = x * 2", inputs={"x": x}, query="jacobian")
    assert error["code"] == "limit_exceeded" and "16004000" in error["detail"] and "10000000" in error["detail"]
    (error,) = refuse(program="y = Sum(x * x)", inputs={"x": x}, query="hessian")
    assert error["code"] == "limit_exceeded" and "16004001" in error["detail"]
    deep = [[[[[1]]]]]
    (error,) = refuse(program="y = x * 2", inputs={"x": deep}, query="jacobian")
    assert error["code"] == "rank_too_large"


# ---- a model


def test_a_query_in_float64(net):
    rows = numbers(2, 3)
    rough = net("gradient", inputs={"X": rows, "y": numbers(2, 2)})
    fine = net("gradient", inputs={"X": rows, "y": numbers(2, 2)}, dtype="float64")
    assert fine["value"] != rough["value"] and fine["value"] == pytest.approx(rough["value"], rel=1e-6)


def test_the_network_by_torch(net, client):
    torch = pytest.importorskip("torch")
    parameters = {
        name: torch.tensor(value, dtype=torch.float64)
        for name, value in client.get("/v1/models/derived/parameters").json()["parameters"].items()
    }
    # what is stored in float32 is read back by the shortest digits; the query casts the float32 value
    parameters = {name: value.to(torch.float32).to(torch.float64) for name, value in parameters.items()}
    names = list(parameters)
    X, y = numbers(5, 3), numbers(5, 2)
    Xt, yt = torch.tensor(X, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)

    def output(W1, b1, W2, b2, X=Xt):
        return torch.tanh(X @ W1 + b1) @ W2 + b2

    def cost(*p, X=Xt, y=yt):
        return ((output(*p, X=X) - y) ** 2).mean()

    point = tuple(parameters[name] for name in names)
    asked = {"inputs": {"X": X, "y": y}, "dtype": "float64"}
    jacobians = torch.autograd.functional.jacobian(output, point)
    told = net("jacobian", of="l2", wrt=names, **asked)["jacobians"]
    for name, expected in zip(names, jacobians):
        close(told[name], expected.tolist())
    told = net("jacobian", of="l2", wrt="b2", inputs={"X": numbers(9, 3)}, dtype="float64")["jacobians"]  # forward
    assert told["b2"] == [[[1, 0], [0, 1]]] * 9
    hessians = torch.autograd.functional.hessian(cost, point)
    told = net("hessian", **asked)["hessians"]
    for a, row in zip(names, hessians):
        for b, expected in zip(names, row):
            close(told[a][b], expected.tolist())
    vectors = [tuple(torch.tensor(numbers(*p.shape, seed=k), dtype=torch.float64) for p in point) for k in range(3)]
    as_json = [{name: v.tolist() for name, v in zip(names, vector)} for vector in vectors]
    told = net("hvp", vectors=as_json, **asked)["products"]
    moved = net("jvp", of="l2", tangents=as_json, **asked)["tangent"]
    for k, vector in enumerate(vectors):
        for name, expected in zip(names, torch.autograd.functional.hvp(cost, point, vector)[1]):
            close(told[name][k], expected.tolist())
        close(moved[k], torch.autograd.functional.jvp(output, point, vector)[1].tolist())
        close(net("hvp", vector=as_json[k], **asked)["products"]["W1"], told["W1"][k])
    by_row = net("gradient", per_sample=True, **asked)
    for row in range(5):
        leaves = [p.clone().requires_grad_() for p in point]
        value = cost(*leaves, X=Xt[row : row + 1], y=yt[row : row + 1])
        value.backward()
        assert by_row["value"][row] == pytest.approx(value.item(), rel=1e-12)
        for name, leaf in zip(names, leaves):
            close(by_row["gradients"][name][row], leaf.grad.tolist())


# ---- the check


def test_a_check(ask):
    answer = ask(program="h = Sigmoid(x @ W); f = Sum(h^2)", inputs={"x": [[1, 2]], "W": [[1, 2], [0.5, 0]]}, query="check")
    assert answer["of"] == "f" and answer["ok"] is True
    assert [node["name"] for node in answer["nodes"]] == ["x", "W", "h", "f"]
    assert answer["worst"] in answer["nodes"] and answer["worst"]["relative_error"] < 1e-9
    for node in answer["nodes"]:
        assert node["difference"] == pytest.approx(node["backprop"], rel=1e-9)
    assert [len(node["index"]) for node in answer["nodes"]] == [2, 2, 2, 0]


def test_a_check_of_many_elements_and_of_kinks(ask):
    answer = ask(program="y = Softmax(x)", inputs={"x": [1, 2, 3]}, query="check")
    assert answer["ok"] and abs(answer["nodes"][0]["backprop"]) > 0.01  # equal weights would make it 0
    assert ask(program="f = x^2", inputs={"x": 0}, query="check")["ok"]
    answer = ask(program="f = Sum(Relu(x) + Abs(x) + Floor(x))", inputs={"x": [0, 1e-6, -1e-6, 2.5]}, query="check", wrt="x")
    assert answer["ok"], answer


def test_a_check_keeps_what_is_behind_stop_gradient(ask):
    answer = ask(program="g = x^2; f = StopGradient(g) * x", inputs={"x": 3}, query="check")
    by_name = {node["name"]: node for node in answer["nodes"]}
    assert answer["ok"] and by_name["x"]["backprop"] == 9
    assert by_name["x"]["difference"] == pytest.approx(9)


def test_a_check_of_what_is_not_finite_fails(ask):
    answer = ask(program="f = Log(x)", inputs={"x": 0}, query="check")
    assert not answer["ok"] and answer["worst"]["name"] == "x" and answer["nonfinite"] is True


def test_a_check_names_what_is_independent(ask):
    answer = ask(program="a = x * 1; f = y^2", inputs={"x": 1, "y": 3}, query="check")
    assert answer["ok"] and answer["independent"] == ["x"]


def test_the_network_is_checked(net):
    answer = net("check", inputs={"X": numbers(4, 3), "y": numbers(4, 2)})
    assert answer["model"] == "derived" and answer["ok"] and answer["worst"]["relative_error"] < 1e-7
    assert [node["name"] for node in answer["nodes"]] == ["W1", "b1", "W2", "b2", "l1", "s1", "l2", "cost"]


# ---- as formulas


def test_the_derivative_of_the_square(ask):
    answer = ask(program="f = x^2", inputs={"x": 4}, symbolic=True)
    assert answer == {"of": "f", "value": 16, "gradients": {"x": 8}, "programs": {"x": "2 * x"}}


@pytest.mark.parametrize(
    "program, inputs, cotangent",
    [
        ("g = 3*x + 1; f = g^2", {"x": 2}, None),
        ("f = Sum(Sigmoid(X @ W)^2)", {"X": [[1, 2]], "W": [[1, 2, 3], [0.5, 0, 1]]}, None),
        ("l1 = Linear(X, W, b); f = MSE(Tanh(l1), y)", {"X": [[1, 2]], "W": [[1], [3]], "b": [0.5], "y": [[1]]}, None),
        ("f = grad(x^3, x) * y", {"x": [1, 2], "y": -2.5}, [1, -1]),
        ("s = Softmax(x); f = s * cotangent", {"x": [1, 2], "cotangent": [3, 4]}, [1, 2]),
        ("a = x * 1; f = y^2", {"x": [1, 2], "y": 3}, None),
        ("f = Sum(Relu(x)) / Exp(-x)", {"x": [1, -2]}, [2, 3]),
        ("f = x^y", {"x": 2, "y": 3}, None),
    ],
)
def test_formulas_can_be_posted_again(ask, program, inputs, cotangent):
    body = {} if cotangent is None else {"cotangent": cotangent}
    answer = ask(program=program, inputs=inputs, symbolic=True, **body)
    assert list(answer["programs"]) == list(inputs)
    name = "cotangent_1" if "cotangent" in inputs else "cotangent"
    given = inputs if cotangent is None else {**inputs, name: cotangent}
    for wrt, formula in answer["programs"].items():
        used = {key: value for key, value in given.items() if key in re.findall(r"\w+", formula)}
        again = ask(program="d = " + formula, inputs=used, query="evaluate")["values"]["d"]
        close(again, answer["gradients"][wrt])
