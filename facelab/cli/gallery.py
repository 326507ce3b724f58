"""`facelab gallery …`: people in a file, and who of them somebody is."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from facelab.cli.common import (
    AntispoofFileOption,
    AntispoofOption,
    DeviceOption,
    JsonOption,
    MinLiveOption,
    MirrorOption,
    detector_option,
    embedder_option,
    living,
    notes_on_stderr,
    pipeline,
    print_json,
    table,
)
from facelab.errors import FacelabError

app = typer.Typer(no_args_is_help=True, help="People in a file, and who of them somebody is.")

FileArgument = Annotated[Path, typer.Argument(metavar="GALLERY", help="The gallery's file.")]
FaceOption = Annotated[int | None, typer.Option(min=0, help="Which face of the photo, 0 being the largest.")]


class Score(StrEnum):
    max = "max"
    mean = "mean"


@app.command("enroll")
def enroll(
    file: FileArgument,
    name: Annotated[str | None, typer.Argument(help="Whose photos they are.")] = None,
    photos: Annotated[list[Path] | None, typer.Argument(help="Photos of one person.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Instead: a folder with a sub-folder for each person.")
    ] = None,
    templates: Annotated[
        Path | None, typer.Option(help="Instead: a file that `facelab embed` wrote of such a folder.")
    ] = None,
    album: Annotated[
        Path | None, typer.Option(help="Instead: an album (`facelab cluster`), whose named groups count.")
    ] = None,
    meta: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Kept with the name; may be given often.")
    ] = None,
    face: FaceOption = None,
    detector: Annotated[str | None, detector_option("Of a new gallery: what finds faces.")] = None,
    embedder: Annotated[str | None, embedder_option("Of a new gallery: what makes vectors.")] = None,
    mirror: MirrorOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Enrol somebody with one or more photos, or many people at once. Makes the gallery if there is none."""
    from facelab.album import Album
    from facelab.gallery import Gallery
    from facelab.gallery.answers import shown

    several = folder or templates or album
    given = [bool(photos), folder is not None, templates is not None, album is not None]
    if given.count(True) != 1 or (several and name):
        raise FacelabError("gallery enroll: give a name and photos, or --folder, --templates or --album.")
    if several and (meta or face is not None):
        raise FacelabError("gallery enroll: --meta and --face go with one person's photos.")
    pairs = _metadata(meta or [])
    pipe = None
    if detector or embedder or mirror:
        pipe = pipeline(detector or "yunet", embedder or "sface", device, mirror=mirror)
    faces = None if album is None else Album(album)
    if faces is not None and pipe is None and not file.exists():
        pipe = faces.pipeline(device)
    with notes_on_stderr(), Gallery(file, pipeline=pipe, device=device) as gallery:
        if several is None:
            person = gallery.enroll(name, photos, face=face, **pairs)
            _say({"id": person, "name": name}, f"{file}: {shown(name)} is enrolled as id {person}.", as_json)
            return
        if faces is not None:
            done = faces.enroll(gallery)
        else:
            done = gallery.enroll_folder(folder) if folder else gallery.enroll_templates(templates)
    for note in done.notes:
        typer.echo(f"  {note}", err=True)
    _say(
        {"ids": done.ids, "templates": done.templates, "notes": done.notes},
        f"{file}: {len(done.ids)} people enrolled, with {done.templates} templates"
        f"{' that are new' if faces is not None else ''}.",
        as_json,
    )


