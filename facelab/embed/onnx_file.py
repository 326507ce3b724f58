"""An embedder in an ONNX file, run by onnxruntime (an optional extra): files like `w600k_r50.onnx`.

    embedder = load("w600k_r50.onnx")                    # facelab.embed: RGB, (x − 127.5)/127.5
    OwnEmbedder(OwnNetwork(OnnxNetwork(file, device), mean=…, scale=…, order="BGR"), device)    # any other

The graph is asked for what it says of itself: one input (N, 3, 112, 112), whose N may be free or fixed (crops
are then fed in groups of that size), and a first output of one vector for each crop. A graph that begins by
subtracting from or scaling its input brings pixels into range itself, and gets them as they are, 0 … 255.
What it cannot say is its colour order and mean: RGB and 127.5 are InsightFace's, and another network's files
need the long form above.

The device decides the provider, and nothing falls back in silence: "cuda" without onnxruntime's CUDA provider
is an error.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facelab.embed.embedder import SIDE
from facelab.embed.own import OwnEmbedder, OwnNetwork
from facelab.errors import DeviceError, FacelabError, WeightsError
from facelab.user_weights import UserFile

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_NORMALISING = {"Sub", "Add", "Mul", "Div"}


def onnx_embedder(file: UserFile, device: torch.device) -> OwnEmbedder:
    """The embedder of an ONNX file. Raises WeightsError when it is damaged or takes something else than
    crops, DeviceError where onnxruntime cannot use the device, FacelabError where there is no onnxruntime."""
    network = OnnxNetwork(file, device)
    mean, scale = (0.0, 1.0) if network.normalises else (127.5, 127.5)
    embedder = OwnEmbedder(OwnNetwork(network, mean, scale, name=file.tag("onnx")), device)
    embedder.file, embedder.provider = file.without_content(), network.provider
    return embedder


class OnnxNetwork(nn.Module):
    """(N, 3, 112, 112) float32 → (N, D), for any N: an ordinary network as far as OwnNetwork can see.

    side        width and height of its input; given as None: the graph's own, which must be fixed
    provider    what onnxruntime computes with
    normalises  does the graph bring pixels of 0 … 255 into range itself?
    batch       the N that the graph is fixed at; None when it is free
    """

    def __init__(self, file: UserFile, device: torch.device, side: int | None = SIDE):
        super().__init__()
        self.path, self.name = file.path, file.tag("onnx")
        model, self.normalises = _model(file)
        self._session = _session(file.path, model, device)
        self.provider = self._session.get_providers()[0]
        if len(self._session.get_inputs()) != 1:
            raise WeightsError(
                f"{file.path}: has {len(self._session.get_inputs())} inputs; "
                f"{'an embedder' if side else 'a network here'} has one."
            )
        (given,) = self._session.get_inputs()
        shape = [side if isinstance(side, int) else None for side in given.shape]
        wants = side or (shape[3] if len(shape) == 4 else None)
        fits = (
            wants is not None
            and len(shape) == 4
            and all(its in (None, wanted) for its, wanted in zip(shape[1:], (3, wants, wants), strict=True))
        )
        if not fits or given.type != "tensor(float)":
            raise WeightsError(
                f"{file.path}: its input is {given.type} {given.shape}; "
                f"{'a face embedder' if side else 'a detector of attacks'}'s is tensor(float) "
                f"(N, 3, {side or 'S'}, {side or 'S'})."
            )
        self.side = wants
        self._input, self.batch = given.name, shape[0]
        self._output = self._session.get_outputs()[0].name

    def forward(self, x: Tensor) -> Tensor:
        images = np.ascontiguousarray(x.cpu().numpy())
        parts = [
            self._run(images[i : i + self._step(images)]) for i in range(0, len(images), self._step(images))
        ]
        return torch.from_numpy(np.concatenate(parts)).to(x.device)

    def _step(self, images: np.ndarray) -> int:
        return self.batch or len(images)

    def _run(self, images: np.ndarray) -> np.ndarray:
        """One call. A last group too small for a fixed batch is filled up with its own first image."""
        missing = (self.batch or 0) - len(images)
        if missing > 0:
            images = np.concatenate([images, np.repeat(images[:1], missing, axis=0)])
        vectors = self._session.run([self._output], {self._input: images})[0]
        return vectors[: len(vectors) - max(missing, 0)]


def _session(path: Path, model: bytes, device: torch.device):
    try:
        import onnxruntime
    except ImportError as error:
        raise FacelabError(
            f"{path}: ONNX files are run by onnxruntime, which is not installed. Run: pip install "
            "onnxruntime (or onnxruntime-gpu)"
        ) from error
    provider = _PROVIDERS.get(device.type)
    if provider not in onnxruntime.get_available_providers():
        raise DeviceError(
            f"{path}: this onnxruntime cannot compute on {device} (it has "
            f'{", ".join(onnxruntime.get_available_providers())}). Give device="cpu", or for an NVIDIA GPU '
            "run: pip install onnxruntime-gpu"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors; warnings about unused initialisers concern nobody here
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[provider])
    except Exception as error:  # onnxruntime's own classes have no base but Exception
        raise WeightsError(
            f"{path}: onnxruntime cannot read it ({' '.join(str(error).split())[:200]}). Is it a whole "
            "ONNX file? Fetch it again."
        ) from error
    if session.get_providers()[0] != provider:
        raise DeviceError(
            f'{path}: onnxruntime has {provider} but could not start it. Give device="cpu", or look '
            "at what onnxruntime says about its CUDA libraries."
        )
    return session


def _model(file: UserFile) -> tuple[bytes, bool]:
    """The file's model without inputs that are none, and whether it begins with arithmetic on its pixels.

    Older exporters list every weight among the inputs, and onnxruntime then keeps it changeable and slow.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(file.content)
    except Exception as error:
        raise WeightsError(f"{file.path}: damaged, or no ONNX file. Fetch it again.") from error
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in node.input}
    inputs = [each for each in graph.input if each.name in read - stored]
    del graph.input[:]
    graph.input.extend(inputs)
    pixels = {each.name for each in inputs}
    normalises = any(node.op_type in _NORMALISING and pixels & set(node.input) for node in graph.node)
    return model.SerializeToString(), normalises
