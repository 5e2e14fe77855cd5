"""Losses of a training loop in PyTorch, in float64: a network with batch normalisation, and a GRU that sums a sequence.

    python test/models/pytorch-training.py > test/models/pytorch-training.json      (torch 2.13.0)
"""

import json
import sys

import torch
from torch import nn

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)


def stored(tensor):
    data = tensor.detach().flatten().tolist()
    return {"shape": list(tensor.shape), "data": [float(f"{x:.17g}") for x in data]}


def trained(module, x, y, call, loss, steps):
    start = {name: stored(p) for name, p in module.named_parameters()}
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.01, weight_decay=0.01)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        value = loss(call(x), y)
        value.backward()
        # clip_grad_norm_ adds 1e-6 to the norm
        norm = torch.sqrt(sum((p.grad**2).sum() for p in module.parameters()))
        for parameter in module.parameters():
            parameter.grad *= min(1.0, 1.0 / norm.item())
        optimiser.step()
        losses.append(value.item())
    module.eval()
    return {
        "start": start,
        "x": stored(x),
        "y": stored(y.to(torch.float64)),
        "losses": losses,
        "evaluated": loss(call(x), y).item(),
        "end": {name: stored(p) for name, p in module.named_parameters()},
    }


classifier = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))
gru = nn.ModuleDict({"cell": nn.GRUCell(2, 6), "head": nn.Linear(6, 1)})


def along(xs):
    h = torch.zeros(xs.shape[0], 6)
    for x in xs.unbind(1):
        h = gru["cell"](x, h)
    return gru["head"](h)


x = torch.randn(12, 4)
xs = torch.randn(10, 5, 2)
json.dump(
    {
        "torch": torch.__version__,
        "classifier": trained(
            classifier, x, torch.randint(0, 3, (12,)), classifier, nn.functional.cross_entropy, 20
        ),
        "gru": trained(gru, xs, xs.sum((1, 2)).unsqueeze(1), along, nn.functional.mse_loss, 20),
    },
    sys.stdout,
)
