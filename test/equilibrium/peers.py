"""
How many evaluations of f other libraries take to fixed points z = f(z), and what they find. Needs torch, torchdeq 0.1.0 and
scipy:

    python test/equilibrium/peers.py > test/equilibrium/peers.json
"""

import json

import numpy as np
import scipy.optimize
import torch
from torchdeq import get_deq
from torchdeq.solver.anderson import anderson_solver
from torchdeq.solver.broyden import broyden_solver

DIM = 8
TOLERANCE = 1e-8
torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(5)


def matrix(radius, spread=1.0):
    """A matrix of the given spectral radius; its singular values are further apart the larger the spread."""
    w = rng.normal(size=(DIM, DIM)) * np.logspace(0, -np.log10(spread), DIM)
    return radius * w / np.abs(np.linalg.eigvals(w)).max()


def symmetric(eigenvalues):
    q, _ = np.linalg.qr(rng.normal(size=(DIM, DIM)))
    return q @ np.diag(eigenvalues) @ q.T


# activation, W, and what there is to it: f(z) = activation(W z + x)
CELLS = [
    ("tanh", matrix(0.5), "a contraction"),
    ("tanh", matrix(0.95), "a slow contraction"),
    ("tanh", matrix(0.95, 100.0), "a slow contraction of badly scaled rows"),
    ("linear", symmetric(np.linspace(-0.9, 0.9, DIM)), "linear"),
    ("linear", symmetric(np.linspace(-3.0, 0.5, DIM)), "linear, on which the simple iteration diverges"),
    ("relu", matrix(0.8), "piecewise linear"),
    ("tanh", symmetric(np.linspace(-2.5, 0.8, DIM)), "no contraction"),
]
ACTIVATIONS = {
    "tanh": (torch.tanh, np.tanh),
    "relu": (torch.relu, lambda v: np.maximum(v, 0)),
    "linear": (lambda v: v, lambda v: v),
}


def counted(f):
    def wrapper(z):
        wrapper.count += 1
        return f(z)

    wrapper.count = 0
    return wrapper


def torchdeq_run(solver, f, **options):
    f = counted(f)
    z, _, stat = solver(f, torch.zeros(1, DIM), max_iter=200, tol=TOLERANCE, stop_mode="rel", **options)
    return {"evaluations": f.count, "residual": float(stat["rel_lowest"][0]), "z": z[0].tolist()}


def scipy_run(solver, f, **options):
    g = counted(lambda z: f(z) - z)
    try:
        z = solver(
            g, np.zeros(DIM), f_tol=1e-12, tol_norm=np.linalg.norm, line_search=None, maxiter=400, **options
        )
    except (scipy.optimize.NoConvergence, ValueError, np.linalg.LinAlgError) as error:
        return {"evaluations": g.count, "failed": type(error).__name__}
    return {"evaluations": g.count, "z": z.tolist()}


cells = []
for activation, w, about in CELLS:
    x = rng.normal(size=DIM)
    torch_act, numpy_act = ACTIVATIONS[activation]
    wt, xt = torch.tensor(w), torch.tensor(x)

    def f_torch(z):
        return torch_act(z @ wt.T + xt)

    def f_numpy(z):
        return numpy_act(w @ z + x)

    cells.append(
        {
            "about": about,
            "activation": activation,
            "W": w.ravel().tolist(),
            "x": x.tolist(),
            "torchdeq": {
                "anderson": torchdeq_run(anderson_solver, f_torch, m=6),
                "anderson, lam 1e-12": torchdeq_run(anderson_solver, f_torch, m=6, lam=1e-12),
                "broyden": torchdeq_run(broyden_solver, f_torch),
            },
            "scipy": {
                "anderson": scipy_run(scipy.optimize.anderson, f_numpy, M=6, alpha=1.0, w0=1e-8),
                "broyden1": scipy_run(scipy.optimize.broyden1, f_numpy, alpha=1.0),
            },
        }
    )


def gradients(**options):
    """Those of Σ z² by W and x, for the first cell."""
    w = torch.tensor(CELLS[0][1], requires_grad=True)
    x = torch.tensor(cells[0]["x"], requires_grad=True)
    deq = get_deq(
        f_solver="broyden", f_tol=1e-14, f_stop_mode="rel", f_max_iter=100, b_solver="broyden", **options
    )
    zs, _ = deq(lambda z: torch.tanh(z @ w.T + x), torch.zeros(1, DIM))
    (zs[-1] ** 2).sum().backward()
    return {"W": w.grad.ravel().tolist(), "x": x.grad.tolist()}


print(
    json.dumps(
        {
            "dim": DIM,
            "tolerance": TOLERANCE,
            "cells": cells,
            "gradients": {
                "implicit": gradients(ift=True, b_tol=1e-14, b_stop_mode="rel", b_max_iter=100),
                "phantom": gradients(grad=5, tau=0.5),
            },
        },
        indent=1,
    )
)
