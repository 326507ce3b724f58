"""What a gallery is bound to: one file, one detector, one crop, one embedder."""

from os import PathLike
from pathlib import Path

import torch

from facelab import user_weights
from facelab.embed import EMBEDDERS
from facelab.errors import GalleryError
from facelab.gallery.store import HOW_TO_MAKE, WIDEST, About
from facelab.pipeline import Pipeline

MODES = ("r", "r+", "a")

DEFAULT = About("sface", "yunet+aligned+sface", EMBEDDERS["sface"].dim)


def asked_for(pipeline: Pipeline | None, embedder: str | None, dimension: int | None) -> About | None:
    """What a gallery is asked to be bound to; None when nothing was said."""
    if pipeline is not None:
        if embedder is not None or dimension is not None:
            raise ValueError("A pipeline brings its embedder: give pipeline= or embedder=, not both.")
        return About(pipeline.names[1], pipeline.config, pipeline.embedder.dim)
    if embedder is None:
        if dimension is not None:
            raise ValueError("dimension= belongs to embedder=, a name for vectors of your own.")
        return None
    if embedder in EMBEDDERS:
        its = EMBEDDERS[embedder].dim
        if dimension not in (None, its):
            raise ValueError(f"dimension={dimension}: {embedder} gives {its}.")
        return About(embedder, f"yunet+aligned+{embedder}", its)
    if not (0 < len(embedder) <= 100 and embedder.isprintable()):
        raise ValueError(f"embedder={embedder!r}: a name of 1 to 100 printable characters.")
    if dimension is None or not 1 <= dimension <= WIDEST:
        raise ValueError(
            f"embedder={embedder!r} is not one of {', '.join(EMBEDDERS)}; for vectors of your own give "
            f"dimension= too, 1 to {WIDEST:,}."
        )
    return About(embedder, embedder, dimension)


def pipeline_of(about: About, where: str, device: torch.device) -> Pipeline:
    """The pipeline that the gallery `where` was made with. Raises GalleryError where there is none here."""
    if about.embedder not in EMBEDDERS and user_weights.find(about.embedder) is None:
        raise GalleryError(
            f"{where}: holds vectors of {about.embedder!r}, which is none of facelab's embedders "
            f"({', '.join(EMBEDDERS)}), nor a file of weights that was used here. Give "
            "pipeline=Pipeline(embedder=…), or vectors instead of photos."
        )
    try:
        detector, crop, embedder, *mirror = about.config.split("+")
        return Pipeline(detector, embedder, device, crop=crop, mirror=bool(mirror))
    except ValueError as error:
        raise GalleryError(
            f"{where}: is bound to {about.config!r}, a pipeline that this facelab does not have ({error}). "
            "Give vectors, not photos."
        ) from error


def resolved(path: str | PathLike, mode: str) -> Path:
    """Where a path leads: a link to a gallery stays a link, and both names mean one lock.

    Raises GalleryError for a path on which no gallery can be opened in that mode, ValueError for a mode that
    there is not.
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: choose one of {', '.join(MODES)}.")
    try:
        found = Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, ~nobody, a NUL
        raise GalleryError(f"{path!r}: leads to no file ({error}).") from error
    if mode == "r+" and not found.exists():
        raise GalleryError(f"{found}: there is no such gallery. {HOW_TO_MAKE}")
    if not found.parent.is_dir():  # the lock would make it
        raise GalleryError(f"{found}: there is no folder {found.parent}. Make it first.")
    return found


def check(threshold: float | None, fpir: float) -> None:
    """Raises ValueError for what no gallery can be opened with."""
    if threshold is not None and not 0 <= threshold <= 2:
        raise ValueError(f"threshold={threshold}: a cosine distance lies between 0 and 2.")
    if not 0 < fpir < 1:
        raise ValueError(f"fpir={fpir}: a share of strangers, between 0 and 1.")
