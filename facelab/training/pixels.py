"""Crops on their way to the network: held on the device, in memory, or read ahead from the file."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from facelab.training.crops import Crops

IN_MEMORY = 8 * 2**30
"""Bytes of crops that are held in memory: some 220,000 crops of 112×112. More are read batch by batch."""


class Pixels:
    """(N, side, side, 3) uint8, by rows. On a GPU they lie there if a quarter of its memory holds them."""

    def __init__(self, crops: Crops, side: int, device: torch.device, in_memory: int = IN_MEMORY):
        self._crops, self._side, self._all = crops, side, None
        size = len(crops) * side * side * 3
        if size <= in_memory:
            self._all = torch.from_numpy(crops.images(side))
            if device.type == "cuda" and size <= torch.cuda.get_device_properties(device).total_memory / 4:
                self._all = self._all.to(device)

    def __getitem__(self, rows) -> Tensor:
        rows = np.asarray(rows)
        if self._all is not None:
            return self._all[torch.from_numpy(rows).to(self._all.device)]
        return torch.from_numpy(self._crops.images(self._side, rows))

    def ahead(self, batches: Sequence[np.ndarray]) -> Iterator[Tensor]:
        """The pixels of each batch; while one is computed on, the next is read."""
        if self._all is not None:
            yield from (self[rows] for rows in batches)
            return
        with ThreadPoolExecutor(1) as reader:
            coming = None
            for rows in batches:
                there, coming = coming, reader.submit(self.__getitem__, rows)
                if there is not None:
                    yield there.result()
            if coming is not None:
                yield coming.result()
