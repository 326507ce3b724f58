"""UMAP's maps for lesson 01, with two seeds: `python data/make_umap_maps.py` (half a minute).

The same versions of umap-learn and numba give the same file on the same kind of processor.
"""

import importlib.metadata
import json

import numpy as np

from facelab.course.widgets import embedding_map
from facelab.datasets import lfw_templates


def main() -> None:
    templates = lfw_templates()
    rows = np.concatenate([templates.of(name)[:30] for name in embedding_map.PEOPLE])
    maps = {}
    for seed in (1, 2):
        name = f"UMAP, seed {seed}"
        maps[name] = embedding_map.flatten(rows, name, seed).astype(float).round(3).tolist()
    made = {"umap-learn": importlib.metadata.version("umap-learn"), "sha256": embedding_map.digest(rows)}
    embedding_map.SHIPPED.write_text(json.dumps({**made, "maps": maps}) + "\n", "utf-8")


if __name__ == "__main__":
    main()
