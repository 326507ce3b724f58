"""How a text that the course shows is found again: templates, numbers of things, sentences; and fast."""

import importlib
import re
import sys
from pathlib import Path

import anywidget
import pytest

from facelab.course import language

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import translations as tool  # noqa: E402

TEXTS = tool.wanted()

KEPT = {
    "Anna", "Bert", "Dora", "ArcFace", "LFW", "Chinese", "Whispers", "FPIR", "EER", "JPEG", "Tab", "UMAP",
    "localhost", "https", "max",
}  # fmt: skip
"""Names, and what readers of all languages write so."""


def english(text: str) -> set[str]:
    """The English words of a text."""
    return set(re.findall(r"[A-Za-z]{3,}", text)) - KEPT


def catalogue(**entries: str) -> language.Catalogue:
    return language.Catalogue({text: (entries[text], "{" in text) for text in entries})


# ---- which templates are tried -----------------------------------------------------------------------------


def test_only_templates_whose_word_is_in_the_text_are_tried(monkeypatch):
    tried = []
    plain = language.Template.values
    monkeypatch.setattr(
        language.Template, "values", lambda self, text: tried.append(self) or plain(self, text)
    )
    made = language.catalogue("ko")
    made.say.cache_clear()
    text = "Worth, on LFW: this threshold takes 1 in 900 pairs of different people for the same person."
    assert made.whole(text) is None
    assert len(made.templates) > 250
    assert 0 < len(tried) < len(made.templates) / 4


def test_a_word_beside_a_place_is_asked_for_in_no_text():
    assert language.Template("RE{0}ED by cells, NO{1} (none)", "").words == ["by", "cells", "none"]
    made = catalogue(**{"RE{0}ED by cells, NO{1} (none)": "{0}/{1}"})
    assert made.whole("RELATED by cells, NONE (none)") == "LAT/NE"


@pytest.mark.parametrize("code", tool.LANGUAGES)
def test_every_template_is_found_by_what_it_makes(code):
    """With "7" in each place (an s or nothing where a number of things ends), a template finds itself, or one
    that says as much."""
    made = language.catalogue(code)
    for number, template in enumerate(made.templates):
        text = "7".join(template.pieces)
        found = [place for places in made.by_word.values() for place in places]
        assert found.count(number) == 1
        assert made.whole(text) is not None, text


# ---- numbers of things -------------------------------------------------------------------------------------


def test_a_place_behind_a_letter_is_an_s_or_nothing():
    made = catalogue(**{
        "{0} template{1}": "템플릿 {0}개",
        "{0} photo{1}{2}": "사진 {0}장{2}",
        "{0} more at least": "적어도 {0}장 더",
        "A million templates of {0}, one probe": "{0}차원 템플릿 백만 개",
    })  # fmt: skip
    assert made.say("1 template") == "템플릿 1개"
    assert made.say("20 templates") == "템플릿 20개"
    assert made.say("20 template files") == "20 template files"
    assert made.say("1 photo: 1 more at least") == "사진 1장: 적어도 1장 더"
    assert made.say("2 photos") == "사진 2장"
    assert made.say("A million templates of 128, one probe") == "128차원 템플릿 백만 개"


def test_wherever_a_place_stands_behind_a_letter_it_is_for_an_s():
    for name, texts in TEXTS.items():
        for text in texts if "/" in name else ():
            for place in language.PLURAL.findall(text.msgid):
                assert f"{place}: 's' * (" in " ".join(text.comments), f"{name}: {text.msgid!r}"


# ---- sentences ---------------------------------------------------------------------------------------------


def test_a_value_does_not_swallow_the_sentences_behind_it():
    made = catalogue(
        **{"{0}: EER {1} %{2}, {3} photos.": "{0}: 사진 {3}장{2}, EER {1} %", "({0} to {1})": "({0}~{1})"}
    )
    assert made.say("A: EER 5.0 % (4.9 to 5.1), 10 photos. B: EER 7.2 %, 90 photos.") == (
        "A: 사진 10장 (4.9~5.1), EER 5.0 % B: 사진 90장, EER 7.2 %"
    )


