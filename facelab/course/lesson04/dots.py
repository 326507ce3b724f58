"""A dot for each seed, joined where the same seed was measured again: what a table of means hides."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes


def dots(measured: dict, names: Sequence[str] | None = None, title: str = "") -> Axes:
    """A row for each measure that is one number a seed, a dot for each seed; thin lines pair the seeds."""
    names = list(names or [name for name, values in measured.items() if values.ndim == 1])
    values = np.array([measured[name] for name in names])  # (measures, seeds)
    axes = plt.subplots(figsize=(10, 0.42 * len(names) + 1.3))[1]
    axes.plot(values, range(len(names)), color="#999999", lw=0.8, zorder=0)
    long = pd.DataFrame({"value": values.ravel(), "measure": np.repeat(names, values.shape[1])})
    sns.stripplot(long, x="value", y="measure", jitter=False, size=9, alpha=0.7, ax=axes)
    axes.set(xlabel="one dot a seed; lines join a seed's own dots", ylabel="", title=title)
    axes.grid(axis="x", alpha=0.4)
    return axes
