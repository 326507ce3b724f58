"""facelab.download against servers that misbehave, all of them on 127.0.0.1."""

import errno
import hashlib
import http.server
import os
import socket
import threading
import time
import types
from contextlib import contextmanager

import numpy as np
import pytest

from facelab import download
from facelab.download import fetch
from facelab.errors import DatasetError, WeightsError

BODY = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
SIZE = 300_000
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy_and_no_pauses(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("pooch.core.time", types.SimpleNamespace(sleep=lambda seconds: None))


class Server:
    """Answers each request with the next of `turns`; the last one stays. `seen` keeps the headers it got."""

    def __init__(self, *turns):
        self.turns, self.seen = list(turns), []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(handler):
                self.seen.append(dict(handler.headers))
                turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
                handler.close_connection = True
                turn(handler)

            def log_message(self, *_):
                pass

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}/weights.bin"
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.httpd.shutdown()
        self.httpd.server_close()


def send(handler, status, body, **headers):
    handler.send_response(status)
    handler.send_header("Connection", "close")
    for name, value in {"Content_Length": len(body), **headers}.items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    try:
        handler.wfile.write(body)
    except OSError:  # the client had seen enough
        handler.close_connection = True


def good(body=BODY, etag='"one"', stop=None):
    """A server as it should be, with ranges; `stop` cuts the connection after so many bytes."""

    def turn(handler):
        wanted = handler.headers.get("Range")
        fresh = handler.headers.get("If-Range") in (None, etag)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and fresh else 0
        rest = body[start:]
        headers = {"ETag": etag, "Content_Length": len(rest)}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        send(handler, 206 if start else 200, rest[:stop], **headers)

    return turn


def get(server, target, sha256=SHA, size=SIZE, **options):
    options = {"timeout": 0.5, "attempts": 1, "progress": False, **options}
    return fetch(getattr(server, "url", server), target, sha256, size, **options)


def part_of(target):
    return target.with_name(target.name + ".part")


def test_a_file_arrives_whole_and_nothing_else_is_left(tmp_path):
    target = tmp_path / "new folder" / "w.bin"
    with Server(good()) as server:
        assert get(server, target) == target
    assert target.read_bytes() == BODY
    assert {p.name for p in target.parent.iterdir()} <= {"w.bin", "w.bin.lock"}


def test_a_file_that_is_there_needs_no_network(tmp_path):
    target = tmp_path / "w.bin"
    target.write_bytes(BODY)
    assert get("http://127.0.0.1:9/none", target) == target


def test_an_old_target_is_replaced_only_by_the_whole_new_file(tmp_path):
    target = tmp_path / "w.bin"
    target.write_bytes(b"old")
    with (
        Server(good(stop=100_000)) as server,
        pytest.raises(WeightsError, match="connection failed"),
    ):
        get(server, target)
    assert target.read_bytes() == b"old"
    with Server(good()) as server:
        get(server, target)
    assert target.read_bytes() == BODY


def test_it_goes_on_where_it_stopped(tmp_path):
    target = tmp_path / "w.bin"
    with Server(good(stop=200_000), good()) as server:
        get(server, target, attempts=2)
    assert target.read_bytes() == BODY
    start = int(server.seen[1]["Range"].removeprefix("bytes=").rstrip("-"))
    assert 2 * download.BLOCK <= start <= 200_000  # the last, broken block may be lost


def test_a_later_call_goes_on_too(tmp_path):
    target = tmp_path / "w.bin"
    with Server(good(stop=200_000)) as server:
        with pytest.raises(WeightsError, match="bytes are kept in"):
            get(server, target)
        kept = part_of(target).stat().st_size
        assert 0 < kept < len(BODY)
        server.turns = [good()]
        get(server, target)
        assert server.seen[1]["Range"] == f"bytes={kept}-"
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("sha256", [SHA, None])
def test_a_file_that_changed_on_the_server_is_begun_anew(tmp_path, sha256):
    target = tmp_path / "w.bin"
    with Server(good(OTHER, '"old"', stop=200_000), good(BODY, '"new"')) as server:
        get(server, target, sha256, attempts=3)
    assert target.read_bytes() == BODY


def test_a_server_that_ignores_ranges_sends_everything_again(tmp_path):
    target = tmp_path / "w.bin"
    with Server(good(stop=200_000), lambda h: send(h, 200, BODY, ETag='"one"')) as server:
        get(server, target, attempts=2)
    assert target.read_bytes() == BODY


