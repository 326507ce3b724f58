"""How long until facelab answers: imports, the command line, the first verification, in fresh processes.

python -m benchmarks.startup [--rounds 7]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import report, time_alternately
from facelab.course.portraits import collins, hopper

IMPORTS = {
    "python, nothing imported": "pass",
    "import torch": "import torch",
    "import facelab": "import facelab",
    "facelab --help": "import sys; sys.argv = ['facelab', '--help']; import facelab.cli as c; c.app()",
}

VERIFY = """
import sys, time
start = time.perf_counter()
import facelab
imported = time.perf_counter()
facelab.verify(*sys.argv[1:], threshold=0.6)
first = time.perf_counter()
facelab.verify(*sys.argv[1:], threshold=0.6)
print(imported - start, first - imported, time.perf_counter() - first)
"""


def run(code: str, *arguments: str) -> str:
    """Standard output of `code` in a fresh Python."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path.cwd()).stdout


def portraits(folder: Path) -> list[str]:
    """Two portraits that come with packages, as files."""
    from PIL import Image

    paths = []
    for portrait in (collins, hopper):
        paths.append(str(folder / f"{portrait.__name__}.png"))
        Image.fromarray(portrait()).save(paths[-1])
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()

    tasks = {name: (lambda code=code: run(code)) for name, code in IMPORTS.items()}
    seconds = time_alternately(tasks, rounds=options.rounds)
    # Round by round, so that a busy moment weighs on both sides of a difference.
    extra = {
        name: statistics.median(
            ours - torchs for ours, torchs in zip(seconds[name], seconds["import torch"], strict=True)
        )
        for name in IMPORTS
    }
    rows = [
        [name, f"{statistics.median(times):.2f}", f"{min(times):.2f}", f"{extra[name]:+.2f}"]
        for name, times in seconds.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        paths = portraits(Path(folder))
        runs = [[float(t) for t in run(VERIFY, *paths).split()] for _ in range(options.rounds)]
    for name, times in zip(
        ("import facelab, again", "the first verify() after it", "the second verify()"),
        zip(*runs, strict=True),
        strict=True,
    ):
        rows.append([name, f"{statistics.median(times):.3f}", f"{min(times):.3f}", ""])
    notes = [
        f"Fresh processes, median of {options.rounds} rounds taking turns; files were in the system's cache.",
        "The column on the right is the median over the rounds of the difference to `import torch`.",
    ]
    if hasattr(os, "getloadavg"):
        notes.append(f"Load on the machine (1 minute) when done: {os.getloadavg()[0]:.1f}.")
    report("Starting up", ["", "median, s", "best, s", "beyond torch, s"], rows, notes=notes)


if __name__ == "__main__":
    main()
