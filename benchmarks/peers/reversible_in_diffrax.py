"""The reversible method inside diffrax 0.7.2, which has none of its own: a solver that couples any other to a second
state, and an adjoint that goes back through `diffeqsolve`'s loop by undoing one step after the other (McCallum & Foster
2024, arXiv:2410.11648). With Phi a step of the wrapped solver,

    y1 = l (y0 - z0) + Phi(t0, t1, z0),    z1 = z0 - (Phi(t1, t0, y1) - y1)
"""

import functools as ft

import diffrax
import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
import jax.tree_util as jtu
from diffrax._adjoint import (
    _inner_loop,
    _materialise_none,
    _nondiff_solver_controller_state,
    _only_transpose_ys,
    _outer_loop,
)
from diffrax._saveat import save_y
from diffrax._solution import update_result
from equinox.internal import ω


class Reversible(diffrax.AbstractWrappedSolver):
    """Makes a solver reversible. Its state is the second state, z."""

    solver: diffrax.AbstractSolver
    coupling: float = 0.999

    @property
    def term_structure(self):
        return self.solver.term_structure

    @property
    def term_compatible_contr_kwargs(self):
        return self.solver.term_compatible_contr_kwargs

    @property
    def interpolation_cls(self):
        return self.solver.interpolation_cls

    def order(self, terms):
        return self.solver.order(terms)

    def strong_order(self, terms):
        return self.solver.strong_order(terms)

    def init(self, terms, t0, t1, y0, args):
        return y0

    def once(self, terms, t0, t1, y, args):
        """A step of the wrapped solver, which remembers nothing."""
        state = self.solver.init(terms, t0, t1, y, args)
        return self.solver.step(terms, t0, t1, y, args, state, made_jump=False)

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        del made_jump
        z0 = solver_state
        step_z0, _, dense_info, _, result1 = self.once(terms, t0, t1, z0, args)
        y1 = (self.coupling * (y0**ω - z0**ω) + step_z0**ω).ω
        step_y1, error, _, _, result2 = self.once(terms, t1, t0, y1, args)
        z1 = (z0**ω - (step_y1**ω - y1**ω)).ω
        return y1, error, dense_info, z1, update_result(result1, result2)

    def func(self, terms, t0, y0, args):
        return self.solver.func(terms, t0, y0, args)


@eqx.filter_custom_vjp
def _loop_reversible(y__args__terms, *, self, throw, init_state, **kwargs):
    del throw
    y, args, terms = y__args__terms
    init_state = eqx.tree_at(lambda s: (s.y, s.solver_state), init_state, (y, y))
    return self._loop(
        args=args,
        terms=terms,
        init_state=init_state,
        inner_while_loop=ft.partial(_inner_loop, kind="lax"),
        outer_while_loop=ft.partial(_outer_loop, kind="lax"),
        **kwargs,
    )


@_loop_reversible.def_fwd
def _loop_reversible_fwd(perturbed, y__args__terms, **kwargs):
    del perturbed
    final_state, aux_stats = _loop_reversible(y__args__terms, **kwargs)
    # the state at the end is all that is kept
    residuals = final_state.y, final_state.solver_state, final_state.save_state.ys
    if not kwargs["saveat"].subs.steps:
        residuals = residuals[:2] + (None,)
    return (final_state, aux_stats), residuals


