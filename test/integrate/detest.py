"""References for detest.ts: the states at t = 20, by DOP853 at rtol 1e-13, checked against Radau at rtol 1e-12.

    python3 test/integrate/detest.py > test/integrate/detest.json

The problems are those of Hull, Enright, Fellen & Sedgwick 1972, "Comparing numerical methods for ordinary
differential equations", SIAM J. Numer. Anal. 9(4).
"""

import json

import numpy as np
import scipy
from scipy.integrate import solve_ivp

K2 = 2.95912208286
M0 = 1.00000597682
MASSES = np.array([0.000954786104043, 0.000285583733151, 0.0000437273164546, 0.0000517759138449, 0.00000277777777778])
POSITIONS = [
    [3.42947415189, 3.35386959711, 1.35494901715],
    [6.64145542550, 5.97156957878, 2.18231499728],
    [11.2630437207, 14.6952576794, 6.27960525067],
    [-30.1552268759, 1.65699966404, 1.43785752721],
    [-21.1238353380, 28.4465098142, 15.3882659679],
]
VELOCITIES = [
    [-0.557160570446, 0.505696783289, 0.230578543901],
    [-0.415570776342, 0.365682722812, 0.169143213293],
    [-0.325325669158, 0.189706021964, 0.0877265322780],
    [-0.0240476254170, -0.287659532608, -0.117219543175],
    [-0.176860753121, -0.216393453025, -0.0148647893090],
]


def chain(rates_out):
    n = len(rates_out) + 1
    a = np.zeros((n, n))
    for i, rate in enumerate(rates_out):
        a[i, i] -= rate
        a[i + 1, i] += rate
    return a


def heat(n):
    return -2 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)


def first(n):
    return [1.0] + [0.0] * (n - 1)


def b4(t, y):
    r = np.hypot(y[0], y[1])
    return [-y[1] - y[0] * y[2] / r, y[0] - y[1] * y[2] / r, y[0] / r]


def planets(t, y):
    x = y[:15].reshape(5, 3)
    r3 = np.sum(x**2, axis=1) ** 1.5
    a = np.empty((5, 3))
    for j in range(5):
        a[j] = -(M0 + MASSES[j]) * x[j] / r3[j]
        for k in range(5):
            if k != j:
                d = x[k] - x[j]
                a[j] += MASSES[k] * (d / np.sum(d**2) ** 1.5 - x[k] / r3[k])
    return np.concatenate([y[15:], K2 * a.ravel()])


def orbit(t, y):
    r3 = np.hypot(y[0], y[1]) ** 3
    return [y[2], y[3], -y[0] / r3, -y[1] / r3]


def start(e):
    return [1 - e, 0, 0, np.sqrt((1 + e) / (1 - e))]


C1, C2, C3, C4 = chain([1] * 9), chain(range(1, 10)), heat(10), heat(51)
B2 = np.array([[-1, 1, 0], [1, -2, 1], [0, 1, -1]])

PROBLEMS = {
    "A1": (lambda t, y: -y, [1]),
    "A2": (lambda t, y: -(y**3) / 2, [1]),
    "A3": (lambda t, y: y * np.cos(t), [1]),
    "A4": (lambda t, y: y / 4 * (1 - y / 20), [1]),
    "A5": (lambda t, y: (y - t) / (y + t), [4]),
    "B1": (lambda t, y: [2 * (y[0] - y[0] * y[1]), -(y[1] - y[0] * y[1])], [1, 3]),
    "B2": (lambda t, y: B2 @ y, [2, 0, 1]),
    "B3": (lambda t, y: [-y[0], y[0] - y[1] ** 2, y[1] ** 2], [1, 0, 0]),
    "B4": (b4, [3, 0, 0]),
    "B5": (lambda t, y: [y[1] * y[2], -y[0] * y[2], -0.51 * y[0] * y[1]], [0, 1, 1]),
    "C1": (lambda t, y: C1 @ y, first(10)),
    "C2": (lambda t, y: C2 @ y, first(10)),
    "C3": (lambda t, y: C3 @ y, first(10)),
    "C4": (lambda t, y: C4 @ y, first(51)),
    "C5": (planets, np.concatenate([np.ravel(POSITIONS), np.ravel(VELOCITIES)])),
    "D1": (orbit, start(0.1)),
    "D2": (orbit, start(0.3)),
    "D3": (orbit, start(0.5)),
    "D4": (orbit, start(0.7)),
    "D5": (orbit, start(0.9)),
    "E1": (
        lambda t, y: [y[1], -(y[1] / (t + 1) + (1 - 0.25 / (t + 1) ** 2) * y[0])],
        [0.6713967071418030, 0.0954005144474744],
    ),
    "E2": (lambda t, y: [y[1], (1 - y[0] ** 2) * y[1] - y[0]], [2, 0]),
    "E3": (lambda t, y: [y[1], y[0] ** 3 / 6 - y[0] + 2 * np.sin(2.78535 * t)], [0, 0]),
    "E4": (lambda t, y: [y[1], 0.032 - 0.4 * y[1] ** 2], [30, 0]),
    "E5": (lambda t, y: [y[1], np.sqrt(1 + y[1] ** 2) / (25 - t)], [0, 0]),
}

references = {}
for name, (f, y0) in PROBLEMS.items():
    y0 = np.asarray(y0, dtype=float)
    end = solve_ivp(f, (0, 20), y0, method="DOP853", rtol=1e-13, atol=1e-16).y[:, -1]
    other = solve_ivp(f, (0, 20), y0, method="Radau", rtol=1e-11, atol=1e-13).y[:, -1]
    gap = np.max(np.abs(end - other)) / max(1, np.max(np.abs(end)))
    assert gap < 1e-7, (name, gap)
    references[name] = {"y0": [float(x) for x in y0], "y20": [float(x) for x in end]}

print(json.dumps({"scipy": scipy.__version__, "command": "python3 test/integrate/detest.py", "problems": references}, indent=1))