def _metadata(texts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise FacelabError(f"--meta {text}: give a key and a value, as in --meta department=press.")
        if key == "face":
            raise FacelabError(f"--meta {text}: --face says which face of a photo; call the key differently.")
        if key in pairs:
            raise FacelabError(f"--meta {text}: {key} was given before, and one of the two would be lost.")
        pairs[key] = value
    return pairs


@app.command("list")
def list_people(file: FileArgument, as_json: JsonOption = False) -> None:
    """Who is in a gallery."""
    from facelab.gallery import Gallery
    from facelab.gallery.answers import shown

    with Gallery(file, "r", device="cpu") as gallery:
        people = gallery.list()
    if as_json:
        print_json([vars(person) for person in people])
    else:
        table(("id", "templates", "name", "metadata"), [
            (person.id, person.templates, shown(person.name), json.dumps(person.metadata, ensure_ascii=True))
            for person in people
        ])  # fmt: skip


class Kind(StrEnum):
    ivf = "ivf"
    ivfpq = "ivfpq"
    hnsw = "hnsw"


class Search(StrEnum):
    exact = "exact"
    ivf = "ivf"
    ivfpq = "ivfpq"
    hnsw = "hnsw"


@app.command("index")
def index(
    file: FileArgument,
    kind: Annotated[
        Kind, typer.Option(help="Cells around centres; the same, compressed; a graph of neighbours.")
    ] = Kind.ivf,
    recall: Annotated[
        float, typer.Option(min=0.01, max=1, help="How often the nearest should be found.")
    ] = 0.99,
    as_json: JsonOption = False,
) -> None:
    """Make an index for approximate search (facelab[faiss]). Worth it from a million templates on,
    for probes that come one at a time."""
    from facelab.gallery import Gallery

    with Gallery(file, "r+", device="cpu") as gallery:
        counted = gallery.build_index(kind.value, recall=recall)
    low, high = counted.interval
    answer = {"kind": kind.value, "recall": counted.value, "low": low, "high": high}
    _say(answer, f"{file}: the {kind.value} index {counted}.", as_json)


@app.command("identify")
def identify(
    file: FileArgument,
    photo: Annotated[Path, typer.Argument(help="A photo.")],
    search: Annotated[
        Search, typer.Option(help="Through all templates, or by an index that `index` made.")
    ] = Search.exact,
    k: Annotated[int, typer.Option("-k", min=1, help="How many candidates.")] = 5,
    score: Annotated[
        Score, typer.Option(help="Of somebody's templates: the nearest, or the mean.")
    ] = Score.max,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=2, help="Largest cosine distance that gets a name.")
    ] = None,
    face: FaceOption = None,
    antispoof: AntispoofOption = False,
    antispoof_file: AntispoofFileOption = None,
    min_live: MinLiveOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Who is on a photo? Exit status 0: somebody in the gallery; 1: a stranger; 2: cannot say (or, with
    --antispoof: the face looks like an attack)."""
    from facelab.gallery import Gallery
    from facelab.gallery.answers import shown
    from facelab.pipeline import Pipeline

    asked = living(antispoof, antispoof_file, min_live)
    with notes_on_stderr(), Gallery(file, "r", device=device, search=search.value) as gallery:
        if asked:
            gallery.pipeline = Pipeline(**gallery.pipeline.options | asked)
        m = gallery.identify(photo, k=k, score=score.value, threshold=threshold, face=face)
    answer = {
        "name": m.name,
        "id": m.id,
        "distance": m.distance if m.candidates else None,
        "threshold": m.threshold,
        "fpir": m.fpir and {"value": m.fpir.value, "low": m.fpir.low, "high": m.fpir.high},
        "candidates": [vars(candidate) for candidate in m.candidates],
        "box": m.faces[0].box.tolist(),
        "live": m.faces[0].live,
        "notes": m.notes,
    }
    candidates = "".join(f"\n  {c.distance:.4f}  {shown(c.name)} (id {c.id})" for c in m.candidates)
    _say(answer, f"{m}{candidates}", as_json)
    raise typer.Exit(1 if m.id is None else 0)


@app.command("delete")
def delete(
    file: FileArgument,
    ids: Annotated[list[int], typer.Argument(help="Who is to be forgotten; `list` shows the ids.")],
    as_json: JsonOption = False,
) -> None:
    """Forget people: their names and templates are gone from the file."""
    from facelab.gallery import Gallery

    with Gallery(file, "r+", device="cpu") as gallery:
        gallery.delete(*ids)
    _say({"deleted": ids}, f"{file}: forgotten: {', '.join(map(str, ids))}.", as_json)


@app.command("clear")
def clear(
    file: FileArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, everybody.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Forget everybody."""
    from facelab.gallery import Gallery

    with Gallery(file, "r+", device="cpu") as gallery:
        people = [person.id for person in gallery.list()]
        if not yes:
            raise FacelabError(f"{file}: this forgets {len(people)} people. Say --yes if that is meant.")
        gallery.clear()
    _say({"deleted": people}, f"{file}: {len(people)} people forgotten.", as_json)


@app.command("export")
def export(
    file: FileArgument,
    out: Annotated[Path, typer.Argument(help="The HDF5 file to write.")],
    as_json: JsonOption = False,
) -> None:
    """Write everybody in the slides' layout: a group for each person with Name, Department, Feature Map."""
    from facelab.gallery import Gallery

    with Gallery(file, "r", device="cpu") as gallery:
        gallery.export_slides(out)
        people = len(gallery)
    _say({"file": str(out), "people": people}, f"{out}: {people} people.", as_json)


@app.command("import")
def import_people(
    file: FileArgument,
    source: Annotated[Path, typer.Argument(help="An HDF5 file in the slides' layout.")],
    embedder: Annotated[str | None, embedder_option("Of a new gallery: what made the vectors.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Enrol everybody of a file in the slides' layout. Makes the gallery if there is none."""
    from facelab.gallery import Gallery

    if not source.is_file():
        raise FacelabError(f"{source}: there is no such file.")
    pipe = pipeline("yunet", embedder, "cpu") if embedder else None
    with Gallery(file, pipeline=pipe, device="cpu") as gallery:
        ids = gallery.import_slides(source)
    _say({"ids": ids}, f"{file}: {len(ids)} people enrolled.", as_json)


def _say(answer: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        typer.echo(text)
