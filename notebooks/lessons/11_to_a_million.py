# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown] tags=["walk"]
# # 11 · To a million
#
# Lesson 09's gallery had thousands of people. A phone maker's photo service, a border or a missing-persons
# register has millions. The arithmetic is the same line of code. **What changes when the gallery has a
# million faces?** Which of time, memory and errors becomes the trouble first?
#
# **Goals.** Afterwards you can
#
# - say from two numbers of a computer how fast a search can be at best, and where it bends;
# - write an approximate search, and say what it costs: recall, and whose;
# - say what threshold a gallery of a given size asks for, and why no test set can vouch for it;
# - store a template in an eighth of its bytes, and say what that costs;
# - group photos into people without names, and measure how well.
#
# **Prerequisites.** Lesson 08 (false match rate, intervals), lesson 09 (FPIR, FNIR).
#
# **Minutes.** 95 with the exercises; as a walk (▸), 45.
#
# **Words.** Nearest-neighbour search is 최근접 이웃 탐색 in Korean and 最近傍探索 in Japanese; clustering is
# 군집화 and クラスタリング.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import facelab as fl
import numpy as np
import pandas as pd
from facelab import cluster
from facelab.course import exercises, lesson09, plots, portraits
from facelab.course.lesson11 import cells, extremes, grouping, machine, pictures
from facelab.course.lesson11.crowd import crowd, fitted
from facelab.course.lesson11.stored import stored
from PIL import Image

plots.use_style()
temporary = tempfile.TemporaryDirectory()  # what this lesson writes; gone when the kernel stops
folder = Path(temporary.name)

# %% [markdown] tags=["walk"]
# ## 1 · Where a million faces come from
#
# Nobody may hand you a million faces, and nobody should. LFW has 5,749 people. So the rest of this
# lesson's crowd is **drawn**: a person is a point from one normal distribution, a photo of that person a
# point from another around it, both fitted to LFW's vectors (`facelab/course/lesson11/crowd.py`, forty
# lines). There is no photo behind any of it.

# %%
model = fitted()
people = crowd(model, 1_000_000)  # (1_000_000, 128), one photo of each
again = crowd(model, 2_000, photo=1)  # another photo of the first 2,000
strangers = crowd(model, 2_000, seed=1)  # other people
print(f"{people.shape}, {people.nbytes / 1e6:.0f} MB")

# %% [markdown]
# May one believe what such a crowd says? That is for each claim to show. A first look: how alike are two
# *different* people at most? The same number of people, all pairs, 16.5 million:

# %%
templates = fl.datasets.lfw_templates()
one_each = templates.vectors[templates.number == 1]
real = extremes.tail(one_each)
drawn = extremes.tail(crowd(model, len(one_each), seed=5))
pictures.quantiles(real, drawn)

# %% [markdown]
# Down to one pair in ten thousand the two agree to about a hundredth. At one in a million they do not:
# LFW's most alike "strangers" are much more alike than any two of the crowd. Keep that in mind. So the
# crowd may tell us about time, memory and search. Whether it may tell us about errors is section 4.
#
# ## 2 · Exact search
#
# The whole of it: multiply, and keep the largest. In blocks, so that the cosines of a block are looked
# through while they are still in the cache.


# %%
def nearest(gallery, probes, block=8192):
    best, row = np.full(len(probes), -1, np.float32), np.zeros(len(probes), int)
    for start in range(0, len(gallery), block):
        cosines = gallery[start : start + block] @ probes.T
        highest = cosines.max(axis=0)
        better = highest > best
        best[better], row[better] = highest[better], start + cosines[:, better].argmax(axis=0)
    return row


print("found:", np.mean(nearest(people[:100_000], again) == np.arange(2_000)), "of the 2,000")

# %% [markdown]
# How fast can that be? Two numbers of a computer decide: how fast its memory brings numbers, and how fast
# its cores multiply them. This one's, measured just now:

# %%
this = machine.measured()
print(this)

# %% [markdown]
# ### Exercise 11.1 · No faster than this
#
# `people` templates of `dim` float32 numbers, `probes` compared with all of them together. `bandwidth` is
# in bytes a second, `flops` in operations a second (a multiplication is one, an addition another). Return
# the seconds that a search takes at least. (Reading and computing go on at the same time.)


