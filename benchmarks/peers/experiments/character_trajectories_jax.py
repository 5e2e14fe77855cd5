"""The classifier of series by a neural CDE in JAX: by diffrax, for one series with vmap as its example is, and for a batch at
once; and by hand."""

import diffrax
import jax
import jax.numpy as jnp
from by_formulas import increment, reversible_by_formulas
from with_jax import solve
from two_moons_jax import rematerialised


def matrix(theta, z):
    """F(z), [..., hidden, channels]"""
    names = sorted({name.split(".")[1] for name in theta if name.startswith("field.")}, key=int)
    for k in names:
        z = z @ theta[f"field.{k}.weight"].T + theta[f"field.{k}.bias"]
        z = jnp.tanh(z) if k == names[-1] else jax.nn.relu(z)
    return z.reshape(*z.shape[:-1], -1, theta["initial.weight"].shape[1])


def loss(library, variant, data, setting):
    xs, labels, coupling = data["x"], data["label"], setting["coupling"]
    knots = jnp.linspace(0, 1, xs.shape[1], dtype=xs.dtype)
    times = jnp.linspace(0, 1, setting["steps"] + 1, dtype=xs.dtype)
    form, adjoint = variant.split(", ")
    # [intervals, batch, channels] each: d, c, b, a of a + b s + c s^2 + d s^3
    coefficients = jax.vmap(lambda x: diffrax.backward_hermite_coefficients(knots, x))(xs)
    d, c, b, _ = (jnp.moveaxis(x, 1, 0) for x in coefficients)

    def whole(theta, start):
        if form == "vmap":
            return jax.vmap(lambda own, z: one(theta, own, z))(coefficients, start)
        def field(t, z, theta):
            at = jnp.clip(jnp.searchsorted(knots, t, side="left") - 1, 0, len(knots) - 2)
            s = t - knots[at]
            slope = b[at] + s * (2 * c[at] + 3 * s * d[at])
            return jnp.einsum("bij,bj->bi", matrix(theta, z), slope)

        if library == "JAX":
            by = {
                "remat": lambda: rematerialised(field, times),
                "reversible": lambda: reversible_by_formulas(field, times, coupling, False),
            }[adjoint]()
        else:
            by = solve(field, times, diffrax.Midpoint(), adjoint, coupling)
        return by(theta, start)[0]

    def one(theta, own, z):
        path = diffrax.CubicInterpolation(knots, own)
        field = lambda t, z, theta: matrix(theta, z) @ path.derivative(t)
        return solve(field, times, diffrax.Midpoint(), adjoint, coupling)(theta, z)[0]

    def value(theta):
        start = xs[:, 0] @ theta["initial.weight"].T + theta["initial.bias"]
        logits = whole(theta, start) @ theta["readout.weight"].T + theta["readout.bias"]
        return -jnp.mean(jnp.take_along_axis(jax.nn.softmax(logits), labels[:, None], 1))

    return value
