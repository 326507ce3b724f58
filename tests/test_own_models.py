"""Embedders and detectors that users bring: what they are given, must give, and what is bound to them."""

import numpy as np
import pytest
import torch
from torch import nn

import facelab as fl
from facelab.course import portraits
from facelab.detect import load as load_detector
from facelab.embed import OwnNetwork, load
from facelab.errors import FacelabError, GalleryError

CROPS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8))


def tiny(seed: int = 0, dim: int = 8) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 4, 7, 7), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(1024, dim))


def corners(crops):
    """An embedder of three lines: 12 pixels of the corners."""
    return crops[:, ::111, ::111].reshape(len(crops), -1).float() - 127


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_a_network_is_given_what_it_was_promised(order):
    net, mean, scale = tiny(), (10.0, 20.0, 30.0), (50.0, 60.0, 70.0)
    vectors = load(OwnNetwork(net, mean, scale, order))(CROPS).numpy()
    pixels = CROPS.numpy().astype(np.float64)[..., :: 1 if order == "RGB" else -1]
    images = torch.from_numpy(((pixels - mean) / scale).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        expected = net.double()(images).numpy()
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)


def test_the_order_of_colours_matters():
    net = tiny()
    assert not torch.allclose(
        load(OwnNetwork(net))(CROPS), load(OwnNetwork(net, order="BGR"))(CROPS), atol=1e-3
    )


def test_the_network_does_not_go_on_learning():
    net = tiny().train()
    before = net[1].running_mean.clone()
    load(OwnNetwork(net))(CROPS)
    assert torch.equal(net[1].running_mean, before)


def test_many_crops_give_what_each_gives_alone_and_none_gives_none():
    embedder = load(OwnNetwork(tiny()))
    many = CROPS.repeat(9, 1, 1, 1)
    alone = torch.cat([embedder(crop[None]) for crop in CROPS]).repeat(9, 1)
    torch.testing.assert_close(embedder(many), alone)
    assert embedder(CROPS[:0]).shape == (0, 8)
    assert embedder.dim == 8


def test_mirror_averages_raw_vectors():
    embedder = load(corners)
    raw = (corners(CROPS) + corners(CROPS.flip(2))) / 2
    torch.testing.assert_close(embedder(CROPS, mirror=True), raw / raw.norm(dim=1, keepdim=True))


def test_a_pipeline_with_models_of_ones_own(tmp_path):
    photo = portraits.collins()
    standard = fl.detect(photo)
    seen = []

    def watcher(photos):
        seen.extend(photos)
        return [standard for _ in photos]

    pipe = fl.Pipeline(detector=watcher, embedder=corners)
    result = pipe.one(photo)
    assert np.array_equal(seen[0], photo)
    assert isinstance(seen[0], np.ndarray)
    assert result.vectors.shape == (len(standard), 12)
    assert pipe.config == "watcher+aligned+corners"
    with pytest.raises(FacelabError, match="no calibrated threshold"):
        pipe.verify(photo, photo)
    verdict = pipe.verify(photo, photo, threshold=0.5)
    assert verdict.same
    assert verdict.fmr is None, "nobody has measured what this threshold is worth"


def test_a_gallery_is_bound_to_the_weights(tmp_path):
    path, photo = tmp_path / "g.hdf", portraits.collins()
    with fl.Gallery(path, pipeline=fl.Pipeline(embedder=OwnNetwork(tiny(0)))) as gallery:
        pid = gallery.enroll("Eileen Collins", photo)
        assert gallery.identify(photo, threshold=0.1).id == pid
    with fl.Gallery(path, pipeline=fl.Pipeline(embedder=OwnNetwork(tiny(0)))) as gallery:
        assert len(gallery.list()) == 1
    with pytest.raises(GalleryError, match="Sequential-"):
        fl.Gallery(path, pipeline=fl.Pipeline(embedder=OwnNetwork(tiny(1))))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda crops: crops.float().mean(), r"gave \(\) for 1 crops"),
        (lambda crops: torch.zeros(len(crops), 0), "one vector for each"),
        (lambda crops: torch.ones(3, 4), r"gave \(3, 4\) for 1 crops"),
        (lambda crops: [1, 2], "gave a list"),
        (lambda crops: crops.no_such_thing(), "failed on crops of shape"),
        (tiny(), "OwnNetwork"),  # eats (N, 3, H, W): the message says where to put it
    ],
)
def test_an_embedder_that_breaks_the_protocol_is_told(call, says):
    with pytest.raises(FacelabError, match=says):
        load(call)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_without_direction_is_an_error(value):
    with pytest.raises(FacelabError, match="no direction"):
        load(lambda crops: torch.full((len(crops), 4), value))(CROPS)


def test_one_bad_photo_does_not_take_the_others_along():
    calls = []

    def moody(crops):
        calls.append(len(crops))
        if len(calls) > 1 and len(crops) > 1:
            raise RuntimeError("too many")
        return corners(crops)

    photos = [portraits.collins(), portraits.collins()]
    results = list(fl.Pipeline(embedder=moody, faces="largest")(photos, progress=False))
    assert [result.error for result in results] == [None, None]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda photos: [], "one list of facelab.Face"),
        (lambda photos: [[(1, 2, 3, 4)] for _ in photos], "one list of facelab.Face"),
        (lambda photos: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_detector_that_breaks_the_protocol_is_told(call, says):
    result = fl.Pipeline(detector=call).one(portraits.collins())
    assert result.faces == []
    with pytest.raises(FacelabError, match=says):
        raise result.error


@pytest.mark.parametrize("name", ["a+b", "", "x" * 61, "two\nlines"])
def test_names_that_a_gallery_cannot_keep(name):
    with pytest.raises(ValueError, match="printable"):
        load_detector(type("Named", (), {"__call__": lambda self, photos: [], "name": name or "+"})())


def test_options_of_facelabs_own_networks_are_refused(tmp_path):
    with pytest.raises(ValueError, match="belong to"):
        fl.Pipeline(embedder=corners, weights=tmp_path / "w.pth")
    with pytest.raises(ValueError, match="belong to"):
        fl.Pipeline(embedder=corners, half=True)
    with pytest.raises(ValueError, match="min_score"):
        fl.Pipeline(detector=lambda photos: [], min_score=0.5)
    with pytest.raises(ValueError, match="order"):
        OwnNetwork(tiny(), order="GBR")
    with pytest.raises(ValueError, match="scale"):
        OwnNetwork(tiny(), scale=0)
