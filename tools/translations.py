"""The course in Korean and Japanese: its catalogues, what is missing in them, and notebooks made from them.

    python tools/translations.py extract              bring every catalogue in step with the sources
    python tools/translations.py check                what is missing, out of date or damaged in which lesson
    python tools/translations.py check 05 --lang ko   … of this one; exit status 1 unless it is whole
    python tools/translations.py stats                how much there is, and how much of it is translated
    python tools/translations.py todo ko 05           the texts of lesson 05 that have no translation yet
    python tools/translations.py fill ko FILE         put translations in, in the form that `todo` prints
    python tools/translations.py build ko 05          notebooks/ko/05_….ipynb from the English one, unrun

A text's English is its key. A lesson's prose is cut at blank lines: one message for each paragraph, list,
table or heading (`notebooks/lessons/locale/ko/05_….po`). What exercises and widgets say is read out of their
code (`facelab/course/locale/ko/…/MODULE.po`, part of the package; facelab/course/language.py finds it there).
An f-string becomes a template with {0}, {1}, … for its values, which the comment above it names.

A message that changed keeps its old translation, marked fuzzy, until somebody looks; until then, and where
there is none, the reader sees English. What vanished stays at the end of its file as obsolete.
"""

import argparse
import ast
import difflib
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import denormalize, read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
LESSONS = NOTEBOOKS / "lessons"
COURSE = ROOT / "facelab" / "course"
GLOSSARY = ROOT / "docs" / "glossary.md"
LANGUAGES = ("ko", "ja")
WHOLE = tuple(f"{number:02}" for number in range(13))
"""Lessons that are translated wholly, and stay so: a gap in one of them fails `check` and the tests."""

# What tools/notebooks.py puts around a lesson's own words, and what is said of a lesson that is not whole.
AROUND = {
    "ko": {
        "Solution (try first)": "풀이 (먼저 직접 해 보십시오)",
        "What came out, and why (run the cell first)": "결과와 그 까닭 (먼저 셀을 실행해 보십시오)",
        "notice": "*이 레슨의 {total}개 단락 가운데 {missing}개는 아직 번역되지 않아 영어로 나옵니다.*",
    },
    "ja": {
        "Solution (try first)": "解答(まず自分で試してください)",
        "What came out, and why (run the cell first)": "結果とその理由(先にセルを実行してください)",
        "notice": "*このレッスンの{total}段落のうち{missing}段落は、まだ翻訳されていないため"
        "英語で表示されます。*",
    },
}


@dataclass
class Text:
    """One message: its English, what translators should know, and whether it has places for values."""

    msgid: str
    comments: list[str] = field(default_factory=list)
    template: bool = False


# ---- a lesson's prose ------------------------------------------------------------------------------------


def blocks(markdown: str) -> list[str]:
    """The blocks of a Markdown cell and the gaps between them, in turn: joined they are the cell again.

    A gap is one or more blank lines. Those inside ``` … ``` or $$ … $$ divide nothing.
    """
    parts, lines, inside = [""], markdown.split("\n"), False
    for number, line in enumerate(lines):
        end = "\n" if number < len(lines) - 1 else ""
        if line.strip() == "" and not inside:
            if len(parts) % 2:  # a gap begins
                text = parts[-1]
                parts[-1] = text.removesuffix("\n")
                parts.append("\n" if text.endswith("\n") else "")
            parts[-1] += line + end
            continue
        if len(parts) % 2 == 0:
            parts.append("")
        parts[-1] += line + end
        fences = line.strip().startswith("```") + line.count("$$")
        inside ^= bool(fences % 2)
    return parts


ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
VERBATIM = re.compile(r"\s*(?:```|\$\$|\||<)")


def key(block: str) -> str:
    """A block as its msgid: lines that are wrapped in the source are one: wrapping changes nothing."""
    if VERBATIM.match(block):
        return block.strip("\n")
    lines: list[str] = []
    for line in block.strip("\n").split("\n"):
        if lines and not ITEM.match(line) and not line.lstrip().startswith((">", "#", "|", "$$")):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.rstrip())
    return "\n".join(lines)


CODE = re.compile(r"```.*?```|``.+?``|`[^`\n]+`", re.S)
MATHS = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S)


