"""`facelab calibrate`: which threshold gives which false match rate, and what cannot be claimed."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from facelab.cli.common import (
    DetectorOption,
    DeviceOption,
    EmbedderOption,
    JsonOption,
    MirrorOption,
    pipeline,
    print_json,
    table,
)
from facelab.errors import FacelabError

RESAMPLES = 200
"""Of the bootstrap over people, for a calibration that is kept."""


def calibrate(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of photos with one sub-folder for each person, or a file that `facelab embed` "
            "made of one. Without it: LFW, for the default pipeline from the vectors that facelab carries, "
            "for any other from its photos."
        ),
    ] = None,
    fmr: Annotated[
        list[float] | None,
        typer.Option(
            min=0, max=0.5, help="A wanted false match rate; may be given several times. Else 0.1 … 0.00001."
        ),
    ] = None,
    detector: DetectorOption = "yunet",
    embedder: EmbedderOption = "sface",
    mirror: MirrorOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Thresholds for wanted false match rates, measured on people of your own.

    Everybody is compared with everybody. The rates hold for these people, these photos and this pipeline. A
    pipeline that facelab has no thresholds for (a file of weights of your own, say) has them from then on.
    """
    from facelab import calibration, metrics

    genuine = None
    if source is None and (detector, embedder, mirror) == ("yunet", "sface", False):
        vectors, identity, config, head, genuine = _lfw_vectors()
    elif source is None:
        vectors, identity, config, head, genuine = _lfw_photos(detector, embedder, device, mirror)
    else:
        people = _people(source, detector, embedder, device, mirror)
        vectors, identity, config = people.vectors, people.identity, people.config
        head = f"{source}: {len(people):,} photos of {len(people.names):,} people"
    try:
        found = metrics.calibrate(vectors, identity, fmr or metrics.FMRS, genuine=genuine)
        kept = None
        if config not in calibration.shipped() and calibration.is_bound(config):
            kept = _keep(config, vectors, identity, genuine, source)
    except ValueError as error:
        raise FacelabError(f"{source or 'LFW'}: {error}") from error
    if as_json:
        print_json(_record(found, config, head) | {"kept": kept and str(kept)})
        return
    typer.echo(f"{head}, {config}")
    typer.echo(f"{found.impostor:,} pairs of different people, {found.genuine:,} of the same person\n")
    table(("wanted FMR", "distance ≤", "FMR [95 %]", "FNMR [95 %]", "mind"), [
        (f"{s.wanted:g}", _distance(s), _rate(s.fmr), _rate(s.fnmr), s.caveat) for s in found.settings
    ])  # fmt: skip
    typer.echo(f"\nNot to be claimed: {_limits(found)}")
    if source is None:
        typer.echo("LFW's own label errors may be a fifth of what matches at 1e-05 (data/README.md).")
    if kept is not None:
        typer.echo(f"Kept for {config} in {kept}: {_default(config)}")


def _people(source: Path, detector: str, embedder: str, device: str, mirror: bool):
    """The vectors of a folder of photos, or of a file that `facelab embed` made."""
    from facelab.datasets import embedded, folder, read_embedded

    if source.is_dir():
        photos = folder(source)
        pipe = pipeline(detector, embedder, device, mirror=mirror)
        typer.echo(repr(pipe), err=True)
        people = embedded(photos, pipe)
    else:
        people = read_embedded(source)
    for note in people.notes:
        typer.echo(f"  {note}", err=True)
    return people


def _lfw_vectors():
    """LFW as `facelab.calibration` was measured: each person's first photo, and View 2's positives."""
    from facelab.datasets import lfw_templates

    templates = lfw_templates()
    first, pairs = templates.number == 1, templates.pairs["lfw"]
    genuine = templates.scores("lfw")[pairs.same], templates.identity[pairs.a[pairs.same]]
    config = templates.provenance["config"]
    head = f"LFW ({templates.provenance['lfw_variant']}), one photo of each of {first.sum():,} people"
    return templates.vectors[first], templates.identity[first], config, head, genuine


