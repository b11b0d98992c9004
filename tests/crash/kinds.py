"""What is trained while the server is killed: models, data sets, and a kind of job for every way to train.

A kind is the body of a POST. Its epochs are set by the reference run, so that every machine trains it for about as long.
"""

MODEL_FIELDS = {"cost": "cost", "output": "p", "seed": 5}


def network(dtype):
    return {
        **MODEL_FIELDS, "dtype": dtype, "program": "h = Tanh(Linear(X, W, b))\np = Linear(h, V, c)\ncost = MSE(p, y)",
        "inputs": {"X": {"shape": ["batch", 2]}, "y": {"shape": ["batch", 1]}},
        "parameters": {"W": {"shape": [2, 8]}, "b": {}, "V": {}, "c": {}},
    }


# A megabyte of parameters: to write them takes longer than a step.
WIDE_INPUTS, WIDE_UNITS = 256, 1024
WIDE = {
    **MODEL_FIELDS, "program": "h = Tanh(Linear(X, W, b))\np = Linear(h, V, c)\ncost = MSE(p, y)",
    "inputs": {"X": {"shape": ["batch", WIDE_INPUTS]}, "y": {"shape": ["batch", 1]}},
    "parameters": {"W": {"shape": [WIDE_INPUTS, WIDE_UNITS]}, "b": {}, "V": {}, "c": {}},
}

# One weight, which a learning rate over 1 drives away from its optimum.
LINE = {
    **MODEL_FIELDS, "dtype": "float64", "program": "p = X @ W\ncost = MSE(p, y)",
    "inputs": {"X": {"shape": ["batch", 1]}, "y": {"shape": ["batch", 1]}}, "parameters": {"W": {"init": {"value": [[1]]}}},
}

MODELS = {"net32": network("float32"), "net64": network("float64"), "wide": WIDE, "line": LINE}


def table(rows, first=0):
    """Columns a and b, a target c that depends on them, a weight w, and a part by which rows can be told apart."""
    indices = range(first, first + rows)
    a, b = [i * 7 % 101 / 40 for i in indices], [i * 5 % 103 / 80 - 1 for i in indices]
    return {
        "a": a, "b": b, "c": [2 * p - q * p + (i % 7) / 10 for i, p, q in zip(indices, a, b)],
        "w": [1 + i % 3 for i in indices], "part": [i % 4 for i in indices],
    }


def csv(columns):
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values())), ""])


def wide_table(rows):
    return {"X": [[(i * 31 + k * 17) % 97 / 97 for k in range(WIDE_INPUTS)] for i in range(rows)], "y": [i % 5 for i in range(rows)]}


DATASETS = {
    "rows": table(8000), "many": table(40000), "more": table(600, 50000), "wide": wide_table(16),
    "ones": {"X": [1] * 1600, "y": [0] * 1600},
}

BIND = {"X": {"columns": ["a", "b"], "transform": "standardize"}, "y": {"columns": ["c"], "transform": "standardize"}}
OWN_BIND = {"X": {"columns": ["X"]}, "y": {"columns": ["y"]}}


def job(model, optimizer, dataset="rows", bind=None, **more):
    body = {"model": model, "dataset": dataset, "from_version": 1, "seed": 11, "optimizer": optimizer,
            "bind": bind or BIND, **more}
    if optimizer["name"] != "LBFGS":
        body.setdefault("batch_size", 8)
    return body


def sgd(rate=0.02, **more):
    return {"name": "SGD", "learning_rate": rate, **more}


# LBFGS that never has enough.
ENDLESS = {"tolerance_gradient": 0, "tolerance_change": 0}

# Kinds whose epochs the reference run sets: {name: (seconds, body)}.
TIMED = {
    "momentum": (0.6, job("net32", sgd(momentum=0.9), checkpoint={"every_steps": 1000, "keep": 2})),
    "nesterov": (0.6, job("net64", sgd(momentum=0.8, nesterov=True), threads=2, schedule={"name": "cosine"},
                          checkpoint={"every_epochs": 2})),
    "adam": (0.6, job("net32", {"name": "Adam", "weight_decay": 1e-4}, validation={"fraction": 0.2}, metrics=["mae", "r2"],
                      early_stopping={"patience": 1000000}, checkpoint={"every_steps": 700})),
    "adamw": (0.6, job("net64", {"name": "AdamW"}, clip_gradient_norm=0.5, checkpoint={"every_epochs": 1, "keep": 3},
                       schedule={"name": "one_cycle", "max_learning_rate": 0.01, "warmup_steps": 50})),
    "rmsprop": (0.6, job("net32", {"name": "RMSprop", "momentum": 0.5, "centered": True}, threads=2, weight="w",
                         validation={"dataset": "more"}, checkpoint={"every_epochs": 3, "keep": 2},
                         schedule={"name": "step", "every_epochs": 20, "factor": 0.7})),
    "adagrad": (0.6, job("net64", {"name": "Adagrad", "learning_rate_decay": 1e-5}, validation={"column": "part", "value": 2},
                         schedule={"name": "exponential", "factor": 0.99}, metrics=["r2"],
                         record={"every_steps": 150}, checkpoint={"every_steps": 500})),
    "lbfgs": (0.6, job("net32", {"name": "LBFGS", "history": 5, **ENDLESS}, checkpoint={"every_steps": 5})),
    "lbfgs-double": (0.6, job("net64", {"name": "LBFGS", **ENDLESS}, threads=2, weight="w", checkpoint={"every_epochs": 10, "keep": 4})),
    "frozen": (0.6, job("net32", sgd(weight_decay=1e-3), freeze=["V"], drop_last=True, shuffle=False, batch_size=17,
                        checkpoint={"every_steps": 333})),
    "wide": (0.8, job("wide", sgd(1e-4, momentum=0.5), dataset="wide", bind=OWN_BIND, batch_size=4,
                      record={"every_steps": 1}, checkpoint={"every_steps": 1})),
}

# Checkpoints by time come every five seconds.
BY_TIME = "by-time"
TIMED[BY_TIME] = (7.5, job("net32", sgd(momentum=0.5), dataset="many", record={"every_steps": 3000}))

# Kinds that end by themselves.
EARLY = {"early": job("net32", sgd(0.005), epochs=100000, validation={"fraction": 0.25},
                      early_stopping={"patience": 2000, "min_delta": 0.01}, checkpoint={"every_steps": 1500})}
# The weight grows by 1.0002 a step until the cost is beyond what a double can hold.
DIVERGING = {
    name: job("line", sgd(1.0001), dataset="ones", bind=OWN_BIND, epochs=100000,
              batch_size=1, record={"every_steps": 5000}, on_nonfinite=rule, checkpoint={"every_steps": 20000})
    for name, rule in [("stopped", "stop"), ("failing", "fail")]
}
# Its end is a megabyte of parameters, and it has no checkpoint.
SHORT = {"short": job("wide", sgd(1e-4), dataset="wide", bind=OWN_BIND, batch_size=16, epochs=1)}

KINDS = [*TIMED, *EARLY, *DIVERGING, *SHORT]


def bodies(epochs):
    """{kind: body}, with the epochs of the timed ones."""
    timed = {name: {**body, "epochs": epochs[name]} for name, (_, body) in TIMED.items()}
    return {**timed, **EARLY, **DIVERGING, **SHORT}
