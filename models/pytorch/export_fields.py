"""Export small PyTorch vector fields y' = f(t, y) to ONNX, with the numbers PyTorch gives for them.

    python models/pytorch/export_fields.py [OUTPUT_FOLDER] [--only TEXT]

writes one .onnx file per case and one cases.json into OUTPUT_FOLDER (test/fixtures/pytorch by
default). Each case holds a point (t, y), the output there, a random cotangent c, and the gradients
of sum(c * f(t, y)) with respect to y and to every parameter, all computed by PyTorch's autograd.
"""

import argparse
import contextlib
import io
import json
import logging
import math
import pathlib
import shutil
import warnings
import zlib
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx.reference import ReferenceEvaluator
from torch import nn

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TIME = 0.625  # exact in float32
EXPORT_BATCH, CASE_BATCH = 4, 3  # a dynamic batch is exported at one size and checked at another


# ----------------------------------------------------------------------------- fields


def perceptron(n_in, n_out, activation=nn.Tanh, width=8):
    return nn.Sequential(nn.Linear(n_in, width), activation(), nn.Linear(width, n_out))


class Autonomous(nn.Module):
    """f(y) through a network, without a time argument."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, y):
        return self.net(y)


class TimeUnused(Autonomous):
    def forward(self, t, y):
        return self.net(y)


class ConcatTime(nn.Module):
    """net([t, y]) with t already of y's rank."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, t, y):
        return self.net(torch.cat([t, y], dim=-1))


class ExpandTime(ConcatTime):
    """t is a scalar or has one element: repeat it along the batch with expand."""

    def forward(self, t, y):
        return self.net(torch.cat([t.expand(y.shape[0], 1), y], dim=1))


class OnesTime(ConcatTime):
    """The same through ones_like."""

    def forward(self, t, y):
        return self.net(torch.cat([torch.ones_like(y[:, :1]) * t, y], dim=1))


class FullTime(ConcatTime):
    """The same through a constant of run-time shape."""

    def forward(self, t, y):
        ones = torch.ones(y.size(0), 1, dtype=y.dtype, device=y.device)
        return self.net(torch.cat([y, t * ones], dim=1))


class RepeatTime(ConcatTime):
    """The same through repeat (Tile)."""

    def forward(self, t, y):
        return self.net(torch.cat([t.reshape(1, 1).repeat(y.shape[0], 1), y], dim=1))


class VectorState(ConcatTime):
    """A state of rank 1, no batch."""

    def forward(self, t, y):
        return self.net(torch.cat([t.reshape(1), y]))


