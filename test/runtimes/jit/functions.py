"""
Reference values for functions.test.ts, computed in some hundred digits and split into two float64 each (the nearest,
and what is missing to the true value):

    python3 test/runtimes/jit/functions.py > test/runtimes/jit/functions.json
"""

import json
import math
import random

import mpmath
from mpmath import mp, mpf

random.seed(1)
mp.prec = 1400  # sin(1e308) needs its argument modulo pi


def either(*draws):
    return random.choice(draws)()


def signed(low, high):
    """log-uniform in size, of either sign"""
    return random.choice((-1, 1)) * math.exp(random.uniform(math.log(low), math.log(high)))


def uniform(low, high):
    return lambda: random.uniform(low, high)


def tiny():
    return signed(1e-300, 1)


angle = lambda: either(
    uniform(-10, 10),
    uniform(-1.5e6, 1.5e6),
    tiny,
    lambda: signed(1e6, 1e308),
    lambda: random.randint(1, 10**6) * math.pi / 2,
)
FUNCTIONS = {
    "Exp": (mpmath.exp, lambda: either(uniform(-745, 709.7), uniform(-2, 2), tiny)),
    "Log": (mpmath.log, lambda: either(uniform(0.5, 2), lambda: abs(signed(1e-320, 1e308)), lambda: 1 + signed(1e-15, 0.01))),
    "Tanh": (mpmath.tanh, lambda: either(uniform(-1, 1), uniform(-20, 20), tiny)),
    "Sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), lambda: either(uniform(-5, 5), uniform(-744, 40), tiny)),
    "Sin": (mpmath.sin, angle),
    "Cos": (mpmath.cos, angle),
    "Atan": (mpmath.atan, lambda: either(uniform(-3, 3), lambda: signed(1e-300, 1e300))),
    "Erf": (mpmath.erf, lambda: either(uniform(-1, 1), uniform(-6, 6), tiny)),
    "Sinh": (mpmath.sinh, lambda: either(uniform(-3, 3), uniform(-710, 710), tiny)),
    "Cosh": (mpmath.cosh, lambda: either(uniform(-3, 3), uniform(-710, 710))),
}


def split(value):
    high = float(value)
    return [high, float(value - mpf(high))]


table = {}
for name, (f, draw) in FUNCTIONS.items():
    table[name] = [[x, *split(f(mpf(x)))] for x in (draw() for _ in range(80)) if x != 0]

table["Pow"] = []
while len(table["Pow"]) < 80:
    x = either(uniform(0, 3), lambda: abs(signed(1e-300, 1e300)), lambda: 1 + signed(1e-12, 0.1))
    y = either(uniform(-5, 5), lambda: signed(1e-3, 1e3), lambda: float(random.randint(-20, 20)))
    if x > 0 and -745 < y * math.log(x) < 709.7:
        table["Pow"].append([x, y, *split(mpmath.power(mpf(x), mpf(y)))])

print("{")
rows = [f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in points) + "\n]" for name, points in table.items()]
print(",\n".join(rows))
print("}")
