"""Ray Data as the engine of `facelab.bulk`: parts go to actors that keep a pipeline, and come back as files.

What travels is paths and counts; vectors are written by whoever computed them. Ray restarts an actor that
died and hands its part out again, without end: `embed_part` sees to it that this ends.
"""

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facelab.errors import FacelabError
from facelab.parts import Parts
from facelab.pipeline import Pipeline

if TYPE_CHECKING:
    from facelab.bulk import Ray

WHERE = ("FACELAB_HOME", "PYTHONPATH")
"""Of this process' surroundings, what a worker needs."""


class Worker:
    """One pipeline in one actor. Ray builds it where it puts the actor."""

    def __init__(self, options: dict[str, Any], folder: str):
        os.chdir(folder)  # relative paths mean what they meant where the call was made
        self.pipe = Pipeline(**options)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[int]]:
        from facelab.bulk import embed_part

        counts: dict[str, list[int]] = {"photos": [], "failed": []}
        for paths, target in zip(batch["paths"], batch["target"], strict=True):
            written = embed_part(self.pipe, [os.fsdecode(path) for path in paths], Path(os.fsdecode(target)))
            counts["photos"].append(written.photos)
            counts["failed"].append(len(written.failed))
        return counts


def work(
    parts: Parts, missing: list[int], paths: list[str], pipe: Pipeline, engine: "Ray"
) -> Iterator[tuple[int, int, int]]:
    """Make the missing parts; after each: its photos, how many gave no vector, how many workers there are."""
    if not missing:
        return
    ray = _started(engine)
    try:
        gpu = pipe.options["device"] != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1
        has = int(ray.cluster_resources().get("GPU" if gpu else "CPU", 1))
        workers = min(engine.workers or max(1, has), len(missing))
        # As bytes: a file name need not be UTF-8, and Arrow insists on it.
        items = [
            {
                "paths": [os.fsencode(paths[row]) for row in parts.rows(start)],
                "target": os.fsencode(parts.path(start).absolute()),
            }
            for start in missing
        ]
        done = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            Worker,
            fn_constructor_args=[pipe.options, os.getcwd()],
            batch_size=1,
            concurrency=workers,
            num_gpus=1 if gpu else 0,
            num_cpus=1,
        )
        for row in done.iter_rows():
            yield int(row["photos"]), int(row["failed"]), workers
    except ray.exceptions.RayError as error:
        raise FacelabError(
            f"{parts.target}: Ray gave up ({_last_line(error)}). {parts.done()} photos are done and kept in "
            f"{parts.folder}; the same command goes on."
        ) from error
    finally:
        ray.shutdown()


def _started(engine: "Ray") -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise FacelabError("engine ray: Ray is not installed. Run: pip install 'facelab[ray]'") from error
    address = engine.address or os.environ.get("RAY_ADDRESS")
    if address and address != "auto":
        _somebody_listens(address)
    here: dict[str, Any] = {} if address else {"num_cpus": engine.workers, "include_dashboard": False}
    surroundings = {name: os.environ[name] for name in WHERE if name in os.environ}
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": surroundings},
            log_to_driver=False,
            logging_level=logging.ERROR,
            **here,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise FacelabError(
            f"engine ray: no cluster at {address or 'this machine'} ({_last_line(error)}). `ray status` "
            "there shows what runs; without --address one is started here."
        ) from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def _somebody_listens(address: str) -> None:
    """Ray itself would try for a quarter of an hour."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError, OverflowError) as error:
        raise FacelabError(
            f"engine ray: no cluster at {address} ({error}). `ray status` there shows what runs, and where; "
            "without --address one is started here."
        ) from error


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
