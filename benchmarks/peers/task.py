"""What the peers are given to differentiate, and how they take turns.

A task (JSON) is a perceptron with tanh between its layers as a vector field, initial states, the times between steps,
whether each step is saved or the last alone, and a target; the loss is the mean square error at the save times.
"""

import json
import sys
import time


def serve(prepare):
    """Prepares contenders, says so, then runs those whose names come in, so often: `name<TAB>repeats`. After each line
    it writes how many seconds of processor time the process has taken so far.

    `prepare(task)` gives versions and pairs of a name and a function that makes the contender: a pair of `check`,
    which returns the loss and the norm of the gradient, and `run`, which computes them and returns nothing.
    """
    with open(sys.argv[1]) as file:
        versions, makers = prepare(json.load(file))
    ready = []
    runs = {}
    for name, make in makers:
        started = time.perf_counter()
        try:
            check, runs[name] = make()
            loss, norm = check()
            ready.append({"name": name, "loss": loss, "norm": norm, "start": time.perf_counter() - started})
        except Exception as error:  # a peer that cannot do it says why
            ready.append({"name": name, "failure": f"{type(error).__name__}: {error}".split("\n")[0]})
    print(json.dumps({"versions": versions, "contenders": ready}), flush=True)
    for line in sys.stdin:
        name, repeats = line.rstrip("\n").split("\t")
        for _ in range(int(repeats)):
            runs[name]()
        print(json.dumps(time.process_time()), flush=True)
