"""What moves the weights: the optimiser, its learning rate over time, and a running mean of the weights."""

import math

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from facelab.training.recipe import Recipe


def optimizer(recipe: Recipe, module: nn.Module) -> torch.optim.Optimizer:
    """SGD or AdamW over all weights of a module that are trained.

    Decay pulls a matrix towards 0, which keeps it from growing without end. A bias, a batch norm's scale or a
    PReLU's slope is no direction and has nothing to gain from being small (Goyal et al., arXiv:1706.02677,
    section 5.3): those are vectors, so everything with one axis is left out.
    """
    weights = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, recipe.lr, momentum=0.9)
    return torch.optim.AdamW(groups, recipe.lr)


def rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step: up in a straight line, down along half a cosine (Loshchilov and Hutter,
    ICLR 2017). It depends on nothing but the step, so that a resumed run has it too."""
    up = recipe.warm_up * steps
    if step < up:
        return recipe.lr * (step + 1) / (up + 1)
    return recipe.lr * (1 + math.cos(math.pi * (step - up) / max(1.0, steps - up))) / 2


def running_mean(recipe: Recipe, net: nn.Module, young: bool = False) -> AveragedModel | None:
    """Weights averaged over the last 1/(1 − ema) steps or so, the statistics of batch norms with them.

    young  after n steps the decay is (1 + n)/(10 + n) at most, the rule of TensorFlow's
           ExponentialMovingAverage for `num_updates`. Without it the weights of the first step weigh
           ema^n: 89 % after 120 steps at 0.999
    """
    if not recipe.ema:
        return None
    if not young:
        return AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)

    def average(means, weights, _) -> None:
        n = int(mean.n_averaged)  # on the CPU; the argument is a copy on the device, which one would wait for
        get_ema_multi_avg_fn(min(recipe.ema, (1 + n) / (10 + n)))(means, weights, n)

    mean = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    return mean
