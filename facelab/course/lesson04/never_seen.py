"""The losses of this lesson on people never seen, in lesson 03's harness (`facelab.course.unseen`).

All have lesson 03's scale, s = 16, and 0.3 where ArcFace has its margin; what each adds is as in its paper.
Twelve losses, two sizes of embedding: nothing here was chosen by its result, but that AdaCos has its fixed
scale: in eight dimensions the dynamic one grows without end (`runaway`).
"""

from contextlib import suppress
from pathlib import Path

import numpy as np
from scipy import stats

from facelab import losses, training
from facelab.course import unseen
from facelab.course.unseen import Loss, Setting, Task, learn

S, M = 16.0, 0.3

CONTROL = "ArcFace"


def _magface(numbers: int, classes: int) -> losses.MagFace:
    """The margins around 0.3 as the paper's around 0.5; lengths here lie between 0.1 and 1.3."""
    head = losses.MagFace(numbers, classes, s=S, l_m=0.27, u_m=0.48, l_a=0.1, u_a=2.1)
    head.lambda_g = 35 / losses.MagFace(numbers, classes).lambda_g_bound * head.lambda_g_bound
    return head


PAPERS: dict[str, Loss] = {
    "no margin": lambda numbers, classes: losses.CosFace(numbers, classes, s=S, m=0.0),
    CONTROL: lambda numbers, classes: losses.ArcFace(numbers, classes, s=S, m=M),
    "AdaptiveFace": lambda numbers, classes: losses.AdaptiveFace(numbers, classes, s=S, m=0.2),
    "AdaCos, fixed": lambda numbers, classes: losses.AdaCos(numbers, classes, dynamic=False),
    "MV-Softmax": lambda numbers, classes: losses.MVSoftmax(numbers, classes, s=S, m=M, t=1.2),
    "CurricularFace": lambda numbers, classes: losses.CurricularFace(numbers, classes, s=S, m=M),
    "GroupFace": lambda numbers, classes: losses.GroupFace(numbers, classes, K=4, s=S, m=M),
    "Sub-centre ArcFace": lambda numbers, classes: losses.SubCenterArcFace(numbers, classes, K=3, s=S, m=M),
    "MagFace": _magface,
    "ElasticFace": lambda numbers, classes: losses.ElasticFace(numbers, classes, s=S, m=M),
    "ElasticFace+": lambda numbers, classes: losses.ElasticFace(numbers, classes, s=S, m=M, plus=True),
    "AdaFace": lambda numbers, classes: losses.AdaFace(numbers, classes, s=S, m=M),
}
"""What is compared, by its name in plots."""

SETTINGS = (Setting(100, 8, uniform=True), Setting(100, 64, uniform=True))

STORED = Path(__file__).with_name("never_seen.json")
"""What `python -m benchmarks.unseen papers` measured: rows as `unseen.measure` gives them."""


def stored() -> list[dict]:
    """What was measured beforehand, since it takes minutes."""
    return unseen.stored(STORED)


def differences(rows: list[dict], setting: str, level: float = 0.95) -> dict[str, tuple[float, float]]:
    """{loss: (mean difference of its EER to ArcFace's, half its interval)}, in percentage points, paired by
    seed. The intervals hold together: each is wider (Bonferroni), since the best of many is looked for."""
    by: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["setting"] == setting:
            by.setdefault(row["loss"], {})[row["seed"]] = 100 * row["EER"]
    others = [name for name in by if name != CONTROL]
    found = {}
    for name in others:
        paired = np.array([by[name][seed] - by[CONTROL][seed] for seed in sorted(by[CONTROL])])
        wide = stats.t.ppf(1 - (1 - level) / 2 / len(others), len(paired) - 1)
        found[name] = (float(paired.mean()), float(wide * paired.std(ddof=1) / np.sqrt(len(paired))))
    return found


def runaway(task: Task, numbers: int, seed: int = 0, steps: int = 300) -> np.ndarray:
    """The scales that the dynamic AdaCos chooses, one a step, until they or the steps end.

    It is ln B over cos θ of the median sample, and B the sum of e^{s cos θ_j} over the others. Where they
    stay near 90°, as the paper observes, B is about C − 1 whatever s is. Where the nearest has a cosine c, B
    grows like e^{cs}, and a step multiplies s by about c / cos θ.
    """
    scales: list[float] = []
    with training.seeded(seed):
        head = losses.AdaCos(numbers, task.classes)
    head.register_forward_hook(lambda *_: scales.append(float(head.s)))
    with suppress(ValueError):  # `fit` stops at a loss that is not finite
        learn(task, lambda *_: head, numbers, epochs=steps // 20, seed=seed, uniform=True)
    return np.array(scales[:steps])
