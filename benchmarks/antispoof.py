"""Presentation attack detection: training, and what it is worth against attacks that are simulated.

    python -m benchmarks.antispoof train      # the committed weights and their threshold
    python -m benchmarks.antispoof unseen     # each kind of attack left out of the training, two seeds
    python -m benchmarks.antispoof report     # the tables of benchmarks/results/antispoof.md, the card

LFW's photos are needed (`facelab data get lfw`). What takes long is kept in facelab's home and made again
when the code that makes it changes. Simulated attacks cannot show how a detector does on real ones.
"""

import argparse
import ast
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import facelab as fl
from benchmarks.common import machine, table
from facelab import calibration, metrics
from facelab.antispoof import attacks, camera, captures, crops, detector, fit, net, plane, quantities
from facelab.antispoof.captures import BONA_FIDE, Captures, take
from facelab.detect import Face
from facelab.download import home
from facelab.images import read_image

PEOPLE = {"train": 1000, "validation": 500, "test": 400}
"""Nobody is in two of them. Those of the test have a second photo, which is enrolled."""

SEEDS = (1, 2)
BPCER = 0.05
PACKAGE = Path(fl.__file__).parent / "antispoof"
RECIPE = replace(fit.RECIPE, epochs=12)


def people() -> dict[str, list[str]]:
    """Names of LFW's people, drawn into three parts."""
    photos = fl.datasets.lfw()
    rng = np.random.default_rng(12)
    several = [name for name, count in zip(photos.names, photos.counts, strict=True) if count > 1]
    test = sorted(rng.permutation(several)[: PEOPLE["test"]].tolist())
    rest = rng.permutation(sorted(set(photos.names) - set(test))).tolist()
    ends = PEOPLE["train"], PEOPLE["train"] + PEOPLE["validation"]
    return {"train": sorted(rest[: ends[0]]), "validation": sorted(rest[ends[0] : ends[1]]), "test": test}


@cache
def pipe() -> fl.Pipeline:
    torch.set_num_threads(1)
    return fl.Pipeline(device="cpu", faces="central")


def photos_of(names: Sequence[str]) -> tuple[list[tuple[np.ndarray, Face]], list[int]]:
    """The first photo of each with its face, and whose it is; those without a face are left out."""
    lfw, found, who = fl.datasets.lfw(), [], []
    for number, name in enumerate(names):
        photo = read_image(lfw.path(name, 1))
        faces = pipe().one(photo).faces
        if faces:
            found.append((photo, faces[0]))
            who.append(number)
    return found, who


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """A file in facelab's home, made where it is not there. Its name follows the code that makes it."""
    path = home() / "antispoof" / f"{name}-{_code()}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished.npz")
        make(unfinished)
        unfinished.rename(path)
    return path


@cache
def _code() -> str:
    """What the modules that make captures and train on them do, whatever their layout and docstrings."""
    told = hashlib.sha256()
    for module in (attacks, camera, captures, crops, plane, quantities, fit, net):
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [
                    one
                    for one in body
                    if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
                ]
        told.update(ast.dump(tree).encode())
    return told.hexdigest()[:12]


def training_captures() -> Captures:
    def make(path: Path) -> None:
        captures.make_captures(*photos_of(people()["train"]), seed=0, progress=True).save(path)

    return Captures.load(kept("train", make))


def validation_captures() -> Captures:
    """Bona fide ones only: a threshold is set by how many honest people are turned away."""

    def make(path: Path) -> None:
        found, who = photos_of(people()["validation"])
        captures.make_captures(found, who, bona_fide=2, kinds=(), seed=1, progress=True).save(path)

    return Captures.load(kept("validation", make))


TAKES = {
    "same": camera.Camera.draw,
    "other": camera.other_camera,
}
TWICE = "taken twice"
"""The control: a bona fide photo taken by two cameras, never once, and no attack in between."""


