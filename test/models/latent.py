"""What PyTorch computes of recurrent networks along irregular series and of an evidence lower bound, in float64, with the
gradients of sum(weights * outputs).

    python test/models/latent.py > test/models/latent.json      (torch 2.13.0)
"""

import json

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)

batch, places, channels, hidden = 3, 5, 2, 4


def rounded(tensor):
    return {"shape": list(tensor.shape), "data": [float(f"{x:.15g}") for x in tensor.detach().flatten().tolist()]}


times = torch.rand(batch, places).cumsum(1)
mask = (torch.rand(batch, places, channels) < 0.6).double()
# a place of which nothing is seen, and a series that is over early
mask[0, 2] = 0
mask[2, 3:] = 0
times[2, 3:] = times[2, 2]
values = torch.randn(batch, places, channels)
t0 = -0.3


class Gap:
    """The cell of a GRU beside the time since the last observation."""

    def __init__(self):
        self.cell = nn.GRUCell(2 * channels + 1, hidden)
        self.parameters = dict(self.cell.named_parameters())

    def start(self):
        return torch.zeros(batch, hidden), torch.zeros(batch, 1)

    def evolve(self, gap, state):
        h, elapsed = state
        return h, elapsed + gap

    def read(self, state):
        return torch.cat(state, 1)

    def update(self, x, m, state):
        h, elapsed = state
        return self.cell(torch.cat([x, m, elapsed], 1), h), torch.zeros_like(elapsed)


class GruD:
    """The equations of Che et al. 2018, section 2.4, with a mean of 0."""

    def __init__(self):
        p = lambda *shape: nn.Parameter(0.5 * torch.randn(*shape))
        self.parameters = {
            "input_decay.weight": p(channels),
            "input_decay.bias": p(channels),
            "hidden_decay.weight": p(hidden, channels),
            "hidden_decay.bias": p(hidden),
            "weight_ih": p(3 * hidden, 2 * channels),
            "weight_hh": p(3 * hidden, hidden),
            "bias": p(3 * hidden),
        }

    def start(self):
        return torch.zeros(batch, hidden), torch.zeros(batch, channels), torch.zeros(batch, channels)

    def evolve(self, gap, state):
        h, last, since = state
        return h, last, since + gap

    def read(self, state):
        h, _, since = state
        p = self.parameters
        rate = since @ p["hidden_decay.weight"].T + p["hidden_decay.bias"]
        return torch.exp(-torch.clamp(rate, min=0)) * h

    def update(self, x, m, state):
        _, last, since = state
        p = self.parameters
        decay = torch.exp(-torch.clamp(p["input_decay.weight"] * since + p["input_decay.bias"], min=0))
        imputed = m * x + (1 - m) * decay * last
        h = self.read(state)
        wr, wz, wn = p["weight_ih"][:, :channels].chunk(3)
        vr, vz, vn = p["weight_ih"][:, channels:].chunk(3)
        ur, uz, un = p["weight_hh"].chunk(3)
        br, bz, bn = p["bias"].chunk(3)
        r = torch.sigmoid(imputed @ wr.T + h @ ur.T + m @ vr.T + br)
        z = torch.sigmoid(imputed @ wz.T + h @ uz.T + m @ vz.T + bz)
        n = torch.tanh(imputed @ wn.T + (r * h) @ un.T + m @ vn.T + bn)
        return (1 - z) * h + z * n, m * x + (1 - m) * last, (1 - m) * since


class OdeRnn:
    """A field of one hidden layer, solved by two midpoint steps from one observation to the next."""

    def __init__(self):
        self.cell = nn.GRUCell(2 * channels, hidden)
        self.field = nn.Sequential(nn.Linear(hidden, 3), nn.Tanh(), nn.Linear(3, hidden))
        self.parameters = {
            **{f"field.layers.{k // 2}.{name}": p for k in (0, 2) for name, p in self.field[k].named_parameters()},
            **{f"cell.{name}": p for name, p in self.cell.named_parameters()},
        }

    def start(self):
        return (torch.zeros(batch, hidden),)

    def evolve(self, gap, state):
        (h,) = state
        for _ in range(2):
            step = gap / 2
            h = h + step * self.field(h + step / 2 * self.field(h))
        return (h,)

    def read(self, state):
        return state[0]

    def update(self, x, m, state):
        return (self.cell(torch.cat([x, m], 1), state[0]),)


def walk(cell, backward):
    order = list(range(places))[::-1] if backward else list(range(places))
    x = values.clone().requires_grad_()
    t = times.clone().requires_grad_()
    state, befores, afters = cell.start(), [], []
    previous = t[:, -1:] if backward else torch.full((batch, 1), t0)
    for k in order:
        gap = (previous - t[:, k : k + 1]) if backward else (t[:, k : k + 1] - previous)
        previous = t[:, k : k + 1]
        state = cell.evolve(gap, state)
        befores.append(cell.read(state))
        taken = cell.update(x[:, k] * mask[:, k], mask[:, k], state)
        seen = mask[:, k].sum(1, keepdim=True) > 0
        state = tuple(torch.where(seen, new, old) for new, old in zip(taken, state))
        afters.append(state[0])
    if backward:
        state = cell.evolve(previous - t0, state)
    outputs = [torch.stack(befores, 1), torch.stack(afters, 1), torch.cat(state, 1)]
    weights = [torch.randn_like(output) for output in outputs]
    for parameter in cell.parameters.values():
        parameter.grad = None
    sum((w * output).sum() for w, output in zip(weights, outputs)).backward()
    return {
        "parameters": {name: rounded(p) for name, p in cell.parameters.items()},
        "outputs": [rounded(output) for output in outputs],
        "weights": [rounded(w) for w in weights],
        "gradients": {
            **{name: rounded(p.grad) for name, p in cell.parameters.items()},
            "values": rounded(x.grad),
            "times": rounded(t.grad),
        },
    }


def lower_bound():
    decoded, mean, log_variance = torch.randn_like(values), torch.randn(batch, 3), torch.randn(batch, 3)
    leaves = {"decoded": decoded, "mean": mean, "logVariance": log_variance}
    for leaf in leaves.values():
        leaf.requires_grad_()
    deviation, weight = 0.3, 0.7
    density = torch.distributions.Normal(decoded, deviation).log_prob(values)
    log_likelihood = (density * mask).sum((1, 2)).mean()
    posterior = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    loss = weight * divergence - log_likelihood
    loss.backward()
    return {
        "deviation": deviation,
        "weight": weight,
        "inputs": {name: rounded(leaf) for name, leaf in leaves.items()},
        "outputs": {"logLikelihood": log_likelihood.item(), "divergence": divergence.item(), "loss": loss.item()},
        "gradients": {name: rounded(leaf.grad) for name, leaf in leaves.items()},
    }


cells = {"gap": Gap(), "gru-d": GruD(), "ode-rnn": OdeRnn()}
print(
    json.dumps(
        {
            "torch": torch.__version__,
            "t0": t0,
            "series": {"values": rounded(values), "mask": rounded(mask), "times": rounded(times)},
            "walks": {
                f"{name}, {direction}": walk(cell, direction == "backward")
                for name, cell in cells.items()
                for direction in ("forward", "backward")
            },
            "evidence": lower_bound(),
        },
        indent=1,
    )
)
