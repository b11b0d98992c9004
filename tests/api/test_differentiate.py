"""POST /v1/differentiate: values, gradients of any order, traces, and the notation of programs."""
import math
import random
import struct

import pytest

LESSON = """X, y = Input(), Input()
W1, b1 = Input(), Input()
W2, b2 = Input(), Input()

l1 = Linear(X, W1, b1)
s1 = Sigmoid(l1)
l2 = Linear(s1, W2, b2)
cost = MSE(l2, y)
"""


@pytest.fixture
def ask(client):
    """ask(program, inputs, ...): the answer, which must be 200."""

    def run(program, inputs=None, flat=False, **fields):
        body = {"program": program, "inputs": inputs or {}, **fields}
        answer = client.post("/v1/differentiate" + ("?tensors=flat" if flat else ""), json=body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json()

    return run


@pytest.fixture
def refuse(client, problem):
    """refuse(body): the errors of a 422."""

    def run(**body):
        return problem(client.post("/v1/differentiate", json=body), 422)["errors"]

    return run


def exactly(client, text):
    return client.post("/v1/differentiate", data=text, headers={"Content-Type": "application/json"}).text.strip()


# ---- the lesson


def test_the_square_at_4(client):
    answer = exactly(client, '{"program": "f = x^2", "inputs": {"x": 4}}')
    assert answer == '{"of":"f","value":16,"gradients":{"x":8}}'


def test_the_square_at_4_and_a_half(client):
    answer = exactly(client, '{"program": "f = x^2", "inputs": {"x": 4.5}}')
    assert answer == '{"of":"f","value":20.25,"gradients":{"x":9}}'


def test_the_slope_is_not_the_difference(ask):
    assert ask("f = x^2", {"x": 5})["value"] - ask("f = x^2", {"x": 4})["value"] == 9


def test_the_chain_rule(ask):
    answer = ask("g = 3*x + 1; f = g^2", {"x": 2}, trace=True)
    nodes = {node["name"]: node for node in answer["nodes"]}
    assert nodes["g"]["gradient"] == 2 * 7
    assert answer["gradients"]["x"] == 2 * 7 * 3


def lesson_inputs(seed=7, rows=4, width=3, hidden=2):
    generator = random.Random(seed)

    def numbers(*shape):
        if not shape:
            return generator.uniform(-1, 1)
        return [numbers(*shape[1:]) for _ in range(shape[0])]

    return {
        "X": numbers(rows, width),
        "y": numbers(rows, 1),
        "W1": numbers(width, hidden),
        "b1": numbers(hidden),
        "W2": numbers(hidden, 1),
        "b2": numbers(1),
    }


def lesson_by_hand(v):
    """Cost and gradients of the lesson's network, from the derivation on paper."""
    rows, width, hidden = len(v["X"]), len(v["W1"]), len(v["b1"])
    s1 = [
        [
            1 / (1 + math.exp(-sum(v["X"][n][i] * v["W1"][i][j] for i in range(width)) - v["b1"][j]))
            for j in range(hidden)
        ]
        for n in range(rows)
    ]
    error = [sum(s1[n][j] * v["W2"][j][0] for j in range(hidden)) + v["b2"][0] - v["y"][n][0] for n in range(rows)]
    d2 = [2 * e / rows for e in error]
    d1 = [[d2[n] * v["W2"][j][0] * s1[n][j] * (1 - s1[n][j]) for j in range(hidden)] for n in range(rows)]
    return sum(e * e for e in error) / rows, {
        "X": [[sum(d1[n][j] * v["W1"][i][j] for j in range(hidden)) for i in range(width)] for n in range(rows)],
        "y": [[-d] for d in d2],
        "W1": [[sum(v["X"][n][i] * d1[n][j] for n in range(rows)) for j in range(hidden)] for i in range(width)],
        "b1": [sum(d1[n][j] for n in range(rows)) for j in range(hidden)],
        "W2": [[sum(s1[n][j] * d2[n] for n in range(rows))] for j in range(hidden)],
        "b2": [sum(d2)],
    }


def flat(tensor):
    return [x for item in tensor for x in flat(item)] if isinstance(tensor, list) else [tensor]


def test_the_network(ask):
    inputs = lesson_inputs()
    cost, gradients = lesson_by_hand(inputs)
    answer = ask(LESSON, inputs)
    assert answer["of"] == "cost"
    assert answer["value"] == pytest.approx(cost, rel=1e-14)
    assert list(answer["gradients"]) == ["X", "y", "W1", "b1", "W2", "b2"]
    for name, expected in gradients.items():
        assert flat(answer["gradients"][name]) == pytest.approx(flat(expected), rel=1e-13, abs=1e-16)


def test_the_network_against_central_differences(ask):
    inputs = lesson_inputs(seed=11)
    gradients = ask(LESSON, inputs)["gradients"]
    step = 1e-5
    for i in range(3):
        for j in range(2):
            costs = []
            for sign in (1, -1):
                moved = {**inputs, "W1": [list(row) for row in inputs["W1"]]}
                moved["W1"][i][j] += sign * step
                costs.append(ask(LESSON, moved, query="evaluate")["values"]["cost"])
            assert gradients["W1"][i][j] == pytest.approx((costs[0] - costs[1]) / (2 * step), rel=1e-7)


def test_the_trace_of_the_network(ask):
    answer = ask(LESSON, lesson_inputs(), trace=True)
    nodes = {node["name"]: node for node in answer["nodes"]}
    assert [node["name"] for node in answer["nodes"]] == [
        "X", "y", "W1", "b1", "W2", "b2", "l1", "s1", "l2", "cost"
    ]  # fmt: skip
    assert nodes["s1"]["derivatives"] == {"l1": "g * s1 * (1 - s1)"}
    assert nodes["s1"]["op"] == "Sigmoid" and nodes["s1"]["inputs"] == ["l1"] and nodes["s1"]["shape"] == [4, 2]
    assert nodes["cost"]["gradient"] == 1
    assert nodes["W1"]["gradient"] == answer["gradients"]["W1"]
    back = answer["backward"]
    assert back[0] == "cost" and len(back) == len(set(back))
    order = {name: place for place, name in enumerate(back)}
    for node in answer["nodes"]:
        for name in node["inputs"]:
            assert order[name] > order[node["name"]]


# ---- what can be asked


def test_of_and_wrt(ask):
    program, inputs = "a = x*y; b = a + x; c = b^2", {"x": 2, "y": 3}
    assert ask(program, inputs, of="a") == {"of": "a", "value": 6, "gradients": {"x": 3, "y": 2}}
    assert ask(program, inputs, of=["b"], wrt="a") == {"of": "b", "value": 8, "gradients": {"a": 1}}
    assert ask(program, inputs, wrt=["y", "a"])["gradients"] == {"y": 32, "a": 16}


def test_of_itself(ask):
    assert ask("f = x^2", {"x": 3}, wrt=["f"]) == {"of": "f", "value": 9, "gradients": {"f": 1}}


def test_independent(ask):
    answer = ask("a = x * 1; f = y^2", {"x": [1, 2], "y": 3})
    assert answer == {"of": "f", "value": 9, "gradients": {"x": [0, 0], "y": 6}, "independent": ["x"]}


def test_a_written_node_stays_itself(ask):
    assert ask("h = x*1; f = grad(h*x, h)", {"x": 5})["value"] == 5


def test_evaluate(ask):
    assert ask("a = x+1; b = a*2", {"x": [1, 2]}, query="evaluate") == {"values": {"b": [4, 6]}}
    answer = ask("a = x+1; b = a*2", {"x": [1, 2]}, query="evaluate", of=["b", "a", "x"])
    assert answer == {"values": {"b": [4, 6], "a": [2, 3], "x": [1, 2]}}
    assert list(answer["values"]) == ["b", "a", "x"]


def test_a_cotangent(ask, refuse):
    assert ask("f = x^2", {"x": [1, 2, 3]}, cotangent=[1, 10, -1])["gradients"] == {"x": [2, 40, -6]}
    assert ask("f = x^2", {"x": [[3]]}, cotangent=[[2]])["gradients"] == {"x": [[12]]}
    assert ask("f = x^2", {"x": [[3]]})["gradients"] == {"x": [[6]]}
    (error,) = refuse(program="f = x^2", inputs={"x": [1, 2]})
    assert error["code"] == "missing_cotangent" and error["pointer"] == "/cotangent"
    (error,) = refuse(program="f = x^2", inputs={"x": [1, 2]}, cotangent=[1, 2, 3])
    assert error["code"] == "shape_mismatch" and error["pointer"] == "/cotangent"
    assert error["expected"] == [2] and error["actual"] == [3]


def test_dtypes(ask):
    program, inputs = "f = x * y", {"x": 0.1, "y": 3}
    assert ask(program, inputs)["value"] == 0.1 * 3
    assert ask(program, inputs, dtype="float32")["value"] == pytest.approx(0.3, rel=1e-7)


def test_float32_is_written_shortest(client):
    for text in ("0.1", "3.4028235e38", "1e-45", "16777216", "0.33333334", "-0"):
        body = '{"program": "f = Identity(x)", "dtype": "float32", "inputs": {"x": %s}}' % text
        assert exactly(client, body) == '{"of":"f","value":%s,"gradients":{"x":1}}' % text


def test_float64_is_written_shortest(client):
    generator = random.Random(3)
    for _ in range(200):
        (value,) = struct.unpack("<d", generator.randbytes(8))
        if math.isfinite(value):
            answer = client.post("/v1/differentiate", json={"program": "f = Identity(x)", "inputs": {"x": value}})
            assert answer.json()["value"] == value
            text = answer.text.split('"value":')[1].split(",")[0]
            assert len(text.replace("+", "")) <= len(repr(value).replace("+", "")), (text, value)


def test_minus_zero(client):
    assert exactly(client, '{"program": "f = -x", "inputs": {"x": 0}}') == '{"of":"f","value":-0,"gradients":{"x":-1}}'


def test_higher_derivatives(ask):
    program = "f = Sin(x)*Exp(2*x)\nd1 = grad(f, x)\nd2 = grad(d1, x)\nd3 = grad(d2, x)"
    answer = ask(program, {"x": 0.7})
    at = complex(2, 1)
    assert answer["value"] == pytest.approx((at**3 * complex(math.e) ** (at * 0.7)).imag, rel=1e-13)
    assert answer["gradients"]["x"] == pytest.approx((at**4 * complex(math.e) ** (at * 0.7)).imag, rel=1e-13)


def test_grad_of_grad_of_grad_in_one_line(ask):
    assert ask("f = grad(grad(grad(x^5, x), x), x)", {"x": 2})["value"] == 60 * 4


def test_grad_sums_what_is_not_a_scalar(ask):
    assert ask("f = grad(x^3, x)", {"x": [1, 2]}, query="evaluate")["values"]["f"] == [3, 12]


def test_nonfinite_is_null(ask):
    answer = ask("f = Log(x)", {"x": [0, 1]}, cotangent=[1, 1])
    assert answer == {"of": "f", "value": [None, 0], "gradients": {"x": [None, 1]}, "nonfinite": True}
    assert "nonfinite" not in ask("f = Log(x)", {"x": 1})


def test_flat_tensors(ask):
    answer = ask("f = x @ y", {"x": [[1, 2]], "y": [[3], [4]]}, flat=True)
    assert answer["value"] == {"shape": [1, 1], "data": [11]}
    assert answer["gradients"]["y"] == {"shape": [2, 1], "data": [1, 2]}
    inputs = {"x": {"shape": [1, 2], "data": [1, 2]}, "y": {"shape": [2, 1], "data": [3, 4]}}
    assert ask("f = x @ y", inputs)["value"] == [[11]]
    assert ask("f = 2", flat=True)["value"] == {"shape": [], "data": [2]}


def test_empty_tensors(ask):
    assert ask("f = ReduceSum(x^2)", {"x": []}) == {"of": "f", "value": 0, "gradients": {"x": []}}
    answer = ask("f = X @ W", {"X": {"shape": [0, 2], "data": []}, "W": [[1], [2]]}, cotangent={"shape": [0, 1], "data": []})
    assert answer["value"] == [] and answer["gradients"] == {"X": [], "W": [[0], [0]]}
    assert ask("f = ReduceSum(x)", {"x": [[], []]})["gradients"] == {"x": [[], []]}


@pytest.mark.parametrize("rank", range(9))
def test_every_rank(ask, rank):
    x = 3
    for _ in range(rank):
        x = [x]
    answer = ask("f = x^2", {"x": x})
    assert flat(answer["value"]) == [9] and flat(answer["gradients"]["x"]) == [6]
    assert ask("f = x^2", {"x": x}, flat=True)["value"]["shape"] == [1] * rank


def test_attributes_in_a_trace(ask):
    answer = ask("s = Softmax(x, axis=0); f = ReduceSum(s*s, axes=[0], keepdims=1)", {"x": [1, 2, 3]}, trace=True)
    nodes = {node["name"]: node for node in answer["nodes"]}
    assert nodes["s"]["attributes"] == {"axis": 0}
    assert nodes["f"]["attributes"] == {"axes": [0], "keepdims": 1}
    assert nodes["_1"]["op"] == "Mul" and nodes["_1"]["inputs"] == ["s", "s"]


def test_a_trace_shows_what_has_no_gradient(ask):
    answer = ask("a = x*2; b = x+1; f = b^2", {"x": 1}, trace=True)
    nodes = {node["name"]: node for node in answer["nodes"]}
    assert nodes["a"]["value"] == 2 and nodes["a"]["gradient"] == 0
    assert "a" not in answer["backward"]


# ---- programs


@pytest.mark.parametrize(
    "program, value",
    [
        ("f = -3^2", -9),
        ("f = 2^3^2", 512),
        ("f = 2**3", 8),
        ("f = 2^-1", 0.5),
        ("f = 1 - 2 - 3", -4),
        ("f = 8 / 4 / 2", 1),
        ("f = 1 + 2 * 3", 7),
        ("f = -2 * -3", 6),
        ("f = (1 + 2) * 3", 9),
        ("f = .5 + 1. + 2.5E+1", 26.5),
        ("a = 1; f = a + 1 # not + 5", 2),
        ("# nothing\n\na = 1\r\nf = a", 1),
        ("f = ReduceSum(\n  Concat(1 * Reshape(2, shape=[1]),\n  Reshape(3, shape=[1]), axis=0)\n)", 5),
        ("a, b = 2, 3; f = a - b", -1),
        ("f = sIgMoId(0)", 0.5),
        ("f = add(1, POW(2, 3))", 9),
        ("Sigmoid = 3; f = Sigmoid + 1", 4),
        ("f = 0^0", 1),
        ("f = Sum(Reshape(4, shape=[1, 1]))", 4),
        (["a = 1", "", "f = a", "# done"], 1),
    ],
)
def test_the_notation(ask, program, value):
    assert flat(ask(program, query="evaluate")["values"]["f"]) == [value]


def test_names_are_case_sensitive(ask):
    assert ask("f = x - X", {"x": 5, "X": 3})["gradients"] == {"x": 1, "X": -1}


def test_expressions_of_a_line_do_not_know_its_names(refuse):
    (error,) = refuse(program="a, b = 1, a; f = b")
    assert error["code"] == "unknown_name" and error["line"] == 1


@pytest.mark.parametrize(
    "program, inputs, code, line, column, detail",
    [
        ("f = sqr(x)", {"x": 1}, "unknown_op", 1, 5, "did you mean 'Sqrt'?"),
        ("f = x\ng = f + fo", {"x": 1}, "unknown_name", 2, 9, "no name 'fo'"),
        ("a = weights\nb = wieghts", {"weights": 1}, "unknown_name", 2, 5, "did you mean 'weights'?"),
        ("f = x\nf = 2", {"x": 1}, "duplicate_name", 2, 1, "'f'"),
        ("f = (x", {"x": 1}, "syntax_error", 1, 7, ""),
        ("f = x +", {"x": 1}, "syntax_error", 1, 8, ""),
        ("f = Exp(x, x)", {"x": 1}, "wrong_arity", 1, 5, "Exp"),
        ("f = Softmax(x, axes=1)", {"x": [1]}, "unknown_attribute", 1, 16, "axes"),
        ("f = Softmax(x, axis=3)", {"x": [1]}, "invalid_attribute", 1, 5, ""),
        ("f = Concat(x, x)", {"x": [1]}, "missing_attribute", 1, 5, "axis"),
        ("f = x @ y", {"x": [[1, 2]], "y": [[1, 2]]}, "shape_mismatch", 1, 7, "(1,2)"),
        ("ä = x", {"x": 1}, "syntax_error", 1, 1, ""),
    ],
)
def test_mistakes_in_programs(refuse, program, inputs, code, line, column, detail):
    errors = refuse(program=program, inputs=inputs)
    found = [error for error in errors if error["code"] == code]
    assert found, errors
    assert (found[0]["line"], found[0]["column"]) == (line, column), errors
    assert found[0]["pointer"] == "/program" and detail in found[0]["detail"], errors


def test_all_mistakes_at_once(refuse):
    errors = refuse(program="a = Sigmod(x)\nb = Linear(x, w)\nc = y + 1", inputs={"x": [[1, 2]], "w": [[1], [2], [3]]})
    assert sorted((error["line"], error["code"]) for error in errors) == [
        (1, "unknown_op"),
        (2, "shape_mismatch"),
        (3, "unknown_name"),
    ]


def test_unknown_names_get_a_guess(refuse):
    errors = refuse(program="cost = weights^2", inputs={"weights": 1}, of="cots", wrt=["wieghts", "weights", "weights"])
    assert [(error["pointer"], error["code"]) for error in errors] == [
        ("/of", "unknown_name"),
        ("/wrt/0", "unknown_name"),
        ("/wrt/2", "invalid_value"),
    ]
    assert "did you mean 'cost'?" in errors[0]["detail"]
    assert "did you mean 'weights'?" in errors[1]["detail"]


def test_a_value_that_is_no_tensor_is_the_only_mistake(refuse):
    (error,) = refuse(program="f = x", inputs={"x": None})
    assert error["code"] == "wrong_type" and error["pointer"] == "/inputs/x"


def test_a_misspelt_input_is_no_new_input(refuse):
    errors = refuse(program="f = rate * time", inputs={"rate": 2, "tiem": 3})
    assert [error["code"] for error in errors] == ["unknown_name"] * len(errors)
    assert errors[0]["pointer"] == "/program" and "did you mean 'tiem'?" in errors[0]["detail"]


def test_queries_of_other_kinds_are_named(refuse):
    (error,) = refuse(program="f = 1", query="gradeint")
    assert error["pointer"] == "/query" and "gradient" in error["detail"] and "evaluate" in error["detail"]
