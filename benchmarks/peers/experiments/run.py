"""See contender.py."""

import importlib
import sys

from contender import memory, read, serve

case, library, variant, path, threads = sys.argv[1:]


def prepare():
    backend = importlib.import_module("with_torch" if library.startswith("torch") else "with_jax")
    parameters, data, setting = read(path)
    backend.begin(setting["dtype"], int(threads))
    module = importlib.import_module(f"{case.replace('-', '_')}_{backend.NAME}")
    base = memory()
    theta, own = backend.arrays(parameters), backend.arrays(data)
    return backend.versions(), base, backend.updates(module.loss(library, variant, own, setting), theta)


serve(prepare)
