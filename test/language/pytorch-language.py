"""What PyTorch computes: cells, and whole language models with their gradients, in float64.

    python test/language/pytorch-language.py > test/language/pytorch-language.json      (torch 2.13.0)

Cells are written with torch.nn's own layers; the gradient of a deep-equilibrium model is backprop through the stored steps of
the coupled iteration.
"""

import json

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
width, heads, length, batch, vocabulary = 4, 2, 4, 2, 7


def rounded(x):
    return {"shape": list(x.shape), "data": [float(f"{v:.15g}") for v in x.detach().flatten().tolist()]}


def attention(q, k, v):
    apart = lambda x: x.view(x.shape[0], length, heads, width // heads).transpose(1, 2)
    return F.scaled_dot_product_attention(apart(q), apart(k), apart(v), is_causal=True).transpose(1, 2).flatten(2)


class Perceptron(nn.Module):
    def add_perceptron(self, hidden):
        widths = [width, *hidden, width]
        self.count = len(widths) - 1
        for i in range(self.count):
            setattr(self, f"mlp{i}", nn.Linear(widths[i], widths[i + 1]))

    def perceptron(self, x):
        for i in range(self.count):
            x = getattr(self, f"mlp{i}")(x if i == 0 else F.gelu(x, approximate="tanh"))
        return x


class Block(Perceptron):
    def __init__(self, hidden):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.add_perceptron(hidden)

    def attend(self, x):
        return self.out_proj(attention(*self.in_proj(x).chunk(3, -1)))

    def forward(self, z, x):
        u = z + self.attend(self.norm1(z + x))
        return u + self.perceptron(self.norm2(u))


class Published(Block):
    def __init__(self, hidden):
        Perceptron.__init__(self)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        for name in ("query", "key", "value"):
            setattr(self, name, nn.Linear(width, width))
        for name in ("query_proj", "key_proj", "value_proj", "output_proj"):
            setattr(self, name, nn.Linear(width, width, bias=False))
        self.add_perceptron(hidden)

    def attend(self, x):
        q, k, v = self.query_proj(self.query(x)), self.key_proj(self.key(x)), self.value_proj(self.value(x))
        return self.output_proj(attention(q, k, v))


class Talk(Block):
    def forward(self, z, x):
        return self.norm2(self.perceptron(self.norm1(self.attend(z + x))))


class Model(nn.Module):
    def __init__(self, cell, steps, layers, hidden):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.body = nn.ModuleDict({str(i): cell(hidden) for i in range(layers)}) if steps == 0 else cell(hidden)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.steps = steps

    def forward(self, tokens):
        x = self.tokens(tokens) + self.places.weight
        if self.steps == 0:
            for block in self.body.values():
                x = block(x, 0)
            return self.head(self.norm(x))
        y = z = torch.zeros_like(x)
        beta = 0.5
        for _ in range(self.steps):
            y = (1 - beta) * y + beta * self.body(z, x)
            z = (1 - beta) * z + beta * self.body(y, x)
        return self.head(self.norm(z))


def parameters(module):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(0.4 * torch.randn_like(p) + (p if p.dim() == 1 and p.mean() == 1 else 0))
    return {name: rounded(p) for name, p in module.named_parameters()}


def gradients(module):
    return {name: rounded(p.grad) for name, p in module.named_parameters()}


cells = {}
for name, make, hidden in [("block", Block, [6]), ("published", Published, [6, 5]), ("talk", Talk, [6])]:
    cell = make(hidden)
    given = parameters(cell)
    z, x, weights = (torch.randn(batch, length, width) for _ in range(3))
    z.requires_grad_()
    x.requires_grad_()
    y = cell(z, x)
    (weights * y).sum().backward()
    cells[name] = {
        "hidden": hidden,
        "parameters": given,
        "z": rounded(z),
        "x": rounded(x),
        "weights": rounded(weights),
        "output": rounded(y),
        "gradients": {**gradients(cell), "z": rounded(z.grad), "x": rounded(x.grad)},
    }

trained = {}
for name, cell, steps, hidden in [("transformer", Block, 0, [6]), ("revdeq", Talk, 3, [6])]:
    model = Model(cell, steps, 2, hidden)
    given = parameters(model)
    tokens, following = (torch.randint(0, vocabulary, (batch, length)) for _ in range(2))
    logits = model(tokens)
    loss = F.cross_entropy(logits.flatten(0, 1), following.flatten())
    loss.backward()
    trained[name] = {
        "parameters": given,
        "tokens": tokens.flatten().tolist(),
        "next": following.flatten().tolist(),
        "logits": rounded(logits),
        "loss": loss.item(),
        "gradients": gradients(model),
    }

print(json.dumps({"cells": cells, "models": trained}))
