"""Fits by hand, beside which those of `revort train` are held: the same networks by PyTorch and torchdiffeq, the same equations by SciPy.

    python test/cli/forecasts.py < request.json > forecasts.json

A request has for each system its rows (times, states), how the network is scaled (shift, scale, tau), the initial weights of each of its
networks, and the times of the forecast. All networks are trained at once, each as a slice of its own: time is counted in rows, and every
fit has the lengths of its own gaps.
"""

import json
import sys

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares
from torchdiffeq import odeint

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

EQUATIONS = {
    "Lotka–Volterra": lambda t, y, p: [p[0] * y[0] - p[1] * y[0] * y[1], -p[2] * y[1] + p[3] * y[0] * y[1]],
    "damped pendulum": lambda t, y, p: [y[1], -p[0] * y[1] - p[1] * np.sin(y[0])],
    "FitzHugh–Nagumo": lambda t, y, p: [y[0] - y[0] ** 3 / 3 - y[1] + p[0], p[1] * (y[0] + p[2] - p[3] * y[1])],
    "Van der Pol": lambda t, y, p: [y[1], p[0] * (1 - y[0] ** 2) * y[1] - p[1] * y[0]],
    "SIR": lambda t, y, p: [-p[0] * y[0] * y[1] / 763, p[0] * y[0] * y[1] / 763 - p[1] * y[1]],
    "two compartments": lambda t, y, p: [p[2] * y[1] - (p[0] + p[1]) * y[0], p[1] * y[0] - p[2] * y[1]],
}


def solved(slope, y0, times):
    """States at ascending times from the first of them on, [times, states]; NaN past where there is no solution."""
    found = solve_ivp(slope, (times[0], times[-1]), y0, "DOP853", t_eval=times, rtol=1e-8, atol=1e-8)
    states = np.full((len(times), len(y0)), np.nan)
    states[: found.y.shape[1]] = found.y.T
    return states


def of_equations(system):
    """Least squares of the parameters and the initial state, in standard deviations of each column."""
    slope, times, rows = EQUATIONS[system["name"]], np.array(system["times"]), np.array(system["rows"])
    guess = np.array(system["guess"])
    at = lambda x, on: solved(lambda t, y: slope(t, y, x[: len(guess)]), x[len(guess) :], on)
    residuals = lambda x: np.nan_to_num((at(x, times) - rows) / system["scale"], nan=1e3).ravel()
    found = least_squares(residuals, np.concatenate([guess, rows[0]]), x_scale="jac")
    return at(found.x, np.concatenate([times[:1], system["ask"]]))[1:].tolist()


def of_networks(systems, updates, rate):
    """All networks, by Adam on the whole of each series: a list of forecasts for each system."""
    own = [(system, weights) for system in systems for weights in system["weights"]]
    stacked = lambda make: torch.tensor(np.stack([make(system, weights) for system, weights in own]))
    names = own[0][1].keys()
    theta = {}
    for name in names:
        turned = (lambda w: np.array(w).T) if name.endswith("weight") else (lambda w: np.array(w)[None])
        theta[name] = stacked(lambda _, weights: turned(weights[name])).requires_grad_()
    rows = stacked(lambda system, _: np.array(system["rows"]))
    gaps = stacked(lambda system, _: np.diff(system["times"]))
    shift = stacked(lambda system, _: np.array(system["shift"])[None])
    scale = stacked(lambda system, _: np.array(system["scale"])[None])
    tau = stacked(lambda system, _: np.array([[system["tau"]]]))
    layers = len(names) // 2

    def network(y):
        x = (y - shift) / scale
        for i in range(layers):
            x = torch.baddbmm(theta[f"layers.{i}.bias"], x, theta[f"layers.{i}.weight"])
            x = torch.tanh(x) if i < layers - 1 else x
        return x * scale / tau

    # perturbed: the end of a row's gap is not the beginning of the next one
    slope = lambda s, y: network(y) * gaps[:, int(s), None, None]
    places = torch.arange(rows.shape[1], dtype=torch.float64)
    optimiser = torch.optim.AdamW(theta.values(), lr=rate, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    for _ in range(updates):
        optimiser.zero_grad()
        states = odeint(slope, rows[:, :1], places, method="rk4", options={"step_size": 0.5, "perturb": True})
        apart = (states[1:, :, 0] - rows[:, 1:].transpose(0, 1)) / scale[:, 0]
        # each network has its own mean; their sum leaves each with its own gradient
        (apart**2).mean((0, 2)).sum().backward()
        optimiser.step()
        schedule.step()

    forecasts = []
    for n, (system, _) in enumerate(own):
        w = {name: value[n].detach().numpy() for name, value in theta.items()}
        m, s = np.array(system["shift"]), np.array(system["scale"])

        def slope_of(_, y):
            x = (y - m) / s
            for i in range(layers):
                x = x @ w[f"layers.{i}.weight"] + w[f"layers.{i}.bias"][0]
                x = np.tanh(x) if i < layers - 1 else x
            return x * s / system["tau"]

        on = np.concatenate([system["times"][:1], system["ask"]])
        forecasts.append(solved(slope_of, system["rows"][0], on)[1:].tolist())
    seeds = len(systems[0]["weights"])
    return [forecasts[i * seeds : (i + 1) * seeds] for i in range(len(systems))]


request = json.load(sys.stdin)
systems = request["systems"]
networks = of_networks(systems, request["updates"], request["rate"])
print(json.dumps([{"networks": own, "equations": of_equations(one)} for one, own in zip(systems, networks)]))