def test_set() -> dict[str, np.ndarray]:
    """Captures of people never seen, found by the detector as in use; the largest face is taken, as
    `verify` does.

    crops (N, 2, S, S, 3), kind, camera ("same", "other"), person, found (did the detector find a face?), and
    distance to the person's enrolled photo (cosine; 2 where no face was found).
    """

    def make(path: Path) -> None:
        lfw, names = fl.datasets.lfw(), people()["test"]
        found, who = photos_of(names)
        enrolled = {
            person: pipe().one(lfw.path(names[person], 2)).vectors for person in tqdm(who, desc="enrolled")
        }
        rows: dict[str, list] = {
            "crops": [],
            "kind": [],
            "camera": [],
            "person": [],
            "found": [],
            "distance": [],
        }
        for row, ((photo, face), person) in enumerate(zip(tqdm(found, desc="test"), who, strict=True)):
            behind = found[(row + 1) % len(found)]
            if not len(enrolled[person]):
                continue
            for place, (lens, draws) in enumerate(TAKES.items()):
                for number, kind in enumerate((BONA_FIDE, *attacks.KINDS, TWICE)):
                    rng = np.random.default_rng([2, row, place, number])
                    if kind == TWICE:
                        taken = draws(rng).apply(camera.Camera.draw(rng).apply(photo))
                    elif kind == BONA_FIDE:
                        taken = draws(rng).apply(photo)
                    else:
                        taken = take(photo, face, kind, rng, behind, draws)
                    result = largest(taken)
                    there = len(result.faces) > 0
                    rows["crops"].append(crops.pair(taken, result.faces[0] if there else face))
                    rows["kind"].append(kind)
                    rows["camera"].append(lens)
                    rows["person"].append(person)
                    rows["found"].append(there)
                    far = fl.cosine_distance(result.vectors[0], enrolled[person][0]) if there else 2.0
                    rows["distance"].append(far)
        np.savez(path, **{name: np.array(values) for name, values in rows.items()})

    with np.load(kept("test", make)) as file:
        return dict(file)


@cache
def _largest() -> fl.Pipeline:
    return fl.Pipeline(device="cpu", faces="largest")


def largest(photo: np.ndarray) -> fl.Result:
    return _largest().one(photo)


# ------------------------------------------------------------------ training


def threshold_of(trained: net.TwoScales) -> float:
    """What turns away BPCER of the bona fide captures of the validation's people."""
    return metrics.threshold_at_bpcer(net.scores(trained, validation_captures().crops), BPCER)


def count(its: Captures) -> int:
    """How many people there are."""
    return len(set(its.person.tolist()))


def train() -> None:
    """Weights and threshold into the package, and the hash into facelab/weights/known.py."""
    from safetensors.numpy import save

    learnt = training_captures()
    trained = fit.fit(
        learnt, RECIPE, lambda epoch, loss: print(f"epoch {epoch}: loss {loss:.3f}", flush=True)
    )
    state = {n: t.numpy() for n, t in trained.state_dict().items() if t.is_floating_point()}
    content = save(state)
    sha256 = hashlib.sha256(content).hexdigest()
    (PACKAGE / "antispoof.safetensors").write_bytes(content)
    judged = validation_captures()
    facts = {
        "threshold": threshold_of(trained),
        "bpcer": BPCER,
        "set_on": f"{len(judged)} bona fide captures of {count(judged)} people of LFW (validation)",
        "trained_on": f"{len(learnt)} captures of {count(learnt)} people of LFW (training)",
        "kinds": list(attacks.KINDS),
        "sha256": sha256,
        "recipe": {
            k: asdict(RECIPE)[k]
            for k in ("epochs", "batch_size", "optimizer", "lr", "weight_decay", "ema", "seed")
        },
        "command": "python -m benchmarks.antispoof train",
        "machine": machine(),
    }
    (PACKAGE / "antispoof.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    known = PACKAGE.parent / "weights" / "known.py"
    text = known.read_text(encoding="utf-8")
    entry = r'(file_name="antispoof.safetensors",\s+sha256=")[0-9a-f]+(",\s+size=)[\d_]+'
    known.write_text(re.sub(entry, rf"\g<1>{sha256}\g<2>{len(content):_}", text), encoding="utf-8")
    print(f"{len(content):,} bytes, SHA-256 {sha256}, threshold {facts['threshold']:.4f}")


# ------------------------------------------------------------------ each kind left out

SHORT = replace(RECIPE, epochs=5)
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "nothing": (),
    **{kind: (kind,) for kind in attacks.KINDS},
    "print and eyes": ("print", "eyes"),
}
"""Cut-out eyes are a print with holes: who leaves one out still trains on the other's paper. Hence the
last."""


