"""Write constraints.txt: the version of everything that is installed here (`make constraints`).

`make lab` and `make test` install exactly these. pyproject.toml says which packages are needed and in what
range; this file only says which version of them. What it does not name, such as a package that another system
needs in addition (pywin32, appnope), is simply not pinned.
"""

import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TARGET = Path(__file__).resolve().parents[1] / "constraints.txt"
HEADER = "# Made by `make constraints` from the environment of the tests: pip install -c constraints.txt …\n"

CUDA = ("nvidia-", "cuda-", "triton")  # they come with torch's build for NVIDIA GPUs, which pins them itself


def pins(extra: str = "dev") -> list[str]:
    """Of all that facelab[dev] needs here, directly or not: name==version."""
    found: dict[str, str] = {}
    waiting, seen = [("facelab", extra)], set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name.startswith(CUDA):
            continue
        seen.add((name, extra))
        dist = importlib.metadata.distribution(name)
        found[name] = dist.version.partition("+")[0]  # 2.13.0, not 2.13.0+cpu
        for line in dist.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(needed.name), part) for part in ("", *needed.extras)]
    del found["facelab"]
    return [f"{name}=={found[name]}" for name in sorted(found)]


if __name__ == "__main__":
    TARGET.write_text(HEADER + "\n".join(pins()) + "\n", "utf-8")
    print(f"{TARGET.name}: {len(pins())} packages")