# %% tags=["exercise"]
def least_time(people, dim, probes, bandwidth, flops):
    return ...


# %% tags=["solution"]
def least_time(people, dim, probes, bandwidth, flops):
    reading = 4 * people * dim / bandwidth
    computing = 2 * people * dim * probes / flops
    return max(reading, computing)


# %% tags=["check"]
exercises.check("11.1", least_time)

# %% [markdown] tags=["walk"]
# **Predict.** A search among 1,000 people takes so long. Among 10,000 ten times as long? Among a million a
# thousand times? And if 256 people stand at the door at once: 256 times as long?

# %% tags=["walk"]
SIZES, COUNTS = (1_000, 10_000, 100_000, 1_000_000), (1, 4, 16, 64, 256)
times = machine.timed(people, again, SIZES, COUNTS)
pd.DataFrame({f"{count} probes": [1e3 * times[size, count] for size in SIZES] for count in COUNTS},
             index=[f"{size:,}" for size in SIZES]).round(2)  # fmt: skip

# %% [markdown] tags=["answer", "walk"]
# Milliseconds. Down a column it bends once: a small gallery stays in the processor's cache, which is
# quicker than memory, and beyond it ten times the people are ten times the time. Along a row it is bent
# the other way: the gallery is fetched once for all probes, so 256 of them cost far less than 256 times
# one. (Not so the first few: a matrix times a few columns is work that libraries do badly.)

# %% [markdown] tags=["walk"]
# **Now you.** Raise the number of probes. From how many on is it no longer the memory that decides? Which
# dots lie *below* the dashed line, and how can a search be faster than the memory?

# %% tags=["walk"]
from facelab.course.widgets.roofline import Roofline

roof = Roofline(this, times)
roof.probes.value = 1
roof

# %% [markdown]
# Below the line there is nothing wrong with the clock: those numbers never come from memory. They are still
# in the cache since the search before.
#
# So a million is no obstacle: tens of milliseconds for a probe that comes alone, a few for each of many,
# and 512 MB. **Exact search is where to begin**, and for many it is where to stop.
#
# ## 3 · Looking at a part
#
# A hundred million would take seconds, and 51 GB. Then one gives up comparing with everybody. The oldest
# way: put the templates into **cells**, each around a centre found by k-means, and look only into those
# cells whose centres are nearest to the probe.

# %%
some = people[:100_000]
divided = cells.cells(some, 1024)
print(f"{len(divided.members)} cells, {np.mean([len(m) for m in divided.members]):.0f} templates in each")

# %% [markdown]
# ### Exercise 11.2 · Only the nearest cells
#
# `cells.centres` (cells, D), and `cells.members`: for each cell the rows of the gallery that lie in it.
# Compare the probe with the centres, take the `breadth` nearest cells, and return the row of the nearest
# template in them.


# %% tags=["exercise"]
def look(probe, gallery, cells, breadth):
    row = ...
    return row


# %% tags=["solution"]
def look(probe, gallery, cells, breadth):
    nearest = np.argsort(-(cells.centres @ probe))[:breadth]
    rows = np.concatenate([cells.members[cell] for cell in nearest])
    return rows[np.argmax(gallery[rows] @ probe)]


# %% tags=["check"]
exercises.check("11.2", look)

# %% [markdown]
# **Predict.** One cell of 1,024 holds a thousandth of the people. For how many of those who are enrolled is
# the nearest template in the *one* nearest cell? How many cells until it is 99 %?

# %%
from facelab.course.widgets.guess import Guess

guess = Guess("11-cell", "For how many is it in the one nearest cell?")
guess

# %%
from facelab.course.exercises.lesson11 import look as look_into

lot = np.random.default_rng(0).choice(len(some), 500, replace=False)
second = crowd(model, len(some), photo=1)[lot]  # another photo of 500 of them
right = nearest(some, second)
for breadth in (1, 4, 16, 64, 256):
    found = [look_into(probe, some, divided, breadth) for probe in second]
    share = breadth / len(divided.members)
    print(f"{breadth:3} cells ({share:6.1%} of the gallery): {np.mean(found == right):6.1%} found")

