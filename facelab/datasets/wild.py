"""Labeled Faces in the Wild: 13,233 press photos of 5,749 people (Huang et al., 2007), brought and listed.

Three variants go by that name, and figures differ between them, so it is always said which one is in use:

- original      as they were found, cut to 250×250 around the face (lfw.tgz)
- funneled      turned and shifted by congealing (lfw-funneled.tgz)
- deepfunneled  the same with learnt features (lfw-deepfunneled.tgz)

`get_lfw` downloads the original or the funneled one from the mirror that scikit-learn publishes, with
scikit-learn's checksums, or takes a local archive of any variant.
"""

import contextlib
import errno
import functools
import gzip
import hashlib
import json
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from facelab.datasets import fglfw
from facelab.datasets.photos import PhotoSet
from facelab.datasets.protocols import PROTOCOLS, Pairs, folder_of_lfw, lfw_pairs, parse_fglfw
from facelab.errors import DatasetError

VARIANTS = {"deepfunneled": "lfw-deepfunneled", "funneled": "lfw_funneled", "original": "lfw"}
"""Variant → the folder inside its archive. Where several are there, the first in this order is used."""

PHOTOS, PEOPLE = 13_233, 5_749

DEEPFUNNELED_SHA256 = "34ae03e627649067a32b9aabac86350265d6fdeab4e82643f2732e08eab5cc66"
"""Of the archive that this project's figures were measured on; scikit-learn has no checksum for this
variant."""

MOST_BYTES = 2**20  # one photo; the largest of the deepfunneled ones takes 16 kB
MOST_OTHER_BYTES = 2**24  # anything else in the archive, which is passed over
MOST_MEMBERS = 2 * (PHOTOS + PEOPLE)
MOST_IN_ALL = 2**30  # of everything unpacked: five times what LFW takes

_MEMBER = re.compile(r"(?:\./)?(lfw|lfw_funneled|lfw-deepfunneled)/([\w'.-]+)/(\2_(\d{4})\.jpg)", re.ASCII)
_INFO = "facelab.json"


@dataclass(frozen=True, eq=False)
class LFW(PhotoSet):
    """LFW's photos, listed (none is opened); everything else as in PhotoSet.

    variant  "original", "funneled" or "deepfunneled"
    archive  the file name of the archive they came from
    sha256   that archive's
    known    whether that is a checksum we know (scikit-learn's, or the one this project's figures are from)
    """

    variant: str = ""
    archive: str = ""
    sha256: str = ""
    known: bool = False

    def __str__(self) -> str:
        lists = [name for name, file in PROTOCOLS.items() if (self.root.parent / file).is_file()]
        return (
            f"LFW, {self.variant}: {len(self):,} photos of {len(self.names):,} people in {self.root}; "
            "pair lists: "
            f"{', '.join(lists) or 'none (put pairs.txt beside the archive, or run `facelab data get lfw`)'}"
            + ("" if self.known else f"; its archive {self.archive} has a checksum we do not know")
        )

    def pairs(self, protocol: str = "lfw") -> Pairs:
        """The protocol's pairs, as `lfw_pairs` gives them."""
        return lfw_pairs(protocol, home=self.root.parent.parent)


def lfw(home: str | PathLike | None = None, variant: str | None = None) -> LFW:
    """The photos that `facelab data get lfw` brought.

    home     the folder that `get_lfw` was given; None: facelab's own (`FACELAB_HOME`)
    variant  None: whichever is there, deepfunneled before funneled before original

    Raises DatasetError when they are not there, or not all.
    """
    if variant is not None and variant not in VARIANTS:
        raise DatasetError(f"variant={variant!r}: LFW has {', '.join(VARIANTS)}.")
    folder = folder_of_lfw(home)
    for candidate in [variant] if variant else VARIANTS:
        if (folder / candidate).is_dir():
            return _listed(folder / candidate, candidate)
    raise DatasetError(
        f"LFW{f' ({variant})' if variant else ''} is not in {folder}. Run `facelab data get lfw` (about "
        "240 MB), or `facelab data get lfw --from FILE` with an archive of yours. "
        "`fl.datasets.lfw_templates()` works "
        "without."
    )


def _by_name(path: Path) -> str:
    """The same order on every system: paths themselves compare without case on Windows."""
    return path.name


def _listed(root: Path, variant: str) -> LFW:
    names: list[str] = []
    paths: list[Path] = []
    identity: list[int] = []
    for person in sorted((entry for entry in root.iterdir() if entry.is_dir()), key=_by_name):
        photos = sorted(person.glob("*.jpg"), key=_by_name)
        if photos:
            paths += photos
            identity += [len(names)] * len(photos)
            names.append(person.name)
    if len(paths) != PHOTOS or len(names) != PEOPLE:
        raise DatasetError(
            f"{root} holds {len(paths):,} photos of {len(names):,} people, and LFW has {PHOTOS:,} of "
            f"{PEOPLE:,}: delete that folder and run `facelab data get lfw` again."
        )
    try:
        number = [int(photo.stem[-4:]) for photo in paths]
        info = json.loads((root / _INFO).read_text(encoding="utf-8"))
        archive, sha256, known = info["archive"], info["sha256"], info["known"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{root} is damaged ({type(error).__name__}: {error}): delete that folder and run `facelab data "
            "get lfw` again."
        ) from error
    return LFW(
        root=root,
        names=tuple(names),
        paths=tuple(paths),
        identity=np.array(identity),
        number=np.array(number),
        variant=variant,
        archive=archive,
        sha256=sha256,
        known=known,
    )


