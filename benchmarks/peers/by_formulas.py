"""The midpoint rule and its coupled form in plain JAX: no library between the formulas and the compiler."""

import jax
import jax.numpy as jnp


def increment(f):
    """psi_h(t, y) of the midpoint rule."""
    return lambda theta, t, h, y: h * f(t + 0.5 * h, y + 0.5 * h * f(t, y, theta), theta)


def midpoint_scan(f, times, every_step):
    psi = increment(f)

    def solve(theta, y0):
        def step(y, ts):
            t0, t1 = ts
            y = y + psi(theta, t0, t1 - t0, y)
            return y, (y if every_step else None)

        end, ys = jax.lax.scan(step, y0, (times[:-1], times[1:]))
        return ys if every_step else end[None]

    return solve


def _coupled(psi, times, coupling, every_step):
    """y1 = l (y0 - z0) + z0 + psi_h(t0, z0),  z1 = z0 - psi_-h(t1, y1)"""

    def solve(theta, y0):
        def step(state, ts):
            (y0, z0), (t0, t1) = state, ts
            h = t1 - t0
            y1 = coupling * (y0 - z0) + (z0 + psi(theta, t0, h, z0))
            z1 = z0 - psi(theta, t1, -h, y1)
            return (y1, z1), (y1 if every_step else None)

        end, ys = jax.lax.scan(step, (y0, y0), (times[:-1], times[1:]))
        return (ys if every_step else end[0][None]), end

    return solve


def coupled_scan(f, times, coupling, every_step):
    solve = _coupled(increment(f), times, coupling, every_step)
    return lambda theta, y0: solve(theta, y0)[0]


def reversible_by_formulas(f, times, coupling, every_step):
    """The coupled scheme with the backward pass that undoes its steps."""
    psi = increment(f)
    coupled = _coupled(psi, times, coupling, every_step)

    @jax.custom_vjp
    def reversible(theta, y0):
        return coupled(theta, y0)[0]

    def forward(theta, y0):
        ys, end = coupled(theta, y0)
        return ys, (theta, end)

    def backward(kept, cotangent):
        theta, (y, z) = kept

        def back(carried, xs):
            y1, z1, ybar, zbar, sums = carried
            (t0, t1), arriving = xs
            if arriving is not None:
                ybar = ybar + arriving
            h = t1 - t0
            second, pull_second = jax.vjp(lambda theta, y: psi(theta, t1, -h, y), theta, y1)
            z0 = z1 + second
            first, pull_first = jax.vjp(lambda theta, z: psi(theta, t0, h, z), theta, z0)
            y0 = z0 + (y1 - (z0 + first)) / coupling
            theta_second, y_second = pull_second(-zbar)
            ybar = ybar + y_second
            theta_first, z_first = pull_first(ybar)
            zbar = zbar + (1 - coupling) * ybar + z_first
            sums = jax.tree_util.tree_map(lambda s, a, b: s + a + b, sums, theta_first, theta_second)
            return (y0, z0, coupling * ybar, zbar, sums), None

        zeros = jnp.zeros_like(y)
        ybar = zeros if every_step else cotangent[0]
        xs = ((times[:-1], times[1:]), cotangent if every_step else None)
        start = (y, z, ybar, zeros, jax.tree_util.tree_map(jnp.zeros_like, theta))
        (_, _, ybar, zbar, sums), _ = jax.lax.scan(back, start, xs, reverse=True)
        return sums, ybar + zbar

    reversible.defvjp(forward, backward)
    return reversible
