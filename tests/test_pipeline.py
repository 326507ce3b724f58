"""From photos to vectors: batches, streams, bad files, two photos compared."""

import errno
import io
import itertools
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

import facelab as fl
from facelab import decoding as room
from facelab.errors import DeviceError, FacelabError, ImageError, NoFaceError


@pytest.fixture(scope="module")
def pipe():
    return fl.Pipeline(device="cpu", batch_size=4)


@pytest.fixture
def folder(tmp_path, astronaut, hopper):
    """Two portraits, a photo without a face, a truncated photo, no photo at all, under awkward names."""
    Image.fromarray(astronaut).save(tmp_path / "아이린 콜린스.jpg", quality=95)
    (tmp_path / "sub").mkdir()
    Image.fromarray(hopper).save(tmp_path / "sub" / "グレース.png")
    Image.fromarray(np.full((80, 120, 3), 128, np.uint8)).save(tmp_path / "empty room.jpg")
    whole = io.BytesIO()
    Image.fromarray(astronaut).save(whole, "JPEG")
    (tmp_path / "truncated.jpg").write_bytes(whole.getvalue()[:9000])
    (tmp_path / "page.jpg").write_text("<html>not a photo</html>")
    return tmp_path


def test_rooms_and_functions_of_one_name():
    import facelab.align
    import facelab.detect.yunet  # noqa: F401

    assert callable(fl.detect)
    assert callable(fl.align)
    assert callable(fl.embed)