# %%
one = [look_into(probe, some, divided, 1) for probe in second]
guess.reveal(100 * np.mean(one == right))

# %% [markdown] tags=["answer"]
# In one cell one of seven, although a person's second photo is *very* near to the first. In 128 dimensions
# there is hardly an inside: almost everything lies at the edge of its cell. A sixteenth of the work finds
# 86 of 100, and a quarter of it nearly everybody.
#
# And that is flattery still. The centres were learnt from a third of these people, and lean towards their
# own: asked for those alone, one cell finds 23 %, for the others 10 %.

# %% [markdown]
# The libraries do the same, and more. **HNSW** joins each template to its neighbours in a graph and walks
# towards the probe. **Product codes** (section 5) make what is compared smaller. What follows was measured
# beforehand, with faiss (`python -m benchmarks.lesson11 search`), as building the graph of a million takes
# long; "compared" counts the centres too.

# %% [markdown]
# **Now you.** (1) For a million people, how many cells until 95 % of those enrolled are found; what share
# of the gallery is that, and what was it among 10,000? And the graph? (2) Strangers' nearest are found
# more seldom. Why, and does it matter? (3) What do product codes do to strangers, however broadly one
# searches? (4) Is the crowd a fair stand-in? LFW's people and as many drawn ones are both in the list.

# %%
from facelab.course.widgets.breadth import Breadth

lookup = stored("search")["rows"]
breadth = Breadth(lookup)
breadth.breadth.value = 512
breadth

# %%
_ = pictures.search_times(lookup)

# %% [markdown]
# (1) Of the cells, 17 % of the gallery among 10,000 and 11 % among a million; for 99 % it is a quarter of
# it. (Faiss, too, learnt its centres from the gallery: from all of the small ones, from a quarter of the
# million.) The graph looks at 3 %, and the larger the gallery, the greater its lead *in comparisons*. By
# the clock it has no lead at a million, 5.7 ms against 3.5: its templates lie all over the memory.
# Compare that with exact search, 256 probes at a time, a probe's share, in your table of section 2! And the
# graph took a quarter of an hour to build and has grown half again as large as the vectors. (2) A stranger
# has nobody nearby, only many who are about equally far away, in all directions and cells. It matters
# little: whoever is nearest should be refused anyway, and a nearest that was missed is one false name less.
# (3) Codes blur distances, and among those equally far away the blur decides who is nearest. (4) Up to nine
# of ten the two are alike. The last of LFW's need more: real second photos are sometimes turned or dark,
# and lie farther away than any that the model draws.
#
# In the package all of this is one call, and every answer says what it is worth:

# %%
with fl.Gallery(folder / "gallery.hdf", embedder="drawn", dimension=128, threshold=0.55) as gallery:
    gallery.enroll_many([f"no. {n}" for n in range(20_000)], people[:20_000])
    print(gallery.build_index("ivf", progress=False))
with fl.Gallery(folder / "gallery.hdf", "r", search="ivf", threshold=0.55) as gallery:
    print(gallery.identify(again[7]))

# %% [markdown] tags=["walk"]
# Whoever the index names is compared exactly, so no stranger gets a name whom exact search would refuse.
# What it costs is that somebody is missed now and then (and, where the threshold is loose, taken for the
# next one), and the answer says how often.
#
# ## 4 · Strangers
#
# Lesson 09: a stranger is compared with everybody, and one who resembles him is enough. If pairs were
# independent, FPIR = 1 − (1 − FMR)ᴺ.
#
# **Predict.** Lesson 09's gallery refused all but 1 % of strangers with a threshold for 5,000 people. With
# a million enrolled, by how much must it rise? And who pays?

# %% tags=["walk"]
best = extremes.best_of(people, strangers, SIZES)
_ = pictures.thresholds_by_size(best, SIZES, drawn)

# %%
own = (people[:2_000] * again).sum(axis=1)
for size, threshold in zip(SIZES, np.quantile(best, 0.99, axis=0), strict=True):
    print(
        f"{size:9,} people: cosine ≥ {threshold:.3f}; {np.mean(own < threshold):.1%} of second photos miss it"
    )

