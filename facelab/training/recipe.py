"""All choices of a training run in one place: what is written into the checkpoint and the model card."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from inspect import signature
from typing import Any

from facelab.embed import FILE_RECIPES
from facelab.losses import HEADS
from facelab.training.augment import Augment
from facelab.training.sharded import UNFIT

PRECISIONS = ("float32", "bfloat16", "float16")


def _settable(head: str) -> list[str]:
    """What a head takes beside the two sizes; with **options, what the class above takes as well."""
    names: list[str] = []
    for each in HEADS[head].__mro__:
        if "__init__" not in vars(each):
            continue
        taken = signature(vars(each)["__init__"]).parameters.values()
        names += [one.name for one in taken if one.kind is not one.VAR_KEYWORD]
        if all(one.kind is not one.VAR_KEYWORD for one in taken):
            break
    return [name for name in names if name not in ("self", "embedding_dim", "num_classes")]


@dataclass(frozen=True)
class Recipe:
    """How to train. The defaults train a Thumbnet on a CPU; `in_earnest` are those of the papers.

    backbone      a key of `facelab.embed.FILE_RECIPES`: thumbnet, mobilefacenet, iresnet18 … iresnet100
    dim           length of the vectors
    head          a key of `facelab.losses.HEADS`, or None: then the teacher alone
    head_options  its margin, scale …
    distil        weight of the teacher's term (`facelab.training.distil`); 0: no teacher
    epochs, batch_size      batch_size counts the photos of all processes together
    people        P of P×K batches: P people with batch_size / P photos each; 0: photos in random order
    min_photos    people with fewer are no class of their own (a teacher teaches on all photos)
    optimizer     "sgd" (momentum 0.9) or "adamw"
    lr            at its highest; warm_up is the share of all steps until then, a cosine to 0 the rest
    weight_decay  of matrices and convolutions, never of biases and norms
    clip          largest norm of the gradient; 0: no limit
    ema           decay of the running mean of the weights, which is what is kept at the end; 0: none. In
                  `train` it is at most (1 + n)/(10 + n) after n steps (TensorFlow's rule for `num_updates`),
                  so that a short run does not keep its first weights
    precision     of the backbone: "float32", or autocast to "bfloat16" or "float16" (then the loss is
                  scaled); the head computes in float32 all the same
    channels_last, compile  see `python -m benchmarks.train speed` for what they are worth
    sample        share of the other classes in each step (PartialFC); 1: all of them
    seed          of weights, batches and augmentation
    """

    backbone: str = "thumbnet"
    dim: int = 128
    head: str | None = "ArcFace"
    head_options: dict[str, Any] = field(default_factory=lambda: {"s": 32.0, "m": 0.2})
    distil: float = 0.0
    epochs: int = 15
    batch_size: int = 128
    people: int = 0
    min_photos: int = 2
    optimizer: str = "adamw"
    lr: float = 3e-3
    warm_up: float = 0.05
    weight_decay: float = 0.05
    clip: float = 5.0
    ema: float = 0.0
    precision: str = "float32"
    channels_last: bool = False
    compile: bool = False
    augment: Augment = field(default_factory=Augment)
    sample: float = 1.0
    seed: int = 0

    def __post_init__(self):
        def check(good: bool, what: str) -> None:
            if not good:
                raise ValueError(what)

        check(
            self.backbone in FILE_RECIPES,
            f"backbone={self.backbone!r}: choose one of {', '.join(FILE_RECIPES)}.",
        )
        check(
            self.head is None or self.head in HEADS, f"head={self.head!r}: choose one of {', '.join(HEADS)}."
        )
        check(self.head not in UNFIT, f"head={self.head!r}: {UNFIT.get(self.head or '')}.")
        if self.head is not None:
            known = _settable(self.head)
            unknown = sorted(set(self.head_options) - set(known))
            check(
                not unknown,
                f"head={self.head!r} has no {', '.join(unknown)}; what can be set is "
                f"{', '.join(known) or 'nothing'}.",
            )
        check(self.distil >= 0, f"distil={self.distil}: a weight, 0 or above.")
        check(self.head is not None or self.distil > 0, "head=None and distil=0: nothing would teach.")
        check(self.dim >= 2 and self.min_photos >= 1, "dim ≥ 2 and min_photos ≥ 1 are needed.")
        check(self.weight_decay >= 0 and self.clip >= 0, "weight_decay ≥ 0 and clip ≥ 0 are needed.")
        check(self.precision in PRECISIONS, f"precision={self.precision!r}: choose one of {PRECISIONS}.")
        check(self.optimizer in ("sgd", "adamw"), f"optimizer={self.optimizer!r}: choose sgd or adamw.")
        check(self.epochs >= 1 and self.batch_size >= 2, "epochs ≥ 1 and batch_size ≥ 2 are needed.")
        check(self.lr > 0 and 0 <= self.warm_up < 1, "lr > 0 and 0 ≤ warm_up < 1 are needed.")
        check(0 < self.sample <= 1, f"sample={self.sample}: a share of the classes, above 0 and at most 1.")
        check(0 <= self.ema < 1, f"ema={self.ema}: a decay below 1, such as 0.999; 0 for none.")
        check(
            self.people == 0 or (self.people > 0 and self.batch_size % self.people == 0),
            f"people={self.people}: batch_size={self.batch_size} must be a multiple of it.",
        )

    @classmethod
    def in_earnest(cls, backbone: str = "iresnet50", **changes: Any) -> "Recipe":
        """ArcFace's own recipe (Deng et al., CVPR 2019, section 3.1; arcface_torch): SGD at 0.1 for a batch
        of 512, weight decay 5·10⁻⁴, s = 64, m = 0.5, mirror as the only augmentation. For a GPU."""
        return replace(
            cls(
                backbone=backbone,
                dim=512,
                head_options={"s": 64.0, "m": 0.5},
                epochs=20,
                batch_size=512,
                optimizer="sgd",
                lr=0.1,
                weight_decay=5e-4,
                precision="bfloat16",
                channels_last=True,
                augment=replace(Augment.none(), mirror=0.5),
            ),
            **changes,
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Raises ValueError for something else than `to_json` gave."""
        try:
            given = json.loads(text)
            return cls(**{**given, "augment": Augment(**given["augment"])})
        except (TypeError, KeyError, json.JSONDecodeError) as error:
            raise ValueError(f"no recipe of this version of facelab ({error}).") from error

    def differences(self, other: "Recipe") -> str:
        """`epochs 15 → 20, …`: what another recipe says differently."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return ", ".join(f"{name} {mine!r} → {theirs!r}" for name, mine, theirs in pairs if mine != theirs)
