"""Three languages from one source: catalogues in step and undamaged, every message found."""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest

from facelab.course import exercises, language
from facelab.course.exercises import core
from facelab.errors import FacelabError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import translations as tool  # noqa: E402

import notebooks  # noqa: E402

LESSONS = [source.name[:2] for source in tool.sources()]
TEXTS = tool.wanted()


@pytest.fixture(autouse=True)
def english_again(monkeypatch):
    monkeypatch.setattr(language, "_current", "en")


@pytest.fixture
def speaking(monkeypatch):
    """`speaking({english: translation, …})`: Korean with just this catalogue. Templates have places."""

    def speak(entries: dict[str, str]):
        made = language.Catalogue({msgid: (string, "{0}" in msgid) for msgid, string in entries.items()})
        monkeypatch.setattr(language, "catalogue", lambda name: made)
        language.use("ko")
        return made

    return speak


# ---- catalogues and sources --------------------------------------------------------------------------------


def test_catalogues_are_in_step_with_the_sources():
    assert tool.out_of_step() == [], "run `python tools/translations.py extract`"


@pytest.mark.parametrize("code", tool.LANGUAGES)
def test_no_translation_is_damaged_and_whole_lessons_are_whole(code):
    found = tool.states(code, TEXTS)
    assert {name: one.damaged for name, one in found.items() if one.damaged} == {}
    assert list(tool.WHOLE) == LESSONS
    for number in tool.WHOLE:
        gaps = {name: found[name].missing + found[name].fuzzy for name in tool.needs(number) if name in found}
        assert {name: gap for name, gap in gaps.items() if gap} == {}, f"lesson {number} in {code}"


@pytest.mark.parametrize("code", tool.LANGUAGES)
def test_a_text_has_one_translation(code):
    said: dict[str, set[str]] = {}
    for name, path in tool.stored(code).items():
        if "/" in name:
            for entry in tool.read(path, code):
                if tool.is_done(entry) and entry.id:
                    said.setdefault(entry.id, set()).add(entry.string)
    assert {msgid: strings for msgid, strings in said.items() if len(strings) > 1} == {}
    assert len(said) > 100


@pytest.mark.parametrize("source", tool.sources(), ids=LESSONS)
def test_cut_into_blocks_and_joined_a_lesson_is_itself(source):
    text = source.read_text("utf-8")
    cells = [
        cell.source for cell in jupytext.reads(text, fmt="py:percent").cells if cell.cell_type == "markdown"
    ]
    assert list(tool.markdown_cells(text)) == cells
    for cell in cells:
        assert "".join(tool.blocks(cell)) == cell
        assert tool.in_language(cell, {}, "ko")[0] == cell
        same = {tool.key(block): tool.key(block) for block in tool.blocks(cell)[::2]}
        assert " ".join(tool.in_language(cell, same, "ko")[0].split()) == " ".join(cell.split())


def test_wrapping_changes_no_key():
    assert tool.key("One line\nand one more.") == "One line and one more."
    assert tool.key("- an item\n  goes on\n- another") == "- an item goes on\n- another"
    assert tool.blocks("a\n\n```python\nx\n\ny\n```\n\n$$\nx\n$$") == [
        "a", "\n\n"[1:] + "\n", "```python\nx\n\ny\n```", "\n\n", "$$\nx\n$$",
    ]  # fmt: skip


def test_a_changed_message_is_fuzzy_a_vanished_one_obsolete(tmp_path):
    old = tool.Catalog(locale="ko")
    old.add("The face is turned until the eyes are level.", "눈이 수평이 되도록 얼굴을 돌립니다.")
    old.add("Gone for good, and nothing is like it.", "사라짐")
    texts = [tool.Text("The face is turned until both eyes are level."), tool.Text("New.")]
    new = tool.merged(texts, old, {}, "ko")
    changed, fresh = (new[text.msgid] for text in texts)
    assert changed.fuzzy
    assert changed.previous_id == (
        "The face is turned until the eyes are level.",
    ) or changed.previous_id == ["The face is turned until the eyes are level."]
    assert not tool.is_done(changed)
    assert fresh.string == ""
    assert list(new.obsolete) == ["Gone for good, and nothing is like it."]
    path = tmp_path / "x.po"
    tool.write(new, path, "ko")
    again = tool.read(path, "ko")
    assert list(again[texts[0].msgid].previous_id) == ["The face is turned until the eyes are level."]
    assert language.finished(path) == {}  # fuzzy and missing: English
    back = tool.merged([tool.Text("Gone for good, and nothing is like it.")], again, {}, "ko")
    assert back["Gone for good, and nothing is like it."].string == "사라짐"


