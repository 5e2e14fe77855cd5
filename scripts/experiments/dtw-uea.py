"""The UEA problems of docs/experiments.md by the archive's own baseline: the class of the nearest series under dynamic time warping.

    python scripts/experiments/dtw-uea.py FOLDER-OF-THE-ARCHIVE PenDigits Libras … > scripts/experiments/dtw-uea.json

All channels are warped together (DTW_D of Shokoohi-Yekta et al. 2017), without a window and as the series are:

    D(i, j) = |x_i - y_j|² + min(D(i - 1, j), D(i, j - 1), D(i - 1, j - 1))
"""

import json
import sys

import numpy as np


def read(path):
    series, labels = [], []
    for line in open(path).read().split("@data")[1].strip().splitlines():
        *channels, label = line.strip().split(":")
        series.append(np.array([[float(x) for x in channel.split(",")] for channel in channels]).T)
        labels.append(label)
    return series, np.array(labels)


def distances(x, ys, ends):
    """From one series [n, channels] to many at once [many, m, channels], of which each ends at its own place."""
    n, m = len(x), ys.shape[1]
    costs = ((x[None, :, None] - ys[:, None]) ** 2).sum(3)
    # antidiagonals i + j = k, by i: of each cell three of those before it are known
    infinite = np.full((len(ys), n + 1), np.inf)
    before, last = infinite.copy(), infinite
    before[:, 0] = 0
    found = np.empty(len(ys))
    for k in range(n + m - 1):
        now = infinite.copy()
        i = np.arange(max(0, k - m + 1), min(n, k + 1))
        least = np.minimum(np.minimum(last[:, i], last[:, i + 1]), before[:, i])
        now[:, i + 1] = costs[:, i, k - i] + least
        ended = np.flatnonzero(ends == k - (n - 1))
        found[ended] = now[ended, n]
        before, last = last, now
    return found


def accuracy(folder, problem):
    (series, labels), (test, expected) = (read(f"{folder}/{problem}_{part}.ts") for part in ("TRAIN", "TEST"))
    longest = max(len(y) for y in series)
    ys = np.stack([np.concatenate([y, np.repeat(y[-1:], longest - len(y), 0)]) for y in series])
    ends = np.array([len(y) - 1 for y in series])
    said = [labels[distances(x, ys, ends).argmin()] for x in test]
    return float((np.array(said) == expected).mean())


folder, *problems = sys.argv[1:]
found = {}
for problem in problems:
    found[problem] = round(accuracy(folder, problem), 4)
    print(problem, found[problem], file=sys.stderr, flush=True)
print(json.dumps(found, indent=2))
