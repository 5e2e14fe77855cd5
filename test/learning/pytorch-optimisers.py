"""PyTorch's optimisers on given gradients, for optimisers.test.ts.

    python3 test/learning/pytorch-optimisers.py > test/learning/pytorch-optimisers.json
"""

import json

import torch

torch.manual_seed(0)
start = torch.randn(5, dtype=torch.float64)
gradients = torch.randn(20, 5, dtype=torch.float64)
gradients[7] = 0  # an update without a gradient

cases = [
    ("sgd", {"learningRate": 0.1}, torch.optim.SGD, {"lr": 0.1}),
    ("sgd", {"learningRate": 0.1, "momentum": 0.9}, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (
        "sgd",
        {"learningRate": 0.1, "momentum": 0.9, "nesterov": True, "weightDecay": 0.01},
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ),
    ("sgd", {"learningRate": 0.1, "weightDecay": 0.3}, torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.3}),
    ("adam", {"learningRate": 0.1}, torch.optim.Adam, {"lr": 0.1}),
    (
        "adam",
        {"learningRate": 0.1, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3},
        torch.optim.Adam,
        {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3},
    ),
    ("adamw", {"learningRate": 0.1}, torch.optim.AdamW, {"lr": 0.1}),
    (
        "adamw",
        {"learningRate": 0.1, "weightDecay": 0.5},
        torch.optim.AdamW,
        {"lr": 0.1, "weight_decay": 0.5},
    ),
    ("adamax", {"learningRate": 0.1}, torch.optim.Adamax, {"lr": 0.1}),
    (
        "adamax",
        {"learningRate": 0.1, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3},
        torch.optim.Adamax,
        {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3},
    ),
    ("rmsprop", {"learningRate": 0.1}, torch.optim.RMSprop, {"lr": 0.1}),
    (
        "rmsprop",
        {"learningRate": 0.1, "decay": 0.8, "epsilon": 1e-2},
        torch.optim.RMSprop,
        {"lr": 0.1, "alpha": 0.8, "eps": 1e-2},
    ),
]


def run(optimiser, options):
    parameter = torch.nn.Parameter(start.clone())
    stepper = optimiser([parameter], **options)
    trajectory = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        stepper.step()
        trajectory.append(parameter.tolist())
    return trajectory


def clipped(largest):
    norms, results = [], []
    for gradient in gradients:
        parts = [torch.nn.Parameter(torch.zeros(2, dtype=torch.float64)), torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))]
        parts[0].grad, parts[1].grad = gradient[:2].clone(), gradient[2:].clone()
        norms.append(torch.nn.utils.clip_grad_norm_(parts, largest).item())
        results.append(torch.cat([part.grad for part in parts]).tolist())
    return {"largest": largest, "norms": norms, "gradients": results}


print(
    json.dumps(
        {
            "version": torch.__version__,
            "start": start.tolist(),
            "gradients": gradients.tolist(),
            "runs": [
                {"optimiser": name, "options": ours, "trajectory": run(optimiser, theirs)}
                for name, ours, optimiser, theirs in cases
            ],
            "clipped": clipped(1.5),
        }
    )
)
