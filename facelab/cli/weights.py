"""`facelab weights …`: the networks' weights."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.cli.common import table

app = typer.Typer(no_args_is_help=True, help="The networks' weights: what is here, and how to get more.")


@app.command("status")
def status() -> None:
    """Which weights are here, from where, under which licence."""
    from facelab import weights

    table(("name", "state", "bytes", "licence", "where"), [
        (row.name, row.state, f"{row.bytes:,}" if row.bytes else "", row.licence,
         ": ".join(filter(None, (row.where, row.remedy))))
        for row in weights.status()
    ])  # fmt: skip


@app.command("get")
def get(
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


@app.command("trust")
def trust(
    file: Annotated[Path, typer.Argument(help="A file of weights of your own that has changed.")],
) -> None:
    """Hold this path to the file that lies there now. Files of your own are pinned on their first use."""
    from facelab import kept, user_weights

    before, now = user_weights.trust(file)
    if before not in (None, now):
        typer.echo(f"{file}: SHA-256 before {before}")
    typer.echo(f"{file}: SHA-256 {now}, pinned in {kept.place(user_weights.PINS)}")
