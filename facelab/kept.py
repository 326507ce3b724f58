"""Small JSON files that facelab keeps for the user: hashes that were pinned, calibrations that were measured.

They lie in facelab's home (`FACELAB_HOME`, else the user's cache folder). Processes that change one take
turns, and a reader sees the old content or the new one, never half of it.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from facelab.download import home
from facelab.errors import FacelabError


def place(name: str) -> Path:
    """Where the file of that name lies, or would."""
    return home() / name


def read(name: str) -> dict:
    """What the file holds; an empty dictionary when there is none. Raises FacelabError when it is damaged."""
    path = place(name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FacelabError(
            f"{path} cannot be read: {error.strerror or error}. Check the permissions, or set FACELAB_HOME "
            "to another folder."
        ) from error
    except ValueError as error:
        raise FacelabError(f"{path} is damaged ({error}). Repair it, or delete it.") from error
    if not isinstance(content, dict):
        raise FacelabError(f"{path} holds something else than facelab wrote. Delete it.")
    return content


def change(name: str, how: Callable[[dict], None]) -> None:
    """Let `how` alter what the file holds, and write it back. Raises FacelabError where that cannot be."""
    import filelock

    path = place(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_name(path.name + ".lock")).acquire(timeout=30):
            content = read(name)
            how(content)
            write_atomically(path, json.dumps(content, ensure_ascii=False).encode())
    except filelock.Timeout as error:
        raise FacelabError(f"{path}: another process has held it for half a minute. Try again.") from error
    except OSError as error:
        raise FacelabError(
            f"{path} cannot be written: {error.strerror or error}. Make room or check the permissions, or "
            "set FACELAB_HOME to another folder."
        ) from error


def write_atomically(target: Path, data: bytes) -> None:
    """The whole of it, brought to the disk, or nothing. Raises OSError."""
    beside = target.with_name(target.name + ".new")
    with open(beside, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(beside, target)
