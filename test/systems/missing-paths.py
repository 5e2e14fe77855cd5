"""Paths of torchcde through series of which values are missing, in float64, and the gradients of sum(weights * coefficients).

    python test/systems/missing-paths.py > test/systems/missing-paths.json      (torchcde 0.2.5, torch 2.13.0)

Missing values are written as null.
"""

import json
import math

import torch
import torchcde

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)

batch, places, channels = 4, 9, 3
times = torch.rand(places).add(0.1).cumsum(0)
values = torch.randn(batch, places, channels)
values[..., 0] = torch.rand(batch, places).add(0.1).cumsum(1)
nan = math.nan
# gaps in the middle, of several lengths
values[0, [1, 4, 5], 1] = nan
values[0, [2, 3, 4, 6, 7], 2] = nan
# at the end
values[1, [3, 7, 8], 1] = nan
values[1, 1:, 2] = nan
# two that are left
values[2, 2:8, 1] = nan
causal = values.clone()
# at the start, which a rectilinear path does not take; and one value in the middle that is left
values[3, [0, 1, 5], 1] = nan
values[3, [0, 1, 2, 3, 5, 6, 7, 8], 2] = nan


def numbers(tensor):
    return [None if math.isnan(x) else float(f"{x:.16g}") for x in tensor.detach().flatten().tolist()]


def polynomials(coefficients):
    """a, b, c and d of theirs: a, b, 2 c and 3 d."""
    a, b, two_c, three_d = coefficients.chunk(4, dim=-1)
    return torch.cat([a, b, two_c / 2, three_d / 3], dim=-1)


def lines(points, t):
    slopes = (points[:, 1:] - points[:, :-1]) / (t[1:] - t[:-1]).unsqueeze(-1)
    return torch.cat([points[:, :-1], slopes, 0 * slopes, 0 * slopes], dim=-1)


turns = torch.arange(2.0 * places - 1)
paths = {
    "linear": (values, lambda x: lines(torchcde.linear_interpolation_coeffs(x, times), times)),
    "rectilinear": (causal, lambda x: lines(torchcde.linear_interpolation_coeffs(x, rectilinear=0), turns)),
    "hermite": (
        values,
        lambda x: polynomials(torchcde.hermite_cubic_coefficients_with_backward_differences(x, times)),
    ),
    "natural": (values, lambda x: polynomials(torchcde.natural_cubic_coeffs(x, times))),
}


def known(name, x, path):
    x = x.clone().requires_grad_(True)
    found = path(x)
    weights = torch.sin(torch.arange(found.numel(), dtype=torch.float64)).reshape(found.shape)
    (weights * found).sum().backward()
    gradient = torch.where(x.isnan(), torch.zeros_like(x), x.grad)
    return {"values": numbers(x), "coefficients": numbers(found), "gradient": numbers(gradient)}


print(
    json.dumps(
        {
            "shape": [batch, places, channels],
            "times": numbers(times),
            "paths": {name: known(name, *path) for name, path in paths.items()},
        }
    )
)
