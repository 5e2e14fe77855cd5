"""The test cases that ONNX has for its operators, as JSON lines: python backend-cases.py OPERATORS > cases.jsonl

OPERATORS is a list of operator types, separated by commas. Of a case that uses others only their names are given, so that
every case is counted. Numbers are written as the bytes that they are, so that they are what ONNX's own Python package says to
the bit.
"""

import base64
import json
import sys
import warnings

import numpy as np
import onnx
from onnx.backend.test.case.node import collect_testcases

warnings.filterwarnings("ignore")
operators = set(sys.argv[1].split(","))
held = {"float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"}


def operators_of(graph, functions):
    for node in graph.node:
        if (node.domain, node.op_type) not in functions:
            yield f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        for attribute in node.attribute:
            for body in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                yield from operators_of(body, functions)


def held_array(value):
    """Some cases come as messages, since they are of types that NumPy has not; those of other types are arrays too."""
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return value


def packed(values, names):
    return [
        {"name": name, "dtype": str(v.dtype), "shape": list(v.shape), "data": base64.b64encode(v.tobytes()).decode()}
        for name, v in zip(names, values)
    ]


def problem(graph):
    for value in [*graph.input, *graph.output]:
        if not value.type.HasField("tensor_type"):
            return "sequences and optionals"
        number = value.type.tensor_type.elem_type
        name = onnx.TensorProto.DataType.Name(number).lower()
        if {"float": "float32", "double": "float64"}.get(name, name) not in held:
            return "strings" if name == "string" else "floats of 16 bits and fewer, integers of 4 bits and fewer"
    return None


print(json.dumps({"onnx": onnx.__version__}))
for case in collect_testcases(None):
    model = case.model
    functions = {(f.domain, f.name) for f in model.functions}
    used = set(operators_of(model.graph, functions))
    for function in model.functions:
        used |= set(operators_of(function, functions))
    version = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    line = {"name": case.name, "opset": version, "rtol": case.rtol, "atol": case.atol}
    reason = problem(model.graph)
    if reason is not None:
        print(json.dumps({**line, "reason": reason}))
        continue
    if not used <= operators:
        print(json.dumps({**line, "missing": sorted(used - operators)}))
        continue
    inputs, outputs = ([held_array(value) for value in values] for values in case.data_sets[0])
    # the newest package writes a newer version of the format than it uses anything of
    model.ir_version = min(model.ir_version, 13)
    given = [value.name for value in model.graph.input]
    print(
        json.dumps(
            {
                **line,
                "model": base64.b64encode(model.SerializeToString()).decode(),
                "inputs": packed([np.asarray(v) for v in inputs], given),
                "outputs": packed([np.asarray(v) for v in outputs], [v.name for v in model.graph.output]),
            }
        )
    )
