"""Adaptive data sampling: what the network already gets right is shown less often."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler


class AdaptiveSampler(Sampler[int]):
    """Draws `num_samples` indices an epoch, with replacement, in proportion to one weight a sample.

    After each batch call `update(indices, correct)`: the weight of a sample that was classified correctly
    is multiplied by `decay`, that of one that was not goes back to 1. `floor` keeps everybody in the draw.

    AdaptiveFace (Liu et al., CVPR 2019), section 3.4, gives the principle (lower when right, higher when
    wrong); the rule and the values here are this package's.

    num_samples   size of the data set; decay in (0, 1); floor in (0, 1]; seed fixes every epoch's draw
    State: `weights` (num_samples,) and the generator, through `state_dict` and `load_state_dict`.
    """

    def __init__(self, num_samples: int, decay: float = 0.7, floor: float = 0.05, seed: int = 0):
        if num_samples < 1 or not 0 < decay < 1 or not 0 < floor <= 1:
            raise ValueError(
                f"num_samples={num_samples}, decay={decay}, floor={floor}: "
                "num_samples ≥ 1, 0 < decay < 1 and 0 < floor ≤ 1 are needed."
            )
        self.weights = torch.ones(num_samples, dtype=torch.float64)
        self.decay, self.floor = decay, floor
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.weights)

    def __iter__(self) -> Iterator[int]:
        # torch.multinomial stops at 2²⁴ categories; a search in the running sum has no limit.
        total = self.weights.cumsum(0)
        draws = torch.rand(len(self), dtype=torch.float64, generator=self.generator) * total[-1]
        yield from torch.searchsorted(total, draws, right=True).clamp_max(len(self) - 1).tolist()

    def update(self, indices: Tensor, correct: Tensor) -> None:
        """indices (B,) into the data set, correct (B,) bool."""
        indices, correct = indices.cpu(), correct.cpu()
        lowered = (self.weights[indices] * self.decay).clamp_min(self.floor)
        self.weights[indices] = torch.where(correct, lowered, torch.ones_like(lowered))

    def state_dict(self) -> dict[str, Tensor]:
        return {"weights": self.weights.clone(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.weights.copy_(state["weights"])
        self.generator.set_state(state["generator"])
