"""Hostile and mistaken input: each is answered at once with a problem document that says where, and the server lives."""
import json
import time

import pytest

SECONDS_MAX = 2  # for an answer, on a machine that does nothing else
SLOWER = 5  # what a busy machine may take longer


@pytest.fixture
def refuse(client, problem):
    """refuse(body, status, code): a problem, soon; afterwards the server is well. body: a value, or the bytes."""

    def run(body, status, code, path="/v1/differentiate", method="POST"):
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        start = time.monotonic()
        answer = client.request(method, path, data=data, headers={"Content-Type": "application/json"})
        assert time.monotonic() - start < SECONDS_MAX * SLOWER
        document = problem(answer, status, code)
        assert client.get("/healthz").status_code == 200
        assert document.get("error_count", 0) <= 100 or len(document["errors"]) == 100
        return document

    return run


def the_error(document):
    assert document["error_count"] == 1, document
    return document["errors"][0]


# ---- JSON that is not strict


@pytest.mark.parametrize(
    "body, line, column",
    [
        ('{"program": "f = x",\n "program": "f = y"}', 2, 10),
        ('{"inputs": {"x": 1, "x": 2}}', 1, 23),
        ('{"inputs": {"x": NaN}}', 1, 18),
        ('{"inputs": {"x": Infinity}}', 1, 25),
        ('{"inputs": {"x": -Infinity}}', 1, 18),
        ('{"inputs": {"x": 1e999}}', 1, 22),
        ('{"inputs": {"x": 0x10}}', 1, 20),
        ('{"inputs": {"x": 01}}', 1, 19),
        ('{"inputs": {"x": 1,}}', 1, 20),
        ('{"inputs": {"x": [1, 2', 1, 22),
        ("{'program': 'f'}", 1, 2),
        ("{} {}", 1, 4),
        ("program", 1, 7),
    ],
)
def test_json_that_is_not_strict(refuse, body, line, column):
    error = the_error(refuse(body, 400, "invalid_json"))
    assert error["line"] == line
    assert abs(error["column"] - column) <= 2


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf{}",
        b'{"program": "\xff"}',
        b'{"program": "\\ud800"}',
        b'{"program": "\\udc00\\ud800"}',
        b'{"program": "a\\u0000b"}',
        b'{"a\\u0000": 1}',
        b'{"program": "a\tb"}',
        b'{"program": "a\x00b"}',
        b"\x00",
        b"[" * 65 + b"]" * 65,
        b"[" * 1000000,
        b'{"a":' * 1000000,
        b'{"program": "f = 1"}\x00',
    ],
    ids=range(13),
)
def test_text_that_is_not_json(refuse, body):
    error = the_error(refuse(body, 400, "invalid_json"))
    assert error["line"] == 1 and error["column"] >= 1


def test_no_body(refuse):
    refuse(b"", 400, "missing_body")


def test_no_object(refuse):
    for body in ("1", "null", '"program"', "[]", "true"):
        document = refuse(body, 422, "wrong_type")
        assert document["errors"][0]["pointer"] == ""


# ---- fields


def test_unknown_fields_get_a_guess(refuse):
    document = refuse({"progam": "f = 1", "program": "f = 1", "zzz": 1}, 422, "unknown_field")
    assert [error["pointer"] for error in document["errors"]] == ["/progam", "/zzz"]
    assert "did you mean 'program'?" in document["errors"][0]["detail"]
    assert "the fields are: program, inputs" in document["errors"][1]["detail"]


def test_the_type_of_every_field(refuse):
    for field, value, pointer in [
        ("inputs", [], "/inputs"),
        ("inputs", {"x": "1"}, "/inputs/x"),
        ("inputs", {"x": True}, "/inputs/x"),
        ("inputs", {"x": [1, [2]]}, "/inputs/x/1"),
        ("inputs", {"x": {"shape": [2], "data": [1]}}, "/inputs/x/data"),
        ("inputs", {"x": {"shape": [1.5], "data": [1]}}, "/inputs/x/shape/0"),
        ("inputs", {"x": {"shape": [-1], "data": []}}, "/inputs/x/shape/0"),
        ("of", 1, "/of"),
        ("wrt", [None], "/wrt/0"),
        ("trace", "yes", "/trace"),
        ("dtype", "float16", "/dtype"),
        ("query", 1, "/query"),
        ("cotangent", {}, "/cotangent/shape"),
    ]:
        document = refuse({"program": "f = x", "inputs": {"x": 1}, **{field: value}}, 422, "invalid_query")
        assert pointer in [error["pointer"] for error in document["errors"]], (field, value, document)