class StateFirst(nn.Module):
    """Arguments in the order (y, t)."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, y, t):
        return self.net(torch.cat([t.expand(y.shape[0], 1), y], dim=1))


class MatMulAdd(nn.Module):
    """Explicit y @ W + b."""

    def __init__(self, size=3):
        super().__init__()
        self.W = nn.Parameter(torch.randn(size, size) * 0.5)
        self.b = nn.Parameter(torch.randn(size) * 0.5)

    def forward(self, t, y):
        return torch.tanh(y @ self.W + self.b) * t


class Spiral(nn.Module):
    """The cubic spiral y**3 A, with its matrix as the parameter."""

    def __init__(self):
        super().__init__()
        self.A = nn.Parameter(torch.tensor([[-0.1, 2.0], [-2.0, -0.1]]))

    def forward(self, t, y):
        return torch.mm(y**3, self.A)


class LotkaVolterra(nn.Module):
    """Slicing, stack and scalar (0-d) parameters."""

    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(1.3))
        self.beta = nn.Parameter(torch.tensor(0.9))
        self.gamma = nn.Parameter(torch.tensor(0.8))
        self.delta = nn.Parameter(torch.tensor(1.8))

    def forward(self, t, y):
        prey, predator = y[..., 0], y[..., 1]
        return torch.stack(
            [
                prey * (self.alpha - self.beta * predator),
                predator * (self.gamma * prey - self.delta),
            ],
            dim=-1,
        )


class ScalarParameter(nn.Module):
    """One learnable 0-d parameter and a plain Python number."""

    def __init__(self):
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.75))

    def forward(self, t, y):
        return -self.rate * y + 0.5 * torch.sin(t)


class Gated(nn.Module):
    """CNF-like layer: time gates a linear map (hyper-network style), 1-row state allowed."""

    def __init__(self, size):
        super().__init__()
        self.layer = nn.Linear(size, size)
        self.gate = nn.Linear(1, size)
        self.shift = nn.Linear(1, size, bias=False)

    def forward(self, t, y):
        t = t.view(1, 1)
        return self.layer(y) * torch.sigmoid(self.gate(t)) + self.shift(t)


class Attention(nn.Module):
    """Self-attention over the last two axes of the state, written out."""

    def __init__(self, size=4):
        super().__init__()
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size, bias=False)
        self.scale = math.sqrt(size)

    def forward(self, t, y):
        scores = self.query(y) @ self.key(y).transpose(-2, -1) / self.scale
        return torch.softmax(scores, dim=-1) @ self.value(y) * torch.cos(t)


class FusedAttention(Attention):
    """The same through scaled_dot_product_attention, with two heads."""

    def forward(self, t, y):
        def heads(z):
            return z.view(z.shape[0], z.shape[1], 2, 2).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(
            heads(self.query(y)), heads(self.key(y)), heads(self.value(y))
        )
        return mixed.transpose(1, 2).reshape(y.shape) * torch.cos(t)


class Softmaxes(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 3)

    def forward(self, t, y):
        hidden = torch.softmax(self.first(y), dim=-1)
        return F.log_softmax(self.second(hidden), dim=1) + t * y.softmax(dim=0)


class Pointwise(nn.Module):
    """Elementwise functions; the point of the case stays away from their kinks."""

    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.tensor([0.7, 1.3, -0.4]))

    def forward(self, t, y):
        positive = torch.abs(y) + 0.5
        a = torch.where(y > 0.1, torch.sin(y), self.p * torch.cos(y))
        b = torch.clamp(y, -0.8, 0.8) + torch.clamp(y * self.p, min=-0.3)
        c = torch.maximum(y, self.p) - torch.minimum(y * t, self.p)
        d = torch.sqrt(positive) + torch.log(positive) - torch.exp(-positive)
        e = torch.pow(positive, 1.5) - torch.pow(positive, torch.abs(self.p)) + y**2
        g = torch.reciprocal(positive) + torch.rsqrt(positive) - positive / (1 + t * t)
        return a + b + c + d + e + g - torch.tan(0.3 * y)


class Special(nn.Module):
    """Less common elementwise functions."""

    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.tensor([0.7, 1.3, -0.4]))

    def forward(self, t, y):
        a = torch.erf(y * self.p) + torch.sign(y) * torch.square(y)
        b = torch.log1p(y * y) + torch.atan(y)
        c = F.hardtanh(2 * y) + F.relu6(y + t) + F.hardswish(y + self.p)
        inside = (y > -1.0) & ~(y >= 1.0) | (y == 5.0)
        return torch.where(inside, a, -a) + b + c + F.mish(y) + F.logsigmoid(y) + F.softsign(y)


class Reductions(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.7, 1.3, -0.4]))

    def forward(self, t, y):
        z = y * self.w
        centred = z - z.mean(dim=-1, keepdim=True)
        scale = torch.linalg.vector_norm(y, dim=-1, keepdim=True) + z.sum(1, keepdim=True)
        spread = torch.amax(z, dim=1) - torch.amin(z, dim=1)
        total = torch.logsumexp(z, dim=-1, keepdim=True) + z.var(dim=-1, keepdim=True)
        return centred * scale + spread.unsqueeze(-1) + total + y.prod(dim=1, keepdim=True) * t + z.sum()


class Indexing(nn.Module):
    """Slices, split, chunk, stack, cat, transpose, gather, pad, flip, roll over a [batch, 4] state."""

    def __init__(self):
        super().__init__()
        self.register_buffer("order", torch.tensor([2, 0, 3, 1]))
        self.mix = nn.Linear(4, 4)

    def forward(self, t, y):
        first, second = y.chunk(2, dim=1)
        a, b, c = torch.split(y, [1, 2, 1], dim=-1)
        permuted = torch.index_select(y, 1, self.order) + y[:, [3, 3, 0, 1]]
        pairs = torch.stack([first, second], dim=2).transpose(1, 2).flatten(1)
        padded = F.pad(b, (1, 1)) + F.pad(a, (0, 3), value=0.25) + torch.roll(y, 1, 1)
        outer = (y.unsqueeze(2) * y.unsqueeze(1)).sum(-1, keepdim=True).squeeze(-1)
        flipped = torch.cat([c, y[:, 1:3], y[..., 0:1]], dim=1) + y.flip(1)
        strided = torch.cat([y[:, ::2], y[:, 1::2]], 1)
        gathered = torch.gather(y, 1, self.order.expand(y.shape[0], 4))
        return self.mix(permuted + pairs * padded) + flipped * t + strided + 0.1 * outer + gathered


class Unbind(nn.Module):
    """unbind and tuple assignment over a state of rank 1 (Lorenz), 0-d slices stacked again."""

    def __init__(self):
        super().__init__()
        self.c = nn.Parameter(torch.tensor([10.0, 28.0, 8.0 / 3.0]) / 10)

    def forward(self, t, y):
        x, v, z = y.unbind()
        return torch.stack([self.c[0] * (v - x), x * (self.c[1] - z) - v, x * v - self.c[2] * z])


class Buffers(nn.Module):
    """A float buffer beside the parameters: in the file it looks like one of them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.1, -0.2]))
        self.register_buffer("std", torch.tensor([1.5, 0.5]))
        self.net = perceptron(2, 2)

    def forward(self, t, y):
        return self.net((y - self.mean) / self.std)


