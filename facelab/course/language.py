"""The language in which the course speaks: English, Korean or Japanese.

    from facelab.course import language

    language.use("ko")          # or FACELAB_LANG=ko in the environment
    language.translated("Reset")                      # "처음으로"
    language.translated("3 hints left")               # by the template "{0} hints left"

The texts stay in the code, in English. Catalogues (`locale/ko/…/NAME.po`, one for each module) give them in
the other languages; tools/translations.py makes and checks those. Where a text is put together (an f-string)
the catalogue has a template with {0}, {1}, … in the places of its values. `translated` finds the template
that the text was made from, takes the values out, and puts them into the translation, in whatever order that
has them. What no catalogue has is shown in English, sentence by sentence: a lesson that is half translated is
still a lesson.
"""

import os
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, product
from pathlib import Path

from facelab.errors import FacelabError

LANGUAGES = {"en": "English", "ko": "한국어", "ja": "日本語"}
LOCALE = Path(__file__).parent / "locale"
STRONG = 6
"""Letters that a template must hold to be tried on whole paragraphs. "{0} of {1}" fits nearly everything."""

GIVEN = ("\u2068", "\u2069")
"""Around what is not translated: Unicode's marks of a piece of text that stands for itself."""

SENTENCES = re.compile(r"((?<=[.:;!?…])\s+|\s+·\s+|\s+(?=\()|\n+)")
BREAK = re.compile(r"(?<=[.:;!?])\s+|\n")
ENDS = re.compile(r"[.:,;!?…]+\Z")
LETTER = re.compile(r"[^\W\d_]")
WORD = re.compile(r"\w+")
PLACE = re.compile(r"\{\d+\}")  # babel flags {'r': 3} too
PLURAL = re.compile(r"(?<=[a-z])\{\d+\}")


def known(name: str, source: str = "the language") -> str:
    """`name` as one of LANGUAGES ("ko_KR.UTF-8" is "ko"); FacelabError where it is none of them."""
    short = re.split(r"[_.\-@]", name.strip().lower())[0]
    if short not in LANGUAGES:
        raise FacelabError(
            f"{source} is {name!r}; the course speaks {', '.join(LANGUAGES)}: choose one of them."
        )
    return short


_current: str | None = None


def current() -> str:
    """The language in use: what `use` chose last, else FACELAB_LANG, else English.

    Raises FacelabError where FACELAB_LANG names a language that the course does not speak.
    """
    global _current
    if _current is None:
        _current = known(os.environ.get("FACELAB_LANG") or "en", "FACELAB_LANG")
    return _current


def use(name: str) -> None:
    """Speak this language from now on: "en", "ko" or "ja". Widgets that are there already keep theirs.

    Raises FacelabError for any other name.
    """
    global _current
    _current = known(name)


def as_given(name: str) -> str:
    """What somebody typed, within a text: it is told as it is, though a message may read the same."""
    return f"{GIVEN[0]}{name}{GIVEN[1]}"


def translated(text: str) -> str:
    """The text in the language in use; itself where that is English or no catalogue has it."""
    if current() != "en" and LETTER.search(text):
        text = catalogue(current()).say(text)
    return text.replace(GIVEN[0], "").replace(GIVEN[1], "")


COMMA = {"en": ", ", "ko": ", ", "ja": "、"}


def named(text: str) -> str:
    """A name in the language in use: as a whole, or what its commas divide ("Eileen Collins, mirrored")."""
    if current() == "en":
        return text
    whole = text in catalogue(current()).texts
    return COMMA[current()].join(map(translated, [text] if whole else text.split(", ")))


def listed(names: Iterable[str]) -> str:
    """Names that are told one after the other: "A and B"; elsewhere "A, B"."""
    return (" and " if current() == "en" else COMMA[current()]).join(names)


def is_given(text: str) -> bool:
    return text[:1] == GIVEN[0] and text.find(GIVEN[1]) == len(text) - 1


# ---- catalogues --------------------------------------------------------------------------------------------


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(name: str) -> "Catalogue":
    """All translated texts of the course in this language, read once."""
    entries: dict[str, tuple[str, bool]] = {}
    for path in sorted((LOCALE / name).rglob("*.po")):
        entries |= finished(path)
    return Catalogue(entries)


def finished(path: Path) -> dict[str, tuple[str, bool]]:
    """msgid → (translation, is it a template) of a .po file, without missing and fuzzy ones."""
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        entries = list(read_po(file))
    return {
        entry.id: (entry.string, "python-brace-format" in entry.flags and bool(PLACE.search(entry.id)))
        for entry in entries
        if entry.id and entry.string and not entry.fuzzy
    }