def test_a_value_that_is_a_message_may_have_sentences():
    made = catalogue(**{
        "breadth {0}: {1}": "폭 {0}. {1}",
        "You looked into one cell; `breadth` says into how many.": "셀 하나만 보았습니다.",
        "{0} pairs of people ({1})": "{1}, {0}쌍",
        "95 % interval: {0} to {1}": "95 % 구간 {0}~{1}",
        "1 in {0}": "{0} 중 1",
    })  # fmt: skip
    assert made.say("breadth 3: You looked into one cell; `breadth` says into how many.") == (
        "폭 3. 셀 하나만 보았습니다."
    )
    assert (
        made.say("1 in 9 pairs of people (95 % interval: 1 in 8 to 1 in 7)")
        == "95 % 구간 8 중 1~7 중 1, 9 중 1쌍"
    )


def test_code_in_braces_is_no_template(tmp_path):
    path = tmp_path / "x.po"
    path.write_text(
        "#, python-brace-format\nmsgid \"A dictionary: {'r': 3, …}.\"\nmsgstr \"사전: {'r': 3, …}.\"\n",
        "utf-8",
    )
    made = language.Catalogue(language.finished(path))
    assert made.say("A dictionary: {'r': 3, …}.") == "사전: {'r': 3, …}."
    assert re.search("사전", language.catalogue("ko").say("A dictionary is asked for: {'r': 3, …}."))


# ---- what pages say ----------------------------------------------------------------------------------------

PAGES = sorted((ROOT / "facelab" / "course" / "widgets").glob("*.js"))
SAID = re.compile(r'\bsay\(\s*"((?:[^"\\]|\\.)*)"')
PROSE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}|^[A-Z][a-z]+$")
UNSAID = {  # events, keys, classes, fonts
    "Arrow", "Tab", "Enter", "NotAllowedError", "NotFoundError", "bar pager", "row out",
    "change:chosen change:radius change:message", "${Math.round(20 * unit)}px sans-serif",
    "the browser could not write a JPEG", "UMAP, fitted now",
}  # fmt: skip


def widget_of(page: Path) -> type:
    """The widget's class whose JavaScript this is."""
    module = importlib.import_module(f"facelab.course.widgets.{page.stem}")
    [its] = [
        one
        for one in vars(module).values()
        if isinstance(one, type)
        and issubclass(one, anywidget.AnyWidget)
        and one.__module__ == module.__name__
        and "_esm" in vars(one)
    ]
    return its


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_all_that_a_page_says_is_translated(page):
    script = re.sub(r"^\s*//.*$|\s//\s.*$", "", page.read_text("utf-8"), flags=re.M)
    said = set(SAID.findall(script))
    assert said == set(getattr(widget_of(page), "WORDS", ())), "WORDS are what the page says, word for word"
    assert not re.search(r"\bsay\(\s*[^\"\s]", script.replace("say = (", "")), "a text that no catalogue sees"
    rest = re.findall(r'"([^"\n]*)"|`([^`]*)`', SAID.sub("", script))
    assert {text for pair in rest for text in pair if PROSE.search(text)} <= UNSAID
    for code in tool.LANGUAGES:
        say = language.catalogue(code).say
        assert {text: say(text) for text in said if english(say(text))} == {}
        for text in said:
            assert set(tool.PLACE.findall(say(text))) == set(tool.PLACE.findall(text))


def test_a_page_is_given_its_words_in_the_language_in_use(monkeypatch):
    from facelab.course.widgets.triplet import Triplet

    monkeypatch.setattr(language, "_current", "en")
    assert Triplet().texts == {text: text for text in Triplet.WORDS}
    language.use("ko")
    assert Triplet().get_state()["texts"]["One step"] == "한 걸음"


# ---- texts that once stayed English ------------------------------------------------------------------------


