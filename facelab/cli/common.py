"""What all commands share: errors as one line, options that mean the same everywhere, tables."""

import errno
import json
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from facelab.errors import FacelabError


class Errors(typer.core.TyperGroup):
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


def _name_or_file(*names: str) -> Callable[[str], str]:
    """A parser for an option that takes one of facelab's own networks, or a file of weights."""

    def parse(text: str) -> str:
        from facelab.user_weights import SUFFIXES, is_path

        if text in names or is_path(text):
            return text
        raise typer.BadParameter(
            f"{text!r} is neither {' nor '.join(names)}, nor the path of a file of weights "
            f"({', '.join(SUFFIXES)})."
        )

    return parse


def detector_option(help: str) -> Any:
    return typer.Option(
        parser=_name_or_file("yunet", "mtcnn", "retinaface-small"),
        metavar="yunet|mtcnn|retinaface-small|FILE",
        help=help,
    )


def embedder_option(help: str) -> Any:
    return typer.Option(parser=_name_or_file("sface", "arcface"), metavar="sface|arcface|FILE", help=help)


DetectorOption = Annotated[str, detector_option("What finds the faces; a file: RetinaFace's weights.")]
EmbedderOption = Annotated[
    str, embedder_option("What turns a face into a vector; a file: weights of your own, or ONNX.")
]
DeviceOption = Annotated[str, typer.Option(help="auto (the GPU where there is one), cpu, cuda.")]
MirrorOption = Annotated[
    bool, typer.Option("--mirror", help="Average with the mirrored face: slower, a little better.")
]
AntispoofOption = Annotated[
    bool,
    typer.Option("--antispoof", help="Refuse a face that looks like a print or a screen. It guards no door."),
]
AntispoofFileOption = Annotated[
    Path | None,
    typer.Option(help="Instead of facelab's own detector of attacks: MiniFASNet's weights, or an ONNX file."),
]
MinLiveOption = Annotated[
    float | None, typer.Option(min=0, max=1, help="The smallest live score that passes; a FILE needs it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


PhotosArgument = Annotated[Path, typer.Argument(help="A folder of photos; those in its sub-folders count.")]


def only_one(threshold: float | None, fmr: float | None) -> None:
    """Raises FacelabError where --threshold and --fmr were both given."""
    if threshold is not None and fmr is not None:
        raise FacelabError("--threshold and --fmr both fix the threshold: give one of them.")


@contextmanager
def notes_on_stderr() -> Iterator[None]:
    """What would be a warning in Python is a note on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        typer.echo(f"note: {warning.message}", err=True)


def pipeline(detector: str, embedder: str, device: str, *arguments: Any, **options: Any) -> Any:
    """The pipeline that a command asks for; a first use of a file is noted on standard error."""
    from facelab.pipeline import Pipeline

    with notes_on_stderr():
        return Pipeline(detector, embedder, device, *arguments, **options)


def living(antispoof: bool, file: Path | None, min_live: float | None) -> dict[str, Any]:
    """The pipeline's options that --antispoof, --antispoof-file and --min-live come to."""
    if not antispoof and file is None:
        if min_live is not None:
            raise FacelabError("--min-live belongs to --antispoof or --antispoof-file.")
        return {}
    return {"antispoof": True if file is None else file, "min_live": min_live}


def print_json(answer: Any) -> None:
    """In ASCII: what a redirected stream would put in place of letters it does not know is no JSON."""
    typer.echo(json.dumps(answer))


def table(head: tuple[str, ...], rows: list[tuple]) -> None:
    """Columns as wide as their widest entry; the last runs on."""
    lines = [head, *([str(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    for line in lines:
        cells = [value.ljust(width) for value, width in zip(line, widths, strict=False)]
        typer.echo("  ".join([*cells, line[-1]]).rstrip())