def test_numbers_beyond_the_dtype(refuse):
    body = {"program": "f = x", "inputs": {"x": [1, 1e39]}, "dtype": "float32"}
    error = the_error(refuse(body, 422, "nonfinite_number"))
    assert error["pointer"] == "/inputs/x/1" and "1e39" in error["detail"]


def test_a_ragged_tensor(refuse):
    error = the_error(refuse({"program": "f = x", "inputs": {"x": [[1, 2], [3]]}}, 422, "invalid_tensor"))
    assert error["pointer"] == "/inputs/x/1"


def test_a_rank_over_the_limit(refuse):
    refuse({"program": "f = x", "inputs": {"x": [[[[[[[[[1]]]]]]]]]}}, 422, "rank_too_large")


# ---- too much


def test_a_body_over_the_limit(refuse):
    refuse(b" " * ((64 << 20) + 1), 413, "body_too_large")


def test_a_chunked_body_over_the_limit(client, problem):
    answer = client.post(
        "/v1/jobs", data=(b" " * 65536 for _ in range(20)), headers={"Content-Type": "application/json"}
    )
    problem(answer, 413, "body_too_large")
    assert client.get("/healthz").status_code == 200


def test_values_that_would_fill_the_memory(refuse):
    refuse('{"program": "f = x", "inputs": {"x": [' + "{}," * 5000000 + "1]}}", 413, "body_too_large")


def test_a_ragged_array_that_claims_billions(refuse):
    rows = "[" + "0," * 40000 + "0]" + ",[]" * 40000
    refuse('{"program": "f = x", "inputs": {"x": [' + rows + "]}}", 422, "invalid_tensor")


def test_a_million_mistakes(refuse):
    document = refuse('{"program": "f = x", "inputs": {"x": [' + "null," * 999999 + "null]}}", 422, "wrong_type")
    assert document["error_count"] == 1000000


def test_a_hundred_thousand_unknown_fields(refuse):
    document = refuse({f"k{i}": i for i in range(100000)}, 422, "unknown_field")
    assert document["error_count"] == 100001


def test_a_program_of_a_million_characters(client):
    """It is within the limits, and is answered."""
    terms = 499998
    start = time.monotonic()
    answer = client.post("/v1/differentiate", json={"program": "f = x" + "+x" * terms, "inputs": {"x": 1}})
    assert time.monotonic() - start < SECONDS_MAX * SLOWER
    assert answer.json() == {"of": "f", "value": terms + 1, "gradients": {"x": terms + 1}}


def test_a_program_over_the_limit(refuse):
    error = the_error(refuse({"program": "f = x" + "+x" * 600000, "inputs": {"x": 1}}, 422, "limit_exceeded"))
    assert error["pointer"] == "/program" and "1048576" in error["detail"] and "1200005" in error["detail"]


@pytest.mark.parametrize(
    "program",
    [
        "f = " + "(" * 10000 + "x" + ")" * 10000,
        "f = " + "Exp(" * 10000 + "x" + ")" * 10000,
        "f = " + "x^" * 10000 + "x",
        "f = " + "(" * 500000,
        "f = Reshape(x, shape=" + "[" * 10000 + "]" * 10000 + ")",
    ],
    ids=["groups", "calls", "powers", "open", "lists"],
)
def test_parentheses_ten_thousand_deep(refuse, program):
    document = refuse({"program": program, "inputs": {"x": 1}}, 422, "invalid_query")
    assert document["errors"][0]["line"] == 1 and document["errors"][0]["column"] >= 5


