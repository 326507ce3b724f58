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
