"""One writer at a time. Who holds the lock is written into it, for whoever finds it taken.

The system lets go of the lock when the process that holds it ends, however it ends.
"""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from facelab.errors import GalleryError


class WriterLock:
    """`NAME.lock` beside the gallery, held until `release`.

    Raises GalleryError when another writer has it.
    """

    def __init__(self, path: Path, timeout: float):
        import filelock

        file = path.with_name(path.name + ".lock")
        self._lock = filelock.FileLock(file, mode=0o600)
        try:
            self._lock.acquire(timeout=timeout)
        except filelock.Timeout as error:
            raise GalleryError(
                f"{path}: {_holder(file)} is writing to it, and a gallery has one writer at a time. Wait "
                "until it is closed there, or read it with mode='r'."
            ) from error
        except OSError as error:
            raise GalleryError(
                f"{path}: cannot be locked for writing ({error.strerror or error}). Is its folder there and "
                "writable? mode='r' only reads."
            ) from error
        with suppress(OSError):  # a full disk: the lock holds all the same, it just cannot say whose it is
            file.write_text(
                json.dumps(
                    {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%F %T")}
                )
            )

    def release(self) -> None:
        self._lock.release()


def _holder(file: Path) -> str:
    try:
        holder = json.loads(file.read_text())
        return f"process {holder['pid']} on {holder['host']} (since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
