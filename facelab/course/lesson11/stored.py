"""What lesson 11 shows and cannot compute while a class waits (`python -m benchmarks.lesson11`)."""

import json
from pathlib import Path

PATH = Path(__file__).with_suffix(".json")


def stored(part: str) -> dict:
    """The part "search" or "group": machine, date, rows."""
    return json.loads(PATH.read_text())[part]
