"""`facelab cluster`: a folder of photos, grouped into people whom one then names."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.calibration import HIGHEST_FMR, LOWEST_FMR
from facelab.cli.common import (
    DetectorOption,
    DeviceOption,
    EmbedderOption,
    JsonOption,
    PhotosArgument,
    only_one,
    pipeline,
    print_json,
    table,
)

SHOWN = 20
"""Groups in the table; the album has them all."""


def cluster(
    folder: PhotosArgument,
    album: Annotated[Path, typer.Argument(help="The folder to make: a sub-folder for each person.")],
    threshold: Annotated[
        float | None, typer.Option(min=0, max=2, help="Largest cosine distance that joins two faces.")
    ] = None,
    fmr: Annotated[
        float | None,
        typer.Option(
            min=LOWEST_FMR,
            max=HIGHEST_FMR,
            help="Or: the false match rate to aim at. The default is the lowest: n photos make n²/2 pairs.",
        ),
    ] = None,
    detector: DetectorOption = "yunet",
    embedder: EmbedderOption = "sface",
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Group a folder of photos into people. The groups are folders of thumbnails: name them by
    renaming."""
    from facelab import calibration
    from facelab.album import Album, making
    from facelab.gallery.answers import shown

    only_one(threshold, fmr)
    making.checked(folder.expanduser(), album.expanduser())  # before any weights are loaded
    pipe = pipeline(detector, embedder, device)
    if fmr is not None:
        threshold = calibration.threshold_for(pipe.config, fmr)
    typer.echo(repr(pipe), err=True)
    made = Album.make(folder, album, pipe, threshold)
    groups, notes = made.groups, made.notes
    for note in notes:
        typer.echo(f"  {note}", err=True)
    if as_json:
        answer = {
            "album": str(album),
            "threshold": made.threshold,
            "groups": [{"name": group.name, "faces": group.rows.tolist()} for group in groups],
            "notes": notes,
        }
        print_json(answer)
        return
    typer.echo(f"{album}: {len(made)} faces, grouped at a cosine distance of {made.threshold:.3f}.\n")
    table(("faces", "group", "for example"), [
        (len(group), group.name, shown(Path(made.photos[group.rows[0]]).name)) for group in groups[:SHOWN]
    ])  # fmt: skip
    if len(groups) > SHOWN:
        typer.echo(f"… and {len(groups) - SHOWN} more")
    typer.echo(
        f"\nNext: look through {album} in a file manager. Rename the folders of people you know, move "
        "thumbnails that are in the wrong one, delete what should be left out. Then:\n"
        f"  facelab gallery enroll GALLERY --album {album}"
    )
