"""A GPU from JPEG to vector: photos a second, each stage, and how much of the card's own limit that is.

    python -m benchmarks.gpu                          # all of LFW, on the GPU
    python -m benchmarks.gpu --device cpu --limit 64  # the same code on a CPU, for a look

The limits are measured here, by one large matrix product in each precision and one large copy. A network's
share is its multiplications (counted by torch, two operations each) over the product's; a search's is the
bytes of its vectors over the copy's. In the table of stages each waits for the one before, so they add up
to more than streaming takes.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import report
from benchmarks.search import unit_vectors
from facelab import device as devices
from facelab.datasets import lfw
from facelab.decoding import upload
from facelab.embed import FILE_RECIPES, load, network
from facelab.gallery.search import Index
from facelab.images import read_image
from facelab.losses import ArcFace
from facelab.pipeline import Pipeline
from facelab.training import Augment

STAGES = ("decode", "upload", "detect", "align", "embed")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MARK = 5_000
"""Photos a second from JPEG to vector that the design asks of a GPU."""


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
    device = devices.choose(arguments.device)
    whole = device.type == "cuda"
    limits = card(device, 8192 if whole else 512)
    paths = lfw(arguments.home).paths[: arguments.limit]
    streaming(paths, device, arguments.batch_size)
    embedding(device, limits, (1, 16, 64, 256, 1024) if whole else (1, 4))
    searching(device, limits, (10_000, 100_000, 1_000_000) if whole else (10_000,))
    training(device, limits, (("mobilefacenet", 512), ("iresnet50", 256)) if whole else (("thumbnet", 8),))


def seconds(task: Callable[[], object], device: torch.device, least: float = 0.3) -> float:
    """Of one call, the median of as many as fit into `least` seconds, and of three at least."""
    task()
    found: list[float] = []
    while sum(found) < least or len(found) < 3:
        wait(device)
        start = time.perf_counter()
        task()
        wait(device)
        found.append(time.perf_counter() - start)
    return float(np.median(found))


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def card(device: torch.device, side: int) -> dict[str, float]:
    """What the device can do at most: operations a second by precision, and bytes a second."""
    limits = {}
    for name, dtype in PRECISIONS.items():
        a = torch.randn(side, side, device=device).to(dtype)
        limits[name] = 2 * side**3 / seconds(lambda a=a: a @ a, device)
    source = torch.ones(2**26 if device.type == "cuda" else 2**22, device=device)
    target = torch.empty_like(source)
    limits["bytes"] = 2 * source.nbytes / seconds(lambda: target.copy_(source), device)
    rows = [[name, f"{limits[name] / 1e12:,.2f} Tflop/s"] for name in PRECISIONS]
    rows.append(["copy", f"{limits['bytes'] / 1e9:,.0f} GB/s"])
    report("The device's own limits", ("what", "figure"), rows, device=device)
    return limits


def streaming(paths, device: torch.device, batch_size: int) -> None:
    pipe = Pipeline(device=device, batch_size=batch_size, faces="central")
    for _ in islice(pipe(paths[:batch_size], progress=False), batch_size):
        pass  # warm up
    started = time.perf_counter()
    faces = sum(len(result.faces) for result in pipe(paths, progress=True))
    rate = len(paths) / (time.perf_counter() - started)
    spent = staged(pipe, paths[: 8 * batch_size])
    total, photos = sum(spent.values()), min(len(paths), 8 * batch_size)
    rows = [["streaming", f"{rate:,.0f}", f"mark: {MARK:,}"]]
    rows += [[s, f"{photos / spent[s]:,.0f}", f"{100 * spent[s] / total:.0f} % of the time"] for s in STAGES]
    report(
        f"JPEG to vector, {pipe!r}, {faces:,} faces", ("stage", "photos a second", ""), rows, device=device
    )


@torch.inference_mode()
def staged(pipe: Pipeline, paths) -> Counter:
    """Seconds in each stage when nothing overlaps."""
    spent: Counter = Counter()

    def done(stage: str, since: float) -> float:
        wait(pipe.device)
        now = time.perf_counter()
        spent[stage] += now - since
        return now

    for start in range(0, len(paths), pipe.batch_size):
        at = time.perf_counter()
        photos = [read_image(path) for path in paths[start : start + pipe.batch_size]]
        at = done("decode", at)
        tensors = upload(photos, pipe.device)
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


def operations(net: torch.nn.Module, images: torch.Tensor) -> float:
    """Of one forward pass, for one image."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(images)
    return counter.get_total_flops() / len(images)


def embedding(device: torch.device, limits: dict[str, float], batches) -> None:
    each = operations(network("sface"), torch.zeros(1, 3, 112, 112))
    rows = []
    for half in (False, True):
        embedder = load("sface", device, half=half)
        name = str(embedder.dtype).removeprefix("torch.")
        for batch in batches:
            crops = torch.randint(0, 256, (batch, 112, 112, 3), dtype=torch.uint8, device=device)
            rate = batch / seconds(lambda crops=crops, embedder=embedder: embedder(crops), device)
            rows.append([name, batch, f"{rate:,.0f}", f"{100 * rate * each / limits[name]:.1f} %"])
    columns = ("precision", "batch", "faces a second", "of the device's product")
    report(f"SFace, {each / 2e6:.0f} million multiplications a face", columns, rows, device=device)


def searching(device: torch.device, limits: dict[str, float], sizes) -> None:
    rows = []
    for size in sizes:
        vectors = unit_vectors(size, 128)
        index = Index(vectors, np.arange(size), device=device)
        for probes in (1, 64):
            asked = vectors[:probes]
            took = seconds(lambda index=index, asked=asked: index.nearest(asked, 5), device)
            share = vectors.nbytes / took / limits["bytes"]
            rows.append([f"{size:,}", probes, f"{1e3 * took:.2f}", f"{100 * share:.0f} %"])
    columns = ("vectors", "probes", "ms", "of the copy's bytes a second (mark: 80)")
    report("Search, exact, k = 5, 128 numbers", columns, rows, device=device)


def training(device: torch.device, limits: dict[str, float], networks) -> None:
    rows, how = [], Augment()
    for name, batch in networks:
        side = getattr(FILE_RECIPES[name].network, "SIDE", 112)
        each = operations(FILE_RECIPES[name].build(128).eval(), torch.zeros(1, 3, side, side))
        pixels = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8, device=device)
        labels = torch.randint(0, 10_000, (batch,), device=device)
        for precision, dtype in PRECISIONS.items():
            net = FILE_RECIPES[name].build(128).to(device).to(memory_format=torch.channels_last)
            head = ArcFace(128, 10_000).to(device)
            optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], 1e-4, momentum=0.9)

            def step(net=net, head=head, optimizer=optimizer, pixels=pixels, labels=labels, dtype=dtype):
                drawn = how.draw(len(pixels), torch.Generator().manual_seed(0))
                images = how.apply(net.pixels(pixels), drawn).contiguous(memory_format=torch.channels_last)
                with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                    embeddings = net(images)
                loss = head(embeddings.float(), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

            took = seconds(step, device)
            share = 3 * each * batch / took / limits[precision]  # backward costs twice what forward does
            rows.append(
                [name, precision, batch, f"{1 / took:.2f}", f"{batch / took:,.0f}", f"{100 * share:.1f} %"]
            )
    columns = (
        "network",
        "precision",
        "batch",
        "steps a second",
        "photos a second",
        "of the device's product",
    )
    report("Training, ArcFace over 10,000 people, augmentation on the device", columns, rows, device=device)


if __name__ == "__main__":
    main()
