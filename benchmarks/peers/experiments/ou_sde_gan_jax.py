"""The SDE-GAN of Kidger et al. 2021 in JAX: generator and discriminator by diffrax's reversible Heun."""

import diffrax
import jax
import jax.numpy as jnp
from with_jax import adjoint_named


def mlp(theta, name, x, activation, last=lambda x: x):
    names = sorted({one[len(name) + 1 :].split(".")[0] for one in theta if one.startswith(f"{name}.") and one.endswith(".weight")}, key=int)
    for k in names:
        x = theta[f"{name}.{k}.weight"] @ x + theta[f"{name}.{k}.bias"]
        x = last(x) if k == names[-1] else activation(x)
    return x


def driven(theta, name):
    """Drift and diffusion of z [16]: tanh of a perceptron of [t, z], times a scale."""

    def part(which, t, z):
        x = mlp(theta, f"{name}.sde.{which}", jnp.append(t, z), lambda x: 0.909 * jax.nn.silu(x), jnp.tanh)
        return x * theta.get(f"{name}.sde.{which}.scale", 1)

    return (
        lambda t, z, args: part("drift", t, z),
        lambda t, z, args: part("diffusion", t, z).reshape(z.shape[0], -1),
    )


def solved(theta, name, control, start, steps, adjoint, every):
    drift, diffusion = driven(theta, name)
    terms = diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(diffusion, control))
    times = jnp.arange(steps + 1, dtype=start.dtype)
    return diffrax.diffeqsolve(
        terms,
        diffrax.ReversibleHeun(),
        t0=times[0],
        t1=times[-1],
        dt0=None,
        y0=start,
        saveat=diffrax.SaveAt(ts=times) if every else diffrax.SaveAt(t0=True, t1=True),
        stepsize_controller=diffrax.StepTo(times),
        adjoint=adjoint_named(adjoint, steps),
        max_steps=steps,
    ).ys


def loss(library, variant, data, setting):
    del library
    ys, start, increments = data["ys"], data["start"], data["increments"]
    steps = ys.shape[1] - 1
    times = jnp.arange(steps + 1, dtype=ys.dtype)
    readout = lambda theta, name, z: z @ theta[f"{name}.readout.weight"].T + theta[f"{name}.readout.bias"]

    def drawn(theta, start, dW):
        motion = jnp.concatenate([jnp.zeros_like(dW[:1]), jnp.cumsum(dW, 0)])
        control = diffrax.LinearInterpolation(times, motion)
        z0 = mlp(theta, "generator.initial", start, jax.nn.relu)
        return readout(theta, "generator", solved(theta, "generator", control, z0, steps, variant, True))

    def judged(theta, path):
        control = diffrax.LinearInterpolation(times, path)
        z0 = mlp(theta, "discriminator.initial", jnp.append(jnp.zeros(1, path.dtype), path[0]), jax.nn.relu)
        zs = solved(theta, "discriminator", control, z0, steps, variant, False)
        return jnp.mean(readout(theta, "discriminator", zs))

    def value(theta):
        fake = jax.vmap(drawn, (None, 0, 0))(theta, start, increments)
        score = lambda paths: jnp.mean(jax.vmap(judged, (None, 0))(theta, paths))
        return score(ys) - score(fake)

    return value
