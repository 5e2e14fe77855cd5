"""PyTorch's losses of probabilities, and its learning rate on a plateau, for likelihoods.test.ts and schedules.test.ts.

    python3 test/learning/pytorch-learning.py > test/learning/pytorch-learning.json
"""

import json

import torch
import torch.nn.functional as F
from torch.distributions import Categorical, Normal, kl_divergence

torch.manual_seed(0)
z = 3 * torch.randn(7, 4, dtype=torch.float64)
other = torch.randn(7, 4, dtype=torch.float64)
labels = torch.randint(0, 4, (7,))
targets = torch.rand(7, 4, dtype=torch.float64)
mean, log_variance = torch.randn(7, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)

p = Normal(mean, torch.exp(log_variance / 2))
q = Normal(other, torch.exp(z / 2))
values = {
    "negativeLogLikelihood": F.nll_loss(F.log_softmax(z, -1), labels),
    "crossEntropy": F.cross_entropy(z, labels),
    "binaryCrossEntropy": F.binary_cross_entropy_with_logits(z, targets),
    "categoricalDivergence": kl_divergence(Categorical(logits=z), Categorical(logits=other)).mean(),
    "normalDivergence": kl_divergence(p, q).sum(-1).mean(),
    "standardNormalDivergence": kl_divergence(p, Normal(0.0, 1.0)).sum(-1).mean(),
    "normalNegativeLogDensity": -p.log_prob(other).mean(),
}

losses = [5, 4, 4.1, 4.2, 4.0, 3.99999, 4.2, 3.5, 3.6, 3.7, 3.8, 3.6, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3, 3, 3, 3, 3, 3]
plateaus = []
for options, own in [
    ({"patience": 2, "factor": 0.5}, {"patience": 2, "gamma": 0.5}),
    ({"patience": 0, "factor": 0.3, "min_lr": 0.02}, {"patience": 0, "gamma": 0.3, "final": 0.02}),
    ({"patience": 1, "factor": 0.1, "cooldown": 2}, {"patience": 1, "gamma": 0.1, "cooldown": 2}),
    ({"patience": 1, "factor": 0.5, "threshold": 0.2}, {"patience": 1, "gamma": 0.5, "threshold": 0.2}),
]:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, eps=0, **options)
    rates = []
    for loss in losses:
        schedule.step(loss)
        rates.append(optimiser.param_groups[0]["lr"])
    plateaus.append({"options": own, "rates": rates})

print(
    json.dumps(
        {
            "torch": torch.__version__,
            "z": z.flatten().tolist(),
            "other": other.flatten().tolist(),
            "labels": labels.tolist(),
            "targets": targets.flatten().tolist(),
            "mean": mean.flatten().tolist(),
            "logVariance": log_variance.flatten().tolist(),
            "values": {name: value.item() for name, value in values.items()},
            "losses": losses,
            "plateaus": plateaus,
        },
        indent=1,
    )
)
