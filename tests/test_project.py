"""The files around the package: one environment, described once."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import setup as project_setup  # noqa: E402


def test_environment_yml_is_in_step_with_pyproject():
    done = subprocess.run(
        [sys.executable, "tools/conda.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_both_opencvs_are_pinned_to_one_version():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    versions = {line.split("==")[1] for line in lines if line.startswith("opencv-")}
    assert len(versions) == 1
    assert next(iter(versions)).startswith("4."), "OpenCV 5 lacks the Haar files that deepface loads"


def test_every_requirement_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    extras.pop("bench")  # the peers of two benchmarks: no set-up installs them
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    )
    for line in [*project["dependencies"], *(line for extra in extras.values() for line in extra)]:
        wanted = Requirement(line)
        if wanted.name != "facelab":
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), line


def test_constraints_name_no_machine():
    """No path, no address, no local version such as 2.13.0+cpu: the file must do on any machine."""
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()[1:]:
        assert re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", line), line


@pytest.mark.parametrize(
    ("requires", "cuda"),
    [
        (["filelock", "nvidia-cublas==13.1; platform_system == 'Linux'", "triton==3.4"], True),
        (["filelock", "cuda-bindings; platform_system == 'Linux'"], True),
        (["filelock", "sympy>=1.13.3"], False),
    ],
)
def test_setup_knows_the_cuda_build_by_what_it_needs(requires, cuda):
    report = {"install": [{"metadata": {"name": "torch", "requires_dist": requires}}]}
    assert project_setup.is_cuda_build(report) is cuda


@pytest.mark.parametrize("gpu", [True, False])
@pytest.mark.parametrize("cuda_build", [True, False])
def test_setup_takes_the_cpu_build_only_where_there_is_no_gpu(monkeypatch, gpu, cuda_build):
    report = '{"install": [{"metadata": {"requires_dist": ["%s"]}}]}' % (
        "nvidia-nccl" if cuda_build else "sympy"
    )
    called = []
    monkeypatch.setattr(project_setup.sys, "platform", "linux")
    monkeypatch.setattr(project_setup, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(project_setup, "pip", lambda *arguments, capture=False: report)
    monkeypatch.setattr(
        project_setup.subprocess,
        "run",
        lambda command: called.append(command) or subprocess.CompletedProcess(command, 0),
    )
    project_setup.install_torch()
    assert bool(called) is (cuda_build and not gpu)
    if called:
        assert "--torch-backend=cpu" in called[0]
        assert called[0][-1] == project_setup.torch_requirement()


def test_a_second_setup_does_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(project_setup, "VENV", tmp_path)
    (tmp_path / "facelab-lab.stamp").write_text(project_setup.fingerprint())
    monkeypatch.setattr(project_setup, "make_venv", lambda: pytest.fail("made the environment again"))
    project_setup.main("lab")


def test_an_environment_without_pip_or_from_elsewhere_is_made_anew(monkeypatch, tmp_path):
    """Debian's python3 without python3-venv leaves a `.venv` without pip behind; a moved project leads into
    the place where it was."""
    monkeypatch.setattr(project_setup, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(project_setup, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    assert not project_setup.is_whole()
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    assert not project_setup.is_whole(), "there is no pip"
    pip = folder / "pip"
    for where, whole in ((tmp_path / ".venv", True), ("/elsewhere/.venv", False)):
        pip.write_text(f"#!/bin/sh\necho pip 26.0 from {where}/lib/python3/site-packages/pip\n")
        pip.chmod(0o755)
        assert project_setup.is_whole() is whole


def test_the_library_never_imports_the_course():
    """Two rooms, one door: the course stands on the library, and the library stands alone."""
    for path in (ROOT / "facelab").rglob("*.py"):
        if "course" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path} imports relatively: this test reads full names only"
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            seen = [name for name in modules if name.startswith("facelab.course")]
            assert not seen, f"{path.relative_to(ROOT)} imports {seen}"


def test_no_file_of_the_package_is_longer_than_400_lines():
    files = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / "facelab").rglob("*.py")}
    assert {str(path.relative_to(ROOT)): lines for path, lines in files.items() if lines > 400} == {}


def test_the_library_imports_nothing_that_only_notebooks_need():
    """Every module of the library, imported in a fresh Python: none brings the course or its tools along."""
    code = """
import importlib, pathlib, sys
root = pathlib.Path("facelab")
for path in root.rglob("*.py"):
    if "course" not in path.parts and path.name != "__main__.py":
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
only = ("facelab.course", "matplotlib", "seaborn", "ipywidgets", "deepface", "skimage", "umap")
print(*[name for name in only if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
