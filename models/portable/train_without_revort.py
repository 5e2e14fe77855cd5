"""Trains a neural ODE on the hare and lynx pelts, and solves it, with ONNX Runtime and numpy alone.

    pip install onnxruntime numpy
    python train_without_revort.py [UPDATES]

train-step.onnx is the whole training step (solve, loss, reversible gradient, AdamW) in a loop over learning rates;
train-step.start.onnx takes nothing and puts out all that the step takes first: parameters, the optimiser's memory,
data, and the learning rates of 300 updates. solve.onnx is a whole solve that chooses its steps.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

folder = Path(__file__).parent
step, start, solve = (
    ort.InferenceSession(str(folder / name)) for name in ("train-step.onnx", "train-step.start.onnx", "solve.onnx")
)


def run(session, **values):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, values)))


values = run(start)
rates = values["learningRates"][: int(sys.argv[1]) if len(sys.argv) > 1 else None]
for first in range(0, len(rates), 50):
    new = run(step, **(values | {"learningRates": rates[first : first + 50]}))
    # what comes out as next/… goes in again
    values |= {name.removeprefix("next/"): value for name, value in new.items() if name.startswith("next/")}
    print(f"update {int(values['count']) - 1:4d}   loss {new['losses'][-1]:.6f}")

parameters = {name: value for name, value in values.items() if name.startswith("parameters/")}
years = np.arange(0.0, 26.0, 5.0)
solution = run(
    solve,
    y0=values["y0"],
    t0=np.array(0.0),
    t1=np.array(25.0),
    ts=years,
    rtol=np.array(1e-8),
    atol=np.array(1e-8),
    maxSteps=np.array(100_000),
    **parameters,
)
assert solution["reached"], "the solve gave up"
print(f"solved in {solution['accepted']} steps; {solution['rejected']} were rejected")
print("year   hares    lynx   (thousands of pelts)")
for year, (hares, lynx) in zip(years, solution["ys"][:, 0]):
    print(f"{1900 + year:.0f}  {hares:6.2f}  {lynx:6.2f}")
