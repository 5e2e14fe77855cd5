"""The SDE-GAN of Kidger et al. 2021: generator by torchsde's reversible Heun, discriminator by the same along data (torchcde)."""

import torch
import torch.nn.functional as F
import torchcde
import torchsde


def mlp(theta, name, x, activation, last=lambda x: x):
    own = {one for one in theta if one.startswith(f"{name}.") and one.endswith(".weight")}
    names = sorted({one[len(name) + 1 :].split(".")[0] for one in own}, key=int)
    for k in names:
        x = F.linear(x, theta[f"{name}.{k}.weight"], theta[f"{name}.{k}.bias"])
        x = last(x) if k == names[-1] else activation(x)
    return x


class Driven(torch.nn.Module):
    """Drift and diffusion of z [batch, 16]."""

    sde_type, noise_type = "stratonovich", "general"

    def __init__(self, theta, name):
        super().__init__()
        self.theta, self.name = theta, name

    def parameters(self, recurse=True):
        return (array for one, array in self.theta.items() if one.startswith(f"{self.name}.sde."))

    def part(self, which, t, z):
        name = f"{self.name}.sde.{which}"
        x = torch.cat([torch.ones_like(z[:, :1]) * t, z], 1)
        x = mlp(self.theta, name, x, lambda x: 0.909 * F.silu(x), torch.tanh)
        return x * self.theta[f"{name}.scale"] if f"{name}.scale" in self.theta else x

    def f_and_g(self, t, z):
        return self.part("drift", t, z), self.part("diffusion", t, z).view(z.shape[0], z.shape[1], -1)


class Along(torch.nn.Module):
    """[drift, diffusion] of (t, path), as torchcde takes it."""

    def __init__(self, driven):
        super().__init__()
        self.driven = driven

    def parameters(self, recurse=True):
        return self.driven.parameters()

    def forward(self, t, z):
        f, g = self.driven.f_and_g(t, z)
        return torch.cat([f.unsqueeze(-1), g], -1)


class Motion(torchsde.BaseBrownian):
    """Increments that are given, at the whole times between which steps go."""

    def __init__(self, increments):
        super().__init__()
        self.increments = increments

    def __call__(self, ta, tb=None, return_U=False, return_A=False):
        return self.increments[round(float(min(ta, tb)))]

    shape = property(lambda self: self.increments.shape[1:])
    dtype = property(lambda self: self.increments.dtype)
    device = property(lambda self: self.increments.device)
    levy_area_approximation = "none"

    def __repr__(self):
        return "Motion"


def loss(library, variant, data, setting):
    del library, setting
    ys, start, motion = data["ys"], data["start"], Motion(data["increments"].transpose(0, 1).contiguous())
    times = torch.arange(float(ys.shape[1]))
    is_adjoint = variant == "sdeint_adjoint"
    readout = lambda theta, name, z: F.linear(z, theta[f"{name}.readout.weight"], theta[f"{name}.readout.bias"])

    def drawn(theta):
        sde = Driven(theta, "generator")
        z0 = mlp(theta, "generator.initial", start, F.relu)
        options = {"method": "reversible_heun", "dt": 1.0, "bm": motion}
        if is_adjoint:
            given = {"adjoint_method": "adjoint_reversible_heun", "adjoint_params": tuple(sde.parameters())}
            zs = torchsde.sdeint_adjoint(sde, z0, times, **options, **given)
        else:
            zs = torchsde.sdeint(sde, z0, times, **options)
        return readout(theta, "generator", zs).transpose(0, 1)

    def judged(theta, paths):
        sde = Driven(theta, "discriminator")
        with_time = torch.cat([times.expand(paths.shape[0], -1)[..., None], paths], 2)
        coefficients = torchcde.linear_interpolation_coeffs(with_time, times)
        path = torchcde.LinearInterpolation(coefficients, times)
        z0 = mlp(theta, "discriminator.initial", with_time[:, 0], F.relu)
        given = {"adjoint_method": "adjoint_reversible_heun", "adjoint_params": (*sde.parameters(), coefficients)} if is_adjoint else {}
        zs = torchcde.cdeint(
            path, Along(sde), z0, path.interval, method="reversible_heun", backend="torchsde", dt=1.0, adjoint=is_adjoint, **given
        )
        return readout(theta, "discriminator", zs).mean()

    return lambda theta: judged(theta, ys) - judged(theta, drawn(theta))
