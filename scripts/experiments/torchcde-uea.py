"""The UEA problems of docs/experiments.md by torchcde 0.2.5: the same model, data, solver and number of updates as `train uea`.

    python scripts/experiments/torchcde-uea.py FOLDER-OF-THE-ARCHIVE PenDigits Libras:5 … > scripts/experiments/torchcde-uea.json

Test accuracies of three seeds each, or as many as are asked for, with the parameters whose loss was lowest on 15 % of the training series.
"""

import json
import sys
import types

import numpy as np
import torch

try:
    import torchsde  # noqa: F401
except ImportError:  # of which only its SDE backend has use
    sys.modules["torchsde"] = types.ModuleType("torchsde")
import torchcde

torch.set_num_threads(1)
hidden, updates, batch = 32, 600, 32


def read(path):
    series, labels = [], []
    lines = open(path).read().split("@data")[1].strip().splitlines()
    for line in lines:
        *channels, label = line.strip().split(":")
        series.append(np.array([[float(x) for x in channel.split(",")] for channel in channels], np.float32).T)
        labels.append(label)
    return series, labels


class Field(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        layers = []
        for _ in range(4):
            layers += [torch.nn.Linear(hidden, hidden), torch.nn.ReLU()]
        self.channels, self.body = channels, torch.nn.Sequential(*layers, torch.nn.Linear(hidden, hidden * channels), torch.nn.Tanh())

    def forward(self, t, z):
        return self.body(z).reshape(-1, hidden, self.channels)


class Classifier(torch.nn.Module):
    def __init__(self, channels, classes, length):
        super().__init__()
        self.initial, self.field, self.readout = torch.nn.Linear(channels, hidden), Field(channels), torch.nn.Linear(hidden, classes)
        self.length = length

    def forward(self, coefficients):
        path = torchcde.CubicSpline(coefficients)
        z = torchcde.cdeint(
            path, self.field, self.initial(path.evaluate(path.interval[0])), path.interval,
            adjoint=False, method="midpoint", options={"step_size": 1.0},
        )
        return self.readout(z[:, -1])


def data(series, labels, names, length, mean, deviation):
    rows = [np.concatenate([x, np.repeat(x[-1:], length - len(x), 0)]) for x in series]
    time = np.linspace(0, 1, length, dtype=np.float32)[None, :, None].repeat(len(rows), 0)
    x = torch.tensor(np.concatenate([time, (np.stack(rows) - mean) / deviation], 2), dtype=torch.float32)
    return torchcde.hermite_cubic_coefficients_with_backward_differences(x), torch.tensor([names.index(label) for label in labels])


def trained(problem, folder, seed):
    (series, labels), test = (read(f"{folder}/{problem}_{part}.ts") for part in ("TRAIN", "TEST"))
    names, length = sorted(set(labels)), max(len(x) for x in series + test[0])
    every = np.concatenate(series)
    scale = (every.mean(0), every.std(0))
    x, y = data(series, labels, names, length, *scale)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    held = np.concatenate([(own := random.permutation(np.flatnonzero(y.numpy() == c)))[int(0.85 * len(own) + 0.5) :] for c in range(len(names))])
    learnt = np.setdiff1d(np.arange(len(y)), held)
    model = Classifier(every.shape[1] + 1, len(names), length)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-4)
    best, kept, order = np.inf, None, []
    for update in range(updates + 1):
        if update % 50 == 0:
            with torch.no_grad():
                loss = torch.nn.functional.cross_entropy(model(x[held]), y[held]).item()
            if loss < best:
                best, kept = loss, {name: value.clone() for name, value in model.state_dict().items()}
        if len(order) < min(batch, len(learnt)):
            order = list(random.permutation(learnt))
        which, order = order[:batch], order[batch:]
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x[which]), y[which]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimiser.step()
    model.load_state_dict(kept)
    with torch.no_grad():
        x, y = data(*test, names, length, *scale)
        return (torch.cat([model(part) for part in x.split(512)]).argmax(1) == y).float().mean().item()


folder, *problems = sys.argv[1:]
found = {}
for word in problems:
    problem, _, seeds = word.partition(":")
    found[problem] = [round(trained(problem, folder, seed), 4) for seed in range(int(seeds or 3))]
    print(problem, found[problem], file=sys.stderr, flush=True)
print(json.dumps(found, indent=2))
