"""FGLFW's official list: LFW's positives, and negatives that look alike (Deng et al., Pattern
Recognition 2017).

It is its authors' and comes from them; facelab reads it. Ten folds of 300 pairs of the same person and
300 of different people, each photo by its file name. Copies of the list differ in their layout, so any
of these is read: `Aaron_Peirsol/Aaron_Peirsol_0001.jpg` or `Aaron_Peirsol_0001.jpg`; the two names of a
pair on one line or on two; spaces, tabs or commas between them; a first line with counts, or none.
"""

import re

from facelab.errors import DatasetError

FILE_NAME = "fglfw.txt"
FOLDS, EACH = 10, 300
MOST_BYTES = 2**22  # the list takes about 0.5 MB

_PHOTO = re.compile(r"(.+)_(\d{4})\.(?:jpe?g|png|bmp)", re.IGNORECASE)
_REMEDY = (
    "Give the official list: 6,000 pairs of LFW's file names (such as Zico/Zico_0002.jpg), in ten folds "
    "of 300 pairs of the same person and then 300 of different people"
)

Photo = tuple[str, int]


def parse(text: str, source: object) -> tuple[tuple[Photo, ...], tuple[Photo, ...]]:
    """The list's text → first and second photo of each of the 6,000 pairs, as (name, number).

    Raises DatasetError, naming the line and what should be there.
    """
    a: list[Photo] = []
    b: list[Photo] = []
    lines: list[int] = []
    waiting: Photo | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        words = re.split(r"[\s,;]+", line.strip(" \t\r,;\ufeff"))
        if words == [""] or (not a and waiting is None and all(word.isdecimal() for word in words)):
            continue
        photos = [_photo(word, number, source) for word in words]
        if len(photos) > 2 or (len(photos) == 2 and waiting is not None):
            raise DatasetError(
                f"{source}, line {number}: {line.strip()[:80]!r} leaves a pair with one photo or with three. "
                f"{_REMEDY}."
            )
        if len(photos) == 2:
            first, second = photos
        elif waiting is not None:
            first, second = waiting, photos[0]
        else:
            waiting = photos[0]
            continue
        a.append(first)
        b.append(second)
        lines.append(number)
        waiting = None
    if len(a) != 2 * FOLDS * EACH or waiting is not None:
        half = " and a half" if waiting is not None else ""
        raise DatasetError(f"{source} holds {len(a):,}{half} pairs, and FGLFW has 6,000. {_REMEDY}.")
    for place, (first, second, number) in enumerate(zip(a, b, lines, strict=True)):
        _check(place, first, second, f"{source}, line {number}")
    return tuple(a), tuple(b)


def _photo(word: str, number: int, source: object) -> Photo:
    *folders, file = word.replace("\\", "/").split("/")
    found = _PHOTO.fullmatch(file)
    if found is None:
        raise DatasetError(f"{source}, line {number}: {word[:60]!r} is no file name of LFW's. {_REMEDY}.")
    name, count = found.groups()
    if folders and folders[-1] != name:
        raise DatasetError(
            f"{source}, line {number}: {word[:80]!r} lies in somebody else's folder. {_REMEDY}."
        )
    return name, int(count)


def _check(place: int, first: Photo, second: Photo, where: str) -> None:
    """The first 300 pairs of a fold show one person each, the others two."""
    fold, same = place // (2 * EACH) + 1, place // EACH % 2 == 0
    if first == second:
        raise DatasetError(f"{where}: a photo is paired with itself, {first[0]} {first[1]}. {_REMEDY}.")
    if (first[0] == second[0]) != same:
        wanted = "the same person" if same else "different people"
        raise DatasetError(
            f"{where}: pair {place % (2 * EACH) + 1} of fold {fold} should show {wanted}, and its names are "
            f"{first[0]} and {second[0]}: the folds are shifted, or it is another list. {_REMEDY}."
        )
