"""What this machine has, what is missing, and the command that mends it (`facelab doctor`)."""

import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass

from facelab.errors import FacelabError


@dataclass(frozen=True)
class Finding:
    """One line of the report. `needed` is what facelab cannot do without; the rest opens further lessons."""

    what: str
    ok: bool
    detail: str
    needed: bool = True

    def __str__(self) -> str:
        sign = "ok     " if self.ok else ("BROKEN " if self.needed else "missing")
        return f"{sign}  {self.what:<20} {self.detail}"


def examine() -> list[Finding]:
    """Every finding, the core first. Reads files and hashes them; opens no connection."""
    return [
        Finding("Python", sys.version_info >= (3, 11), f"{sys.version.split()[0]} (3.11 or newer is needed)"),
        *_devices(),
        *_weights(),
        _recognises(),
        *_data(),
        *_packages(),
    ]


def _devices() -> list[Finding]:
    import torch

    from facelab import device

    findings = [
        Finding("torch", True, f"{torch.__version__}, runs on {device.describe(device.choose('auto'))}")
    ]
    if not torch.cuda.is_available():
        findings.append(
            Finding("GPU", False, "none: everything runs on the CPU (README, 'GPU')", needed=False)
        )
    return findings


def _weights() -> list[Finding]:
    from facelab import weights

    return [
        Finding(
            f"weights {row.name}",
            row.ok,
            row.detail,
            needed=row.name in ("yunet", "sface"),
        )
        for row in weights.status()
    ]


def _recognises() -> Finding:
    """The whole way once: a photo without a face must give no face, and a crop a vector of unit norm."""
    import numpy as np

    from facelab.pipeline import Pipeline

    def run() -> str:
        pipe = Pipeline()
        vector = pipe.embed(np.zeros((112, 112, 3), np.uint8))
        found = pipe.one(np.zeros((120, 120, 3), np.uint8)).faces
        if found or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
            raise FacelabError("the networks answer, but with nonsense")
        return repr(pipe)

    return _attempt("pipeline", run, needed=True)


def _attempt(what: str, run: Callable[[], str], needed: bool) -> Finding:
    try:
        return Finding(what, True, run(), needed)
    except FacelabError as error:
        return Finding(what, False, str(error), needed)
    except Exception as error:  # whatever it is, the rest is examined all the same
        return Finding(what, False, f"{type(error).__name__}: {error}", needed)


def _data() -> list[Finding]:
    from facelab import datasets

    return [
        _attempt("LFW templates", lambda: str(datasets.lfw_templates()), needed=False),
        _attempt("LFW photos", lambda: str(datasets.lfw()), needed=False),
    ]


def _packages() -> list[Finding]:
    """What the notebooks import beyond the core; found without importing it."""
    findings = []
    for name in ("jupyterlab", "ipywidgets", "matplotlib", "deepface"):
        try:
            findings.append(Finding(name, True, importlib.metadata.version(name), needed=False))
        except importlib.metadata.PackageNotFoundError:
            remedy = "for the notebooks: pip install 'facelab[lab]'"
            findings.append(Finding(name, False, remedy, needed=False))
    return findings
