"""The mirror's side in the kernel: a frame is looked at, answered and forgotten."""

import gc
import io

import numpy as np
import pytest
from PIL import Image

from facelab.course.widgets.mirror import MOST, Mirror


def jpeg(photo, size=(320, 320)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).resize(size).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


@pytest.fixture
def mirror():
    widget = Mirror()
    widget.sent = []
    widget.send = widget.sent.append
    return widget


def test_a_face_is_found_remembered_and_told_from_another(mirror, astronaut, hopper):
    mirror.receive(mirror, {"kind": "frame", "number": 7}, [jpeg(astronaut)])
    (answer,) = mirror.sent
    assert (answer["kind"], answer["number"], answer["width"]) == ("answer", 7, 320)
    (face,) = answer["faces"]
    assert (face["name"], face["distance"]) == (None, None)
    assert np.array(face["landmarks"]).shape == (5, 2)
    assert 0 < face["box"][0] < face["box"][2] < 320
    mirror.receive(mirror, {"kind": "remember", "name": " Eileen "}, [])
    assert mirror.sent[-1]["text"].startswith("Eileen: 128 numbers")
    assert mirror.look(jpeg(astronaut[:, ::-1]))["faces"][0]["name"] == "Eileen"
    other = mirror.look(jpeg(hopper, (256, 300)))["faces"][0]
    assert other["name"] is None
    assert other["distance"] > mirror.threshold
    mirror.receive(mirror, {"kind": "forget"}, [])
    assert mirror.people == {}


def test_what_cannot_be_is_said(mirror, astronaut):
    assert "the camera's picture" in mirror.look(b"no picture")["error"]
    assert mirror.look(jpeg(np.full((240, 320, 3), 128, np.uint8)))["faces"] == []
    assert mirror.remember("Eileen").startswith("There was no face")
    mirror.look(jpeg(astronaut))
    assert mirror.remember("  ") == "Type a name first."
    assert mirror.people == {}


def test_no_frame_is_kept(mirror, astronaut):
    frame = jpeg(astronaut)
    for _ in range(3):
        mirror.receive(mirror, {"kind": "frame", "number": 1}, [frame])
    mirror.remember("Eileen")
    gc.collect()
    kept = [thing for thing in vars(mirror).values() if isinstance(thing, np.ndarray | bytes)]
    assert all(np.size(thing) <= 128 for thing in kept if isinstance(thing, np.ndarray))
    assert not any(isinstance(thing, bytes) for thing in kept)
    assert frame not in str(mirror.get_state()).encode("latin-1", "ignore")
    pictures = [one for one in gc.get_objects() if isinstance(one, np.ndarray) and one.shape == (320, 320, 3)]
    assert pictures == []


def test_a_crowd_is_cut_to_the_largest(mirror, astronaut):
    head = np.asarray(Image.fromarray(astronaut[:300, 100:380]).resize((100, 106)))
    crowd = np.tile(head, (2, 3, 1))
    answer = mirror.look(jpeg(crowd, (300, 212)))
    assert len(answer["faces"]) == MOST
