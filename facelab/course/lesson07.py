"""The slides' celebrity study: one mean vector for each person, and how far every photo lies from it.

Each *subject* enrols as phones do it: several photos, one template, which is their mean brought to unit
length. Then every photo of everybody is held before every phone:

    M_k = Σ_i F_i / ‖Σ_i F_i‖    over the n_k photos of subject k
    distance of photo j from it  = 1 − M_k · F_j

A photo that helped to make the mean looks nearer to it than it is. Unless told otherwise a person's own
photos are therefore compared with the mean of that person's *other* photos (leave one out).

    study = of_templates(fl.datasets.lfw_templates())       LFW: 158 subjects, 5,749 people
    study = of_photos(fl.datasets.folder("celebrities"))    photos of your own

How often a phone opens for somebody else is a rate among people: draw a stranger, then one of the stranger's
photos. The photos of one person succeed or fail together, so intervals draw people, not photos
(`facelab.metrics.bootstrap_identities` says more), and are never narrower than the exact binomial one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property

import numpy as np

from facelab.datasets import PhotoSet, Templates, embedded
from facelab.errors import DatasetError
from facelab.metrics import Interval, clopper_pearson, roc, rule_of_three
from facelab.pipeline import Pipeline

TENNIS = {
    "women's tour": (
        "Amelie_Mauresmo",
        "Anna_Kournikova",
        "Jennifer_Capriati",
        "Kim_Clijsters",
        "Lindsay_Davenport",
        "Serena_Williams",
        "Venus_Williams",
    ),
    "men's tour": (
        "Andre_Agassi",
        "Andy_Roddick",
        "Carlos_Moya",
        "David_Nalbandian",
        "Guillermo_Coria",
        "James_Blake",
        "Jiri_Novak",
        "Juan_Carlos_Ferrero",
        "Lleyton_Hewitt",
        "Mark_Philippoussis",
        "Paradorn_Srichaphan",
        "Pete_Sampras",
        "Roger_Federer",
        "Tim_Henman",
    ),
}
"""LFW's subjects who played professional tennis, by tour: two groups that are on record, so that nobody has
to be put into one by the look of a photo."""


@dataclass(frozen=True, eq=False)
class Study:
    """Vectors of people, some of whom are subjects.

    names    the K subjects, sorted
    vectors  (N, D) float32, unit norm, person after person
    person   (N,) int64, never falling, without gaps: 0 … K−1 are the subjects, in the order of `names`,
             K … P−1 everybody else
    number   (N,) int64: the photo's number among that person's, as in its data set
    config   the pipeline that made the vectors
    notes    what was left out, what was chosen, and why: a sentence each

    Raises ValueError for a subject with fewer than two photos: nothing would be left without one.
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    person: np.ndarray
    number: np.ndarray
    config: str
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        steps = np.diff(self.person, prepend=-1)
        if len(self.person) != len(self.vectors) or not np.isin(steps, (0, 1)).all():
            raise ValueError("person must go 0, 0, …, 1, 1, …, one number for each vector.")
        if len(self.counts) < len(self.names) or (self.counts[: len(self.names)] < 2).any():
            raise ValueError("Each subject needs two photos at least.")

    def __str__(self) -> str:
        subjects = f"{len(self.names)} of them subjects"
        head = f"{len(self.vectors):,} photos of {len(self.counts):,} people, {subjects} ({self.config})"
        return "\n".join([head, *self.notes])

    @cached_property
    def counts(self) -> np.ndarray:
        """(P,) int64: how many photos there are of each person."""
        return np.bincount(self.person)

    def place(self, name: str) -> int:
        """Where a subject stands in `names`. Raises DatasetError for anybody else."""
        if name in self.names:
            return self.names.index(name)
        near = get_close_matches(name, self.names, 3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.names[:3])} …"
        raise DatasetError(f"{name!r} is not among the {len(self.names)} subjects of this study; {hint}")

    def rows(self, k: int) -> slice:
        """Where the photos of a person stand."""
        first, after = np.searchsorted(self.person, [k, k + 1])
        return slice(int(first), int(after))

    @cached_property
    def _sums(self) -> np.ndarray:
        """(K, D) float64: the subjects' vectors added up."""
        return np.stack([self.vectors[self.rows(k)].sum(axis=0, dtype=float) for k in range(len(self.names))])

    @cached_property
    def means(self) -> np.ndarray:
        """(K, D) float32, unit norm: the subjects' mean vectors."""
        return unit(self._sums).astype(np.float32)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(K,): how long each mean was before it was brought to length 1; 1 if all its photos were equal."""
        return np.linalg.norm(self._sums, axis=1) / self.counts[: len(self.names)]

    @cached_property
    def _with_itself(self) -> np.ndarray:
        return 1 - self.means @ self.vectors.T

    @cached_property
    def _left_out(self) -> np.ndarray:
        distances = self._with_itself.copy()
        for k, total in enumerate(self._sums):
            own = self.vectors[self.rows(k)].astype(float)
            distances[k, self.rows(k)] = 1 - np.einsum("nd,nd->n", unit(total - own), own)
        return distances

    def distances(self, leave_one_out: bool = True) -> np.ndarray:
        """(K, N) float32: the cosine distance of every photo from every subject's mean.

        leave_one_out  False compares own photos with a mean that they are part of, as the slides do
        """
        return self._left_out if leave_one_out else self._with_itself

    def genuine(self, k: int, leave_one_out: bool = True) -> np.ndarray:
        """(n_k,): distances of a subject's own photos from that subject's mean."""
        return self.distances(leave_one_out)[k, self.rows(k)]

    def impostor(self, k: int) -> np.ndarray:
        """(N − n_k,): distances of everybody else's photos from a subject's mean."""
        return self._with_itself[k, self.person != k]

    # ---- whose phone opens for whom

    def accepted(self, threshold: float) -> np.ndarray:
        """(K, P) int64: how many photos of each person lie within `threshold` of each subject's mean."""
        starts = np.searchsorted(self.person, np.arange(len(self.counts)))
        return np.add.reduceat(self.distances() <= threshold, starts, axis=1, dtype=np.int64)

    def opens(self, threshold: float) -> np.ndarray:
        """(K, P): the share of each person's photos that opens each subject's phone."""
        return self.accepted(threshold) / self.counts

    def phone_rates(self, threshold: float, resamples: int = 1000, seed: int = 0) -> list[Interval]:
        """For each subject's phone: how likely is it that a stranger's photo opens it?

        A stranger is drawn, then one of that person's photos, so that nobody counts more for having been
        photographed more. 95 % intervals: percentiles over `resamples` draws of P people with replacement,
        or Clopper and Pearson's with each stranger as one trial, whichever reaches farther. (A share between
        0 and 1 varies no more than a yes or no with the same mean, so the latter is safe.)
        """
        strangers = self.strangers
        shares, times = self._others(self.opens(threshold)), self._draws(resamples, seed)
        hits, tries = times @ shares.T, len(self.counts) - times[:, : len(self.names)]
        intervals = []
        for k, value in enumerate(shares.sum(axis=1) / strangers):
            some = tries[:, k] > 0  # in a study of three people a resample may hold the owner alone
            drawn = hits[some, k] / tries[some, k]
            low, high = np.quantile(drawn, [0.025, 0.975])
            exact = clopper_pearson(value * strangers, strangers)
            ends = float(min(low, exact[0])), float(max(high, exact[1]))
            intervals.append(Interval(float(value), *ends, 0.95, drawn))
        return intervals

    def rate(self, threshold: float, resamples: int = 1000, seed: int = 0) -> Interval:
        """The same for a phone drawn at random too: one rate for the whole study.

        Each resample draws people once, as owners and as strangers; one without any owner is left out.
        Where no phone opens at all, the upper end is the rule of three over the strangers.
        """
        strangers, owners = self.strangers, len(self.names)
        shares, times = self._others(self.opens(threshold)), self._draws(resamples, seed)
        value = float(shares.sum() / (owners * strangers))
        own = times[:, :owners]
        pairs = own.sum(axis=1) * times.sum(axis=1) - (own**2).sum(axis=1)
        drawn = (np.einsum("rk,rk->r", own, times @ shares.T)[pairs > 0]) / pairs[pairs > 0]
        low, high = np.quantile(drawn, [0.025, 0.975])
        return Interval(value, float(low), float(high) if value else rule_of_three(strangers), 0.95, drawn)

    def group_rate(
        self,
        threshold: float,
        a: Sequence[str],
        b: Sequence[str] | None = None,
        resamples: int = 1000,
        seed: int = 0,
    ) -> Interval:
        """The same among some of the subjects: owners of one group, visitors of the other, both ways round.

        a, b  names of subjects, two at least in each; without b, owners and visitors are of one group
        """
        groups = [np.array([self.place(name) for name in names]) for names in ((a,) if b is None else (a, b))]
        shares, random = self.opens(threshold), np.random.default_rng(seed)

        def mean(groups: list[np.ndarray]) -> float:
            ways = (groups[0], groups[-1]), (groups[-1], groups[0])
            met = [shares[np.ix_(*way)][way[0][:, None] != way[1]] for way in ways]
            return float(np.mean(met)) if met[0].size else np.nan  # nan: one person, drawn again and again

        drawn = np.array(
            [mean([random.choice(group, len(group)) for group in groups]) for _ in range(resamples)]
        )
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        return Interval(mean(groups), float(low), float(high), 0.95, drawn[~np.isnan(drawn)])

    def threshold_at(self, rate: float, k: int | None = None) -> float:
        """The largest threshold at which no more than `rate` of the strangers get in, counted as above.

        k  at this subject's phone; None: at all phones together

        It lies half-way between two distances. Raises ValueError unless 0 < rate < 1.
        """
        if not 0 < rate < 1:
            raise ValueError(f"rate={rate}: a share of strangers, between 0 and 1.")
        phones = np.arange(len(self.names)) if k is None else np.array([k])
        strange = self.person != phones[:, None]
        order = np.argsort(near := self._with_itself[phones][strange], kind="stable")
        weights = np.broadcast_to(1 / self.counts[self.person], strange.shape)[strange][order]
        inside = np.cumsum(weights) / (len(phones) * self.strangers)
        first = int(np.argmax(inside > rate + 1e-12))  # the nearest one who must stay outside
        before = near[order[first - 1]] if first else 0.0
        return float(before / 2 + near[order[first]] / 2)

    @property
    def strangers(self) -> int:
        """How many people there are to try a phone: all but its owner. Raises DatasetError for nobody."""
        if len(self.counts) < 2:
            raise DatasetError(
                f"Nobody but {self.names[0]} is in this study, so no stranger can try that phone: add "
                "people, or join it with LFW's: `study.joined(of_templates(fl.datasets.lfw_templates()))`."
            )
        return len(self.counts) - 1

    def _others(self, table: np.ndarray) -> np.ndarray:
        """The table (K, P) with 0 where a phone meets its owner."""
        table = table.copy()
        np.fill_diagonal(table, 0)
        return table

    def _draws(self, resamples: int, seed: int) -> np.ndarray:
        """(resamples, P): how often each person is drawn, P draws with replacement."""
        people, random = len(self.counts), np.random.default_rng(seed)
        draws = (random.integers(people, size=people) for _ in range(resamples))
        return np.stack([np.bincount(drawn, minlength=people) for drawn in draws]).astype(float)

    # ---- more people before the phones

    def joined(self, other: "Study") -> "Study":
        """This study with everybody of another as further strangers.

        Somebody who is a subject in both stays out of the strangers, and a note says so. Raises ValueError
        when the vectors come from different pipelines: distances between them would mean nothing.
        """
        if self.config != other.config:
            raise ValueError(f"Vectors of {self.config} and of {other.config} cannot be compared.")
        known = {plain(name) for name in self.names}
        twice = [k for k, name in enumerate(other.names) if plain(name) in known]
        keep = ~np.isin(other.person, twice)
        people = np.unique(other.person[keep], return_inverse=True)[1]
        notes = [f"{plain(other.names[k])}: a subject already, not a stranger too." for k in twice]
        return replace(
            self,
            vectors=np.concatenate([self.vectors, other.vectors[keep]]),
            person=np.concatenate([self.person, len(self.counts) + people]),
            number=np.concatenate([self.number, other.number[keep]]),
            notes=(*self.notes, *notes),
        )


