"""Files from the network: checked, resumed where they stopped, never waited for without end.

`fetch` promises:

- The target is either absent, what it was before, or the whole file that was asked for; never half of it.
  What has arrived waits in `NAME.part` beside it, and the next call goes on from there (HTTP Range, RFC 9110
  §14) if the server's file has not changed since (If-Range with its ETag or date).
- With a SHA-256 the content is checked, without one only its length. `NAME.part` is deleted when it is proven
  wrong, and only then.
- Stall rule: whenever `timeout` seconds pass without an answer, or without 64 KiB more (or the end), the
  attempt has failed. So a server that sends one byte a second fails too. There are a few attempts, with
  growing pauses.
- Nothing larger than `size`, or `max_bytes` where the size is not known, is ever written.
- Two processes that want the same file take turns.
"""

import errno
import hashlib
import json
import os
import queue
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from facelab.errors import FacelabError, WeightsError

BLOCK = 64 * 1024
"""Bytes that must arrive within each `timeout`."""

_RETRIED = {408, 425, 429, 500, 502, 503, 504}
"""HTTP statuses that may be others the next time."""


def home() -> Path:
    """The folder in which facelab keeps what it fetches: `FACELAB_HOME`, else the user's cache folder.

    Raises FacelabError for a `~name` of nobody.
    """
    chosen = os.environ.get("FACELAB_HOME")
    if chosen:
        try:
            return Path(chosen).expanduser()
        except RuntimeError as error:
            raise FacelabError(f"FACELAB_HOME={chosen!r}: {error} Give a whole path.") from error
    import platformdirs

    return platformdirs.user_cache_path("facelab", appauthor=False)


