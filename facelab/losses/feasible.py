"""How large a margin can be before no arrangement of the classes satisfies it."""

import math

from facelab.losses.arcface import ArcFace
from facelab.losses.cosface import CosFace
from facelab.losses.head import MarginHead


def max_margin_2d(loss: str | type[MarginHead] | MarginHead, num_classes: int) -> float:
    """The largest margin m that C classes, spread evenly over the circle, can meet.

    Even a sample exactly on its own centre must beat its neighbour, 2π/C away. ArcFace asks cos(0 + m) ≥
    cos(2π/C), so m ≤ 2π/C; CosFace asks 1 − m ≥ cos(2π/C), so m ≤ 1 − cos(2π/C). With 10 classes that is
    0.19: CosFace's usual 0.35 cannot be met in 2-D. (CosFace, section 3.4.)

    loss    "ArcFace" or "CosFace", or a head (class or instance) derived from one of them
    Raises ValueError for other losses and for fewer than two classes.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a margin separates two classes or more.")
    if not isinstance(loss, str):
        kind = loss if isinstance(loss, type) else type(loss)
        loss = next(
            (parent.__name__ for parent in (ArcFace, CosFace) if issubclass(kind, parent)), kind.__name__
        )
    if loss.lower() == "arcface":
        return 2 * math.pi / num_classes
    if loss.lower() == "cosface":
        return 1 - math.cos(2 * math.pi / num_classes)
    raise ValueError(f"loss={loss!r}: the bound is known for 'ArcFace' and 'CosFace'.")
