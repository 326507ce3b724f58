"""A gallery in PostgreSQL: the promises of one in a file, checked against a real server with pgvector."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from test_gallery import Model, vectors

import facelab as fl
from facelab.errors import FacelabError, GalleryError
from facelab.gallery import Gallery, postgres_server
from facelab.gallery.postgres import PostgresGallery
from facelab.gallery.postgres_server import Server, copy_stream, literal, unpack
from facelab.gallery.recall import Recall

psycopg = pytest.importorskip("psycopg", reason="no psycopg: pip install 'facelab[postgres]'")
pgserver = pytest.importorskip(
    "pgserver", reason="pgserver brings the server, and is not for Python ≥ 3.13, nor for Linux on ARM"
)

HERE = Path(__file__).parent
SECRET = "pass/word@1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of its own on a socket in a temporary folder, where the user `secret` needs a password."""
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    access = server.pgdata / "pg_hba.conf"
    access.write_text("local all secret scram-sha-256\n" + access.read_text())
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE secret LOGIN PASSWORD '{SECRET}'")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("CREATE DATABASE bare")
        connection.execute("CREATE EXTENSION vector")
        connection.execute("SELECT pg_reload_conf()")
    yield server
    server.cleanup()


@pytest.fixture(scope="module")
def dsn(server) -> str:
    return server.get_uri()


def user(dsn: str, name: str, database: str = "postgres", password: str = "") -> str:
    host = psycopg.conninfo.conninfo_to_dict(dsn)["host"]
    return psycopg.conninfo.make_conninfo(user=name, password=password, host=host, dbname=database)