def fetch(
    url: str,
    target: str | os.PathLike,
    sha256: str | None = None,
    size: int | None = None,
    *,
    max_bytes: int = 2 << 30,
    timeout: float = 30.0,
    progress: bool = True,
    attempts: int = 4,
    pause: float = 1.0,
    error: type[FacelabError] = WeightsError,
    remedy: str = "Check the network and run the same command again: it goes on where it stopped.",
) -> Path:
    """Downloads `url` (http or https) to `target` and returns that path.

    A target that has the given SHA-256 already is returned at once; the network is not asked.

    sha256      64 hexadecimal digits, or None to check nothing but the length.
    size        bytes of the whole file, where that is known.
    max_bytes   the most that is accepted where `size` is None.
    timeout     seconds; the module docstring states the stall rule.
    attempts    how often it is tried in all; before the second it waits `pause` seconds, then twice that, …
    error       class of the error that is raised.
    remedy      what the user can do, said at the end of the message.

    Raises `error` with the URL, what happened, and the remedy.
    """
    import filelock

    target = Path(target)
    download = _Download(url, target, sha256.lower() if sha256 else None, size, max_bytes, timeout, progress)
    try:
        if urlsplit(url).scheme not in ("http", "https"):
            raise _Final("the address must begin with https:// or http://.")
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(target.with_name(target.name + ".lock"))
        with lock.acquire(timeout=20 * timeout):
            if sha256 is None or not target.is_file() or sha256_of(target) != download.sha256:
                download.run(attempts, pause)
        return target
    except _Final as problem:
        what = str(problem)
    except filelock.Timeout as problem:
        what = f"another process has been fetching it for a long time (it holds {problem.lock_file})."
    except OSError as problem:
        what = download.disk_problem(problem)
    raise error(f"the download of {_without_password(url)} to {target} failed: {what} {remedy}")


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _without_password(url: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", url)


class _Final(Exception):
    """The download has failed, and another attempt would fail in the same way."""


class _Again(Exception):
    """An attempt has failed in a way that the next one may not."""


@dataclass
class _Head:
    """The head of the server's answer."""

    status: int
    reason: str
    headers: dict[str, str]  # names in small letters
    downgraded: bool  # whether https led to http

    @property
    def validator(self) -> str | None:
        """What If-Range may carry: a strong ETag, else the date of the file."""
        etag = self.headers.get("etag")
        return etag if etag and not etag.startswith("W/") else self.headers.get("last-modified")


@dataclass
class _Download:
    """One file on its way. The lock is held while any of these methods run."""

    url: str
    target: Path
    sha256: str | None
    size: int | None
    max_bytes: int
    timeout: float
    progress: bool

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def note(self) -> Path:
        """Where `part` came from: {"url": …, "validator": …}."""
        return self.target.with_name(self.target.name + ".part.json")

    @property
    def limit(self) -> int:
        return self.max_bytes if self.size is None else self.size

    def have(self) -> int:
        """Bytes that have arrived."""
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def disk_problem(self, problem: OSError) -> str:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"the disk is full. Make room; {self.part} is kept."
        where = problem.filename or self.target
        return f"{where} cannot be written ({problem.strerror or problem}); check the folder's permissions."

    def run(self, attempts: int, pause: float) -> None:
        for attempt in range(attempts):
            if attempt:
                time.sleep(pause * 2 ** (attempt - 1))
            try:
                resumed = self.receive()
                self.check(resumed)
            except _Again as problem:
                last = problem
            else:
                self.finish()
                return
        kept = f"; {self.have():,} bytes are kept in {self.part}" if self.have() else ""
        raise _Final(f"{last} (tried {attempts} times{kept}).")

    def receive(self) -> bool:
        """Brings `part` to its full length. Returns whether it was begun by an earlier attempt."""
        have, validator = self.resumable()
        if have and have == self.size:
            return True
        headers = {"Accept-Encoding": "identity", "User-Agent": "facelab"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if validator:
                headers["If-Range"] = validator
        with _Stream(self.url, headers, self.timeout) as stream:
            start, total = self.judge(stream.head, have, validator)
            if start == 0:  # before the note tells of the new file, the bytes of the old one must be gone
                self.part.unlink(missing_ok=True)
            note = {"url": self.url, "validator": stream.head.validator}
            self.note.write_text(json.dumps(note), encoding="utf-8")
            self.write(stream, start, total)
        return start > 0

    def resumable(self) -> tuple[int, str | None]:
        """How many bytes of `part` can be gone on from, and the validator they came with. Without a validator
        only the final hash can tell whether the server's file has changed in between."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            validator = note["validator"] if note["url"] == self.url else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            validator = None
        have = self.have()
        if have > self.limit or not (validator or self.sha256):
            return 0, None
        return have, validator

    def judge(self, head: _Head, have: int, validator: str | None) -> tuple[int, int | None]:
        """The server's answer → where its bytes begin in the file, and the file's length if it is told."""
        if head.downgraded:
            raise _Final("the server leads from https to http, where anybody on the way can change the file.")
        packed = head.headers.get("content-encoding", "identity")
        if packed != "identity":
            raise _Final(f"the server sends the file packed ({packed}) although it was asked not to.")
        length = head.headers.get("content-length", "")
        length = int(length) if length.isdecimal() else None
        if head.status == 200:
            start, total = 0, length
        elif head.status == 206:
            found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", head.headers.get("content-range", ""))
            start = int(found[1]) if found else -1
            total = int(found[3]) if found and found[3] != "*" else None
            if start != have or (validator and head.validator != validator):
                self.discard()
                raise _Again("the server sent another part, or a part of another file, than was asked for")
        elif head.status == 416:
            self.discard()
            raise _Again("the server's file is not longer than what was kept of it")
        else:
            problem = f"the server answered {head.status} {head.reason}".rstrip()
            raise _Again(problem) if head.status in _RETRIED else _Final(f"{problem}.")
        if total is not None and (total > self.limit or self.size not in (None, total)):
            raise _Final(f"the server's file has {total:,} bytes; {self.expected_size()}.")
        chunked = "transfer-encoding" in head.headers
        if (self.sha256, self.size, total) == (None, None, None) and not chunked:
            raise _Final("the server does not say how long the file is, so its end could not be told.")
        return start, total

    def expected_size(self) -> str:
        return f"at most {self.limit:,} are accepted" if self.size is None else f"{self.size:,} are expected"

    def write(self, stream: "_Stream", start: int, total: int | None) -> None:
        from tqdm import tqdm

        arrived = start
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, disable=not self.progress)
        with bar, open(self.part, "r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            for block in stream:
                arrived += len(block)
                if arrived > self.limit:
                    self.discard()
                    raise _Final(f"the server sends more than it should; {self.expected_size()}.")
                file.write(block)
                bar.update(len(block))
        whole = total if self.size is None else self.size
        if whole is not None and arrived < whole:
            raise _Again(f"the server stopped after {arrived:,} of {whole:,} bytes")

    def check(self, resumed: bool) -> None:
        if self.sha256 is None:
            return
        found = sha256_of(self.part)
        if found == self.sha256:
            return
        size = self.have()
        self.discard()
        problem = (
            f"what arrived ({size:,} bytes) has the SHA-256 {found}, expected is {self.sha256}: it is "
            "damaged or another file, and was deleted"
        )
        raise _Again(problem) if resumed else _Final(f"{problem}.")  # two files' halves?

    def finish(self) -> None:
        """`part` becomes the target: after a crash at any instant it is the old file or the new one."""
        with open(self.part, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(self.part, self.target)
        self.note.unlink(missing_ok=True)
        with suppress(OSError, AttributeError):  # Windows cannot open a folder, and needs not
            folder = os.open(self.target.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


class _Stream:
    """The head of a server's answer and the blocks of its body, each waited for no longer than `timeout`.

    The network is read in a thread of its own. A time limit on the socket would not do: every single byte
    starts it afresh, in the head of the answer as well as in the body. A thread that is stuck is left behind;
    it holds a socket, nothing else, and ends with the process at the latest.
    """

    def __init__(self, url: str, headers: dict[str, str], timeout: float):
        self.timeout = timeout
        self.ready: queue.Queue = queue.Queue(maxsize=16)
        self.left = threading.Event()
        threading.Thread(target=self._read, args=(url, headers), daemon=True).start()

    def __enter__(self) -> "_Stream":
        try:
            self.head: _Head = self._next("no answer")
        except BaseException:
            self.left.set()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.left.set()

    def __iter__(self):
        while block := self._next(f"less than {BLOCK // 1024} KiB"):
            yield block

    def _next(self, missing: str):
        try:
            item = self.ready.get(timeout=self.timeout)
        except queue.Empty:
            raise _Again(f"{missing} came within {self.timeout:g} seconds") from None
        if isinstance(item, Exception):
            raise item
        return item

    def _read(self, url: str, headers: dict[str, str]) -> None:
        import requests

        try:
            with requests.Session() as session:
                session.max_redirects = 5
                with session.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
                    places = [r.url for r in (*response.history, response)]
                    secure = [place.startswith("https:") for place in places]
                    self._put(
                        _Head(
                            response.status_code,
                            response.reason or "",
                            {name.lower(): value for name, value in response.headers.items()},
                            downgraded=any(secure) and not all(secure[secure.index(True) :]),
                        )
                    )
                    block = b"."
                    while block and not self.left.is_set():
                        block = response.raw.read(BLOCK, decode_content=False)
                        self._put(block)  # the last one, empty, says that this is the end
        except requests.exceptions.SSLError as problem:
            self._put(_Final(f"the server's certificate cannot be verified ({_innermost(problem)})."))
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as problem:
            self._put(_Final(f"the address cannot be used ({_innermost(problem)})."))
        except requests.exceptions.TooManyRedirects:
            self._put(_Final("the server leads round in circles (more than 5 redirects)."))
        except Exception as problem:  # whatever a network can do wrong may go right the next time
            self._put(_Again(f"the connection failed ({_innermost(problem)})"))

    def _put(self, item) -> None:
        """Waits until there is room, or until nobody wants the item any more."""
        while not self.left.is_set():
            with suppress(queue.Full):
                return self.ready.put(item, timeout=0.1)


def _innermost(problem: BaseException) -> str:
    """What really happened: requests wraps urllib3's error, which wraps the socket's."""
    while inner := problem.__cause__ or problem.__context__ or getattr(problem, "reason", None):
        if not isinstance(inner, BaseException):
            break
        problem = inner
    return f"{type(problem).__name__}: {problem}".rstrip(": ")
