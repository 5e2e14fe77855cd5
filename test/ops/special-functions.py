"""
Reference values for decomposition.test.ts, to 17 digits:

    python3 test/ops/special-functions.py > test/ops/special-functions.json
"""

import json
from mpmath import mp, mpf, erf, log1p, exp, expm1, tanh, tan, sinh, cosh, asin, acos, atan, asinh, acosh, atanh, sqrt, pi

mp.dps = 60
POINTS = [0, 1e-300, 1e-12, 1e-6, 1e-3, 0.1, 0.3, 0.46875, 0.5, 0.84, 0.999, 1, 1.5, 2.7, 4, 5.5, 9.25, 30, 300, 1000]
BOTH = [-x for x in reversed(POINTS) if x] + POINTS
INNER = [x for x in BOTH if abs(x) <= 1]
softplus = lambda x: log1p(exp(x)) if x < 0 else x + log1p(exp(-x))
float32 = lambda x: mpf(__import__("struct").unpack("f", __import__("struct").pack("f", x))[0])

FUNCTIONS = {
    "Erf": (erf, BOTH),
    "Gelu": (lambda x: x * (1 + erf(x / sqrt(2))) / 2, [x for x in BOTH if x > -6]),
    "Softplus": (softplus, BOTH),
    "Mish": (lambda x: x * tanh(softplus(x)), [x for x in BOTH if x > -700]),
    "Elu": (lambda x: x if x > 0 else expm1(x), BOTH),
    "Selu": (lambda x: float32(1.0507009873554805) * (x if x > 0 else float32(1.6732632423543772) * expm1(x)), BOTH),
    "Celu": (lambda x: x if x > 0 else expm1(x), BOTH),
    "Softsign": (lambda x: x / (1 + abs(x)), BOTH),
    "LeakyRelu": (lambda x: x if x > 0 else float32(0.01) * x, BOTH),
    "HardSigmoid": (lambda x: max(mpf(0), min(mpf(1), float32(0.2) * x + mpf(1) / 2)), BOTH),
    "HardSwish": (lambda x: x * max(mpf(0), min(mpf(1), x / 6 + mpf(1) / 2)), BOTH),
    "ThresholdedRelu": (lambda x: x if x > 1 else mpf(0), BOTH),
    "Tan": (tan, [x for x in BOTH if abs(x) < 10]),
    "Asin": (asin, INNER),
    "Acos": (acos, INNER),
    "Atan": (atan, BOTH + [1e25, -1e300]),
    "Sinh": (sinh, [x for x in BOTH if abs(x) < 700] + [710.25]),
    "Cosh": (cosh, [x for x in BOTH if abs(x) < 700] + [-710.25]),
    "Asinh": (asinh, BOTH + [1e25, -1e300]),
    "Acosh": (acosh, [x for x in POINTS if x >= 1] + [1 + 2**-40, 1e25, 1e300]),
    "Atanh": (atanh, [x for x in INNER if abs(x) < 1]),
}

table = {name: [[x, float(f(mpf(x)))] for x in points] for name, (f, points) in FUNCTIONS.items()}
print(json.dumps(table, indent=2))