def _lfw_photos(detector: str, embedder: str, device: str, mirror: bool):
    """The same from LFW's photos, through another pipeline."""
    from facelab.datasets import lfw

    photos = lfw()  # before the weights are loaded: without photos there is no point
    pairs = photos.pairs("lfw")
    a, b = (side[pairs.same] for side in pairs.rows(photos))
    first = np.flatnonzero(photos.number == 1)
    rows = np.unique(np.concatenate([a, b, first]))
    pipe = pipeline(detector, embedder, device, mirror=mirror, faces="central")
    typer.echo(repr(pipe), err=True)
    vectors = np.zeros((len(photos), pipe.embedder.dim), np.float32)
    there = np.zeros(len(photos), bool)
    for row, result in zip(rows, pipe([photos.paths[row] for row in rows]), strict=True):
        if result.error is None:
            vectors[row], there[row] = result.vectors[0], True
    if not there.all(where=np.isin(np.arange(len(photos)), rows)):
        typer.echo(f"  {len(rows) - there.sum()} photos without a face were left out", err=True)
    first, both = first[there[first]], there[a] & there[b]
    genuine = np.einsum("nd,nd->n", vectors[a[both]], vectors[b[both]]), photos.identity[a[both]]
    head = f"LFW ({photos.variant}), one photo of each of {len(first):,} people"
    return vectors[first], photos.identity[first], pipe.config, head, genuine


def _keep(config: str, vectors, identity, genuine, source: Path | None) -> Path:
    """The rates at every distance, to where `verify` finds them."""
    from facelab import calibration
    from facelab.metrics.calibrate import genuine_scores
    from facelab.metrics.rates import genuines, impostors

    _, who = np.unique(identity, return_inverse=True)
    scores, whose = genuine_scores(vectors, who) if genuine is None else genuine
    row = {"source": "LFW" if source is None else source.name, "resamples": RESAMPLES}
    row["impostor"] = impostors(vectors, RESAMPLES, config, who)
    if len(scores):
        row["genuine"] = genuines(1 - scores, whose, RESAMPLES)
    return calibration.keep(config, row)


def _default(config: str) -> str:
    """What `verify` does with what was kept."""
    from facelab import calibration

    try:
        return (
            f"verify takes distance ≤ {calibration.threshold_for(config):g} for the same person "
            f"(false match rate {calibration.DEFAULT_FMR:g})."
        )
    except FacelabError as error:
        return f"verify needs --fmr or --threshold. {error}"


def _distance(setting) -> str:
    return "–" if setting.threshold is None else f"{1 - setting.threshold:.4f}"


def _rate(rate) -> str:
    return "–" if rate is None else f"{rate.value:.3g} [{rate.low:.3g}, {rate.high:.3g}]"


def _limits(found) -> str:
    return (
        f"a rate below {found.floor:.2g}, were the pairs independent (rule of three). They share "
        f"{found.people:,} people: counting only pairs that share nobody, below {found.strict_floor:.2g}. "
        "Nor anything about other people, other photos, another detector or other weights."
    )


def _record(found, config: str, head: str) -> dict:
    from facelab.evaluation import bounds

    return {
        "source": head,
        "pipeline": config,
        "impostor_pairs": found.impostor,
        "genuine_pairs": found.genuine,
        "people": found.people,
        "photos": found.photos,
        "lowest_fmr_to_claim": {"independent_pairs": found.floor, "disjoint_pairs": found.strict_floor},
        "settings": [
            {
                "wanted_fmr": setting.wanted,
                "distance": None if setting.threshold is None else round(1 - setting.threshold, 4),
                "fmr": setting.fmr and bounds(setting.fmr),
                "fnmr": setting.fnmr and bounds(setting.fnmr),
                "caveat": setting.caveat,
            }
            for setting in found.settings
        ],
    }