def run_of(left: str, seed: int, border: bool = True) -> dict[str, np.ndarray]:
    """A short training without some kinds: scores of the test set, and its threshold."""

    def make(path: Path) -> None:
        judged, data, learnt = validation_captures().crops, test_set()["crops"], training_captures()
        learnt = learnt.without(*LEFT_OUT[left])
        if not border:
            judged, data = crops.without_border(judged), crops.without_border(data)
            learnt = replace(learnt, crops=crops.without_border(learnt.crops))
        trained = fit.fit(learnt, replace(SHORT, seed=seed))
        threshold = metrics.threshold_at_bpcer(net.scores(trained, judged), BPCER)
        np.savez(path, scores=net.scores(trained, data), threshold=threshold)

    name = f"run-{left.replace(' ', '_')}-{seed}{'' if border else '-no-border'}-{SHORT.epochs}"
    with np.load(kept(name, make)) as file:
        return dict(file)


def unseen() -> None:
    for seed in SEEDS:
        for left in LEFT_OUT:
            run_of(left, seed)
            print(f"without {left}, seed {seed}: done", flush=True)
    run_of("nothing", SEEDS[0], border=False)


# ------------------------------------------------------------------ tables


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def with_interval(statistic: Callable[[np.ndarray], float], person: np.ndarray) -> str:
    its = metrics.bootstrap_people(statistic, person)
    return f"{percent(its.value)} [{percent(its.low)}, {percent(its.high)}]"


def share_over(scores: np.ndarray, rows: np.ndarray, person: np.ndarray, threshold: float) -> str:
    """The share of these rows that passes, with its interval over people."""
    passed = scores[rows] >= threshold
    return with_interval(lambda drawn: float(passed[drawn].mean()), person[rows])


def rates_table(scores: np.ndarray, data: dict[str, np.ndarray], threshold: float) -> str:
    """APCER of each kind, BPCER, the control and ACER, on the training's kind of cameras and on others.

    An attack in which the detector found no face is none that was let through (and counted apart)."""
    kind, person, found = data["kind"], data["person"], data["found"].astype(bool)
    scores = np.where(found, scores, -1.0)
    lines = []
    for its in attacks.KINDS:
        cells = [
            share_over(scores, (kind == its) & (data["camera"] == lens), person, threshold) for lens in TAKES
        ]
        lines.append([f"APCER, {its}", *cells])
    for its, name in ((BONA_FIDE, "BPCER"), (TWICE, "BPCER, taken twice (control)")):
        cells = []
        for lens in TAKES:
            rows = (kind == its) & (data["camera"] == lens) & found
            turned = scores[rows] < threshold
            cells.append(
                with_interval(lambda drawn, turned=turned: float(turned[drawn].mean()), person[rows])
            )
        lines.append([name, *cells])
    cells = []
    for lens in TAKES:
        rows = (data["camera"] == lens) & (kind != TWICE) & (found | (kind != BONA_FIDE))

        def acer(drawn: np.ndarray, rows=rows) -> float:
            each = kind[rows][drawn]
            return metrics.attack_rates(scores[rows][drawn], each, threshold).acer

        cells.append(with_interval(acer, person[rows]))
    lines.append(["ACER (with the worst kind)", *cells])
    return table(["%", "cameras like the training's", "other cameras"], lines)


