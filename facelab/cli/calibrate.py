"""`facelab calibrate`: which threshold gives which false match rate, and what cannot be claimed."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.cli.common import (
    Detector,
    DetectorOption,
    DeviceOption,
    Embedder,
    EmbedderOption,
    JsonOption,
    MirrorOption,
    print_json,
    table,
)
from facelab.errors import FacelabError


def calibrate(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of photos with one sub-folder for each person, or a file that `facelab embed` "
            "made of one. Without it: LFW, from the vectors that facelab carries."
        ),
    ] = None,
    fmr: Annotated[
        list[float] | None,
        typer.Option(
            min=0, max=0.5, help="A wanted false match rate; may be given several times. Else 0.1 … 0.00001."
        ),
    ] = None,
    detector: DetectorOption = Detector.yunet,
    embedder: EmbedderOption = Embedder.sface,
    mirror: MirrorOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Thresholds for wanted false match rates, measured on people of your own.

    Everybody is compared with everybody. The rates hold for these people, these photos and this pipeline.
    """
    from facelab import metrics
    from facelab.datasets import embedded, folder, read_embedded

    options = {"fmrs": fmr} if fmr else {}
    if source is None:
        vectors, identity, config, head, options["genuine"] = _lfw()
    else:
        if source.is_dir():
            from facelab.pipeline import Pipeline

            photos = folder(source)
            pipe = Pipeline(detector.value, embedder.value, device, mirror=mirror)
            typer.echo(repr(pipe), err=True)
            people = embedded(photos, pipe)
        else:
            people = read_embedded(source)
        for note in people.notes:
            typer.echo(f"  {note}", err=True)
        vectors, identity, config = people.vectors, people.identity, people.config
        head = f"{source}: {len(people):,} photos of {len(people.names):,} people"
    try:
        found = metrics.calibrate(vectors, identity, **options)
    except ValueError as error:
        raise FacelabError(f"{source or 'LFW'}: {error}") from error
    if as_json:
        print_json(_record(found, config, head))
        return
    typer.echo(f"{head}, {config}")
    typer.echo(f"{found.impostor:,} pairs of different people, {found.genuine:,} of the same person\n")
    table(("wanted FMR", "distance ≤", "FMR [95 %]", "FNMR [95 %]", "mind"), [
        (f"{s.wanted:g}", _distance(s), _rate(s.fmr), _rate(s.fnmr), s.caveat) for s in found.settings
    ])  # fmt: skip
    typer.echo(f"\nNot to be claimed: {_limits(found)}")
    if source is None:
        typer.echo("LFW's own label errors may be a fifth of what matches at 1e-05 (data/README.md).")


def _lfw():
    """LFW as `facelab.calibration` was measured: each person's first photo, and View 2's positives."""
    from facelab.datasets import lfw_templates

    templates = lfw_templates()
    first, pairs = templates.number == 1, templates.pairs["lfw"]
    genuine = templates.scores("lfw")[pairs.same], templates.identity[pairs.a[pairs.same]]
    config = templates.provenance["config"]
    head = f"LFW ({templates.provenance['lfw_variant']}), one photo of each of {first.sum():,} people"
    return templates.vectors[first], templates.identity[first], config, head, genuine


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
