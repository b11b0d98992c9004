#!/usr/bin/python3
"""Writes schedules.txt: the learning rates of PyTorch's schedulers over the steps of some jobs.

Run with Debian's python3 and python3-torch:  /usr/bin/python3 make_schedules.py > schedules.txt
"""

import torch

RATE = 0.3
CASES = [
    # name, fields, steps, steps an epoch
    ("step", {"every_epochs": 2, "factor": 0.5}, 30, 4),
    ("exponential", {"factor": 0.9}, 30, 4),
    ("cosine", {"final_learning_rate": 0.01}, 25, 5),
    ("one_cycle", {"max_learning_rate": 0.8}, 40, 10),
    ("one_cycle", {"max_learning_rate": 0.8, "warmup_fraction": 0.55, "start_divisor": 10, "final_divisor": 100}, 17, 17),
]


def rates(name, fields, steps, epoch):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    schedulers = torch.optim.lr_scheduler
    if name == "step":
        scheduler, rhythm = schedulers.StepLR(optimizer, fields["every_epochs"], fields["factor"]), epoch
    elif name == "exponential":
        scheduler, rhythm = schedulers.ExponentialLR(optimizer, fields["factor"]), epoch
    elif name == "cosine":
        scheduler, rhythm = schedulers.CosineAnnealingLR(optimizer, steps, fields["final_learning_rate"]), 1
    else:
        words = {"warmup_fraction": "pct_start", "start_divisor": "div_factor", "final_divisor": "final_div_factor"}
        settings = {words[key]: value for key, value in fields.items() if key in words}
        scheduler = schedulers.OneCycleLR(
            optimizer, fields["max_learning_rate"], total_steps=steps, cycle_momentum=False, **settings
        )
        rhythm = 1
    for step in range(steps):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        if (step + 1) % rhythm == 0 and step + 1 < steps:
            scheduler.step()


for case in CASES:
    name, fields, steps, epoch = case
    print("case", name, len(fields), " ".join(f"{key} {value!r}" for key, value in fields.items()), steps, epoch)
    print("rates", " ".join(repr(rate) for rate in rates(*case)))