def control_auc(scores: np.ndarray, data: dict[str, np.ndarray]) -> str:
    rows = (data["camera"] == "same") & np.isin(data["kind"], (BONA_FIDE, TWICE)) & data["found"].astype(bool)
    once = data["kind"][rows] == BONA_FIDE

    def statistic(drawn: np.ndarray) -> float:
        return (
            metrics.auc(scores[rows][drawn], once[drawn])
            if 0 < once[drawn].sum() < len(drawn)
            else float("nan")
        )

    return with_interval(statistic, data["person"][rows])


def iapar_table(scores: np.ndarray, data: dict[str, np.ndarray], threshold: float) -> str:
    """Attacks made from one photo of a person, against the template of another photo of that person."""
    far, lines = calibration.threshold_for(pipe().config, None), []
    for its in (BONA_FIDE, *attacks.KINDS):
        rows = (data["kind"] == its) & (data["camera"] == "same")
        found = data["found"][rows].astype(bool)
        match, live = (data["distance"][rows] <= far) & found, (scores[rows] >= threshold) & found
        person = data["person"][rows]
        cells = [
            with_interval(lambda drawn, what=what: float(what[drawn].mean()), person)
            for what in (match, live, match & live)
        ]
        lines.append([its, percent(1 - found.mean()), *cells])
    return table(["%", "no face found", "match", "pass as living", "both (IAPAR of an attack)"], lines)


def unseen_table(data: dict[str, np.ndarray]) -> str:
    """APCER of each kind by what was left out of the training; both seeds' runs pooled in the interval."""
    lines = []
    for left, kinds in LEFT_OUT.items():
        cells = []
        runs = [run_of(left, seed) for seed in SEEDS]
        for its in attacks.KINDS:
            rows = (data["kind"] == its) & (data["camera"] == "same")
            found = data["found"][rows].astype(bool)
            passed = np.concatenate([(run["scores"][rows] >= run["threshold"]) & found for run in runs])
            person = np.tile(data["person"][rows], len(runs))
            cell = with_interval(lambda drawn, passed=passed: float(passed[drawn].mean()), person)
            cells.append(f"**{cell}**" if its in kinds else cell)
        rows = (data["kind"] == BONA_FIDE) & (data["camera"] == "same") & data["found"].astype(bool)
        cells.append(" / ".join(percent((run["scores"][rows] < run["threshold"]).mean()) for run in runs))
        lines.append([left, *cells])
    return table(["left out", *(f"APCER, {kind}" for kind in attacks.KINDS), "BPCER of the two"], lines)


def border_table(data: dict[str, np.ndarray], full: net.TwoScales, threshold: float) -> str:
    """What the border is worth: greyed out for the finished network, and from the start of a short
    training."""
    rows = data["camera"] == "same"
    grey = net.scores(full, crops.without_border(data["crops"]))
    seen = net.scores(full, data["crops"])
    short, blind = run_of("nothing", SEEDS[0]), run_of("nothing", SEEDS[0], border=False)
    columns = {
        "the network": (seen, threshold),
        "border greyed out": (grey, threshold),
        "short training": (short["scores"], short["threshold"]),
        "short training without borders": (blind["scores"], blind["threshold"]),
    }
    lines = []
    for its in (*attacks.KINDS, BONA_FIDE):
        its_rows = rows & (data["kind"] == its) & data["found"].astype(bool)
        passes = [float((scores[its_rows] >= edge).mean()) for scores, edge in columns.values()]
        if its == BONA_FIDE:
            lines.append(["BPCER", *(percent(1 - value) for value in passes)])
        else:
            lines.append([f"APCER, {its}", *(percent(value) for value in passes)])
    return table(["%", *columns], lines)


