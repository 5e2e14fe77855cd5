"""How peers take turns: what they say of themselves, and how they are told to run.

A task of gradients (JSON) is a perceptron with tanh between its layers as a vector field, initial states, the times
between steps, whether each step is saved or the last alone, and a target; the loss is the mean square error at the save
times.
"""

import json
import sys
import time


def serve(prepare):
    """Prepares contenders, says so, then runs those whose numbers come in, so often: `number<TAB>repeats`. After each
    line it writes how many seconds that took, on the clock and of processor time.

    `prepare(task)` gives versions and pairs of a description and a function that makes the contender: a pair of
    `check`, which returns what was found in order to be compared, and `run`, which does the work and returns nothing
    that counts.
    """
    with open(sys.argv[1]) as file:
        versions, makers = prepare(json.load(file))
    ready = []
    runs = []
    for about, make in makers:
        started = time.perf_counter()
        try:
            check, run = make()
            found = check()
            ready.append({**about, **found, "start": time.perf_counter() - started})
        except Exception as error:  # a peer that cannot do it says why
            run = None
            ready.append({**about, "failure": f"{type(error).__name__}: {error}".split("\n")[0]})
        runs.append(run)
    print(json.dumps({"versions": versions, "contenders": ready}), flush=True)
    for line in sys.stdin:
        number, repeats = map(int, line.split("\t"))
        run = runs[number]
        busy, started = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            run()
        clock = time.perf_counter() - started
        print(json.dumps({"clock": clock, "processor": time.process_time() - busy}), flush=True)
