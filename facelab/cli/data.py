"""`facelab data …`: data sets."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.cli.common import table
from facelab.errors import FacelabError

app = typer.Typer(no_args_is_help=True, help="Data sets: what is here, and how to get more.")


@app.command("status")
def status() -> None:
    """Which data sets are here, and what brings those that are not."""
    from facelab import datasets

    table(("name", "state", "bytes", "where, or what brings it"), [
        (row.name, row.state, f"{row.bytes:,}" if row.bytes else "", row.remedy or str(row.where))
        for row in datasets.status()
    ])  # fmt: skip


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="lfw, fglfw or portraits")],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A file you have: LFW's archive, FGLFW's pairs, a list of portraits."),
    ] = None,
    variant: Annotated[str, typer.Option(help="What to download of lfw: funneled or original.")] = "funneled",
    trust_first: Annotated[
        bool, typer.Option(help="Portraits whose hash is not known: take what comes, and insist on it later.")
    ] = False,
) -> None:
    """Bring a data set: LFW's photos and lists of pairs, FGLFW's list of look-alikes among them, or freely
    licensed portraits."""
    from facelab import datasets

    if name == "lfw":
        typer.echo(datasets.get_lfw(source, variant=variant))
    elif name == "fglfw" and source is not None:
        typer.echo(f"FGLFW: {len(datasets.get_fglfw(source)):,} pairs in ten folds, found whole.")
    elif name == "fglfw":
        raise FacelabError(
            "data get fglfw: its list comes from its authors (Deng et al., 2017) and is not "
            "downloaded: give the text file with --from FILE. `lookalike` is a protocol that is always here."
        )
    elif name == "portraits":
        here, problems = datasets.get_portraits(source, trust_first=trust_first)
        for line in problems:
            typer.echo(f"facelab: {line}", err=True)
        where = datasets.folder_of_portraits()
        typer.echo(f"{len(here)} portraits in {where}; SOURCES.md there says whose they are.")
        raise typer.Exit(2 if problems else 0)
    else:
        raise FacelabError(
            f"data get {name}: facelab fetches lfw and portraits and takes fglfw; own photos need no "
            "fetching (README)."
        )
