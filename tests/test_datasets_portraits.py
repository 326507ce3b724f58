"""Portraits on request: from a server on this machine, whole or not at all, with source and licence."""

import hashlib
import http.server
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facelab import datasets
from facelab.cli import app
from facelab.course import portraits as course
from facelab.datasets.portraits import available
from facelab.errors import DatasetError


def jpeg(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((60, 50, 3), value, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def files():
    return {"/a.jpg": jpeg(10), "/b.jpg": jpeg(200), "/page.jpg": b"<html>not found</html>"}


@pytest.fixture
def server(files):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = files.get(self.path)
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def listed(tmp_path, server, *entries):
    path = tmp_path / "list.json"
    full = [
        {"person": who, "title": title, "url": f"{server}/{name}", "author": "NASA",
         "licence": "public domain", "sha256": sha256}
        for who, title, name, sha256 in entries
    ]  # fmt: skip
    path.write_text(json.dumps({"portraits": full}))
    return path


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_portraits_arrive_with_their_sources_and_lessons_can_show_them(home, tmp_path, server, files):
    path = listed(
        tmp_path,
        server,
        ("Ann", "1992", "a.jpg", sha(files["/a.jpg"])),
        ("Ann", "2002", "b.jpg", sha(files["/b.jpg"])),
    )
    done = CliRunner().invoke(app, ["data", "get", "portraits", "--from", str(path)])
    assert (done.exit_code, "2 portraits" in done.output) == (0, True)
    assert {who: [file.name for file in some] for who, some in available().items()} == {
        "Ann": ["1992.jpg", "2002.jpg"]
    }
    sources = (home / "portraits" / "SOURCES.md").read_text()
    assert f"Ann/1992.jpg: 1992. NASA; public domain. {server}/a.jpg" in sources
    assert course.more()["Ann, 2002"].shape == (60, 50, 3)
    assert datasets.folder(home / "portraits").names == ("Ann",)


def test_without_a_hash_nothing_is_taken_and_then_it_is_insisted_on(home, tmp_path, server, files):
    path = listed(tmp_path, server, ("Ann", "1992", "a.jpg", None))
    with pytest.raises(DatasetError, match="--trust-first"):
        datasets.get_portraits(path)
    assert available() == {}
    here, problems = datasets.get_portraits(path, trust_first=True)
    assert (len(here), problems) == (1, [])
    assert datasets.get_portraits(path)[1] == [], "its hash is known now"
    here[0].unlink()
    files["/a.jpg"] = jpeg(99)
    here, problems = datasets.get_portraits(path)
    assert here == []
    assert "SHA-256" in problems[0]
    assert available() == {}


def test_one_that_is_missing_or_no_photo_is_named_and_the_others_come(home, tmp_path, server, files):
    entries = [
        ("Ann", "1992", "a.jpg", None),
        ("Ben", "x", "gone.jpg", None),
        ("Cleo", "y", "page.jpg", None),
    ]
    path = listed(tmp_path, server, *entries)
    done = CliRunner().invoke(app, ["data", "get", "portraits", "--from", str(path), "--trust-first"])
    assert done.exit_code == 2
    assert "1 portraits in" in done.output
    assert "Ben, x: the download of" in done.output
    assert "Cleo, y:" in done.output
    assert list(available()) == ["Ann"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "no list of portraits"),
        ("{", "no list of portraits"),
        (
            '{"portraits": [{"person": "Ann", "title": "x", "url": "http://x", "author": "me"}]}',
            "its licence",
        ),
        (
            '{"portraits": [{"person": "A", "title": "x", "url": "u", "author": "m", "licence": "l", '
            '"sha256": "1"}]}',
            "64 hexadecimal",
        ),
    ],
)
def test_a_bad_list_says_what_is_wrong(tmp_path, text, says):
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=says):
        datasets.portrait_list(path)
    with pytest.raises(DatasetError, match="no such list"):
        datasets.portrait_list(tmp_path / "none.json")


def test_the_list_that_comes_along_is_free_and_says_whose(home):
    entries = datasets.portrait_list()
    assert len(entries) >= 5
    assert all("public domain" in one.licence and one.url.startswith("https://") for one in entries)
    assert len({one.file for one in entries}) == len(entries)
    with pytest.raises(DatasetError, match="not known"):
        datasets.get_portraits()