@_loop_reversible.def_bwd
def _loop_reversible_bwd(
    residuals, grad_final_state__aux_stats, perturbed, y__args__terms, *, solver, stepsize_controller, saveat, **kwargs
):
    del perturbed, kwargs
    y1, z1, ys = residuals
    grad_final_state, _ = grad_final_state__aux_stats
    grad_ys = grad_final_state.save_state.ys
    _, args, terms = y__args__terms
    diff, static = eqx.partition((args, terms), eqx.is_inexact_array)
    coupling = solver.coupling
    ts = stepsize_controller.ts

    def once(t0, t1):
        def run(diff, y):
            args, terms = eqx.combine(diff, static)
            return solver.once(terms, t0, t1, y, args)[0]

        return run

    def undo(carry, step):
        y1, z1, grad_y1, grad_z1, grad_diff = carry
        t0, t1, grad_saved = step
        if grad_saved is not None:
            grad_y1 = (grad_y1**ω + grad_saved**ω).ω
        # the state before the step, by the two evaluations that the pullbacks need as well
        step_y1, pull_y1 = jax.vjp(once(t1, t0), diff, y1)
        z0 = (z1**ω + (step_y1**ω - y1**ω)).ω
        step_z0, pull_z0 = jax.vjp(once(t0, t1), diff, z0)
        y0 = (z0**ω + (y1**ω - step_z0**ω) / coupling).ω
        # cotangents
        diff_y1, through_y1 = pull_y1((-(grad_z1**ω)).ω)
        grad_y1 = (grad_y1**ω + grad_z1**ω + through_y1**ω).ω
        diff_z0, through_z0 = pull_z0(grad_y1)
        grad_z0 = (grad_z1**ω - coupling * grad_y1**ω + through_z0**ω).ω
        grad_y0 = (coupling * grad_y1**ω).ω
        grad_diff = (grad_diff**ω + diff_y1**ω + diff_z0**ω).ω
        return (y0, z0, grad_y0, grad_z0, grad_diff), None

    zeros = jtu.tree_map(jnp.zeros_like, y1)
    if saveat.subs.steps:
        grad_y1, grad_saved = zeros, jtu.tree_map(_materialise_none, ys, grad_ys)
    else:
        grad_y1, grad_saved = ω(jtu.tree_map(_materialise_none, (y1**ω)[None].ω, grad_ys))[0].ω, None
    start = (y1, z1, grad_y1, zeros, jtu.tree_map(jnp.zeros_like, diff))
    (_, _, grad_y0, grad_z0, (grad_args, grad_terms)), _ = lax.scan(
        undo, start, (ts[:-1], ts[1:], grad_saved), reverse=True
    )
    # z starts as y
    return (grad_y0**ω + grad_z0**ω).ω, grad_args, grad_terms


class ReversibleAdjoint(diffrax.AbstractAdjoint):
    """Backpropagates by reconstruction, over steps that are known beforehand: memory does not grow with them."""

    def loop(
        self,
        *,
        args,
        terms,
        solver,
        stepsize_controller,
        saveat,
        init_state,
        passed_solver_state,
        passed_controller_state,
        event,
        **kwargs,
    ):
        subs = saveat.subs
        if not isinstance(solver, Reversible):
            raise ValueError("`ReversibleAdjoint` needs `solver=Reversible(...)`.")
        if not isinstance(stepsize_controller, diffrax.StepTo):
            raise NotImplementedError("`ReversibleAdjoint` needs `stepsize_controller=StepTo(...)`.")
        if saveat.dense or not isinstance(subs, diffrax.SubSaveAt) or subs.ts is not None or subs.t0:
            raise NotImplementedError("`ReversibleAdjoint` saves every step or the last alone.")
        if subs.steps not in (0, 1) or subs.fn is not save_y:
            raise NotImplementedError("`ReversibleAdjoint` saves y itself, at every step or at the last alone.")
        if event is not None:
            raise NotImplementedError("`ReversibleAdjoint` is not compatible with events.")
        y = init_state.y
        init_state = _nondiff_solver_controller_state(
            self, init_state, passed_solver_state, passed_controller_state
        )
        init_state = eqx.tree_at(lambda s: (s.y, s.solver_state), init_state, (object(), object()))
        final_state, aux_stats = _loop_reversible(
            (y, args, terms),
            self=self,
            solver=solver,
            stepsize_controller=stepsize_controller,
            saveat=saveat,
            init_state=init_state,
            event=event,
            **kwargs,
        )
        return _only_transpose_ys(final_state), aux_stats