@pytest.mark.parametrize(
    ("english", "translation", "fault"),
    [
        ("At $x^2$ it turns.", "거기서 돕니다.", "formula"),
        ("Call `fl.embed`.", "부르십시오.", "code `fl.embed`"),
        ("Of 3,000 pairs.", "3000쌍.", "number 3,000"),
        ("See [lesson](05.ipynb).", "레슨을 보십시오.", "link"),
        ("**Never** do it.", "**절대(로)**하지 마십시오.", "strong"),
        ("The threshold moves.", "문턱이 움직입니다.", "'threshold' without 임계값"),
        ("- one\n- two", "- 하나", "list_item"),
    ],
)
def test_damage_is_seen(english, translation, fault):
    assert fault in "; ".join(tool.faults(tool.Text(english), translation, "ko"))


def test_places_of_a_template_may_move_and_none_may_be_lost():
    text = tool.Text("{0} of {1} face{2}", ["{0}: a, {1}: b, {2}: 's' * (b > 1)"], template=True)
    assert tool.faults(text, "{1}개 중 {0}개", "ko") == []
    assert tool.faults(text, "{0}개", "ko") == ["lacks {1}"]
    assert "which the English has not" in tool.faults(text, "{1} {0} {3}", "ko")[0]


def test_a_filled_work_list_is_taken_and_a_damaged_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "LESSONS", tmp_path)
    monkeypatch.setattr(tool, "COURSE", tmp_path / "course")
    (tmp_path / "99_x.py").write_text("# %% [markdown]\n# # Title\n#\n# Of 30\n# pairs.\n")
    monkeypatch.setattr(tool, "modules", list)
    work = list(tool.todo("ko", []))
    assert f"@@ {tool.mark('Of 30 pairs.')}" in work
    answers = tmp_path / "answers.txt"
    answers.write_text(f"@@ {tool.mark('# Title')}\n# 제목\n\n@@ {tool.mark('Of 30 pairs.')}\n쌍\n")
    [refused] = tool.fill("ko", answers)
    assert "lacks the number 30" in refused
    assert tool.translations("99_x", "ko") == {"# Title": "# 제목"}


# ---- what is shown, found again ----------------------------------------------------------------------------


def shown(capsys) -> str:
    return capsys.readouterr().out


@pytest.mark.parametrize("number", LESSONS)
def test_every_message_of_every_exercise_is_found(number, speaking, capsys):
    """With a catalogue in which each message is «…», nothing is said outside «…» but signs and marks."""
    entries = {}
    for name in ("exercises/core", *(name for name in TEXTS if name.startswith(f"exercises/lesson{number}"))):
        for text in TEXTS[name]:
            places = "".join(f"{{{place}}}" for place in dict.fromkeys(tool.PLACE.findall(text.msgid)))
            entries[text.msgid] = f"«{places}»"
    speaking(entries)
    core.import_lesson(number)
    said = 0
    for id in sorted(key for key in core.REGISTRY if key.startswith(number)):
        item = core.load(id)
        for answer in (None, item.solution, *item.mistakes):
            with np.errstate(all="ignore"):
                exercises.check(id, answer)
            for line in shown(capsys).splitlines():
                left = re.sub(r"«.*»|'[^']*'", "", line.replace(id, ""))
                assert not re.search(r"[A-Za-z]{3,}", left), f"{id}: {line!r} is in no catalogue"
                said += 1
        for _ in item.hints:
            exercises.hint(id)
            assert not re.search(r"[A-Za-z]{3,}", re.sub(r"«.*»", "", shown(capsys).replace(id, "")))
    assert said > 10


def test_templates_give_their_values_in_any_order(speaking):
    speaking({
        "{0} of {1} pairs are missed.": "{1}쌍 중 {0}쌍을 놓칩니다.",
        "Worth, on LFW: it takes {0} for the same person.": "LFW에서: {0} 같은 사람으로 봅니다.",
        "{0} in {1} pairs of photos ({2})": "{1}쌍 중 {0}쌍을({2})",
        "different people": "다른 사람",
        "Set to {{braces}} {0}.": "{{중괄호}} {0}.",
    })  # fmt: skip
    assert language.translated("3 of 1,000 pairs are missed.") == "1,000쌍 중 3쌍을 놓칩니다."
    line = "0.871 > 0.593: different people. Worth, on LFW: it takes 1 in 9 pairs of photos (95 %: 8) "
    line += "for the same person."
    assert language.translated(line) == (
        "0.871 > 0.593: 다른 사람. LFW에서: 9쌍 중 1쌍을(95 %: 8) 같은 사람으로 봅니다."
    )
    assert language.translated("Set to {braces} 5.") == "{중괄호} 5."
    assert language.translated("Nobody wrote this. 3 of 9 pairs are missed.") == (
        "Nobody wrote this. 9쌍 중 3쌍을 놓칩니다."
    )


