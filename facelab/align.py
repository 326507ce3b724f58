"""From a photo and what a detector found in it to a small upright picture of the face.

Every crop in this package is made the same way: a 2 × 3 matrix says where each point of the photo
goes in the crop, and one function, `warp`, fills the crop in. The recipes differ in the matrix only.

    landmark_matrices    five points moved onto a template          rotation, one scale, shift
    square_matrices      a square around the middle of the box      one scale, shift, rotation if asked
    letterbox_matrices   the whole box, black bars where it is narrower   one scale, shift
    stretch_matrices     the whole box pulled to fill the crop      two scales, shift

Pixel convention
----------------
The centre of the pixel in column x and row y is the point (x, y). A photo of W × H pixels therefore
covers [−0.5, W − 0.5] × [−0.5, H − 0.5], and the middle of it is ((W − 1)/2, (H − 1)/2). x runs to the
right and y downwards, so a positive angle turns clockwise on the screen. Boxes, landmarks and matrices
all live in these coordinates, which are those of OpenCV's `warpAffine`.

Matrices are planned on the CPU in float64 (there are a few numbers for each face); only `warp` touches
pixels, and does so on the photos' own device without waiting for it.

References: S. Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", IEEE PAMI 13(4), 1991. The template is ArcFace's (Deng et al., CVPR 2019), the 96 × 112 one
SphereFace's and CosFace's.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from facelab.detect.face import Face

_WIDE = torch.tensor(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=torch.float64,
)

TEMPLATES: dict[str, Tensor] = {
    "112x112": _WIDE,
    "96x112": _WIDE - torch.tensor([8.0, 0.0], dtype=torch.float64),
}
"""Where the five landmarks (in the order of `facelab.detect.face.LANDMARKS`) belong, (5, 2) float64,
by the crop's width x height. The narrow one is the wide one with 8 columns cut off at either side."""

SIZES: dict[str, tuple[int, int]] = {"112x112": (112, 112), "96x112": (96, 112)}
"""Width and height of the crop that each template belongs to."""

MAX_POINTS = 16
"""`warp` averages at most this many points of the photo per crop pixel, in x and in y."""

Size = int | tuple[int, int]


# --- matrices ---------------------------------------------------------------------------------------


def similarity(src: Tensor, dst: Tensor) -> Tensor:
    """The similarity that brings points `src` as close as it can to points `dst`.

    src (N, P, 2), dst (P, 2) or (N, P, 2)  →  (N, 2, 3) float64, to be used as `matrix @ (x, y, 1)`.

    A similarity turns, scales and shifts. In the plane that is one multiplication and one addition of
    complex numbers: with z = x + iy for a source point and w = u + iv for its target, w ≈ a·z + b, where
    |a| is the scale, arg a the angle and b the shift. We minimise

        E(a, b) = Σ |a zₖ + b − wₖ|².

    ∂E/∂b = 0 gives b = w̄ − a z̄: mean goes to mean. Put that in, write z̃ = z − z̄ and w̃ = w − w̄, and
    E(a) = Σ |a z̃ₖ − w̃ₖ|² is an ordinary least-squares fit of one (complex) slope:

        a = Σ conj(z̃ₖ) w̃ₖ / Σ |z̃ₖ|².

    This is Umeyama's equations 40–43 in two dimensions: his singular value decomposition finds the
    best rotation, and his matrix S keeps it from becoming a mirror image. Multiplying by a complex number
    can never mirror, so here neither is needed. The tests compare the two.

    Points in one line are fine: two different points already fix a similarity. Raises ValueError for
    NaN or infinite points, for points that all coincide (no scale brings them to the template), and for
    points that resemble the target in no rotation at all (a = 0 would shrink the photo to a dot).
    """
    src = torch.as_tensor(src, dtype=torch.float64)
    dst = torch.as_tensor(dst, dtype=torch.float64, device=src.device)
    _require("landmarks", torch.isfinite(src).all(dim=(1, 2)), "hold NaN or infinite coordinates")

    z = torch.complex(src[..., 0], src[..., 1])  # (N, P)
    w = torch.complex(dst[..., 0], dst[..., 1])  # (P,) or (N, P)
    z_mean, w_mean = z.mean(-1, keepdim=True), w.mean(-1, keepdim=True)
    z, w = z - z_mean, w - w_mean

    spread = z.abs().square().sum(-1)  # (N,)
    product = (z.conj() * w).sum(-1)  # (N,)
    _require("landmarks", spread > 1e-6, "all lie on one point, which fixes neither scale nor angle")
    likeness = product.abs() / (spread * w.abs().square().sum(-1)).sqrt()  # 0 … 1, 1 is a perfect fit
    _require("landmarks", likeness > 1e-6, "do not resemble the template in any rotation")

    a = product / spread
    b = w_mean.squeeze(-1) - a * z_mean.squeeze(-1)
    return _similarity_matrix(a, b)


