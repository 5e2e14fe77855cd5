"""Gray and Scott's equation on 6 × 5 points by SciPy, for partial-differential.test.ts.

    python3 test/fields/gray-scott-scipy.py > test/fields/gray-scott-scipy.json
"""

import json
import sys

import numpy as np
from scipy.integrate import solve_ivp

shape, spacing, diffusion, feed, kill, end = (2, 6, 5), 0.02, np.array([2e-5, 1e-5]), 0.04, 0.06, 20.0
start = np.random.default_rng(5).uniform(0.1, 0.9, shape)


def neighbours(y, boundary, axis):
    mode = {"periodic": "wrap", "zero": "constant", "reflecting": "reflect"}[boundary]
    pads = [(0, 0)] * 3
    pads[axis] = (1, 1)
    wide = np.pad(y, pads, mode=mode)
    return np.take(wide, range(y.shape[axis]), axis) + np.take(wide, range(2, y.shape[axis] + 2), axis)


def field(boundary):
    def slope(_t, flat):
        y = flat.reshape(shape)
        around = neighbours(y, boundary, 1) + neighbours(y, boundary, 2) - 4 * y
        u, v = y
        spread = diffusion[:, None, None] * around / spacing**2
        return (spread + np.stack([-u * v * v + feed * (1 - u), u * v * v - (feed + kill) * v])).ravel()

    return slope


ends = {}
for boundary in ["periodic", "zero", "reflecting"]:
    solution = solve_ivp(field(boundary), (0, end), start.ravel(), "DOP853", [end], rtol=1e-12, atol=1e-13)
    ends[boundary] = solution.y[:, -1].tolist()
json.dump({"start": start.ravel().tolist(), "ends": ends}, sys.stdout)