# ---------------------------------------------------------------------------- bringing it


def get_lfw(
    from_file: str | PathLike | None = None,
    progress: bool = True,
    *,
    home: str | PathLike | None = None,
    variant: str = "funneled",
) -> LFW:
    """Bring LFW: by download, or from a local archive. What is there already is left as it is.

    from_file  lfw.tgz, lfw-funneled.tgz or lfw-deepfunneled.tgz; which it is shows inside. Lists of pairs
               that lie beside it (pairs.txt, pairsDevTest.txt, pairsDevTrain.txt) are taken along; nothing
               is downloaded.
    progress   show a bar on standard error
    home       where to, instead of facelab's own folder (`FACELAB_HOME`); `lfw(home)` finds it there
    variant    what to download, "funneled" or "original" (scikit-learn mirrors no other)

    Photos are unpacked beside their place and moved there when all 13,233 are there: an interrupted run
    leaves nothing half done. Raises DatasetError: archive or list missing, wrong, truncated or hostile;
    disk full; no network; another process at the same work.
    """
    folder = folder_of_lfw(home)
    with _alone(folder):
        for rest in folder.glob(".partial-*"):  # what a killed run left
            shutil.rmtree(rest, ignore_errors=True)
        if from_file is None:
            _download(folder, variant, progress)
        else:
            variant = _take(Path(from_file).expanduser(), folder, progress)
    return _listed(folder / variant, variant)


def get_fglfw(from_file: str | PathLike, *, home: str | PathLike | None = None) -> Pairs:
    """Take FGLFW's official list, once it is found to be that: `lfw_pairs("fglfw")` reads it from then on.

    Raises DatasetError, naming the line, for another list; then nothing is changed.
    """
    source, folder = Path(from_file).expanduser(), folder_of_lfw(home)
    try:
        with open(source, "rb") as file:
            content = file.read(fglfw.MOST_BYTES + 1)
    except OSError as error:
        raise DatasetError(
            f"{source} cannot be read ({error.strerror}). Give FGLFW's list of pairs."
        ) from error
    if len(content) > fglfw.MOST_BYTES:
        raise DatasetError(f"{source} is larger than any list of 6,000 pairs: give FGLFW's list of pairs.")
    pairs = parse_fglfw(content.decode("utf-8", "replace"), source)
    with _alone(folder):
        _put(folder / fglfw.FILE_NAME, content)
    return pairs


@functools.cache
def _published() -> dict[str, Any]:
    """scikit-learn's file name, url and checksum of each file, by our names: variants, and lists of pairs."""
    from sklearn.datasets import _lfw

    lists = {target.filename: target for target in _lfw.TARGETS}
    return {"original": _lfw.ARCHIVE, "funneled": _lfw.FUNNELED_ARCHIVE} | lists


def _download(folder: Path, variant: str, progress: bool) -> None:
    from facelab.download import fetch

    if variant not in ("original", "funneled"):
        raise DatasetError(
            f"variant={variant!r} cannot be downloaded (scikit-learn mirrors the original and the funneled "
            "photos): give an archive of yours, `facelab data get lfw --from FILE`."
        )
    for name in PROTOCOLS.values():
        if not (folder / name).is_file():
            remote = _published()[name]
            fetch(remote.url, folder / name, remote.checksum, progress=progress, error=DatasetError)
    if not _complete(folder / variant):
        remote = _published()[variant]
        archive = folder / remote.filename
        fetch(remote.url, archive, remote.checksum, progress=progress, error=DatasetError)
        _unpack(archive, folder, variant, progress)
        archive.unlink()


def _take(archive: Path, folder: Path, progress: bool) -> str:
    """Photos and lists from a local archive and its neighbours; returns the variant."""
    if not archive.is_file():
        what = "is a folder" if archive.is_dir() else "there is no such file"
        raise DatasetError(f"{archive}: {what}. Give lfw.tgz, lfw-funneled.tgz or lfw-deepfunneled.tgz.")
    for name in PROTOCOLS.values():
        source = archive.with_name(name)
        if source.is_file() and not (folder / name).is_file():
            content = source.read_bytes()
            if hashlib.sha256(content).hexdigest() != _published()[name].checksum:
                raise DatasetError(
                    f"{source} is not LFW's list (its SHA-256 is not the published one): replace it or "
                    "take it away."
                )
            _put(folder / name, content)
    variant = _variant_of(archive)
    if not _complete(folder / variant):
        _unpack(archive, folder, variant, progress)
    return variant


