"""Loads a state dict into the module `vector-state` of models/pytorch and prints how far it is from a trained
graph, for each pair of files.

    python test/deploy/load-state-dict.py STATE_DICT.safetensors FIELD.onnx …
"""

import pathlib
import sys

import numpy as np
import onnxruntime
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "models" / "pytorch"))
from export_fields import VectorState, perceptron

for state_dict, field in zip(sys.argv[1::2], sys.argv[2::2]):
    module = VectorState(perceptron(4, 3))
    module.load_state_dict(load_file(state_dict))
    session = onnxruntime.InferenceSession(field, providers=["CPUExecutionProvider"])
    largest = 0.0
    for seed in range(10):
        random = np.random.default_rng(seed)
        t, y = np.float32(random.normal()), random.normal(size=3).astype(np.float32)
        (graph,) = session.run(None, {"t": np.array(t), "y": y})
        own = module(torch.tensor(t), torch.tensor(y)).detach().numpy()
        largest = max(largest, float(np.abs(own - graph).max()))
    print(largest)
