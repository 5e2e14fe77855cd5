"""Writes small.parquet and the .npy files beside it, by pyarrow and NumPy: two trajectories, a gap, times as timestamps."""

import datetime
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]
start = datetime.datetime(2024, 3, 1, 12)
times = [start + datetime.timedelta(seconds=s) for s in (0, 1.5, 4, 0, 2)]
table = pa.table(
    {
        "who": pa.array(["a", "a", "a", "b", "b"]),
        "time": pa.array(times, pa.timestamp("ms")),
        "x": pa.array([1.0, 0.25, None, 2.0, 3.5]),
        "n": pa.array([1, 2, 3, 4, 5], pa.int64()),
    }
)
pq.write_table(table, f"{folder}/small.parquet", compression="snappy", store_schema=False)
rows = np.array([[[0, 1, 2], [1, 3, np.nan]], [[0.5, 5, 6], [2, 7, 8]]])
np.save(f"{folder}/three.npy", rows.astype(">f4"))
np.save(f"{folder}/columns.npy", np.asfortranarray(rows[0]))
