"""How a text that the course shows is found again: templates, numbers of things, sentences; and fast."""

import re
import sys
from pathlib import Path

import pytest

from facelab.course import language

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import translations as tool  # noqa: E402

TEXTS = tool.wanted()


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
