"""Classes in pieces: two processes give what one gives, and one gives what the ordinary head gives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from facelab import losses
from facelab.training.sharded import ShardedHead
from tests import two_processes as two

SCRIPT = Path(two.__file__)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Every head in two gloo processes on this machine, and in this process alone."""
    folder = tmp_path_factory.mktemp("gloo")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    environment["PYTHONPATH"] = os.pathsep.join([str(SCRIPT.parents[1]), environment.get("PYTHONPATH", "")])
    started = [
        subprocess.Popen(
            [sys.executable, SCRIPT, folder / "store", str(rank), "2", folder / "out.pt"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        errors = [process.communicate(timeout=180)[1] for process in started]
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(errors)
    return torch.load(folder / "out.pt", weights_only=True), two.everything(0, 1)


RUNS = [(name, sample, "sgd") for name in two.HEADS for sample in (1.0, 0.3)]
RUNS += [("ArcFace", 0.3, "adamw"), ("SubCenterArcFace", 1.0, "adamw")]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run[0]}-{run[1]}-{run[2]}")
def test_two_processes_give_the_losses_and_weights_of_one(both, run):
    theirs, alone = (found[run] for found in both)
    assert theirs["curve"] == pytest.approx(alone["curve"], rel=1e-8)
    assert theirs["curve"][0] != pytest.approx(theirs["curve"][2], rel=1e-6), "something is learnt"
    for part in ("net", "head"):
        assert theirs[part].keys() == alone[part].keys()
        for name, tensor in alone[part].items():
            torch.testing.assert_close(theirs[part][name], tensor, rtol=1e-7, atol=1e-9, msg=f"{part} {name}")


@pytest.mark.parametrize("name", two.HEADS)
def test_one_process_without_sampling_is_the_ordinary_head(name):
    inputs, labels = two.data()
    x = inputs[0, :, : two.DIM].clone().requires_grad_()
    head = ShardedHead(name, two.DIM, two.CLASSES, seed=3).double()
    plain = losses.HEADS[name](two.DIM, two.CLASSES).double()
    plain.weight.data.copy_(head.weight)
    torch.manual_seed(5)
    value = head(x, labels[0])
    value.backward()
    y = x.detach().clone().requires_grad_()
    torch.manual_seed(5)
    expected = plain(y, labels[0])
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(head.rows.grad, plain.weight.grad, rtol=1e-8, atol=1e-12)
    for key, buffer in plain.named_buffers():
        torch.testing.assert_close(dict(head.head.named_buffers())[key], buffer)


def test_classes_outside_a_step_do_not_move_and_take_no_room():
    head = ShardedHead("CosFace", 4, 5000, sample=0.05)
    optimizer = torch.optim.SGD(head.parameters(), 1.0, momentum=0.9, weight_decay=0.1)
    for step in range(3):
        before = head.weight.clone()
        loss = head(torch.randn(8, 4), torch.arange(8) * 7, step)
        loss.backward()
        with head.rows_of(optimizer):
            optimizer.step()
        assert 150 < len(head.taken) < 360
        assert set((torch.arange(8) * 7).tolist()) <= set(head.taken.tolist()), "the batch's own are in"
        moved = (head.weight != before).any(1).nonzero().squeeze(1)
        assert moved.tolist() == head.taken.tolist()
        assert head.rows.grad.shape == (len(head.taken), 4)


def test_sampling_changes_the_loss_little_and_draws_anew_each_step():
    head = ShardedHead("CosFace", 8, 4000, sample=0.5, s=8.0)
    x, y = torch.randn(32, 8), torch.randint(4000, (32,))
    sampled = [float(head(x, y, step).detach()) for step in range(6)]
    whole = ShardedHead("CosFace", 8, 4000, s=8.0)
    assert len(set(sampled)) == 6
    difference = float(whole(x, y).detach()) - sum(sampled) / 6
    assert difference == pytest.approx(0.69, abs=0.05), "half of the others: the sum falls by a half, log 2"


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="GroupFace cannot be sharded: it makes the embedding itself"):
        ShardedHead("GroupFace", 4, 10)
    with pytest.raises(ValueError, match="hard_prototypes"):
        ShardedHead("AdaptiveFace", 4, 10, hard_prototypes=2)
    with pytest.raises(ValueError, match="sample=0"):
        ShardedHead("ArcFace", 4, 10, sample=0)
    with pytest.raises(ValueError, match=r"labels must lie in 0 … 9; got 3 … 10"):
        ShardedHead("ArcFace", 4, 10)(torch.randn(2, 4), torch.tensor([3, 10]))
