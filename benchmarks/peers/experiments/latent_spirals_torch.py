"""The latent ODE of spirals at irregular times, its solve by torchdiffeq: from the k-th time of each series to the next one in
a time of its own that all have in common, dz/ds = (t[k + 1] - t[k]) f(z)."""

import math

import torch
import torch.nn.functional as F
import torchdiffeq


def mlp(theta, name, x, activation):
    names = sorted({one[len(name) + 1 :].split(".")[0] for one in theta if one.startswith(f"{name}.")}, key=int)
    for k in names:
        x = F.linear(x, theta[f"{name}.{k}.weight"], theta[f"{name}.{k}.bias"])
        x = x if k == names[-1] else activation(x)
    return x


class Field(torch.nn.Module):
    def __init__(self, theta, gaps):
        super().__init__()
        self.theta, self.gaps = theta, gaps

    def forward(self, s, z):
        k = min(int(s), self.gaps.shape[1] - 1)
        return self.gaps[:, k : k + 1] * mlp(self.theta, "field.layers", z, F.elu)


def encoded(theta, values, times):
    own = [theta[f"encoder.{name}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    gaps = torch.cat([torch.zeros_like(times[:, :1]), times.diff(dim=1).flip(1)], 1)
    rows = torch.cat([values.flip(1), torch.ones_like(values), gaps[..., None]], 2)
    start = torch.zeros(1, values.shape[0], own[1].shape[1])
    return torch.gru(rows, start, own, True, 1, 0.0, True, False, True)[1][0]


def loss(library, variant, data, setting):
    del library
    values, times, noise, deviation = data["values"], data["times"], data["noise"], setting["deviation"]
    gaps = torch.cat([times[:, :1], times.diff(dim=1)], 1)
    places = torch.arange(values.shape[1] + 1.0)
    odeint = {"odeint": torchdiffeq.odeint, "odeint_adjoint": torchdiffeq.odeint_adjoint}[variant]
    options = {"method": "midpoint", "options": {"step_size": 1 / setting["steps"]}}

    def value(theta):
        posterior = F.linear(encoded(theta, values, times), theta["toLatent.weight"], theta["toLatent.bias"])
        mean, log = posterior.chunk(2, 1)
        own = tuple(array for name, array in theta.items() if name.startswith("field."))
        given = {"adjoint_params": own} if variant == "odeint_adjoint" else {}
        zs = odeint(Field(theta, gaps), mean + torch.exp(log / 2) * noise, places, **options, **given)[1:]
        off = (values - mlp(theta, "decoder", zs.transpose(0, 1), F.relu)) / deviation
        likelihood = (-0.5 * (off**2 + math.log(2 * math.pi * deviation**2))).sum((1, 2))
        divergence = 0.5 * (log.exp() + mean**2 - 1 - log).sum(1)
        return (divergence - likelihood).mean()

    return value
