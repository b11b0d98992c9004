"""The three forms of a model build the same graphs, and every mistake in them is told at its place."""
import pytest

LESSON = [
    "X, y = Input(), Input()",
    "W1, b1 = Input(), Input()",
    "W2, b2 = Input(), Input()",
    "",
    "l1 = Linear(X, W1, b1)",
    "s1 = Sigmoid(l1)",
    "l2 = Linear(s1, W2, b2)",
    "cost = MSE(l2, y)",
]
INPUTS = {"X": {"shape": ["batch", 10]}, "y": {"shape": ["batch", 1]}}
PARAMETERS = {"W1": {"shape": [10, 8]}, "b1": {"shape": [8]}, "W2": {"shape": [8, 1]}, "b2": {"shape": [1]}}
NODES = [
    {"name": "l1", "op": "Linear", "inputs": ["X", "W1", "b1"]},
    {"name": "s1", "op": "Sigmoid", "inputs": ["l1"]},
    {"name": "l2", "op": "Linear", "inputs": ["s1", "W2", "b2"]},
    {"name": "cost", "op": "MSE", "inputs": ["l2", "y"]},
]
LAYERS = {"layers": [{"op": "Linear", "units": 8}, "Sigmoid", {"op": "Linear", "units": 1}], "input": 10, "loss": "MSE"}


@pytest.fixture
def accept(client):
    """accept(spec): what POST with dry_run answers; nothing is stored."""

    def run(**spec):
        answer = client.post("/v1/models?dry_run=true", json={"name": "form", **spec})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return run


@pytest.fixture
def refuse(client, problem):
    def run(**spec):
        answer = client.post("/v1/models?dry_run=true", json={"name": "form", **spec})
        return problem(answer, 422, "invalid_model")["errors"]

    return run


def shapes_of(model):
    return {node["name"]: node["shape"] for node in model["nodes"]}


def parameter_shapes(model):
    return {name: parameter["shape"] for name, parameter in model["parameters"].items()}


def test_the_lesson_as_it_stands(accept):
    model = accept(program="\n".join(LESSON), inputs=INPUTS, parameters=PARAMETERS, cost="cost")
    assert model["parameter_count"] == 97
    assert model["output"] == "l2" and model["cost"] == "cost" and model["dtype"] == "float32"
    assert shapes_of(model) == {
        "X": ["batch", 10], "y": ["batch", 1], "W1": [10, 8], "b1": [8], "W2": [8, 1], "b2": [1],
        "l1": ["batch", 8], "s1": ["batch", 8], "l2": ["batch", 1], "cost": [],
    }  # fmt: skip
    assert [(name, parameter["init"]) for name, parameter in model["parameters"].items()] == [
        ("W1", "glorot_uniform"), ("b1", "zeros"), ("W2", "glorot_uniform"), ("b2", "zeros"),
    ]  # fmt: skip


def test_shapes_that_follow_may_be_left_out(accept):
    told = {"W1": {"shape": [10, 8]}, "b1": {}, "W2": {}, "b2": {}}
    model = accept(program=LESSON, inputs=INPUTS, parameters=told, cost="cost")
    assert parameter_shapes(model) == {name: spec["shape"] for name, spec in PARAMETERS.items()}


def test_what_is_not_listed_is_of_the_other_kind(accept):
    by_inputs = accept(program=["p = Linear(X, W, b)"], inputs={"X": {"shape": ["batch", 3]}}, parameters={"W": {"shape": [3, 2]}, "b": {}})
    assert list(by_inputs["parameters"]) == ["W", "b"]
    declared = ["X, W, b = Input(), Input(), Input()", "y = Input()", "p = Linear(X, W, b)", "cost = MSE(p, y)"]
    model = accept(program=declared, inputs={"X": {"shape": ["batch", 3]}, "y": {"shape": ["batch", 1]}}, cost="cost")
    assert parameter_shapes(model) == {"W": [3, 1], "b": [1]}
    model = accept(program=["y = Input()", "f = MSE(w, y)"], parameters={"w": {"shape": [3]}})
    assert model["inputs"] == {"y": {"shape": [3]}}


def test_the_forms_agree(accept):
    by_program = accept(program=LESSON, inputs=INPUTS, parameters=PARAMETERS, cost="cost")
    by_nodes = accept(nodes=NODES, inputs=INPUTS, parameters=PARAMETERS, cost="cost")
    by_layers = accept(**LAYERS)
    for model in (by_nodes, by_layers):
        assert shapes_of(model) == shapes_of(by_program)
        assert parameter_shapes(model) == parameter_shapes(by_program)
        assert (model["output"], model["cost"]) == ("l2", "cost")
        assert model["parameter_count"] == by_program["parameter_count"]
        assert model["flops_per_sample"] == by_program["flops_per_sample"]


def test_the_forms_begin_with_the_same_numbers(client):
    gradients = []
    specs = [
        {"program": LESSON, "inputs": INPUTS, "parameters": PARAMETERS, "cost": "cost"},
        {"nodes": NODES, "inputs": INPUTS, "parameters": PARAMETERS, "cost": "cost"},
        LAYERS,
    ]
    for spec in specs:
        assert client.put("/v1/models/form", json={**spec, "seed": 7}).status_code == 201
        inputs = {"X": [[0.1 * i for i in range(10)]], "y": [[1]]}
        answer = client.post("/v1/models/form/gradient", json={"inputs": inputs}).json()
        gradients.append({name: answer["gradients"][name] for name in ("W1", "b1", "W2", "b2")})
        client.delete("/v1/models/form")
    assert gradients[0] == gradients[1] == gradients[2]


