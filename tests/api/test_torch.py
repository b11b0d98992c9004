"""Values, first and second derivatives of whole programs against PyTorch, in float64.

The tests of ops need only dumps; this one asks PyTorch itself, where it is installed (python3-torch).
"""
import random

import pytest

torch = pytest.importorskip("torch", reason="python3-torch is not installed")
F = torch.nn.functional


def bce(p, y):
    """binary_cross_entropy as it is defined: PyTorch's derivative of it has an epsilon of 1e-12 in a denominator."""
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


# name: (program with `f` as a scalar, the same in PyTorch, shapes of inputs)
CASES = {
    "square": ("f = Sum(x^2)", lambda x: (x**2).sum(), {"x": [3]}),
    "cube": ("f = Sum(x^3 / 6)", lambda x: (x**3 / 6).sum(), {"x": [2, 3]}),
    "power": ("f = Sum(Exp(x)^y)", lambda x, y: (x.exp() ** y).sum(), {"x": [4], "y": [4]}),
    "quotient": ("f = Sum(x / (2 + y*y))", lambda x, y: (x / (2 + y * y)).sum(), {"x": [3, 2], "y": [2]}),
    "broadcast": ("f = Sum((x - y)^2 * z)", lambda x, y, z: ((x - y) ** 2 * z).sum(), {"x": [3, 1], "y": [4], "z": []}),
    "exp": ("f = Sum(Exp(Sin(x)))", lambda x: x.sin().exp().sum(), {"x": [5]}),
    "log": ("f = Sum(Log(x*x + 1))", lambda x: (x * x + 1).log().sum(), {"x": [5]}),
    "sqrt": ("f = Sum(Sqrt(x*x + 1))", lambda x: (x * x + 1).sqrt().sum(), {"x": [5]}),
    "trigonometry": ("f = Sum(Sin(x) * Cos(2*x))", lambda x: (x.sin() * (2 * x).cos()).sum(), {"x": [5]}),
    "tanh": ("f = Sum(Tanh(x @ w))", lambda x, w: (x @ w).tanh().sum(), {"x": [2, 3], "w": [3, 2]}),
    "sigmoid": ("f = Mean(Sigmoid(x)^2)", lambda x: (x.sigmoid() ** 2).mean(), {"x": [7]}),
    "relu": ("f = Sum(Relu(x)^3)", lambda x: (x.relu() ** 3).sum(), {"x": [9]}),
    "softplus": ("f = Sum(Softplus(3*x))", lambda x: F.softplus(3 * x).sum(), {"x": [6]}),
    "abs": ("f = Sum(Abs(x) * x)", lambda x: (x.abs() * x).sum(), {"x": [6]}),
    "max": ("f = Sum(Max(x, y)^2 + Min(x, y)^3)", lambda x, y: (torch.maximum(x, y) ** 2 + torch.minimum(x, y) ** 3).sum(), {"x": [5], "y": [5]}),
    "where": ("f = Sum(Where(Greater(x, y), x^2, y^3))", lambda x, y: torch.where(x > y, x**2, y**3).sum(), {"x": [6], "y": [6]}),
    "batched product": ("f = Sum((a @ b)^2)", lambda a, b: ((a @ b) ** 2).sum(), {"a": [2, 3, 4], "b": [4, 2]}),
    "vectors": ("f = (u @ v)^2", lambda u, v: (u @ v) ** 2, {"u": [4], "v": [4]}),
    "quadratic form": ("f = u @ A @ u", lambda u, A: u @ A @ u, {"u": [3], "A": [3, 3]}),
    "transpose": ("f = Sum(Transpose(x) @ x * y)", lambda x, y: (x.T @ x * y).sum(), {"x": [2, 3], "y": [3, 3]}),
    "reshape": ("f = Sum(Reshape(x, shape=[3, -1])^2 @ y)", lambda x, y: (x.reshape(3, -1) ** 2 @ y).sum(), {"x": [2, 6], "y": [4]}),
    "concat": ("f = Sum(Concat(x, y, axis=1)^3)", lambda x, y: (torch.cat([x, y], 1) ** 3).sum(), {"x": [2, 2], "y": [2, 3]}),
    "slice": ("f = Sum(Slice(x, starts=[1], ends=[4], axes=[0])^2)", lambda x: (x[1:4] ** 2).sum(), {"x": [6, 2]}),
    "softmax": ("f = Sum(Softmax(x)^2)", lambda x: (x.softmax(-1) ** 2).sum(), {"x": [3, 4]}),
    "log softmax": ("f = Sum(LogSoftmax(x, axis=0) * y)", lambda x, y: (x.log_softmax(0) * y).sum(), {"x": [3, 4], "y": [3, 4]}),
    "reductions": ("f = Sum(ReduceMean(x^2, axes=[0]) * ReduceMax(x, axes=[0]))", lambda x: ((x**2).mean(0) * x.amax(0)).sum(), {"x": [4, 3]}),
    "mse": ("f = MSE(Tanh(x), y)", lambda x, y: F.mse_loss(x.tanh(), y), {"x": [4, 2], "y": [4, 2]}),
    "mae": ("f = MAE(x^2, y)", lambda x, y: F.l1_loss(x**2, y), {"x": [4], "y": [4]}),
    "bce": ("f = BCE(Sigmoid(x), Sigmoid(y))", lambda x, y: bce(x.sigmoid(), y.sigmoid()), {"x": [5], "y": [5]}),
    "bce with logits": ("f = BCEWithLogits(x, Sigmoid(y))", lambda x, y: F.binary_cross_entropy_with_logits(x, y.sigmoid()), {"x": [5], "y": [5]}),
    "cross entropy": ("f = CrossEntropy(x, Softmax(y))", lambda x, y: F.cross_entropy(x, y.softmax(-1)), {"x": [4, 3], "y": [4, 3]}),
    "lesson": (
        "l1 = Linear(X, W1, b1)\ns1 = Sigmoid(l1)\nl2 = Linear(s1, W2, b2)\nf = MSE(l2, y)",
        lambda X, W1, b1, W2, b2, y: F.mse_loss((X @ W1 + b1).sigmoid() @ W2 + b2, y),
        {"X": [5, 3], "W1": [3, 4], "b1": [4], "W2": [4, 1], "b2": [1], "y": [5, 1]},
    ),
}  # fmt: skip
TOLERANCE = {"rtol": 1e-11, "atol": 1e-13}


