"""
The reversible iteration of a perceptron f(z, x), 2 → 10 → 10 → 1 with relu, written out in PyTorch by the published formulas,
with gradients of z by autograd through all iterations. Needs torch:

    python test/equilibrium/revdeq.py > test/equilibrium/revdeq.json
"""

import json

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
WIDTHS = [2, 10, 10, 1]


def relative_residual(z, fz):
    return float((z - fz).norm() / (1e-5 + fz.norm()))


def case(x, beta, tolerance, max_steps, scale):
    layers = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in zip(WIDTHS, WIDTHS[1:]))
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter *= scale
    x = torch.tensor([[x]], requires_grad=True)

    def f(z):
        v = torch.cat([z, x], dim=1)
        for i, layer in enumerate(layers):
            v = layer(v) if i == len(layers) - 1 else torch.relu(layer(v))
        return v

    y = z = torch.zeros(1, 1)
    fz = f(z)
    iterations = 0
    while iterations < max_steps and relative_residual(z, fz) > tolerance:
        y = (1 - beta) * y + beta * fz
        z = (1 - beta) * z + beta * f(y)
        fz = f(z)
        iterations += 1
    z.sum().backward()
    parameters = {f"layers.{name}": p for name, p in layers.named_parameters()}
    return {
        "x": float(x),
        "beta": beta,
        "tolerance": tolerance,
        "maxSteps": max_steps,
        "parameters": {name: p.detach().ravel().tolist() for name, p in parameters.items()},
        "z": float(z),
        "iterations": iterations,
        "residual": relative_residual(z, fz),
        "gradients": {
            "x": x.grad.ravel().tolist(),
            **{name: p.grad.ravel().tolist() for name, p in parameters.items()},
        },
    }


print(
    json.dumps(
        {
            "cases": [
                case(0.1, 0.8, 1e-8, 500, 1.0),
                case(-1.3, 0.5, 1e-8, 500, 1.5),
                case(2.0, 0.8, 1e-12, 6, 1.8),
            ]
        },
        indent=1,
    )
)