def test_numbers_among_inputs_are_constants(accept):
    model = accept(nodes=[{"name": "a", "op": "Mul", "inputs": ["x", [1, 2, 3]]}], inputs={"x": {"shape": ["batch", 3]}})
    assert shapes_of(model)["a"] == ["batch", 3]


def test_layers_for_classes(accept):
    model = accept(layers=[{"op": "Linear", "units": 4}, "Relu", {"op": "Linear", "units": 3}], input=2, loss="CrossEntropy")
    assert model["inputs"]["y"]["shape"] == ["batch", 1]
    assert {"l1", "r1", "l2", "cost"} <= set(shapes_of(model))


def test_a_value_as_init_tells_the_shape(accept):
    model = accept(program="f = x @ w", inputs={"x": {"shape": ["batch", 2]}}, parameters={"w": {"init": {"value": [[1], [2]]}}})
    assert parameter_shapes(model) == {"w": [2, 1]}


@pytest.mark.parametrize(
    "spec, code, pointer",
    [
        ({}, "missing_field", ""),
        ({"program": "f = 1", "nodes": []}, "conflicting_fields", "/nodes"),
        ({"program": "f = 1", "loss": "MSE"}, "conflicting_fields", "/loss"),
        ({"program": "f = 1", "paramters": {}}, "unknown_field", "/paramters"),
        ({"program": "f = 1", "seed": 1.5}, "wrong_type", "/seed"),
        ({"program": "f = 1", "seed": 9007199254740992}, "out_of_range", "/seed"),
        ({"program": "f = 1", "dtype": "float16"}, "invalid_value", "/dtype"),
        ({"program": "f = 1", "cost": "g"}, "unknown_name", "/cost"),
        ({"program": "f = x", "inputs": {"x": {"shape": ["batch", 2]}}, "cost": "f"}, "shape_mismatch", "/cost"),
        ({"program": "f = x + z", "inputs": {"x": {"shape": []}}}, "unknown_name", "/program"),
        ({"program": "f = x + z"}, "unknown_shape", "/program"),
        ({"program": "f = x", "inputs": {"x": {"shape": ["batch"]}, "z": {"shape": []}}}, "unknown_name", "/inputs/z"),
        ({"program": "f = x", "inputs": {"x": {"shap": []}}}, "unknown_field", "/inputs/x/shap"),
        ({"program": "f = x", "inputs": {"x": {"shape": [2, "batch"]}}}, "invalid_value", "/inputs/x/shape/1"),
        ({"program": "f = x", "parameters": {"x": {"shape": ["batch"]}}}, "invalid_value", "/parameters/x/shape"),
        ({"program": "f = x", "parameters": {"x": {"shape": [2], "init": "normall"}}}, "invalid_value", "/parameters/x/init"),
        ({"program": "f = x", "parameters": {"x": {"shape": [2], "init": {"value": [1]}}}}, "shape_mismatch", "/parameters/x/init/value"),
        ({"program": "f = x", "parameters": {"x": {"shape": [2], "init": {"value": [1, 1e39]}}}}, "nonfinite_number", "/parameters/x/init/value/1"),
        ({"nodes": [{"name": "a", "op": "Relu", "inputs": ["b"]}, {"name": "b", "op": "Relu", "inputs": [1]}], "inputs": {}}, "unknown_name", "/nodes/0/inputs/0"),
        ({"nodes": [{"name": "a", "op": "Relu", "inputs": [1]}, {"name": "a", "op": "Relu", "inputs": [1]}]}, "duplicate_name", "/nodes/1"),
        ({"nodes": [{"name": "a b", "op": "Relu", "inputs": [1]}]}, "invalid_name", "/nodes/0"),
        ({"nodes": [{"name": "@cotangent", "op": "Relu", "inputs": [1]}]}, "invalid_name", "/nodes/0"),
        ({"nodes": [{"op": "Relu", "inputs": ["a b"]}]}, "invalid_name", "/nodes/0/inputs/0"),
        ({"nodes": [{"name": "a", "inputs": [1]}]}, "missing_field", "/nodes/0/op"),
        ({"nodes": [{"name": "a", "op": "Softmax", "inputs": [[1]], "attributes": {"axis": "0"}}]}, "wrong_type", "/nodes/0/attributes/axis"),
        ({"nodes": [{"name": "a", "op": "Softmax", "inputs": [[1]], "attributes": {"axes": 0}}]}, "unknown_attribute", "/nodes/0/attributes/axes"),
        ({"layers": ["Relu"]}, "missing_field", "/input"),
        ({"layers": [], "input": 1}, "wrong_type", "/layers"),
        ({"layers": [{"op": "Linear"}], "input": 1}, "missing_attribute", "/layers/0"),
        ({"layers": ["Reluu"], "input": 1}, "unknown_op", "/layers/0"),
        ({"layers": ["Relu"], "input": 1, "loss": "MSEE"}, "unknown_op", "/loss"),
        ({"layers": ["Relu"], "input": ["batch", 1]}, "invalid_value", "/input"),
    ],
)  # fmt: skip
def test_mistakes(refuse, spec, code, pointer):
    errors = refuse(**spec)
    assert (code, pointer) in [(error["code"], error.get("pointer")) for error in errors], errors


def test_all_mistakes_of_the_contract_at_once(refuse):
    program = "\n".join(LESSON).replace("Sigmoid", "Sigmod").replace("Linear(s1, W2", "Linear(l1, W2")
    errors = refuse(program=program, inputs=INPUTS, parameters={**PARAMETERS, "W2": {"shape": [9, 1]}}, seed=-1)
    told = [(error["code"], error["pointer"], error.get("line"), error.get("column")) for error in errors]
    assert ("unknown_op", "/program", 6, 6) in told
    assert ("shape_mismatch", "/program", 7, 6) in told
    assert ("out_of_range", "/seed", None, None) in told