def test_two_halves_of_two_files_are_found_out(tmp_path):
    """The first half comes from another file: the hash tells, and all is fetched anew."""
    target = tmp_path / "w.bin"
    with Server(good(OTHER, None, stop=200_000), good(BODY, None)) as server:
        get(server, target, attempts=3)
    assert target.read_bytes() == BODY
    assert "Range" in server.seen[1]
    assert "Range" not in server.seen[2]


def test_without_a_hash_nothing_is_resumed(tmp_path):
    target = tmp_path / "w.bin"
    with Server(good(OTHER, None, stop=200_000), good(BODY, None)) as server:
        get(server, target, None, attempts=2)
    assert target.read_bytes() == BODY
    assert "Range" not in server.seen[1]


def test_a_wrong_part_in_answer_to_a_range_is_refused(tmp_path):
    target = tmp_path / "w.bin"

    def from_the_start(handler):
        send(handler, 206, BODY, ETag='"one"', Content_Range=f"bytes 0-{len(BODY) - 1}/{len(BODY)}")

    with Server(good(stop=200_000), from_the_start, good()) as server:
        get(server, target, attempts=3)
    assert target.read_bytes() == BODY


def test_416_begins_anew(tmp_path):
    target = tmp_path / "w.bin"
    with Server(good(stop=200_000), lambda h: send(h, 416, b""), good()) as server:
        get(server, target, attempts=3)
    assert target.read_bytes() == BODY


def test_a_part_that_is_complete_already_is_only_checked(tmp_path):
    target = tmp_path / "w.bin"
    part_of(target).write_bytes(BODY)
    get("http://127.0.0.1:9/none", target)
    assert target.read_bytes() == BODY


def test_a_wrong_hash_is_an_error_and_the_part_goes(tmp_path):
    target = tmp_path / "w.bin"
    with Server(good(OTHER)) as server, pytest.raises(WeightsError) as caught:
        get(server, target, attempts=3)
    assert len(server.seen) == 1, "another attempt would bring the same file"
    assert not target.exists()
    assert not part_of(target).exists()
    for said in (server.url, SHA, hashlib.sha256(OTHER).hexdigest(), "run the same command again"):
        assert said in str(caught.value)


def test_a_file_of_the_wrong_size_is_refused_before_it_is_fetched(tmp_path):
    with Server(good()) as server, pytest.raises(WeightsError, match="300,000 bytes; 1,000 are expected"):
        get(server, tmp_path / "w.bin", size=1000)


def test_a_server_that_sends_for_ever_is_cut(tmp_path):
    target = tmp_path / "w.bin"

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(10_000):
                handler.wfile.write(bytes(10_000))
        except OSError:
            handler.close_connection = True

    with Server(endless) as server:
        with pytest.raises(WeightsError, match="more than it should; 300,000 are expected"):
            get(server, target)
        assert not part_of(target).exists()
        with pytest.raises(WeightsError, match="at most 123 are accepted"):
            get(server, target, size=None, max_bytes=123)
    assert not target.exists()


def test_without_any_length_the_end_cannot_be_told(tmp_path):
    with Server(lambda h: send(h, 200, BODY, Content_Length=None)) as server:
        with pytest.raises(WeightsError, match="does not say how long"):
            get(server, tmp_path / "w.bin", None, None)
        get(server, tmp_path / "w.bin", SHA, None)
    assert (tmp_path / "w.bin").read_bytes() == BODY


def drip(handler, head):
    """One byte every 50 ms: in the head of the answer, or in its body."""
    if not head:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BODY)))
        handler.end_headers()
    try:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


@pytest.mark.parametrize("head", [True, False])
def test_a_server_that_drips_does_not_hold_us(tmp_path, head):
    start = time.monotonic()
    with (
        Server(lambda h: drip(h, head)) as server,
        pytest.raises(WeightsError, match=r"(no answer|less than 64 KiB) came within 0.3 seconds"),
    ):
        get(server, tmp_path / "w.bin", timeout=0.3)
    assert time.monotonic() - start < 3


