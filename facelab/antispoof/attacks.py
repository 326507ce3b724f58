"""Presentation attacks, made from bona fide photos: a simulation, which no real attack has to resemble.

    attack = Print(pitch=0.05, slant=0.3)        # every number has a unit and a range: Print.ranges()
    photo = attack.apply(photo, face)            # the same size, the face at the same place
    attack = Print.draw(np.random.default_rng(0))

What is simulated: an attacker holds something before the camera in place of a face (or, `Recompress`, feeds
a file in place of the camera). What the physics of paper, screens and lenses does beyond the terms below is
not in it; masks of silicone or resin, make-up and video of moving heads are not in it at all.

Halftone screens: R. Ulichney, *Digital Halftoning*, MIT Press 1987 (a clustered dot for each ink, at
angles of its own). Kinds as in the data sets of the field: print, replay and cut-out eyes in CASIA-FASD
(Zhang et al., ICB 2012), print and replay in OULU-NPU (Boulkenafet et al., FG 2017).
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facelab.antispoof import plane
from facelab.antispoof.camera import jpeg
from facelab.antispoof.quantities import Drawable, quantity
from facelab.detect.face import Face
from facelab.errors import ImageError

Behind = tuple[np.ndarray, Face]
"""What the camera would see without the attack: a photo and its face (the attacker's)."""

INKS = (math.radians(15), math.radians(75), 0.0)
"""Angles of the screens of cyan, magenta and yellow, as printers choose them."""


@dataclass(frozen=True)
class Attack(Drawable):
    """What all attacks share."""

    kind: ClassVar[str]

    def apply(self, photo: np.ndarray, face: Face, behind: Behind | None = None) -> np.ndarray:
        """The photo that a camera takes of the attack.

        photo   (H, W, 3) uint8: what is printed, shown or fed
        face    where its face is; the attack's face comes to lie there too
        behind  what can be seen beside and through the attack; None: a plain surface, and the photo's own
                eyes

        Raises ImageError for anything but such a photo, ValueError for an empty box.
        """
        for each in (photo, *([] if behind is None else [behind[0]])):
            if not (
                isinstance(each, np.ndarray)
                and each.dtype == np.uint8
                and each.ndim == 3
                and each.shape[2] == 3
            ):
                raise ImageError(f"{type(self).__name__}: a photo is (H, W, 3) uint8; use read_image first.")
        return self._apply(photo, face, behind)

    @abstractmethod
    def _apply(self, photo: np.ndarray, face: Face, behind: Behind | None) -> np.ndarray: ...


@dataclass(frozen=True)
class Print(Attack):
    """A photo printed on paper and held up.

    pitch     of the halftone's cells             angle   of its screens (each ink adds its own)
    dots      how far tones are made of dots: 0 an even tone, 1 dots alone
    contrast  of the ink, 1 the photo's own       warmth  of the paper, −1 bluish … 1 yellowish
    shown     from the face's middle to the picture's edge, where the photo reaches so far
    border    of white paper around the picture
    bend      curvature                           slant, nod, turn  around three axes
    gloss     strength of the reflection of a lamp

    `draw` draws fine and faint dots: of coarse ones YuNet finds no face (dots=0.4 at pitch=0.03 is enough),
    and an attack that shows no face is none. A good printer's dots are finer still, and no camera sees them.
    """

    kind: ClassVar[str] = "print"

    pitch: float = quantity(0.02, 0.005, 0.1, "face sides", drawn=(0.008, 0.03))
    angle: float = quantity(0.3, 0.0, math.pi / 2, "rad")
    dots: float = quantity(0.25, 0.0, 1.0, drawn=(0.02, 0.4))
    contrast: float = quantity(0.8, 0.3, 1.2, drawn=(0.6, 1.0))
    warmth: float = quantity(0.2, -1.0, 1.0)
    shown: float = quantity(0.9, 0.5, 2.5, "face sides", drawn=(0.65, 1.6))
    border: float = quantity(0.08, 0.0, 0.4, "face sides", drawn=(0.0, 0.15))
    bend: float = quantity(0.0, 0.0, 0.8, "1 / face sides", drawn=(0.0, 0.45))
    slant: float = quantity(0.0, -0.9, 0.9, "rad", drawn=(-0.4, 0.4))
    nod: float = quantity(0.0, -0.6, 0.6, "rad", drawn=(-0.25, 0.25))
    turn: float = quantity(0.0, -0.6, 0.6, "rad", drawn=(-0.1, 0.1))
    gloss: float = quantity(0.0, 0.0, 0.9, drawn=(0.0, 0.5))
    seed: int = 0

    def _apply(self, photo: np.ndarray, face: Face, behind: Behind | None) -> np.ndarray:
        return plane.seen(self._sheet(photo, face, behind)[0])

    def _sheet(self, photo: np.ndarray, face: Face, behind: Behind | None) -> tuple[Tensor, plane.View]:
        rng = np.random.default_rng(self.seed)
        seen = plane.view(photo, face, self.slant, self.nod, self.turn, self.bend)
        box = plane.extent(photo, face, self.shown)
        picture = plane.at(photo, face, seen.u, seen.v)
        ink = (0.5 - self.contrast * (picture - 0.5)).clamp_(0, 1) * plane.within(seen.u, seen.v, box)
        if self.dots > 0:
            ink = torch.lerp(ink, self._halftone(ink, seen.u, seen.v), self.dots)
        paper = torch.tensor([0.95 + 0.01 * self.warmth, 0.95, 0.93 - 0.07 * self.warmth])[:, None, None]
        sheet = paper * (1 - 0.93 * ink) * (0.55 + 0.45 * seen.light)
        gu, gv = rng.uniform(-0.5, 0.5, 2)
        if self.gloss > 0:
            spot = torch.exp(-((seen.u - gu) / 0.25).square() - ((seen.v - gv) / 0.6).square())
            sheet = sheet + self.gloss * spot * (1 - sheet)
        there = plane.within(seen.u, seen.v, box, self.border)
        return torch.lerp(plane.surroundings(seen, behind, rng), sheet, there), seen

    def _halftone(self, ink: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Each ink as dots whose size follows its tone."""
        dots = []
        for tone, own in zip(ink, INKS, strict=True):
            cos, sin = (2 * math.pi / self.pitch * f(self.angle + own) for f in (math.cos, math.sin))
            edge = 0.5 + 0.25 * (torch.cos(cos * u + sin * v) + torch.cos(cos * v - sin * u))
            dots.append(((tone - edge) * 5 + 0.5).clamp_(0, 1))
        return torch.stack(dots)


@dataclass(frozen=True)
class CutEyes(Print):
    """A print with holes where the eyes are, and living eyes behind them.

    hole      half the width of each hole; it is 0.6 times as high
    parallax  how far the eyes behind lie beside the holes' middles
    """

    kind: ClassVar[str] = "eyes"

    hole: float = quantity(0.13, 0.05, 0.3, "face sides", drawn=(0.10, 0.18))
    parallax: float = quantity(0.0, -0.1, 0.1, "face sides", drawn=(-0.04, 0.04))

    def _apply(self, photo: np.ndarray, face: Face, behind: Behind | None) -> np.ndarray:
        sheet, seen = self._sheet(photo, face, behind)
        living, whose = behind if behind is not None else (photo, face)
        side, middle = plane.side_of(face), np.array(face.center)
        eyes = (face.landmarks[:2] - middle) / side
        apart = max(float(np.linalg.norm(whose.landmarks[1] - whose.landmarks[0])), 1e-3)
        scale = apart / max(float(np.linalg.norm(eyes[1] - eyes[0])), 1e-3)  # pixels a face side
        (ex, ey), (wx, wy) = eyes.mean(0).tolist(), whose.landmarks[:2].mean(0).tolist()
        beneath = plane.sample(living, wx + scale * (seen.x - ex + self.parallax), wy + scale * (seen.y - ey))
        for x, y in eyes.tolist():
            far = ((seen.u - x) / self.hole).square() + ((seen.v - y) / (0.6 * self.hole)).square()
            shadow = (0.7 + 0.5 * (1 - far.sqrt())).clamp_(0.5, 1)  # the sheet's, on what is beneath
            sheet = torch.where(far <= 1, beneath * shadow, sheet)
        return plane.seen(sheet)


@dataclass(frozen=True)
class Replay(Attack):
    """A photo shown on a screen that is held up.

    pitch       of the screen's pixels: stripes of red, green and blue side by side, dark rows between
    angle       of the screen's grid against the camera's, on top of `turn`
    grid        how deep the stripes are: with the camera's own grid they make the moiré
    gamma       of the screen's tones              black  light that leaks through black
    blue        tint of the backlight
    shown       as Print's                         bezel  width of the dark frame around the screen
    reflection  strength of a window mirrored in the glass
    slant, nod, turn  around three axes
    """

    kind: ClassVar[str] = "replay"

    pitch: float = quantity(0.011, 0.004, 0.04, "face sides", drawn=(0.007, 0.02))
    angle: float = quantity(0.05, -0.5, 0.5, "rad", drawn=(-0.15, 0.15))
    grid: float = quantity(0.5, 0.0, 1.0, drawn=(0.15, 0.8))
    gamma: float = quantity(1.1, 0.5, 2.0, drawn=(0.8, 1.5))
    black: float = quantity(0.04, 0.0, 0.3, drawn=(0.0, 0.1))
    blue: float = quantity(0.3, -1.0, 1.0, drawn=(-0.2, 0.8))
    shown: float = quantity(0.9, 0.5, 2.5, "face sides", drawn=(0.65, 1.6))
    bezel: float = quantity(0.08, 0.0, 0.4, "face sides", drawn=(0.0, 0.2))
    reflection: float = quantity(0.0, 0.0, 0.9, drawn=(0.0, 0.4))
    slant: float = quantity(0.0, -0.9, 0.9, "rad", drawn=(-0.4, 0.4))
    nod: float = quantity(0.0, -0.6, 0.6, "rad", drawn=(-0.25, 0.25))
    turn: float = quantity(0.0, -0.6, 0.6, "rad", drawn=(-0.1, 0.1))
    seed: int = 0

    def _apply(self, photo: np.ndarray, face: Face, behind: Behind | None) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        seen = plane.view(photo, face, self.slant, self.nod, self.turn)
        box = plane.extent(photo, face, self.shown)
        light = plane.at(photo, face, seen.u, seen.v) ** self.gamma
        light = light * self._stripes(seen.u, seen.v) if self.grid > 0 else light
        tint = torch.tensor([1 - 0.10 * self.blue, 1.0, 1 + 0.12 * self.blue])[:, None, None]
        light = (self.black + (1 - self.black) * light) * tint * (0.8 + 0.2 * seen.light)
        frame = float(rng.uniform(0.01, 0.12))
        screen = torch.lerp(torch.full_like(light, frame), light, plane.within(seen.u, seen.v, box))
        wx, wy, wide, high = *rng.uniform(-0.5, 0.5, 2), *rng.uniform(0.2, 0.5, 2)
        if self.reflection > 0:
            soft = torch.sigmoid(30 * (wide - (seen.x - wx + 0.3 * seen.y).abs()))
            soft = soft * torch.sigmoid(30 * (high - (seen.y - wy).abs()))
            screen = screen + self.reflection * soft * (1 - screen).clamp_(min=0)
        there = plane.within(seen.u, seen.v, box, self.bezel)
        return plane.seen(torch.lerp(plane.surroundings(seen, behind, rng), screen, there))

    def _stripes(self, u: Tensor, v: Tensor) -> Tensor:
        """(3, h, w) around 1: the light of each colour's stripes."""
        cos, sin = (2 * math.pi / self.pitch * f(self.angle) for f in (math.cos, math.sin))
        column, row = cos * u + sin * v, cos * v - sin * u
        c, s, rows = torch.cos(column), torch.sin(column), 0.4 * torch.cos(row)
        third = 2 * math.pi / 3  # cos(a − b) from cos a and sin a
        return torch.stack(
            [1 + self.grid * (c * math.cos(k * third) + s * math.sin(k * third) + rows) for k in range(3)]
        )


@dataclass(frozen=True)
class Recompress(Attack):
    """A file fed in place of the camera, as a call or a network of friends has left it: made small,
    compressed hard, made large again, perhaps twice.

    It stands for digital injection and re-broadcast. There is nothing before a lens here: by ISO/IEC 30107
    an injection is no presentation attack, but a door meets it. Nor is it proof of an attack: an honest
    photo that came through a bad line looks the same, and is refused too.

    quality  of the JPEG, PIL's scale         scale  of the small one, 1 being no change
    rounds   how often
    """

    kind: ClassVar[str] = "recompress"

    quality: int = quantity(15, 1, 95, drawn=(5, 28))
    scale: float = quantity(0.6, 0.1, 1.0, drawn=(0.4, 1.0))
    rounds: int = quantity(1, 1, 4, drawn=(1, 2))
    seed: int = 0

    def _apply(self, photo: np.ndarray, face: Face, behind: Behind | None) -> np.ndarray:
        plane.side_of(face)
        size = (photo.shape[1], photo.shape[0])
        small = tuple(max(8, round(length * self.scale)) for length in size)
        for _ in range(self.rounds):
            image = Image.fromarray(photo).resize(small, Image.Resampling.BILINEAR)
            photo = jpeg(np.asarray(image), self.quality)
            photo = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))
        return np.ascontiguousarray(photo)


KINDS: dict[str, type[Attack]] = {its.kind: its for its in (Print, Replay, CutEyes, Recompress)}
"""Attacks by kind."""
