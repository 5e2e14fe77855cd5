"""What PyTorch computes: outputs of its layers in float64, and the gradients of sum(weights * output).

    python test/nn/pytorch-layers.py > test/nn/pytorch-layers.json      (torch 2.13.0)
"""

import json
import sys

import torch
from torch import nn

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def rounded(tensor):
    return {"shape": list(tensor.shape), "data": [float(f"{x:.15g}") for x in tensor.detach().flatten().tolist()]}


class ConcatSquash(nn.Module):
    """As in FFJORD's code, diffeq_layers/basic.py."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self._layer = nn.Linear(inputs, outputs)
        self._hyper_bias = nn.Linear(1, outputs, bias=False)
        self._hyper_gate = nn.Linear(1, outputs)

    def forward(self, x, t):
        return self._layer(x) * torch.sigmoid(self._hyper_gate(t.view(1, 1))) + self._hyper_bias(t.view(1, 1))


class Unrolled(nn.Module):
    def __init__(self, cell, states):
        super().__init__()
        self.cell, self.states = cell, states

    def forward(self, xs, *start):
        state, outputs = start if self.states > 1 else start[0], []
        for x in xs.unbind(1):
            state = self.cell(x, state)
            outputs.append(state[0] if self.states > 1 else state)
        return torch.stack(outputs, 1)


class Couplings(nn.Module):
    """The additive couplings of a RevNet, whose halves are those of the last axis."""

    def __init__(self, count, part):
        super().__init__()
        self.blocks = nn.ModuleList(nn.ModuleDict({"f": part(), "g": part()}) for _ in range(count))

    def forward(self, x):
        x1, x2 = x.chunk(2, 1)
        for block in self.blocks:
            x1 = x1 + block["f"](x2)
            x2 = x2 + block["g"](x1)
        return torch.cat([x1, x2], 1)


def case(module, *inputs, call=None, strip=""):
    # parameters away from zeros and ones, so that each is seen
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for name, buffer in module.named_buffers():
            if buffer.dtype.is_floating_point:
                buffer.add_(0.5 * torch.rand_like(buffer))
    before = {name: rounded(buffer) for name, buffer in module.named_buffers() if buffer.dtype.is_floating_point}
    inputs = [x.clone().requires_grad_() if x.dtype.is_floating_point else x for x in inputs]
    output = (call or module)(*inputs)
    weights = torch.randn_like(output)
    (weights * output).sum().backward()
    name_of = lambda name: name.removeprefix(strip)
    return {
        "inputs": [rounded(x) for x in inputs],
        "parameters": {name_of(name): rounded(p) for name, p in module.named_parameters()},
        "buffers": {name_of(name): value for name, value in before.items()},
        "buffersAfter": {
            name_of(name): rounded(b) for name, b in module.named_buffers() if b.dtype.is_floating_point
        },
        "output": rounded(output),
        "weights": rounded(weights),
        "gradients": {name_of(name): rounded(p.grad) for name, p in module.named_parameters()},
        "inputGradients": [rounded(x.grad) if x.requires_grad else None for x in inputs],
    }


def attention(causal):
    module = nn.MultiheadAttention(6, 2, batch_first=True)
    mask = torch.full((5, 5), float("-inf")).triu(1) if causal else None
    return module, lambda x: module(x, x, x, attn_mask=mask, need_weights=False)[0]


def cross():
    module = nn.MultiheadAttention(6, 3, batch_first=True)
    return module, lambda q, k, v: module(q, k, v, need_weights=False)[0]


evaluated = nn.BatchNorm1d(4).eval()
plain, masked, crossed = attention(False), attention(True), cross()
cases = {
    "linear(3, 5)": case(nn.Linear(3, 5), torch.randn(4, 3)),
    "linear(3, 5) on three axes": case(nn.Linear(3, 5), torch.randn(2, 4, 3)),
    "linear(3, 5, no bias)": case(nn.Linear(3, 5, bias=False), torch.randn(4, 3)),
    "mlp([3, 8, 8, 2], tanh)": case(
        nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)), torch.randn(4, 3)
    ),
    "embedding(7, 3)": case(nn.Embedding(7, 3), torch.tensor([[1, 6, 1], [0, 2, 6]])),
    "layerNorm(6)": case(nn.LayerNorm(6), torch.randn(2, 3, 6)),
    "rmsNorm(6), epsilon 1e-6": case(nn.RMSNorm(6, eps=1e-6), torch.randn(2, 3, 6)),
    "groupNorm(2, 4)": case(nn.GroupNorm(2, 4), torch.randn(2, 4, 3, 3)),
    "batchNorm(4), trained": case(nn.BatchNorm1d(4), torch.randn(6, 4)),
    "batchNorm(3) on images, trained": case(nn.BatchNorm2d(3), torch.randn(2, 3, 4, 4)),
    "batchNorm(4), afterwards": case(evaluated, torch.randn(6, 4)),
    "gruCell(3, 5)": case(nn.GRUCell(3, 5), torch.randn(4, 3), torch.randn(4, 5)),
    "lstmCell(3, 5)": case(
        cell := nn.LSTMCell(3, 5),
        torch.randn(4, 3),
        torch.randn(4, 5),
        torch.randn(4, 5),
        call=lambda x, h, c: torch.cat(cell(x, (h, c)), 1),
    ),
    "gruCell(3, 5) along sequences": case(
        Unrolled(nn.GRUCell(3, 5), 1), torch.randn(2, 6, 3), torch.randn(2, 5), strip="cell."
    ),
    "lstmCell(3, 5) along sequences": case(
        Unrolled(nn.LSTMCell(3, 5), 2), torch.randn(2, 6, 3), torch.randn(2, 5), torch.randn(2, 5), strip="cell."
    ),
    "multiHeadAttention(6, 2)": case(plain[0], torch.randn(2, 5, 6), call=plain[1]),
    "multiHeadAttention(6, 2, causal)": case(masked[0], torch.randn(2, 5, 6), call=masked[1]),
    "multiHeadAttention(6, 3) of one sequence to another": case(
        crossed[0], torch.randn(2, 4, 6), torch.randn(2, 5, 6), torch.randn(2, 5, 6), call=crossed[1]
    ),
    "concatSquash(3, 4)": case(ConcatSquash(3, 4), torch.randn(5, 3), torch.tensor(0.7)),
    "silu": case(nn.SiLU(), torch.randn(4, 3)),
    "conv1d(4, 6, 3, 2 groups)": case(nn.Conv1d(4, 6, 3, padding=1, groups=2), torch.randn(2, 4, 7)),
    "conv2d(2, 3, 3)": case(nn.Conv2d(2, 3, 3, stride=2, padding=1), torch.randn(2, 2, 5, 6)),
    "convTranspose1d(4, 3, 4)": case(nn.ConvTranspose1d(4, 3, 4, stride=2, padding=1), torch.randn(2, 4, 5)),
    "convTranspose2d(3, 2, 3)": case(
        nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), torch.randn(2, 3, 3, 4)
    ),
    "rmsNorm(6) of small numbers": case(nn.RMSNorm(6), 1e-6 * torch.randn(2, 3, 6)),
    "reversibleBlocks(3) of perceptrons": case(
        Couplings(3, lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))), torch.randn(5, 6), strip="blocks."
    ),
    "conv1d(2, 3, 5), around the ends": case(
        nn.Conv1d(2, 3, 5, padding=2, padding_mode="circular"), torch.randn(2, 2, 6)
    ),
    "conv2d(2, 3, 3), mirrored": case(
        nn.Conv2d(2, 3, 3, padding=1, stride=2, padding_mode="reflect"), torch.randn(2, 2, 5, 4)
    ),
    "conv2d(2, 3, 3), with its ends repeated": case(
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="replicate"), torch.randn(2, 2, 4, 3)
    ),
}
json.dump({"torch": torch.__version__, "cases": cases}, sys.stdout)
