"""The SDE-GAN of Kidger et al. 2021 by torchsde's reversible Heun. The discriminator is driven by the increments of a path in the
place of noise: torchcde takes the slope at an observation for that of the interval before, and so another path; and torchsde's
adjoint has no gradient by what drives an equation, which the generator's is."""

import torch
import torch.nn.functional as F
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
    del library, variant, setting
    ys, start, motion = data["ys"], data["start"], Motion(data["increments"].transpose(0, 1).contiguous())
    times = torch.arange(float(ys.shape[1]))
    readout = lambda theta, name, z: F.linear(z, theta[f"{name}.readout.weight"], theta[f"{name}.readout.bias"])

    def solved(theta, name, z0, at, motion):
        return torchsde.sdeint(Driven(theta, name), z0, at, method="reversible_heun", dt=1.0, bm=motion)

    def drawn(theta):
        z0 = mlp(theta, "generator.initial", start, F.relu)
        return readout(theta, "generator", solved(theta, "generator", z0, times, motion)).transpose(0, 1)

    def judged(theta, paths):
        first = torch.cat([torch.zeros_like(paths[:, 0]), paths[:, 0]], 1)
        z0 = mlp(theta, "discriminator.initial", first, F.relu)
        along = Motion(paths.diff(dim=1).transpose(0, 1))
        return readout(theta, "discriminator", solved(theta, "discriminator", z0, times[[0, -1]], along)).mean()

    return lambda theta: judged(theta, ys) - judged(theta, drawn(theta))