def drawn_table(full: net.TwoScales, threshold: float) -> str:
    """The network that learnt on photos, on people who are drawn."""
    from facelab.course import lesson12

    data = lesson12.drawn_captures(100, side=crops.SIDE).captures
    scores = net.scores(full, data.crops)
    cells = [percent((scores[data.kind == kind] >= threshold).mean()) for kind in (*attacks.KINDS, BONA_FIDE)]
    return table(
        ["%", *(f"APCER, {kind}" for kind in attacks.KINDS), "bona fide that pass"],
        [["drawn people", *cells]],
    )


def report() -> None:
    data, full = test_set(), detector.own_network()
    scores, threshold = net.scores(full, data["crops"]), detector.facts()["threshold"]
    count = len(set(data["person"].tolist()))
    main_table, iapar = rates_table(scores, data, threshold), iapar_table(scores, data, threshold)
    text = f"""# Presentation attack detection

Attacks are simulated (`facelab.antispoof.attacks`), and simulated attacks cannot show how a detector does
on real ones. `python -m benchmarks.antispoof report`; {machine()}.

All on {count} people of LFW who are in neither training nor validation. The threshold ({threshold:.4f})
was set on other people, where it turns away {BPCER:.0%} of bona fide captures, and is held fixed.
Intervals are 95 %, drawn over people.

## The committed network

{main_table}

An attack in which the detector finds no face counts as stopped. "Other cameras" are simulated too (softer,
sharpened by force, darker, noisier, harder compression: `camera.OTHER`); LFW's photos come from many
cameras, but a press photo is not what a door's camera takes. The control: AUC between bona fide photos
taken once and taken twice, %: {control_auc(scores, data)}.
50 would say that it does not see how often a photo was taken.

## The unseen attack

Short trainings ({SHORT.epochs} epochs in place of {RECIPE.epochs}), two seeds each, pooled; in bold what
was not in the training.

{unseen_table(data)}

## Together with recognition

The enrolled template is another photo of the same person; SFace at its default threshold.

{iapar}

## What the border is worth

{border_table(data, full, threshold)}

## Drawn people

{drawn_table(full, threshold)}
"""
    (Path(__file__).parent / "results" / "antispoof.md").write_text(text, encoding="utf-8")
    (PACKAGE / "MODEL_CARD.md").write_text(card(main_table, count), encoding="utf-8")
    print(text)


def card(figures: str, count: int) -> str:
    facts = detector.facts()
    return f"""# facelab's detector of presentation attacks

Trained and measured on simulated attacks, which cannot show how it does on real ones. It guards no door.

- Weights: `antispoof.safetensors`, SHA-256 `{facts["sha256"]}`; threshold {facts["threshold"]:.4f}
(`antispoof.json`)
- Made by `{facts["command"]}` ({facts["machine"]}). Another processor or torch may round otherwise
  and give other bytes.
- Network: `net.py`, 96,449 numbers; two crops of 80 × 80, 1.1 and 2.2 times the longer side of the face's box
- Learnt from: {facts["trained_on"]}: of each person two bona fide captures, one print, one replay,
  one print with cut-out eyes, one recompressed file. Nobody is in two of training, validation and test.
- Threshold set on: {facts["set_on"]}, BPCER {facts["bpcer"]:.0%}
- Licence: MIT; LFW's photos, from which it learnt, are a research data set and stay with their owners

## Figures, %, with 95 % intervals over the {count} people of the test

{figures}

More, among it the unseen attack, which is the figure that counts: `benchmarks/results/antispoof.md`.

## What it must not be used for

To let anybody in, or to keep anybody out. It has never seen a real print, a real screen, or a mask. Bona
fide photos of low quality (hard compression, bad light) are refused more often; whether it refuses some
groups of people more often than others was not measured.
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "unseen", "report"))
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    {"train": train, "unseen": unseen, "report": report}[asked.what]()


if __name__ == "__main__":
    main()
