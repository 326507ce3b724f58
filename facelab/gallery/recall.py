"""How often an approximate index finds what an exact search finds: counted, and stored beside the index."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Recall:
    """Of `total` look-ups, in `found` of them the index came up with the nearest template.

    templates  how many the gallery had
    own        whether templates of the gallery were looked up, each without itself, or other vectors
    edge       or templates of the gallery, each moved to this cosine distance from itself; None: not moved
    """

    found: int
    total: int
    templates: int
    own: bool = True
    edge: float | None = None

    @property
    def value(self) -> float:
        return self.found / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        from facelab.metrics import wilson

        low, high = wilson(self.found, self.total)
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.interval
        what = "templates of its own, each without itself" if self.own else "vectors given for it"
        if self.edge is not None:
            what = f"templates of its own, each moved by a distance of {self.edge:.3f}"
        return (
            f"found the nearest template in {self.found:,} of {self.total:,} look-ups (95 % interval "
            f"{low:.1%} to {high:.1%}) of {what}, among {self.templates:,}"
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Recall:
        """Raises ValueError for what `to_json` did not write."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from error