@pytest.fixture
def admin(dsn):
    """Another program's connection."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def opened(dsn, admin):
    """`opened(…)` opens the gallery "test", which is dropped afterwards."""
    with contextlib.ExitStack() as stack:

        def open(**options) -> PostgresGallery:
            options = {"embedder": "test", "dimension": 16, "threshold": 0.5, "device": "cpu"} | options
            return stack.enter_context(PostgresGallery(options.pop("dsn", dsn), "test", **options))

        yield open
    admin.execute("DROP SCHEMA IF EXISTS facelab_test CASCADE")


@pytest.fixture
def gallery(opened) -> PostgresGallery:
    return opened()


def rows(count: int, seed: int = 0) -> np.ndarray:
    return vectors(count, seed, 16)


# ---------------------------------------------------------------------- the same as a file


def test_random_sequences_of_changes(dsn, admin):
    class PostgresModel(Model):
        def new(self) -> PostgresGallery:
            return PostgresGallery(dsn, "model", embedder="test", dimension=8, threshold=0.5, device="cpu")

        def begin(self):
            admin.execute("DROP SCHEMA IF EXISTS facelab_model CASCADE")
            self.gallery, self.people, self.next_id = self.new(), {}, 0

        def teardown(self):
            if hasattr(self, "gallery"):
                self.gallery.close()

        def reopen(self):
            self.gallery.close()
            self.gallery = self.new()

    for name in ("begin", "reopen"):  # the decorators of the rules that these replace
        for key, value in vars(getattr(Model, name)).items():
            setattr(getattr(PostgresModel, name), key, value)
    some = settings(
        max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(PostgresModel, settings=some)


def test_the_answers_of_a_file_on_lfw(dsn, tmp_path):
    """Known and strangers, somebody with 530 templates, "max" and "mean": the same to the last bit."""
    templates = fl.datasets.lfw_templates()
    rng = np.random.default_rng(0)
    known = templates.vectors[rng.integers(0, len(templates.vectors), 12)]
    strangers = known + 0.15 * rng.normal(size=known.shape)
    probes = np.concatenate([known, strangers, templates.of("George_W_Bush")[:3]])
    with (
        PostgresGallery(dsn, "lfw", device="cpu") as gallery,
        Gallery(tmp_path / "g.hdf", device="cpu") as file,
    ):
        assert gallery.enroll_templates(templates) == file.enroll_templates(templates)
        for score in ("max", "mean"):
            for k in (1, 5, 60):
                for one, other in zip(
                    gallery.identify(probes, k=k, score=score),
                    file.identify(probes, k=k, score=score),
                    strict=True,
                ):
                    assert one.candidates == other.candidates
                    assert (one.name, one.id, one.threshold) == (other.name, other.id, other.threshold)
                    assert (one.fpir, one.notes) == (other.fpir, other.notes)


def test_few_people_and_ties(gallery, tmp_path):
    with Gallery(tmp_path / "g.hdf", embedder="test", dimension=16, threshold=0.5, device="cpu") as file:
        directions = np.concatenate([rows(3), -rows(1)])
        names = [str(i) for i in np.random.default_rng(0).integers(0, 12, 60)]
        for one in (gallery, file):
            assert one.identify(directions[0]).candidates == ()
            one.enroll_many(names, directions[np.arange(60) % 4])
        for score in ("max", "mean"):
            for k in (1, 3, 12, 100):
                for one, other in zip(
                    gallery.identify(directions, k=k, score=score),
                    file.identify(directions, k=k, score=score),
                    strict=True,
                ):
                    assert one.candidates == other.candidates
                    assert len(one.candidates) == min(k, 12)
    assert gallery.identify([]) == []
    for options in ({"k": 0}, {"score": "median"}):
        with pytest.raises(ValueError, match=r"median|at least 1"):
            gallery.identify(directions, **options)


def test_photos_and_metadata(dsn, astronaut, hopper):
    with PostgresGallery(dsn, "photos", device="cpu") as gallery:
        collins = gallery.enroll("Eileen Collins", astronaut, department="NASA", tags=["a", {"b": None}])
        gallery.enroll("NUL\0 \ud800 지수", hopper)
        match = gallery.identify(astronaut[:, ::-1])
        assert (match.name, match.id) == ("Eileen Collins", collins)
        assert match.crop.shape == (112, 112, 3)
        with pytest.warns(UserWarning, match="2 faces"):
            gallery.add(collins, np.concatenate([astronaut, astronaut], axis=1))
        assert [(one.name, one.templates, one.metadata) for one in gallery.list()] == [
            ("Eileen Collins", 2, {"department": "NASA", "tags": ["a", {"b": None}]}),
            ("NUL\0 \ud800 지수", 1, {}),
        ]
        assert "photos" in repr(gallery)
        assert "2 people, 3 templates, yunet+aligned+sface" in repr(gallery)
    assert "closed" in repr(gallery)


def test_what_cannot_be_kept_enrols_nobody(gallery):
    refused = [
        lambda: gallery.enroll("", rows(1)),
        lambda: gallery.enroll("x", rows(1), score=float("nan")),
        lambda: gallery.enroll("x", np.zeros(16)),
        lambda: gallery.enroll("x", []),
        lambda: gallery.enroll_many(["a", "b"], [[1.0] * 16, [np.nan] * 16]),
        lambda: gallery.enroll_templates(fl.datasets.lfw_templates()),
        *(lambda id=id: gallery.add(id, rows(1)) for id in (0, -1, 2**70, None, "0")),
        *(lambda id=id: gallery.delete(id) for id in (0, -1, 2**70, None, "0")),
        lambda: gallery.rename(0, "x"),
        lambda: gallery.vectors(0),
    ]
    for attempt in refused:
        with pytest.raises(GalleryError):
            attempt()
    assert (len(gallery), gallery.templates) == (0, 0)
    assert gallery.enroll("x", rows(1)) == 0
    with pytest.raises(GalleryError, match="nobody has the id 5"):
        gallery.delete(0, 5)
    assert len(gallery) == 1


def test_ids_are_given_once(gallery, opened):
    ids = [gallery.enroll("Kim", rows(1)) for _ in range(2)]
    gallery.delete(ids[1])
    ids.append(opened().enroll("Kim", rows(1)))
    gallery.clear()
    assert (len(gallery), gallery.templates) == (0, 0)
    ids.append(gallery.enroll("Kim", rows(1)))
    assert ids == [0, 1, 2, 3]


def test_long_vectors(dsn):
    """Beyond what fits into a page, and beyond pgvector."""
    wide = vectors(3, 0, 3000)
    with PostgresGallery(dsn, "wide", embedder="w", dimension=3000, threshold=0.5, device="cpu") as gallery:
        gallery.enroll_many(["a", "b", "c"], wide)
        assert np.array_equal(gallery.vectors(1), wide[1:2])
        assert gallery.identify(wide[2]).name == "c"
        with pytest.raises(GalleryError, match="up to 2,000"):
            gallery.build_index()
    with pytest.raises(GalleryError, match="up to 16,000"):
        PostgresGallery(dsn, "wider", embedder="w", dimension=16_001)


def test_vectors_as_bytes():
    some = rows(5)
    some[0, 0] = np.float32(1.1754942e-38)
    assert np.array_equal(np.array(json.loads(literal(some[0])), np.float32), some[0])
    stream = b"".join(copy_stream(np.arange(5), some))
    assert len(stream) == 19 + 5 * (2 + 4 + 8 + 4 + 4 + 64) + 2
    cells = [stream[19 + 86 * i + 18 :][:68] for i in range(5)]
    assert np.array_equal(unpack(cells, 16), some)
    with pytest.raises(ValueError, match="15 numbers"):
        unpack(cells, 15)


# ---------------------------------------------------------------------- several at once, and dying


def test_many_clients_enrol_at_once(dsn, opened):
    opened()
    ids, errors = [], []

    def enrol(seed: int):
        try:
            with PostgresGallery(dsn, "test", threshold=0.5, device="cpu") as mine:
                for turn in range(8):
                    ids.append(mine.enroll(f"{seed}", rows(2, 100 * seed + turn)))
                    ids.extend(mine.enroll_many([f"{seed} {turn} {i}" for i in range(5)], rows(5)).ids)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=enrol, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(ids) == list(range(4 * 8 * 6)), "each id once, none missing"
    gallery = opened()
    assert (len(gallery), gallery.templates) == (192, 4 * 8 * 7)
    assert {one.templates for one in gallery.list()} == {1, 2}


def test_several_make_the_same_gallery_at_once(dsn, opened):
    made = []
    threads = [threading.Thread(target=lambda: made.append(opened().about)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6


def test_one_gallery_object_in_many_threads(gallery):
    gallery.enroll_many([str(i) for i in range(40)], rows(40))
    wrong = []

    def ask(i: int):
        for _ in range(5):
            if gallery.identify(rows(40)[i]).name != str(i):
                wrong.append(i)

    threads = [threading.Thread(target=ask, args=[i]) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_clients_killed_at_random_instants(dsn):
    arguments = [sys.executable, HERE / "killed_client.py", dsn, "7", "25"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=100, cwd=HERE.parent)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["done"] > 5, f"and clients must have done something, however slow the machine: {seen}"
    assert seen["between: old"] + seen["between: new"] > 5, f"kills must hit clients at work: {seen}"


def test_a_client_that_dies_half_way_leaves_nothing_and_holds_nobody_up(dsn, gallery, opened):
    """Between people and templates, the moment at which half an enrolment would show."""
    child = os.fork()
    if child == 0:
        other = PostgresGallery(dsn, "test", device="cpu")
        other._copy = lambda *_: os.kill(os.getpid(), 9)
        other.enroll("half", rows(1))
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 9
    start = time.monotonic()
    assert gallery.enroll("whole", rows(1)) == 0
    assert time.monotonic() - start < 5
    assert [one.name for one in opened().list()] == ["whole"]


def test_what_is_deleted_is_gone_for_everybody_at_once(gallery, opened):
    other = opened()
    ids = [gallery.enroll(name, vector) for name, vector in zip("ab", rows(2), strict=True)]
    assert other.identify(rows(2)[0]).name == "a"
    gallery.delete(ids[0])
    match = other.identify(rows(2)[0])
    assert (match.name, [one.name for one in match.candidates]) == (None, ["b"])
    gallery.rename(ids[1], "c")
    assert other.list()[0].name == "c"


def test_an_answer_is_of_one_instant(admin, gallery, monkeypatch):
    """Somebody is deleted after the look-up saw them, and before their name is asked for."""
    gallery.enroll("x", rows(1))
    names = gallery._names

    def late(*found):
        admin.execute("DELETE FROM facelab_test.people")
        return names(*found)

    monkeypatch.setattr(gallery, "_names", late)
    assert gallery.identify(rows(1)[0]).name == "x"
    monkeypatch.undo()
    assert gallery.identify(rows(1)[0]).candidates == ()


def test_a_forked_process_is_told_to_open_its_own(gallery):
    child = os.fork()
    if child == 0:
        try:
            len(gallery)
        except GalleryError as error:
            os._exit(42 if "forked" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
    assert len(gallery) == 0


# ---------------------------------------------------------------------- what a deletion leaves


def files_with(server, admin, needle: bytes) -> set[str]:
    """The files of the tables, indexes and catalogs in which some bytes are."""
    admin.execute("CHECKPOINT")
    files = (file for part in ("base", "global") for file in (server.pgdata / part).rglob("*"))
    return {
        str(file.relative_to(server.pgdata))
        for file in files
        if file.is_file() and needle in file.read_bytes()
    }


def file_of(admin, relation: str) -> str:
    return admin.execute("SELECT pg_relation_filepath(%s)", [f"facelab_test.{relation}"]).fetchone()[0]


def test_no_byte_of_what_was_deleted_is_left_in_a_file(server, admin, gallery):
    names = [f"somebody called {i:04}" for i in range(300)]
    some = rows(300, 1)
    gallery.enroll_many(names, some)
    gone = gallery.enroll("zzz the last one", rows(4, 2), note="forget me")
    admin.execute("ANALYZE")
    samples = "SELECT FROM pg_stats WHERE schemaname = 'facelab_test' AND attname IN ('line', 'vector')"
    assert admin.execute(samples).rowcount == 0, "what statistics keep of a column outlives its rows"
    last = rows(4, 2)[3].tobytes()
    bytes_of = [some[17].tobytes(), last, b"called 0017", b"zzz the last", b"forget me"]
    assert all(files_with(server, admin, needle) for needle in bytes_of), "the search must find them first"
    gallery.delete(17, gone)
    for needle in bytes_of:
        assert files_with(server, admin, needle) == set()
    gallery.rename(18, "another")
    assert files_with(server, admin, b"called 0018") == set()
    assert files_with(server, admin, some[18].tobytes()) == {file_of(admin, "templates")}
    gallery.clear()
    assert files_with(server, admin, b"somebody called") == set()
    assert files_with(server, admin, some[20].tobytes()) == set()


def test_with_an_index_names_go_at_once_and_vectors_with_rewrite(server, admin, gallery):
    some = rows(300, 1)
    gallery.enroll_many([f"somebody called {i:04}" for i in range(300)], some)
    gallery.build_index()
    last = some[299].tobytes()
    both = {file_of(admin, "templates"), file_of(admin, "templates_hnsw")}
    assert files_with(server, admin, last) == both
    gallery.delete(299)
    assert files_with(server, admin, b"called 0299") == set()
    assert files_with(server, admin, last) <= {file_of(admin, "templates")}, "the index holds zeros"
    gallery.rewrite()
    assert files_with(server, admin, last) == set()
    assert gallery.measure_recall().total == 299


def test_an_old_transaction_keeps_deleted_rows_in_the_files_and_that_is_said(
    server, dsn, admin, gallery, monkeypatch
):
    monkeypatch.setattr(postgres_server, "_PAUSES", (0, 0.1))
    gallery.enroll("forget me not", rows(1))
    with psycopg.connect(dsn) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT 1")
        with pytest.raises(GalleryError, match=r"no query shows .* still in the server's files"):
            gallery.delete(0)
        assert len(gallery) == 0
        assert files_with(server, admin, b"forget me not")
    gallery.rewrite()
    assert files_with(server, admin, b"forget me not") == set()


def test_who_may_delete_rows_and_not_rewrite_tables_is_told_so(dsn, admin, gallery):
    gallery.enroll("x", rows(1))
    admin.execute(
        "GRANT USAGE ON SCHEMA facelab_test TO reader; "
        "GRANT SELECT ON ALL TABLES IN SCHEMA facelab_test TO reader"
    )
    with PostgresGallery(user(dsn, "reader"), "test", threshold=0.5, device="cpu") as other:
        assert other.identify(rows(1)[0]).name == "x"
        with pytest.raises(GalleryError, match="the owner of the tables can GRANT it"):
            other.enroll("y", rows(1))
        admin.execute("GRANT UPDATE, DELETE ON ALL TABLES IN SCHEMA facelab_test TO reader")
        with pytest.raises(GalleryError, match=r"still in the server's files: .*permission denied"):
            other.delete(0)
    assert len(gallery) == 0


# ---------------------------------------------------------------------- the index


def test_an_index_never_answers_unless_it_is_asked_and_then_says_how_good_it_is(dsn, opened):
    people = rows(2000, 3)
    gallery, probes = opened(), rows(40, 4)
    gallery.enroll_many([str(i) for i in range(2000)], people)
    before = gallery.identify(probes)
    approximate = opened(search="hnsw")
    with pytest.raises(GalleryError, match=r"no HNSW index. build_index\(\)"):
        approximate.identify(probes)
    poor = gallery.build_index(2, 4, 1)
    assert poor.total == 500
    assert poor.value < 0.9, "so poor that a search that used it would show"
    for one, other in zip(gallery.identify(probes), before, strict=True):
        assert (one.candidates, one.notes) == (other.candidates, ())
    asked = approximate.identify(probes, k=1)
    found = sum(one.candidates == other.candidates[:1] for one, other in zip(asked, before, strict=True))
    assert found < 36
    assert f"nearest template in {poor.found} of 500 look-ups" in asked[0].notes[0]
    for one, other in zip(
        approximate.identify(probes, score="mean"), gallery.identify(probes, score="mean"), strict=True
    ):
        assert (one.candidates, one.notes) == (other.candidates, ()), "a mean is always exact"
    gallery.build_index(2, 4, 40)
    asked = approximate.identify(probes, k=1)
    found = sum(one.candidates == other.candidates[:1] for one, other in zip(asked, before, strict=True))
    assert gallery.measure_recall(probes) == Recall(found, 40, 2000, own=False), "counted by hand"
    good = gallery.build_index()
    assert good.value > 0.95
    low, high = good.interval
    assert 0 < low < good.value <= high <= 1
    asked = approximate.identify(probes, k=3)
    found = sum(one.candidates == other.candidates[:3] for one, other in zip(asked, before, strict=True))
    assert found > 36
    gallery.enroll("new", probes[0])
    again = approximate.identify(probes[0])
    assert again.name == "new"
    assert "among 2,000; there are 2,001 now" in again.notes[0]
    given = approximate.measure_recall(probes)
    assert (given.total, given.own) == (40, False)
    assert "vectors given for it" in approximate.identify(probes[0]).notes[0]


def test_where_the_index_gives_too_few_people_the_search_is_exact(opened):
    gallery, approximate = opened(), opened(search="hnsw")
    gallery.enroll("a crowd", np.repeat(rows(1), 1500, axis=0) + 0.001 * rows(1500, 5))
    gallery.enroll_many(["b", "c"], -rows(2, 6))
    with pytest.raises(ValueError, match="ef_search"):
        gallery.build_index(ef_search=2000)
    gallery.build_index(ef_search=40)
    assert approximate.identify(rows(1)[0], k=1).notes != ()
    for k in (3, 10):
        one, other = approximate.identify(rows(1)[0], k=k), gallery.identify(rows(1)[0], k=k)
        assert (one.candidates, one.notes) == (other.candidates, ())
        assert len(one.candidates) == 3
    gallery.drop_index()
    with pytest.raises(GalleryError, match="no HNSW index"):
        approximate.identify(rows(1)[0])
    with pytest.raises(GalleryError, match="no HNSW index"):
        approximate.measure_recall()
    gallery.clear()
    with pytest.raises(GalleryError, match="too few templates"):
        gallery.build_index()


def test_recall_is_read_back_as_it_was():
    recall = Recall(497, 500, 13_233)
    assert Recall.from_json(recall.to_json()) == recall
    assert "497 of 500 look-ups (95 % interval 98.3% to 99.8%)" in str(recall)
    for text in ("{}", "[]", "x", '{"found": 1}'):
        with pytest.raises(ValueError, match=r"."):
            Recall.from_json(text)


# ---------------------------------------------------------------------- errors


def test_arguments(dsn):
    for options, says in [
        ({"name": "Robert'); DROP TABLE"}, "name="),
        ({"name": "x" * 41}, "name="),
        ({"search": "fast"}, "search="),
        ({"threshold": 3}, "threshold="),
        ({"fpir": 0}, "fpir="),
        ({"dimension": 4}, "dimension="),
    ]:
        with pytest.raises(ValueError, match=says):
            PostgresGallery(dsn, **options)


def test_without_psycopg_the_extra_is_named(monkeypatch, dsn):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(FacelabError, match=r"pip install 'facelab\[postgres\]'"):
        PostgresGallery(dsn)


def test_importing_it_needs_no_psycopg():
    code = "import sys; sys.modules['psycopg'] = None; import facelab.gallery.postgres"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE.parent)


def test_bound_to_one_pipeline(dsn, gallery, opened):
    assert opened(embedder=None, dimension=None).about == gallery.about
    with pytest.raises(GalleryError, match=r"holds vectors of test .* another name="):
        opened(embedder="arcface", dimension=None)
    with pytest.raises(GalleryError, match=r"gallery 'test' at postgres@.*none of facelab's embedders"):
        gallery.pipeline  # noqa: B018


def test_no_server():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(GalleryError, match=rf"me@127\.0\.0\.1:{port}/faces: cannot be connected to .*server"):
        PostgresGallery(f"postgresql://me:geheim@127.0.0.1:{port}/faces")


def test_a_server_that_never_answers():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        start = time.monotonic()
        with pytest.raises(GalleryError, match="cannot be connected to"):
            PostgresGallery(f"host=127.0.0.1 port={mute.getsockname()[1]}", connect_timeout=2)
        assert time.monotonic() - start < 6


@pytest.mark.parametrize("password", ["wrong word", ""])
def test_a_wrong_password_is_not_printed(dsn, password):
    with pytest.raises(GalleryError, match="Are user, database and password right") as caught:
        PostgresGallery(user(dsn, "secret", password=password))
    told = "".join(traceback.format_exception(caught.value))
    assert "secret@" in told
    assert not password or password not in told


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:gehe@im@localhost/db",
        "postgresql://me:gehe/im@localhost/db",
        "postgresql://me:123/geheim@localhost/db",
        "postgresql://me:geheim%@localhost/db",
        "host=localhost password=gehe im",
        "gehe im",
        "host=localhost gehe=im",
    ],
)
def test_a_password_written_without_escapes_is_not_printed(dsn):
    with pytest.raises(GalleryError, match="no connection string") as caught:
        PostgresGallery(dsn)
    told = str(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__ or "")
    assert "gehe" not in str(caught.value)
    assert "geheim" not in told


def test_no_extension_and_no_right_to_make_it(dsn, admin):
    bare = user(dsn, "secret", "bare", SECRET)
    with pytest.raises(GalleryError, match=r"schema|CREATE EXTENSION vector") as caught:
        PostgresGallery(bare)
    assert "run: CREATE EXTENSION vector" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    with PostgresGallery(user(dsn, "postgres", "bare"), device="cpu") as gallery:
        assert len(gallery) == 0, "who may, makes it"


def test_a_server_without_pgvector(dsn, monkeypatch):
    execute = psycopg.Connection.execute

    def without(self, text, *rest, **options):
        if isinstance(text, str):
            text = text.replace("EXISTS vector", "EXISTS vektor").replace("= 'vector'", "= 'vektor'")
        return execute(self, text, *rest, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", without)
    with pytest.raises(GalleryError, match=r"the server lacks pgvector .*apt install"):
        PostgresGallery(dsn, "lacking")


def test_a_lost_connection_is_said_and_made_anew(admin, gallery):
    gallery.enroll("x", rows(1))
    pid = gallery._server.connection().info.backend_pid
    admin.execute("SELECT pg_terminate_backend(%s)", [pid])
    time.sleep(0.2)
    with pytest.raises(GalleryError, match=r"the connection was lost .*the next call connects anew"):
        gallery.enroll("y", rows(1))
    assert gallery.identify(rows(1)[0]).name == "x"


def test_another_writer_that_does_not_end(dsn, admin, gallery):
    gallery._server.connection().execute("SET lock_timeout = '100ms'")
    with psycopg.connect(dsn) as other:
        other.execute("SELECT FROM facelab_test.about FOR UPDATE")
        with pytest.raises(GalleryError, match="Another program holds the tables"):
            gallery.enroll("x", rows(1))
        assert len(gallery) == 0, "readers do not wait"
    gallery.enroll("x", rows(1))
    with psycopg.connect(dsn) as other:
        other.execute("SELECT FROM facelab_test.templates")
        with pytest.raises(GalleryError, match=r"still in the server's files: .*rewrite"):
            gallery.delete(0)
    gallery.rewrite()


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE facelab_test.templates",
        "DROP TABLE facelab_test.about",
        "ALTER TABLE facelab_test.templates RENAME vector TO v",
        "ALTER TABLE facelab_test.people DROP line",
        "DROP EXTENSION vector CASCADE; CREATE EXTENSION vector",
        "DELETE FROM facelab_test.about",
        "UPDATE facelab_test.people SET line = '\\x00'",
        "ALTER TABLE facelab_test.templates DROP CONSTRAINT templates_vector_check, "
        "ALTER vector TYPE vector(2) USING '[1,0]'",
        "UPDATE facelab_test.about SET recall = '{}'",
    ],
)
def test_tables_that_another_program_changed(admin, gallery, opened, change):
    gallery.enroll("x", rows(1))
    try:
        admin.execute(change)
        for attempt in (lambda: gallery.identify(rows(1)[0]), lambda: opened().identify(rows(1)[0])):
            with pytest.raises(GalleryError, match=r"another program changed them\. Restore"):
                attempt()
        if "recall" not in change and "people" not in change:
            with pytest.raises(GalleryError, match="another program"):
                gallery.enroll("y", rows(1))
    finally:
        admin.execute("CREATE EXTENSION IF NOT EXISTS vector")


def test_rows_that_another_program_changed(admin, gallery, opened):
    gallery.enroll_many(["x", "y"], rows(2))
    with pytest.raises(psycopg.errors.CheckViolation):
        admin.execute("UPDATE facelab_test.templates SET vector = vector + vector")
    admin.execute("DELETE FROM facelab_test.people WHERE id = 1")
    with pytest.raises(GalleryError, match="has 1 templates where facelab counted 2") as caught:
        opened()
    admin.execute(str(caught.value).partition("run: ")[2])
    assert opened().templates == 1
    admin.execute("UPDATE facelab_test.about SET format = 2")
    with pytest.raises(GalleryError, match=r"of format 2.*Update facelab"):
        opened()


def test_a_gallery_made_anew_under_an_open_one(admin, gallery, opened):
    admin.execute("DROP SCHEMA facelab_test CASCADE")
    opened(dimension=8).enroll("x", vectors(1, 0, 8))
    for attempt in (lambda: gallery.identify(rows(1)[0]), lambda: gallery.enroll("x", rows(1))):
        with pytest.raises(GalleryError, match="Open it again"):
            attempt()


def test_closed(gallery):
    gallery.close()
    for attempt in (lambda: len(gallery), lambda: gallery.enroll("x", rows(1)), gallery.list):
        with pytest.raises(GalleryError, match="is closed"):
            attempt()


def test_what_messages_call_the_server():
    assert Server("", "g", "s", 5, threading.RLock()).where == "gallery 'g' at this machine"
    named = Server("postgresql://a:geheim@h1:1,h2:2/db?sslmode=disable", "g", "s", 5, threading.RLock())
    assert named.where == "gallery 'g' at a@h1,h2:1,2/db"