def eye_angle(landmarks: Tensor) -> Tensor:
    """How far the line through the eyes is from level, in radians in (−π, π]: (N, P ≥ 2, 2) → (N,).

    0 for an upright face; positive where the head is turned clockwise on the screen. A crop turned by
    this angle (`square_matrices(…, angle=eye_angle(…))`) shows the eyes level. One face, (P, 2), gives
    a tensor without dimensions.
    """
    landmarks = torch.as_tensor(landmarks, dtype=torch.float64)
    across = landmarks[..., 1, :] - landmarks[..., 0, :]  # from the person's right eye to the left
    return torch.atan2(across[..., 1], across[..., 0])


def landmark_matrices(faces: Sequence[Face], template: str | Tensor = "112x112") -> Tensor:
    """Five-point alignment: landmarks onto the template. N faces → (N, 2, 3) float64, photo → crop."""
    if isinstance(template, str):
        if template not in TEMPLATES:
            raise ValueError(f"template {template!r} is not known; there are {', '.join(TEMPLATES)}.")
        template = TEMPLATES[template]
    return similarity(_stack([face.landmarks for face in faces], (5, 2)), template)


def square_matrices(
    faces: Sequence[Face], scale: float = 1.0, size: int = 112, angle: float | Tensor = 0.0
) -> Tensor:
    """The slides' crop: a square around the middle of the box, side = longer side of the box × scale.

    N faces → (N, 2, 3) float64, photo → crop of size × size. `angle` in radians, one for all or one for
    each face, turns the square clockwise about its middle; what was turned by `angle` comes out level.
    The square may reach outside the photo: `warp` fills that part with black.
    """
    if not scale > 0 or not math.isfinite(scale):
        raise ValueError(f"scale={scale!r} must be a positive number.")
    center, sides = _centers_and_sides(faces)
    angle = torch.as_tensor(angle, dtype=torch.float64).expand(len(faces))
    _require("angle", torch.isfinite(angle), "is not a finite number")
    # Around the middle z₀ the crop is w = a·(z − z₀) + w₀ in complex numbers; turning the square one
    # way turns the picture the other way, hence the minus sign.
    a = torch.polar(size / (sides.amax(1) * scale), -angle)
    middle = complex((size - 1) / 2, (size - 1) / 2)
    return _similarity_matrix(a, middle - a * torch.complex(center[:, 0], center[:, 1]))


def stretch_matrices(faces: Sequence[Face], size: Size = 112) -> Tensor:
    """The whole box, pulled to fill the crop: a narrow face comes out broad.

    N faces → (N, 2, 3) float64, photo → crop. `size` is one number or (width, height).
    """
    goal = _width_height(size)
    center, sides = _centers_and_sides(faces)
    return _scale_matrix(goal / sides, center, goal)


