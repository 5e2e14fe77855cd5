"""Fits of equations with states that are not observed, by SciPy, as JSON:
python test/cli/hidden-states-scipy.py > test/cli/hidden-states-scipy.json

Data are solutions to 1e-10 with normal noise, rounded to four decimals. Estimates are those of scipy.optimize.least_squares,
standard errors sqrt(diag(inv(J'J)) * cost / (n - p)).
"""

import json

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares


def solved(slope, times, start):
    return solve_ivp(slope, (times[0], times[-1]), start, t_eval=times, rtol=1e-10, atol=1e-10).y


def fitted(model, start, times, observed):
    found = least_squares(lambda x: model(x, times)[0] - observed, start, x_scale=np.abs(start), xtol=1e-14, ftol=1e-14)
    n, p = found.jac.shape
    errors = np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)) * 2 * found.cost / (n - p))
    return {
        "values": found.x.tolist(),
        "errors": errors.tolist(),
        "square": 2 * found.cost / n,
        "end": model(found.x, times)[:, -1].tolist(),
    }


def epidemic(x, times):
    b, g, infected, susceptible = x
    slope = lambda _, y: [b * y[0] * y[1] - g * y[0], -b * y[0] * y[1]]
    return solved(slope, times, [infected, susceptible])


random = np.random.default_rng(4)
times = np.linspace(0, 14, 29)
truth = [0.0022, 0.45, 3, 740]
observed = np.round(epidemic(truth, times)[0] + 6 * random.normal(size=29), 4)
print(
    json.dumps(
        {
            "times": times.tolist(),
            "observed": observed.tolist(),
            "truth": truth,
            **fitted(epidemic, np.array([0.002, 0.4, 4.0, 700.0]), times, observed),
        },
        indent=1,
    )
)
