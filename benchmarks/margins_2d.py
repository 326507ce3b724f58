"""The measurements that lesson 03 states: eight people in the plane, each loss over several seeds.

    python benchmarks/margins_2d.py [--seeds 5] [--starts 8]

Spread: mean angle of a photo to its class's mean direction. Between: the two closest centres. Degrees, mean ±
standard deviation over seeds; everything on one thread, a second or so a run.
"""

import argparse

import numpy as np

from facelab import training
from facelab.course.widgets import fan

EASED = {"base": 100.0, "gamma": 1.0, "lambda_min": 0.0}

EVEN = [
    ("Softmax", {}),
    ("ModifiedSoftmax", {}),
    *(("SphereFace", {"m": m, "anneal": False}) for m in (2, 4)),
    *(("CosFace", {"s": 64.0, "m": m}) for m in (0.2, 0.35)),
    *(("ArcFace", {"s": 64.0, "m": m}) for m in (0.0, 0.3, 0.5, 0.7, 0.9)),
    ("ArcFace", {"s": 64.0, "m": 0.5, "gradient": "detached"}),
    *(("ArcFace", {"s": s, "m": m}) for m in (0.0, 0.5) for s in (4.0, 8.0, 16.0, 32.0, 128.0)),
]
RANDOM = [
    ("ModifiedSoftmax", {}),
    ("SphereFace", {"m": 4, "anneal": False}),
    ("SphereFace", {"m": 4, **EASED}),
    ("ArcFace", {"s": 64.0, "m": 0.0}),
    ("ArcFace", {"s": 64.0, "m": 0.5}),
]


def own_share(run: fan.Run) -> float:
    """Share of the photos learnt from that lie nearest to their own centre."""
    cos = fan.unit(run.last.embeddings) @ fan.unit(run.last.weight).T
    return float((cos.argmax(axis=1) == run.toy.labels).mean())


def row(toy: fan.Toy, loss: str, options: dict, seeds: int, even: bool) -> str:
    runs = [fan.train(toy, loss, seed=seed, even=even, **options) for seed in range(seeds)]
    cells = [
        (np.mean(values), np.std(values, ddof=1))
        for values in (
            [run.last.spread for run in runs],
            [run.last.held_spread for run in runs],
            [run.last.between for run in runs],
            [run.last.length for run in runs],
        )
    ]
    whole = sum(own_share(run) > 0.999 for run in runs)
    name = " ".join([fan.title(loss, **options), *(str(options[k]) for k in ("gradient",) if k in options)])
    if loss == "SphereFace":
        name += " at once" if "base" not in options else " eased in"
    numbers = "".join(f"{mean:9.2f} ± {deviation:4.2f}" for mean, deviation in cells)
    return f"{name:28}{numbers}{whole:6} of {seeds}"


def follow_the_length(toy: fan.Toy, seed: int) -> tuple[float, float, float]:
    """Spread of modified softmax; of s·cos θ whose s is at each epoch the mean ‖x‖ that modified softmax had
    there; and of s·cos θ with s fixed at the last of these."""
    free = fan.train(toy, "ModifiedSoftmax", seed=seed)
    lengths = [max(1.0, frame.length) for frame in free.frames]
    net, head = fan.build("CosFace", toy, seed, True, {"s": lengths[1], "m": 0.0})

    def scale(snapshot: training.Snapshot, history: training.History) -> None:
        head.s = lengths[min(snapshot.epoch + 1, len(lengths) - 1)]

    history = training.fit(
        net, head, toy.inputs, toy.labels,
        epochs=fan.EPOCHS, lr=fan.RATE, seed=seed, device="cpu", on_epoch=scale, progress=False,
    )  # fmt: skip
    fixed = fan.train(toy, "CosFace", seed=seed, s=lengths[-1], m=0.0)
    return free.last.spread, fan.spread(history.snapshots[-1].embeddings, toy.labels), fixed.last.spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=8, help="random starts")
    arguments = parser.parse_args()
    toy = fan.faces(8)
    head = f"{'':28}{'spread, learnt':>16}{'kept back':>16}{'between':>16}{'length of x':>16}   all right"
    for words, some, seeds, even in (
        ("centres begin evenly", EVEN, arguments.seeds, True),
        ("centres begin at random", RANDOM, arguments.starts, False),
    ):
        print(f"\n{words}, {seeds} seeds\n{head}")
        for loss, options in some:
            print(row(toy, loss, options, seeds, even), flush=True)
    print("\nspread: ‖x‖ free, s following that length, s fixed at its end")
    for seed in range(arguments.seeds):
        print(f"seed {seed}: " + "   ".join(f"{value:.2f}" for value in follow_the_length(toy, seed)))


if __name__ == "__main__":
    main()