def test_the_whole_way_by_hand_equals_the_pipeline(pipe, astronaut):
    faces = fl.detect(astronaut, device="cpu")
    crop = fl.align(astronaut, faces[0])
    vector = fl.embed(crop, device="cpu")
    assert crop.shape == (112, 112, 3)
    assert vector.shape == (128,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    result = pipe.one(astronaut)
    assert np.array_equal(result.crops[0], crop)
    assert fl.cosine_distance(result.vectors[0], vector) < 1e-6


def test_photos_may_be_given_in_every_form(tmp_path, pipe, hopper):
    path = tmp_path / "hopper.png"
    Image.fromarray(hopper).save(path)
    vectors = [
        pipe.one(photo).vectors[0]
        for photo in (hopper, str(path), path, path.read_bytes(), Image.fromarray(hopper))
    ]
    assert np.allclose(vectors, vectors[0], atol=1e-6)


def test_a_folder_streams_in_order_and_reports_what_is_bad(pipe, folder):
    results = list(pipe(folder, progress=False))
    names = [os.fspath(result.path.relative_to(folder)) for result in results]
    assert len(names) == 5
    assert names == [os.fspath(path.relative_to(folder)) for path in room.walk_images(folder)]
    by_name = dict(zip(names, results, strict=True))
    for good in ("아이린 콜린스.jpg", os.path.join("sub", "グレース.png")):
        assert by_name[good].error is None
        assert by_name[good].vectors.shape == (1, 128)
        assert by_name[good].crops.shape == (1, 112, 112, 3)
    for bad, kind in (
        ("truncated.jpg", ImageError),
        ("page.jpg", ImageError),
        ("empty room.jpg", NoFaceError),
    ):
        assert isinstance(by_name[bad].error, kind)
        assert bad in str(by_name[bad].error), "the message names the photo"
        assert by_name[bad].faces == []
        assert by_name[bad].vectors.shape == (0, 128)


def test_the_answer_does_not_depend_on_the_batch(folder):
    one = {r.path: r for r in fl.Pipeline(device="cpu", batch_size=1)(folder, progress=False)}
    many = {r.path: r for r in fl.Pipeline(device="cpu", batch_size=64)(folder, progress=False)}
    assert one.keys() == many.keys()
    for path, result in one.items():
        assert np.abs(result.crops.astype(int) - many[path].crops).max(initial=0) <= 1
        assert np.allclose(result.vectors, many[path].vectors, atol=2e-3)


def test_a_face_that_cannot_be_embedded_takes_no_other_photo_along(folder, monkeypatch):
    pipe = fl.Pipeline(device="cpu", batch_size=8)
    whole = pipe.embedder.raw

    def overflows(crops, mirror=False):
        vectors = whole(crops, mirror)
        return torch.where((crops.float().mean((1, 2, 3)) > 120)[:, None], torch.inf, vectors)

    monkeypatch.setattr(pipe.embedder, "raw", overflows)
    results = {result.path.name: result for result in pipe(folder, progress=False)}
    portraits = [results["아이린 콜린스.jpg"], results["グレース.png"]]
    means = [fl.Pipeline(device="cpu").one(result.path).crops.mean() for result in portraits]
    for mean, result in zip(means, portraits, strict=True):
        if mean > 120:
            assert "no direction" in str(result.error)
            assert result.path.name in str(result.error)
        else:
            assert result.error is None
            assert len(result.vectors) == 1
    assert min(means) < 120 < max(means), "one of the two overflows, one does not"


def test_a_photo_with_several_faces(pipe, astronaut, hopper):
    beside = np.zeros((600, 1024, 3), np.uint8)
    beside[:512, :512] = astronaut
    beside[:, 512:] = hopper
    result = pipe.one(beside)
    assert len(result.faces) == 2
    assert result.faces[0].area >= result.faces[1].area
    alone = [pipe.one(photo).vectors[0] for photo in (astronaut, hopper)]
    nearest = [int(np.argmax(np.stack(alone) @ vector)) for vector in result.vectors]
    assert sorted(nearest) == [0, 1], "each face of the double portrait finds itself"

    largest = fl.Pipeline(device="cpu", faces="largest").one(beside)
    assert len(largest.faces) == 1
    assert np.array_equal(largest.faces[0].box, result.faces[0].box)


def test_central_means_nearest_to_the_middle(astronaut):
    wide = np.zeros((512, 1400, 3), np.uint8)
    wide[:, :512] = astronaut
    small = np.asarray(Image.fromarray(astronaut).resize((300, 300)))
    wide[100:400, 560:860] = small  # smaller, and in the middle
    central = fl.Pipeline(device="cpu", faces="central").one(wide)
    assert 560 < central.faces[0].center[0] < 860


def test_memory_does_not_grow_with_the_number_of_photos(pipe, monkeypatch):
    """An endless stream: only so many photos are ever decoded ahead of the one being looked at."""
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield np.zeros((64, 64, 3), np.uint8)

    seen = list(itertools.islice(pipe(endless(), progress=False), 20))
    assert len(seen) == 20
    assert taken <= 20 + 3 * pipe.batch_size


def test_decoded_photos_wait_within_their_bytes(monkeypatch):
    monkeypatch.setattr(room, "MEMORY_AHEAD", 3 * 30_000)
    alive, most = 0, 0
    lock = threading.Lock()

    def slow_read(photo):
        nonlocal alive, most
        time.sleep(0.002 * (photo % 3))  # finish out of order
        with lock:
            alive += 1
            most = max(most, alive)
        return np.zeros((100, 100, 3), np.uint8)

    monkeypatch.setattr(room, "read", slow_read)
    order = []
    for source, _ in room._decoded(range(40), ahead=16, workers=4):
        order.append(source)
        with lock:
            alive -= 1
    assert order == list(range(40))
    assert most <= 3 + 4 + 1, "what fits, plus one for each thread"


def test_stopping_half_way_ends_the_threads(pipe, hopper):
    before = threading.active_count()
    stream = pipe(itertools.repeat(hopper), progress=False)
    next(stream)
    stream.close()
    assert threading.active_count() <= before


def test_verify_says_what_it_rests_on(astronaut, hopper):
    same = fl.verify(astronaut, np.asarray(Image.fromarray(astronaut).resize((400, 400))), device="cpu")
    assert same.same
    assert same.distance < 0.2
    different = fl.verify(astronaut, hopper, device="cpu")
    assert not different.same
    assert different.distance > different.threshold
    assert different.fmr.low <= different.fmr.value <= different.fmr.high
    assert different.fmr.value == pytest.approx(1e-3, rel=0.3), "the default threshold aims at 1 in 1,000"
    assert len(different.faces) == 2
    assert different.crops.shape == (2, 112, 112, 3)
    assert f"{different.distance:.4f}" in str(different)


def test_verify_with_a_threshold_of_ones_own(astronaut, hopper):
    r = fl.verify(astronaut, hopper, threshold=1.9, device="cpu")
    assert r.same
    assert r.fmr.value > 0.9
    stricter = fl.verify(astronaut, hopper, fmr=1e-4, device="cpu")
    assert stricter.threshold < fl.verify(astronaut, hopper, device="cpu").threshold
    with pytest.raises(ValueError, match="not both"):
        fl.verify(astronaut, hopper, threshold=0.5, fmr=1e-3)


def test_verify_names_the_photo_without_a_face(tmp_path, astronaut):
    blank = tmp_path / "blank.png"
    Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save(blank)
    with pytest.raises(NoFaceError, match=r"blank\.png"):
        fl.verify(astronaut, blank, device="cpu")


def test_verify_says_which_of_several_faces_it_took(astronaut, hopper):
    beside = np.zeros((600, 1024, 3), np.uint8)
    beside[:512, :512] = astronaut
    beside[:, 512:] = hopper
    answers = [fl.verify(beside, astronaut, face=(which, None), device="cpu") for which in (0, 1)]
    assert sorted(answer.same for answer in answers) == [False, True]
    assert "2 faces" in fl.verify(beside, astronaut, device="cpu").notes[0]
    with pytest.raises(NoFaceError, match="face=2"):
        fl.verify(beside, astronaut, face=(2, None), device="cpu")


def test_an_uncalibrated_pipeline_lends_no_threshold(astronaut, hopper):
    with pytest.raises(FacelabError, match="no calibrated threshold"):
        fl.verify(astronaut, hopper, device="cpu", crop="stretched")
    assert fl.verify(astronaut, hopper, threshold=0.5, device="cpu", crop="stretched").fmr is None


def test_cosine_distance():
    assert fl.cosine_distance([1, 0], [0, 2]) == pytest.approx(1)
    assert fl.cosine_distance([1, 0], [-3, 0]) == pytest.approx(2)
    assert fl.cosine_distance([[1, 0], [1, 1]], [5, 0]) == pytest.approx([0, 1 - np.sqrt(0.5)])
    vectors = np.random.default_rng(0).normal(size=(1000, 128)).astype(np.float32)
    assert np.all(fl.cosine_distance(vectors, vectors) >= 0), "rounding must not make it negative"
    for without_direction in ([0, 0], [np.nan, 1], [np.inf, 1]):
        with pytest.raises(ValueError, match="no direction"):
            fl.cosine_distance(without_direction, [1, 0])


def test_embed_takes_one_or_many_and_nothing_else(pipe, astronaut):
    crop = fl.align(astronaut, fl.detect(astronaut, device="cpu")[0])
    assert fl.embed([crop, crop], device="cpu").shape == (2, 128)
    assert fl.embed(np.zeros((0, 112, 112, 3), np.uint8), device="cpu").shape == (0, 128)
    assert np.array_equal(fl.embed(torch.from_numpy(crop), device="cpu"), fl.embed(crop, device="cpu"))
    assert fl.embed([], device="cpu").shape == (0, 128)
    for wrong in (astronaut, crop / 255.0, crop[..., 0], [crop, crop[:50]]):
        with pytest.raises(FacelabError, match="align"):
            fl.embed(wrong, device="cpu")


def test_wrong_options_name_the_right_ones():
    for options, named in (
        ({"detector": "haar"}, "yunet"),
        ({"embedder": "vgg"}, "sface"),
        ({"crop": "round"}, "aligned"),
        ({"faces": "best"}, "central"),
        ({"batch_size": 2.5}, "a whole number"),
        ({"min_score": float("nan")}, "between 0 and 1"),
        ({"device": "meta"}, "auto"),
    ):
        with pytest.raises((ValueError, FacelabError), match=named):
            fl.Pipeline(**{"device": "cpu"} | options)
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="auto"):
            fl.Pipeline(device="cuda")