def test_a_server_that_never_answers(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        start = time.monotonic()
        with pytest.raises(WeightsError, match="tried 2 times"):
            get(url, tmp_path / "w.bin", timeout=0.2, attempts=2)
        assert time.monotonic() - start < 3


def test_a_server_that_hangs_up_at_once(tmp_path):
    def hang_up(handler):
        handler.connection.shutdown(socket.SHUT_RDWR)

    with Server(hang_up, good()) as server:
        get(server, tmp_path / "w.bin", attempts=2)
    assert (tmp_path / "w.bin").read_bytes() == BODY


def test_a_closed_port(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DatasetError, match=r"127.0.0.1:\d+/x .* refused.*Ask Kim\."):
        get(f"http://127.0.0.1:{port}/x", tmp_path / "w.bin", error=DatasetError, remedy="Ask Kim.")


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (500, 3), (503, 3), (429, 3)])
def test_refusals_are_named_and_only_passing_ones_tried_again(tmp_path, status, requests):
    with Server(lambda h: send(h, status, b"no")) as server:
        with pytest.raises(WeightsError, match=f"answered {status}"):
            get(server, tmp_path / "w.bin", attempts=3)
        assert len(server.seen) == requests


def test_redirects_are_followed_but_not_for_ever(tmp_path):
    def elsewhere(handler):
        send(handler, 302, b"", Location="/elsewhere")

    with Server(elsewhere, good()) as server:
        get(server, tmp_path / "w.bin")
    with Server(elsewhere) as server, pytest.raises(WeightsError, match="in circles"):
        get(server, tmp_path / "v.bin", attempts=2)


def test_packed_files_are_refused(tmp_path):
    with Server(lambda h: send(h, 200, BODY, Content_Encoding="gzip")) as server:
        with pytest.raises(WeightsError, match=r"packed \(gzip\)"):
            get(server, tmp_path / "w.bin")
        assert server.seen[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "weights.bin", ""])
def test_only_http(tmp_path, url):
    with pytest.raises(WeightsError, match="must begin with https://"):
        get(url, tmp_path / "w.bin")


def test_passwords_are_not_shown(tmp_path):
    with pytest.raises(WeightsError) as caught:
        get("http://kim:secret@127.0.0.1:9/x", tmp_path / "w.bin")
    assert "secret" not in str(caught.value)


def test_a_full_disk_is_named_and_the_part_kept(tmp_path, monkeypatch):
    target = tmp_path / "w.bin"

    real = download._Downloader.blocks

    def until_full(downloader, response):
        for number, block in enumerate(real(downloader, response)):
            if number == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            yield block

    monkeypatch.setattr(download._Downloader, "blocks", until_full)
    with Server(good()) as server, pytest.raises(WeightsError, match=r"disk is full.*w.bin.part is kept"):
        get(server, target)
    assert part_of(target).exists()
    monkeypatch.setattr(download._Downloader, "blocks", real)
    with Server(good()) as server:
        get(server, target)
        assert server.seen[0]["Range"].startswith("bytes=")
    assert target.read_bytes() == BODY


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WeightsError, match="cannot be written"):
        get("http://127.0.0.1:9/none", tmp_path / "file" / "w.bin")


def test_two_at_once_fetch_it_once(tmp_path):
    target = tmp_path / "w.bin"
    errors = []

    def slowly(handler):
        time.sleep(0.2)
        good()(handler)

    def run():
        try:
            get(server, target)
        except WeightsError as error:
            errors.append(error)

    with Server(slowly) as server:
        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(server.seen) == 1
    assert errors == []
    assert target.read_bytes() == BODY


def test_whoever_waits_for_the_lock_too_long_is_told(tmp_path):
    import filelock

    @contextmanager
    def held():
        with filelock.FileLock(tmp_path / "w.bin.lock"):
            yield

    with held(), pytest.raises(WeightsError, match=r"another process.*w.bin.lock"):
        get("http://127.0.0.1:9/none", tmp_path / "w.bin", timeout=0.01)


def test_an_interruption_keeps_what_came(tmp_path, monkeypatch):
    """Ctrl-C in the middle: the part stays, and the next call goes on from it."""
    target = tmp_path / "w.bin"
    real = download._Downloader.blocks
    whole = []

    def interrupted(downloader, response):
        for block in real(downloader, response):
            yield block
            whole.append(len(block))
            if sum(whole) > 100_000:
                raise KeyboardInterrupt

    with Server(good()) as server:
        monkeypatch.setattr(download._Downloader, "blocks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get(server, target)
        monkeypatch.setattr(download._Downloader, "blocks", real)
        assert part_of(target).stat().st_size == sum(whole)
        get(server, target)
        assert server.seen[-1]["Range"] == f"bytes={sum(whole)}-"
    assert target.read_bytes() == BODY


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    assert download.home() == tmp_path
    monkeypatch.setenv("FACELAB_HOME", "~/x")
    assert download.home().is_absolute()
    monkeypatch.delenv("FACELAB_HOME")
    assert download.home().name == "facelab"
