"""facelab: face recognition, from the first dot product to a gallery of a million people.

The rooms of the package, in the order in which a photo passes through them:
`images` → `weights` → `detect` → `align` → `embed` → `pipeline` → `metrics`, `datasets` → `gallery`;
beside them `losses` and `training`; last, importing all, `plots`, `widgets`, `cli`.
"""

__version__ = "0.1.0"
