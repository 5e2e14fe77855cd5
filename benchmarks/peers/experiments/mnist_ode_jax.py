"""The ODE-Net of Chen et al. 2018 in JAX, its solve by diffrax."""

import diffrax
import jax
import jax.numpy as jnp
from by_formulas import reversible_by_formulas
from two_moons_jax import rematerialised
from with_jax import solve


def conv(theta, name, x, stride=1, padding=0):
    out = jax.lax.conv_general_dilated(x, theta[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2)
    return out + theta[f"{name}.bias"][:, None, None]


def norm(theta, name, x):
    grouped = x.reshape(x.shape[0], x.shape[1] // 2, -1)
    mean = grouped.mean(-1, keepdims=True)
    variance = ((grouped - mean) ** 2).mean(-1, keepdims=True)
    standard = ((grouped - mean) / jnp.sqrt(variance + 1e-5)).reshape(x.shape)
    return standard * theta[f"{name}.weight"][:, None, None] + theta[f"{name}.bias"][:, None, None]


def field(t, y, theta):
    time = jnp.full_like(y[:, :1], 1) * t
    for k in (1, 2):
        y = jax.nn.relu(norm(theta, f"field.norm{k}", y))
        y = conv(theta, f"field.conv{k}", jnp.concatenate([time, y], 1), padding=1)
    return norm(theta, "field.norm3", y)


def loss(library, variant, data, setting):
    image, labels, coupling = data["image"], data["label"], setting["coupling"]
    times = jnp.linspace(0, 1, setting["steps"] + 1, dtype=image.dtype)
    by = {
        "remat": lambda: rematerialised(field, times),
        "coupled": lambda: reversible_by_formulas(field, times, coupling, False),
    }
    whole = by[variant]() if library == "JAX" else solve(field, times, diffrax.Midpoint(), variant, coupling)

    def value(theta):
        y = conv(theta, "stem.0", image)
        for k, after in ((1, 3), (4, 6)):
            y = conv(theta, f"stem.{after}", jax.nn.relu(norm(theta, f"stem.{k}", y)), 2, 1)
        y = jax.nn.relu(norm(theta, "norm", whole(theta, y)[0]))
        logits = y.mean((2, 3)) @ theta["readout.weight"].T + theta["readout.bias"]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1))

    return value