# %% [markdown] tags=["answer", "walk"]
# Ten times the people, and the threshold rises by 0.03, which a thousand people do not notice and a
# million pay for. The dashed line was not fitted to these dots: it comes from 16.5 million *pairs* of 5,749
# other people, continued to where there were none, and it foretells what 2,000 million comparisons then
# counted. That is what **extreme-value theory** is for: beyond a high threshold the tail of almost any
# distribution has one of a family of shapes, P(X > u + y | X > u) = (1 + ξ y/σ)^(−1/ξ), the generalised
# Pareto.

# %% [markdown]
# ### Exercise 11.3 · Beyond what was measured
#
# Of all pairs the share `share` lies above the cosine `start`. Those above it follow the Pareto with
# `shape` ξ and `scale` σ. Return the cosine that a share `fmr` of *all* pairs lies above, fmr < share.


# %% tags=["exercise"]
def beyond(start, share, shape, scale, fmr):
    return ...


# %% tags=["solution"]
def beyond(start, share, shape, scale, fmr):
    return start + scale / shape * ((share / fmr) ** shape - 1)


# %% tags=["check"]
exercises.check("11.3", beyond)

# %% [markdown] tags=["walk"]
# So is the question answered for real faces too? LFW's pairs are just as many. An FPIR of 1 % with a
# million enrolled needs an FMR of 10⁻⁸, and LFW has 1.7·10⁷ pairs: not one of them may be above the
# threshold. It must be continued, as above.
#
# **Predict.** Whether the tail "begins" at one pair in a thousand or in a hundred thousand is our choice.
# By how much will the threshold for a million depend on it, on the crowd and on LFW?
#
# **Now you.** Find out. Raise the people until no cosine is high enough.

# %% tags=["walk"]
from facelab.course.widgets.growth import Growth

pairs = templates.vectors[templates.number == 2], templates.identity[templates.number == 2]
first = dict(zip(templates.identity[templates.number == 1], one_each, strict=True))
lfw_own = np.array([vector @ first[who] for vector, who in zip(*pairs, strict=True)])
growth = Growth({"LFW": real, "crowd": drawn}, {"LFW": lfw_own, "crowd": own})
growth.people.value = 6.0
growth

# %%
rows = {}
for name, which, its_own in (("LFW", real, lfw_own), ("crowd", drawn, own)):
    for share in (1e-3, 1e-4, 1e-5):
        curve = extremes.fit(which, share)
        cosine = float(curve.threshold(1e-8))
        low, high = extremes.interval(which, share, 1e-8, resamples=60)
        missed = 100 * np.mean(its_own < cosine)
        rows[name, f"1 in {1 / share:,.0f}"] = [curve.shape, cosine, low, high, missed]
columns = ["ξ", "cosine at FMR 1e-8", "from", "to", "second photos below it, %"]
table = pd.DataFrame(rows, index=columns).T.round(2)
table

# %% [markdown] tags=["answer", "walk"]
# On the crowd the choice does not matter: ξ is near zero or just below, and the answers agree within their
# intervals. On LFW each stricter choice gives a *larger* ξ, and the answer runs from a threshold that
# refuses six of ten second photos to cosines that do not exist. That is how a tail looks which is not one
# tail.
#
# Two things are mixed in it. Almost all pairs are strangers. A few are **not**: lesson 09 found eighteen
# pairs of LFW's "people" who are one, by the same photograph under two names or two spellings; others may
# be brothers, sisters, twins. They are a millionth of all pairs, and they are all there is at a millionth.

# %%
same = {frozenset(pair) for pair in lesson09.SAME_PERSON}
who = templates.identity[templates.number == 1]
known = np.array([frozenset((int(who[a]), int(who[b]))) in same for a, b in zip(real.a, real.b, strict=True)])
for n in range(40):
    print(f"{real.cosines[n]:.2f}{'*' if known[n] else ' '}", end="\n" if n % 10 == 9 else "  ")
