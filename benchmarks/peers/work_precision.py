"""diffrax and SciPy on problems of which the steps are chosen; the same problems as in work-precision/problems.ts.

The task (JSON) names problems with their initial state, end and tolerances. Each contender solves one of them at one
tolerance (relative and absolute alike) and says where it ends.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import diffrax
import jax
import jax.numpy as jnp
import scipy
from scipy.integrate import solve_ivp
from task import serve

jax.config.update("jax_enable_x64", True)

MOON = 0.012277471


def lotka_volterra(t, y):
    x, y = y
    return [1.5 * x - x * y, x * y - 3.0 * y]


def van_der_pol(t, y):
    x, v = y
    return [v, (1.0 - x * x) * v - x]


def brusselator(t, y):
    x, y = y
    return [1.0 + x * x * y - 4.0 * x, 3.0 * x - x * x * y]


def three_body(t, y):
    x, y, u, v = y
    earth = 1.0 - MOON
    d1 = ((x + MOON) ** 2 + y * y) ** 1.5
    d2 = ((x - earth) ** 2 + y * y) ** 1.5
    return [
        u,
        v,
        x + 2.0 * v - earth * (x + MOON) / d1 - MOON * (x - earth) / d2,
        y - 2.0 * u - earth * y / d1 - MOON * y / d2,
    ]


FIELDS = {
    "lotka-volterra": lotka_volterra,
    "van-der-pol": van_der_pol,
    "brusselator": brusselator,
    "three-body": three_body,
}


def in_scipy(field, y0, t1, method, tolerance):
    # a list of Python numbers is what SciPy's field is fastest with
    def on_numbers(t, y):
        return field(t, y.tolist())

    def run():
        return solve_ivp(on_numbers, (0.0, t1), y0, method=method, rtol=tolerance, atol=tolerance)

    def check():
        solution = run()
        if not solution.success:
            raise RuntimeError(solution.message)
        return {"y": solution.y[:, -1].tolist(), "steps": len(solution.t) - 1}

    return lambda: (check, run)


def in_diffrax(field, t1, solver):
    """A compiled solve, which takes the initial state and the tolerance."""

    @jax.jit
    def solve(y0, tolerance):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: jnp.stack(field(t, y))),
            solver,
            t0=0.0,
            t1=t1,
            dt0=None,
            y0=y0,
            saveat=diffrax.SaveAt(t1=True),
            stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
            max_steps=100_000,
            # spares it a look at the result from the host
            throw=False,
        )
        return solution.ys[-1], solution.stats["num_steps"], solution.result == diffrax.RESULTS.successful

    return solve


def with_tolerance(solve, y0, tolerance):
    y0, tolerance = jnp.asarray(y0), jnp.asarray(tolerance)

    def check():
        y, steps, fine = solve(y0, tolerance)
        if not bool(fine):
            raise RuntimeError("diffrax did not get to the end")
        return {"y": y.tolist(), "steps": int(steps)}

    return lambda: (check, lambda: jax.block_until_ready(solve(y0, tolerance)))


def prepare(task):
    contenders = []
    for name, problem in task["problems"].items():
        field, y0, t1 = FIELDS[name], problem["y0"], problem["t1"]

        def about(library, solver, tolerance):
            return {"library": library, "problem": name, "solver": solver, "tolerance": tolerance}

        contenders.append((about("reference", "DOP853", 1e-13), in_scipy(field, y0, t1, "DOP853", 1e-13)))
        compiled = {
            "tsit5": in_diffrax(field, t1, diffrax.Tsit5()),
            "dopri5": in_diffrax(field, t1, diffrax.Dopri5()),
        }
        for tolerance in task["tolerances"]:
            for solver, solve in compiled.items():
                contenders.append((about("diffrax", solver, tolerance), with_tolerance(solve, y0, tolerance)))
            for method in ("RK45", "DOP853"):
                contenders.append(
                    (about("SciPy", method, tolerance), in_scipy(field, y0, t1, method, tolerance))
                )
    versions = {"jax": jax.__version__, "diffrax": diffrax.__version__, "scipy": scipy.__version__}
    return versions, contenders


serve(prepare)