class Tied(nn.Module):
    """One layer applied twice, and two biases with equal values."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(3, 3)
        self.left = nn.Linear(3, 3)
        self.right = nn.Linear(3, 3)
        nn.init.zeros_(self.left.bias)
        nn.init.zeros_(self.right.bias)

    def forward(self, t, y):
        hidden = torch.tanh(self.shared(torch.tanh(self.shared(y))))
        return self.left(hidden) + self.right(torch.cos(hidden) * t)


class Derived(nn.Module):
    """Values computed from parameters alone: constant folding may replace the parameters by them."""

    def __init__(self):
        super().__init__()
        self.log_rate = nn.Parameter(torch.tensor([0.2, -0.4]))
        self.M = nn.Parameter(torch.randn(2, 2))

    def forward(self, t, y):
        skew = self.M - self.M.t()
        return y @ skew - torch.exp(self.log_rate) * y


def norm_net(n_in, n_out, width=8):
    return nn.Sequential(
        nn.Linear(n_in, width), nn.LayerNorm(width), nn.SiLU(), nn.Dropout(0.1), nn.Linear(width, n_out)
    )


# ----------------------------------------------------------------------------- cases


@dataclass
class Case:
    name: str
    exporter: str  # "torchscript" or "dynamo"
    opset: int
    module: nn.Module
    state: tuple  # shape of y; "B" stands for the batch
    time: tuple | None = ()  # shape of t, or None where the field takes no t
    dtype: torch.dtype = torch.float32
    time_dtype: torch.dtype | None = None  # of t, where it is not y's
    dynamic: bool = True  # a symbolic batch, where state has one
    names: tuple = ("t", "y")  # the model's input names for time and state
    state_first: bool = False
    external: bool = False
    tolerance: float | None = None  # of the check, where the file holds less exact numbers than its type
    options: dict = field(default_factory=dict)  # more arguments of torch.onnx.export


def cases():
    """Every case. `make` builds the module after the seed is set, so weights depend on the name only."""
    found = []

    def add(name, make, state, versions, **options):
        for version in versions.split():
            letter, opset = version[0], version[1:].rstrip("df")
            flags = version[1 + len(opset) :]  # d: float64, f: fixed batch
            dtype = torch.float64 if "d" in flags else torch.float32
            exporter = {"T": "torchscript", "D": "dynamo"}[letter]
            full = f"{name}-{exporter}-{opset}"
            full += "-float64" * ("d" in flags) + "-fixed" * ("f" in flags)
            torch.manual_seed(zlib.crc32(name.encode()))
            module = make().to(dtype).eval()
            case = Case(full, exporter, int(opset), module, state, dtype=dtype, **options)
            case.dynamic = "B" in state and "f" not in flags
            found.append(case)

    row2, row3, row4 = ("B", 2), ("B", 3), ("B", 4)

    # networks of y alone, and with t of every shape
    add("mlp", lambda: Autonomous(perceptron(2, 2)), row2,
        "T13 T14 T17 T18 T20 T14d T17f D17 D18 D20 D20d D18f", time=None)
    add("mlp", lambda: Autonomous(perceptron(2, 2)), row2, "T9 D13 D15 D23", time=None)  # other opsets
    add("time-scalar", lambda: ExpandTime(perceptron(3, 2)), row2, "T13 T14 T17 T20 T17d T18f D14 D15 D18 D20 D18d")
    add("time-one", lambda: ExpandTime(perceptron(3, 2)), row2, "T14 T18 D18", time=(1,))
    add("time-batch", lambda: ConcatTime(perceptron(3, 2)), row2, "T13 T18 T18d D18 D20 D18d T18f", time=("B", 1))
    add("time-ones-like", lambda: OnesTime(perceptron(3, 2)), row2, "T13 T17 T20 D18 D20 T17d T17f")
    add("time-full", lambda: FullTime(perceptron(3, 2)), row2, "T14 T17 D18")
    add("time-repeat", lambda: RepeatTime(perceptron(3, 2)), row2, "T14 D18")
    add("time-unused", lambda: TimeUnused(perceptron(2, 2)), row2, "T14 T18 D18 D20")
    add("scalar-state", lambda: ConcatTime(perceptron(2, 1)), ("B", 1), "T14 T18d D18 D20d", time=("B", 1))
    add("vector-state", lambda: VectorState(perceptron(4, 3)), (3,), "T13 T17 T18d D18 D20d")
    add("vector-state-alone", lambda: Autonomous(perceptron(3, 3)), (3,), "T14 D18", time=None)
    add("odd-names", lambda: ExpandTime(perceptron(3, 2)), row2, "T17 D18", names=("time", "x"))
    add("state-first", lambda: StateFirst(perceptron(3, 2)), row2, "T17 D18",
        names=("arg1", "arg0"), state_first=True)
    add("default-names", MatMulAdd, row3, "T17f", names=("onnx::Mul_0", "onnx::MatMul_1"),
        options={"input_names": None, "output_names": None})
    add("time-float64", MatMulAdd, row3, "T14 D18", time_dtype=torch.float64)  # beside a float32 state
    add("gated", lambda: Gated(2), row2, "T14 D18 D18d")

    # activations
    activations = {
        "gelu": (nn.GELU, "T13 T14 T20 D18 D20 T14d"),
        "gelu-tanh": (lambda: nn.GELU(approximate="tanh"), "T14 T20 D18 D20 T14d"),
        "elu": (nn.ELU, "T14 D18"),
        "elu-alpha": (lambda: nn.ELU(alpha=0.5), "T14 D18"),
        "selu": (nn.SELU, "T14 D18"),
        "softplus": (nn.Softplus, "T14 D18 T14d"),
        "softplus-beta": (lambda: nn.Softplus(beta=2.0), "T14 D18"),
        "silu": (nn.SiLU, "T14 D18 D18d"),
        "leaky-relu": (nn.LeakyReLU, "T14 D18"),
        "leaky-relu-slope": (lambda: nn.LeakyReLU(0.2), "T14 D18"),
        "relu": (nn.ReLU, "T13 T14 D18 D20d"),
        "sigmoid": (nn.Sigmoid, "T14 D18"),
    }
    for name, (activation, versions) in activations.items():
        add(name, lambda: ExpandTime(perceptron(3, 2, activation, width=6)), row2, versions)

    # normalisation and softmax
    add("layer-norm", lambda: ExpandTime(norm_net(3, 2)), row2, "T13 T14 T17 T20 D17 D18 D20 T14d T17d D18d")
    add("softmax", Softmaxes, row3, "T13 T17 D18 D20d")

    # matrix products
    add("linear-3d", lambda: TimeUnused(perceptron(3, 3)), ("B", 2, 3), "T13 T17 T18d D14 D18 D20")
    add("matmul-add", MatMulAdd, row3, "T14 T17d D18")
    add("matmul-add-3d", MatMulAdd, ("B", 2, 3), "T14 D18 D18d")
    add("spiral", Spiral, row2, "T14 T17d D18 D20d")
    add("attention-matrix", Attention, (3, 4), "T13 T17 T18d D18 D20")
    add("attention-batch", Attention, ("B", 3, 4), "T14 T18 D18 D20d")
    add("attention-fused", FusedAttention, ("B", 3, 4), "T14 T17 D18 D23")

    # elementwise functions, reductions, indexing
    add("pointwise", Pointwise, row3, "T13 T17 T17d D18")
    add("pointwise", Pointwise, row3, "D20d", tolerance=1e-6)  # Python numbers rounded to float32
    add("special", Special, row3, "T14 T18 D18 D20")
    add("reductions", Reductions, row3, "T13 T17 T18 T18d D18 D20d")
    add("indexing", Indexing, row4, "T13 T18 T18f T18d D18")
    add("indexing", Indexing, row4, "D20d", tolerance=1e-6)  # the same
    add("unbind", Unbind, (3,), "T14 D18")
    add("lotka-volterra", LotkaVolterra, row2, "T13 T17 T17d D18 D20d")
    add("lotka-volterra-vector", LotkaVolterra, (2,), "T17 D18")

    # parameters that are hard to find again
    add("scalar-parameter", ScalarParameter, row2, "T14 D18 D20d")
    add("scalar-parameter", ScalarParameter, row2, "T17d", tolerance=1e-6)  # casts 0.5 * sin(t) to float32
    add("buffers", Buffers, row2, "T17 D18")
    add("tied", Tied, row3, "T17 D18")
    add("derived", Derived, row2, "T17 D18")
    add("derived-unfolded", Derived, row2, "T17", options={"do_constant_folding": False})
    add("derived-unoptimized", Derived, row2, "D18", options={"optimize": False})
    add("linear-3d-unfolded", lambda: TimeUnused(perceptron(3, 3)), ("B", 2, 3), "T17",
        options={"do_constant_folding": False})
    add("initializers-as-inputs", lambda: ExpandTime(perceptron(3, 2)), row2, "T17",
        options={"keep_initializers_as_inputs": True})
    add("unoptimized", lambda: ExpandTime(norm_net(3, 2)), row2, "D18 D20", options={"optimize": False})
    add("external-data", lambda: ExpandTime(perceptron(3, 2, width=32)), row2, "D18", external=True)
    return found


# ----------------------------------------------------------------------------- export and check


def concrete(shape, batch):
    return tuple(batch if size == "B" else size for size in shape)


def arguments(case, batch, seed):
    """Random (t, y) in the order of forward's parameters."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(concrete(case.state, batch), generator=generator, dtype=torch.float64)
    y = y.to(torch.float32).to(case.dtype)
    if case.time is None:
        return None, y, (y,)
    t = torch.full(concrete(case.time, batch), TIME, dtype=case.time_dtype or case.dtype)
    return t, y, (y, t) if case.state_first else (t, y)


