"""The loop in earnest: it learns, it goes on where it was ended, it says what does not fit."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import facelab as fl
from facelab.course import drawn
from facelab.errors import FacelabError, WeightsError
from facelab.training import (
    Recipe,
    Split,
    Stop,
    checkpoint,
    crops_of,
    judge,
    logs,
    optimise,
    processes,
    split,
    to_onnx,
    train,
)
from tests import trainer_for_killing as run_of

SCRIPT = Path(run_of.__file__)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody interrupts: 36 steps."""
    return run_of.run(tmp_path_factory.mktemp("whole") / "out")


def losses(folder: Path) -> list[float]:
    return [float(row["loss"]) for row in logs.read(folder / logs.STEPS)]


def test_a_run_leaves_what_it_promises(whole):
    assert not whole.stopped
    files = "MODEL_CARD.md card.json checkpoint.safetensors epochs.csv model.safetensors steps.csv"
    assert sorted(path.name for path in whole.folder.iterdir()) == files.split()
    assert losses(whole.folder) == pytest.approx(whole.losses.tolist(), rel=1e-12)
    card = json.loads((whole.folder / "card.json").read_text())
    assert Recipe.from_json(json.dumps(card["recipe"])) == run_of.RECIPE
    assert card["figures"]["people"] == 11
    assert card["data"]["people"] == 33
    text = (whole.folder / "MODEL_CARD.md").read_text()
    assert "198 photos of 33 people (drawn people)" in text
    assert "ElasticFace (s = 16.0) and a teacher" in text
    assert f"{whole.figures.eer:.2%}" in text
    assert whole.figures.eer_interval[0] <= whole.figures.eer <= whole.figures.eer_interval[1]


