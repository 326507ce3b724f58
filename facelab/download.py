"""Files from the network: checked, gone on with where they stopped, never waited for without end.

pooch fetches: beside the target, moved into place when whole, tried again after a bad connection. It gets its
bytes from the downloader below, which checks the hash and adds what a class on a bad network needs:

- What has arrived waits in `NAME.part` beside the target, and where the file's SHA-256 is known the next
  call goes on from there (HTTP Range, RFC 9110 §14): the hash tells whether the halves belong together.
- Whenever `timeout` seconds pass without an answer, or without 64 KiB more (or the end), the attempt has
  failed. So a server that sends one byte a second fails too.
- Nothing larger than `size`, or `max_bytes` where the size is not known, is ever written.
- Two processes that want the same file take turns.
"""

import errno
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelab.errors import FacelabError, WeightsError

BLOCK = 64 * 1024
"""Bytes that must arrive within each `timeout`."""

_RETRIED = {408, 416, 425, 429, 500, 502, 503, 504}
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
    error: type[FacelabError] = WeightsError,
    remedy: str = "Check the network and run the same command again: it goes on where it stopped.",
) -> Path:
    """Downloads `url` (http or https) to `target` and returns that path.

    A target that is there with the given SHA-256 is returned at once; the network is not asked. Without a
    SHA-256 it is fetched anew. At any instant the target is absent, what it was, or whole.

    sha256      64 hexadecimal digits, or None to check nothing but the length.
    size        bytes of the whole file, where that is known.
    max_bytes   the most that is accepted where `size` is None.
    timeout     seconds; the module docstring states the stall rule.
    attempts    how often it is tried in all, with pauses of 1, 2, 3 … seconds.
    error       class of the error that is raised.
    remedy      what the user can do, said at the end of the message.

    Raises `error` with the URL, what happened, and the remedy.
    """
    import filelock
    import pooch
    import requests

    target = Path(target)
    downloader = _Downloader(target, sha256 and sha256.lower(), size, max_bytes, timeout, progress)
    try:
        if not url.startswith(("http://", "https://")):
            raise _Final("the address must begin with https:// or http://.")
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(target.with_name(target.name + ".lock"))
        with lock.acquire(timeout=20 * timeout):
            if downloader.sha256 is None or not target.is_file() or sha256_of(target) != downloader.sha256:
                fresh = target.with_name(target.name + ".new")
                fresh.unlink(missing_ok=True)  # pooch takes what is there and has no hash for good
                pooch.get_logger().setLevel("WARNING")  # the bar says what happens; addresses hold passwords
                store = pooch.create(
                    path=target.parent,
                    base_url="",
                    registry={fresh.name: None},  # the downloader checks the hash, once
                    urls={fresh.name: url},
                    retry_if_failed=attempts - 1,
                )
                store.fetch(fresh.name, downloader=downloader)
                os.replace(fresh, target)
        return target
    except _Final as problem:
        what = str(problem)
    except filelock.Timeout as problem:
        what = f"another process has been fetching it for a long time (it holds {problem.lock_file})."
    except requests.TooManyRedirects:
        what = "the server leads round in circles."
    except (_Again, requests.RequestException) as problem:
        kept = f"; {downloader.have():,} bytes are kept in {downloader.part}" if downloader.have() else ""
        reason = problem if isinstance(problem, _Again) else f"the connection failed ({_innermost(problem)})"
        what = f"{reason} (tried {attempts} times{kept})."
    except OSError as problem:
        what = downloader.disk_problem(problem)
    raise error(f"the download of {_without_password(url)} to {target} failed: {what} {remedy}")


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    import pooch

    return pooch.file_hash(path, alg="sha256")


class _Final(Exception):
    """The download has failed, and another attempt would fail in the same way."""


class _Again(ValueError):
    """An attempt has failed in a way that the next one may not: pooch tries again after a ValueError."""


