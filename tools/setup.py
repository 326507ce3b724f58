"""Make the environment: `python tools/setup.py lab` (or `dev`). Needs Python 3.11+ and nothing else.

Creates `.venv` beside this project and installs facelab in it, with what the notebooks (`lab`) or the tests
(`dev`) need, in the versions of constraints.txt. Run again, it returns at once unless that file or
pyproject.toml has changed.

On Linux, PyPI's torch is the CUDA build, with gigabytes of libraries that a machine without an NVIDIA GPU
cannot use. Such a machine gets PyTorch's CPU build: from pip itself where pip is configured to find one, else
through uv, which knows where PyTorch keeps it.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
HIDDEN = ("__pycache__", "*.pyc", "*.pyo", ".DS_Store", "*~", "ruff.toml", "lessons", "node_modules")
SETTINGS = {
    # No question about news, no menu of files beside a lesson: it opens as a page of a course.
    "share/jupyter/lab/settings/overrides.json": {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/application-extension:shell": {"startMode": "single"},
    },
    # Sources and settings are none of a learner's business.
    "etc/jupyter/jupyter_server_config.json": {"ContentsManager": {"hide_globs": list(HIDDEN)}},
}
CONSTRAINTS = ROOT / "constraints.txt"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(extra: str) -> None:
    stamp = VENV / f"facelab-{extra}.stamp"
    if is_whole():
        settle()
    if stamp.exists() and stamp.read_text() == fingerprint():
        return
    if sys.version_info < (3, 11):
        sys.exit(f"facelab needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
    print(f"Setting up {VENV} for '{extra}' (once; a few minutes and about 2.5 GB) …", flush=True)
    make_venv()
    pip("install", "--quiet", "--upgrade", "pip>=24.1")
    install_torch()
    pip("install", "--quiet", "--constraint", str(CONSTRAINTS), "--editable", f"{ROOT}[{extra}]")
    pip("check")
    settle()
    stamp.write_text(fingerprint())
    if extra == "dev":  # dev holds everything that lab does
        (VENV / "facelab-lab.stamp").write_text(fingerprint())


def settle() -> None:
    """How JupyterLab looks in this environment; what its user chooses in it goes before that."""
    for name, settings in SETTINGS.items():
        path = VENV / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1), encoding="utf-8")


def fingerprint() -> str:
    """What an environment was made from: when this changes, it is made again."""
    files = (ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()
    return hashlib.sha256(files + sys.version.encode() + str(ROOT).encode()).hexdigest()


def is_whole() -> bool:
    """Is there an environment, with pip, made in this very place? One that was moved or copied with the
    project has commands that lead to where it was; one without pip was given up half-way."""
    pip_command = PYTHON.with_name("pip.exe" if os.name == "nt" else "pip")
    try:
        done = subprocess.run([str(pip_command), "--version"], capture_output=True, text=True)
    except OSError:
        return False
    return done.returncode == 0 and os.path.normcase(VENV) in os.path.normcase(done.stdout)


def make_venv() -> None:
    if is_whole():
        return
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"{error.stdout}{error.stderr}\nPython could not make a virtual environment in {VENV}. "
            "On Debian and Ubuntu its part for that comes apart: apt install python3-venv"
        )


def pip(*arguments: str, capture: bool = False) -> str:
    command = [str(PYTHON), "-m", "pip", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE if capture else None, text=True)
    if done.returncode:
        sys.exit(f"pip could not do its part (its message stands above): {' '.join(arguments)}")
    return done.stdout


def torch_requirement() -> str:
    """The line for torch in constraints.txt: the one place where its version stands."""
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def has_nvidia_gpu() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists()


def is_cuda_build(report: dict) -> bool:
    """Does pip's plan (`pip install --dry-run --report`) bring CUDA libraries along with torch?"""
    needs = [need for item in report["install"] for need in item["metadata"].get("requires_dist", [])]
    return any(need.startswith(("nvidia-", "cuda-")) for need in needs)


def install_torch() -> None:
    if sys.platform != "linux" or has_nvidia_gpu():
        return  # PyPI's torch is the right one: pip brings it with the rest
    torch = torch_requirement()
    plan = pip("install", "--quiet", "--dry-run", "--no-deps", "--report", "-", torch, capture=True)
    if not is_cuda_build(json.loads(plan)):
        return
    print("No NVIDIA GPU here: installing PyTorch's CPU build.", flush=True)
    pip("install", "--quiet", "uv")
    uv = [str(PYTHON), "-m", "uv", "pip", "install", "--python", str(PYTHON), "--torch-backend=cpu", torch]
    if subprocess.run(uv).returncode:
        sys.exit(
            f"{torch} could not be had as a CPU build. Install it in {VENV} by hand (pytorch.org, "
            "'Get Started', CPU) and run this again; or, to take the CUDA build all the same (5.8 GB): "
            f"{PYTHON} -m pip install {torch}"
        )


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("lab", "dev"):
        sys.exit(__doc__)
    main(sys.argv[1])
