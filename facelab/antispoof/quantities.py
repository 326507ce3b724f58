"""Numbers with units and ranges: what an attack or a camera is made of, and what a slider may move."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np


@dataclass(frozen=True)
class Range:
    """Of one number: its default, what is allowed, what `draw` draws from (evenly), and its unit."""

    default: float
    low: float
    high: float
    drawn: tuple[float, float]
    unit: str


def quantity(
    default: float, low: float, high: float, unit: str = "", *, drawn: tuple[float, float] | None = None
) -> Any:
    """A field of a `Drawable`. `drawn` is narrower than what is allowed where extremes are of no use."""
    return field(default=default, metadata={"range": Range(default, low, high, drawn or (low, high), unit)})


@dataclass(frozen=True)
class Drawable:
    """A frozen set of quantities and a seed, for what is drawn and matters to nobody (where the gloss
    lies, each pixel's noise). Raises ValueError for a number outside its range."""

    def __post_init__(self):
        for name, its in self.ranges().items():
            value = getattr(self, name)
            if not its.low <= value <= its.high:
                raise ValueError(
                    f"{type(self).__name__}({name}={value!r}): between {its.low:g} and {its.high:g}"
                    f"{' ' + its.unit if its.unit else ''}."
                )

    @classmethod
    def ranges(cls) -> dict[str, Range]:
        """{name: Range} of every quantity, in order."""
        return {each.name: each.metadata["range"] for each in fields(cls) if "range" in each.metadata}

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """One at random, the same for the same generator. Whole numbers stay whole, ends included."""
        drawn: dict[str, Any] = {}
        for name, its in cls.ranges().items():
            low, high = its.drawn
            whole = isinstance(its.default, int)
            one = rng.integers(int(low), int(high) + 1) if whole else rng.uniform(low, high)
            drawn[name] = int(one) if whole else float(one)
        return cls(**drawn, seed=int(rng.integers(2**31)))  # type: ignore[call-arg]
