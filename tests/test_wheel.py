"""The wheel as an engineer takes it home: no extras, another folder, and the types that it promises."""

import importlib.metadata
import os
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from facelab.course import portraits

ROOT = Path(__file__).resolve().parents[1]
LATER = ("matplotlib", "seaborn", "ipywidgets", "deepface", "skimage", "umap", "IPython", "onnxruntime")


def closure(requirements: list[str]) -> set[str]:
    """The installed distributions that these requirements come to, without any extra of theirs."""
    found, waiting = set(), [Requirement(line) for line in requirements]
    while waiting:
        wanted = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        dist = importlib.metadata.distribution(wanted.name)
        if dist.metadata["Name"] not in found:
            found.add(dist.metadata["Name"])
            waiting += [Requirement(line) for line in dist.requires or ()]
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder elsewhere with a plain virtual environment: in it the wheel and what it says it needs."""
    home = tmp_path_factory.mktemp("elsewhere")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", home, ROOT], check=True)
    (wheel,) = home.glob("facelab-*.whl")
    venv.create(home / "venv", symlinks=os.name != "nt")
    (site,) = [Path(line) for line in run(home, "-c", "import sys; print(sys.path[-1])").stdout.split()]
    unpack = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel]
    subprocess.run(unpack, check=True)
    (info,) = importlib.metadata.distributions(path=[str(site)])
    for name in closure(info.requires):  # downloading them again would take minutes
        for file in importlib.metadata.distribution(name).files:
            top = file.parts[0]
            if top not in ("..", "__pycache__", "bin") and not (site / top).exists():
                (site / top).symlink_to(Path(importlib.metadata.distribution(name).locate_file(top)))
    return home


def python(home: Path) -> Path:
    return home / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(home: Path, *command: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "FACELAB_HOME": str(home / "cache")}
    environment.pop("PYTHONPATH", None)
    return subprocess.run([python(home), *command], cwd=home, env=environment, capture_output=True, text=True)


def test_nothing_of_the_course_is_within_reach(home):
    for name in LATER:
        done = run(home, "-c", f"import {name}")
        assert "ModuleNotFoundError" in done.stderr, f"{name} can be imported: this test would prove nothing"


def test_the_library_runs_without_extras_from_another_folder(home):
    from PIL import Image

    for name in ("collins", "hopper"):
        Image.fromarray(getattr(portraits, name)()).save(home / f"{name}.png")
    done = run(home, "-m", "facelab.cli", "verify", "collins.png", "hopper.png")
    assert done.returncode == 1, done.stderr
    assert "different people" in done.stdout
    program = """
        import torch, facelab as fl
        assert fl.__file__.startswith({home!r}), fl.__file__
        with fl.Gallery("g.hdf") as g:
            g.enroll("Eileen Collins", "collins.png", department="space")
            print([person.name for person in g.list()], g.identify("collins.png").name)
            assert g.identify("hopper.png").name is None
        x = torch.randn(8, 16, requires_grad=True)
        fl.losses.ArcFace(16, 4)(x, torch.arange(8) % 4).backward()
        print(bool(x.grad.abs().sum() > 0))
    """
    done = run(home, "-c", textwrap.dedent(program).format(home=str(home / "venv")))
    assert done.returncode == 0, done.stderr
    assert "['Eileen Collins'] Eileen Collins" in done.stdout
    assert "True" in done.stdout


def test_the_types_reach_the_user(home):
    """mypy on a program that uses the public names, against the installed wheel."""
    (home / "right.py").write_text(
        textwrap.dedent("""
            from typing import assert_type
            import numpy as np
            import facelab as fl

            photo: np.ndarray = fl.read_image("a.jpg")
            faces = fl.detect(photo)
            assert_type(faces, list[fl.Face])
            answer = fl.verify("a.jpg", "b.jpg", fmr=1e-3)
            assert_type(answer.distance, float)
            assert_type(answer.same, bool)
            for result in fl.Pipeline(batch_size=8)(["a.jpg"]):
                assert_type(result.vectors, np.ndarray)
            with fl.Gallery("g.hdf") as gallery:
                assert_type(gallery.enroll("Kim", "a.jpg"), int)
                names: list[str] = [person.name for person in gallery.list()]
        """)
    )
    (home / "wrong.py").write_text("import facelab as fl\nfl.Pipeline(batch_size='eight')\nfl.verify('a')\n")
    check = [sys.executable, "-m", "mypy", "--python-executable", python(home), "--cache-dir", home / "mypy"]
    right = subprocess.run([*check, "right.py"], cwd=home, capture_output=True, text=True)
    assert right.returncode == 0, right.stdout
    wrong = subprocess.run([*check, "wrong.py"], cwd=home, capture_output=True, text=True)
    assert wrong.stdout.count("error:") == 2, wrong.stdout
