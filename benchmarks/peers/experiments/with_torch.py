"""Updates in PyTorch, eagerly, as the libraries on it are used."""

from importlib.metadata import version

import torch

NAME = "torch"


def begin(dtype, threads):
    torch.set_num_threads(threads)
    torch.set_default_dtype(getattr(torch, dtype))


def versions():
    return {name: version(name) for name in ("torch", "torchdiffeq", "torchcde", "torchsde")}


def arrays(named):
    return {name: torch.tensor(array) for name, array in named.items()}


def updates(loss, theta):
    parameters = list(theta.values())
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-4)

    def update():
        optimiser.zero_grad()
        value = loss(theta)
        value.backward()
        norm = sum((p.grad**2).sum() for p in parameters if p.grad is not None).sqrt()
        optimiser.step()
        return value.item(), norm.item()

    return update