@dataclass
class _Downloader:
    """What pooch calls with an address and the name of a temporary file to fill."""

    target: Path
    sha256: str | None
    size: int | None
    max_bytes: int
    timeout: float
    progress: bool

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    def have(self) -> int:
        """Bytes that have arrived."""
        return self.part.stat().st_size if self.part.exists() else 0

    def disk_problem(self, problem: OSError) -> str:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"the disk is full. Make room; {self.part} is kept."
        where = problem.filename or self.target
        return f"{where} cannot be written ({problem.strerror or problem}); check the folder's permissions."

    def __call__(self, url: str, output_file: str, _) -> None:
        have = self.have() if self.sha256 else 0
        if self.size is None or have != self.size:
            have = self.receive(url, have)
        if self.sha256 and (found := sha256_of(self.part)) != self.sha256:
            size = self.have()
            self.part.unlink()
            problem = (
                f"what arrived ({size:,} bytes) has the SHA-256 {found}, expected is {self.sha256}: it is "
                "damaged or another file, and was deleted"
            )
            raise _Again(problem) if have else _Final(f"{problem}.")  # two files' halves, or the wrong file
        os.replace(self.part, output_file)

    def receive(self, url: str, have: int) -> int:
        """Brings `part` to its full length. Returns how much of it was there before."""
        import requests
        from tqdm import tqdm

        headers = {"Accept-Encoding": "identity", "User-Agent": "facelab"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with _within(
            self.timeout, lambda: requests.get(url, headers=headers, stream=True, timeout=self.timeout)
        ) as response:
            start, total = self.judge(response, have)
            bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, disable=not self.progress)
            with bar, open(self.part, "ab" if start else "wb") as file:
                arrived = start
                for block in self.blocks(response):
                    arrived += len(block)
                    if arrived > self.limit:
                        break
                    file.write(block)
                    bar.update(len(block))
        if arrived > self.limit:
            self.part.unlink()
            raise _Final(f"the server sends more than it should; {self.expected}.")
        whole = total if self.size is None else self.size
        if whole is not None and arrived < whole:
            raise _Again(f"the server stopped after {arrived:,} of {whole:,} bytes")
        return start

    @property
    def limit(self) -> int:
        return self.max_bytes if self.size is None else self.size

    @property
    def expected(self) -> str:
        return f"at most {self.limit:,} are accepted" if self.size is None else f"{self.size:,} are expected"

    def judge(self, response: Any, have: int) -> tuple[int, int | None]:
        """The server's answer → where its bytes begin in the file, and the file's length if it is told."""
        places = [answer.url for answer in (*response.history, response)]
        if places[0].startswith("https:") and not all(place.startswith("https:") for place in places):
            raise _Final("the server leads from https to http, where anybody on the way can change the file.")
        packed = response.headers.get("Content-Encoding", "identity")
        if packed != "identity":
            raise _Final(f"the server sends the file packed ({packed}) although it was asked not to.")
        start, length = 0, response.headers.get("Content-Length")
        if response.status_code == 206:
            found = re.fullmatch(r"bytes (\d+)-\d+/\d+", response.headers.get("Content-Range", ""))
            start = int(found[1]) if found else -1
        if response.status_code not in (200, 206) or start != (have if response.status_code == 206 else 0):
            problem = f"the server answered {response.status_code} {response.reason}".rstrip()
            if response.status_code in (206, 416):  # another part than was asked for, or none: begin anew
                self.part.unlink()
            elif response.status_code not in _RETRIED:
                raise _Final(f"{problem}.")
            raise _Again(problem)
        total = start + int(length) if length and length.isdecimal() else None
        if total is not None and (total > self.limit or self.size not in (None, total)):
            raise _Final(f"the server's file has {total:,} bytes; {self.expected}.")
        if total is None and self.size is None and self.sha256 is None:
            raise _Final("the server does not say how long the file is, so its end could not be told.")
        return start, total

    def blocks(self, response: Any) -> Iterator[bytes]:
        """The body as it comes, as long as at least BLOCK bytes come in each `timeout`."""
        import urllib3

        since, count = time.monotonic(), 0
        try:
            while block := response.raw.read1(BLOCK):
                yield block
                count += len(block)
                if count >= BLOCK:
                    since, count = time.monotonic(), 0
                elif time.monotonic() - since > self.timeout:
                    raise _Again(f"less than 64 KiB came within {self.timeout:g} seconds")
        except urllib3.exceptions.TimeoutError as error:
            raise _Again(f"less than 64 KiB came within {self.timeout:g} seconds") from error
        except urllib3.exceptions.HTTPError as error:
            raise _Again(f"the connection failed ({_innermost(error)})") from error


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """What `call` gives, in a thread that is left behind when it takes longer: a time limit on a socket
    starts afresh with every byte, and a server may send its answer's head a byte at a time."""

    given: queue.Queue = queue.Queue()

    def run() -> None:
        try:
            given.put((call(), None))
        except Exception as error:
            given.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        answer, error = given.get(timeout=seconds)
    except queue.Empty:
        raise _Again(f"no answer came within {seconds:g} seconds") from None
    if error is not None:
        raise error
    return answer


def _innermost(problem: BaseException) -> str:
    """What really happened: requests wraps urllib3's error, which wraps the socket's."""
    while inner := problem.__cause__ or problem.__context__:
        problem = inner
    return _without_password(f"{type(problem).__name__}: {problem}".rstrip(": "))


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", text)
