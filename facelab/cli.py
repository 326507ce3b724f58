"""The command line: `facelab --help`.

Exit status: 0 done (verify: the same person), 1 (verify only) different people, 2 it could not be done and
one line on standard error says why.
"""

import errno
import json
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from facelab.calibration import HIGHEST_FMR, LOWEST_FMR
from facelab.errors import FacelabError


class _App(typer.core.TyperGroup):
    """Turns the errors that facelab raises on purpose into one line and exit status 2.

    Whatever else goes wrong ends in 2 as well, after a traceback unless the system's own words are enough:
    Python's usual 1 would say "different people".
    """

    def invoke(self, context):
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # redirected on Windows, it may not know "≤": write it escaped
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(context)
        except FacelabError as error:
            typer.echo(f"facelab: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            typer.echo("facelab: stopped.", err=True)
            raise typer.Exit(130) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # nobody listens any more: typer ends quietly
            where = f"{error.filename}: " if error.filename else ""
            typer.echo(f"facelab: {where}{error.strerror or error}.", err=True)
            raise typer.Exit(2) from error
        except Exception as error:
            if hasattr(error, "exit_code"):
                raise  # typer's own: a wrong option, say
            traceback.print_exc()
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=_App,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Face recognition, from photo to answer.",
)
weights_app = typer.Typer(
    no_args_is_help=True, help="The networks' weights: what is here, and how to get more."
)
data_app = typer.Typer(no_args_is_help=True, help="Data sets: what is here, and how to get more.")
app.add_typer(weights_app, name="weights")
app.add_typer(data_app, name="data")


class Detector(StrEnum):
    yunet = "yunet"
    mtcnn = "mtcnn"


class Embedder(StrEnum):
    sface = "sface"
    arcface = "arcface"


DetectorOption = Annotated[Detector, typer.Option(help="What finds the faces.")]
EmbedderOption = Annotated[Embedder, typer.Option(help="What turns a face into a vector.")]
DeviceOption = Annotated[str, typer.Option(help="auto (the GPU where there is one), cpu, cuda.")]
MirrorOption = Annotated[
    bool, typer.Option("--mirror", help="Average with the mirrored face: slower, a little better.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
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
    detector: DetectorOption = Detector.yunet,
    embedder: EmbedderOption = Embedder.sface,
    mirror: MirrorOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Do two photos show the same person? Exit status 0: the same; 1: different people; 2: cannot say."""
    from facelab.pipeline import Pipeline

    if threshold is not None and fmr is not None:
        raise FacelabError("--threshold and --fmr both fix the threshold: give one of them.")
    pipe = Pipeline(detector.value, embedder.value, device, mirror=mirror)
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
        typer.echo(json.dumps(answer, ensure_ascii=False))
    else:
        typer.echo(f"{r}\n{pipe!r}")
    raise typer.Exit(0 if r.same else 1)


@app.command()
def embed(
    folder: Annotated[Path, typer.Argument(help="A folder of photos; those in its sub-folders count.")],
    out: Annotated[Path, typer.Argument(help="The HDF5 file to write.")],
    detector: DetectorOption = Detector.yunet,
    embedder: EmbedderOption = Embedder.sface,
    mirror: MirrorOption = False,
    device: DeviceOption = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Photos at a time.")] = 64,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Find and embed every face in a folder of photos. A bad photo is reported and stops nothing."""
    from facelab.embeddings_file import write
    from facelab.pipeline import Pipeline

    if out.is_dir():
        raise FacelabError(f"{out}: is a folder. Give the name of the file to write.")
    if out.exists() and not force:
        raise FacelabError(f"{out}: is there already. Give another name, or --force to write over it.")
    pipe = Pipeline(detector.value, embedder.value, device, batch_size, mirror=mirror)
    results = pipe(folder)
    typer.echo(repr(pipe), err=True)
    written = write(results, out, pipe)
    for _, reason in written.failed:
        typer.echo(f"  {reason}", err=True)
    state = "" if written.complete else " (stopped early; what was done so far)"
    typer.echo(
        f"{out}: {written.faces} faces of {written.photos} photos{state}, "
        f"{len(written.failed)} photos gave nothing."
    )
    if not written.complete:
        raise typer.Exit(130)


@app.command()
def doctor(
    brief: Annotated[bool, typer.Option("--brief", help="Only what is missing or wrong.")] = False,
) -> None:
    """What this machine has, what is missing, and what mends it. Exit status 2: the core is broken."""
    from facelab.doctor import examine

    findings = examine()
    for finding in findings:
        if not brief or not finding.ok:
            typer.echo(str(finding))
    if brief and all(finding.ok or not finding.needed for finding in findings):
        typer.echo("facelab is ready.")
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(2)


# ---------------------------------------------------------------------- weights and data


@weights_app.command("status")
def weights_status() -> None:
    """Which weights are here, from where, under which licence."""
    from facelab import weights

    _table(("name", "state", "bytes", "licence", "where"), [
        (row.name, row.state, f"{row.bytes:,}" if row.bytes else "", row.licence, row.where or row.remedy)
        for row in weights.status()
    ])  # fmt: skip


@weights_app.command("get")
def weights_get(
    name: Annotated[str, typer.Argument(help="Such as arcface; `facelab weights status` lists them.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="A file you have, instead of a download.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="The hash the file must have.")] = None,
    trust_first: Annotated[
        bool,
        typer.Option(
            "--trust-first", help="No hash is published: take this one, and hold to it from now on."
        ),
    ] = False,
) -> None:
    """Download weights, check them, keep them. An interrupted download goes on where it stopped."""
    from facelab import weights

    typer.echo(weights.get(name, from_file=source, sha256=sha256, trust_first=trust_first))


@data_app.command("status")
def data_status() -> None:
    """Which data sets are here, and what brings those that are not."""
    from facelab import datasets

    _table(("name", "state", "bytes", "where, or what brings it"), [
        (row.name, row.state, f"{row.bytes:,}" if row.bytes else "", row.remedy or str(row.where))
        for row in datasets.status()
    ])  # fmt: skip


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="lfw")],
    source: Annotated[
        Path | None, typer.Option("--from", help="An archive you have, instead of a download.")
    ] = None,
    variant: Annotated[str, typer.Option(help="What to download: funneled or original.")] = "funneled",
) -> None:
    """Bring a data set: LFW's photos and its lists of pairs."""
    from facelab import datasets

    if name != "lfw":
        raise FacelabError(f"data get {name}: facelab fetches lfw; own photos need no fetching (README).")
    typer.echo(datasets.get_lfw(source, variant=variant))


def _table(head: tuple[str, ...], rows: list[tuple]) -> None:
    """Columns as wide as their widest entry; the last runs on."""
    lines = [head, *([str(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    for line in lines:
        cells = [value.ljust(width) for value, width in zip(line, widths, strict=False)]
        typer.echo("  ".join([*cells, line[-1]]).rstrip())


if __name__ == "__main__":
    app()
