"""Files from the network: checked, resumable, and never for ever."""

import os
from pathlib import Path


def home() -> Path:
    """The folder in which facelab keeps what it fetches: `FACELAB_HOME`, else the user's cache folder."""
    chosen = os.environ.get("FACELAB_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("facelab", appauthor=False)
