"""What a learner has done, in a file of this machine: exercises solved, guesses made. It goes nowhere.

    FACELAB_COURSE     the file; "off" keeps nothing. Otherwise course.json in the user's data folder
    FACELAB_CLASS      a file that a whole class shares (a network drive, a hub): guesses go there too, each
                       under a number drawn by lot, without a name

Whoever cannot write there still can learn: a disk that is full or read-only is no error.
"""

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path

import filelock
import platformdirs

WAIT = 2.0
"""Seconds for which a file is waited that somebody else is writing."""


def path() -> Path | None:
    """The learner's file; None if nothing is to be kept."""
    chosen = os.environ.get("FACELAB_COURSE", "")
    if chosen == "off":
        return None
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_data_path("facelab", appauthor=False) / "course.json"


def class_path() -> Path | None:
    chosen = os.environ.get("FACELAB_CLASS", "")
    return Path(chosen).expanduser() if chosen else None


def read(file: Path | None) -> dict:
    """What a file holds; nothing where there is none, or where it is no such file."""
    if file is None:
        return {}
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def change(file: Path | None, how) -> bool:
    """`how(kept)` changes what the file holds. Whether it could be written; a file that is damaged is kept
    beside the new one, as ….damaged."""
    if file is None:
        return False
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{file}.lock", timeout=WAIT):
            kept = read(file)
            if not kept and file.exists() and file.stat().st_size:
                os.replace(file, f"{file}.damaged")
            how(kept)
            part = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
            try:
                part.write_text(json.dumps(kept, indent=1, sort_keys=True), encoding="utf-8")
                os.replace(part, file)
            finally:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
    except (OSError, filelock.Timeout):
        return False
    return True


# ---- exercises ---------------------------------------------------------------------------------------------


def solve(id: str) -> None:
    """An exercise was solved."""
    change(path(), lambda kept: kept.setdefault("solved", {}).update({id: True}))


def solved() -> set[str]:
    kept = read(path()).get("solved", {})
    return set(kept) if isinstance(kept, dict) else set()


# ---- guesses -----------------------------------------------------------------------------------------------


def guess(key: str, value: float) -> None:
    """A guess was made; another one of the same learner takes its place."""
    me: list[str] = []

    def own(kept: dict) -> None:
        me.append(kept.setdefault("drawn by lot", uuid.uuid4().hex))
        kept.setdefault("guesses", {})[key] = value

    if not change(path(), own):
        me = [uuid.uuid4().hex]
    change(class_path(), lambda kept: kept.setdefault(key, {}).update({me[0]: value}))


def own_guess(key: str) -> float | None:
    value = read(path()).get("guesses", {}).get(key)
    return float(value) if isinstance(value, int | float) else None


def class_guesses(key: str) -> list[float]:
    """Everybody's guesses, in no order."""
    values = read(class_path()).get(key, {})
    values = values.values() if isinstance(values, dict) else []
    return sorted(float(value) for value in values if isinstance(value, int | float))