def letterbox_matrices(faces: Sequence[Face], size: Size = 112) -> Tensor:
    """The whole box in its own proportions, as large as the crop allows, in the middle.

    N faces → (N, 2, 3) float64, photo → crop. `size` is one number or (width, height). The crop's bars
    show what lies beside the box in the photo; `warp(…, within=box_corners(faces))` makes them black.
    """
    goal = _width_height(size)
    center, sides = _centers_and_sides(faces)
    return _scale_matrix((goal / sides).amin(1, keepdim=True).expand(-1, 2), center, goal)


def box_corners(faces: Sequence[Face]) -> Tensor:
    """x1, y1, x2, y2 of each box: N faces → (N, 4) float64."""
    return _stack([face.box for face in faces], (4,))


def transform_points(points: Tensor, matrices: Tensor) -> Tensor:
    """Points (N, P, 2) through matrices (N, 2, 3): where they land, (N, P, 2). Either may be a single one."""
    points = torch.as_tensor(points).to(matrices)
    return points @ matrices[..., :2].transpose(-1, -2) + matrices[..., None, :, 2]


def invert(matrices: Tensor) -> Tensor:
    """The way back, crop → photo: (N, 2, 3) → (N, 2, 3) float64. ValueError where there is none."""
    matrices = torch.as_tensor(matrices, dtype=torch.float64)
    _require("matrix", torch.isfinite(matrices).all(dim=(1, 2)), "holds NaN or infinite numbers")
    (a, b, tx), (c, d, ty) = matrices[:, 0].unbind(-1), matrices[:, 1].unbind(-1)
    determinant = a * d - b * c
    back = torch.stack([d, -b, b * ty - d * tx, -c, a, c * tx - a * ty], dim=-1) / determinant[:, None]
    _require("matrix", torch.isfinite(back).all(dim=1), "flattens the photo and has no inverse")
    return back.view(-1, 2, 3)


# --- pixels -----------------------------------------------------------------------------------------


