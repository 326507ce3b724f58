"""Every face of many photos in one file, by one process or by a cluster, whoever dies when.

The photos, in order, are cut into parts (`facelab.parts`). A part is embedded by `embed_part` and written as
a small file; who does it makes no difference, and doing it twice makes none either. When all are there they
become one file. So after an interruption, a power cut or the death of a worker the same call goes on, nothing
is lost but the parts that were in hand, and nothing is in the file twice.

Without an engine, this process works. `Ray` is Ray Data (`pip install 'facelab[ray]'`): each worker is an
actor that keeps a `Pipeline`; Ray starts another where one dies, and gives it the part again. Without an
address Ray starts a cluster on this machine; with one, all machines must see photos and target under the same
paths.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from facelab import embeddings_file
from facelab.decoding import sources
from facelab.embeddings_file import Written
from facelab.errors import FacelabError
from facelab.parts import Parts, key_of
from facelab.pipeline import Pipeline
from facelab.results import Result

PART = 128
"""Photos in a part: what a death may cost."""

FATAL = 2
"""A photo in hand at so many deaths is not read again."""


@dataclass(frozen=True)
class Ray:
    """Where Ray works.

    address  of a cluster that is there ("auto", "ray://…"); None: what RAY_ADDRESS says, or this machine
    workers  how many pipelines, each with one CPU, or one GPU; None: as many as the cluster has
    """

    address: str | None = None
    workers: int | None = None


def embed_photos(
    photos: str | PathLike | Sequence[str | PathLike],
    target: str | PathLike,
    pipe: Pipeline,
    engine: Ray | None = None,
    *,
    part: int = PART,
    progress: bool | None = None,
) -> Written:
    """Every face of the photos into `target` (`facelab.embeddings_file`), which is there whole or not at all.

    photos    a folder, or paths
    pipe      what embeds; the workers of an engine build theirs from `pipe.options`
    engine    None: this process; Ray(…): a cluster
    progress  a bar on standard error; None means: only in a terminal or a notebook

    Raises FacelabError where the target cannot be written, or another process is at work on it, or Ray is
    missing. What was done lies in TARGET.parts/, and the same call goes on with it.
    """
    target = Path(target)
    if target.is_dir():
        raise FacelabError(f"{target}: is a folder. Give the name of the file to write.")
    if not target.absolute().parent.is_dir():
        raise FacelabError(f"{target}: there is no folder {target.parent}. Make it first.")
    paths = [os.fspath(path) for path in sources(photos)]  # type: ignore[arg-type]
    if not paths:
        raise FacelabError(f"{target}: not written, as there was no photo to embed.")
    choices = {name: pipe.options[name] for name in ("faces", "half", "min_score")}
    shared = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
    key = key_of(paths, shared, f"{pipe.config} {choices}")
    parts = Parts(target, key, len(paths), part, ".h5")
    try:
        with parts.held():
            _fill(parts, paths, pipe, engine, progress)
            written = embeddings_file.join([parts.path(start) for start in parts.starts], target, pipe)
        parts.remove()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise FacelabError(
            f"{target}: cannot be written ({reason}). Is the folder there, writable, and the disk not full? "
            f"The same command goes on with the {parts.done()} photos in {parts.folder}."
        ) from error
    return written


def _fill(parts: Parts, paths: list[str], pipe: Pipeline, engine: Ray | None, progress: bool | None) -> None:
    from tqdm.auto import tqdm

    missing, left_out = parts.missing(), 0
    bar = tqdm(total=len(paths), initial=parts.done(), unit="photo",
               disable=None if progress is None else not progress)  # fmt: skip

    def say(done: int, working: int) -> None:
        waiting = max(0, len(missing) - done - working)
        bar.set_postfix_str(f"parts at work {working}, waiting {waiting}; without a vector {left_out}")

    with bar:
        if engine is not None:
            from facelab.bulk_ray import work

            for done, (photos, failed, workers) in enumerate(work(parts, missing, paths, pipe, engine), 1):
                left_out += failed
                say(done, min(workers, len(missing) - done))
                bar.update(photos)
            return
        for done, start in enumerate(missing):
            say(done, 1)
            some = [paths[row] for row in parts.rows(start)]
            left_out += len(embed_part(pipe, some, parts.path(start), bar.update).failed)


def embed_part(
    pipe: Pipeline, paths: Sequence[str], target: Path, seen: Callable[[int], Any] = lambda _: None
) -> Written:
    """Embed some photos into a file of their own. `seen` is called with 1 after each photo.

    A photo that ends the process that reads it (a decoder's crash, memory) would end every process that comes
    after. So a file beside says what was in hand: after a death the photos are taken one at a time, and one
    that was in hand at two deaths is left out with an error.
    """
    log = target.with_suffix(".tries")
    deaths, suspects = _deaths(log)
    fatal = {row for row in suspects if suspects[row] >= FATAL}

    def results() -> Iterator[Result]:
        for row, path in enumerate(paths):
            if row in fatal:
                reason = f"{path}: left out, the process that read it ended {FATAL} times."
                yield pipe.nothing(path, FacelabError(reason))
            else:
                note(f"{row}\n")
                yield pipe.one(path)
            seen(1)

    def quick() -> Iterator[Result]:
        for result in pipe(paths, progress=False):
            yield result
            seen(1)

    with open(log, "a", buffering=1) as stream:
        note = stream.write
        note(f"begin {os.getpid()}\n")
        try:
            written = embeddings_file.write(results() if deaths else quick(), target, pipe)
        finally:  # whoever gets as far as here did not die
            log.unlink(missing_ok=True)
    return written


def _deaths(log: Path) -> tuple[int, dict[int, int]]:
    """How many processes died over a part, and at how many of these deaths each photo was in hand."""
    try:
        lines = log.read_text().splitlines()
    except FileNotFoundError:
        return 0, {}
    ends = [*[row for row, line in enumerate(lines) if line.startswith("begin")][1:], len(lines)]
    last = [lines[end - 1] for end in ends]
    suspects: dict[int, int] = {}
    for line in last:
        if line.isdigit():
            suspects[int(line)] = suspects.get(int(line), 0) + 1
    return len(last), suspects