def test_the_device_is_said(pipe):
    assert "cpu" in repr(pipe)
    assert "float32" in repr(pipe)


def test_a_string_that_is_no_folder_is_an_error_and_not_an_empty_run(pipe, tmp_path):
    with pytest.raises(ImageError, match="not a folder"):
        list(pipe(str(tmp_path / "nowhere")))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_gpu_and_cpu_agree(astronaut, hopper):
    cpu, gpu = fl.Pipeline(device="cpu"), fl.Pipeline(device="cuda")
    for photo in (astronaut, hopper):
        a, b = cpu.one(photo), gpu.one(photo)
        assert np.allclose(a.faces[0].box, b.faces[0].box, atol=1)
        assert fl.cosine_distance(a.vectors[0], b.vectors[0]) < 5e-3


def test_a_program_that_ends_with_a_half_read_stream_ends(tmp_path):
    """The decoding threads wait for room, and nobody will ever make any."""
    script = """
import numpy as np
from facelab import decoding as room
room.MEMORY_AHEAD = 30_000
big = np.zeros((100, 100, 3), np.uint8)
stream = room._decoded(iter([big] * 40), ahead=16, workers=2)
next(stream)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_a_locked_sub_folder_stops_nothing(pipe, folder, monkeypatch):
    real = os.scandir

    def locked(path):
        if os.path.basename(path) == "sub":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", locked)
    results = {os.path.basename(result.path): result for result in pipe(folder, progress=False)}
    assert "sub cannot be listed: Permission denied" in str(results["sub"].error)
    assert results["아이린 콜린스.jpg"].error is None


def test_one_photo_in_place_of_many_is_an_error(pipe, astronaut, tmp_path):
    for one in (astronaut, torch.from_numpy(astronaut), b"\xff\xd8\xff", io.BytesIO(b"\xff\xd8\xff")):
        with pytest.raises(ImageError, match="one photo"):
            pipe(one)
    assert len(list(pipe(np.stack([astronaut] * 2), progress=False))) == 2


def test_what_was_given_before_the_photos_failed_is_not_lost(pipe, astronaut, hopper):
    def photos():
        yield astronaut
        yield hopper
        raise OSError("the camera went away")

    results = pipe(photos(), progress=False)
    assert [len(next(results).faces) for _ in range(2)] == [1, 1]
    with pytest.raises(OSError, match="camera"):
        next(results)


def test_which_face_must_be_a_number_or_two(pipe, astronaut, hopper):
    assert pipe.verify(astronaut, hopper, face=[0, None]).faces
    for wrong in ("0", (0, 0, 0), (0.5, 0)):
        with pytest.raises(ValueError, match="the number of a face"):
            pipe.verify(astronaut, hopper, face=wrong)


def test_a_template_and_workers_that_do_not_exist(astronaut):
    with pytest.raises(ValueError, match="112x112"):
        fl.align(astronaut, [], template="64x64")
    with pytest.raises(ValueError, match="workers=0"):
        fl.Pipeline(device="cpu", workers=0)