def test_what_no_catalogue_has_is_english(speaking):
    speaking({"Reset": "처음으로"})
    for text in ("Something else.", "", "  3.5 ", "Reset it: now", "two\nlines here"):
        assert language.translated(text) == text
    assert language.translated(" Reset ") == " 처음으로 "


def test_a_line_of_a_slider_is_found_in_a_fraction_of_its_time():
    import time

    say = language.catalogue("ko").say
    say.cache_clear()
    spent = []
    for number in range(50):
        start = time.perf_counter()
        say(
            f"0.{number:03} > 0.593: different people. Worth, on LFW: this threshold takes 1 in {number}00 "
            f"pairs of different people (95 % interval: 1 in {number}10 to 1 in 9) for the same person, and "
            f"misses {number}.4% of the pairs of the same person."
        )
        spent.append(1000 * (time.perf_counter() - start))
    assert np.median(spent) < 3


# ---- choosing a language -----------------------------------------------------------------------------------


def test_the_language_is_chosen_by_name_or_by_the_environment(monkeypatch):
    assert language.translated("Reset") == "Reset"
    language.use("ko")
    assert language.translated("Reset") == "처음으로"
    language.use("ja")
    assert language.translated("Reset") == "最初に戻す"
    monkeypatch.setattr(language, "_current", None)
    monkeypatch.setenv("FACELAB_LANG", "ko_KR.UTF-8")
    assert language.current() == "ko"
    monkeypatch.setattr(language, "_current", None)
    monkeypatch.setenv("FACELAB_LANG", "fr")
    with pytest.raises(FacelabError, match=r"FACELAB_LANG is 'fr'.*en, ko, ja"):
        language.current()
    with pytest.raises(FacelabError, match="choose one"):
        language.use("klingon")


def test_a_widget_speaks_the_language(monkeypatch):
    from facelab.course.widgets.threshold import Threshold

    language.use("ko")
    rng = np.random.default_rng(0)
    widget = Threshold(rng.normal(0.4, 0.1, 500).clip(0, 2), rng.normal(0.9, 0.1, 500).clip(0, 2))
    assert widget.error is None
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert widget.threshold.description == "임계값"
    assert widget.use.value == 1  # the values of a list are what they were
    assert "휴대전화" in widget.use.label
    assert widget.children[0].children[-1].description == "처음으로"
    assert widget.screen.language == "ko"
    assert re.search(r"같은 사람의 쌍 500개 중 \d+개를 놓치고", widget.screen.words)
    assert not re.search(r"[a-z]{4,}", re.sub(r"<[^>]*>", "", widget.screen.words))
    assert data["text/plain"].startswith("*임계값을 어디에 둘까: ")


# ---- notebooks ---------------------------------------------------------------------------------------------


def test_a_translated_notebook_knows_its_language_and_keeps_its_code():
    source = tool.sources(["06"])[0]
    english = notebooks.build(source, "student")
    korean = notebooks.build(source, "student")
    tool.localise(korean, source.stem, "ko")
    nbformat.validate(korean)
    assert len(korean.cells) == len(english.cells)  # whole: no notice
    code = [[cell.source for cell in book.cells if cell.cell_type == "code"] for book in (korean, english)]
    assert code[0][0].startswith('from facelab.course import language\n\nlanguage.use("ko")\n\n')
    assert code[0][0].endswith(code[1][0])
    assert code[0][1:] == code[1][1:]
    for cell in korean.cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?```|<[^>]*>|`[^`]*`|\$\$?[^$]*\$\$?", "", cell.source, flags=re.S)
            assert re.search("[가-힣]", prose) or not re.search("[A-Za-z]{3,}", prose), cell.source
            assert cell.source.startswith('<div lang="ko">\n\n')


def test_what_is_not_translated_stays_english_and_is_counted(monkeypatch):
    monkeypatch.setattr(tool, "translations", lambda stem, code: {"# Title": "# 제목", "## Part": "## 부분"})
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title\n\nOne more."),
            nbformat.v4.new_markdown_cell("## ▸ Part\n\n$$x$$"),
        ]
    )
    tool.localise(book, "99", "ko")
    assert book.cells[0].source == tool.AROUND["ko"]["notice"].format(total=3, missing=1)
    assert "# 제목\n\nOne more." in book.cells[1].source
    assert "## ▸ 부분\n\n$$x$$" in book.cells[2].source


@pytest.mark.parametrize("code", tool.LANGUAGES)
def test_what_the_tool_puts_around_a_lesson_is_translated(code):
    written = (ROOT / "tools" / "notebooks.py").read_text("utf-8")
    summaries = re.findall(r"<summary>(.+?)</summary>", written)
    assert len(summaries) == 2
    assert set(summaries) <= set(tool.AROUND[code])
