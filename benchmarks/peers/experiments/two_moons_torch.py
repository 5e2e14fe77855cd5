"""The flow of two moons by torchdiffeq, with its trace as FFJORD's code has it: one gradient for each component."""

import math

import torch
import torchdiffeq


class Field(torch.nn.Module):
    def __init__(self, theta):
        super().__init__()
        self.theta = theta

    def parameters(self, recurse=True):
        return iter(self.theta.values())

    def slope(self, t, y):
        for k in range(4):
            own = lambda name: self.theta[f"layers.{k}.{name}"]
            gate = torch.sigmoid(own("gate.weight")[:, 0] * t + own("gate.bias"))
            y = (y if k == 0 else torch.tanh(y)) @ own("weight").T + own("bias")
            y = y * gate + own("shift.weight")[:, 0] * t
        return y

    def forward(self, t, state):
        with torch.enable_grad():
            y = state[0].requires_grad_(True)
            slope = self.slope(t, y)
            trace = sum(
                torch.autograd.grad(slope[:, i].sum(), y, create_graph=True)[0][:, i] for i in range(2)
            )
        return slope, trace[:, None]


def loss(library, variant, data, setting):
    del library
    x = data["x"]
    odeint = {"odeint": torchdiffeq.odeint, "odeint_adjoint": torchdiffeq.odeint_adjoint}[variant]
    times = torch.tensor([1.0, 0.0])
    options = {"method": "midpoint", "options": {"step_size": 1 / setting["steps"]}}

    def value(theta):
        field = Field(theta)
        given = {"adjoint_params": tuple(theta.values())} if variant == "odeint_adjoint" else {}
        ys, logs = odeint(field, (x, torch.zeros_like(x[:, :1])), times, **options, **given)
        y, log = ys[-1], logs[-1][:, 0]
        normal = -0.5 * (y**2).sum(1) - math.log(2 * math.pi)
        return -(normal + log).mean()

    return value
