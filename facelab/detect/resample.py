"""Making pictures smaller without inventing or losing anything.

A network that looks for faces of one size sees larger ones in a smaller copy of the photo. Reading single
pixels at a distance would alias (stripes turn into other stripes), so every output pixel is a mean over the
part of the photo that it covers. `shrink` and `SummedArea` take the exact mean, fractions of pixels included
("area averaging"); `limit`, for photos of many megapixels, a weighted mean that is far quicker to have.

All use *edge* coordinates, in which a photo of W columns reaches from 0 to W. The pixel convention of
`facelab.align` puts the centre of the first pixel at 0, so edge = point + 0.5.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor


def limited(height: int, width: int, longest: float | None) -> tuple[int, int]:
    """Height and width, in proportion, such that neither exceeds `longest`; unchanged if they fit already."""
    longer = max(height, width)
    if longest is None or longer <= longest:
        return height, width
    return max(1, round(height * longest / longer)), max(1, round(width * longest / longer))


def limit(photo: Tensor, longest: float | None) -> Tensor:
    """A photo uint8 (H, W, 3), shrunk to `limited` size; itself if it fits. Triangle filter, antialiased."""
    size = limited(photo.shape[0], photo.shape[1], longest)
    if size == photo.shape[:2]:
        return photo
    picture = photo.permute(2, 0, 1)[None]
    if photo.device.type != "cpu":
        picture = picture.float()  # the fast kernel for uint8 exists on CPUs only
    picture = F.interpolate(picture, size=size, mode="bilinear", antialias=True)
    if picture.is_floating_point():
        picture = picture.round().clamp(0, 255).byte()
    return picture[0].permute(1, 2, 0)


def shrink(pictures: Tensor, height: int, width: int) -> Tensor:
    """Pictures (N, H, W, C) of any type → float32 (N, height, width, C), area-averaged, both ways at most as
    large as before. The scales in x and y are width / W and height / H, exactly."""
    return _shrink(_shrink(pictures, 1, height), 2, width)


def _shrink(x: Tensor, axis: int, size: int) -> Tensor:
    """Area averaging along one axis. Output i covers [i·step, (i+1)·step), step = old size / new size: a few
    whole inputs and a fraction of one at either end. So: sum over taps of weight × input."""
    old = x.shape[axis]
    if size == old:
        return x.float()
    step = old / size
    low = torch.arange(size, dtype=torch.float64, device=x.device) * step
    first = low.floor()
    shape = [-1 if a == axis else 1 for a in range(x.ndim)]
    total = torch.zeros(())
    for tap in range(int(step) + 2):
        begin = first + tap  # (size,) this tap reads the input that covers [begin, begin + 1)
        covered = torch.minimum(begin + 1, low + step) - torch.maximum(begin, low)
        weight = (covered.clamp(min=0) / step).float().view(shape)
        inputs = x.index_select(axis, begin.clamp(max=old - 1).long()).float().mul_(weight)
        total = total.add_(inputs) if tap else inputs
    return total


class SummedArea:
    """Photos of any sizes, ready to give square crops of any size, all in one call.

    The summed-area table S[y, x] is the sum of all pixels above and left of the corner (x, y) (Crow 1984), so
    the sum over any rectangle is S at two of its corners minus S at the other two. Between the corners of
    pixels S is interpolated, which counts fractions of pixels exactly. Everything outside a photo is black.
    """

    def __init__(self, photos: Sequence[Tensor]):
        tables = []
        for photo in photos:  # (H, W, 3)
            table = photo.new_zeros((photo.shape[0] + 1, photo.shape[1] + 1, 3), dtype=torch.float64)
            table[1:, 1:] = photo.double().cumsum(0).cumsum(1)
            tables.append(table)
        sizes = [table.shape[0] * table.shape[1] for table in tables]
        device = tables[0].device
        self.sums = torch.cat([table.reshape(-1, 3) for table in tables])
        self.start = torch.tensor([0, *accumulate(sizes)][:-1], device=device)
        self.height = torch.tensor([photo.shape[0] for photo in photos], device=device)
        self.width = torch.tensor([photo.shape[1] for photo in photos], device=device)

    def crops(self, photo: Tensor, squares: Tensor, size: int) -> Tensor:
        """Crops (M, size, size, 3) float32, in the photos' own 0 … 255.

        photo (M,): which photo; squares (M, 4): x1, y1, x2, y2 in edge coordinates. A crop's pixel is the
        mean over its part of the square when that part is at least as wide as a pixel of the photo, and over
        one pixel's width around its centre when it is narrower, which is bilinear interpolation.
        """
        low, side = squares[:, :2].double(), (squares[:, 2:] - squares[:, :2]).double()  # x, y
        wide = side[:, 0] >= size
        crops = torch.empty((len(photo), size, size, 3), device=squares.device)

        # Wide: each cell begins where the one before it ends.
        edges = torch.arange(size + 1, dtype=torch.float64, device=squares.device) / size
        edges = low[wide, :, None] + side[wide, :, None] * edges  # (m, 2, size + 1)
        crops[wide] = self._means(photo[wide], edges, every=1)

        # Narrow: cells around the centres, overlapping; between two of them lies a piece that nobody needs.
        centers = (torch.arange(size, dtype=torch.float64, device=squares.device) + 0.5) / size
        centers = low[~wide, :, None] + side[~wide, :, None] * centers  # (m, 2, size)
        edges = torch.stack((centers - 0.5, centers + 0.5), dim=-1).flatten(2)  # (m, 2, 2·size)
        crops[~wide] = self._means(photo[~wide], edges, every=2)
        return crops

    def _means(self, photo: Tensor, edges: Tensor, every: int) -> Tensor:
        """Means over the cells between consecutive edges (M, 2, E) in x and in y, of which each `every`-th is
        wanted. Parts of a cell outside the photo count as black."""
        sizes = torch.stack((self.width[photo], self.height[photo]), dim=1)[:, :, None].double()  # (M, 2, 1)
        inside = edges.clamp(min=0).minimum(sizes)
        whole = inside.floor().minimum(sizes - 1)  # so that whole + 1 is a corner, too
        (fx, fy), (x, y) = (inside - whole).unbind(1), whole.long().unbind(1)  # each (M, E)

        # S at all crossings of the edges, interpolated along x, then along y.
        stride = self.width[photo, None] + 1
        line = self.start[photo, None] + y * stride  # (M, E)

        def along_x(line: Tensor) -> Tensor:
            corner = line[:, :, None] + x[:, None, :]  # (M, E, E)
            return torch.lerp(self.sums[corner], self.sums[corner + 1], fx[:, None, :, None])

        sums = torch.lerp(along_x(line), along_x(line + stride), fy[:, :, None, None])  # (M, E, E, 3)
        sums = sums.diff(dim=1)[:, ::every].diff(dim=2)[:, :, ::every]
        width, height = edges.diff(dim=2)[:, :, ::every].unbind(1)
        return (sums / (height[:, :, None] * width[:, None, :])[..., None]).float()
