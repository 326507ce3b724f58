"""`facelab benchmark lfw`: LFW's protocols, from the stored templates at once, or end to end from photos."""

from enum import StrEnum
from typing import Annotated

import typer

from facelab.cli.common import JsonOption, detector_option, embedder_option, pipeline, print_json

app = typer.Typer(no_args_is_help=True)


class Protocol(StrEnum):
    lfw = "lfw"
    lookalike = "lookalike"
    fglfw = "fglfw"
    devtest = "devtest"


@app.callback()
def benchmark() -> None:
    """Public benchmarks, with intervals."""


@app.command("lfw")
def run(
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="lfw: ten folds (View 2). lookalike: the same with negatives that are hard for SFace. "
            "fglfw: negatives chosen by people (`facelab data get fglfw`). devtest: View 1."
        ),
    ] = Protocol.lfw,
    photos: Annotated[
        bool, typer.Option("--photos", help="From LFW's photos, end to end; minutes instead of seconds.")
    ] = False,
    detector: Annotated[str | None, detector_option("What finds the faces; asks for --photos.")] = None,
    embedder: Annotated[
        str | None, embedder_option("What turns a face into a vector; asks for --photos.")
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average with the mirrored face; asks for --photos.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda; asks for --photos.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=20, help="So many pairs only, for a quick look; asks for --photos.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy, AUC, EER and TAR at FAR on LFW.

    Without further options from the vectors that facelab carries, in seconds. Any option about how photos are
    read goes through LFW's photos (`facelab data get lfw`).
    """
    from facelab.evaluation import LEARNT_ON, evaluate, scored_photos, scored_templates

    learn = LEARNT_ON.get(protocol.value)
    if photos or mirror or any(option is not None for option in (detector, embedder, device, limit)):
        from facelab.datasets import lfw

        lfw()  # before the weights are loaded: without photos there is no point
        pipe = pipeline(
            detector or "yunet", embedder or "sface", device or "auto", mirror=mirror, faces="central"
        )
        typer.echo(repr(pipe), err=True)
        scored, learnt = (name and scored_photos(name, pipe, limit=limit) for name in (protocol.value, learn))
    else:
        scored, learnt = (name and scored_templates(name) for name in (protocol.value, learn))
    figures = evaluate(scored, learnt)
    if as_json:
        print_json(figures.record())
    else:
        typer.echo(str(figures))
