"""The benchmarks that this machine cannot run in full still run: the same code, small, on the CPU."""

import pytest
import torch

from benchmarks import gpu
from facelab.pipeline import Pipeline

CPU = torch.device("cpu")
DEVICES = [CPU, pytest.param(torch.device("cuda"), marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES, ids=str)
def device(request):
    if request.param.type == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return request.param


def test_every_table_of_the_gpu_benchmark(device, capsys, tmp_path, astronaut, hopper):
    from PIL import Image

    paths = []
    for name, photo in (("a", astronaut), ("b", hopper)):
        Image.fromarray(photo).save(tmp_path / f"{name}.jpg")
        paths.append(tmp_path / f"{name}.jpg")
    limits = gpu.card(device, 64)
    assert all(limit > 1e6 for limit in limits.values())
    gpu.streaming(paths, device, 2)
    gpu.embedding(device, limits, (1, 2))
    gpu.searching(device, limits, (500,))
    gpu.training(device, limits, (("thumbnet", 4),))
    told = capsys.readouterr().out
    assert told.count("Measured on") == 5
    assert "1 of 2" not in told
    assert "SFace, 574 million multiplications a face" in told
    spent = gpu.staged(Pipeline(device=device, faces="central"), paths)
    assert set(spent) == set(gpu.STAGES)
    assert all(seconds > 0 for seconds in spent.values())