def inputs_of(name, shapes):
    generator = torch.Generator().manual_seed(random.Random(name).randrange(1 << 30))
    return {
        key: torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for key, shape in shapes.items()
    }


def asked(client, program, inputs):
    body = {"program": program, "inputs": {name: value.tolist() for name, value in inputs.items()}}
    answer = client.post("/v1/differentiate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def compare(answer, value, inputs):
    gradients = torch.autograd.grad(value, list(inputs.values()), create_graph=True, allow_unused=True)
    torch.testing.assert_close(torch.tensor(answer["value"], dtype=torch.float64), value.detach(), **TOLERANCE)
    for (name, leaf), gradient in zip(inputs.items(), gradients):
        told = torch.tensor(answer["gradients"][name], dtype=torch.float64)
        expected = torch.zeros_like(leaf) if gradient is None else gradient.detach()
        torch.testing.assert_close(told, expected, **TOLERANCE, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("name", CASES)
def test_first_derivatives(client, name):
    program, function, shapes = CASES[name]
    inputs = inputs_of(name, shapes)
    compare(asked(client, program, inputs), function(**inputs), inputs)


@pytest.mark.parametrize("name", CASES)
def test_second_derivatives(client, name):
    """The gradient of Sum(grad(f, first) * Sin(first))."""
    program, function, shapes = CASES[name]
    inputs = inputs_of(name, shapes)
    first = next(iter(inputs))
    (gradient,) = torch.autograd.grad(function(**inputs), inputs[first], create_graph=True)
    value = (gradient * inputs[first].sin()).sum()
    compare(asked(client, f"{program}\nq = Sum(grad(f, {first}) * Sin({first}))", inputs), value, inputs)
