"""diffrax, and the reversible method written in plain JAX by its formulas (this diffrax has no reversible adjoint)."""

import os
import sys

if sys.argv[2] == "1":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from task import serve

LAMBDA = 0.999


def prepare(task):
    jax.config.update("jax_enable_x64", task["dtype"] == "float64")
    dtype = task["dtype"]
    theta = [(jnp.asarray(w, dtype), jnp.asarray(b, dtype)) for w, b in task["layers"]]
    y0 = jnp.asarray(task["y0"], dtype)
    target = jnp.asarray(task["target"], dtype)
    times = jnp.asarray(task["times"], dtype)
    every_step = task["everyStep"]
    n = len(task["times"]) - 1
    h = float(task["times"][1]) - float(task["times"][0])

    def f(t, y, theta):
        x = jnp.concatenate([jnp.full_like(y[:, :1], t), y], 1) if task["time"] else y
        for w, b in theta[:-1]:
            x = jnp.tanh(x @ w.T + b)
        w, b = theta[-1]
        return x @ w.T + b

    def loss_of(solve):
        def loss(theta, y0):
            return jnp.mean((solve(theta, y0) - target) ** 2)

        run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))

        def check():
            value, gradients = run(theta, y0)
            squares = [float(jnp.sum(g * g)) for g in jax.tree_util.tree_leaves(gradients)]
            return float(value), float(np.sqrt(sum(squares)))

        return lambda: (check, lambda: jax.block_until_ready(run(theta, y0)))

    def with_diffrax(adjoint):
        # BacksolveAdjoint goes backwards with the controller of the solve, and so not through given times
        back = isinstance(adjoint, diffrax.BacksolveAdjoint)

        def solve(theta, y0):
            return diffrax.diffeqsolve(
                diffrax.ODETerm(f),
                diffrax.Midpoint(),
                t0=times[0],
                t1=times[-1],
                dt0=h if back else None,
                y0=y0,
                args=theta,
                saveat=diffrax.SaveAt(ts=times[1:]) if every_step else diffrax.SaveAt(t1=True),
                stepsize_controller=diffrax.ConstantStepSize() if back else diffrax.StepTo(times),
                adjoint=adjoint,
                max_steps=n + 2 if back else n,
            ).ys

        return loss_of(solve)

    def psi(theta, t, h, y):
        return h * f(t + 0.5 * h, y + 0.5 * h * f(t, y, theta), theta)

    def midpoint(theta, y0):
        def step(y, ts):
            t0, t1 = ts
            y = y + psi(theta, t0, t1 - t0, y)
            return y, (y if every_step else None)

        end, ys = jax.lax.scan(step, y0, (times[:-1], times[1:]))
        return ys if every_step else end[None]

    def forward(theta, t0, t1, y, z):
        h = t1 - t0
        y1 = LAMBDA * (y - z) + (z + psi(theta, t0, h, z))
        return y1, z - psi(theta, t1, -h, y1)

    def coupled(theta, y0):
        def step(state, ts):
            state = forward(theta, *ts, *state)
            return state, (state[0] if every_step else None)

        end, ys = jax.lax.scan(step, (y0, y0), (times[:-1], times[1:]))
        return (ys if every_step else end[0][None]), end

    @jax.custom_vjp
    def reversible(theta, y0):
        return coupled(theta, y0)[0]

    def reversible_forward(theta, y0):
        ys, end = coupled(theta, y0)
        return ys, (theta, end)

    def reversible_backward(kept, cotangent):
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
            y0 = z0 + (y1 - (z0 + first)) / LAMBDA
            theta_second, y_second = pull_second(-zbar)
            ybar = ybar + y_second
            theta_first, z_first = pull_first(ybar)
            zbar = zbar + (1 - LAMBDA) * ybar + z_first
            sums = jax.tree_util.tree_map(lambda s, a, b: s + a + b, sums, theta_first, theta_second)
            return (y0, z0, LAMBDA * ybar, zbar, sums), None

        zeros = jnp.zeros_like(y)
        ybar = zeros if every_step else cotangent[0]
        xs = ((times[:-1], times[1:]), cotangent if every_step else None)
        start = (y, z, ybar, zeros, jax.tree_util.tree_map(jnp.zeros_like, theta))
        (_, _, ybar, zbar, sums), _ = jax.lax.scan(back, start, xs, reverse=True)
        return sums, ybar + zbar

    reversible.defvjp(reversible_forward, reversible_backward)

    return {"jax": jax.__version__, "diffrax": diffrax.__version__}, [
        ("jax, reversible by its formulas", loss_of(reversible)),
        ("jax, coupled, direct (scan)", loss_of(lambda theta, y0: coupled(theta, y0)[0])),
        ("jax, midpoint, direct (scan)", loss_of(midpoint)),
        ("diffrax, midpoint, RecursiveCheckpointAdjoint", with_diffrax(diffrax.RecursiveCheckpointAdjoint())),
        ("diffrax, midpoint, DirectAdjoint", with_diffrax(diffrax.DirectAdjoint())),
        ("diffrax, midpoint, BacksolveAdjoint", with_diffrax(diffrax.BacksolveAdjoint())),
    ]


serve(prepare)
