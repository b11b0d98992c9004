#!/usr/bin/python3
"""Makes functions.txt, the oracle of tests/unit/base/test_functions_reference.c, with mpmath: lines of

    name argument [second argument] value rest

All are doubles in hexadecimal; value + rest is the true value, rounded twice. Arguments are spread over the magnitudes,
and crowd near zeros, poles and the places where algorithms change.

    tests/reference/make_functions.py > tests/reference/functions.txt
"""

import random

import mpmath
from mpmath import mp, mpf

mp.dps = 120
random.seed(20)


def spread(low, high, count):
    return [random.choice((-1, 1)) * 2.0 ** random.uniform(low, high) for _ in range(count)]


def around(points, count=6):
    return [p + random.choice((-1, 1)) * 2.0 ** -random.uniform(1, 40) for p in points for _ in range(count)]


def positive(xs):
    return [abs(x) for x in xs]


def not_pole(xs):
    return [x for x in xs if x > 0 or x != int(x)]


def lgamma(x):
    return mpmath.log(abs(mpmath.gamma(x))) if abs(x) < 100 else (
        mpmath.loggamma(x).real if x > 0 else
        mpmath.log(mp.pi / abs(x * mpmath.sin(mp.pi * x))) - mpmath.loggamma(-x).real)


def polygamma(n, x):
    if x > 0:
        return (-1) ** (int(n) + 1) * mpmath.factorial(int(n)) * mpmath.zeta(n + 1, x)
    total, q = mpf(0), mpf(x)
    while q < 1:
        total += q ** -(int(n) + 1)
        q += 1
    return (-1) ** (int(n) + 1) * mpmath.factorial(int(n)) * (total + mpmath.zeta(n + 1, q))


GAMMA = not_pole(spread(-60, 3, 60) + spread(-1, 9, 60) + around([0.5, 0.73, 1, 1.5, 2, 3, 8, -1, -2, -7, -0.5]))
CASES = {
    'exp': (mpmath.exp, spread(-30, 9.4, 60)),
    'expm1': (mpmath.expm1, spread(-60, 9.4, 60)),
    'log': (mpmath.log, positive(spread(-1000, 1000, 40) + around([1], 30))),
    'log1p': (mpmath.log1p, [x for x in spread(-60, 60, 80) if x > -1] + [-1 + 2.0 ** -k for k in range(1, 50, 7)]),
    'sin': (mpmath.sin, spread(-30, 1000, 60) + spread(-5, 7, 40)),
    'cos': (mpmath.cos, spread(-30, 1000, 60) + spread(-5, 7, 40)),
    'tan': (mpmath.tan, spread(-30, 1000, 60) + spread(-5, 7, 60)),
    'asin': (mpmath.asin, spread(-30, 0, 50) + [1 - 2.0 ** -k for k in range(1, 53, 5)]),
    'acos': (mpmath.acos, spread(-30, 0, 50) + [1 - 2.0 ** -k for k in range(1, 53, 5)]),
    'atan': (mpmath.atan, spread(-30, 60, 50) + around([0.4375, 0.6875, 1])),
    'sinh': (mpmath.sinh, spread(-30, 9.4, 60)),
    'cosh': (mpmath.cosh, spread(-30, 9.4, 60)),
    'tanh': (mpmath.tanh, spread(-30, 5, 60)),
    'asinh': (mpmath.asinh, spread(-30, 1000, 60) + spread(-3, 3, 40)),
    'acosh': (mpmath.acosh, [1 + abs(x) for x in spread(-50, 60, 80)]),
    'atanh': (mpmath.atanh, spread(-30, 0, 60) + [1 - 2.0 ** -k for k in range(1, 53, 5)]),
    'erf': (mpmath.erf, spread(-30, 2.5, 100) + around([1, -1])),
    'erfc': (mpmath.erfc, spread(-30, 4.6, 100) + positive(spread(-1, 4.75, 100)) + around([0.47])),
    'lgamma': (lgamma, GAMMA + positive(spread(3, 1000, 40))),
    'digamma': (mpmath.digamma, GAMMA + positive(spread(3, 1000, 40)) + around([1.4616321449683623], 20)),
}
# An even derivative is 0 near the middle between two poles: its error is relative to the poles' terms there.
def clear(n, x):
    return x > 0 or n % 2 == 1 or abs(x - round(x)) < 0.4


ORDERS = [1, 1, 2, 2, 3, 4, 5, 8, 13, 18, 19, 30, 60, 169, 250]


def words(value):
    high = float(value)
    return high.hex() + ' ' + float(value - mpf(high)).hex()


for name, (function, arguments) in CASES.items():
    for x in arguments:
        print(name, x.hex(), words(function(mpf(x))))
mp.dps = 700  # zeta's precision is absolute
for n in ORDERS:
    for x in not_pole(spread(-8, 5, 12) + around([-1, -3.5, 0.5, 2], 2) + [abs(x) for x in spread(-1, 12, 8)]):
        value = polygamma(mpf(n), mpf(x))
        if clear(n, x) and 2.0 ** -1000 < abs(value) < 2.0 ** 1000:
            print('polygamma', float(n).hex(), x.hex(), words(value))
