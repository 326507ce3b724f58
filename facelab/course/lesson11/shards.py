"""What each of several devices holds when the classes of a head are shared out among them."""

PARTS = ("weights", "momentum", "gradient", "rows at length 1, and their gradient", "logits")

CARD = 80.0
"""Gigabytes of a large GPU."""

MEASURED = {
    # (processes, sample) → GB that each of them held at most: 10⁶ classes of 512 numbers, batches of 64 in
    # all, on CPU (`python -m benchmarks.train sharded`, benchmarks/results/train.md).
    (1, 1.0): 10.36,
    (2, 1.0): 5.22,
    (1, 0.1): 6.92,
    (2, 0.1): 3.54,
}


def memory(people: float, devices: int, sample: float = 1.0, dim: int = 512, batch: int = 64) -> list[float]:
    """Gigabytes for each of PARTS in each device, float32, SGD; `batch` embeddings for each device.

    Weights and momentum of all classes wait in memory; the rest is needed for the classes of the step. The
    logits stand there twice, as numbers and as their gradient.
    """
    numbers = people * dim / devices
    logits = 2 * batch * devices * sample * people / devices
    return [4 * part / 1e9 for part in (numbers, numbers, sample * numbers, 2 * sample * numbers, logits)]
