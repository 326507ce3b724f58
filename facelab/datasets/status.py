"""What `facelab data status` shows."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from facelab.datasets import fglfw
from facelab.datasets.protocols import PROTOCOLS, folder_of_lfw, lfw_pairs
from facelab.datasets.templates import default_places, lfw_templates
from facelab.datasets.wild import VARIANTS, lfw
from facelab.errors import DatasetError


@dataclass(frozen=True)
class Row:
    """One data set: is it there, where, how large (bytes; 0 when missing), and what brings or mends it."""

    name: str
    state: str
    where: Path
    bytes: int
    remedy: str


def status(home: str | PathLike | None = None) -> list[Row]:
    """One Row for each data set that facelab knows: state is "ok", "missing" or what is wrong with it."""
    return [
        _templates(),
        *(_lfw(home, variant) for variant in VARIANTS),
        *(_list(home, p, file, "facelab data get lfw") for p, file in PROTOCOLS.items()),
        _list(home, "fglfw", fglfw.FILE_NAME, "facelab data get fglfw --from FILE"),
    ]


def _templates() -> Row:
    places = default_places()
    where = next((place for place in places if place.is_file()), places[0])
    remedy = "python data/make_lfw_templates.py"
    try:
        lfw_templates()
    except DatasetError as error:
        return Row("lfw templates", str(error) if where.is_file() else "missing", where, 0, remedy)
    return Row("lfw templates", "ok", where, where.stat().st_size, "")


def _lfw(home: str | PathLike | None, variant: str) -> Row:
    name, where = f"lfw photos, {variant}", folder_of_lfw(home) / variant
    remedy = {
        "deepfunneled": "facelab data get lfw --from lfw-deepfunneled.tgz",
        "funneled": "facelab data get lfw",
        "original": "facelab data get lfw --from lfw.tgz",
    }[variant]
    if not where.is_dir():
        return Row(name, "missing", where, 0, remedy)
    try:
        photos = lfw(home, variant)
    except DatasetError as error:
        return Row(name, str(error), where, 0, remedy)
    return Row(name, "ok", where, sum(path.stat().st_size for path in photos.paths), "")


def _list(home: str | PathLike | None, protocol: str, file: str, remedy: str) -> Row:
    name, where = f"pairs, {protocol}", folder_of_lfw(home) / file
    if not where.is_file():
        return Row(name, "missing", where, 0, remedy)
    try:
        lfw_pairs(protocol, home)
    except DatasetError as error:
        return Row(name, str(error), where, 0, remedy)
    return Row(name, "ok", where, where.stat().st_size, "")