def has_words(text: str) -> bool:
    """Whether anything is left to translate when code, formulas and addresses are taken away."""
    for pattern in (CODE, MATHS, re.compile(r"\]\([^)]*\)|<[^>]*>|https?://\S+")):
        text = pattern.sub(" ", text)
    return re.search(r"[A-Za-z]{2}", text) is not None


def sources(numbers: list[str] | None = None) -> list[Path]:
    found = sorted(LESSONS.glob("[0-9][0-9]_*.py"))
    return [path for path in found if not numbers or path.name[:2] in numbers]


def prose(source: Path) -> list[Text]:
    """The messages of a lesson's Markdown cells, in order, each once."""
    found: dict[str, Text] = {}
    for cell in markdown_cells(source.read_text("utf-8")):
        for block in blocks(cell)[::2]:
            msgid = key(block)
            if has_words(msgid):
                found.setdefault(msgid, Text(msgid))
    return list(found.values())


def markdown_cells(text: str) -> Iterator[str]:
    """The Markdown cells of a percent script, without their `# `, as jupytext reads them (a test says so)."""
    for part in re.split(r"^# %%", text, flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        if head.strip().startswith("[markdown]"):
            lines = [
                re.sub(r"\A# ?", "", line) for line in body.strip("\n").split("\n") if line.startswith("#")
            ]
            yield "\n".join(lines)


# ---- what exercises and widgets say ------------------------------------------------------------------------

# Calls whose texts are for matplotlib (its fonts lack Korean and Japanese, so figures stay English), for
# style sheets or for programs.
UNSEEN = {
    "set", "set_title", "set_xlabel", "set_ylabel", "set_label", "set_text", "suptitle", "text",
    "annotate", "plot", "scatter", "bar", "barh", "hist", "legend", "axvline", "axhline", "axvspan",
    "axhspan", "step", "stairs", "fill_between", "imshow", "set_xticklabels", "set_yticklabels",
    "set_xticks", "set_yticks", "semilogy", "semilogx", "loglog", "errorbar", "add_subplot",
    "add_gridspec", "subplots", "rc_context", "pixels", "LivePicture", "Layout", "add_class", "getattr",
    "setattr", "hasattr", "startswith", "endswith", "removeprefix", "removesuffix", "replace", "split",
    "rsplit", "observe", "tag", "save", "open", "encode", "decode", "strftime", "compile", "sub",
    "search", "match", "fullmatch", "findall", "_heap", "cycle", "ValueError", "TypeError", "KeyError",
    "NotImplementedError", "AttributeError", "RuntimeError", "AssertionError", "NamedTuple", "dtype",
    "astype", "reshape", "einsum", "norm", "quantile",
}  # fmt: skip
SHOWN_KEYWORDS = {"description", "tooltip", "placeholder", "tip", "label", "unit"}
SHOWN_CALLS = {
    "slider",
    "choice",
    "stops",
    "tick",
    "Button",
    "Wrong",
    "exercise",
    "button",
    "combo",
    "complain",
    "translated",
}
SHOWN_NAMES = {"title", "TITLE", "WORDS", "LOOKS"}
OFFERING = {"choice", "stops"}
"""Calls whose second argument is a list to choose from, or the name of one."""
GIVEN = {
    "trainer": ("8 people (LFW)", "10 digits"),
    "rates": ("look-alikes",),
    "live_run": ("drawn people",),
    "compare": ("mirrored",),
}
"""Names that lessons give to a widget, which shows them in its lists and lines."""
JUNK = {
    "png",
    "jpeg",
    "value",
    "left",
    "right",
    "center",
    "user-plus",
    "plus",
    "trash",
    "an",
    "rad",
    "--from",
}
JUNK |= {"an {0}", "DejaVu Sans Mono", "none", "of ArcFace"}
PLACE = re.compile(r"(?<!\{)\{(\d+)\}(?!\})")
WORD = re.compile(r"[A-Za-z]{2,}")
STYLE = re.compile(
    r"[\w-]+:[^\s;][^;]*;|^\s*<[^>]*>\s*$|^[\w-]+(?:[ ,][\w-]*\d[\w%]*)+$|^(row|column) wrap$|^https?:"
)


def is_prose(text: str) -> bool:
    """More than one word, and no style sheet, path or bare HTML."""
    bare = re.sub(r"<[^>]*>", " ", text)
    return " " in text.strip() and len(WORD.findall(bare)) >= 2 and not STYLE.search(text)


def is_words(name: str) -> bool:
    """Whether a name has words: "modified softmax", not "ArcFace (1, 0.5, 0)"."""
    return re.search(r"\b[a-z]{2}", name) is not None


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


class Reader(ast.NodeVisitor):
    """Collects what a module shows to people from its syntax tree."""

    def __init__(self, source: str):
        self.source, self.texts, self.shown = source, [], False
        self.constants: dict[str, ast.AST] = {}  # of the module, by name

    def keep(self, msgid: str, comments=(), template: bool = False) -> None:
        if msgid.strip():
            self.texts.append(Text(msgid.strip(), list(comments), template))

    def within(self, node: ast.AST, shown: bool) -> None:
        before, self.shown = self.shown, shown
        self.visit(node)
        self.shown = before

    def offer(self, node: ast.AST | None) -> None:
        """What a list to choose from offers, where that is words."""
        if isinstance(node, ast.Name):
            self.offer(self.constants.get(node.id))
        elif isinstance(node, ast.Call) and node.args:  # list(…), tuple(…)
            self.offer(node.args[0])
        elif isinstance(node, ast.List | ast.Tuple | ast.Dict):
            for one in node.keys if isinstance(node, ast.Dict) else node.elts:
                text = one.elts[0] if isinstance(one, ast.Tuple) else one
                if isinstance(text, ast.Constant) and is_words(str(text.value)):
                    self.keep(text.value)

    # What holds texts

    def visit_Module(self, node: ast.Module) -> None:
        for one in node.body:
            if isinstance(one, ast.Assign):
                self.constants |= {getattr(target, "id", ""): one.value for target in one.targets}
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            text = node.value
            if is_prose(text) or (self.shown and WORD.search(text) and not STYLE.search(text)):
                self.keep(text, template=PLACE.search(text) is not None)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        template, places, bare = "", [], ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                template += escaped(part.value)
                bare += part.value
            else:
                template += f"{{{len(places)}}}"
                places.append(ast.unparse(part.value))
        words = WORD.findall(re.sub(r"<[^>]*>", " ", bare))
        prose = " " in template.strip() and len("".join(words)) >= 3
        if words and not STYLE.search(bare) and (prose or self.shown):
            if re.match(
                r"\{0\} (?:[A-Z][a-z]|\()", template
            ):  # a sentence behind another, which is a message itself
                template = PLACE.sub(lambda place: f"{{{int(place[1]) - 1}}}", template[4:])
                places = places[1:]
            comments = [", ".join(f"{{{i}}}: {place}" for i, place in enumerate(places))] if places else []
            self.keep(template if places else bare, comments, template=bool(places))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.inside(part.value)

    def inside(self, node: ast.AST) -> None:
        """A value of an f-string: words that it chooses between are shown."""
        for child in ast.walk(node):
            if isinstance(child, ast.Call) and getattr(child.func, "id", "") == "translated":
                self.visit(child)
            if isinstance(child, ast.IfExp):
                for branch in (child.body, child.orelse):
                    if isinstance(branch, ast.Constant) and isinstance(branch.value, str):
                        if len(branch.value) > 2 and WORD.search(branch.value):
                            self.keep(branch.value)
                    elif isinstance(branch, ast.JoinedStr):
                        self.visit(branch)

    # What says whether they are seen

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in UNSEEN and not (name == "replace" and isinstance(function, ast.Name)):
            return
        self.visit(function)
        if name in OFFERING and isinstance(function, ast.Name) and len(node.args) > 1:
            self.offer(node.args[1])
        for argument in node.args:
            self.within(argument, name in SHOWN_CALLS and isinstance(argument, ast.Constant | ast.JoinedStr))
        for word in node.keywords:
            if word.arg in ("label", "title") and name not in SHOWN_CALLS:
                continue
            self.within(word.value, word.arg in SHOWN_KEYWORDS)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = {getattr(target, "id", "") for target in node.targets}
        self.within(node.value, bool(names & SHOWN_NAMES))

    def visit_Tuple(self, node: ast.Tuple) -> None:
        for part in node.elts:
            self.visit(part)

    def visit_Dict(self, node: ast.Dict) -> None:
        for name in node.keys:
            if name is not None:
                self.within(name, False)
        for value in node.values:
            self.visit(value)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.within(node.value, False)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.within(node.body, True)
        self.within(node.orelse, True)
        self.within(node.test, False)

    # What is never seen

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # docstrings, of whatever
            self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        pass

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_Import(self, node) -> None:
        pass

    visit_ImportFrom = visit_Global = visit_Import

    def _function(self, node) -> None:
        for statement in node.body:
            self.visit(statement)
        for decorator in node.decorator_list:
            self.visit(decorator)

    visit_FunctionDef = visit_AsyncFunctionDef = _function


def spoken(path: Path) -> list[Text]:
    """The messages of a module, in the order of the code, each once."""
    source = path.read_text("utf-8")
    reader = Reader(source)
    reader.visit(ast.parse(source))
    found: dict[str, Text] = {}
    for text in reader.texts:
        if text.msgid not in JUNK and has_words(text.msgid):
            found.setdefault(text.msgid, text)
    for name in GIVEN.get(path.stem, ()):
        found.setdefault(name, Text(name, ["a name in a list"]))
    if path.stem == "runs":
        for row in json.loads((COURSE / "trained.json").read_text("utf-8"))["rows"]:
            if is_words(row["name"]):
                found.setdefault(row["name"], Text(row["name"], ["the name of a training run"]))
    if path.stem == "guess":  # what is asked stands in the lessons
        found.setdefault("right", Text("right", ["the guess is right; not the direction"]))
        for source in sources():
            for question in re.findall(r'\bGuess\(\s*"[^"]*",\s*"([^"]*)"', source.read_text("utf-8")):
                found.setdefault(question, Text(question, [f"asked in lesson {source.name[:2]}"]))
    return list(found.values())


def modules() -> list[Path]:
    """The modules that speak: the widgets' and exercises' common ones first."""
    first = [COURSE / "exercises" / "core.py", COURSE / "widgets" / "base.py"]
    others = sorted((COURSE / "exercises").glob("lesson*.py")) + sorted((COURSE / "widgets").glob("*.py"))
    others += sorted((COURSE / "demo").glob("*.py"))
    return first + [path for path in others if path not in first and not path.name.startswith("__")]


# ---- catalogues --------------------------------------------------------------------------------------------


def wanted() -> dict[str, list[Text]]:
    """The messages of each catalogue by its name: "06_verify…" (prose), "widgets/compare", ….

    A text that two modules say is in both; `fill` and `extract` bring its translation to both.
    """
    found = {source.stem: prose(source) for source in sources()}
    for path in modules():
        if texts := spoken(path):
            found[path.relative_to(COURSE).with_suffix("").as_posix()] = texts
    return found


def path_of(name: str, language: str) -> Path:
    folder = COURSE / "locale" if "/" in name else LESSONS / "locale"
    return folder / language / f"{name}.po"


def name_of(path: Path, language: str) -> str:
    folder = COURSE / "locale" if COURSE in path.parents else LESSONS / "locale"
    return path.relative_to(folder / language).with_suffix("").as_posix()


def stored(language: str) -> dict[str, Path]:
    """The catalogues that there are, by name."""
    folders = (LESSONS / "locale" / language, COURSE / "locale" / language)
    paths = [path for folder in folders for path in sorted(folder.rglob("*.po"))]
    return {name_of(path, language): path for path in paths}


def read(path: Path, language: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        catalog = read_po(file, locale=language)
    for entry, previous in previous_ids(path).items():  # babel writes them and does not read them
        if entry in catalog:
            catalog[entry].previous_id = [previous]
    return catalog


def previous_ids(path: Path) -> dict[str, str]:
    """msgid → what it was when its fuzzy translation was made (the lines `#| msgid` of a .po file)."""
    found = {}
    for entry in path.read_text("utf-8").split("\n\n"):
        if before := re.findall(r"^#\| (?:msgid )?(\".*\")$", entry, re.M):
            [now] = re.findall(r"^msgid ((?:\".*\"\n)+)", entry, re.M) or [""]
            found[denormalize(now)] = denormalize("\n".join(before))
    return found


def write(catalog: Catalog, path: Path, language: str) -> None:
    import io

    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, omit_header=True, include_previous=True)
    head = (
        'msgid ""\nmsgstr ""\n"Project-Id-Version: facelab\\n"\n'
        f'"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=UTF-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n\n'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + buffer.getvalue().decode().strip("\n") + "\n", encoding="utf-8")


def is_done(message: Message | None) -> bool:
    return message is not None and bool(message.string) and not message.fuzzy


def merged(texts: list[Text], old: Catalog, moved: dict[str, str], language: str) -> Catalog:
    """The old catalogue in step with the texts. `moved`: translations that other catalogues have or had."""
    new, now = Catalog(locale=language), {text.msgid for text in texts}
    gone = {entry.id: entry for entry in old if entry.id and entry.id not in now and entry.string}
    rests = {entry.id: entry for entry in old.obsolete.values() if entry.id not in now and entry.string}
    for text in texts:
        flags = {"python-brace-format"} if text.template else set()
        before, string, previous = old.get(text.msgid) or old.obsolete.get(text.msgid), "", ()
        comments = before.user_comments if before else ()
        if before is not None and before.string:
            string, previous = before.string, before.previous_id
            flags |= before.flags & {"fuzzy"}
        elif text.msgid in moved:
            string = moved[text.msgid]
        else:
            near = difflib.get_close_matches(text.msgid, list(gone), n=1, cutoff=0.6)
            if near:
                source = gone.pop(near[0])
                string, previous = source.string, (source.id,)
                flags.add("fuzzy")
        new.add(
            text.msgid, string, flags=flags, auto_comments=text.comments, user_comments=comments,
            previous_id=previous,
        )  # fmt: skip
    for entry in (*rests.values(), *gone.values()):
        new.obsolete[entry.id] = Message(entry.id, entry.string, flags=entry.flags - {"fuzzy"})
    return new


def extract() -> None:
    """Every catalogue of every language in step with the sources."""
    texts = wanted()
    for language in LANGUAGES:
        have = {name: read(path, language) for name, path in stored(language).items()}
        moved = {
            entry.id: entry.string
            for catalog in have.values()
            for entry in catalog
            if is_done(entry) and entry.id
        }
        for name, path in stored(language).items():
            if name not in texts:
                path.unlink()
        for name, wanted_texts in texts.items():
            old = have.get(name) or Catalog(locale=language)
            write(merged(wanted_texts, old, moved, language), path_of(name, language), language)


# ---- what a lesson needs, and how much of it is there ------------------------------------------------------


def needs(number: str) -> list[str]:
    """The catalogues that a lesson needs to be whole: its prose, its exercises, its widgets."""
    [source] = sources([number])
    exercises = sorted(path.stem for path in (COURSE / "exercises").glob(f"lesson{number}*.py"))
    names = [source.stem, "exercises/core", *(f"exercises/{one}" for one in exercises), "widgets/base"]
    open_, seen = [source], set()
    while open_:
        text = open_.pop().read_text("utf-8")
        for found in re.findall(r"facelab\.course\.widgets(?:\.(\w+)| import \(?([\w, \n]+))", text):
            for module in re.findall(r"\w+", " ".join(found)):
                path = COURSE / "widgets" / f"{module}.py"
                if module not in seen and path.exists():
                    seen.add(module)
                    open_.append(path)
    names += [f"widgets/{module}" for module in sorted(seen - {"base"})]
    return names


@dataclass
class State:
    """What a catalogue lacks: msgids without translation, out of date, damaged (with the reason)."""

    total: int
    missing: list[str]
    fuzzy: list[str]
    damaged: list[tuple[str, str]]

    @property
    def whole(self) -> bool:
        return not (self.missing or self.fuzzy or self.damaged)


def state(texts: list[Text], catalog: Catalog, language: str) -> State:
    missing, fuzzy, damaged = [], [], []
    for text in texts:
        message = catalog.get(text.msgid)
        if message is None or not message.string:
            missing.append(text.msgid)
        elif message.fuzzy:
            fuzzy.append(text.msgid)
        else:
            damaged += [(text.msgid, fault) for fault in faults(text, message.string, language)]
    return State(len(texts), missing, fuzzy, damaged)


def states(language: str, texts: dict[str, list[Text]] | None = None) -> dict[str, State]:
    texts = texts or wanted()
    return {
        name: state(found, read(path_of(name, language), language), language) for name, found in texts.items()
    }


# ---- damaged translations ----------------------------------------------------------------------------------


def glossary() -> list[tuple[str, dict[str, list[str]]]]:
    """The checked terms of docs/glossary.md: the English pattern, and the forms allowed in each language."""
    rows = []
    for line in GLOSSARY.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 4 and cells[3] == "✓":
            english, korean, japanese = (
                [term.strip() for term in cell.split(",") if term.strip()] for cell in cells[:3]
            )
            for term in english:
                rows.append((term, {"ko": korean, "ja": japanese}))
    return rows


def outline(markdown: str) -> Counter:
    """How often a text has each kind of mark-up: bold, links, list items, headings, cells."""
    from markdown_it import MarkdownIt

    found: Counter = Counter()
    safe = MATHS.sub("x", markdown)  # _ and * in formulas mark nothing up
    for token in MarkdownIt().enable("table").parse(safe):
        for one in (token, *(token.children or ())):
            if one.type in (
                "strong_open",
                "link_open",
                "list_item_open",
                "heading_open",
                "th_open",
                "td_open",
            ):
                found[one.type, str(one.attrs.get("href", one.tag))] += 1
    return found


def faults(text: Text, translation: str, language: str) -> list[str]:
    """What a translation has lost of its English: formulas, code, numbers, links, places, mark-up, terms."""
    found, msgid = [], text.msgid
    for what, pattern in (("code", CODE), ("the formula", MATHS)):
        lost = Counter(pattern.findall(msgid)) - Counter(pattern.findall(translation))
        found += [f"lacks {what} {piece}" for piece in lost]
    bare = MATHS.sub(" ", CODE.sub(" ", PLACE.sub(" ", msgid)))
    here = MATHS.sub(" ", CODE.sub(" ", PLACE.sub(" ", translation)))
    for number in re.findall(r"\d+(?:[.,]\d+)*(?![\d.,]* (?:m|b)illion)", bare):
        if not re.search(rf"(?<!\d)(?<!\d[.,]){re.escape(number)}(?!\d)", here):
            found.append(f"lacks the number {number}")
    if text.template:
        places, used = set(PLACE.findall(msgid)), set(PLACE.findall(translation))
        found += [f"has {{{place}}}, which the English has not" for place in sorted(used - places)]
        optional = set(re.findall(r"\{(\d+)\}: [^{]*['\"]", " ".join(text.comments)))
        found += [f"lacks {{{place}}}" for place in sorted(places - used - optional)]
        try:
            translation.format(*["x"] * len(places))
        except (ValueError, IndexError, KeyError) as error:
            found.append(f"is no template: {error}")
    elif outline(msgid) != outline(translation):
        lost, more = outline(msgid) - outline(translation), outline(translation) - outline(msgid)
        words = [f"{kind.removesuffix('_open')} {where}" for (kind, where) in (*lost, *more)]
        found.append(f"has other mark-up: {', '.join(words)}")
    own = re.sub(
        r'"[^"]*"|“[^”]*”|(?<!\*)\*[^*\n]+\*(?!\*)', " ", bare
    )  # titles and quotations keep their words
    for term, forms in glossary():
        if re.search(rf"\b{re.escape(term)}(?:s|es)?\b", own, re.I) and not any(
            form in here for form in forms[language]
        ):
            found.append(f"has {term!r} without {' or '.join(forms[language])} (docs/glossary.md)")
    if not translation.strip():
        found.append("is empty")
    return found


# ---- work lists --------------------------------------------------------------------------------------------


def mark(msgid: str) -> str:
    return hashlib.sha256(msgid.encode()).hexdigest()[:8]


def todo(language: str, numbers: list[str]) -> Iterator[str]:
    """The messages of these lessons (all, if none is given) without a translation of today.

    One after the other: `@@ MARK`, comments as `#. …`, then the English. A translator writes the translation
    in its place and gives the file to `fill`.
    """
    texts = wanted()
    names = dict.fromkeys(name for number in numbers for name in needs(number)) if numbers else texts
    told: set[str] = set()
    for name in names:
        catalog, shown = read(path_of(name, language), language), False
        for text in texts.get(name, ()):
            message = catalog.get(text.msgid)
            if is_done(message) or text.msgid in told:
                continue
            told.add(text.msgid)
            if not shown:
                yield f"@@@@ {name}\n"
                shown = True
            yield f"@@ {mark(text.msgid)}"
            yield from (f"#. {comment}" for comment in text.comments)
            if message is not None and message.fuzzy:
                yield f"#. was: {message.previous_id[0] if message.previous_id else ''}".replace("\n", " ")
                yield f"#. was translated: {message.string}".replace("\n", " ")
            yield text.msgid + "\n"


def fill(language: str, file: Path) -> list[str]:
    """Put the translations of a file (in the form of `todo`) into the catalogues; what was refused, why."""
    given: dict[str, str] = {}
    for part in re.split(r"^@@ ", file.read_text("utf-8"), flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        body = re.sub(r"^@@@@ .*$|^#\. .*$", "", body, flags=re.M)
        given[head.strip()] = body.strip("\n").rstrip()
    refused = []
    for name, texts in wanted().items():
        mine = {text.msgid: text for text in texts if mark(text.msgid) in given}
        if not mine:
            continue
        path = path_of(name, language)
        catalog = merged(texts, read(path, language), {}, language)
        for msgid, text in mine.items():
            translation = given[mark(msgid)]
            if found := faults(text, translation, language):
                refused.append(f"@@ {mark(msgid)}  {name}: {'; '.join(found)}\n{translation}\n")
                continue
            message = catalog.get(msgid)
            message.string, message.previous_id = translation, []
            message.flags.discard("fuzzy")
        write(catalog, path, language)
    known = {mark(text.msgid) for texts in wanted().values() for text in texts}
    return refused + [f"@@ {one}: no message of today has this mark" for one in given if one not in known]


# ---- notebooks ---------------------------------------------------------------------------------------------


def translations(source_stem: str, language: str) -> dict[str, str]:
    catalog = read(path_of(source_stem, language), language)
    return {entry.id: entry.string for entry in catalog if entry.id and is_done(entry)}


def in_language(markdown: str, words: dict[str, str], language: str) -> tuple[str, int, int]:
    """A Markdown cell in another language; how many of its blocks have words, and how many stay English."""
    parts, total, missing = blocks(markdown), 0, 0
    for index in range(0, len(parts), 2):
        # A walk's cell bears a sign before its text, or before a heading's words (tools/notebooks.py).
        sign = re.match(r"(#+ )?▸ ", parts[index])
        msgid = key(parts[index].replace("▸ ", "", 1) if sign else parts[index])
        if summary := re.search(r"<summary>(.*?)</summary>", parts[index]):
            around = AROUND[language].get(summary.group(1)) or words.get(summary.group(1), summary.group(1))
            parts[index] = parts[index].replace(summary.group(), f"<summary>{around}</summary>")
        elif has_words(msgid):
            total += 1
            missing += msgid not in words
            if msgid in words:
                parts[index] = re.sub(r"\A(#+ )?", r"\1▸ ", words[msgid]) if sign else words[msgid]
    return "".join(parts), total, missing


def localise(notebook, stem: str, language: str) -> None:
    """Turn a notebook (with or without outputs) into another language, in place.

    Its prose is translated block by block; a first line says how much is not. Code stays as it is, but for
    one line at its beginning, by which the kernel knows its language.
    """
    from nbformat.v4 import new_markdown_cell

    words, total, missing = translations(stem, language), 0, 0
    first = True
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source, count, lacking = in_language(cell.source, words, language)
            cell.source = f'<div lang="{language}">\n\n{cell.source}\n\n</div>'
            total, missing = total + count, missing + lacking
        elif cell.cell_type == "code" and first:
            cell.source = (
                f'from facelab.course import language\n\nlanguage.use("{language}")\n\n{cell.source}'
            )
            first = False
    if missing:
        notice = AROUND[language]["notice"].format(total=total, missing=missing)
        notebook.cells.insert(0, new_markdown_cell(notice, id=f"notice-{language}"))
    notebook.metadata["facelab"] = {**notebook.metadata.get("facelab", {}), "language": language}


def build(language: str, numbers: list[str], *, only_missing: bool = False) -> list[Path]:
    """notebooks/LANG/NN_….ipynb (and …/solutions/) from the stored English ones. Nothing is run."""
    import nbformat

    from facelab.course import language as speaking

    made = []
    for folder in (NOTEBOOKS, NOTEBOOKS / "solutions"):
        for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
            target = NOTEBOOKS / language / path.relative_to(NOTEBOOKS)
            if (numbers and path.name[:2] not in numbers) or (only_missing and target.exists()):
                continue
            notebook = nbformat.read(path, as_version=4)
            localise(notebook, path.stem, language)
            say = speaking.catalogue(language).say
            for cell in notebook.cells:
                if "check" in cell.metadata.get("tags", []):
                    cell.outputs, cell.execution_count = [], None  # they speak English until they are run
                for output in cell.get("outputs", ()):
                    for kind in ("text/markdown", "text/plain"):
                        if "text/markdown" in output.get("data", {}) and kind in output.data:
                            output.data[kind] = say(output.data[kind])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(nbformat.writes(notebook), encoding="utf-8")
            made.append(target)
    return made


# ---- commands ----------------------------------------------------------------------------------------------


def out_of_step() -> list[str]:
    """Catalogues that `extract` would change: names of messages that came or went."""
    found, texts = [], wanted()
    for language in LANGUAGES:
        have = stored(language)
        found += [f"{language}: {name}.po has no source any more" for name in have if name not in texts]
        for name, wanted_texts in texts.items():
            now = {text.msgid for text in wanted_texts}
            then = {entry.id for entry in read(path_of(name, language), language) if entry.id}
            if now != then:
                found.append(
                    f"{language}: {name}.po: {len(now - then)} messages came, {len(then - now)} went"
                )
    return found


def check(numbers: list[str], languages: list[str]) -> int:
    """Say what is missing; 1 if a lesson that was asked for, or that is listed as WHOLE, is not whole."""
    failed, texts = False, wanted()
    for line in out_of_step():
        print(f"{line}: run `python tools/translations.py extract`")
    for language in languages:
        found = states(language, texts)
        for source in sources(numbers):
            number = source.name[:2]
            mine = {name: found[name] for name in needs(number) if name in found}
            lacking = sum(len(one.missing) for one in mine.values())
            old = sum(len(one.fuzzy) for one in mine.values())
            damaged = [(name, *fault) for name, one in mine.items() for fault in one.damaged]
            total = sum(one.total for one in mine.values())
            whole = not (lacking or old or damaged)
            must = number in WHOLE or bool(numbers)
            failed |= must and not whole
            words = "whole" if whole else f"{lacking} missing, {old} out of date, {len(damaged)} damaged"
            sign = "  ✗" if must and not whole else ""
            print(f"{language} {source.stem}: {total} messages, {words}{sign}")
            for name, msgid, fault in damaged if must else ():
                print(f"    {name}: {msgid[:60]!r} {fault}")
    return int(failed)


def stats() -> None:
    texts = wanted()
    found = {language: states(language, texts) for language in LANGUAGES}
    print(f"{'catalogue':42} {'messages':>8} {'words':>7}  " + "  ".join(f"{x:>5}" for x in LANGUAGES))
    for name, one in texts.items():
        words = sum(len(re.findall(r"\w+", text.msgid)) for text in one)
        done = [
            found[x][name].total - len(found[x][name].missing) - len(found[x][name].fuzzy) for x in LANGUAGES
        ]
        print(f"{name:42} {len(one):8} {words:7}  " + "  ".join(f"{number:5}" for number in done))
    print(f"{'all':42} {sum(map(len, texts.values())):8}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("extract")
    commands.add_parser("stats")
    one = commands.add_parser("check")
    one.add_argument("lessons", nargs="*", metavar="NN")
    one.add_argument("--lang", choices=LANGUAGES)
    for name in ("todo", "build"):
        one = commands.add_parser(name)
        one.add_argument("language", choices=LANGUAGES)
        one.add_argument("lessons", nargs="*", metavar="NN")
    one.add_argument("--missing", action="store_true", help="only notebooks that are not there yet")
    one = commands.add_parser("fill")
    one.add_argument("language", choices=LANGUAGES)
    one.add_argument("file", type=Path)
    options = parser.parse_args()
    if options.command == "extract":
        extract()
    elif options.command == "stats":
        stats()
    elif options.command == "check":
        return check(options.lessons, [options.lang] if options.lang else list(LANGUAGES))
    elif options.command == "todo":
        print("\n".join(todo(options.language, options.lessons)))
    elif options.command == "build":
        for path in build(options.language, options.lessons, only_missing=options.missing):
            print(path.relative_to(ROOT))
    else:
        refused = fill(options.language, options.file)
        print("\n".join(refused))
        return int(bool(refused))
    return 0


if __name__ == "__main__":
    sys.exit(main())
