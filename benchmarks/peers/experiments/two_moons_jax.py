"""The flow of two moons in JAX: by diffrax, for one point with vmap as its examples are, and for a batch of points at
once; and by hand, as a scan over products of the whole batch."""

import diffrax
import jax
import jax.numpy as jnp
from by_formulas import coupled_scan, increment, reversible_by_formulas
from with_jax import solve


def layer(theta, k, t):
    own = lambda name: theta[f"layers.{k}.{name}"]
    gate = jax.nn.sigmoid(own("gate.weight")[:, 0] * t + own("gate.bias"))
    return own("weight"), own("bias"), gate, own("shift.weight")[:, 0] * t


def field(t, y, theta):
    """f(t, y) of y [..., 2]"""
    for k in range(4):
        weight, bias, gate, shift = layer(theta, k, t)
        y = ((y if k == 0 else jnp.tanh(y)) @ weight.T + bias) * gate + shift
    return y


def with_trace(t, state, theta):
    """One point and its integral, [3]: tr df/dy by one pullback for each component."""
    slope, pull = jax.vjp(lambda y: field(t, y, theta), state[:2])
    (rows,) = jax.vmap(pull)(jnp.eye(2, dtype=state.dtype))
    return jnp.append(slope, jnp.trace(rows))


def batch_with_trace(t, state, theta):
    """The same of a batch, [batch, 3], whose Jacobians go along as two tangents: products of the whole batch."""
    y = state[:, :2]
    units = jnp.stack([jnp.zeros_like(y).at[:, i].set(1) for i in range(2)])
    push = lambda unit: jax.jvp(lambda y: field(t, y, theta), (y,), (unit,))
    slope, rows = jax.vmap(push, out_axes=(None, 0))(units)
    trace = rows[0, :, 0] + rows[1, :, 1]
    return jnp.concatenate([slope, trace[:, None]], 1)


def rematerialised(f, times):
    """Plain midpoint steps; the state before each is stored, and the step taken again."""
    psi = increment(f)

    @jax.checkpoint
    def step(theta, y, ts):
        return y + psi(theta, ts[0], ts[1] - ts[0], y)

    def solved(theta, y0):
        return jax.lax.scan(lambda y, ts: (step(theta, y, ts), None), y0, (times[:-1], times[1:]))[0][None]

    return solved


def loss(library, variant, data, setting):
    x, coupling = data["x"], setting["coupling"]
    times = jnp.linspace(1, 0, setting["steps"] + 1, dtype=x.dtype)
    form, adjoint = variant.split(", ")
    if library == "JAX":
        solves = {
            "remat": lambda: rematerialised(batch_with_trace, times),
            "reversible": lambda: reversible_by_formulas(batch_with_trace, times, coupling, False),
            "direct": lambda: coupled_scan(batch_with_trace, times, coupling, False),
        }
        whole = solves[adjoint]()
    elif form == "batched":
        whole = solve(batch_with_trace, times, diffrax.Midpoint(), adjoint, coupling)
    else:
        one = solve(with_trace, times, diffrax.Midpoint(), adjoint, coupling)
        whole = lambda theta, state: jax.vmap(lambda y: one(theta, y)[0])(state)[None]

    def value(theta):
        state = jnp.concatenate([x, jnp.zeros_like(x[:, :1])], 1)
        end = whole(theta, state)[0]
        normal = -0.5 * jnp.sum(end[:, :2] ** 2, 1) - jnp.log(2 * jnp.pi)
        return -jnp.mean(normal + end[:, 2])

    return value