class Template:
    """A text with places in it: "{0} of {1} for {2}", and its translation.

    places  the numbers of its places, in their order
    words   whole words that every text of this form has
    """

    def __init__(self, msgid: str, translation: str):
        self.pieces, self.places, self.translation = [""], [], translation
        for literal, place, _, _ in string.Formatter().parse(msgid):
            self.pieces[-1] += literal
            if place is not None:
                self.pieces.append("")
                self.places.append(int(place))
        self.letters = sum(len(LETTER.findall(piece)) for piece in self.pieces)
        # A word beside a place may go on in it, and is none of these.
        self.words = WORD.findall(re.sub(r"\w*\0\w*", " ", "\0".join(self.pieces)))

    def filled(self, values: Iterable[str]) -> str:
        """The translation with these values in its places."""
        given = dict(zip(self.places, values, strict=True))
        return self.translation.format(*(given.get(place, "") for place in range(max(given, default=-1) + 1)))

    def values(self, text: str) -> list[str] | None:
        """What stands in the places, if the text has this form; each value as short as can be."""
        first, *between = self.pieces
        if not between:
            return [] if text == first else None
        last = between.pop()
        if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
            return None
        at, end, found = len(first), len(text) - len(last), []
        if not first:  # what such a template begins with is a value, and no sentence is one
            following = text.find(between[0], 0, end) if between else end
            if BREAK.search(text, 0, max(following, 0)):
                return None
        for piece in between:
            next_at = text.find(piece, at, end)
            if next_at < 0:
                return None
            found.append(text[at:next_at])
            at = next_at + len(piece)
        return [*found, text[at:end]]


def templates(msgid: str, translation: str) -> Iterator[Template]:
    """One for each number: a place right behind a letter ("{0} face{1}") holds an s or nothing."""
    if plural := PLURAL.search(msgid):
        for ending in ("s", ""):
            place = plural.group()
            yield from templates(msgid.replace(place, ending), translation.replace(place, ending))
    else:
        yield Template(msgid, translation)


class Catalogue:
    """Texts and templates with their translations; `say` answers from memory what it was asked before."""

    def __init__(self, entries: dict[str, tuple[str, bool]]):
        self.texts = {msgid: text for msgid, (text, is_template) in entries.items() if not is_template}
        found = (templates(msgid, text) for msgid, (text, is_template) in entries.items() if is_template)
        # The one that says most comes first; of two that fit it is the right one.
        self.templates = sorted(chain.from_iterable(found), key=lambda template: -template.letters)
        # Which to try is asked by the rarest word of each ("" where it has none): most are never looked at.
        often = Counter(chain.from_iterable(set(template.words) for template in self.templates))
        self.by_word: dict[str, list[int]] = {}
        for place, template in enumerate(self.templates):
            self.by_word.setdefault(min(template.words, key=often.__getitem__, default=""), []).append(place)
        self.say = lru_cache(maxsize=4096)(self._say)

    def whole(self, text: str, least: int = 0, strict: bool = False) -> str | None:
        """The translation of the text as one message, or None.

        Templates need `least` letters. If `strict`, a value that reaches over the end of a sentence must be a
        message itself.
        """
        if text in self.texts:
            return self.texts[text]
        words = {"", *WORD.findall(text)} & self.by_word.keys()
        for place in sorted(chain.from_iterable(map(self.by_word.__getitem__, words))):
            template = self.templates[place]
            if template.letters < least:
                break
            values = template.values(text)
            if values is not None and (not strict or all(map(self._is_value, values))):
                return template.filled(map(self.say, values))
        return None

    def _is_value(self, text: str) -> bool:
        return (
            is_given(text)
            or not BREAK.search(text)
            or self.whole(text.strip(), STRONG, strict=True) is not None
        )

    def _say(self, text: str) -> str:
        body = text.strip()
        if not LETTER.search(body) or is_given(body):
            return text
        if "\n" in body and body not in self.texts:
            found = "\n".join(map(self.say, body.split("\n")))
        else:
            found = self.whole(body, STRONG, strict=True)
            found = self._by_sentences(body) if found is None else found
        before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
        return before + found + after

    def _by_sentences(self, text: str) -> str:
        """The longest runs of sentences that are messages, translated; the others as they are."""
        parts = SENTENCES.split(text)  # sentence, gap, sentence, …
        done, start = "", 0
        while start < len(parts):
            stop, found = start + 1, parts[start]
            for strict, end in product((True, False), range(len(parts), start, -2)):
                better = self._run("".join(parts[start:end]), end == start + 1, strict)
                if better is not None:
                    stop, found = end, better
                    break
            gap = "".join(parts[stop : stop + 1])
            done += found + ("" if gap == " " and found.endswith(("。", "！", "？")) else gap)
            start = stop + 1
        return done

    def _run(self, text: str, single: bool, strict: bool) -> str | None:
        """A run of sentences, with its last sign or without; a single one with weak templates too."""
        least = 0 if single else STRONG
        found = self.whole(text, least, strict)
        if found is None and (end := ENDS.search(text)):
            found = self.whole(text[: end.start()], least, strict)
            found = None if found is None else found + end.group()
        return found


# ---- widgets -----------------------------------------------------------------------------------------------


def localise(widget) -> None:
    """Names, tips and placeholders of a widget and of all that it holds, in the language in use.

    Twice does no harm: what is translated is no message any more.
    """
    if current() == "en":
        return
    for name in ("description", "tooltip", "placeholder"):
        text = getattr(widget, name, None)
        if isinstance(text, str) and text:
            setattr(widget, name, translated(text))
    for child in getattr(widget, "children", ()):
        localise(child)
