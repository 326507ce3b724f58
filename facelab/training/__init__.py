"""How networks learn: a short loop for lessons, and the loop in earnest for faces.

For the lessons        toys, batches, short: `toy_net`, `fit`: a run of seconds that a class watches
For faces              crops (photos → pixels) → held_out (who is kept back) → recipe (every choice)
                       → trainer (the loop: augment, optimise, distil, processes, checkpoint, logs)
                       → judge (people never seen) → card, export (what is left behind)
"""

import importlib

from facelab.training.batches import balanced_batches, shuffled_batches
from facelab.training.short import History, Snapshot, Stop, embeddings_of, fit
from facelab.training.toys import seeded, small_cnn, toy_net

_IN_EARNEST = {
    "Augment": "augment",
    "Crops": "crops",
    "Distil": "distil",
    "Figures": "judge",
    "Recipe": "recipe",
    "Split": "held_out",
    "Trained": "trainer",
    "crops_of": "crops",
    "prepare": "crops",
    "read_crops": "crops",
    "split": "held_out",
    "to_onnx": "export",
    "train": "trainer",
}

__all__ = [
    "Augment",
    "Crops",
    "Distil",
    "Figures",
    "History",
    "Recipe",
    "Snapshot",
    "Split",
    "Stop",
    "Trained",
    "balanced_batches",
    "crops_of",
    "embeddings_of",
    "fit",
    "prepare",
    "read_crops",
    "seeded",
    "shuffled_batches",
    "small_cnn",
    "split",
    "to_onnx",
    "toy_net",
    "train",
]


def __getattr__(name: str):
    """The loop in earnest imports the pipeline; a lesson that wants `fit` need not wait for it."""
    if name in _IN_EARNEST:
        return getattr(importlib.import_module(f"facelab.training.{_IN_EARNEST[name]}"), name)
    raise AttributeError(f"facelab.training has no {name!r}")