without = replace(real, cosines=real.cosines[~known], a=real.a[~known], b=real.b[~known])
for share in (1e-3, 1e-4, 1e-5):
    curve = extremes.fit(without, share)
    at = float(curve.threshold(1e-8))
    print(f"without them, from 1 in {1 / share:,.0f}: ξ {curve.shape:.2f}, cosine at FMR 1e-8 {at:.2f}")

# %% [markdown]
# The forty most alike pairs; a star marks those that lesson 09 decided are one person. Leave them out and ξ
# falls, by a third and more; ten pairs still stand apart from the rest, and the tail still bends. Are they
# relatives, which a recogniser must tell apart, or labels that are wrong, which it must not? The threshold
# for a million depends on the answer, and it is not in the numbers.
#
# So nobody can read off LFW what happens at a million, nor off any set of a few thousand people. NIST
# tests with galleries of millions of people, and identical twins remain hard for every algorithm that was
# tried on them (Paone et al. 2014). A real gallery is worse than LFW in one way: families enrol together.
#
# ## 5 · Fewer bytes
#
# 512 bytes a template. Are all of them needed? **float16** halves them. **int8** keeps 255 steps between
# the largest and the smallest number. A **product code** cuts the vector into pieces and keeps, for each
# piece, the number of the nearest of 256 typical pieces: one byte each. And at the end of the road, the
# **signs** alone: one bit a number, 16 bytes.
#
# ### Exercise 11.4 · Eight bits
#
# Turn a gallery (N, D) of float32 into int8, with one scale for the whole gallery: the largest number, of
# either sign, becomes ±127; the others are rounded.


# %% tags=["exercise"]
def eight_bits(gallery):
    return ...


# %% tags=["solution"]
def eight_bits(gallery):
    return np.round(gallery * (127 / np.abs(gallery).max())).astype(np.int8)


# %% tags=["check"]
exercises.check("11.4", eight_bits)

# %% [markdown] tags=["walk"]
# **Predict.** The share of enrolled people who are missed (FNIR), at a threshold that gives the same
# share of strangers a name (FPIR): which of 256, 128, 64, 32, 16 and 8 bytes costs anything? Does LFW say
# the same as the crowd?

# %% tags=["walk"]
split = lesson09.split(templates, seed=0, drop=True)
costs = {
    "crowd, 30,000 people, FPIR 1 %": pictures.cost_of_codes(people[:30_000], again, strangers, 0.01),
    "LFW, 5,000 people, FPIR 5 %": pictures.cost_of_codes(split.gallery, split.probes, split.strangers, 0.05),
}
_ = pictures.codes(costs)

# %%
costs["LFW, 5,000 people, FPIR 5 %"].round(1)

# %% [markdown] tags=["answer", "walk"]
# Down to 128 bytes nothing is to be seen, at 64 hardly anything. At 32 it begins to cost, at 16 many are
# missed. (At 16 the plain signs are about as good as a product code. LFW's curve lies higher: its photos
# are harder than the crowd's, and 749 strangers allow no stricter FPIR. And at the right end it is flattered:
# its codes were learnt from the very people who are sought, the crowd's from others. What both share is the
# *bend*.) A million people are 64 MB then. A gallery of a whole
# country is a file that fits into a pocket, and that is not only good news.

# %% [markdown]
# ## 6 · A million classes
#
# Training has its own million (lesson 10): a head has a row for each person. **Predict.** Weights,
# momentum, gradient, logits: which of them shrinks as devices are added, and which does not? From how
# many people on does no number of these devices help?

# %%
from facelab.course.widgets.shards import Shards

shards = Shards()
shards.people.value = 7.0
shards

# %% [markdown] tags=["answer"]
# The classes are shared out, so what belongs to a class shrinks. The logits do not: each device brings 64
# photos of its own, and all are compared with all classes. **Partial FC** lets a step look at a tenth of
# the classes. That cuts the logits and the gradient, not the weights that wait. Logits and their gradient
# are 512 bytes a class: from 160 million classes on they alone fill 80 GB on each device, however many there
# are; with a tenth, from 1,600 million.

# %% [markdown]
# Measured here, a million classes, on CPU (`python -m benchmarks.train sharded`), beside this arithmetic:

