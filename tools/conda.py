"""Write environment.yml from pyproject.toml (`--check` only says whether the two are in step).

conda-forge brings what it has; pip brings, inside the conda environment, the packages that carry weights,
both OpenCVs (which must be of one version) and facelab itself.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "environment.yml"
HEADER = "# Made from pyproject.toml by `make environment.yml`; edit that one.\n"


def generate() -> str:
    made = subprocess.run(
        [sys.executable, "-m", "pyproject2conda", "yaml", "--name", "facelab", "--extra", "lab",
         "--python-include", "python>=3.11,<3.14", "--req", "-e .", "--no-header"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return HEADER + made.stdout


if __name__ == "__main__":
    wanted = generate()
    if "--check" not in sys.argv:
        TARGET.write_text(wanted, "utf-8")
    elif not TARGET.exists() or TARGET.read_text("utf-8") != wanted:
        sys.exit("environment.yml is out of step with pyproject.toml: make environment.yml")