def export(case, path):
    batch = EXPORT_BATCH if case.dynamic else CASE_BATCH
    _, _, args = arguments(case, batch, 1)
    shapes = [case.state] if case.time is None else [case.time, case.state]
    names = [case.names[1]] if case.time is None else list(case.names)
    if case.state_first:
        shapes, names = shapes[::-1], names[::-1]
    axes = [{i: "batch" for i, size in enumerate(shape) if size == "B"} for shape in shapes]
    options = dict(input_names=names, output_names=["dydt"], opset_version=case.opset, verbose=False)
    options.update(case.options)
    if case.exporter == "torchscript":
        if case.dynamic:
            everything = {**dict(zip(names, axes)), "dydt": {0: "batch"}}
            options["dynamic_axes"] = {name: axis for name, axis in everything.items() if axis}
        torch.onnx.export(case.module, args, str(path), dynamo=False, **options)
        return
    if case.dynamic:
        dim = torch.export.Dim("batch")
        options["dynamic_shapes"] = tuple({i: dim for i in axis} for axis in axes)
    program = torch.onnx.export(case.module, args, dynamo=True, **options)
    strip_stack_traces(program.model)
    program.save(str(path), external_data=case.external)


def strip_stack_traces(model):
    """The dynamo exporter notes the absolute path of the source on every node: leave that out."""
    graphs = [model.graph, *model.functions.values()]
    for node in (node for graph in graphs for node in graph.all_nodes()):
        node.metadata_props.pop("pkg.torch.onnx.stack_trace", None)


