"""What PyTorch computes for operators and their gradients: python test/ops/pytorch-operators.py > test/ops/pytorch-operators.json

For each case an input, the result, a cotangent of it and what that makes of the input.
"""

import json

import torch
from torch.nn.functional import interpolate

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)

resizes = [
    ([1, 2, 5], [8], {"mode": "nearest"}),
    ([2, 1, 3, 4], [6, 2], {"mode": "nearest"}),
    ([1, 2, 5], [8], {"mode": "linear"}),
    ([1, 2, 3, 4], [5, 3], {"mode": "bilinear"}),
    ([1, 1, 3, 4], [6, 7], {"mode": "bilinear", "align_corners": True}),
    ([1, 1, 7, 9], [3, 4], {"mode": "bilinear", "antialias": True}),
    ([1, 1, 4, 5], [7, 3], {"mode": "bicubic"}),
    ([1, 1, 4, 5], [7, 3], {"mode": "bicubic", "align_corners": True}),
    ([1, 1, 2, 3, 2], [3, 5, 4], {"mode": "trilinear"}),
]
tops = [([3, 5], 2, -1, True), ([4, 3], 3, 0, False), ([2, 4, 3], 4, 1, True)]


def case(x, y, **more):
    cotangent = torch.randn_like(y)
    (gradient,) = torch.autograd.grad(y, x, cotangent)
    lists = {"x": x, "y": y, "cotangent": cotangent, "gradient": gradient}
    flat = {name: value.detach().flatten().tolist() for name, value in lists.items()}
    return {**more, "shape": list(x.shape), "resultShape": list(y.shape), **flat}


found = {"torch": torch.__version__, "resize": [], "topK": []}
for shape, size, options in resizes:
    x = torch.randn(shape, requires_grad=True)
    found["resize"].append(case(x, interpolate(x, size=size, **options), size=size, options=options))
for shape, k, axis, largest in tops:
    x = torch.randn(shape, requires_grad=True)
    values, indices = torch.topk(x, k, dim=axis, largest=largest)
    found["topK"].append(case(x, values, k=k, axis=axis, largest=largest, indices=indices.flatten().tolist()))

print(json.dumps(found))
