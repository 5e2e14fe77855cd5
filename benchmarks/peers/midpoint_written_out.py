"""The midpoint rule as a solver of diffrax without its machinery for Runge-Kutta methods, whose loop over stages costs a
small field more than the field itself. Nobody who uses diffrax writes this; it is the strongest opponent there is."""

from typing import ClassVar

import diffrax
from equinox.internal import ω


class MidpointWrittenOut(diffrax.AbstractSolver):
    term_structure: ClassVar = diffrax.AbstractTerm
    interpolation_cls: ClassVar = diffrax.LocalLinearInterpolation

    def order(self, terms):
        return 2

    def init(self, terms, t0, t1, y0, args):
        return None

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        control = terms.contr(t0, t1)
        half = (y0**ω + 0.5 * terms.vf_prod(t0, y0, args, control) ** ω).ω
        y1 = (y0**ω + terms.vf_prod(t0 + 0.5 * (t1 - t0), half, args, control) ** ω).ω
        return y1, None, {"y0": y0, "y1": y1}, None, diffrax.RESULTS.successful

    def func(self, terms, t0, y0, args):
        return terms.vf(t0, y0, args)