def _complete(root: Path) -> bool:
    return (root / _INFO).is_file() and sum(1 for _ in root.glob("*/*.jpg")) == PHOTOS


def _variant_of(archive: Path) -> str:
    """Which variant the archive is, by the folder of its first photo."""
    with _reading(archive) as (tar, _):
        for member in _members(archive, tar):
            if photo := _MEMBER.fullmatch(member.name):
                return next(variant for variant, inside in VARIANTS.items() if inside == photo[1])
    raise DatasetError(
        f"{archive} holds no photo of LFW (such as lfw/Name/Name_0001.jpg): it is another archive. "
        "Give lfw.tgz, lfw-funneled.tgz or lfw-deepfunneled.tgz."
    )


def _unpack(archive: Path, folder: Path, variant: str, progress: bool) -> None:
    """The archive's photos into folder/variant, all or none."""
    from tqdm.auto import tqdm

    staging = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    photos, count = staging / "photos", 0
    try:
        with (
            tqdm(total=PHOTOS, unit="photo", desc=f"unpacking {archive.name}", disable=not progress) as bar,
            _reading(archive) as (tar, rest),
        ):
            for member in _members(archive, tar):
                photo = _MEMBER.fullmatch(member.name)
                if photo and photo[1] == VARIANTS[variant] and (content := tar.extractfile(member)):
                    _write_photo(archive, content.read(), photos / photo[2], photo[3])
                    count += 1
                    bar.update()
            while rest.read(MOST_BYTES):  # to the end, where gzip's checksum over everything is
                if rest.tell() > MOST_IN_ALL:
                    raise DatasetError(f"{archive} unpacks to far more than LFW: not unpacked.")
        if count != PHOTOS:
            raise DatasetError(
                f"{archive} holds {count:,} photos, and LFW has {PHOTOS:,}: it is truncated, or another "
                "archive."
            )
        (photos / _INFO).write_text(json.dumps(_provenance(archive)), encoding="utf-8")
        if (folder / variant).exists():  # incomplete, or it would not be unpacked again
            (folder / variant).rename(staging / "before")
        photos.rename(folder / variant)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _members(archive: Path, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The archive's files and folders as they stream by; none that could do harm, nor many more than LFW
    has."""
    total = 0
    for count, member in enumerate(tar, start=1):
        total += member.size
        tarfile.data_filter(member, str(archive.parent))  # raises for whatever leads outside, and for devices
        if not (member.isreg() or member.isdir()):
            raise DatasetError(f"{archive} holds {member.name!r}, neither a file nor a folder: not unpacked.")
        most = MOST_BYTES if _MEMBER.fullmatch(member.name) else MOST_OTHER_BYTES
        if member.size > most or count > MOST_MEMBERS or total > MOST_IN_ALL:
            raise DatasetError(f"{archive} holds more than LFW does (at {member.name!r}): not unpacked.")
        yield member


def _provenance(archive: Path) -> dict:
    with open(archive, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    published = {_published()[variant].checksum for variant in ("original", "funneled")}
    return {"archive": archive.name, "sha256": sha256, "known": sha256 in published | {DEEPFUNNELED_SHA256}}


@contextlib.contextmanager
def _reading(archive: Path) -> Iterator[tuple[tarfile.TarFile, gzip.GzipFile]]:
    """The archive opened as a stream; what a bad one makes gzip and tarfile raise, as a DatasetError."""
    try:
        with gzip.open(archive) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
            yield tar, unzipped
    except tarfile.FilterError as error:
        raise DatasetError(f"{archive} is not to be trusted: {error}. Nothing was unpacked.") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the archive
        raise DatasetError(
            f"{archive} is truncated, damaged or not a .tgz archive ({error}): get it again. "
            "Nothing was unpacked."
        ) from error


def _write_photo(archive: Path, content: bytes, person: Path, name: str) -> None:
    if not content.startswith(b"\xff\xd8"):
        raise DatasetError(f"{archive}: {name} in it is not a JPEG. Get the archive again.")
    person.mkdir(parents=True, exist_ok=True)
    try:
        with open(person / name, "xb") as file:
            file.write(content)
    except FileExistsError:
        raise DatasetError(f"{archive} holds {name} twice: it is not LFW's archive.") from None


def _put(file: Path, content: bytes) -> None:
    """A small file, whole or not there."""
    part = file.with_name(f".partial-{file.name}")
    part.write_bytes(content)
    part.replace(file)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """LFW's folder, made where it is not there, for one process at a time; another is told so at once."""
    import filelock

    lock = filelock.FileLock(folder / ".lock")
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise DatasetError(
                f"Another process is just bringing LFW to {folder}: wait until it is done."
            ) from None
        try:
            yield
        finally:
            lock.release()


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """A disk that is full, or that may not be written to, said in one line."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "the disk is full. LFW takes about 250 MB, and a downloaded archive as much again"
        raise DatasetError(
            f"LFW cannot be put into {folder}: {reason}. FACELAB_HOME chooses another place."
        ) from error
