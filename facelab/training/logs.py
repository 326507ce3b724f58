"""What happened, step by step: a CSV that any program reads, and TensorBoard where it is installed.

A resumed run begins by cutting off what was logged after its checkpoint: those steps come again.
"""

import csv
import io
import os
from pathlib import Path

from facelab.errors import FacelabError
from facelab.kept import write_atomically

STEPS, EPOCHS = "steps.csv", "epochs.csv"
_COLUMNS = {
    STEPS: ("step", "epoch", "loss", "lr", "gradient_norm", "photos_per_s"),
    EPOCHS: ("step", "epoch", "auc", "eer", "tar_at_1e_2"),
}


class Logs:
    """Rows for `steps.csv` and `epochs.csv` in `folder`; those from `step` on are dropped first.

    tensorboard  write the same for TensorBoard, into folder/tensorboard. Raises FacelabError where its
                 package is missing.
    """

    def __init__(self, folder: Path, step: int = 0, tensorboard: bool = False):
        self._board = _board(folder / "tensorboard", step) if tensorboard else None
        for name, columns in _COLUMNS.items():
            rows = [row for row in read(folder / name) if int(row["step"]) < step] if step else []
            text = io.StringIO()
            writer = csv.DictWriter(text, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            write_atomically(folder / name, text.getvalue().encode())
        self._files = {
            name: open(folder / name, "a", newline="", encoding="utf-8")  # noqa: SIM115 (close() does it)
            for name in _COLUMNS
        }
        self._writers = {
            name: csv.DictWriter(file, _COLUMNS[name], lineterminator="\n")
            for name, file in self._files.items()
        }

    def step(self, **row: float) -> None:
        self._row(STEPS, row)

    def epoch(self, **row: float | None) -> None:
        self._row(EPOCHS, row)

    def flush(self) -> None:
        """Bring all rows to the disk."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())

    def _row(self, name: str, row: dict) -> None:
        self._writers[name].writerow(row)
        if self._board is not None:
            for column, value in row.items():
                if column not in ("step", "epoch") and value is not None:
                    self._board.add_scalar(column, value, int(row["step"]))

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        if self._board is not None:
            self._board.close()


def read(file: Path) -> list[dict[str, str]]:
    """The rows of a log. A last line that was cut short does not count; no file is no rows."""
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1]
    return [row for row in csv.DictReader(io.StringIO(lines)) if None not in row.values()]


def _board(folder: Path, step: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FacelabError(
            "TensorBoard is not installed. Run: pip install tensorboard; or train without it (steps.csv and "
            "epochs.csv hold the same)."
        ) from error
    return SummaryWriter(str(folder), purge_step=step or None)
