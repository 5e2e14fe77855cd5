"""torchdiffeq and torchode, as they are used: eagerly."""

import sys

import torch
import torchdiffeq
import torchode
from task import serve

torch.set_num_threads(int(sys.argv[2]))


class Field(torch.nn.Module):
    def __init__(self, task, dtype):
        super().__init__()
        self.time = task["time"]
        layers = []
        for w, b in task["layers"]:
            layer = torch.nn.Linear(len(w[0]), len(w), dtype=dtype)
            with torch.no_grad():
                layer.weight.copy_(torch.tensor(w, dtype=dtype))
                layer.bias.copy_(torch.tensor(b, dtype=dtype))
            layers += [layer, torch.nn.Tanh()]
        self.net = torch.nn.Sequential(*layers[:-1])

    def forward(self, t, y):
        if self.time:
            # torchdiffeq gives one time, torchode one for each sample, or one sample alone
            t = t.reshape(t.shape + (1,) * (y.ndim - t.ndim))
            y = torch.cat([torch.ones_like(y[..., :1]) * t, y], -1)
        return self.net(y)


class Midpoint(torchode.single_step_methods.runge_kutta.ExplicitRungeKutta):
    TABLEAU = torchode.single_step_methods.runge_kutta.ButcherTableau.from_lists(
        c=[0.0, 0.5], a=[[], [0.5]], b=[0.0, 1.0], b_low_order=[1.0, 0.0]
    )

    def __init__(self, term=None):
        super().__init__(term, Midpoint.TABLEAU)

    def convergence_order(self):
        return 2

    def build_interpolation(self, data):
        return torchode.interpolation.ThirdOrderPolynomialInterpolation.from_k(
            data.t0, data.dt, data.y0, data.y1, data.k
        )


def prepare(task):
    dtype = getattr(torch, task["dtype"])
    field = Field(task, dtype)
    y0 = torch.tensor(task["y0"], dtype=dtype, requires_grad=True)
    target = torch.tensor(task["target"], dtype=dtype)
    times = torch.tensor(task["times"], dtype=dtype)
    parameters = [y0, *field.parameters()]

    def contender(solve):
        def run():
            for p in parameters:
                p.grad = None
            loss = torch.mean((solve() - target) ** 2)
            loss.backward()
            return loss

        def check():
            loss = run()
            norm = sum(float((p.grad**2).sum()) for p in parameters) ** 0.5
            return {"loss": float(loss.detach()), "norm": norm}

        return lambda: (check, run)

    def with_torchdiffeq(odeint):
        if task["everyStep"]:
            return lambda: odeint(field, y0, times, method="midpoint")[1:]
        options = {"step_size": task["times"][1] - task["times"][0]}
        return lambda: odeint(field, y0, times[[0, -1]], method="midpoint", options=options)[-1:]

    term = torchode.ODETerm(field)
    batch = y0.shape[0]
    dt0 = torch.full((batch,), task["times"][1] - task["times"][0], dtype=dtype)

    def with_torchode(adjoint):
        def solve():
            # saves at every step, or at the end only
            at = times[1:] if task["everyStep"] else times[-1:]
            problem = torchode.InitialValueProblem(
                y0=y0,
                t_start=times[:1].expand(batch),
                t_end=times[-1:].expand(batch),
                t_eval=at.repeat(batch, 1) if task["everyStep"] else None,
            )
            ys = adjoint.solve(problem, dt0=dt0).ys
            return ys.transpose(0, 1)

        return solve

    controller = torchode.FixedStepController()
    through = torchode.AutoDiffAdjoint(Midpoint(term), controller)
    back = torchode.BacksolveAdjoint(term, Midpoint(), controller)
    versions = {
        "torch": torch.__version__,
        "torchdiffeq": torchdiffeq.__version__,
        "torchode": getattr(torchode, "__version__", "1.0.1"),
    }

    def about(library, gradient, variant):
        return {
            "library": library,
            "scheme": "midpoint",
            "gradient": gradient,
            "variant": variant,
            "work": "gradient",
        }

    return versions, [
        (about("torchdiffeq", "direct", "odeint"), contender(with_torchdiffeq(torchdiffeq.odeint))),
        (
            about("torchdiffeq", "continuous", "odeint_adjoint"),
            contender(with_torchdiffeq(torchdiffeq.odeint_adjoint)),
        ),
        (about("torchode", "direct", "AutoDiffAdjoint"), contender(with_torchode(through))),
        (about("torchode", "continuous", "BacksolveAdjoint"), contender(with_torchode(back))),
    ]


serve(prepare)
