"""The SHA-256 that a file of weights must have: published, or pinned by the user in `pins.json`."""

import json
from pathlib import Path

from facelab.download import home
from facelab.errors import WeightsError
from facelab.kept import write_atomically
from facelab.weights.known import WeightsFile


def cache() -> Path:
    return home() / "weights"


def normal_hash(sha256: str) -> str:
    normal = sha256.strip().lower()
    if len(normal) != 64 or set(normal) - set("0123456789abcdef"):
        raise WeightsError(f"sha256={sha256!r} is not a SHA-256: give its 64 hexadecimal digits.")
    return normal


def expected_hash(known: WeightsFile, given: str | None) -> str | None:
    """The hash that the file must have: published, else pinned, else given. Disagreement is an error."""
    given = normal_hash(given) if given is not None else None
    for fixed, why in ((known.sha256, "published"), (pinned(known), f"pinned in {pins_file()}")):
        if fixed is None:
            continue
        if given is not None and given != fixed:
            raise WeightsError(
                f"the weights {known.name!r}: the SHA-256 given is {given}, the one {why} is {fixed}. "
                + (
                    "Leave sha256 out."
                    if why == "published"
                    else "Delete that line if you trust the new file more."
                )
            )
        return fixed
    return given


def pins_file() -> Path:
    return cache() / "pins.json"


def pins() -> dict[str, dict]:
    try:
        pins = json.loads(pins_file().read_text(encoding="utf-8"))
        return {name: {**pin, "sha256": normal_hash(pin["sha256"])} for name, pin in pins.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, WeightsError) as error:
        raise WeightsError(
            f"the pinned hashes in {pins_file()} cannot be read ({error}). Repair it, or delete it and "
            "run `facelab weights get` again."
        ) from error


def pin(known: WeightsFile, sha256: str | None, source: str) -> None:
    """Writes the hash down, unless it is published or pinned already."""
    if known.sha256 is None and sha256 is not None and pinned(known) is None:
        more = {**pins(), known.name: {"sha256": normal_hash(sha256), "from": source}}
        write_atomically(pins_file(), json.dumps(more, indent=2, ensure_ascii=False).encode())


def pinned(known: WeightsFile) -> str | None:
    if known.sha256 is not None:
        return None  # a published hash needs no pin, and a broken pins.json must not get in its way
    return pins().get(known.name, {}).get("sha256")