def unit(vectors: np.ndarray) -> np.ndarray:
    """Each row brought to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def plain(name: str) -> str:
    """`Roh_Moo-hyun` → `Roh Moo-hyun`."""
    return name.replace("_", " ")


def overlap(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """How much two heaps of distances overlap: the least FNMR + FMR that any threshold reaches.

    0: a threshold parts them without error. 1: no threshold is better than none. It is one minus the
    (one-sided) Kolmogorov–Smirnov distance, and where the two densities cross once it is the area that they
    share; unlike that area it needs no bins.
    """
    distances = np.concatenate([genuine, impostor])
    far, tar, _ = roc(-distances, np.arange(len(distances)) < len(genuine))
    return float(1 - (tar - far).max())


def worst_phone(shares: np.ndarray, splits: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Chosen on one half of the strangers, judged on the other, again and again.

    shares  (K, S): the share of each stranger's photos that opens each phone

    Returns (splits,) rates of the phone that was worst on the first half: on that half, and on the other.
    """
    random, chosen, judged = np.random.default_rng(seed), [], []
    for _ in range(splits):
        first, second = np.array_split(random.permutation(shares.shape[1]), 2)
        rates = shares[:, first].mean(axis=1)
        worst = int(np.argmax(rates))
        chosen.append(rates[worst])
        judged.append(shares[worst, second].mean())
    return np.array(chosen), np.array(judged)


