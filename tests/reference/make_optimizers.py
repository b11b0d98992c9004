#!/usr/bin/python3
"""Writes optimizers.txt: what PyTorch's optimizers make of a small network in 100 steps, LBFGS in 20.

Run with Debian's python3 and python3-torch:  /usr/bin/python3 make_optimizers.py > optimizers.txt
Four fixed batches of five rows, in order, again and again; float64. LBFGS takes all rows, and 0.05 times the sum of all
squares is added to its cost: without it the minimum is a valley, in which PyTorch, started 1e-15 away, ends elsewhere. A parameter's numbers are row-major, weights (in, out).
"""

import torch

ROWS, IN, HIDDEN, BATCH, STEPS, LBFGS_STEPS = 20, 3, 4, 5, 100, 20

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
    ("LBFGS", {}),
    ("LBFGS", {"max_evaluations": 5, "history": 3}),
    ("LBFGS", {"max_evaluations": 3, "history": 2}),
    ("LBFGS", {"learning_rate": 40, "max_evaluations": 3}),
    ("LBFGS", {"learning_rate": 0.3, "max_evaluations": 1}),
    ("LBFGS", {"learning_rate": 40, "max_evaluations": 10, "tolerance_gradient": 1e-3, "tolerance_change": 1e-4}),
]


def make_optimizer(name, fields, parameters):
    """The optimizer, with gradd's names of fields; what is left out is PyTorch's default."""
    words = {
        "learning_rate": "lr", "epsilon": "eps", "learning_rate_decay": "lr_decay",
        "initial_accumulator": "initial_accumulator_value", "tolerance_gradient": "tolerance_grad",
    }
    settings = {words.get(key, key): value for key, value in fields.items() if not key.startswith("beta")}
    if "beta1" in fields:
        settings["betas"] = (fields["beta1"], fields["beta2"])
    if name == "LBFGS":
        evaluations, history = settings.pop("max_evaluations", 25), settings.pop("history", 10)
        settings |= {"max_eval": evaluations, "max_iter": max(1, evaluations * 4 // 5), "history_size": history}
        settings["line_search_fn"] = "strong_wolfe"
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
        steps = LBFGS_STEPS if name == "LBFGS" else STEPS
        for step in range(steps):
            first = step * BATCH % ROWS
            rows = slice(0, ROWS) if name == "LBFGS" else slice(first, first + BATCH)

            def closure():
                optimizer.zero_grad()
                cost = torch.nn.functional.mse_loss(torch.tanh(x[rows] @ w1 + b1) @ w2 + b2, y[rows])
                if name == "LBFGS":
                    cost = cost + 0.05 * sum((p * p).sum() for p in parameters)
                cost.backward()
                return cost

            optimizer.step(closure)
            if step + 1 in (1, 2, 10, steps):
                print("step", step + 1, " ".join(repr(v) for p in parameters for v in p.detach().reshape(-1).tolist()))


main()
