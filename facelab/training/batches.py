"""Which samples go together: everybody once in random order, or so many photos of so many people."""

from collections.abc import Iterator

import torch
from torch import Tensor


def shuffled_batches(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Every sample once, in random order. A last batch of a single sample is left out: it has no variance to
    normalise a batch by."""
    for rows in torch.randperm(count, generator=generator).split(batch_size):
        if len(rows) > 1:
            yield rows


def balanced_batches(
    labels: Tensor, people: int, photos: int, batches: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Batches of `people` identities with `photos` samples each, as losses over pairs and triplets need them.

    An identity with fewer samples shows some of them twice. FaceNet (Schroff et al., CVPR 2015), section 3.2.
    """
    rows_of = [torch.nonzero(labels == label).squeeze(1) for label in torch.unique(labels)]
    for _ in range(batches):
        chosen = torch.randperm(len(rows_of), generator=generator)[:people]
        rows = []
        for who in chosen:
            own = rows_of[who]
            order = torch.randperm(len(own), generator=generator)
            while len(order) < photos:
                order = torch.cat([order, torch.randperm(len(own), generator=generator)])
            rows.append(own[order[:photos]])
        yield torch.cat(rows)


def generator(*seeds: int) -> torch.Generator:
    """One for each purpose and step, on the CPU: the same numbers on every device, with any number of
    processes, and in a run that was interrupted."""
    mixed = 0x9E3779B97F4A7C15
    for seed in seeds:  # splitmix64: neighbouring seeds must not give neighbouring streams
        mixed = (mixed + seed + 1) * 0xBF58476D1CE4E5B9 % 2**64
        mixed ^= mixed >> 31
    return torch.Generator().manual_seed(mixed % 2**63)


def in_an_epoch(count: int, batch_size: int) -> int:
    """How many batches `plan` makes of so many photos; a data set smaller than a batch is one."""
    return max(1, count // batch_size)


def in_a_batch(labels: Tensor, batch_size: int, people: int) -> int:
    """How many photos each batch of `plan` holds: fewer than `batch_size` where there are not so many photos,
    or people."""
    if people:
        return batch_size // people * min(people, len(torch.unique(labels)))
    return min(batch_size, len(labels))


def plan(labels: Tensor, batch_size: int, people: int, epoch: int, seed: int) -> list[Tensor]:
    """The batches of one epoch, all of one size (`in_a_batch`): in random order (people=0; what is left over
    waits for another epoch), or P×K. Labels (N,)."""
    draw = generator(seed, 1, epoch)
    count = len(labels)
    if not people:
        size = in_a_batch(labels, batch_size, people)
        return [rows for rows in torch.randperm(count, generator=draw).split(size) if len(rows) == size]
    return list(balanced_batches(labels, people, batch_size // people, in_an_epoch(count, batch_size), draw))
