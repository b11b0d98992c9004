"""Arrays of numbers are read in two ways: lifted out of the text, or, where anything is unusual, with the whole text.
The same body is asked both ways (an escape in its first key is unusual enough); answers must have the same bytes."""
import random

import pytest

MODEL = {
    "program": "l1 = Linear(X, W, b); cost = MSE(l1, y)",
    "inputs": {"X": {"shape": ["batch", 3]}, "y": {"shape": ["batch", 1]}},
    "parameters": {"W": {"shape": [3, 1]}, "b": {"shape": [1]}},
    "cost": "cost",
}
PIECES = ["[", "]", ",", ":", "{", "}", '"', "\\", "0", "-", ".", "e", " ", "null", "1e999", '"a"', "[]", "[1]", "NaN", "01"]


@pytest.fixture
def paths(client):
    """The paths that are asked: of a model, and without one."""
    client.put("/v1/models/lifted", json=MODEL).raise_for_status()
    yield {"gradient": "/v1/models/lifted/gradient", "differentiate": "/v1/differentiate"}
    client.delete("/v1/models/lifted")


def number(generator):
    """A number as clients write them: short, long, with an exponent."""
    value = generator.uniform(-1, 1)
    return generator.choice([repr(value), f"{value:.3f}", f"{value:.9e}", str(generator.randint(-99, 99)), f"{value:.25f}"])


def matrix(generator, rows, columns):
    return "[" + ", ".join("[" + ",".join(number(generator) for _ in range(columns)) + "]" for _ in range(rows)) + "]"


def bodies(count):
    """Pairs of a path's name and what follows the first letter of the body's first key."""
    generator = random.Random(3)
    for i in range(count):
        rows = generator.randint(1, 5)
        inputs = f'nputs": {{"X": {matrix(generator, rows, 3)}, "y": {matrix(generator, rows, 1)}}}'
        name = generator.choice(["gradient", "differentiate"])
        text = inputs + ', "wrt": "X"}' if name == "gradient" else inputs + ', "program": "f = ReduceSum(X @ [1, 2, 3] * y)"}'
        for _ in range(generator.randint(0, 2) if i % 2 else 0):
            at = generator.randrange(len(text))
            text = text[:at] + generator.choice(PIECES) + text[at + generator.randint(0, 1) :]
        yield name, text


def test_both_ways_give_the_same_bytes(client, paths):
    statuses = []
    for name, text in bodies(300):
        answers = [
            client.post(paths[name], data=(start + text).encode(), headers={"Content-Type": "application/json"})
            for start in ('{     "i', '{"\\u0069')
        ]
        assert answers[0].status_code == answers[1].status_code, text
        assert answers[0].content == answers[1].content, text
        statuses.append(answers[0].status_code)
    assert {200, 400, 422} == set(statuses)


def test_parameters_both_ways(client, paths):
    """PUT of parameters takes the same way."""
    texts = ['arameters": {"W": [[0.1], [-2e-3], [3]], "b": [[4]]}}', 'arameters": {"W": [[0.1], [2], [3]], "b": [4]}}']
    for text, status in zip(texts, [422, 201]):
        answers = [
            client.put("/v1/models/lifted/parameters", data=start + text, headers={"Content-Type": "application/json"})
            for start in ('{     "p', '{"\\u0070')
        ]
        assert [answer.status_code for answer in answers] == [status, status]
        if status == 201:
            assert answers[0].json()["digest"] == answers[1].json()["digest"]
        else:
            assert answers[0].content == answers[1].content
