"""What every benchmark needs: the machine in one line, fair timing, and a table in Markdown."""

import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from facelab import device as devices

NOT_MEASURED = "not measured"


def cpu_model() -> str:
    """The processor's own name for itself, e.g. `AMD EPYC 9654`."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine(device: str | torch.device = "cpu") -> str:
    """One line that says on what a figure was measured; no paths, no host names."""
    try:
        cores = len(os.sched_getaffinity(0))  # what this process may use, which a container may limit
    except AttributeError:  # macOS and Windows
        cores = os.cpu_count() or 1
    parts = [cpu_model(), f"{cores} cores", f"{torch.get_num_threads()} threads"]
    parts += [f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    parts += [f"device {devices.describe(torch.device(device))}", str(datetime.date.today())]
    return ", ".join(parts)


def time_alternately(
    tasks: dict[str, Callable[[], object]], *, rounds: int = 7, warm_up: int = 1, pause: float = 0.02
) -> dict[str, list[float]]:
    """Seconds of each call of each task, in the order A B C A B C …

    Taking turns spreads whatever else the machine is doing over all tasks alike, so that ratios
    stay meaningful even where the absolute times do not. Between two tasks `pause` seconds go by: the
    thread pools of torch, onnxruntime and OpenCV keep their threads spinning for a while after work is
    done, and would take the cores from whoever is next. Tasks that use a GPU must wait for it themselves
    (`torch.cuda.synchronize`).
    """
    for _ in range(warm_up):
        for task in tasks.values():
            task()
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            time.sleep(pause)
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times faster ours is: the median over rounds of theirs / ours, round by round."""
    return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, padded so that it also reads well in a terminal. Numbers are right-aligned."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(3, *(len(row[i]) for row in [list(columns), *cells])) for i in range(len(columns))]
    right = [
        bool(rows) and all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(columns))
    ]

    def line(row: Sequence[str]) -> str:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        return "| " + " | ".join(padded) + " |"

    rule = (
        "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|"
    )
    return "\n".join([line(columns), rule, *(line(row) for row in cells)])


def report(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    device: str | torch.device = "cpu",
    notes: Sequence[str] = (),
) -> None:
    """Print a titled table with the machine's description under it, ready to be pasted into a README."""
    print(f"\n## {title}\n\n{table(columns, rows)}\n\nMeasured on: {machine(device)}.")
    for note in notes:
        print(f"- {note}")
