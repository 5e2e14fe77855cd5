"""The ODE-Net of Chen et al. 2018, its solve by torchdiffeq."""

import torch
import torch.nn.functional as F
import torchdiffeq


def conv(theta, name, x, **options):
    return F.conv2d(x, theta[f"{name}.weight"], theta[f"{name}.bias"], **options)


def norm(theta, name, x):
    return F.group_norm(x, x.shape[1] // 2, theta[f"{name}.weight"], theta[f"{name}.bias"])


class Field(torch.nn.Module):
    def __init__(self, theta):
        super().__init__()
        self.theta = theta

    def forward(self, t, y):
        time = torch.ones_like(y[:, :1]) * t
        for k in (1, 2):
            y = F.relu(norm(self.theta, f"field.norm{k}", y))
            y = conv(self.theta, f"field.conv{k}", torch.cat([time, y], 1), padding=1)
        return norm(self.theta, "field.norm3", y)


def loss(library, variant, data, setting):
    del library
    image, labels = data["image"], data["label"]
    odeint = {"odeint": torchdiffeq.odeint, "odeint_adjoint": torchdiffeq.odeint_adjoint}[variant]
    options = {"method": "midpoint", "options": {"step_size": 1 / setting["steps"]}}
    times = torch.tensor([0.0, 1.0])

    def value(theta):
        y = conv(theta, "stem.0", image)
        for k, after in ((1, 3), (4, 6)):
            y = conv(theta, f"stem.{after}", F.relu(norm(theta, f"stem.{k}", y)), stride=2, padding=1)
        own = tuple(array for name, array in theta.items() if name.startswith("field."))
        given = {"adjoint_params": own} if variant == "odeint_adjoint" else {}
        y = odeint(Field(theta), y, times, **options, **given)[-1]
        y = F.relu(norm(theta, "norm", y)).mean((2, 3))
        return F.cross_entropy(y @ theta["readout.weight"].T + theta["readout.bias"], labels)

    return value
