"""Embeddings per second on a CPU: facelab, onnxruntime and OpenCV on the same weights and threads.

    python -m benchmarks.embed [--threads 2] [--rounds 7]

Each peer gets the form of the file that it runs fastest: dequantised once, with the batch left open. The
quantised file itself is timed as well, since that is what an application would hand to it.
"""

import argparse
import os

import numpy as np
import torch

from benchmarks.common import NOT_MEASURED, median_ratio, report, time_alternately
from facelab import weights
from facelab.embed import load, network

BATCH = 64


def onnx_graph(dequantised: bool) -> bytes:
    """The weights file without the inputs it no longer uses; dequantised, also with an open batch."""
    import onnx

    model = onnx.load(weights.find("sface"))
    graph = model.graph
    image = next(i for i in graph.input if i.name == "data")
    del graph.input[:]
    graph.input.append(image)
    if dequantised:
        # DequantizeLinear (→ Reshape) → float tensor; `weights.read` has done the same sum once.
        tensors = weights.read("sface")
        renamed = {}
        for node in list(graph.node):
            if node.op_type in ("DequantizeLinear", "Reshape"):
                name = node.input[0].removesuffix("_quantized")
                renamed[node.output[0]] = renamed.get(node.input[0], name)
                graph.node.remove(node)
        for node in graph.node:
            node.input[:] = [renamed.get(name, name) for name in node.input]
        used = {name for node in graph.node for name in node.input} & tensors.keys()
        del graph.initializer[:]
        graph.initializer.extend(onnx.numpy_helper.from_array(tensors[name], name) for name in sorted(used))
        for tensor in (*graph.input, *graph.output):
            tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    return model.SerializeToString()


def onnxruntime_session(model: bytes, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    import cv2
    import onnxruntime

    cv2.setNumThreads(options.threads)

    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (BATCH, 112, 112, 3), dtype=np.uint8))
    images = np.ascontiguousarray(crops.permute(0, 3, 1, 2).float().numpy())  # (64, 3, 112, 112), 0 … 255

    embedder, half, plain = load("sface"), load("sface", half=True), network("sface")
    dequantised = onnx_graph(dequantised=True)
    session = onnxruntime_session(dequantised, options.threads)
    quantised = onnxruntime_session(onnx_graph(dequantised=False), options.threads)
    opencv = cv2.dnn.readNetFromONNX(np.frombuffer(dequantised, np.uint8))

    def run_plain(n: int) -> np.ndarray:
        with torch.inference_mode():
            return plain(plain.pixels(crops[:n].contiguous()).contiguous().float()).numpy()

    def run_opencv(n: int) -> np.ndarray:
        opencv.setInput(images[:n])
        return opencv.forward()

    peers = {
        "facelab": lambda n: embedder.raw(crops[:n]).numpy(),
        "facelab, bfloat16": lambda n: half.raw(crops[:n]).numpy(),
        "facelab, the readable module": run_plain,
        f"onnxruntime {onnxruntime.__version__}": lambda n: session.run(None, {"data": images[:n]})[0],
        "onnxruntime, quantised file": lambda n: np.concatenate(
            [quantised.run(None, {"data": images[k : k + 1]})[0] for k in range(n)]
        ),
        f"OpenCV {cv2.__version__} dnn": run_opencv,
    }
    reference = f"onnxruntime {onnxruntime.__version__}"

    def unit(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    expected = unit(peers[reference](BATCH))
    furthest = {name: float(np.abs(unit(run(BATCH)) - expected).max()) for name, run in peers.items()}

    single = {name: (lambda run=run: run(1)) for name, run in peers.items()}
    batch = {name: (lambda run=run: run(BATCH)) for name, run in peers.items()}
    one = time_alternately(single, rounds=4 * options.rounds, warm_up=3)
    many = time_alternately(batch, rounds=options.rounds)
    rows = [
        [
            name,
            f"{np.median(one[name]) * 1e3:.1f}",
            f"{median_ratio(one[name], one[reference]):.2f}×",
            f"{BATCH / np.median(many[name]):.0f}",
            f"{BATCH / min(many[name]):.0f}",
            f"{median_ratio(many[name], many[reference]):.2f}×",
            f"{furthest[name]:.0e}",
        ]
        for name in peers
    ]
    report(
        f"SFace on a CPU, {options.threads} threads",
        ["", "1 face, ms", "ratio", f"batch {BATCH}, /s", "best round, /s", "ratio", "largest difference"],
        rows,
        notes=[
            f"Medians of {4 * options.rounds} rounds (one face) and {options.rounds} (batch), taking turns.",
            f"Ratios are the speed against {reference} on the dequantised file, round by round.",
            f"Largest difference: of any component of a unit vector, against {reference}.",
            f"Load on the machine (1 minute) when done: {load_average()}.",
        ],
    )


def load_average() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else NOT_MEASURED


if __name__ == "__main__":
    main()