# ---- where the vectors come from ---------------------------------------------------------------------------


def of_templates(templates: Templates) -> Study:
    """LFW: the people whom the templates name are the subjects, and everybody else is a stranger to them."""
    return _arranged(
        templates.names,
        templates.vectors,
        templates.identity,
        templates.number,
        templates.provenance["config"],
        [],
    )


def of_photos(photos: PhotoSet, pipe: Pipeline | None = None, least: int = 3) -> Study:
    """Photos of your own (`fl.datasets.folder`), through a pipeline (the default one if none is given).

    least  photos that a subject needs, 2 or more; who has fewer is no subject, but a stranger at the others'
           phones

    What `fl.datasets.embedded` leaves out and chooses (photos without a face, second copies, the same photo
    under two names, the largest of several faces) is in the notes. A copy that stayed in the mean would make
    leaving its twin out pointless. Raises DatasetError when no subject is left.
    """
    if least < 2:
        raise ValueError(f"least={least}: a subject needs two photos, one to leave out and one to stay.")
    seen = embedded(photos, pipe)
    notes = list(seen.notes)
    counts = dict(zip(seen.names, np.bincount(seen.identity).tolist(), strict=True))
    for name in photos.names:
        if (count := counts.get(name, 0)) < least:
            notes.append(f"{name}: {count} usable photo{'s' * (count != 1)}, {least} are needed: no subject.")
    subjects = {person: name for person, name in enumerate(seen.names) if counts[name] >= least}
    if not subjects:
        raise DatasetError(
            f"{photos.root}: nobody has the {least} usable photos that a subject needs.\n" + "\n".join(notes)
        )
    number = {str(path): int(count) for path, count in zip(photos.paths, photos.number, strict=True)}
    return _arranged(
        subjects, seen.vectors, seen.identity, [number[path] for path in seen.paths], seen.config, notes
    )


def _arranged(subjects: dict[int, str], vectors, identity, number, config: str, notes: list[str]) -> Study:
    """A Study with its people renumbered: the subjects by name, then everybody else."""
    named = sorted(subjects, key=subjects.get)
    others = np.setdiff1d(identity, named)
    new = {int(person): place for place, person in enumerate([*named, *others])}
    person = np.array([new[int(who)] for who in identity])
    order = np.lexsort((number, person))
    return Study(
        names=tuple(subjects[who] for who in named),
        vectors=np.asarray(vectors, np.float32)[order],
        person=person[order],
        number=np.asarray(number)[order],
        config=config,
        notes=tuple(notes),
    )
