"""The training loop: seeded, stoppable, watchable, and it learns."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from facelab import losses
from facelab.training import (
    Stop,
    balanced_batches,
    embeddings_of,
    fit,
    seeded,
    shuffled_batches,
    small_cnn,
    toy_net,
)


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    keep = data.target < 8
    return (data.images[keep][:600] / 16).astype(np.float32), data.target[keep][:600]


def run(digits, head=losses.ArcFace, seed=0, epochs=6, **options):
    with seeded(seed):
        net = toy_net(64)
        loss = head(2, 8, s=16.0, m=0.2) if head is losses.ArcFace else head
    options = {"seed": seed, "device": "cpu", "progress": False} | options
    return fit(net, loss, *digits, epochs=epochs, **options), net


def test_it_learns(digits):
    history, _ = run(digits, epochs=15)
    assert history.snapshots[0].accuracy < 0.4
    assert history.snapshots[-1].accuracy > 0.85
    assert np.mean(history.loss[-9:]) < 0.5 * np.mean(history.loss[:9])
    assert len(history.snapshots) == 16
    assert history.snapshots[3].embeddings.shape == (600, 2)
    assert history.snapshots[3].weight.shape == (8, 2)
    assert "cpu" in history.device


def test_the_same_seed_gives_the_same_run_and_another_another(digits):
    a, b, c = (run(digits, seed=seed, epochs=2)[0].loss for seed in (0, 0, 1))
    assert a == b
    assert a != c


def test_a_loss_that_draws_is_seeded_too(digits):
    def elastic():
        with seeded(3):
            return losses.ElasticFace(2, 8)

    assert run(digits, elastic(), epochs=1)[0].loss == run(digits, elastic(), epochs=1)[0].loss


def test_the_world_outside_keeps_its_random_numbers(digits):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(digits, epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_stop_ends_the_run_and_keeps_what_was_learnt(digits):
    stop = Stop()
    history, _ = run(
        digits, epochs=50, stop=stop, on_epoch=lambda snapshot, _: snapshot.epoch == 2 and stop.set()
    )
    assert history.stopped
    assert len(history.snapshots) == 4, "the start, two whole epochs, and where it stopped"


def test_every_head_goes_through_the_loop(digits):
    for name, head in losses.HEADS.items():
        with seeded(0):
            loss = head(2, 8)
        history, _ = run(digits, loss, epochs=1)
        assert np.isfinite(history.loss).all(), name
        assert history.snapshots[-1].embeddings.shape == (600, 2), name


@pytest.mark.parametrize("loss", [losses.TripletLoss(mining="semi-hard"), losses.ContrastiveLoss()])
def test_losses_over_tuples_with_balanced_batches(digits, loss):
    labels = torch.as_tensor(digits[1])
    history, net = run(
        digits, loss, epochs=4, batches=lambda epoch, generator: balanced_batches(labels, 8, 8, 9, generator)
    )
    assert np.isnan(history.snapshots[-1].accuracy)
    assert history.snapshots[-1].weight is None
    vectors = torch.nn.functional.normalize(embeddings_of(net, digits[0]))
    same = labels[:, None] == labels[None]
    cosines = vectors @ vectors.T
    assert cosines[same].mean() > cosines[~same].mean() + 0.4


def test_balanced_batches_hold_what_they_promise():
    labels = torch.tensor([0] * 3 + [1] * 9 + [2] * 5)
    for rows in balanced_batches(labels, 2, 4, 20, torch.Generator().manual_seed(0)):
        who, counts = labels[rows].unique(return_counts=True)
        assert len(who) == 2
        assert counts.tolist() == [4, 4]


def test_shuffled_batches_show_every_sample_once():
    batches = list(shuffled_batches(130, 64, torch.Generator().manual_seed(0)))
    assert sorted(torch.cat(batches).tolist()) == list(range(130))
    lonely = list(shuffled_batches(129, 64, torch.Generator().manual_seed(0)))
    assert [len(rows) for rows in lonely] == [64, 64], "one sample alone has no variance"


def test_a_sampler_that_adapts(digits):
    sampler = losses.AdaptiveSampler(600)

    def batches(epoch, generator):
        yield from torch.tensor(list(sampler)).split(64)

    with seeded(0):
        head = losses.ArcFace(2, 8, s=16.0, m=0.1)
    labels = torch.as_tensor(digits[1])

    def update(rows, embeddings):
        sampler.update(rows, head.logits(embeddings).argmax(1) == labels[rows])

    run(digits, head, epochs=6, batches=batches, after_batch=update)
    assert sampler.weights.min() < 0.5 < sampler.weights.max()


def test_a_loss_that_explodes_says_so(digits):
    with pytest.raises(ValueError, match="lower lr"):
        run(digits, losses.Softmax(2, 8), lr=1e30)


def test_small_cnn_and_snapshots_of_some(digits):
    with seeded(0):
        net, head = small_cnn(16, width=8), losses.CosFace(16, 8, s=16.0, m=0.1)
    images = torch.as_tensor(digits[0])[:, None]
    history = fit(net, head, images, digits[1], epochs=2, device="cpu", progress=False, keep=np.arange(5))
    assert history.snapshots[-1].embeddings.shape == (5, 16)
    assert history.snapshots[-1].accuracy > 0.5
