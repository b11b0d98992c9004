#!/usr/bin/python3
"""Writes optimizers.txt: what PyTorch's optimizers make of a small network in 100 steps.

Run with Debian's python3 and python3-torch:  /usr/bin/python3 make_optimizers.py > optimizers.txt
Four fixed batches of five rows, in order, again and again; float64. A parameter's numbers are row-major, weights (in, out).
"""

import torch

ROWS, IN, HIDDEN, BATCH, STEPS = 20, 3, 4, 5, 100

CASES = [
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.1, "weight_decay": 0.01}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": 1}),
    ("SGD", {"learning_rate": 0.02, "momentum": 0.8, "nesterov": 1, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.03, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4, "weight_decay": 0.05}),
    ("AdamW", {}),
    ("AdamW", {"learning_rate": 0.03, "beta1": 0.7, "beta2": 0.99, "epsilon": 1e-6, "weight_decay": 0.2}),
    ("RMSprop", {}),
    ("RMSprop", {"learning_rate": 0.02, "alpha": 0.9, "epsilon": 1e-5, "momentum": 0.6, "weight_decay": 0.05}),
    ("RMSprop", {"learning_rate": 0.02, "alpha": 0.8, "epsilon": 1e-4, "momentum": 0.5, "centered": 1}),
    ("Adagrad", {}),
    ("Adagrad", {"learning_rate": 0.2, "learning_rate_decay": 0.03, "initial_accumulator": 0.1, "epsilon": 1e-5, "weight_decay": 0.02}),
]


def make_optimizer(name, fields, parameters):
    """The optimizer, with gradd's names of fields; what is left out is PyTorch's default."""
    words = {
        "learning_rate": "lr", "epsilon": "eps", "learning_rate_decay": "lr_decay",
        "initial_accumulator": "initial_accumulator_value",
    }
    settings = {words.get(key, key): value for key, value in fields.items() if not key.startswith("beta")}
    if "beta1" in fields:
        settings["betas"] = (fields["beta1"], fields["beta2"])
    for flag in ("nesterov", "centered"):
        if flag in settings:
            settings[flag] = bool(settings[flag])
    return getattr(torch.optim, name)(parameters, **settings)


def print_tensor(name, tensor):
    print(name, " ".join(repr(x) for x in tensor.detach().reshape(-1).tolist()))


def main():
    torch.manual_seed(1)
    x = torch.randn(ROWS, IN, dtype=torch.float64)
    y = torch.sin(x.sum(dim=1, keepdim=True)) + 0.5
    start = [torch.randn(shape, dtype=torch.float64) * 0.7 for shape in ((IN, HIDDEN), (HIDDEN,), (HIDDEN, 1), (1,))]
    print_tensor("X", x)
    print_tensor("y", y)
    for name, tensor in zip(("W1", "b1", "W2", "b2"), start):
        print_tensor(name, tensor)
    for name, fields in CASES:
        print("case", name, len(fields), " ".join(f"{key} {value!r}" for key, value in fields.items()))
        parameters = [tensor.clone().requires_grad_() for tensor in start]
        w1, b1, w2, b2 = parameters
        optimizer = make_optimizer(name, fields, parameters)
        for step in range(STEPS):
            first = step * BATCH % ROWS
            rows = slice(first, first + BATCH)
            optimizer.zero_grad()
            cost = torch.nn.functional.mse_loss(torch.tanh(x[rows] @ w1 + b1) @ w2 + b2, y[rows])
            cost.backward()
            optimizer.step()
            if step + 1 in (1, 2, 10, STEPS):
                print("step", step + 1, " ".join(repr(v) for p in parameters for v in p.detach().reshape(-1).tolist()))


main()
