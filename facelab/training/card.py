"""What is left behind: the weights, and a card that says what they are worth and to whom they may be unfair.

Model cards: Mitchell et al., FAT* 2019 (arXiv:1810.03993).
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

import facelab
from facelab import user_weights
from facelab.download import sha256_of
from facelab.errors import FacelabError
from facelab.kept import write_atomically
from facelab.training.recipe import Recipe

MODEL, CARD, FACTS = user_weights.TRAINED, "MODEL_CARD.md", "card.json"


def write_model(folder: Path, net: nn.Module, recipe: Recipe) -> str:
    """The network's tensors under the names of its recipe → the file's SHA-256.

    Where the path was pinned (a model from before was used), it is pinned to the new file: whoever trained it
    knows that it changed. Raises FacelabError where it cannot be written.
    """
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in net.state_dict().items()}
    state = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
    path = folder / MODEL
    try:
        write_atomically(path, save(state, {"backbone": recipe.backbone, "facelab": facelab.__version__}))
    except OSError as error:
        raise FacelabError(f"{path}: cannot be written ({error.strerror or error}). Make room.") from error
    if user_weights.pinned_hash(path) is not None:
        user_weights.trust(path)
    return sha256_of(path)


def write_card(folder: Path, recipe: Recipe, facts: dict[str, Any]) -> None:
    """MODEL_CARD.md for people and card.json for programs."""
    record = {"recipe": asdict(recipe), "facelab": facelab.__version__, **facts}
    write_atomically(folder / FACTS, json.dumps(record, indent=2, allow_nan=False).encode())
    write_atomically(folder / CARD, _text(recipe, facts).encode())


def _text(recipe: Recipe, facts: dict[str, Any]) -> str:
    data, figures = facts["data"], facts["figures"]
    taught = [] if recipe.head is None else [f"{recipe.head} ({_options(recipe.head_options)})"]
    taught += [f"a teacher ({data['pipeline']}), weight {recipe.distil:g}"] if recipe.distil else []
    lines = [
        f"# {recipe.backbone}, {recipe.dim} numbers a face",
        "",
        f"Trained by facelab {facelab.__version__} on {data['photos']:,} photos of {data['people']:,} people "
        f"({data['source']}), taught by {' and '.join(taught)}; {facts['steps']:,} steps of "
        f"{recipe.batch_size} "
        f"photos on {facts['device']}.",
        "",
        f"- Weights: `{MODEL}`, SHA-256 `{facts['sha256']}`",
        f"- Crops: SHA-256 `{data['sha256']}`, cut by `{data['pipeline']}`",
        f"- Recipe: `{FACTS}`; to go on or repeat: `facelab train --help`",
        "- Licence: whatever the photos and the teacher allow; that you could train on them does not say "
        "that you may pass the result on.",
        "",
        "## Verification of people never seen in training",
        "",
        *_figures(figures),
        "",
        *[f"- {note}" for note in facts["notes"]],
        "",
        "## What it must not be used for",
        "",
        "Decisions about people. The figures hold for photos like those above and for people like those in "
        "them: who is rare in the data (by age, skin, sex, origin, glasses, veil) is recognised worse, and "
        "this card has not measured by how much. It has no threshold of its own until `facelab calibrate` "
        "has measured one.",
        "",
    ]
    return "\n".join(lines)


def _options(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in options.items()) or "its own settings"


def _figures(figures: dict[str, Any] | None) -> list[str]:
    if figures is None:
        return ["Not measured: nobody was kept back."]

    def row(name: str, value: str, interval: str) -> str:
        low_high = figures[interval]
        shown = "–" if low_high is None else f"{low_high[0]:.2%} … {low_high[1]:.2%}"
        found = "too few pairs" if figures[value] is None else f"{figures[value]:.2%}"
        return f"| {name} | {found} | {shown} |"

    return [
        "| | | 95 % over people |",
        "|---|---|---|",
        row("AUC", "auc", "auc_interval"),
        row("EER", "eer", "eer_interval"),
        row("TAR at FMR 1 %", "tar_at_1e_2", "tar_interval"),
        "",
        f"{figures['genuine']:,} genuine and {figures['impostor']:,} impostor pairs of "
        f"{figures['people']:,} people.",
    ]
