"""A folder of photos → an album's folder: whole, or not at all.

Everything is written into `.NAME.unfinished` beside the album, which is renamed at the end. Thumbnails
are written as the faces come, so memory does not grow with the number of photos.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from facelab import embeddings_file
from facelab.album.naming import FACES, OTHERS, numbered, thumbnail
from facelab.cluster import graph_clusters, neighbours
from facelab.errors import AlbumError, FacelabError
from facelab.images import name_of, walk_images
from facelab.pipeline import Pipeline
from facelab.results import Result

NEAREST = 64
"""Neighbours of each face that may become its edges. On LFW more made no difference (16 cost those with
many photos some)."""


def checked(photos: Path, album: Path) -> None:
    """Raises AlbumError where no album may be made of these photos in this place."""
    if not photos.is_dir():
        what = "is a file, not a folder" if photos.exists() else "does not exist"
        raise AlbumError(f"{name_of(photos)} {what}. Give the folder that holds the photos.")
    if next(walk_images(photos), None) is None:
        raise AlbumError(
            f"{name_of(photos)}: there is no photo in it. Give the folder that holds the photos."
        )
    inside, outside = album.resolve(), photos.resolve()
    if inside == outside or outside in inside.parents:
        raise AlbumError(
            f"{name_of(album)}: lies in the folder of the photos, where its thumbnails would pass for photos "
            "the next time. Give a place outside it."
        )
    if not album.parent.is_dir():
        raise AlbumError(f"{name_of(album)}: there is no folder {name_of(album.parent)}. Make it first.")
    if not os.path.lexists(album):
        return
    if not album.is_dir():
        raise AlbumError(f"{name_of(album)}: is a file. Give the name of a new folder.")
    if (album / FACES).exists():
        raise AlbumError(
            f"{name_of(album)}: is an album already, and making it anew would lose what was named, merged "
            "and split in it. Open it as it is (Album(folder)), give another name, or move it away first."
        )
    if some := next(album.iterdir(), None):
        raise AlbumError(
            f"{name_of(album)}: holds something else ({name_of(some.name)}). Give a new or an empty folder."
        )


def make(photos: Path, album: Path, pipe: Pipeline, threshold: float, progress: bool | None) -> None:
    """Find, embed and group the faces. `threshold` is a cosine distance.

    Raises AlbumError, and leaves nothing behind then.
    """
    checked(photos, album)
    unfinished = album.with_name(f".{album.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
        unfinished.mkdir(mode=0o700)
        names: list[str] = []
        results = _with_thumbnails(pipe(photos, progress), unfinished, names)
        written = embeddings_file.write(results, unfinished / FACES, pipe, grouped_at=float(threshold))
        if not names:
            reasons = [reason for _, reason in written.failed]
            more = f" … and {len(reasons) - 5} more" if len(reasons) > 5 else ""
            raise AlbumError(
                f"{name_of(photos)}: no face was found in its {written.photos} photos: "
                f"{' '.join(reasons[:5])}{more}"
            )
        _group(unfinished, names, 1 - threshold, progress)
        if album.exists():
            album.rmdir()  # it is empty; Windows renames onto nothing
        unfinished.rename(album)
    except (OSError, FacelabError) as error:
        raise _said(album, error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _said(album: Path, error: Exception) -> FacelabError:
    """The same error, without the name of a file that is no longer there."""
    if isinstance(error, AlbumError):
        return error
    cause = error.__cause__ if isinstance(error.__cause__, OSError | FacelabError) else error
    if isinstance(cause, OSError):
        return AlbumError(
            f"{name_of(album)}: cannot be written ({cause.strerror or cause}). Nothing was left behind. Is "
            "the folder writable, and the disk not full?"
        )
    return AlbumError(f"{name_of(album)}: not made. {cause}")


def _with_thumbnails(results: Iterable[Result], folder: Path, names: list[str]) -> Iterator[Result]:
    for result in results:
        path = embeddings_file.text_of(result.path)
        for crop in result.crops:
            names.append(thumbnail(len(names), path))
            _save(crop, folder / names[-1])
        yield result


def _save(crop: np.ndarray, target: Path) -> None:
    """For the owner only. Not brought to the disk one by one (a folder of 10,000 would take minutes):
    until the album is whole, nothing refers to it."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with open(descriptor, "wb") as file:
        Image.fromarray(crop).save(file, "JPEG", quality=92)


def _group(folder: Path, names: list[str], cosine: float, progress: bool | None) -> None:
    vectors = embeddings_file.read(folder / FACES).vectors
    labels = graph_clusters(*neighbours(vectors, NEAREST, progress=progress), cosine)
    counts = np.bincount(labels)
    several = int((counts > 1).sum())
    width = max(3, len(str(several)))
    folders = [folder / numbered(number, width) for number in range(1, several + 1)]
    if several < len(counts):
        folders.append(folder / OTHERS)
    for its in folders:
        its.mkdir(mode=0o700)
    for name, label in zip(names, np.minimum(labels, several).tolist(), strict=True):
        (folder / name).rename(folders[label] / name)
