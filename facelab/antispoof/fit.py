"""Training the detector of presentation attacks: minutes on one core, or a minute in class.

    net = fit(captures.without("replay"), RECIPE)

The optimiser, its rate over time, the running mean and the augmentation are `facelab.training`'s.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from facelab.antispoof.captures import Captures
from facelab.antispoof.net import TwoScales
from facelab.training.augment import Augment
from facelab.training.batches import generator
from facelab.training.optimise import optimizer, rate, running_mean
from facelab.training.recipe import Recipe
from facelab.training.toys import seeded

RECIPE = Recipe(
    head=None,
    distil=1.0,  # a recipe must have a teacher or a head; neither is looked at here
    epochs=12,
    batch_size=64,
    lr=3e-3,
    weight_decay=0.02,
    ema=0.99,
    augment=replace(Augment.none(), mirror=0.5, light=0.15),
)
"""Of a recipe only epochs, batch_size, the optimiser and its numbers, clip, ema, augment and seed are read.
Whatever resamples or blurs is left out of the augmentation: it takes the texture away that is to be
learnt."""


def fit(
    captures: Captures,
    recipe: Recipe = RECIPE,
    on_epoch: Callable[[int, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> TwoScales:
    """The network trained to tell bona fide captures from the rest, in evaluation mode, on the CPU.

    Bona fide and attacks weigh the same, and so does every kind of attack, whatever their numbers.
    on_epoch  called with the epoch (from 1) and its mean loss
    stop      asked after every step; True ends the run with what was learnt so far

    The same captures and recipe give the same network on the same machine with one thread.
    Raises ValueError where bona fide captures or attacks are missing.
    """
    live = torch.from_numpy(captures.live.astype(np.float32))
    if not 0 < int(live.sum()) < len(live):
        raise ValueError("Bona fide captures and attacks are both needed, and there is only one of the two.")
    kinds, which, counts = np.unique(captures.kind, return_inverse=True, return_counts=True)
    share = np.where(kinds == "bona fide", 0.5, 0.5 / (len(kinds) - 1)) * len(captures) / counts
    weight = torch.from_numpy(share[which].astype(np.float32))
    crops = torch.from_numpy(captures.crops)
    with seeded(recipe.seed):
        net = TwoScales()
        mean, moves = running_mean(recipe, net), optimizer(recipe, net)
        size = min(recipe.batch_size, len(live))
        per_epoch = len(live) // size
        for epoch in range(recipe.epochs):
            net.train()
            order = torch.randperm(len(live), generator=generator(recipe.seed, 1, epoch))
            total = 0.0
            for number, rows in enumerate(order[: per_epoch * size].split(size)):
                step = epoch * per_epoch + number
                for group in moves.param_groups:
                    group["lr"] = rate(recipe, step, recipe.epochs * per_epoch)
                drawn = recipe.augment.draw(size, generator(recipe.seed, 2, step))
                drawn = {name: values.repeat_interleave(2, 0) for name, values in drawn.items()}
                x = net.pixels(crops[rows])
                x = recipe.augment.apply(x.flatten(0, 1), drawn).view_as(x)
                loss = F.binary_cross_entropy_with_logits(net(x), live[rows], weight[rows])
                moves.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip or float("inf"))
                moves.step()
                if mean is not None:
                    mean.update_parameters(net)
                total += float(loss.detach())
                stopped = stop is not None and stop()
                if stopped:
                    break
            if on_epoch is not None:
                on_epoch(epoch + 1, total / (number + 1))
            if stopped:
                break
    if mean is not None:
        net.load_state_dict(mean.module.state_dict())
    return net.eval()
