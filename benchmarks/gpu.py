"""From JPEG to vector on a GPU: photos per second over LFW, and the share of each stage.

    python -m benchmarks.gpu                          # all of LFW, on the GPU
    python -m benchmarks.gpu --device cpu --limit 64  # the same code on a CPU, for a look

The first figure is the pipeline as users call it, decoding ahead of the device. The shares come from a second
pass in which every stage waits for the one before, so they add up to more time than the first.
"""

import argparse
import time
from collections import Counter
from itertools import islice

import torch

from benchmarks.common import report
from facelab.datasets import lfw
from facelab.images import read_image
from facelab.pipeline import Pipeline, _upload

STAGES = ("decode", "upload", "detect", "align", "embed")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--limit", type=int, default=13_233, help="how many photos (13,233)")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--home", help="where `facelab data get lfw` put LFW, if not in the usual place")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("not measured: this machine has no CUDA device")
        return
    paths = lfw(arguments.home).paths[: arguments.limit]
    pipe = Pipeline(device=arguments.device, batch_size=arguments.batch_size, faces="central")
    for _ in islice(pipe(paths[: arguments.batch_size], progress=False), arguments.batch_size):
        pass  # warm up
    started = time.perf_counter()
    faces = sum(len(result.faces) for result in pipe(paths, progress=True))
    seconds = time.perf_counter() - started
    spent = staged(pipe, paths[: 8 * arguments.batch_size])
    whole = sum(spent.values())
    rows = [["photos a second, streaming", f"{len(paths) / seconds:,.0f}"], ["faces", f"{faces:,}"]]
    rows += [[f"share of {stage}, %", f"{100 * spent[stage] / whole:.0f}"] for stage in STAGES]
    report(f"JPEG to vector, {pipe!r}", ("what", "figure"), rows, device=pipe.device)


@torch.inference_mode()
def staged(pipe: Pipeline, paths) -> Counter:
    """Seconds in each stage when nothing overlaps."""
    spent: Counter = Counter()

    def done(stage: str, since: float) -> float:
        if pipe.device.type == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        spent[stage] += now - since
        return now

    for start in range(0, len(paths), pipe.batch_size):
        at = time.perf_counter()
        photos = [read_image(path) for path in paths[start : start + pipe.batch_size]]
        at = done("decode", at)
        tensors = _upload(photos, pipe.device)
        at = done("upload", at)
        found = [
            pipe._pick(faces, photo)
            for faces, photo in zip(pipe.detector.detect(tensors), tensors, strict=True)
        ]
        at = done("detect", at)
        crops = pipe._cut(tensors, found)
        at = done("align", at)
        pipe.embedder(crops, mirror=pipe.mirror)
        done("embed", at)
    return spent


if __name__ == "__main__":
    main()
