"""A peer of benchmarks/experiments: one contender in a process of its own, so that what memory it takes is its own.

    python run.py CASE LIBRARY VARIANT FILE THREADS

FILE is a safetensors file: the arrays of a batch as `data.NAME`, initial parameters as `parameters.NAME`, and the setting
of the case as JSON in its metadata. What a contender is comes first, as a line of JSON: the loss and the norm of its gradient at
the initial parameters. Then it does as many updates as it is told, `number<TAB>repeats`, and says how long that took and the
largest memory that the process has had.
"""

import json
import sys
import time

import numpy as np

NUMBERS = {"F32": np.float32, "F64": np.float64, "I64": np.int64}


def read(path):
    """Parameters, data and the setting of a file."""
    with open(path, "rb") as file:
        content = file.read()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    setting = json.loads(header.pop("__metadata__")["setting"])
    kinds = {"parameters": {}, "data": {}}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        kind, own = name.split(".", 1)
        array = np.frombuffer(content[start + begin : start + end], NUMBERS[about["dtype"]])
        kinds[kind][own] = array.reshape(about["shape"])
    return kinds["parameters"], kinds["data"], setting


def memory():
    """The largest memory that this process has had, in bytes. Linux's getrusage begins with that of the parent."""
    try:
        with open("/proc/self/status") as file:
            return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def serve(prepare):
    """`prepare()` gives versions, what memory the imports alone take, and `update`, which gives the loss before it and the
    norm of the gradient."""
    started = time.perf_counter()
    versions, base, update = prepare()
    loss, norm = update()
    found = {"loss": loss, "norm": norm, "versions": versions, "base": base, "start": time.perf_counter() - started}
    print(json.dumps(found), flush=True)
    for line in sys.stdin:
        _, repeats = map(int, line.split("\t"))
        busy, began = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            update()
        clock = time.perf_counter() - began
        print(json.dumps({"clock": clock, "processor": time.process_time() - busy, "peak": memory()}), flush=True)
