"""Which loss serves people who were never seen? Some twenty minutes each on two cores.

    python -m benchmarks.unseen           # lesson 03's rivals: margins were chosen on seeds 0 to 3
    python -m benchmarks.unseen papers    # lesson 04's losses: nothing was chosen

What is stored comes from seeds 100 to 104 (papers: to 105). Lesson 03 trains some of it anew.
"""

import argparse
import json
import multiprocessing
from functools import cache
from itertools import product

import torch
from tqdm import tqdm

from facelab.course import unseen
from facelab.course.lesson04 import never_seen
from facelab.datasets import lfw_templates

WHAT = {
    "rivals": (unseen.RIVALS, unseen.SETTINGS, range(100, 105), unseen.STORED),
    "papers": (never_seen.PAPERS, never_seen.SETTINGS, range(100, 106), never_seen.STORED),
}


@cache
def task() -> unseen.Task:
    torch.set_num_threads(1)
    return unseen.task(lfw_templates())


def measure(one: tuple[str, unseen.Setting, str, int]) -> dict:
    what, setting, name, seed = one
    return unseen.measure(task(), WHAT[what][0], name, seed, setting)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=WHAT, nargs="?", default="rivals")
    what = parser.parse_args().what
    losses, settings, seeds, target = WHAT[what]
    runs = list(product([what], settings, losses, seeds))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        rows = list(tqdm(pool.imap(measure, runs), total=len(runs)))
    target.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", "utf-8")


if __name__ == "__main__":
    main()
