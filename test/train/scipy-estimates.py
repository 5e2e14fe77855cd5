"""What SciPy makes of a noisy logistic curve: parameters, their covariance, and quantiles of Student's t.

    python test/train/scipy-estimates.py > test/train/scipy-estimates.json
"""

import json

import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import t as student

times = np.linspace(0, 10, 26)


def logistic(t, r, k, x0):
    return k / (1 + (k / x0 - 1) * np.exp(-r * t))


values = logistic(times, 0.9, 50, 2) + np.random.default_rng(7).normal(0, 1.5, times.size)
found, covariance = curve_fit(logistic, times, values, [1, 40, 1], xtol=1e-14, ftol=1e-14, gtol=1e-14)
print(
    json.dumps(
        {
            "times": times.tolist(),
            "values": values.tolist(),
            "found": found.tolist(),
            "covariance": covariance.tolist(),
            "noise": float(np.sqrt(np.sum((values - logistic(times, *found)) ** 2) / (times.size - 3))),
            "quantiles": [
                [p, degrees, float(student.ppf(p, degrees))]
                for p in [0.6, 0.9, 0.975, 0.995, 0.9999]
                for degrees in [1, 2, 3, 10, 23, 100, 5000]
            ],
        },
        indent=1,
    )
)
