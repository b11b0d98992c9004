"""What the planner makes of a few models, pinned in words: golden/NAME.txt, by gradd explain.

A change of the planner shows here as a change of these files; GRADD_WRITE_GOLDEN=1 writes them anew, to be read before
they are committed. The size of the plan itself, which depends on the compiler, is left out, and so is which products
the machine has code of LIBXSMM for.
"""
import json
import os
import pathlib
import subprocess

import pytest
from conftest import GRADD, IS_URL

GOLDEN = pathlib.Path(__file__).parent / "golden"
DENSE = {"op": "Linear", "units": 10}
MODELS = {
    "lesson": {"layers": [DENSE, "Sigmoid", {"op": "Linear", "units": 1}], "input": 13, "loss": "MSE"},
    "classes": {"layers": [DENSE, "Relu", {"op": "Linear", "units": 3}], "input": 4, "loss": "CrossEntropy"},
    "elementwise": {
        "program": ["h = Tanh(X * w) + X", "out = Exp(-h ^ 2) / (1 + h * h)", "cost = ReduceMean(out)"],
        "inputs": {"X": {"shape": ["batch", 6]}}, "parameters": {"w": {"shape": [6]}}, "cost": "cost", "output": "out",
    },
    "embedding": {
        "program": ["e = Gather(E, k)", "l = Linear(e, W, b)", "cost = MSE(l, y)"],
        "inputs": {"k": {"shape": ["batch"]}, "y": {"shape": ["batch", 1]}},
        "parameters": {"E": {"shape": [5, 3]}, "W": {"shape": [3, 1]}, "b": {"shape": [1]}}, "cost": "cost",
    },
    "physics": {
        "program": ["u = Linear(Tanh(Linear(x, W1, b1)), W2, b2)", "du = grad(u, x)", "cost = ReduceMean((du - u) ^ 2)"],
        "inputs": {"x": {"shape": ["batch", 1]}},
        "parameters": {"W1": {"shape": [1, 8]}, "b1": {"shape": [8]}, "W2": {"shape": [8, 1]}, "b2": {"shape": [1]}},
        "cost": "cost", "output": "u",
    },
}


@pytest.mark.skipif(IS_URL, reason="GRADD is the URL of a running server")
@pytest.mark.parametrize("name", sorted(MODELS))
def test_plan(name):
    done = subprocess.run(
        [GRADD, "explain", "-", "--batch", "32"], input=json.dumps(MODELS[name]), capture_output=True, text=True,
        check=False, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = "".join(line for line in done.stdout.splitlines(True) if not line.startswith("the plan itself:"))
    told = told.replace(" product_xsmm: ", " product: ")
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GRADD_WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8")
