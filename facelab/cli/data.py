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
    name: Annotated[str, typer.Argument(help="lfw or fglfw")],
    source: Annotated[
        Path | None, typer.Option("--from", help="A file you have: LFW's archive, or FGLFW's list of pairs.")
    ] = None,
    variant: Annotated[str, typer.Option(help="What to download of lfw: funneled or original.")] = "funneled",
) -> None:
    """Bring a data set: LFW's photos and its lists of pairs, or FGLFW's list of look-alikes among them."""
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
    else:
        raise FacelabError(
            f"data get {name}: facelab fetches lfw and takes fglfw; own photos need no fetching (README)."
        )
