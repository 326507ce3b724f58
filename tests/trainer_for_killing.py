"""What `test_training_trainer.py` starts and kills: a run over drawn people. `… OUT [resume]`"""

import sys
from pathlib import Path

import numpy as np

from facelab.course import drawn
from facelab.training import Recipe, crops_of, train

PEOPLE = 44
RECIPE = Recipe(
    epochs=3, batch_size=16, people=4, distil=0.5, ema=0.9, head="ElasticFace", head_options={"s": 16.0}
)


def crops():
    people = drawn.identities(PEOPLE)
    who = np.repeat(np.arange(PEOPLE), 6)
    images = drawn.photos(people, who, seed=1)
    teacher = np.random.default_rng(0).standard_normal((PEOPLE, 128)).astype(np.float32)[who]
    teacher /= np.linalg.norm(teacher, axis=1, keepdims=True)
    return crops_of(images, who, [f"person {n:02d}" for n in range(PEOPLE)], teacher, source="drawn people")


def run(out: Path, **options):
    options = {"checkpoint_every": 1, "held_out": 0.25, "progress": False, "resamples": 20} | options
    return train(crops(), out, RECIPE, device="cpu", **options)


if __name__ == "__main__":
    run(Path(sys.argv[1]), resume="resume" in sys.argv)
