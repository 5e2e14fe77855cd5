"""Updates in JAX, and solves by diffrax."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))

import diffrax
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from reversible_in_diffrax import Reversible, ReversibleAdjoint

NAME = "jax"
LEARNING_RATE, BETA1, BETA2, EPSILON, DECAY = 1e-3, 0.9, 0.999, 1e-8, 1e-4


def begin(dtype, threads):
    del threads  # it takes what there are
    jax.config.update("jax_enable_x64", dtype == "float64")
    jax.block_until_ready(jax.jit(lambda x: x + 1)(jnp.zeros(1)))


def versions():
    return {"jax": jax.__version__, "diffrax": diffrax.__version__}


def arrays(named):
    return {name: jnp.asarray(array) for name, array in named.items()}


def updates(loss, theta):
    """Updates by AdamW (Loshchilov & Hutter 2019), each one compiled function; the loss comes to the host."""
    zeros = jtu.tree_map(jnp.zeros_like, theta)
    state = [theta, zeros, zeros, jnp.ones(())]

    @jax.jit
    def once(theta, first, second, count):
        value, gradient = jax.value_and_grad(loss)(theta)
        norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jtu.tree_leaves(gradient)))
        first = jtu.tree_map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient)
        second = jtu.tree_map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradient)

        def moved(p, m, v):
            ratio = (m / (1 - BETA1**count)) / (jnp.sqrt(v / (1 - BETA2**count)) + EPSILON)
            return p - LEARNING_RATE * (ratio + DECAY * p)

        return value, norm, jtu.tree_map(moved, theta, first, second), first, second, count + 1

    def update():
        value, norm, *state[:] = once(*state)
        return float(value), float(norm)

    return update


def adjoint_named(name, steps):
    """`direct` stores every step."""
    return {
        "checkpoint": diffrax.RecursiveCheckpointAdjoint(),
        "direct": diffrax.RecursiveCheckpointAdjoint(checkpoints=steps),
        "reversible": ReversibleAdjoint(),
    }[name]


def solve(f, times, solver, adjoint, coupling=None, at=None):
    """y(t1) from y(t0) by diffrax, in steps between given times: [1, …], or one for each of the times `at`."""
    n = len(times) - 1
    own = Reversible(solver, coupling) if adjoint == "reversible" else solver

    def solved(theta, y0):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(f),
            own,
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=y0,
            args=theta,
            saveat=diffrax.SaveAt(t1=True) if at is None else diffrax.SaveAt(ts=at),
            stepsize_controller=diffrax.StepTo(times),
            adjoint=adjoint_named(adjoint, n),
            max_steps=n,
        ).ys

    return solved
