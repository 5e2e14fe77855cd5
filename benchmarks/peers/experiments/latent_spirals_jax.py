"""The latent ODE of spirals at irregular times in JAX, its solve by diffrax: one series with vmap, in steps from time to time."""

import diffrax
import jax
import jax.numpy as jnp
from with_jax import solve


def mlp(theta, name, x, activation):
    names = sorted({one[len(name) + 1 :].split(".")[0] for one in theta if one.startswith(f"{name}.")}, key=int)
    for k in names:
        x = x @ theta[f"{name}.{k}.weight"].T + theta[f"{name}.{k}.bias"]
        x = x if k == names[-1] else activation(x)
    return x


def encoded(theta, values, times):
    """A GRU from the last observation to the first, which reads the time from each to the one before it in the walk."""
    own = lambda name: theta[f"encoder.{name}"]
    gaps = jnp.concatenate([jnp.zeros_like(times[:, :1]), jnp.diff(times, axis=1)[:, ::-1]], 1)
    rows = jnp.concatenate([values[:, ::-1], jnp.ones_like(values), gaps[..., None]], 2)

    def cell(h, x):
        r, u, n = jnp.split(x @ own("weight_ih").T + own("bias_ih"), 3, 1)
        hr, hu, hn = jnp.split(h @ own("weight_hh").T + own("bias_hh"), 3, 1)
        u = jax.nn.sigmoid(u + hu)
        return (1 - u) * jnp.tanh(n + jax.nn.sigmoid(r + hr) * hn) + u * h, None

    start = jnp.zeros((values.shape[0], own("weight_hh").shape[1]), values.dtype)
    return jax.lax.scan(cell, start, jnp.moveaxis(rows, 1, 0))[0]


def loss(library, variant, data, setting):
    del library
    values, times, noise, deviation = data["values"], data["times"], data["noise"], setting["deviation"]
    parts = setting["steps"]
    field = lambda t, z, theta: mlp(theta, "field.layers", z, jax.nn.elu)

    def along(theta, z0, own):
        before = jnp.concatenate([jnp.zeros_like(own[:1]), own[:-1]])
        shares = jnp.arange(parts, dtype=own.dtype) / parts
        steps = (before[:, None] + (own - before)[:, None] * shares).reshape(-1)
        steps = jnp.append(steps, own[-1])
        return solve(field, steps, diffrax.Midpoint(), variant, at=own)(theta, z0)

    def value(theta):
        posterior = encoded(theta, values, times) @ theta["toLatent.weight"].T + theta["toLatent.bias"]
        mean, log = jnp.split(posterior, 2, 1)
        zs = jax.vmap(along, (None, 0, 0))(theta, mean + jnp.exp(log / 2) * noise, times)
        off = (values - mlp(theta, "decoder", zs, jax.nn.relu)) / deviation
        likelihood = jnp.sum(-0.5 * (off**2 + jnp.log(2 * jnp.pi * deviation**2)), (1, 2))
        divergence = 0.5 * jnp.sum(jnp.exp(log) + mean**2 - 1 - log, 1)
        return jnp.mean(divergence - likelihood)

    return value
