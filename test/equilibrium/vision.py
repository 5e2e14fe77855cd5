"""
The single DEQ and ImplicitResNet in PyTorch, small, with weights by a formula: loss in training mode and its gradients by
autograd through all iterations. Needs torch:

    python test/equilibrium/vision.py > test/equilibrium/vision.json
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
BETA = 0.8


def cell_shapes(channels, inner):
    return {
        "conv1.weight": [inner, channels, 3, 3],
        "norm1.weight": [inner],
        "norm1.bias": [inner],
        "conv2.weight": [channels, inner, 3, 3],
        "norm2.weight": [channels],
        "norm2.bias": [channels],
        "norm3.weight": [channels],
        "norm3.bias": [channels],
    }


def prefixed(prefix, shapes):
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}


def norm_shapes(channels):
    return {"weight": [channels], "bias": [channels]}


def values(shapes):
    """sin of the index, in sizes as layers draw them."""
    theta = {}
    for k, (name, shape) in enumerate(shapes.items()):
        n = math.prod(shape)
        wave = torch.sin(1 + torch.arange(n) * (0.7 + 0.13 * k))
        if len(shape) > 1:
            value = wave / math.sqrt(math.prod(shape[1:]))
        elif name.endswith("weight"):
            value = 1 + 0.2 * wave
        else:
            value = 0.2 * wave
        theta[name] = value.reshape(shape).requires_grad_()
    return theta


def part(theta, prefix):
    return {name[len(prefix) + 1 :]: v for name, v in theta.items() if name.startswith(prefix + ".")}


def groups(channels):
    return max(1, channels // 16)


def group_norm(theta, name, x):
    return F.group_norm(x, groups(x.shape[1]), theta[f"{name}.weight"], theta[f"{name}.bias"], 1e-5)


def equilibrium(theta, x, steps):
    def f(z):
        h = torch.relu(group_norm(theta, "norm1", F.conv2d(z, theta["conv1.weight"], padding=1)))
        inner = group_norm(theta, "norm2", x + F.conv2d(h, theta["conv2.weight"], padding=1))
        return group_norm(theta, "norm3", torch.relu(z + inner))

    y = z = torch.zeros_like(x)
    for _ in range(steps):
        y = (1 - BETA) * y + BETA * f(z)
        z = (1 - BETA) * z + BETA * f(y)
    return z


def images(shape):
    return torch.sin(0.37 * torch.arange(math.prod(shape)) ** 1.1).reshape(shape)


def single_deq(width, size, channels, batch):
    shapes = {
        "stem.0.weight": [width, channels, 3, 3],
        "stem.0.bias": [width],
        **prefixed("stem.1", norm_shapes(width)),
        **prefixed("deq", cell_shapes(width, width)),
        "readout.weight": [10, 16 * width],
        "readout.bias": [10],
    }
    theta = values(shapes)
    x = images([batch, channels, size, size])
    x = F.conv2d(x, theta["stem.0.weight"], theta["stem.0.bias"], padding=1)
    x = F.group_norm(x, groups(width), theta["stem.1.weight"], theta["stem.1.bias"])
    z = equilibrium(part(theta, "deq"), x, 2)
    pooled = F.adaptive_avg_pool2d(z, 4).flatten(1)
    return theta, {}, F.linear(pooled, theta["readout.weight"], theta["readout.bias"])


def batch_norm(theta, buffers, name, x):
    mean, var = torch.zeros(x.shape[1]), torch.ones(x.shape[1])
    y = F.batch_norm(
        x, mean, var, theta[f"{name}.weight"], theta[f"{name}.bias"], training=True, momentum=0.01, eps=1e-5
    )
    buffers[f"{name}.running_mean"], buffers[f"{name}.running_var"] = mean, var
    return y


def implicit_resnet(stages, widening, size, batch):
    shapes = {"stem.0.weight": [stages[0], 3, 3, 3], **prefixed("stem.1", norm_shapes(stages[0]))}
    at = 0
    for i, (c, w) in enumerate(zip(stages, widening)):
        if i > 0:
            before = stages[i - 1]
            shapes |= {
                **prefixed(f"body.{at}.block.0", norm_shapes(before)),
                f"body.{at}.block.2.weight": [c, before, 3, 3],
                **prefixed(f"body.{at}.block.3", norm_shapes(c)),
                f"body.{at}.block.5.weight": [c, c, 3, 3],
                f"body.{at}.shortcut.weight": [c, before, 1, 1],
            }
            at += 1
        shapes |= prefixed(f"body.{at}", cell_shapes(c, c * w))
        at += 1
    shapes |= {"readout.weight": [10, stages[-1]], "readout.bias": [10]}
    theta, buffers = values(shapes), {}
    x = F.conv2d(images([batch, 3, size, size]), theta["stem.0.weight"], padding=1)
    x = torch.relu(batch_norm(theta, buffers, "stem.1", x))
    for i in range(len(stages)):
        if i > 0:
            p = f"body.{2 * i - 1}"
            y = torch.relu(batch_norm(theta, buffers, f"{p}.block.0", x))
            y = F.conv2d(y, theta[f"{p}.block.2.weight"], stride=2, padding=1)
            y = torch.relu(batch_norm(theta, buffers, f"{p}.block.3", y))
            y = F.conv2d(y, theta[f"{p}.block.5.weight"], padding=1)
            x = y + F.conv2d(x, theta[f"{p}.shortcut.weight"], stride=2)
        x = x + equilibrium(part(theta, f"body.{2 * i}"), x, 4)
    return theta, buffers, F.linear(x.mean((2, 3)), theta["readout.weight"], theta["readout.bias"])


def described(theta, buffers, logits):
    labels = torch.arange(len(logits)) * 3 % 10
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    return {
        "loss": float(loss.detach()),
        "logits": logits.detach().ravel().tolist(),
        "shapes": {name: list(v.shape) for name, v in theta.items()},
        # of each gradient: its norm, and its inner product with a wave
        "gradients": {
            name: [float(v.grad.norm()), float((v.grad.ravel() * torch.cos(torch.arange(v.numel()) * 0.5)).sum())]
            for name, v in theta.items()
        },
        "buffers": {name: v.tolist() for name, v in buffers.items()},
    }


print(
    json.dumps(
        {
            "single DEQ": described(*single_deq(width=16, size=8, channels=1, batch=3)),
            "ImplicitResNet": described(*implicit_resnet([16, 32, 32, 16], [1, 3, 3, 1], size=8, batch=3)),
        }
    )
)