@pytest.mark.parametrize(
    "program",
    [
        "f = x" + "*x" * 499998,
        "g0 = x*Sin(x)\n" + "".join(f"g{i + 1} = grad(g{i}*Sin(g{i}), x)\n" for i in range(20)),
        "g0 = Exp(x*Sin(x))\n" + "".join(f"g{i + 1} = grad(g{i}, x)\n" for i in range(60)),
        "f = " + "grad(" * 100 + "Exp(Sin(x*x))" + ", x)" * 100,
    ],
    ids=["product", "squares", "lines", "nested"],
)
def test_a_gradient_that_would_explode(refuse, program):
    document = refuse({"program": program, "inputs": {"x": 0.1}}, 422, "limit_exceeded")
    assert "1000000 nodes" in document["errors"][0]["detail"]
    assert document["errors"][0]["pointer"] == ""


def test_squares_of_squares(client):
    """A value of 2^60 paths, and a graph of 60 nodes."""
    program = "a0 = x\n" + "".join(f"a{i + 1} = a{i} * a{i} + x\n" for i in range(60))
    answer = client.post("/v1/differentiate", json={"program": program, "inputs": {"x": 0.1}})
    assert answer.json()["gradients"]["x"] == pytest.approx(1 / (1 - 0.4) ** 0.5, rel=1e-9)


def test_tensors_that_would_explode(refuse):
    for program, inputs in [
        ("f = ReduceSum(Expand(x, shape=[65536, 65536, 65536]))", {"x": 1}),
        ("f = ReduceSum(Expand(x, shape=[9007199254740991, 9007199254740991]))", {"x": 1}),
        ("a = Reshape(x, shape=[-1, 1]) @ Reshape(x, shape=[1, -1])\nf = ReduceSum(a)", {"x": [1] * 50000}),
    ]:
        refuse({"program": program, "inputs": inputs}, 422, "invalid_query")


def test_a_computation_over_the_limit_on_memory(refuse):
    """A small answer on a way of 17 GB."""
    body = {"program": "f = ReduceSum(CumSum(Expand(x, shape=[2147483648]), axis=0))", "inputs": {"x": 1}}
    assert the_error(refuse(body, 422, "invalid_query"))["code"] == "limit_exceeded"


def test_a_model_of_too_many_parameters(refuse):
    body = {
        "name": "large",
        "program": "f = x @ W",
        "inputs": {"x": {"shape": ["batch", 3]}},
        "parameters": {"W": {"shape": [3, 30000000]}},
    }
    error = the_error(refuse(body, 422, "invalid_model", "/v1/models"))
    assert (error["code"], error["pointer"]) == ("limit_exceeded", "/parameters")
    assert "90000000" in error["detail"] and "67108864" in error["detail"]


def test_an_index_out_of_range(refuse):
    body = {"program": "f = Gather(x, i)", "inputs": {"x": [1, 2], "i": 5}, "wrt": "x"}
    error = the_error(refuse(body, 422, "invalid_query"))
    assert (error["code"], error["pointer"]) == ("index_out_of_range", "/inputs")


def test_a_nul_after_a_number(refuse):
    assert the_error(refuse(b'{"program": "f = x", "inputs": {"x": [1\0]}}', 400, "invalid_json"))["column"] == 40


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "application/json; charset=latin1"}, {"Content-Type": "application/json", "Content-Encoding": "gzip"}],
)
def test_codings_that_are_not_read(client, problem, headers):
    problem(client.post("/v1/differentiate", data=b"{}", headers=headers), 415, "unsupported_media_type")


def test_an_answer_over_the_limit(refuse):
    body = {"program": "f = ReduceSum(Reshape(x, shape=[-1, 1]) * x)", "inputs": {"x": [1] * 4000}, "trace": True}
    error = the_error(refuse(body, 422, "limit_exceeded"))
    assert "10000000" in error["detail"]


def test_ten_thousand_names(client):
    program = "".join(f"a{i + 1} = a{i} * x\n" for i in range(9990))
    start = time.monotonic()
    answer = client.post("/v1/differentiate", json={"program": program, "inputs": {"x": 1, "a0": 1}})
    assert time.monotonic() - start < SECONDS_MAX * SLOWER
    assert answer.json()["gradients"] == {"a0": 1, "x": 9990}


def test_too_many_names(refuse):
    program = "".join(f"a{i + 1} = a{i} * x\n" for i in range(20000))
    error = the_error(refuse({"program": program, "inputs": {"x": 1, "a0": 1}}, 422, "limit_exceeded"))
    assert "10000 names" in error["detail"]


