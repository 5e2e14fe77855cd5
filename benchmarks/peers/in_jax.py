"""diffrax, as it comes and with the reversible method added to it; and both schemes written in plain JAX."""

import os
import sys

if sys.argv[2] == "1":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import diffrax
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from by_formulas import coupled_scan, midpoint_scan, reversible_by_formulas
from midpoint_written_out import MidpointWrittenOut
from reversible_in_diffrax import Reversible, ReversibleAdjoint
from task import serve

LAMBDA = 0.999
LEARNING_RATE, BETA1, BETA2, EPSILON, DECAY = 1e-4, 0.9, 0.999, 1e-8, 1e-2


def adamw(theta, gradient, memory):
    """One update by AdamW (Loshchilov & Hutter 2019)."""
    first, second, count = memory
    count = count + 1
    first = jtu.tree_map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient)
    second = jtu.tree_map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradient)

    def update(p, m, v):
        ratio = (m / (1 - BETA1**count)) / (jnp.sqrt(v / (1 - BETA2**count)) + EPSILON)
        return p - LEARNING_RATE * (ratio + DECAY * p)

    return jtu.tree_map(update, theta, first, second), (first, second, count)


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

    def norm_of(gradients):
        return float(np.sqrt(sum(float(jnp.sum(g * g)) for g in jtu.tree_leaves(gradients))))

    def loss_by(solve):
        return lambda theta, y0: jnp.mean((solve(theta, y0) - target) ** 2)

    def gradient_of(solve):
        run = jax.jit(jax.value_and_grad(loss_by(solve), argnums=(0, 1)))

        def check():
            loss, gradients = run(theta, y0)
            return {"loss": float(loss), "norm": norm_of(gradients)}

        return lambda: (check, lambda: jax.block_until_ready(run(theta, y0)))

    def update_of(solve):
        """The gradient, the optimiser, and the loss on the host."""
        zeros = jtu.tree_map(jnp.zeros_like, theta)
        state = [theta, (zeros, zeros, jnp.zeros((), dtype))]

        @jax.jit
        def once(theta, memory):
            loss, gradient = jax.value_and_grad(loss_by(solve))(theta, y0)
            return loss, *adamw(theta, gradient, memory)

        def run():
            loss, *state[:] = once(*state)
            return float(loss)

        return lambda: (lambda: {"loss": run(), "norm": None}, run)

    def with_diffrax(solver, adjoint):
        # BacksolveAdjoint goes backwards with the controller of the solve, and so not through given times
        back = isinstance(adjoint, diffrax.BacksolveAdjoint)
        if back:
            at, options = diffrax.SaveAt(ts=times[1:]), {"dt0": h, "max_steps": n + 2}
            controller = diffrax.ConstantStepSize()
        else:
            at, options = diffrax.SaveAt(steps=True), {"dt0": None, "max_steps": n}
            controller = diffrax.StepTo(times)

        def solve(theta, y0):
            return diffrax.diffeqsolve(
                diffrax.ODETerm(f),
                solver,
                t0=times[0],
                t1=times[-1],
                y0=y0,
                args=theta,
                saveat=at if every_step else diffrax.SaveAt(t1=True),
                stepsize_controller=controller,
                adjoint=adjoint,
                **options,
            ).ys

        return solve

    plain, written = diffrax.Midpoint(), MidpointWrittenOut()
    by_checkpoints, all_checkpoints = (
        diffrax.RecursiveCheckpointAdjoint(),
        diffrax.RecursiveCheckpointAdjoint(checkpoints=n),
    )
    setting = (f, times, LAMBDA, every_step)
    # library, scheme, kind of gradient, how it is done, the solve
    solves = [
        ("diffrax", "coupled", "reversible", "Midpoint", with_diffrax(Reversible(plain, LAMBDA), ReversibleAdjoint())),
        (
            "diffrax",
            "coupled",
            "reversible",
            "midpoint unrolled",
            with_diffrax(Reversible(written, LAMBDA), ReversibleAdjoint()),
        ),
        ("diffrax", "midpoint", "checkpoint", "RecursiveCheckpointAdjoint()", with_diffrax(plain, by_checkpoints)),
        (
            "diffrax",
            "midpoint",
            "direct",
            "RecursiveCheckpointAdjoint(checkpoints=steps)",
            with_diffrax(plain, all_checkpoints),
        ),
        ("diffrax", "midpoint", "direct", "DirectAdjoint()", with_diffrax(plain, diffrax.DirectAdjoint())),
        ("diffrax", "midpoint", "continuous", "BacksolveAdjoint()", with_diffrax(plain, diffrax.BacksolveAdjoint())),
        ("JAX", "coupled", "reversible", "by its formulas, lax.scan", reversible_by_formulas(*setting)),
        ("JAX", "coupled", "direct", "lax.scan", coupled_scan(*setting)),
        ("JAX", "midpoint", "direct", "lax.scan", midpoint_scan(f, times, every_step)),
    ]

    # one scheme or library alone, where that is asked for
    solves = [names for names in solves if task.get("scheme") in (None, names[1])]
    solves = [names for names in solves if task.get("library") in (None, names[0])]

    def about(library, scheme, gradient, variant, work):
        return {"library": library, "scheme": scheme, "gradient": gradient, "variant": variant, "work": work}

    contenders = [(about(*names, "gradient"), gradient_of(solve)) for *names, solve in solves]
    if task["updates"]:
        contenders += [(about(*names, "update"), update_of(solve)) for *names, solve in solves]
    return {"jax": jax.__version__, "diffrax": diffrax.__version__}, contenders


serve(prepare)
