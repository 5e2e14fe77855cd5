"""The classifier of series by torchcde."""

import torch
import torchcde


class Field(torch.nn.Module):
    """F(z), [batch, hidden, channels]"""

    def __init__(self, theta):
        super().__init__()
        self.theta = theta
        self.layers = sorted({name.split(".")[1] for name in theta if name.startswith("field.")}, key=int)

    def parameters(self, recurse=True):
        return (theta for name, theta in self.theta.items() if name.startswith("field."))

    def forward(self, t, z):
        for k in self.layers:
            z = z @ self.theta[f"field.{k}.weight"].T + self.theta[f"field.{k}.bias"]
            z = torch.tanh(z) if k == self.layers[-1] else torch.relu(z)
        return z.view(z.shape[0], -1, self.theta["initial.weight"].shape[1])


def loss(library, variant, data, setting):
    del library
    xs, labels = data["x"], data["label"]
    knots = torch.linspace(0, 1, xs.shape[1])
    coefficients = torchcde.hermite_cubic_coefficients_with_backward_differences(xs, knots)
    path = torchcde.CubicSpline(coefficients, knots)
    is_adjoint = variant == "cdeint, adjoint"

    def value(theta):
        start = xs[:, 0] @ theta["initial.weight"].T + theta["initial.bias"]
        field = Field(theta)
        given = {"adjoint_params": tuple(field.parameters())} if is_adjoint else {}
        zs = torchcde.cdeint(
            X=path,
            func=field,
            z0=start,
            t=path.interval,
            adjoint=is_adjoint,
            method="midpoint",
            options={"step_size": 1 / setting["steps"]},
            **given,
        )
        logits = zs[:, -1] @ theta["readout.weight"].T + theta["readout.bias"]
        return -torch.gather(torch.softmax(logits, -1), 1, labels[:, None]).mean()

    return value