def plain(tensor):
    """Nested lists of the shortest decimals that read back as the same numbers of the tensor's type."""
    array = tensor.detach().numpy()
    if array.ndim:
        return [plain(part) for part in tensor]
    value = float(str(array[()]))
    assert array.dtype.type(value) == array[()] and math.isfinite(value)
    return value


def stored_parameters(model, module):
    """Where each parameter's values lie among the file's initializers: {state_dict name: {name, transposed}}."""
    arrays = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    found = {}
    for name, parameter in module.named_parameters():
        value = parameter.detach().numpy()
        candidates = sorted(arrays.items(), key=lambda item: item[0] != name)  # its own name first
        for transposed in (False, True) if value.ndim == 2 else (False,):
            wanted = value.T if transposed else value
            hits = [key for key, array in candidates
                    if array.shape == wanted.shape and array.dtype == wanted.dtype and (array == wanted).all()]
            if hits and name not in found:
                found[name] = {"name": hits[0], "transposed": transposed}
    return {name: found.get(name) for name, _ in module.named_parameters()}


def run_in_onnxruntime(path, feeds):
    """The model's output, or None where ONNX Runtime has no kernel for an operator at this type."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the class differs between releases; the text does not
        if "NOT_IMPLEMENTED" in str(error):
            return None
        raise
    return session.run(None, feeds)[0]


def describe(case, path, folder):
    """The entry of cases.json, after checking the file against PyTorch."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    initializers = {i.name for i in model.graph.initializer}
    inputs = [i.name for i in model.graph.input if i.name not in initializers]
    time_name, state_name = case.names
    time_name = time_name if time_name in inputs else None

    t, y, args = arguments(case, CASE_BATCH, 2)
    y.requires_grad_()
    output = case.module(*args)
    generator = torch.Generator().manual_seed(3)
    cotangent = torch.randn(output.shape, generator=generator, dtype=torch.float32).to(case.dtype)
    parameters = dict(case.module.named_parameters())
    gradients = torch.autograd.grad(output, [y, *parameters.values()], cotangent)
    assert output.shape == y.shape

    feeds = {name: array for name, array in
             [(time_name, None if t is None else t.numpy()), (state_name, y.detach().numpy())] if name}
    assert set(feeds) == set(inputs), (feeds.keys(), inputs)
    result = run_in_onnxruntime(path, feeds)
    tolerance = case.tolerance or (1e-5 if case.dtype == torch.float32 else 1e-12)
    allowed = tolerance
    checked = result
    if result is None:  # ONNX's own evaluator knows every type, though its Erf works in float32
        checked, allowed = ReferenceEvaluator(model).run(None, feeds)[0], 1e-6
    np.testing.assert_allclose(checked, output.detach().numpy(), rtol=allowed, atol=allowed)

    buffers = {name: {"shape": list(b.shape)} for name, b in case.module.named_buffers()}
    return {
        "name": case.name,
        "file": path.relative_to(folder).as_posix(),
        "exporter": case.exporter,
        "opset": next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")),
        "opsetRequested": case.opset,
        "dtype": str(case.dtype).removeprefix("torch."),
        "dynamicBatch": case.dynamic,
        "ort": result is not None,
        "tolerance": tolerance,
        "inputs": inputs,
        "timeInput": time_name,
        "timeShape": None if time_name is None else list(t.shape),
        "timeDtype": None if time_name is None else str(t.dtype).removeprefix("torch."),
        "stateInput": state_name,
        "stateShape": list(y.shape),
        "t": TIME,
        "y": plain(y),
        "output": plain(output),
        "cotangent": plain(cotangent),
        "gradY": plain(gradients[0]),
        "parameters": {name: {"shape": list(p.shape)} for name, p in parameters.items()},
        "buffers": buffers,
        "initializers": stored_parameters(model, case.module),
        "gradParameters": {name: plain(g.flatten()) for name, g in zip(parameters, gradients[1:])},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=REPOSITORY / "test/fixtures/pytorch")
    parser.add_argument("--only", default="", help="write only the cases whose name contains this text")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)

    folder = options.folder.resolve()
    if folder.exists() and not options.only:
        shutil.rmtree(folder)
    entries = []
    for case in cases():
        if options.only not in case.name:
            continue
        path = folder / (f"{case.name}/model.onnx" if case.external else f"{case.name}.onnx")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                export(case, path)
            entries.append(describe(case, path, folder))
        except Exception as error:
            raise RuntimeError(f"case {case.name}: {error}") from error
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
    (folder / "cases.json").write_text(f"[\n{lines}\n]\n")
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    without = sum(not entry["ort"] for entry in entries)
    print(f"{len(entries)} cases, {size / 1e6:.2f} MB, {without} without a kernel in ONNX Runtime")


if __name__ == "__main__":
    main()
