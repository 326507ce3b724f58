"""Freely licensed portraits, fetched on request: a list with source, licence, author and hash, and its files.

    facelab data get portraits --trust-first          the list that comes with facelab
    facelab data get portraits --from LIST.json       a list of one's own

A folder for each person, as `fl.datasets.folder` reads it, and `SOURCES.md` beside them, which says whose
they are. A file whose SHA-256 the list does not tell is fetched only with `trust_first`; its hash is written
down then, and another file at the same address is an error from then on.
"""

import json
import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from facelab.download import fetch, home, sha256_of
from facelab.errors import DatasetError, FacelabError
from facelab.images import read_image
from facelab.kept import write_atomically

LIST = Path(__file__).with_suffix(".json")
MOST_BYTES = 20_000_000
FIELDS = ("person", "title", "url", "author", "licence")


@dataclass(frozen=True)
class Portrait:
    """One entry of a list; sha256 None where it is not known."""

    person: str
    title: str
    url: str
    author: str
    licence: str
    sha256: str | None = None

    @property
    def file(self) -> Path:
        """Where it lies below the folder."""
        return Path(_safe(self.person)) / f"{_safe(self.title)}.jpg"


def _safe(text: str) -> str:
    return re.sub(r"[^\w' -]", "", text).strip(" .") or "unnamed"


def portrait_list(path: str | PathLike | None = None) -> list[Portrait]:
    """The entries of a list, of the one that comes with facelab if none is given.

    Raises DatasetError for a file that is no such list, or an entry that lacks its licence or author.
    """
    path = LIST if path is None else Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["portraits"]
        found = []
        for number, entry in enumerate(entries, 1):
            lacking = [field for field in FIELDS if not str(entry.get(field) or "").strip()]
            if lacking:
                raise DatasetError(f"{path}: entry {number} does not say its {', '.join(lacking)}.")
            sha256 = entry.get("sha256")
            if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
                raise DatasetError(f"{path}: entry {number}: sha256 is 64 hexadecimal digits, or null.")
            found.append(Portrait(**{field: str(entry[field]) for field in FIELDS}, sha256=sha256))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: there is no such list.") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f'{path}: no list of portraits ({error}). It is JSON: {{"portraits": [{{"person": …, "title": …, '
            '"url": …, "author": …, "licence": …, "sha256": …}]}.'
        ) from error
    return found


def folder_of_portraits() -> Path:
    return home() / "portraits"


def available() -> dict[str, list[Path]]:
    """Person → the portraits of that person that have been fetched."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder_of_portraits().glob("*/*.jpg")):
        found.setdefault(path.parent.name, []).append(path)
    return found


def get_portraits(
    source: str | PathLike | None = None, *, trust_first: bool = False, progress: bool = True
) -> tuple[list[Path], list[str]]:
    """Fetch the portraits of a list: those that are here now; for each that is not, a sentence on why.

    Raises DatasetError where the list is bad, or where hashes are missing and `trust_first` is not given.
    """
    entries, folder = portrait_list(source), folder_of_portraits()
    pinned = _pins(folder)
    unknown = [one for one in entries if one.sha256 is None and one.url not in pinned]
    if unknown and not trust_first:
        raise DatasetError(
            f"of {len(unknown)} of {len(entries)} portraits the SHA-256 is not known, so nobody can say "
            "whether what arrives is what was meant. To take what arrives first, and insist on it from then "
            "on: facelab data get portraits --trust-first."
        )
    here, problems = [], []
    for one in entries:
        target = folder / one.file
        sha256 = one.sha256 or pinned.get(one.url)
        try:
            fetch(
                one.url, target, sha256, max_bytes=MOST_BYTES, progress=progress, error=DatasetError,
                remedy="The others are not affected; run the command again for this one.",
            )  # fmt: skip
            read_image(target)
        except FacelabError as error:
            if target.is_file() and sha256 is None:
                target.unlink()  # a page that says "not found", say
            problems.append(f"{one.person}, {one.title}: {error}")
            continue
        if sha256 is None:
            pinned[one.url] = sha256_of(target)
            write_atomically(folder / "pins.json", json.dumps(pinned, indent=1).encode())
        here.append(target)
    if here:
        lines = [
            f"- {one.file.as_posix()}: {one.title}. {one.author}; {one.licence}. {one.url}"
            for one in entries
            if (folder / one.file).is_file()
        ]
        write_atomically(folder / "SOURCES.md", ("\n".join(["# Portraits", "", *lines]) + "\n").encode())
    return here, problems


def _pins(folder: Path) -> dict[str, str]:
    path = folder / "pins.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {str(url): str(sha256) for url, sha256 in kept.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path}: cannot be read ({error}). Delete it to fetch the portraits anew."
        ) from error