def warp(
    photos: Sequence[Tensor],
    index: Sequence[int] | Tensor,
    matrices: Tensor,
    width: int = 112,
    height: int = 112,
    *,
    within: Tensor | None = None,
    antialias: bool = True,
) -> Tensor:
    """Many crops from many photos of different sizes, in one go: (N, height, width, 3) uint8.

    photos    uint8 (H, W, 3) tensors, any sizes, all on one device; the crops are made there.
    index     (N,) which photo each crop comes from.
    matrices  (N, 2, 3) photo → crop. Keep `index` and `matrices` on the CPU: the work is planned there.
    within    (N, 4) x1, y1, x2, y2: show only the pixels of the photo whose centres lie in this box.

    Each crop pixel is carried back into the photo and takes the four pixels around that point, weighted
    by nearness (bilinear). Outside the photo everything is black, so a crop that reaches over the edge
    fades to black within one pixel. Values are rounded to the nearest grey level.

    Where a crop pixel covers two photo pixels or more, four neighbours no longer see everything it covers,
    and fine detail turns into false patterns (aliasing). Then k points spread evenly over the crop pixel are
    taken and averaged, k = ⌊photo pixels per crop pixel⌋ in x and in y, at most MAX_POINTS. Below 2 that
    is one point, and the result is OpenCV's `warpAffine(INTER_LINEAR, BORDER_CONSTANT)` up to the 1/32 px
    to which OpenCV rounds positions. `antialias=False` always takes one point.

    Raises ValueError for photos that are not uint8 (H, W, 3), an index out of range, and matrices that hold
    NaN or cannot be inverted.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a crop of {width} × {height} pixels cannot be made.")
    for number, photo in enumerate(photos):
        if photo.dtype != torch.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or photo.numel() == 0:
            raise ValueError(f"photo {number} is {photo.dtype} {tuple(photo.shape)}, not uint8 (H, W, 3).")
    index = torch.as_tensor(index).tolist()
    back = invert(torch.as_tensor(matrices).cpu())
    if len(index) != len(back):
        raise ValueError(f"{len(index)} photo numbers for {len(back)} matrices.")
    device = photos[0].device if len(photos) else torch.device("cpu")
    crops = torch.empty((len(index), height, width, 3), dtype=torch.uint8, device=device)
    if not index:
        return crops
    if within is not None:
        within = torch.as_tensor(within, dtype=torch.float64).cpu()
        if within.shape != (len(index), 4) or within.isnan().any():
            raise ValueError(f"within must be ({len(index)}, 4) numbers: got {tuple(within.shape)}, or NaN.")
    if min(index) < 0 or max(index) >= len(photos):
        raise ValueError(f"photo numbers must lie in 0 … {len(photos) - 1}: got {min(index)} … {max(index)}.")

    # From here on `back` may be huge but must stay summable in float32; nothing so far out is a picture.
    back = back.clamp(-1e30, 1e30)
    buffer, table, back = _cut_out(photos, index, back, within, width, height)
    table = table.to(device, non_blocking=True)
    back32 = back.to(torch.float32).to(device, non_blocking=True)

    points = torch.ones(len(index), 2, dtype=torch.int64)
    if antialias:
        step = back[:, :, :2].norm(dim=1)  # (N, 2): photo pixels per crop pixel, to the right and downwards
        points = (step + 1e-6).clamp(1, MAX_POINTS).floor().long()
    budget = 2**18 if device.type == "cpu" else 2**23  # samples at once: what fits a cache, or a GPU
    for kind in points.unique(dim=0):
        members = (points == kind).all(dim=1).nonzero().squeeze(1)
        across, down = kind.tolist()
        for some in members.split(max(1, budget // (width * height * across))):
            some = some.to(device, non_blocking=True)
            crops[some] = _sample(buffer, table[:, some], back32[some], width, height, across, down)
    return crops


def _cut_out(
    photos: Sequence[Tensor], index: list[int], back: Tensor, within: Tensor | None, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The part of its photo that each crop can see, with a black frame, one after the other in one buffer.

    So a phone photo is not copied for the sake of one face, and sampling needs no test for "outside". The
    frame is 1 pixel wide to the left and above, 2 to the right and below: the neighbours of any point in
    [−1, columns] × [−1, rows]. A crop that sees nothing of the photo gets a frame around nothing.

    Returns the buffer (pixels, 3); a table (3, N) of first pixel, columns and rows; and `back` with its
    shifts counted from the corner of the part (which also keeps float32 exact enough in large photos).
    """
    left, top, right, bottom = -0.5, -0.5, width - 0.5, height - 0.5
    corners = torch.tensor([[left, top], [right, top], [left, bottom], [right, bottom]], dtype=torch.float64)
    seen = transform_points(corners, back)  # (N, 4, 2) in the photo
    # Two pixels more on every side: one for the neighbours in bilinear sampling, one for float32.
    first, last = seen.amin(1).floor() - 2, seen.amax(1).ceil() + 2
    if within is not None:
        first, last = first.maximum(within[:, :2].ceil()), last.minimum(within[:, 2:].floor())
    limits = torch.tensor([[photos[i].shape[1], photos[i].shape[0]] for i in index], dtype=torch.float64)
    first = first.clamp(min=torch.zeros_like(limits), max=limits)
    stop = (last + 1).clamp(min=first, max=limits)

    sides = (stop - first).long()  # (N, 2): columns, rows
    counts = (sides + 3).prod(1)
    starts = counts.cumsum(0) - counts
    buffer = torch.zeros(int(counts.sum()), 3, dtype=torch.uint8, device=photos[0].device)
    for part, i, (x1, y1), (columns, rows) in zip(
        buffer.split(counts.tolist()), index, first.long().tolist(), sides.tolist(), strict=True
    ):
        part.view(rows + 3, columns + 3, 3)[1:-2, 1:-2] = photos[i][y1 : y1 + rows, x1 : x1 + columns]
    back = torch.cat([back[:, :, :2], back[:, :, 2:] - first[:, :, None]], dim=2)
    return buffer, torch.stack([starts, *sides.unbind(1)]), back


