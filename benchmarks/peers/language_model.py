"""Language models in PyTorch, eager and in float32, as a peer of benchmarks/language-model.ts.

    python language_model.py '{"vocabulary": 257, "width": 64, …}'

Says what it has as a line of JSON, then times contenders by their numbers: `number<TAB>repeats` on standard input.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

setting = json.loads(sys.argv[1])
vocabulary, width, heads, length = (setting[k] for k in ("vocabulary", "width", "heads", "length"))
hidden, layers, batch, beta, steps = (setting[k] for k in ("hidden", "layers", "batch", "relaxation", "steps"))
each = width // heads


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        widths = [width, *hidden, width]
        self.mlp = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, z, x, attend):
        q, k, v = self.in_proj(self.norm1(z if x is None else z + x)).chunk(3, -1)
        apart = lambda y: y.view(y.shape[0], -1, heads, each).transpose(1, 2)
        y = attend(apart(q), apart(k), apart(v)).transpose(1, 2).flatten(2)
        u = z + self.out_proj(y)
        y = self.norm2(u)
        for i, layer in enumerate(self.mlp):
            y = layer(y if i == 0 else F.gelu(y, approximate="tanh"))
        return u + y


def causal(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class Model(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block() for _ in range(layers if kind == "transformer" else 1))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def states(self, x, attend):
        if self.kind == "transformer":
            for block in self.blocks:
                x = block(x, None, attend)
            return x
        y = z = torch.zeros_like(x)
        for _ in range(steps):
            y = (1 - beta) * y + beta * self.blocks[0](z, x, attend)
            z = (1 - beta) * z + beta * self.blocks[0](y, x, attend)
        return z

    def forward(self, tokens, places, attend=causal):
        return self.head(self.norm(self.states(self.tokens(tokens) + self.places(places), attend)))


class Kept:
    """Keys and values of the places so far, each in its place of a tensor as long as a window."""

    def __init__(self, count):
        self.kept = [(torch.zeros(1, heads, length, each), torch.zeros(1, heads, length, each)) for _ in range(count)]

    def at(self, place):
        after = iter(self.kept)

        def attend(q, k, v):
            keys, values = next(after)
            keys[:, :, place : place + 1] = k
            values[:, :, place : place + 1] = v
            return F.scaled_dot_product_attention(q, keys[:, :, : place + 1], values[:, :, : place + 1])

        return attend


def training(kind):
    torch.manual_seed(0)
    model = Model(kind)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    places = torch.arange(length)
    tokens = torch.randint(0, vocabulary, (batch, length))
    following = tokens.roll(-1, 1)

    def update():
        optimiser.zero_grad()
        loss = F.cross_entropy(model(tokens, places).flatten(0, 1), following.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        return loss.item()

    return update


def generation(kind):
    torch.manual_seed(0)
    model = Model(kind)
    count = layers if kind == "transformer" else 2 * steps
    drawn = setting["drawn"]

    def generate():
        with torch.inference_mode():
            kept = Kept(count)
            token = torch.tensor([[1]])
            for place in range(drawn):
                logits = model(token, torch.tensor([place]), kept.at(place))[0, -1]
                token = torch.multinomial(F.softmax(logits, -1), 1)[None]
                token.item()

    return generate


contenders, about = [], []
for kind in setting["kinds"]:
    count = sum(p.numel() for p in Model(kind).parameters())
    for work, make in [("training", training), ("generation", generation)]:
        if work not in setting["works"]:
            continue
        run = make(kind)
        for threads in setting["threads"]:
            about.append({"model": kind, "work": work, "threads": threads, "parameters": count})
            contenders.append((threads, run))

print(json.dumps({"versions": {"torch": torch.__version__}, "contenders": about}), flush=True)
for line in sys.stdin:
    number, repeats = map(int, line.split("\t"))
    threads, run = contenders[number]
    torch.set_num_threads(threads)
    clock, processor = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        run()
    print(json.dumps({"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}), flush=True)