# %%
from facelab.course.lesson11.shards import MEASURED, memory

pd.DataFrame(
    [[n, sample, sum(memory(1e6, n, sample, batch=64 // n)), gb] for (n, sample), gb in MEASURED.items()],
    columns=["processes", "sample", "arithmetic, GB each", "measured, GB each"],
).round(1)

# %% [markdown]
# With all classes the two agree. With a tenth, the program holds more than it would have to, two gigabytes
# in one process and one in each of two: the arithmetic says where to look next.
#
# ## 7 · People without names
#
# A phone's album has thousands of photos and no names. Who is on them, and on which ones the same? The
# slides group by **k-means**: so many centres, each photo to its nearest. It has to be told how many people
# there are. On LFW's 158 people with ten photos or more, told the truth and told otherwise:

# %%
known = np.isin(templates.identity, np.flatnonzero(templates.counts >= 10))
photos, truth = templates.vectors[known], templates.identity[known]
for told in (79, 158, 316):
    print(f"k-means told {told}:", grouping.measured(cluster.kmeans_clusters(photos, told), truth).b3)

# %% [markdown]
# ### Exercise 11.5 · Face by face
#
# How good is a grouping? **B-cubed** asks each face. *Precision*: of the faces it was put with (itself
# included), what share is the same person? *Recall*: of all faces of its person, what share is it put with?
# Then the mean over all faces. `found` and `truth` are (N,) numbers of groups and of people.


# %% tags=["exercise"]
def b_cubed(found, truth):
    precision, recall = ..., ...
    return precision, recall


# %% tags=["solution"]
def b_cubed(found, truth):
    precision = np.mean([np.mean(truth[found == found[i]] == truth[i]) for i in range(len(found))])
    recall = np.mean([np.mean(found[truth == truth[i]] == found[i]) for i in range(len(found))])
    return precision, recall


# %% tags=["check"]
exercises.check("11.5", b_cubed)

# %% [markdown]
# The other way is a **graph**: join any two faces that are alike enough, and see what hangs together.
# Nobody needs to know how many people there are. (Each face keeps edges to its 64 nearest at most.)
# *Connected components*: whoever can be reached is one person. *Chinese Whispers*: each face takes over,
# again and again, the label that most of its edges lead to.
#
# **Predict.** All of LFW now, 13,233 photos. What does one wrong edge do to components? What to Whispers?
# What threshold would you take, lower or higher than the one for pairs?

# %%
from facelab.course.widgets.grouping import GroupPeople

near = cluster.neighbours(templates.vectors.astype(np.float32), k=64)
GRID = np.round(np.arange(0.35, 0.701, 0.01), 2)
sweeps = grouping.sweep(near, templates.identity, GRID)
counts = templates.counts
groups = GroupPeople(sweeps, GRID, (len(templates.identity), len(counts), int(counts.max())))
groups.threshold.value = 0.45
groups

# %% [markdown] tags=["answer"]
# For pairs a cosine of 0.36 is strict: one wrong pair in a thousand. At 0.45 there are four in a hundred
# thousand, and of 88 million pairs that makes some 3,500 wrong edges: components chain people to people,
# and the largest "person" has thousands of photos. Whispers outvotes such edges. Higher up both are good,
# and higher still both fall apart.

# %% [markdown]
# A threshold that was chosen on these people flatters them. So choose it on one half of the people and
# judge on the other:

# %%
half = np.random.default_rng(0).permutation(len(counts)) % 2
for which in (0, 1):
    scores = {}
    for side in (which, 1 - which):
        rows = np.isin(templates.identity, np.flatnonzero(half == side))
        few = cluster.neighbours(templates.vectors[rows].astype(np.float32), k=64)
        scores[side] = grouping.sweep(few, templates.identity[rows], GRID)
    for method in cluster.METHODS:
        at = int(np.argmax([row.b3.f for row in scores[which][method]]))
        f = scores[1 - which][method][at].b3.f
        print(f"half {which}: {method:10} chosen {GRID[at]:.2f}, on the others B-cubed F {f:.1%}")

# %% [markdown]
# Chosen so, the two are level. What Whispers buys is room: it is nearly as good over a wide range of
# thresholds, and components only from 0.5 on. Where nobody can tune, that is worth more than the best
# score.
#
# And a million? Each photo's neighbours come from an index as in section 3; the rest is the same. Measured
# beforehand (`python -m benchmarks.lesson11 group`): drawn people, four photos each.

# %%
grouped = stored("group")["rows"]
_ = pictures.grouped_million(grouped)

# %% [markdown]
# Ten times the photos are ten times the chances for a wrong edge, so the threshold has to rise, as in
# section 4. Components lose what a threshold had bought; Whispers hardly notices. (Some of what is lost is
# the index's: 64 cells were searched at both sizes, which find 87 % of the enrolled among 100,000 and 70 %
# among a million, section 3. So edges are missing, too.)
#
# ## 8 · Your own album
#
# `facelab cluster Photos/ Album/` does it for a folder of your own: a folder for each person found, which
# you rename, merge and split in any file manager, or here. Two people, each photographed eight times in
# ways that are not kind, and one photo of each as it is:

# %%
source, pipe = folder / "photos", fl.Pipeline()
source.mkdir()
for name, photo in (("a", portraits.collins()), ("b", portraits.hopper())):
    face = fl.detect(photo)[0]
    for number, changed in enumerate([photo, *portraits.changes(photo, face).values()]):
        Image.fromarray(changed).save(source / f"{name}{number}.jpg")
album = fl.album.Album.make(source, folder / "album", pipe, progress=False)
print(*album.groups, sep="\n")

# %%
from facelab.course.widgets.album import AlbumEditor

editor = AlbumEditor(album, folder / "album.hdf")
editor

# %% [markdown]
# **Now you.** Type names, merge what belongs together, take out what does not, then *Enrol the named*. From
# then on `fl.Gallery(folder / "album.hdf").identify(photo)` knows them. (With your own photos it knows your
# friends, whom nobody asked: lesson 09, section 9.)

# %%
exercises.progress()

# %% [markdown]
# ## What to remember
#
# - Exact search among a million takes tens of milliseconds and half a gigabyte. Begin there.
# - One probe waits for the memory, many together for the cores.
# - An index finds less the less it looks at, and most of all it misses those who are far from everybody.
# - A template needs 64 bytes, not 512.
# - The threshold for a million is set by the rarest pairs: relatives, and errors in the labels. No set of a
#   few thousand people can measure it, and no curve can conjure it up.
# - Without names, a graph with a strict threshold beats k-means, which must be told what nobody knows.
#
# **Not shown here.** Real faces in millions, GPUs, several machines at once. And whether one should: what
# this lesson calls a search, among people who did not enrol themselves, is called mass surveillance, and in
# the EU the untargeted scraping of faces for it is forbidden (AI Act, article 5).
#
# ## Sources
#
# S. Williams et al., *Roofline*, CACM 2009. J. Sivic and A. Zisserman, *Video Google*, ICCV 2003; H.
# Jégou et al., *Product Quantization for Nearest Neighbor Search*, PAMI 2011; Y. Malkov and D. Yashunin,
# *HNSW*, PAMI 2020; M. Douze et al., *The Faiss Library*, 2024. A. Balkema and L. de Haan 1974, J.
# Pickands 1975 (the generalised Pareto); Z. Shi et al., *Modeling Biometric Systems Using the General
# Pareto Distribution*, SPIE 2008; J. Paone et al., *Double Trouble*, IEEE TIFS 2014. P. Grother et al.,
# NIST FRTE 1:N. X. An et al., *Partial FC*, CVPR 2022. A. Bagga and B. Baldwin, *Entity-Based
# Cross-Document Coreferencing*, ACL 1998 (B-cubed); C. Biemann, *Chinese Whispers*, 2006. C. Otto et al.,
# *Clustering Millions of Faces by Identity*, PAMI 2018. N. Brümmer and E. de Villiers, *The Speaker
# Partitioning Problem*, Odyssey 2010 (the model of the crowd). G. Huang et al., *Labeled Faces in the
# Wild*, 2007.