def test_ten_thousand_unknown_names(refuse):
    inputs = {f"weight{i}": 1 for i in range(10000)}
    refuse({"program": "f = wieght1", "inputs": inputs}, 422, "unknown_name")
    refuse({"program": "f = " + "+".join(f"wieght{i}" for i in range(9000)), "inputs": inputs}, 422, "unknown_name")
    refuse({"program": "f = x", "inputs": {"x": 1}, "wrt": list(inputs)}, 422, "unknown_name")
    refuse({"program": "f = x", "inputs": {"x": 1}, "wrt": [*inputs, "x"]}, 422, "limit_exceeded")


# ---- models


def test_models_of_ten_thousand_names(refuse):
    leaves = {f"w{i}": {"shape": [1]} for i in range(5000)}
    declared = "".join(f"v{i} = Input()\n" for i in range(5000))
    refuse({"program": declared, "inputs": leaves, "parameters": {"p": {}}}, 422, "unknown_name", "/v1/models")
    refuse({"program": declared, "inputs": leaves, "parameters": leaves}, 422, "duplicate_name", "/v1/models")
    nodes = [{"name": f"n{i}", "op": "Relu", "inputs": [f"v{i}"]} for i in range(5000)]
    refuse({"nodes": nodes, "inputs": leaves}, 422, "unknown_name", "/v1/models")
    refuse({"nodes": nodes * 3, "inputs": leaves}, 422, "limit_exceeded", "/v1/models")


def test_nodes_of_a_million_inputs(refuse):
    nodes = [{"name": "a", "op": "Concat", "inputs": [1] * 2000000, "attributes": {"axis": 0}}]
    refuse({"nodes": nodes}, 422, "limit_exceeded", "/v1/models")
    nodes = [{"op": "Concat", "inputs": [1] * 10000, "attributes": {"axis": 0}}] * 500
    refuse({"nodes": nodes}, 422, "limit_exceeded", "/v1/models")


def test_layers_by_the_thousand(refuse):
    refuse({"layers": ["Relux"] * 20000, "input": 3}, 422, "limit_exceeded", "/v1/models")
    refuse({"layers": ["Relux"] * 9000, "input": 3}, 422, "unknown_op", "/v1/models")


def test_names_that_exist(client, refuse):
    body = {"name": "taken", "program": "f = x * 2", "inputs": {"x": {"shape": ["batch"]}}}
    assert client.post("/v1/models", json=body).status_code == 201
    refuse(body, 409, "name_taken", "/v1/models")
    refuse({**body, "program": "f = x * 3"}, 409, "name_taken", "/v1/models")
    assert client.delete("/v1/models/taken").status_code == 204


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "a" * 65, "é", "..", "a\n"])
def test_names_that_are_none(refuse, name):
    error = the_error(refuse({"name": name, "program": "f = 1"}, 422, "invalid_name", "/v1/models"))
    assert error["pointer"] == "/name"


def test_a_refused_model_is_not_there(client, refuse):
    refuse({"name": "half", "program": "f = Sigmod(1)"}, 422, "unknown_op", "/v1/models")
    assert client.get("/v1/models/half").status_code == 404


def test_a_parameter_of_billions(refuse):
    body = {"name": "huge", "program": "f = X @ W", "inputs": {"X": {"shape": ["batch", 65536]}}}
    body["parameters"] = {"W": {"shape": [65536, 65536]}}
    refuse(body, 422, "invalid_model", "/v1/models")


def test_data_sets_that_are_none(refuse, client):
    for body, status, code in [
        ({"columns": {"a": [1, 2], "b": [1]}}, 422, "invalid_dataset"),
        ({"columns": {"a": [1, None]}}, 422, "invalid_dataset"),
        ({"columns": {}}, 422, "invalid_dataset"),
        ({"header": ["a"], "rows": []}, 422, "invalid_dataset"),
        ({"header": ["a", "a"], "rows": [[1, 2]]}, 422, "invalid_dataset"),
        ('{"columns": {"a": [1], "a": [2]}}', 400, "invalid_json"),
        ('{"columns": {"a": [1', 400, "invalid_json"),
        ("[]", 422, "invalid_dataset"),
    ]:
        refuse(body, status, code, "/v1/datasets/bad", "PUT")
        assert client.get("/v1/datasets/bad").status_code == 404