def _sample(
    buffer: Tensor, table: Tensor, back: Tensor, width: int, height: int, across: int, down: int
) -> Tensor:
    """n crops, (n, height, width, 3) uint8: across × down bilinear samples for each crop pixel, averaged."""
    start, columns, rows = table[:, :, None, None]  # (n, 1, 1) each
    a, b, c, d, e, f = back.view(-1, 6).T[:, :, None, None]  # (n, 1, 1) each
    stride = columns + 3
    origin = start + stride + 1  # of the part inside its frame
    u = torch.arange(width * across, dtype=torch.float32, device=buffer.device)  # (width · across,)
    v = torch.arange(height, dtype=torch.float32, device=buffer.device)[:, None]  # (height, 1)
    u = (u + 0.5) / across - 0.5  # pixel 0 reaches from −0.5 to 0.5
    total = torch.zeros(len(back) * height * width * across, 3, device=buffer.device)
    for dv in ((j + 0.5) / down - 0.5 for j in range(down)):
        # Beyond the frame it is just as black as on it. (n, height, width · across).
        x = (a * u + (b * (v + dv) + c)).clamp_(min=-1).minimum(columns)
        y = (d * u + (e * (v + dv) + f)).clamp_(min=-1).minimum(rows)
        x0, y0 = x.floor(), y.floor()
        right, lower = x.sub_(x0), y.sub_(y0)  # nearness to the right and to the lower neighbours, 0 … 1
        left, upper = 1 - right, 1 - lower
        pixel = origin + y0.long() * stride + x0.long()
        for neighbour, weight in (
            (pixel, left * upper),
            (pixel + 1, right * upper),
            (pixel + stride, left * lower),
            (pixel + stride + 1, right * lower),
        ):
            total.addcmul_(buffer.index_select(0, neighbour.view(-1)), weight.view(-1, 1))
    mean = total.view(-1, height, width, across, 3).sum(3).div_(across * down)
    return mean.round_().to(torch.uint8)


# --- helpers ----------------------------------------------------------------------------------------


def _similarity_matrix(a: Tensor, b: Tensor) -> Tensor:
    """w = a·z + b of complex numbers (N,) written as real matrices (N, 2, 3)."""
    return torch.stack([a.real, -a.imag, b.real, a.imag, a.real, b.imag], dim=-1).view(-1, 2, 3)


def _scale_matrix(factors: Tensor, center: Tensor, size: Tensor) -> Tensor:
    """Scale by factors (N, 2) in x and y, then move `center` (N, 2) to the middle of the crop."""
    shift = (size - 1) / 2 - factors * center
    return torch.cat([torch.diag_embed(factors), shift[:, :, None]], dim=2)


def _centers_and_sides(faces: Sequence[Face]) -> tuple[Tensor, Tensor]:
    """Middle and (width, height) of each box, (N, 2) float64 each."""
    corners = box_corners(faces).view(-1, 2, 2)
    sides = corners[:, 1] - corners[:, 0]
    _require("box", torch.isfinite(sides).all(dim=1), "holds NaN or infinite coordinates")
    _require("box", (sides > 0).all(dim=1), "is empty")
    return corners.mean(1), sides


def _width_height(size: Size) -> Tensor:
    width, height = (size, size) if isinstance(size, int) else size
    return torch.tensor([width, height], dtype=torch.float64)


def _stack(arrays: Sequence, shape: tuple[int, ...]) -> Tensor:
    """N arrays of one shape → (N, *shape) float64; N may be 0."""
    if not len(arrays):
        return torch.zeros(0, *shape, dtype=torch.float64)
    return torch.stack([torch.as_tensor(array, dtype=torch.float64) for array in arrays])


def _require(what: str, fine: Tensor, otherwise: str) -> None:
    """ValueError naming the first entry of `fine` (N,) that is False."""
    if not bool(fine.all()):
        raise ValueError(f"{what} {int((~fine).nonzero()[0])} of {len(fine)} {otherwise}.")
