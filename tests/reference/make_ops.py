#!/usr/bin/python3
"""Writes tests/reference/ops/GROUP.txt: inputs, values, first and second derivatives of the cases in tests/ops/cases/GROUP.txt, as
PyTorch has them, in float64.

    /usr/bin/python3 tests/reference/make_ops.py [GROUP...]        (Debian's python3-torch 1.13; all groups where none is named)

Cases may call the functions of tests/reference/ops/GROUP.py, where that file exists.
The second derivative is the gradient of the sum over inputs of <direction, gradient>: the Hessian's product, with the mixed parts.
Inputs are rounded to six decimals, so that they read the same everywhere. Draws depend on the case's text alone.
"""
import pathlib
import re
import runpy
import sys
import zlib

import numpy
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
HERE = pathlib.Path(__file__).resolve().parent
CASES = HERE.parent / "ops" / "cases"
DUMPS = HERE / "ops"
INPUT = re.compile(r"(\w+)\(([\d,]*)\)((?: (?!\w+\()\S+)*)")


def grad(y, x):
    return torch.autograd.grad(y, x, create_graph=True)[0]


def indices(i):
    return i.round().long() if isinstance(i, torch.Tensor) else torch.tensor(i)


def take(x, axis, i):
    """x at places i along an axis; the axes of i take the place of that axis."""
    i = indices(i)
    flat = x.index_select(axis, i.reshape(-1))
    return flat.reshape(x.shape[:axis] + i.shape + x.shape[axis + 1:])


def lay(x, shape, places):
    """Zeros of that shape, and x added at the places along each axis."""
    for axis, i in places.items():
        wide = list(x.shape)
        wide[axis] = shape[axis]
        x = torch.zeros(wide).index_add(axis, indices(i).reshape(-1), x)
    return x


class Draws:
    def __init__(self, text):
        self.random = numpy.random.RandomState(zlib.crc32(text.encode()))
        self.grid = list(self.random.permutation(numpy.arange(-60, 60)) * 0.1 + 0.05)

    def tensor(self, shape, how):
        count = int(numpy.prod(shape, dtype=int))
        kind, numbers = (how[0], [float(n) for n in how[1:]]) if how else ("in", [-2.0, 2.0])
        if kind == "in":
            values = self.random.uniform(numbers[0], numbers[1], count)
        elif kind == "grid":
            values = [self.grid.pop() + self.random.uniform(-0.02, 0.02) for _ in range(count)]
        elif kind == "index":
            values = self.random.randint(0, int(numbers[0]), count)
        elif kind == "near":
            values = self.random.randint(0, int(numbers[0]), count) + self.random.uniform(-0.4, 0.4, count)
        elif kind == "rows":
            values = self.random.uniform(0.1, 1, shape)
            values = values / values.sum(-1, keepdims=True)
        else:
            raise ValueError(f"no such draw: {kind}")
        return torch.tensor(numpy.round(numpy.asarray(values, dtype=float), 6).reshape(shape))


def derivatives(y, by):
    """Zeros where y does not depend on an input; with a graph of their own."""
    if not y.requires_grad or not by:
        return [torch.zeros_like(x) for x in by]
    found = torch.autograd.grad(y, by, create_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, by)]


def line(word, name, tensor):
    if tensor._is_zerotensor():  # what sgn gives back: no memory stands behind it
        tensor = torch.zeros(tensor.shape)
    shape = ",".join(str(d) for d in tensor.shape)
    numbers = "".join(" " + repr(v) for v in tensor.detach().reshape(-1).tolist())
    return f"{word} {name} ({shape}){numbers}\n"


def run(text, words):
    fields = [field.strip() for field in text.split("|")]
    draws, inputs, by = Draws(text), {}, []
    for name, shape, how in INPUT.findall(fields[1]):
        shape = tuple(int(d) for d in shape.split(",") if d)
        inputs[name] = draws.tensor(shape, how.split())
        if how.split()[:1] not in (["index"], ["near"]):
            inputs[name].requires_grad_(True)
            by.append(name)
    leaves = [inputs[name] for name in by]
    value = eval(fields[3], {**words, **inputs})
    cotangent = draws.tensor(tuple(value.shape), [])
    first = derivatives((cotangent * value).sum(), leaves)
    directions = [draws.tensor(tuple(x.shape), []) for x in leaves]
    second = derivatives(sum((d * g).sum() for d, g in zip(directions, first)), leaves)

    out = f"case {text}\n" + "".join(line("input", n, x) for n, x in inputs.items())
    out += line("value", "-", value) + line("cotangent", "-", cotangent)
    for name, g, d, s in zip(by, first, directions, second):
        out += line("gradient", name, g) + line("direction", name, d) + line("second", name, s)
    return out


def make(group):
    words = {"torch": torch, "F": F, "grad": grad, "take": take, "lay": lay}
    own = DUMPS / f"{group}.py"
    if own.exists():
        words.update(runpy.run_path(str(own)))
    out = f"# Made by make_ops.py from tests/ops/cases/{group}.txt; PyTorch {torch.__version__}.\n"
    for text in (CASES / f"{group}.txt").read_text().splitlines():
        if text and not text.startswith("#"):
            try:
                out += run(text, words)
            except Exception as error:
                sys.exit(f"{group}.txt: {text}\n    {type(error).__name__}: {error}")
    (DUMPS / f"{group}.txt").write_text(out)


def main():
    for group in sys.argv[1:] or sorted(path.stem for path in CASES.glob("*.txt")):
        make(group)


if __name__ == "__main__":
    main()
