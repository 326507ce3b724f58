"""Fixtures that every test file may use: two portraits that may be shown, and LFW where it is at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LFW_ARCHIVE = REPOSITORY.parent / "shared" / "data" / "lfw-deepfunneled.tgz"
TEST_HOME = REPOSITORY / ".cache" / "home"  # git-ignored; LFW is unpacked here once


os.environ["FACELAB_COURSE"] = "off"  # nobody's record of exercises is touched


def pytest_collection_modifyitems(items):
    """Whatever asks for the fixture `lfw` is marked `lfw`, so `-m "not lfw"` leaves it out."""
    for item in items:
        if "lfw" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.lfw)


@pytest.fixture(scope="session")
def _astronaut() -> np.ndarray:
    from skimage.data import astronaut

    return astronaut()


@pytest.fixture
def astronaut(_astronaut) -> np.ndarray:
    """Eileen Collins, (512, 512, 3) RGB uint8; public domain (NASA), carried by scikit-image."""
    return _astronaut.copy()


@pytest.fixture(scope="session")
def _hopper() -> np.ndarray:
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    with get_sample_data("grace_hopper.jpg") as file, Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def hopper(_hopper) -> np.ndarray:
    """Grace Hopper, (600, 512, 3) RGB uint8; public domain (US Navy), carried by matplotlib."""
    return _hopper.copy()


@pytest.fixture(scope="session")
def lfw():
    """LFW's photos and pair lists (`facelab.datasets.LFW`): from the archive in ../shared/data, unpacked once
    into .cache/, else from where `facelab data get lfw` put them; skips where there is neither."""
    from facelab import datasets
    from facelab.errors import DatasetError

    if LFW_ARCHIVE.is_file():
        return datasets.get_lfw(from_file=LFW_ARCHIVE, progress=False, home=TEST_HOME)
    try:
        return datasets.lfw()
    except DatasetError as error:
        pytest.skip(f"LFW is neither in {LFW_ARCHIVE.parent} nor fetched: {error}")
