"""The least-squares fit of the SIR model to the influenza counts, by SciPy, for influenza.test.ts.

    python3 test/experiments/influenza-scipy.py
"""

from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

counts = [3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4]
population = 763
days = list(range(1, 15))


def residuals(rates):
    b, k = rates

    def field(_t, y):
        infections, recoveries = b * y[0] * y[1] / population, k * y[1]
        return [-infections, infections - recoveries, recoveries]

    solution = solve_ivp(field, (0, 14), [population - 1, 1, 0], "DOP853", days, rtol=1e-12, atol=1e-10)
    return solution.y[1] - counts


fit = least_squares(residuals, [1.7, 0.45], xtol=1e-14, ftol=1e-14, gtol=1e-14)
print("b = %.10f, k = %.10f, MSE = %.8f" % (*fit.x, (fit.fun**2).mean()))
