"""The losses of a few updates of the published normalising flow of two moons, written out in PyTorch, from points and
parameters that are given by formulas: `python two-moons.py > two-moons.json` (torch 2.13).

The published training goes from t = 1 to 0 by undoing steps, and couples no integral:
    z0 = z1 + psi(-h, t1, y1),  y0 = y1 / lam + (1 - 1 / lam) z0 - psi(h, t0, z0) / lam,  I0 = I1 + psi_I(-h, t1, y1)
"""
import json

import torch

torch.set_default_dtype(torch.float32)
count, updates, lam, h, steps = 8, 3, 0.999, 0.01, 100
widths = [2, 128, 128, 128, 2]


def wave(first, shape, scale):
    """scale sin(0.7 i + first) in the order of the elements"""
    size = torch.Size(shape).numel()
    i = torch.arange(size, dtype=torch.float64)
    return (scale * torch.sin(0.7 * i + first)).reshape(shape).float()


theta = {}
for k, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
    theta[f"layers.{k}.weight"] = wave(k, [fan_out, fan_in], 1.5 / fan_in**0.5)
    theta[f"layers.{k}.bias"] = wave(k + 10, [fan_out], 0.3)
    theta[f"layers.{k}.gate.weight"] = wave(k + 20, [fan_out, 1], 0.5)
    theta[f"layers.{k}.gate.bias"] = wave(k + 30, [fan_out], 0.5)
    theta[f"layers.{k}.shift.weight"] = wave(k + 40, [fan_out, 1], 0.5)
for value in theta.values():
    value.requires_grad_()

angle = torch.arange(count, dtype=torch.float64) * 0.9
points = torch.stack([2 * torch.cos(angle), torch.sin(1.7 * angle) - 0.3], 1)
x = ((points - points.mean()) / points.std(unbiased=False)).float()


def field(t, y):
    """f(t, y) and -tr df/dy"""
    jacobian = None
    for k in range(4):
        own = {name: theta[f"layers.{k}.{name}"] for name in ("weight", "bias", "gate.weight", "gate.bias", "shift.weight")}
        if k > 0:
            y = torch.tanh(y)
            jacobian = jacobian * (1 - y * y).unsqueeze(-1)
        gate = torch.sigmoid(own["gate.weight"][:, 0] * t + own["gate.bias"])
        y = (y @ own["weight"].T + own["bias"]) * gate + own["shift.weight"][:, 0] * t
        weight = own["weight"] * gate.unsqueeze(-1)
        jacobian = weight.expand(y.shape[0], -1, -1) if jacobian is None else weight @ jacobian
    return y, -jacobian.diagonal(dim1=1, dim2=2).sum(1)


def psi(h, t, y):
    slope, _ = field(t, y)
    slope, trace = field(t + h / 2, y + h / 2 * slope)
    return h * slope, h * trace


def loss():
    y = z = x
    integral = torch.zeros(count)
    for n in range(steps):
        t1, t0 = 1 - n * h, 1 - (n + 1) * h
        forth, trace = psi(-h, t1, y)
        z = z + forth
        integral = integral + trace
        y = y / lam + (1 - 1 / lam) * z - psi(h, t0, z)[0] / lam
    normal = -0.5 * (y * y).sum(1) - torch.log(torch.tensor(2 * torch.pi))
    return -(normal - integral).mean()


optimiser = torch.optim.AdamW(list(theta.values()), lr=1e-3, weight_decay=1e-4)
losses = []
for _ in range(updates):
    optimiser.zero_grad()
    value = loss()
    value.backward()
    optimiser.step()
    losses.append(value.item())
print(json.dumps({"torch": torch.__version__, "losses": losses}))
