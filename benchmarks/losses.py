"""Forward and backward of every head, beside pytorch-metric-learning's where it has one.

    python -m benchmarks.losses        # 10,000 and 1,000,000 classes, batch 512, 512 dimensions
    python -m benchmarks.losses --classes 10000 --heads ArcFace CosFace

Every figure comes from a process of its own, so that its peak memory is its own: resident memory above
what the process held before the head was built (CPU), or the most that torch's allocator held (GPU). A
case that does not fit is skipped, and the table says why. pytorch-metric-learning is optional:
`pip install pytorch-metric-learning`.
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.common import NOT_MEASURED, report
from facelab import device as devices
from facelab.losses import HEADS

PEERS = {
    "ModifiedSoftmax": "NormalizedSoftmaxLoss",
    "SphereFace": "SphereFaceLoss",
    "CosFace": "CosFaceLoss",
    "ArcFace": "ArcFaceLoss",
    "SubCenterArcFace": "SubCenterArcFaceLoss",
}
"""The classes of pytorch-metric-learning that compute the same loss, or the nearest to it: its
NormalizedSoftmaxLoss normalises the embeddings too, its SphereFaceLoss does not anneal."""

HAS_PEER = importlib.util.find_spec("pytorch_metric_learning") is not None
GIB = 2**30
FACELAB, PEER = "facelab", "pytorch-metric-learning"


def build(head: str, library: str, dim: int, classes: int) -> torch.nn.Module:
    if library == FACELAB:
        return HEADS[head](dim, classes)
    from pytorch_metric_learning import losses

    return getattr(losses, PEERS[head])(num_classes=classes, embedding_size=dim)


def resident_peak() -> int:
    """The largest resident memory this process has had so far, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def worker(head: str, library: str, classes: int, batch: int, dim: int, device: str, rounds: int) -> dict:
    """One case, in this process: seconds of each round, and peak bytes."""
    where = devices.choose(device)
    on_gpu = where.type == "cuda"
    torch.manual_seed(0)
    x = torch.randn(batch, dim, device=where, requires_grad=True)
    y = torch.randint(classes, (batch,), device=where)
    (x @ x.T).sum().backward()  # whatever torch allocates for itself the first time
    before = 0 if on_gpu else resident_peak()
    loss = build(head, library, dim, classes).to(where)
    seconds = []
    for _ in range(rounds + 1):  # the first round warms up
        loss.zero_grad(set_to_none=True)
        x.grad = None
        start = time.perf_counter()
        loss(x, y).backward()
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() if on_gpu else resident_peak() - before
    return {"seconds": seconds[1:], "peak": peak}


def needed(head: str, library: str, classes: int, batch: int, dim: int) -> int:
    """Bytes the case will want at its peak, with a tenth to spare: the weights, their unit rows, and while
    gradients flow either a few tensors of the size of the logits or three more of that of the weights."""
    centres = 3 if head == "SubCenterArcFace" else 1
    logits = (
        5 if library == PEER else {"CurricularFace": 6, "ModifiedSoftmax": 4, "SphereFace": 4}.get(head, 3)
    )
    return int(1.1 * 4 * classes * centres * (2 * dim + max(3 * dim, logits * batch)))


def available(device: torch.device) -> int:
    """Bytes free on the device; for the CPU also within the limit of the container, where there is one."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = []
    information = Path("/proc/meminfo")
    if information.exists():
        rows = dict(line.split(":") for line in information.read_text().splitlines())
        free.append(int(rows["MemAvailable"].split()[0]) * 1024)
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        free.append(int(limit.read_text()) - int(used.read_text()))
    return min(free, default=sys.maxsize)


def measure(head: str, library: str, classes: int, arguments: argparse.Namespace) -> tuple[str, str]:
    """(time, peak memory) as the table shows them."""
    device = devices.choose(arguments.device)
    need = needed(head, library, classes, arguments.batch, arguments.dim)
    free = available(device)
    if need > free:
        return f"skipped: wants about {need / GIB:.0f} GiB, {free / GIB:.0f} GiB free", "–"
    case = [head, library, classes, arguments.batch, arguments.dim, str(device), arguments.rounds]
    command = [sys.executable, "-m", "benchmarks.losses", "--worker", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"failed (exit {done.returncode}): {last[:80]}", "–"
    result = json.loads(done.stdout.splitlines()[-1])
    return f"{statistics.median(result['seconds']) * 1000:,.0f} ms", f"{result['peak'] / GIB:.2f} GiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--heads", nargs="+", choices=list(HEADS), default=list(HEADS), metavar="HEAD")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(worker(*json.loads(arguments.worker))))
        return
    for classes in arguments.classes:
        rows = []
        for head in arguments.heads:
            row = [head, *measure(head, FACELAB, classes, arguments)]
            if head not in PEERS:
                row += ["has none", "–"]
            elif not HAS_PEER:
                row += [f"{NOT_MEASURED}: not installed", "–"]
            else:
                row += measure(head, PEER, classes, arguments)
            rows.append(row)
            print(f"{classes:,} classes:", *row, sep="  ", file=sys.stderr, flush=True)  # it takes a while
        report(
            f"Heads at {classes:,} classes, batch {arguments.batch}, {arguments.dim} dimensions",
            ["head", "forward + backward", "peak memory", PEER, "its peak memory"],
            rows,
            device=devices.choose(arguments.device),
            notes=[
                f"Median of {arguments.rounds} rounds after one to warm up, one process a figure, float32."
            ],
        )


if __name__ == "__main__":
    main()