@pytest.mark.parametrize("code", tool.LANGUAGES)
@pytest.mark.parametrize(
    "text",
    [
        "A: EER 5.0 % (4.9 to 5.1) after 300 steps, 3 seeds, 10 people, 100 photos. "
        "B: EER 7.2 % after 300 steps, 1 seeds, 10 people, 100 photos.",
        "A million templates of 128, one probe, 20 GB/s, 100 billion operations a second: "
        "it is 1 s, not 2 s.",
        "A million templates of 128, 400 probes, 20 GB/s, 100 billion operations a second: "
        "it is 1 s, not 2 s.",
        "a head turned by 25°: the nose lies at 0.500, not 0.600.",
        "From 0.30 on. connected components: 5 groups, the largest 3; precision 50.0%, recall 90.0%, F 7.0%; "
        "Chinese Whispers: 5 groups, the largest 3; precision 50.0%, recall 90.0%, F 70.0%. "
        "(In truth 9 people.)",
        "5,749 people of LFW",
        "10,000 people who are drawn",
        "Good. Look straight ahead again. The nose has moved by +0.20; 0.20 are asked for.",
        "Turn 1 of 3: turn your head to your right. The nose has moved by +0.20; 0.20 are asked for.",
        "s = 64, m = 0.50, 1,000 classes: on its centre p = 1.0000, never half sure. "
        "Pull at 10°: 7.83e-18 exact, 2.18e-18 detached.",
        "1 person enrolled, 3 vectors of them new; the gallery has 2 people now.",
        "Anna, Bert, Dora are one group now, Anna, of 12 faces.",
        "3 faces of Anna, Bert went to Bert.",
        "a print",
        "a screen",
        "a flat photo, turned by 20°: the nose lies 0.60 of the way from eye to eye, 0.10 from the middle: "
        "not enough for a turn (asked: 0.20).",
        "1 photo: 1 more at least",
        "3 photos",
        "your guess (%)",
        "Anna · id 1, 3 templates",
        "Score 0.50 (it passes from 0.40 on), distance 0.30 (the same person up to 0.60): "
        "let in: the attack has worked.",
        "✓ solved",
        "right margin m",
        "Nobody is remembered any more.",
        "Anna: 128 numbers are remembered in this notebook's memory, and no picture.",
    ],
)
def test_what_once_stayed_english_is_found(code, text, monkeypatch):
    monkeypatch.setattr(language, "_current", code)
    assert english(language.translated(text)) == set(), language.translated(text)


def test_names_are_translated_between_their_commas(monkeypatch):
    monkeypatch.setattr(language, "_current", "en")
    run = "ArcFace s=16 m=0.1, 50 people, no warm-up, no augmentation, 10 % wrong"
    assert language.named(run) == run
    assert language.listed(["Anna", "Bert"]) == "Anna and Bert"
    language.use("ko")
    assert language.named(run) == "ArcFace s=16 m=0.1, 50명, 예열 없음, 증강 없음, 10 % 틀림"
    assert language.named("student, no augmentation") == "학생, 증강 없음"  # a message as a whole
    assert language.named("Anna, mirrored") == "Anna, 좌우 반전"
    language.use("ja")
    assert language.named("Anna, mirrored") == "Anna、左右反転"
    assert language.listed(["Anna", "Bert"]) == "Anna、Bert"


def test_the_reader_of_the_code_takes_lists_and_leaves_code():
    of = {name: {text.msgid for text in texts} for name, texts in TEXTS.items()}
    assert {"a print", "a screen", "a print, its eyes cut out"} <= of["widgets/attack"]
    assert {"stretched", "square"} <= of["widgets/crop"]
    assert "ArcFace (1, 0.5, 0)" not in of["widgets/margins"]
    assert not {"none", "of ArcFace", "replay"} & set().union(*of.values())
    given = "".join(source.read_text("utf-8") for source in tool.sources())
    given += (ROOT / "facelab" / "course" / "widgets" / "compare.py").read_text("utf-8")
    assert [name for names in tool.GIVEN.values() for name in names if f'"{name}"' not in given] == []


def test_a_head_and_its_photos_are_named_as_the_model_names_them():
    from facelab.course import lesson12_turn
    from facelab.course.widgets import turn

    assert turn.WORDS == lesson12_turn.HELD


@pytest.mark.parametrize("code", ["ko", "ja"])
@pytest.mark.parametrize("name", ["people", "faces", "photo 1", "Dr. Who. And more", "a stranger"])
def test_what_somebody_typed_is_told_as_it_is(code, name, monkeypatch):
    monkeypatch.setattr(language, "_current", code)
    for text in ("{0} is enrolled, with the id 3.", "3 faces of {0} went to {0}.", "{0} is Mary now."):
        said = language.translated(text.format(language.as_given(name)))
        assert said.count(name) == text.count("{0}")
        assert said != text.format(name), "the rest is translated"
        assert not set(language.GIVEN) & set(said)
    monkeypatch.setattr(language, "_current", "en")
    assert language.translated(f"{language.as_given(name)} is Mary now.") == f"{name} is Mary now."
