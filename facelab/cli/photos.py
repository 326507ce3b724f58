"""`facelab verify`, `facelab live` and `facelab embed`: what the pipeline does with photos."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from facelab.calibration import HIGHEST_FMR, LOWEST_FMR
from facelab.cli.common import (
    AntispoofFileOption,
    AntispoofOption,
    DetectorOption,
    DeviceOption,
    EmbedderOption,
    JsonOption,
    MinLiveOption,
    MirrorOption,
    PhotosArgument,
    living,
    only_one,
    pipeline,
    print_json,
)
from facelab.errors import FacelabError


def verify(
    a: Annotated[Path, typer.Argument(help="A photo.")],
    b: Annotated[Path, typer.Argument(help="Another photo.")],
    threshold: Annotated[
        float | None, typer.Option(min=0, max=2, help="Largest cosine distance of the same person.")
    ] = None,
    fmr: Annotated[
        float | None,
        typer.Option(min=LOWEST_FMR, max=HIGHEST_FMR, help="Or: the false match rate to aim at."),
    ] = None,
    face: Annotated[
        int | None, typer.Option(min=0, help="Which face of each photo, 0 being the largest.")
    ] = None,
    detector: DetectorOption = "yunet",
    embedder: EmbedderOption = "sface",
    mirror: MirrorOption = False,
    antispoof: AntispoofOption = False,
    antispoof_file: AntispoofFileOption = None,
    min_live: MinLiveOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Do two photos show the same person? Exit status 0: the same; 1: different people; 2: cannot say, or
    (with --antispoof) one of them looks like an attack."""
    only_one(threshold, fmr)
    asked = living(antispoof, antispoof_file, min_live)
    pipe = pipeline(detector, embedder, device, mirror=mirror, **asked)
    r = pipe.verify(a, b, threshold=threshold, fmr=fmr, face=face)
    if as_json:
        answer = {
            "same": r.same,
            "distance": r.distance,
            "threshold": r.threshold,
            "fmr": None if r.fmr is None else {"value": r.fmr.value, "low": r.fmr.low, "high": r.fmr.high},
            "boxes": [its.box.tolist() for its in r.faces],
            "live": [its.live for its in r.faces],
            "notes": list(r.notes),
            "pipeline": repr(pipe),
        }
        print_json(answer)
    else:
        typer.echo(f"{r}\n{pipe!r}")
    raise typer.Exit(0 if r.same else 1)


def live(
    photo: Annotated[Path, typer.Argument(help="A photo.")],
    file: AntispoofFileOption = None,
    min_live: MinLiveOption = None,
    detector: DetectorOption = "yunet",
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Does a photo show living faces, or prints and screens? Trained on simulated attacks: it guards no door.
    Exit status 0: all pass; 1: one looks like an attack; 2: cannot say."""
    pipe = pipeline(detector, "sface", device, antispoof=True if file is None else file, min_live=min_live)
    result = pipe.one(photo)
    if result.error is not None:
        raise result.error
    if result.min_live is None:
        raise FacelabError(f"{file}: nobody has measured what its scores are worth. Give --min-live.")
    scores = [face.live for face in result.faces]
    passed = [score >= result.min_live for score in scores]
    if as_json:
        boxes = [face.box.tolist() for face in result.faces]
        print_json({"live": scores, "passed": passed, "threshold": result.min_live, "boxes": boxes})
    else:
        for number, (score, passes) in enumerate(zip(scores, passed, strict=True)):
            verdict = "passes as living" if passes else "looks like an attack"
            sign = "≥" if passes else "<"
            typer.echo(
                f"face {number}: {verdict}: live score {score:.3f} {sign} threshold {result.min_live:.3f}"
            )
    raise typer.Exit(0 if all(passed) else 1)


class Engine(StrEnum):
    here = "here"
    ray = "ray"


def embed(
    folder: PhotosArgument,
    out: Annotated[Path, typer.Argument(help="The HDF5 file to write.")],
    detector: DetectorOption = "yunet",
    embedder: EmbedderOption = "sface",
    mirror: MirrorOption = False,
    device: DeviceOption = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Photos at a time.")] = 64,
    engine: Annotated[
        Engine, typer.Option(help="Who works: this process, or a Ray cluster (facelab[ray]).")
    ] = Engine.here,
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster that is there; else one starts on this machine.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With ray: pipelines, one CPU or GPU each. All there are.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Find and embed every face in a folder of photos. A bad photo is reported and stops nothing. What is
    done when it is interrupted is kept beside OUT, and the same command goes on."""
    from facelab.bulk import Ray, embed_photos

    if out.is_dir():
        raise FacelabError(f"{out}: is a folder. Give the name of the file to write.")
    if out.exists() and not force:
        raise FacelabError(f"{out}: is there already. Give another name, or --force to write over it.")
    if engine is Engine.here and (address or workers):
        raise FacelabError("--address and --workers belong to --engine ray.")
    pipe = pipeline(detector, embedder, device, batch_size, mirror=mirror)
    typer.echo(repr(pipe), err=True)
    try:
        written = embed_photos(folder, out, pipe, Ray(address, workers) if engine is Engine.ray else None)
    except KeyboardInterrupt:
        typer.echo(f"facelab: stopped. The same command goes on with what is done ({out}.parts).", err=True)
        raise typer.Exit(130) from None
    for _, reason in written.failed:
        typer.echo(f"  {reason}", err=True)
    typer.echo(
        f"{out}: {written.photos} photos; faces: {written.faces}, photos without any: {len(written.failed)}."
    )