@pytest.mark.parametrize("steps", [1, 9, 16])
def test_killed_and_resumed_it_has_the_losses_of_an_unbroken_run(whole, tmp_path, steps):
    out = tmp_path / "out"
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    environment["PYTHONPATH"] = os.pathsep.join([str(SCRIPT.parents[1]), environment.get("PYTHONPATH", "")])
    started = subprocess.Popen([sys.executable, SCRIPT, out], env=environment)
    until = time.monotonic() + 120
    while (
        time.monotonic() < until and started.poll() is None and not (out / "checkpoint.safetensors").exists()
    ):
        time.sleep(0.01)
    while time.monotonic() < until and started.poll() is None and len(losses(out)) < steps:
        time.sleep(0.002)
    started.send_signal(signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL, "it was still running"
    assert len(losses(out)) >= checkpoint.read(out).told["step"], "the log reaches as far as the checkpoint"
    resumed = run_of.run(out, resume=True)
    assert 0 < len(resumed.losses) < len(whole.losses)
    assert losses(out) == pytest.approx(whole.losses.tolist(), rel=1e-6)
    assert resumed.figures.eer == pytest.approx(whole.figures.eer, abs=1e-6)


def test_two_processes_train_as_one(whole, tmp_path):
    """Not to the last digit, as each batch norm sees half a batch; the files are those of one run."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    script = tmp_path / "two.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom facelab.training import processes\n"
        "from tests.trainer_for_killing import run\nprocesses.join()\n"
        f"run(Path({str(tmp_path / 'out')!r}), judge_every=2)\nprocesses.leave()\n"
    )
    environment["PYTHONPATH"] = str(SCRIPT.parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1",
         "--master-port=0", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", script],
        env=environment, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = losses(tmp_path / "out")
    assert len(theirs) == len(whole.losses)
    assert np.mean(theirs[-12:]) < 0.9 * np.mean(theirs[:12])
    with pytest.warns(UserWarning, match="first use"):
        assert fl.Pipeline(embedder=str(tmp_path / "out"), device="cpu").embedder.dim == 128


def test_a_stopped_run_keeps_a_checkpoint_and_no_model(tmp_path):
    stop = Stop()
    stopped = run_of.run(
        tmp_path / "out", stop=stop, on_step=lambda step, _: stop.set() if step == 4 else None
    )
    assert stopped.stopped
    assert len(stopped.losses) == 5
    assert stopped.figures is None
    with pytest.raises(WeightsError, match=r"without model\.safetensors.*--resume"):
        fl.Pipeline(embedder=tmp_path / "out")
    with pytest.raises(FacelabError, match="holds a run already"):
        run_of.run(tmp_path / "out")


@pytest.mark.filterwarnings("ignore:.*first use")
def test_it_learns_faces_that_it_can_tell_from_others_and_the_file_is_an_embedder(tmp_path):
    people = drawn.identities(60)
    who = np.repeat(np.arange(60), 8)
    crops = crops_of(drawn.photos(people, who), who, [f"{n:02d}" for n in range(60)])
    recipe = Recipe(epochs=14, batch_size=64, head_options={"s": 16.0, "m": 0.1})
    before, after = (
        train(
            crops,
            tmp_path / name,
            replace(recipe, **its),
            held_out=0.2,
            device="cpu",
            progress=False,
            resamples=0,
        )
        for name, its in (("a", {"epochs": 1, "lr": 1e-9}), ("b", {}))
    )
    assert after.figures.eer < 0.6 * before.figures.eer
    pipe = fl.Pipeline(embedder=tmp_path / "b", device="cpu")
    vectors = pipe.embed(crops.images()[:4])
    assert pipe.config.startswith("yunet+aligned+thumbnet-")
    assert to_onnx(tmp_path / "b", tmp_path / "b.onnx") < 1e-4
    onnx = fl.Pipeline(embedder=tmp_path / "b.onnx", device="cpu")
    np.testing.assert_allclose(onnx.embed(crops.images()[:4]), vectors, atol=1e-4)
    with pytest.raises(FacelabError, match="cannot be written"):
        to_onnx(tmp_path / "b", tmp_path / "nowhere" / "b.onnx")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_too(tmp_path, whole, precision):
    recipe = replace(run_of.RECIPE, precision=precision, channels_last=True)
    half = train(
        run_of.crops(), tmp_path / "out", recipe, held_out=0.25, device="cpu", progress=False, resamples=0
    )
    assert half.losses[0] == pytest.approx(
        whole.losses[0], rel=0.02
    )  # float16 skips steps until its scale fits
    assert half.losses.tolist() != whole.losses[: len(half.losses)].tolist()
    assert np.mean(half.losses[-12:]) < 0.9 * np.mean(half.losses[:12])


def test_what_does_not_fit_is_said(tmp_path):
    crops = run_of.crops()

    def attempt(recipe, **options):
        return train(crops, tmp_path / "out", recipe, device="cpu", progress=False, **options)

    with pytest.raises(ValueError, match=r"teacher's vectors have 128 numbers.*set dim=128"):
        attempt(Recipe(dim=64, distil=1.0, head=None))
    with pytest.raises(ValueError, match=r"photos are left to train on\. Lower min_photos"):
        attempt(Recipe(min_photos=50))
    with pytest.raises(FacelabError, match=r"Begin without --resume"):
        attempt(Recipe(), resume=True)
    for wrong, said in (
        ({"backbone": "resnet"}, "choose one of iresnet18"),
        ({"head": "Arcface"}, "choose one of Softmax"),
        ({"head": "GroupFace"}, "makes the embedding itself"),
        ({"head": None}, "nothing would teach"),
        ({"people": 5}, "must be a multiple of it"),
        ({"precision": "fp8"}, "bfloat16"),
        ({"sample": 0.0}, "above 0 and at most 1"),
        ({"distil": -1.0}, "distil=-1.0"),
        ({"dim": 0}, "dim ≥ 2"),
        ({"min_photos": 0}, "min_photos ≥ 1"),
        ({"weight_decay": -1.0}, "weight_decay ≥ 0"),
        ({"clip": -1.0}, "clip ≥ 0"),
        ({"people": -4}, "must be a multiple of it"),
        ({"head": "Softmax", "head_options": {"m": 0.3}}, "'Softmax' has no m; what can be set is bias"),
        ({"head": "SubCenterArcFace", "head_options": {"n": 1}}, r"has no n; what can be set is K, s, m, "),
    ):
        with pytest.raises(ValueError, match=said):
            Recipe(**wrong)
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) at step .*lower lr than 1e\+08"):
        attempt(Recipe(lr=1e8, clip=0, warm_up=0, epochs=5, optimizer="sgd", batch_size=16))


def test_another_recipe_or_other_data_cannot_go_on(tmp_path):
    stop = Stop()
    stop.set()
    run_of.run(tmp_path / "out", stop=stop)
    crops = run_of.crops()

    def on(crops=crops, recipe=run_of.RECIPE, **options):
        return train(crops, tmp_path / "out", recipe, device="cpu", progress=False, resume=True, **options)

    with pytest.raises(FacelabError, match=r"another recipe: lr 0\.003 → 0\.001"):
        on(recipe=replace(run_of.RECIPE, lr=1e-3), held_out=0.25)
    with pytest.raises(FacelabError, match="other people kept back"):
        on(held_out=0.5)
    with pytest.raises(FacelabError, match="other crops"):
        on(replace(crops, sha256="0" * 64), held_out=0.25)
    its = split(crops, 0.25)
    with pytest.raises(FacelabError, match=r"other photos to learn from \(near=, held_out=\)"):
        on(held_out=replace(its, train=np.setdiff1d(its.train, its.train[:6])))
    checkpoint = tmp_path / "out" / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"checkpoint.safetensors: damaged"):
        on(held_out=0.25)


def test_tensorboard_gets_what_the_csv_gets(tmp_path, monkeypatch):
    options = {
        "recipe": replace(run_of.RECIPE, epochs=1),
        "device": "cpu",
        "progress": False,
        "tensorboard": True,
    }
    train(run_of.crops(), tmp_path / "out", **options)
    assert list((tmp_path / "out" / "tensorboard").glob("events.*"))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(FacelabError, match="pip install tensorboard"):
        train(run_of.crops(), tmp_path / "other", **options)


def test_decay_is_for_matrices_only_and_the_rate_goes_up_then_down():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4), nn.Flatten(), nn.Linear(4, 2))
    recipe = Recipe(optimizer="sgd", weight_decay=0.1, lr=0.2, warm_up=0.1)
    decayed, left = optimise.optimizer(recipe, net).param_groups
    assert [p.shape for p in decayed["params"]] == [(4, 3, 3, 3), (2, 4)]
    assert (decayed["weight_decay"], left["weight_decay"], len(left["params"])) == (0.1, 0.0, 5)
    rates = [optimise.rate(recipe, step, 100) for step in range(100)]
    assert np.argmax(rates) == 10
    assert rates[10] == pytest.approx(0.2)
    assert (np.diff(rates[:11]) > 0).all()
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[-1] < 1e-3 * rates[10]


def test_a_short_run_with_a_running_mean_is_near_the_one_without(tmp_path):
    """At 0.999, 36 steps would keep 97 % of the first step's weights."""
    plain, mean = (
        train(run_of.crops(), tmp_path / str(ema), replace(run_of.RECIPE, ema=ema, distil=0.0, epochs=6),
              held_out=0.25, device="cpu", progress=False, resamples=0)
        for ema in (0.0, 0.999)
    )  # fmt: skip
    assert mean.losses.tolist() == plain.losses.tolist()
    assert mean.figures.eer == pytest.approx(plain.figures.eer, abs=0.03)


def test_the_running_mean_grows_old_and_only_where_it_is_asked_to():
    net = nn.Linear(1, 1, bias=False)
    means = [optimise.running_mean(Recipe(ema=0.9), net, young) for young in (True, False)]
    expected = [0.0, 0.0]
    for step in range(120):
        nn.init.constant_(net.weight, float(step))
        for which, decay in enumerate((min(0.9, (1 + step) / (10 + step)), 0.9)):
            means[which].update_parameters(net)
            expected[which] = step if step == 0 else decay * expected[which] + (1 - decay) * step
    assert [mean.module.weight.item() for mean in means] == pytest.approx(expected, rel=1e-5)


def test_few_pairs_give_no_rate_and_no_nan(tmp_path):
    crops = run_of.crops()
    its = split(crops, 0.25)
    few = judge.pairs_of(its.held, crops.identity)
    some = np.concatenate([np.flatnonzero(few.same), np.flatnonzero(~few.same)[:900]])
    few = judge.Pairs(few.a[some], few.b[some], few.same[some], few.who_a[some], few.who_b[some])
    trained = train(
        crops, tmp_path / "out", replace(run_of.RECIPE, epochs=2), held_out=its, pairs=few, device="cpu",
        progress=False, resamples=20,
    )  # fmt: skip
    assert trained.figures.tar_at_1e_2 is trained.figures.tar_interval is None
    assert trained.figures.eer_interval is not None
    assert "TAR" not in str(trained.figures)
    figures = json.loads((tmp_path / "out" / "card.json").read_text(), parse_constant=pytest.fail)["figures"]
    assert figures["tar_at_1e_2"] is None
    assert "| TAR at FMR 1 % | too few pairs | – |" in (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert [row["tar_at_1e_2"] for row in logs.read(tmp_path / "out" / logs.EPOCHS)] == [""]


def test_a_batch_that_processes_cannot_share_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "world", lambda: 4)
    for recipe, said in (
        (Recipe(batch_size=512), "198 photos of 33 people make batches of 198, which 4 processes"),
        (Recipe(batch_size=100, people=50), "make batches of 66"),
        (Recipe(batch_size=4), "two at least"),
    ):
        with pytest.raises(ValueError, match=said):
            train(run_of.crops(), tmp_path / "out", recipe, held_out=0.25, device="cpu", progress=False)


def test_a_full_disk_leaves_the_checkpoint_from_before_if_any_and_nothing_beside_it(tmp_path, monkeypatch):
    def full(target, data):
        target.with_name(f"{target.name}.new").write_bytes(data[:99])
        raise OSError(28, "No space left on device")

    out, written = tmp_path / "out", checkpoint.write_atomically
    monkeypatch.setattr(checkpoint, "write_atomically", full)
    with pytest.raises(FacelabError, match=r"\(No space left on device\)\. Make room\.$"):
        run_of.run(out)
    monkeypatch.setattr(checkpoint, "write_atomically", written)
    stop = Stop()
    stop.set()
    run_of.run(out, stop=stop)
    monkeypatch.setattr(checkpoint, "write_atomically", full)
    with pytest.raises(FacelabError, match="the one from before is whole, and --resume goes on from it"):
        run_of.run(out, resume=True)
    assert not list(out.glob("*.new"))
    assert checkpoint.read(out).told["step"] == 1


def test_whoever_is_kept_back_is_in_no_batch_under_any_name(tmp_path):
    people = drawn.identities(10)
    who = np.repeat(np.arange(10), 4)
    vectors = np.eye(12, dtype=np.float32)[who]
    vectors[5] = vectors[38]  # person 1's second photo is one of person 9
    crops = replace(
        crops_of(drawn.photos(people, who), who, [f"{n}" for n in range(10)], vectors),
        config="yunet+aligned+sface",
    )
    its = split(crops, ["9", "3"])
    assert set(crops.identity[its.held]) == {3, 9}
    assert its.dropped.tolist() == [5]
    assert sorted([*its.train, *its.held, *its.dropped]) == list(range(40))
    assert "1 photos as close" in its.notes[1]
    assert not set(its.train) & set(its.held)
    more = split(replace(crops, names=(*crops.names, "new")), 0.3)
    less = split(crops, 0.3)
    assert set(crops.identity[less.held]) <= set(crops.identity[more.held]) | {10}, "a name stays on its side"
    with pytest.raises(FacelabError, match=r"nobody: to be kept back, but not in"):
        split(crops, ["nobody"])
    with pytest.raises(FacelabError, match="list of people to be kept back is empty"):
        split(crops, [])
    only = Split(np.arange(4), its.held, np.arange(4, 8), ())
    with pytest.raises(
        ValueError, match=r"1 person is left .* 4 more look like somebody kept back \(near=\)"
    ):
        train(crops, tmp_path / "out", Recipe(), held_out=only, device="cpu", progress=False)
