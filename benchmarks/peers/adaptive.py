"""Adaptive solves of Lotka-Volterra by diffrax (Tsit5) and SciPy (RK45): python adaptive.py ROUNDS < request.json

The request is {"t1": …, "y0": […], "theta": […], "tolerances": […]}; what comes back is one JSON list.
"""

import json
import os
import statistics
import sys
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import diffrax
import jax
import jax.numpy as jnp
from scipy.integrate import solve_ivp

jax.config.update("jax_enable_x64", True)
request = json.load(sys.stdin)
rounds = int(sys.argv[1])
theta = jnp.asarray(request["theta"])
y0 = jnp.asarray(request["y0"])


def field(t, y, theta):
    meetings = y[0] * y[1]
    return jnp.stack([theta[0] * y[0] - theta[1] * meetings, theta[2] * meetings - theta[3] * y[1]])


def plain(t, y, a, b, d, g):
    return [a * y[0] - b * y[0] * y[1], d * y[0] * y[1] - g * y[1]]


def timed(run, repeats):
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return {"median": statistics.median(times), "least": min(times)}


results = []
for tolerance in request["tolerances"]:
    control = diffrax.PIDController(rtol=tolerance, atol=tolerance)

    @jax.jit
    def go(y0, theta):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Tsit5(),
            0.0,
            request["t1"],
            None,
            y0,
            args=theta,
            stepsize_controller=control,
            max_steps=1 << 14,
        )
        return solution.ys[-1], solution.stats["num_steps"]

    y, steps = go(y0, theta)
    taken = timed(lambda: jax.block_until_ready(go(y0, theta)), rounds)
    results.append({"name": f"diffrax {diffrax.__version__}", "tolerance": tolerance, "y": y.tolist(), "steps": int(steps), **taken})

    numbers = tuple(request["theta"])
    solve = lambda: solve_ivp(
        plain, (0, request["t1"]), request["y0"], method="RK45", rtol=tolerance, atol=tolerance, args=numbers
    )
    solution = solve()
    results.append(
        {
            "name": "scipy RK45",
            "tolerance": tolerance,
            "y": solution.y[:, -1].tolist(),
            "steps": (solution.nfev - 2) // 6,
            **timed(solve, max(5, rounds // 50)),
        }
    )
print(json.dumps(results))
