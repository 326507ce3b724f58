"""How often does a stranger get a name? The open-set error at a gallery's size, and the threshold for it.

A probe of a stranger is compared with all T templates, and gets a name when the nearest is near enough: the
false positive identification rate (FPIR, ISO/IEC 19795-1). What was measured is the false match rate f of a
pair (`facelab.calibration`). From f follows

    FPIR ≤ 1 − (1 − f)^T        (and ≈ T·f while that is small)

with equality if the T comparisons were independent. They are not, and that only helps: given the stranger,
who resembles many or few, people drawn at random match with some probability F, and E[1 − (1 − F)^T] ≤
1 − (1 − E[F])^T because the left side bends downwards in F (Jensen); a person's further templates resemble
the first, and are taken to fail together with it; and a person whose *mean* cosine is high enough has a
template whose cosine is.

What the bound takes for granted is that strangers and enrolled people are drawn from people like those of the
calibration (LFW). Relatives, or people of one village before the same door, are more alike than that.
The interval is that of f, carried through the formula.
"""

from dataclasses import dataclass

from facelab import calibration
from facelab.calibration import DEFAULT_FMR, LOWEST_FMR, Estimate

DEFAULT_FPIR = 0.01
"""A gallery's threshold is such that at most one stranger in 100 gets a name."""


@dataclass(frozen=True)
class FpirEstimate(Estimate):
    """An upper bound of the share of strangers who get a name, on average over galleries of this size. A
    single gallery may lie above it: by luck, or because it enrolled people for whom many others are taken.

    value      the bound, 0 … 1, from the measured false match rate
    low, high  the same from the ends of that rate's 95 % interval
    pairs      how many pairs that rate was measured on
    people     how many people they show
    templates  the gallery's size, in templates
    """

    templates: int

    def __str__(self) -> str:
        templates = f"{self.templates:,} template" + "s" * (self.templates != 1)
        return (
            f"on average at most {self.value:.2g}, 95 % interval {self.low:.2g} to {self.high:.2g}, with "
            f"{templates}; from {self.source}, {self.pairs:,} pairs of {self.people:,} people"
        )


def fpir_at(config: str, threshold: float, templates: int) -> FpirEstimate | None:
    """What share of strangers gets a name, on average at most, at a distance threshold and with so many
    templates.

    Returns None for a pipeline (`Pipeline.config`) that was never measured.
    Raises ValueError for a threshold outside [0, 2].
    """
    fmr = calibration.fmr_at(config, threshold)
    if fmr is None:
        return None
    value, low, high = (1 - (1 - rate) ** templates for rate in (fmr.value, fmr.low, fmr.high))
    return FpirEstimate(value, low, high, fmr.pairs, fmr.people, templates, source=fmr.source)


def threshold_for(config: str, templates: int, fpir: float) -> tuple[float, str | None]:
    """The distance threshold at which at most `fpir` of strangers get a name; a note where none can be had.

    It is never wider than the one for verification, and never narrower than LFW can measure (one pair in
    100,000): a gallery with more than some 1,000 templates cannot be promised 1 %, and the note says what to
    expect instead.

    Raises FacelabError for a pipeline that was never measured, and ValueError for an `fpir` not in (0, 1).
    """
    if not 0 < fpir < 1:
        raise ValueError(f"fpir={fpir}: a share of strangers, between 0 and 1.")
    fmr = 1 - (1 - fpir) ** (1 / max(1, templates))
    threshold = calibration.threshold_for(config, min(DEFAULT_FMR, max(LOWEST_FMR, fmr)))
    if fmr >= LOWEST_FMR:
        return threshold, None
    estimate = fpir_at(config, threshold, templates)
    assert estimate is not None, "a pipeline with a threshold was measured"
    reached = estimate.value
    return threshold, (
        f"with {templates:,} templates an FPIR of {fpir:g} would need a false match rate of {fmr:.1g}, and "
        f"LFW supports none below {LOWEST_FMR:g}: at that rate's threshold up to {reached:.0%} of strangers "
        "get a name. Measure on strangers of your own (fl.metrics.fnir_at_fpir) and give threshold="
    )
