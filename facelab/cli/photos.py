"""`facelab verify` and `facelab embed`: what the pipeline does with photos."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.calibration import HIGHEST_FMR, LOWEST_FMR
from facelab.cli.common import (
    DetectorOption,
    DeviceOption,
    EmbedderOption,
    JsonOption,
    MirrorOption,
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
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Do two photos show the same person? Exit status 0: the same; 1: different people; 2: cannot say."""
    if threshold is not None and fmr is not None:
        raise FacelabError("--threshold and --fmr both fix the threshold: give one of them.")
    pipe = pipeline(detector, embedder, device, mirror=mirror)
    r = pipe.verify(a, b, threshold=threshold, fmr=fmr, face=face)
    if as_json:
        answer = {
            "same": r.same,
            "distance": r.distance,
            "threshold": r.threshold,
            "fmr": None if r.fmr is None else {"value": r.fmr.value, "low": r.fmr.low, "high": r.fmr.high},
            "boxes": [its.box.tolist() for its in r.faces],
            "notes": list(r.notes),
            "pipeline": repr(pipe),
        }
        print_json(answer)
    else:
        typer.echo(f"{r}\n{pipe!r}")
    raise typer.Exit(0 if r.same else 1)


def embed(
    folder: Annotated[Path, typer.Argument(help="A folder of photos; those in its sub-folders count.")],
    out: Annotated[Path, typer.Argument(help="The HDF5 file to write.")],
    detector: DetectorOption = "yunet",
    embedder: EmbedderOption = "sface",
    mirror: MirrorOption = False,
    device: DeviceOption = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Photos at a time.")] = 64,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Find and embed every face in a folder of photos. A bad photo is reported and stops nothing."""
    from facelab.embeddings_file import write

    if out.is_dir():
        raise FacelabError(f"{out}: is a folder. Give the name of the file to write.")
    if out.exists() and not force:
        raise FacelabError(f"{out}: is there already. Give another name, or --force to write over it.")
    pipe = pipeline(detector, embedder, device, batch_size, mirror=mirror)
    results = pipe(folder)
    typer.echo(repr(pipe), err=True)
    written = write(results, out, pipe)
    for _, reason in written.failed:
        typer.echo(f"  {reason}", err=True)
    state = "" if written.complete else " (stopped early; what was done so far)"
    typer.echo(
        f"{out}: {written.photos} photos{state}; faces: {written.faces}, photos without any: "
        f"{len(written.failed)}."
    )
    if not written.complete:
        raise typer.Exit(130)
