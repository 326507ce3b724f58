"""`facelab doctor`."""

from typing import Annotated

import typer


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
