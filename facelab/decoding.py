"""Photos decoded ahead of the device: by threads, in order, in batches bounded by number and by bytes."""

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facelab.errors import FacelabError, ImageError
from facelab.images import Source, name_of, read_image, walk_images

MEMORY_AHEAD = 256 * 2**20
"""Bytes of decoded photos kept waiting for the device, and bytes in one batch. Phone photos of 12 megapixels
come to 36 MB each, so memory is bounded by this and not by the number of photos."""


def sources(photos: str | PathLike | Iterable[Source]) -> Iterable[Source]:
    if isinstance(photos, str | PathLike):
        folder = Path(photos)
        if not folder.is_dir():
            raise ImageError(
                f"{folder}: not a folder. Give a folder of photos, or (in Python) a list of them."
            )
        return walk_images(folder)
    if isinstance(photos, np.ndarray | Tensor) and photos.ndim == 4:
        return photos
    if isinstance(photos, bytes | bytearray | np.ndarray | Tensor) or hasattr(photos, "read"):
        raise ImageError(  # these iterate over bytes, rows of pixels, lines
            f"{name_of(photos)} is one photo, and a pipeline takes many: give a list of photos, or call "
            ".one(photo)."
        )
    return photos


def read(photo: Source) -> np.ndarray | FacelabError:
    try:
        return read_image(photo)
    except FacelabError as error:
        return error


def batches(
    photos: Iterable[Source], batch_size: int, workers: int | None
) -> Iterator[list[tuple[Source, np.ndarray | FacelabError]]]:
    """Photos decoded by `workers` threads, in order, in batches bounded by number and by bytes."""
    batch, size = [], 0
    failed = None
    try:
        for source, photo in _decoded(photos, batch_size, workers):
            batch.append((source, photo))
            size += getattr(photo, "nbytes", 0)
            if len(batch) == batch_size or size >= MEMORY_AHEAD:
                yield batch
                batch, size = [], 0
    except Exception as error:  # whatever gave the photos: what it gave before comes first
        failed = error
    if batch:
        yield batch
    if failed is not None:
        raise failed


def _decoded(
    photos: Iterable[Source], ahead: int, workers: int | None
) -> Iterator[tuple[Source, np.ndarray | FacelabError]]:
    """(source, photo or error), in order, up to `ahead` photos and MEMORY_AHEAD bytes before they are needed.

    A thread that has decoded a photo keeps it to itself until there is room, unless that photo is the very
    next: that one never waits, so the queue cannot lock up behind a photo that arrived too early.

    When `photos` itself raises, what it gave before that comes first.

    The threads are daemons: a program that ends while it still holds a half-read stream must not wait for
    threads that wait for room (those of a ThreadPoolExecutor are joined at exit, for ever).
    """
    room = threading.Condition()
    state = {"next": 0, "bytes": 0, "stop": False}

    def decode(number: int, source: Source) -> np.ndarray | FacelabError:
        photo = read(source)
        size = getattr(photo, "nbytes", 0)
        with room:
            room.wait_for(
                lambda: state["stop"] or number == state["next"] or state["bytes"] + size <= MEMORY_AHEAD
            )
            state["bytes"] += size
        return photo

    def work() -> None:
        while (task := tasks.get()) is not None:
            number, source, future = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(decode(number, source))
                except BaseException as error:  # whoever asks for the photo gets it
                    future.set_exception(error)

    numbered = enumerate(photos)
    tasks: queue.SimpleQueue = queue.SimpleQueue()
    waiting: deque[tuple[Source, Future]] = deque()
    threads = [
        threading.Thread(target=work, name=f"facelab-decode-{k}", daemon=True)
        for k in range(workers or torch.get_num_threads())
    ]
    for thread in threads:
        thread.start()
    failed: Exception | None = None
    try:
        while True:
            while len(waiting) < ahead + 1 and failed is None:
                try:
                    number, source = next(numbered)
                except StopIteration:
                    break
                except Exception as error:
                    failed = error
                    break
                waiting.append((source, Future()))
                tasks.put((number, *waiting[-1]))
            if not waiting:
                if failed is not None:
                    raise failed
                return
            source, future = waiting.popleft()
            photo = future.result()
            with room:
                state["next"] += 1
                state["bytes"] -= getattr(photo, "nbytes", 0)
                room.notify_all()
            yield source, photo
    finally:  # also when the caller stops listening half-way
        with room:
            state["stop"] = True
            room.notify_all()
        for _, future in waiting:
            future.cancel()
        for _ in threads:
            tasks.put(None)
        for thread in threads:
            thread.join()


def upload(photos: list[np.ndarray], device: torch.device) -> list[Tensor]:
    """Photos of any sizes to the device in one copy; returns (H, W, 3) uint8 views of it."""
    if device.type == "cpu":
        return [torch.from_numpy(photo) for photo in photos]
    flat = torch.empty(
        sum(photo.size for photo in photos), dtype=torch.uint8, pin_memory=device.type == "cuda"
    )
    np.concatenate([photo.reshape(-1) for photo in photos] or [np.empty(0, np.uint8)], out=flat.numpy())
    parts = flat.to(device, non_blocking=True).split([photo.size for photo in photos])
    return [part.view(photo.shape) for part, photo in zip(parts, photos, strict=True)]
