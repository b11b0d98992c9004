#!/usr/bin/python3
"""PyTorch's side of the benchmarks: the workloads of workloads.c, eager, on one thread, float32.

Reads lines "NAME COUNT": does the work NAME so many times and answers the microseconds of processor time that they took
(making the network first, and working once for warmth), or -1 for a name that it does not know. "ready" asks whether it
is there.

A step is what gradd's is: a minibatch gathered from a shuffled data set, gradients set to zero, forward, backward, SGD.
"""
import sys
import time
from functools import partial

try:
    import torch
except ModuleNotFoundError as error:
    sys.exit(0 if error.name == "torch" else str(error))  # not installed: no answers
from torch import nn
from torch.nn import functional

torch.set_num_threads(1)
torch.manual_seed(1)


def dense(widths, activation):
    layers = []
    for i, (width, following) in enumerate(zip(widths, widths[1:])):
        layers += [activation()] if i else []
        layers += [nn.Linear(width, following)]
    return nn.Sequential(*layers)


def convolutions():
    return nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(),
                         nn.Flatten(), nn.Linear(32, 10))


def laplace(network, x, y):
    """The mean square of u's Laplacian less y: derivatives of order two, differentiated once more by the step."""
    x.requires_grad_()
    first = torch.autograd.grad(network(x).sum(), x, create_graph=True)[0]
    second = [torch.autograd.grad(first[:, i].sum(), x, create_graph=True)[0][:, i:i + 1] for i in range(2)]
    return functional.mse_loss(second[0] + second[1], y)


def fit(loss):
    return lambda network, x, y: loss(network(x), y)


# name: network, cost, shape of a row of X, classes of y (0: a number), rows, batch, learning rate
WORKLOADS = {
    "seed": (lambda: dense([13, 10, 1], nn.Sigmoid), fit(functional.mse_loss), [13], 0, 8192, 32, 0.01),
    "tab": (lambda: dense([784, 128, 10], nn.ReLU), fit(functional.cross_entropy), [784], 10, 8192, 64, 0.01),
    "wide": (lambda: dense([1024, 1024, 1024, 10], nn.ReLU), fit(functional.cross_entropy), [1024], 10, 8192, 256, 0.01),
    "deep": (lambda: dense([64] * 6 + [1], nn.Tanh), fit(functional.mse_loss), [64], 0, 8192, 64, 0.01),
    "conv": (convolutions, fit(functional.cross_entropy), [1, 8, 8], 10, 1792, 64, 0.01),
    "pinn": (lambda: dense([2, 32, 32, 1], nn.Tanh), laplace, [2], 0, 8192, 256, 0.001),
}


def trainer(name):
    """A generator that takes a training step each time it is advanced."""
    make, cost, shape, classes, rows, batch, learning_rate = WORKLOADS[name]
    network = make()
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate)
    inputs = torch.rand([rows] + shape) * 2 - 1
    targets = torch.randint(classes, [rows]) if classes else torch.rand([rows, 1]) * 2 - 1
    while True:
        order = torch.randperm(rows)
        for start in range(0, rows, batch):
            picked = order[start:start + batch]
            x, y = inputs.index_select(0, picked), targets.index_select(0, picked)
            optimizer.zero_grad(set_to_none=True)
            cost(network, x, y).backward()
            optimizer.step()
            yield


def network_and_batch(name, batch):
    make, cost, shape, classes = WORKLOADS[name][:4]
    network = make()
    x = torch.rand([batch] + shape) * 2 - 1
    y = torch.randint(classes, [batch]) if classes else torch.rand([batch, 1]) * 2 - 1
    return list(network.parameters()), lambda: cost(network, x, y)


def gradients(name, batch):
    parameters, cost = network_and_batch(name, batch)
    while True:
        torch.autograd.grad(cost(), parameters)
        yield


def hessian_products(name):
    """The gradient of the gradient's inner product with a vector."""
    parameters, cost = network_and_batch(name, WORKLOADS[name][5])
    vectors = [torch.rand_like(p) for p in parameters]
    while True:
        first = torch.autograd.grad(cost(), parameters, create_graph=True)
        torch.autograd.grad(first, parameters, grad_outputs=vectors)
        yield


WORK = {name: partial(trainer, name) for name in WORKLOADS}
WORK["gradient/seed/1"] = partial(gradients, "seed", 1)
WORK["gradient/seed/32"] = partial(gradients, "seed", 32)
WORK["hvp/tab"] = partial(hessian_products, "tab")


def main():
    running = {}
    for line in sys.stdin:
        if line.strip() == "ready":
            print(0, flush=True)
            continue
        name, count = line.split()
        if name not in running and name in WORK:
            running[name] = WORK[name]()
        if name not in running:
            print(-1, flush=True)
            continue
        step = running[name]
        next(step)
        start = time.thread_time()
        for _ in range(int(count)):
            next(step)
        print((time.thread_time() - start) * 1e6, flush=True)


main()
