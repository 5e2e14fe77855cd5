"""Recurrent layers as PyTorch exports them, with what it computes: python test/import/pytorch-recurrent.py > …/pytorch-recurrent.json

For each the ONNX file, an input, the results, cotangents of them, and the gradients of the input and of each weight of the file,
all in float64.
"""

import base64
import io
import json
import warnings

import numpy as np
import onnx
import torch
from onnx import numpy_helper

warnings.filterwarnings("ignore")
torch.manual_seed(0)
# PyTorch has the gates in another order
orders = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 3, 1, 2]}

layers = {
    "GRU": torch.nn.GRU(3, 4),
    "GRU, both ways, two layers, the batch first": torch.nn.GRU(3, 2, num_layers=2, bidirectional=True, batch_first=True),
    "GRU without biases": torch.nn.GRU(3, 2, bias=False),
    "LSTM": torch.nn.LSTM(3, 4),
    "LSTM, both ways": torch.nn.LSTM(3, 3, bidirectional=True),
    "RNN": torch.nn.RNN(3, 4),
    "RNN with relu, both ways": torch.nn.RNN(3, 3, nonlinearity="relu", bidirectional=True),
}


def onnx_arrays(layer, value):
    """W, R and B of each layer, of what `value` takes of each parameter (itself, its gradient)."""
    order, hidden = orders[type(layer).__name__], layer.hidden_size
    suffixes = ["", "_reverse"] if layer.bidirectional else [""]

    def gates(name):
        array = value(getattr(layer, name)).numpy()
        return np.concatenate([array[gate * hidden : (gate + 1) * hidden] for gate in order])

    for number in range(layer.num_layers):
        for kind in ["weight_ih", "weight_hh"]:
            yield np.stack([gates(f"{kind}_l{number}{suffix}") for suffix in suffixes])
        if layer.bias:
            yield np.stack(
                [np.concatenate([gates(f"bias_{kind}_l{number}{suffix}") for kind in ["ih", "hh"]]) for suffix in suffixes]
            )


def packed(array):
    return {"shape": list(array.shape), "data": array.flatten().tolist()}


found = []
for name, layer in layers.items():
    x = torch.randn(2, 5, 3) if layer.batch_first else torch.randn(5, 2, 3)
    file = io.BytesIO()
    torch.onnx.export(layer, (x,), file, input_names=["x"], dynamo=False, opset_version=20)
    stored = {i.name: numpy_helper.to_array(i) for i in onnx.load_from_string(file.getvalue()).graph.initializer}
    layer, x = layer.double(), x.double().requires_grad_()
    y, states = layer(x)
    outputs = [y, *(states if isinstance(states, tuple) else [states])]
    cotangents = [torch.randn_like(output) for output in outputs]
    torch.autograd.backward(outputs, cotangents)
    values = list(onnx_arrays(layer, lambda parameter: parameter.detach()))
    gradients = list(onnx_arrays(layer, lambda parameter: parameter.grad))
    of_initializer = {}
    for initializer, array in stored.items():
        for value, gradient in zip(values, gradients):
            if value.shape == array.shape and np.array_equal(value.astype(np.float32), array):
                of_initializer[initializer] = packed(gradient)
    assert len(of_initializer) == len(values), name
    found.append(
        {
            "name": name,
            "file": base64.b64encode(file.getvalue()).decode(),
            "x": packed(x.detach().numpy()),
            "outputs": [packed(output.detach().numpy()) for output in outputs],
            "cotangents": [packed(cotangent.numpy()) for cotangent in cotangents],
            "gradient": packed(x.grad.numpy()),
            "gradients": of_initializer,
        }
    )
print(json.dumps({"torch": torch.__version__, "cases": found}))
