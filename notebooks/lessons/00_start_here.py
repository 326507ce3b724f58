# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown] tags=["walk"]
# # 0 · When do two photos show the same person, to a computer?
#
# **▶▶ in the toolbar runs this whole page** (a minute), Shift+Enter one cell. Then move the slider: how few
# pixels are enough?

# %% tags=["walk"]
from facelab.course.widgets.coarse import Coarse

Coarse()

# %% [markdown]
# Where do *you* still know her, and where does the computer? And what can it never know? Every part of the
# answer is here once, on real photos and real numbers. The lessons after this one take the parts to pieces.
#
# **Goals.** Afterwards you can
#
# - say what happens between two photos and the words "same person", step by step, and run it;
# - tell verification from identification, and an open set from a closed one;
# - read what a threshold is worth, and choose one for a purpose;
# - name three things that no face recogniser can know, and the one that this one does not even try to see.
#
# **Prerequisites.** A little Python; a vector and its length. No machine learning yet.
#
# **Minutes.** 70 with the exercises; as a walk (the sections and cells marked ▸), 45.
#
# Where it says **Predict**, stop and guess before you go on: a guess that turns out wrong teaches more
# than a result that was only read. Where a word is new, look it up in section 9, in three languages.

# %%
import facelab as fl
import matplotlib.pyplot as plt
import numpy as np
from facelab.course import exercises, plots, portraits

plots.use_style()

# %% [markdown] tags=["walk"]
# ## 1 · Two photos, one question
#
# Two women who made history. Both portraits are in the public domain, which is why they are the only ones
# that come with this course. (Where you have installed the photos of LFW yourself, section 5 and some later
# lessons show people from it, on your machine only.)

# %% tags=["walk"]
collins, hopper = portraits.collins(), portraits.hopper()
_ = plots.show([collins, hopper], ["Eileen Collins", "Grace Hopper"], height=4)

# %% [markdown] tags=["walk"]
# **Predict.** The computer will give each pair of photos one number, a *distance*. Which pair is nearer:
# Collins and Hopper, or Collins and the same photo with three quarters of the light taken away?

# %% tags=["walk"]
two_women = fl.verify(collins, hopper)
threshold = two_women.threshold
print(two_women)

# %% tags=["walk"]
dark = portraits.darker(collins)
print(fl.verify(collins, dark))

# %% [markdown] tags=["answer", "walk"]
# To the pixels, the dark photo is a very different picture; to this system it is almost the same point. A
# face recogniser is a machine for *ignoring*: light, background, age of the photo. What it must not ignore
# is who. How well that works is the subject of this course.
#
# Note the brackets in the answer. A verdict without the error rate behind it is half an answer, so
# `fl.verify` never gives one without the other (except where it does not know, and then it says so).

# %% [markdown]
# ## 2 · The five stages, one by one
#
# **localise → anti-spoof → process → extract → match.** Every system on the market has these stages or
# should have. Here they are by hand.
#
# **Localise** (lesson 05): where is a face, and where are its eyes, nose and mouth?

# %%
face = fl.detect(collins)[0]
print("box      ", face.box.round())
print("landmarks", face.landmarks.round().tolist())

# %% [markdown]
# **Anti-spoof** (lesson 12): is it a face at all, or a picture of one? This stage is off unless you ask for
# it. Section 3 shows what that means.
#
# **Process** (lesson 05): turn and scale the photo so that the five landmarks lie where the next stage
# expects them.

# %% tags=["walk"]
crop, head = fl.align(collins, face), portraits.head(collins, face)
titles = ["box and five landmarks", f"aligned, {crop.shape[1]}×{crop.shape[0]}"]
_ = plots.show([head, crop], titles, faces=[fl.detect(head)])

# %% [markdown]
# **Extract**: a network turns the crop into a vector of unit length, the *embedding*. Which network, and
# how it was taught to do so, is the subject of lessons 01 to 04.

# %% tags=["nbval-check-output"]
vector = fl.embed(crop)
print(vector.shape, vector.dtype, f"length {np.linalg.norm(vector):.3f}")

# %% [markdown]
# **Predict.** Below, each row is a vector, each column one of its 128 numbers. Which two rows will look
# alike?

# %%
face_of_hopper, face_in_the_dark = fl.detect(hopper)[0], fl.detect(dark)[0]
vector_of_hopper = fl.embed(fl.align(hopper, face_of_hopper))
vector_in_the_dark = fl.embed(fl.align(dark, face_in_the_dark))

# %%
_, axes = plt.subplots(figsize=(9, 2.4))
axes.imshow([vector, vector_in_the_dark, vector_of_hopper], aspect="auto", interpolation="nearest")
_ = axes.set(
    yticks=range(3), yticklabels=["Collins", "Collins, dark", "Hopper"], xlabel="number in the vector"
)

# %% [markdown] tags=["answer"]
# No single number means "eyes" or "smile". Nobody put a meaning there, and nobody can read one off. Only
# the *direction* of the whole vector counts, compared with the direction of another.
#
# **Match**: the distance between two vectors $F_1$ and $F_2$ is
#
# $$\text{distance} = 1 - \frac{F_1 \cdot F_2}{|F_1|\,|F_2|} = 1 - \cos\theta$$
#
# where $\theta$ is the angle between them (slides, *Feature Distance*). It lies between 0 and 2.

# %% [markdown]
# ### Exercise 00.1 · The cosine distance
#
# Write it. The check uses vectors that are *not* of length 1, so the lengths matter.


# %% tags=["exercise"]
def cosine_distance(F1, F2):
    return ...


# %% tags=["solution"]
def cosine_distance(F1, F2):
    return 1 - F1 @ F2 / (np.linalg.norm(F1) * np.linalg.norm(F2))


# %% tags=["check"]
exercises.check("00.1", cosine_distance)

# %% [markdown]
# Stuck? `exercises.hint("00.1")` in a new cell gives a hint, and again for the next one.
#
# The package's own function, on the two women, finds what `fl.verify` found above:

# %%
by_hand = fl.cosine_distance(vector, vector_of_hopper)
assert abs(by_hand - two_women.distance) < 1e-4
print(f"by hand {by_hand:.4f}   fl.verify {two_women.distance:.4f}")

# %% [markdown]
# ### Exercise 00.2 · From a distance to a verdict
#
# Verification ends in one comparison. Which?


# %% tags=["exercise"]
def same_person(distance, threshold):
    return ...


# %% tags=["solution"]
def same_person(distance, threshold):
    return distance <= threshold


# %% tags=["check"]
exercises.check("00.2", same_person)

# %% [markdown] tags=["walk"]
# ## 3 · What it cannot see: a printed photo
#
# Below, the portrait was "printed" (flat ink, white border), laid on a table, and photographed at a slant.
#
# **Predict.** Is the print the same person, for the system? Nearer or farther than the dark photo?

# %% tags=["walk"]
printed = portraits.printed(collins)
verdict = fl.verify(collins, printed)
_ = plots.show(
    [collins, printed], ["a person", f"a piece of paper, distance {verdict.distance:.2f}"], height=4
)

# %%
assert verdict.same
print(verdict)

# %% [markdown] tags=["answer"]
# The paper passes, and easily. Nothing went wrong: the question was "does this *picture* show the same
# person?", and it does. Whether a living person stood before the camera is **another question, and this
# system cannot answer it**. A lock that asks only the first question opens to anybody who has a photo of
# you.
#
# What it would take (*presentation attack detection*, ISO/IEC 30107):
#
# - **another sensor**: depth (paper is flat) or infrared (a screen stays dark in it); some phones
#   project a pattern of dots and measure depth;
# - **a challenge**: turn your head, follow the dot. Against a paper photo it works, against a replayed or
#   synthetic video it is an arms race;
# - **a second network** that looks for traces of printing, screens and masks. It knows the attacks it was
#   trained on, and little about the next one;
# - and **its own error rates**, measured for each kind of attack, beside FMR and FNMR.
#
# facelab has the third, off by default:

# %%
guarded = fl.Pipeline(antispoof="facelab")
for name, photo in (("the photo", collins), ("its print", printed)):
    live = guarded.one(photo).faces[0].live
    print(f"{name}: looks living {live:.2f}, passes from {guarded.min_live:.2f} on")

# %% [markdown]
# It refuses this print. It learnt on attacks that are *simulated*, and
# [lesson 12](12_is_it_a_living_face.ipynb) makes prints that it lets in. Do not guard a door with it.

# %% [markdown]
# ## 4 · One person, many pictures: intra-class variation
#
# The word *class* comes from classification: here a class is a person. How far does a vector move when the
# person stays and the picture changes?
#
# **Predict.** Order these by the distance they cause: light, tilt, a covered mouth, covered eyes, blur.

# %%
changed = portraits.changes(head, fl.detect(head)[0])
moved = {name: fl.verify(collins, photo).distance for name, photo in changed.items()}

# %%
titles = [f"{name}\n{distance:.2f}" for name, distance in moved.items()]
_ = plots.show(list(changed.values()), titles, columns=4, height=2.8)

# %% [markdown]
# The same numbers as bars, with Grace Hopper's distance beside them and the threshold of `fl.verify` as a
# dashed line:

# %%
_, axes = plt.subplots(figsize=(9, 4.4))
axes.barh(list(moved), list(moved.values()), color=plots.BLUE)
axes.barh("Grace Hopper", two_women.distance, color=plots.ORANGE, hatch="//")
axes.axvline(threshold, color="black", linestyle="--")
_ = axes.set_xlabel("cosine distance to the portrait of Eileen Collins")
axes.invert_yaxis()

# %% [markdown]
# Light hardly matters, which no comparison of pixels could manage. Blur matters most:
# blurred enough, Eileen Collins is about as far from herself as Grace Hopper is from her, and the system
# says "different people". It cannot say "I cannot see": **a bad photo gives a number as crisp as a good
# one.** (Lesson 04 meets a loss, MagFace, that makes the length of the vector tell how good the photo was.)
#
# These are changes made to *one* photo. Two photos taken years apart, with another hair-cut and another
# smile, vary far more. For that we need many photos of many people.

# %% [markdown]
# ## 5 · Many people: inter-class similarity
#
# *Labeled Faces in the Wild* (LFW) holds 13,233 press photos of 5,749 people in the news. The photos may
# not be handed on with this course, so what comes with it are only their vectors, computed by the
# pipeline above. Even a vector is personal data (section 8), so the file names nobody but the 158 people
# with ten or more photos.

# %% tags=["nbval-check-output"]
lfw = fl.datasets.lfw_templates()
print(f"{len(lfw):,} vectors of {len(lfw.counts):,} people, {len(lfw.names)} of them named")

# %% [markdown]
# LFW's protocol lists 3,000 genuine pairs and 3,000 impostor pairs. All their distances, at once:

# %%
pairs = lfw.pairs["lfw"]
distance = 1 - lfw.scores("lfw")
genuine, impostor = distance[pairs.same], distance[~pairs.same]

# %% [markdown] tags=["walk"]
# **Predict.** Draw the two histograms on paper first: where do they peak, and do they overlap?

# %% tags=["walk"]
_ = plots.histogram(genuine, impostor, threshold=threshold)

# %%
print(f"same person       middle {np.median(genuine):.2f}   farthest {genuine.max():.2f}")
print(f"different people  middle {np.median(impostor):.2f}   nearest  {impostor.min():.2f}")

# %% [markdown] tags=["answer", "walk"]
# This picture is the whole of face recognition. The blue heap is wide because one person can look very
# different (**intra-class variation**); the orange one reaches to the left because two people can look
# alike (**inter-class similarity**). Training a better network means pushing the heaps apart. Using one
# means putting a line between them, and living with what is on the wrong side.

# %% [markdown]
# What lies on the wrong side? Below are the hardest pairs, the worst first. Where LFW's photos are on
# this machine (`facelab data get lfw`), you see them; look at ten before you believe that the computer is
# stupid. Some you could not tell yourself, and in a few the *label* is wrong, not the answer.

# %%
from facelab.course.widgets.pairs import HardPairs, photos_if_here

hardest = HardPairs(lfw, photos_if_here(), threshold)
hardest

# %% [markdown]
# No photos there? LFW's may not be handed on with this page, but anybody may fetch them. The button does
# (once for the whole course), and they appear above. A file that you have already is as good.

# %%
from facelab.course.widgets.fetch import FetchPhotos

FetchPhotos(then=hardest.look)

# %% [markdown]
# ## 6 · Where would you put the line?
#
# 3,000 impostor pairs are too few to see rare errors. So let us compare one photo of *everybody* with one
# photo of *everybody else*: $5749 \cdot 5748 / 2$ pairs.

# %% tags=["nbval-check-output"]
from facelab.course.widgets.threshold import Threshold, pairwise_distances

everybody = lfw.vectors[lfw.number == 1]  # the first photo of each person
strangers = pairwise_distances(everybody)
print(f"{len(strangers):,} pairs of different people")

# %% [markdown] tags=["walk"]
# Every threshold makes two errors, and moving it trades one for the other:
#
# $$\mathrm{FMR}(t) = \frac{\#\{\text{impostor pairs with distance} \le t\}}{\#\{\text{impostor pairs}\}}
# \qquad
# \mathrm{FNMR}(t) = \frac{\#\{\text{genuine pairs with distance} > t\}}{\#\{\text{genuine pairs}\}}$$
#
# Move the line below (the arrow keys take small steps), and read both errors under the picture.
#
# **Two questions, before you read on.** Where would you put it
#
# 1. for **a phone**, where each unlock compares the photo with one person, the owner?
# 2. for **a search for a missing child**, where each photo is compared with 100,000 people?

# %% tags=["walk"]
line = Threshold(genuine, strangers, value=threshold)
line

# %% [markdown]
# The same as a table: for a wanted FMR, the threshold that gives it, and the FNMR that it costs.

# %%
for fmr in (1e-2, 1e-3, 1e-4, 1e-5):
    t = np.quantile(strangers, fmr)
    print(f"FMR {fmr:7.3%}   threshold {t:.3f}   FNMR {np.mean(genuine > t):6.2%}")

# %% tags=["nbval-check-output"]
line.threshold.value = 0.1  # the slider, moved by code instead of a hand: both errors answer
assert line.error is None
print(f"nearly nobody gets in: FMR {line.fmr:.0%}, FNMR above 90 %: {line.fnmr > 0.9}")
line.reset()

# %% [markdown] tags=["walk"]
# **For a phone**, one comparison per try: an error that lets a thief in is worse than one that makes you
# try again. Apple states that a random person unlocks Face ID with a probability below 1 in 1,000,000.
# Our small network, on press photos, gets to about 1 in 100,000 at the price in FNMR that the table
# shows. Can we ask for 1 in 1,000,000? Look at the nearest of all the "strangers":

# %%
print(np.sort(np.partition(strangers, 12)[:12]).round(2))

# %% [markdown]
# Distances near 0 between *different* people! We looked at these photos. The first four pairs are **one
# photo, filed under two names**. After them come people under two spellings of their name, twins, and
# sisters. So out there the test measures its own mistakes (the dashed line in the widget bends near 0.5 and
# runs flat below), and beyond about 1 in 100,000 LFW cannot be asked. Every test has such a floor. A figure
# below it is a wish.
#
# **For a search**, everybody in the database is a chance for a false alarm. Of $N$ strangers about
# $N\!\cdot\!\mathrm{FMR}$ match: choose "a search among 100,000 people" in the widget and read the
# number. At an FMR of 1 in 1,000 that is 100 innocent people *for each photo*. For a missing child one
# may want just that: a list of 100 photos that a human looks through, because a missed child is the worse
# error. It is only bearable because **nobody on the list is accused of anything**. (And it works worse
# than this picture shows: LFW has next to no children, and NIST found more false matches among children
# than among adults [1].)
#
# There is no right threshold. There is one that fits *the cost of each error, the number of people
# compared, and what happens after a match*. Whoever tells you "accuracy 99 %" has told you none of these.

# %% [markdown]
# ### Exercise 00.3 · Two errors from four counts
#
# A test at a fixed threshold: of 3,000 genuine pairs, 2,910 were accepted. Of 100,000 impostor pairs, 40
# were accepted. What are FMR and FNMR?

# %% tags=["exercise"]
fmr, fnmr = ..., ...

# %% tags=["solution"]
fmr, fnmr = 40 / 100_000, (3_000 - 2_910) / 3_000

# %% tags=["check"]
exercises.check("00.3", (fmr, fnmr))

# %% [markdown]
# ## 7 · Who is it, or nobody?
#
# **Identification** compares one probe with a whole gallery. Let us *enrol* the 158 named people with one
# vector each; the gallery is then no more than a matrix and a list of names.

# %%
people = sorted(lfw.names)
gallery = everybody[people]
names = [lfw.names[person] for person in people]
print(gallery.shape, names[:3], "…")

# %% [markdown]
# The probe: another photo of one of them. One matrix product compares it with everybody.

# %%
probe = lfw.of(names[0])[1]  # the second photo; the first one is enrolled
distances = 1 - gallery @ probe
print(f"nearest: {names[distances.argmin()]} at {distances.min():.2f}; truth: {names[0]}")

# %% [markdown]
# **Predict.** Now Eileen Collins comes to the door. She is not among the 158. What will the nearest
# neighbour say?

# %%
distances = 1 - gallery @ vector
print(f"nearest: {names[distances.argmin()]} at {distances.min():.2f}; threshold {threshold:.2f}")

# %% [markdown] tags=["answer"]
# Somebody is always nearest, and here she is a stranger only by a hair. In a **closed set**, where whoever
# comes is sure to be enrolled, that is fine. In an **open set** (every real door) the threshold must be
# asked as well, and the answer may be *nobody*.

# %% [markdown]
# ### Exercise 00.4 · Who is it, or nobody?
#
# Given the names, one distance for each of them, and a threshold: return the name of the nearest person, or
# the word `"stranger"`.


# %% tags=["exercise"]
def identify(names, distances, threshold):
    return ...


# %% tags=["solution"]
def identify(names, distances, threshold):
    nearest = int(np.argmin(distances))
    return names[nearest] if distances[nearest] <= threshold else "stranger"


# %% tags=["check"]
exercises.check("00.4", identify)

# %% [markdown]
# How often is a stranger given a name? If each of $N$ comparisons is wrong with probability FMR, and they
# were independent, at least one is wrong with probability
#
# $$\mathrm{FPIR} = 1 - (1 - \mathrm{FMR})^N.$$
#
# **Predict.** An FMR of about 1 in 1,000, 158 people enrolled: how many of 100 strangers are taken for
# somebody? The other 5,591 people of LFW are the strangers:

# %%
from facelab.course.widgets.guess import Guess

guess = Guess("00-strangers", "Of 100 strangers, how many get a name?", "", 0, 100)
guess

# %%
others = np.setdiff1d(np.arange(len(everybody)), people)
nearest = (1 - everybody[others] @ gallery.T).min(axis=1)
print(f"measured {np.mean(nearest <= threshold):.1%}")
print(f"formula  {1 - (1 - two_women.fmr.value) ** len(gallery):.1%}")

# %%
guess.reveal(100 * np.mean(nearest <= threshold))

# %% [markdown] tags=["answer"]
# A threshold that errs once in a thousand at a phone errs every few visitors at a door with 158 people
# enrolled. **Identification is not verification done often; it needs a threshold of its own**, and lesson
# 09 finds it.
#
# One question about this test you should always ask: is it **subject-independent**? Were LFW's people among
# those on whom the network was trained? Public training sets are celebrities from the web, LFW is people
# in the news, and studies find that the two are often not disjoint [2]. So take every figure here
# as somewhat flattering, this course's included.

# %% [markdown]
# ## 8 · Care
#
# **What it can never know.** A recogniser compares pictures. It does not know
#
# - whether the *name* in the gallery is true: it repeats what somebody enrolled;
# - whether a *living person* stands there (section 3);
# - which of two *twins* it is;
# - how sure it is *about you*: it has error rates over many people, and you are one;
# - what a person thinks, feels or intends: it was neither trained nor tested for that.
#
# **A template is personal data.** A vector is not a fingerprint of the file but of the face: with it,
# anybody who has the same network can find you in other photos. And it can be turned back: networks
# trained to invert templates made pictures of which 95 % passed as the person they came from, at a false
# accept rate of 0.1 % on LFW [3]. Laws treat such data with care: the European GDPR as a special category
# that may not be processed without a ground such as explicit consent, Korea's PIPA as sensitive
# information, Japan's APPI as a code that identifies a person [4]. In this course photos and vectors stay
# on your machine: nothing is uploaded, and `facelab` stores no photo unless you ask it to. Use photos of
# people who agreed, and delete what you enrol.
#
# **Whom it fails.** What has been measured, no more:
#
# - NIST tested 189 algorithms on 18.27 million photos of 8.49 million people (2019). False *matches*
#   often differed between groups by factors of 10 to beyond 100, false non-matches mostly by less than 3.
#   On good photos false matches were highest for West and East African and East Asian people and lowest
#   for Eastern Europeans; a number of algorithms developed in China had low rates for East Asian people.
#   They were higher for women than for men, and for elderly people and children. For some highly accurate
#   identification algorithms no difference in false matches could be detected [1].
# - *Gender Shades* (2018) tested three commercial systems that guess a person's gender from a photo,
#   which is another task than recognition: darker-skinned women were misclassified in up to 34.7 % of the
#   cases, for lighter-skinned men the highest error was 0.8 % [5].
# - In January 2020 Detroit's police arrested Robert Williams for a theft he had nothing to do with, after a
#   search with a blurred still from a shop's camera returned his licence photo. The settlement of 2024
#   forbids the city's police to arrest on such a result alone [6].
# - LFW itself cannot show any of this: its makers write that few children, few old people, relatively few
#   women and hardly any people of many ethnicities are in it, and that no result on it makes a system fit
#   for commercial use [7]. The FMR that `fl.verify` prints comes from LFW. For a group that LFW hardly
#   contains, the true one may be far higher.
#
# **This course will** explain every step, measure errors with their intervals, and show you failures.
# **It will not** guess age, gender, ethnicity or mood, ship photos of people who never agreed, or claim
# that what it builds is fit to decide about anybody.

# %% [markdown]
# ## The map of the course
#
# | Lesson | The question it answers |
# |---|---|
# | [01 Metric learning](01_metric_learning.ipynb) | How does a network learn that distance means identity? |
# | [02 Triplet loss](02_triplet_loss.ipynb) | Why not simply *say* "nearer to this one than to that one"? |
# | [03 Angular margins](03_angular_margins.ipynb) | What did each paper change, and why angles? |
# | [04 Beyond ArcFace](04_beyond_arcface.ipynb) | Bad photos, noisy labels: what did later losses repair? |
# | [05 Detect, crop, rotate](05_detect_crop_rotate.ipynb) | What must happen before the network sees it? |
# | [06 By hand and DeepFace](06_verify_by_hand_and_deepface.ipynb) | Same weights: why two distances? |
# | [07 Celebrity histograms](07_celebrity_histograms.ipynb) | Who could unlock whose phone? |
# | [08 Benchmarks and metrics](08_benchmarks_and_metrics.ipynb) | Which differences mean anything? |
# | [09 Gallery and identification](09_gallery_identification.ipynb) | Who is it, or is it a stranger? |
# | [10 Train your own](10_train_your_own.ipynb) | Can you train one yourself? |
# | [11 To a million](11_to_a_million.ipynb) | What changes when the gallery holds a million people? |
# | [12 Is it a living face?](12_is_it_a_living_face.ipynb) | Can a network see that it looks at paper? |
#
# Go on with **01** to learn where the vectors come from, or with **05** to work with photos first: 05 to 09
# need nothing from 01 to 04. What this machine has, and what it lacks for an extra here and there, says
# `facelab doctor` in a terminal ([Your machine](../docs/your_machine.md)).

# %% [markdown]
# ## 9 · The words
#
# The field's words, in the three languages of this course's sources. Come back to this table whenever a
# later lesson uses one.
#
# | English | 한국어 | 日本語 | What it means |
# |---|---|---|---|
# | face recognition | 안면인식, 얼굴 인식 | 顔認識 | the whole field; also used loosely for identification |
# | verification (1:1) | 얼굴 검증 | 顔照合 | do these two photos show the same person? *Same / different* |
# | identification (1:N) | 얼굴 식별 | 顔識別 | who of these N people is it? *A name / nobody* |
# | gallery | 갤러리 | ギャラリー | the people who can be recognised: identities and templates |
# | probe | 조회 이미지 | 照会画像 | the new photo that is compared |
# | enrol | 등록 | 登録 | to put a person into the gallery |
# | bounding box | 바운딩 박스 | バウンディングボックス | the rectangle around a detected face |
# | landmark | 얼굴 랜드마크 | 顔ランドマーク | a known point: eyes, tip of the nose, corners of the mouth |
# | alignment | 정렬 | 位置合わせ | turning and scaling the face so that landmarks lie where expected |
# | embedding, template | 임베딩, 특징 벡터 | 埋め込み, 特徴ベクトル | the vector that stands for a face |
# | distance | 거리 | 距離 | how far two embeddings lie apart; here 1 − cos |
# | threshold | 임계값 | 閾値 | the largest distance that still counts as the same person |
# | genuine pair | 동일인 쌍 | 本人ペア | two photos of one person (*positive pair*) |
# | impostor pair | 타인 쌍 | 他人ペア | photos of two people (*negative pair*) |
# | FMR, false match rate | 타인 수락률 | 他人受入率 | share of impostor pairs that are accepted |
# | FNMR, false non-match rate | 본인 거부율 | 本人拒否率 | share of genuine pairs that are rejected |
# | intra-class variation | 클래스 내 변이 | クラス内変動 | one person can look very different |
# | inter-class similarity | 클래스 간 유사성 | クラス間類似性 | two people can look very alike |
# | closed set | 닫힌 집합 | クローズドセット | whoever comes is in the gallery |
# | open set | 열린 집합 | オープンセット | whoever comes may be a stranger |
# | subject-dependent | 피험자 종속 | 被験者依存 | the test's people were in the training data too |
# | subject-independent | 피험자 독립 | 被験者非依存 | none of them was |
# | spoofing | 위조 얼굴 | なりすまし | showing a picture or a mask instead of a face |
# | anti-spoofing | 위조 탐지 | なりすまし検知 | noticing that |
#
# Three words to be careful with. *Feature map* is what the slides call the embedding; elsewhere it means
# the image-like output of a layer in the middle of a network. *Open set* is used for two things: the
# Korean slides mean the gallery (may a stranger come to the door?), the Japanese ones mean the training
# (do people appear that the network never saw?). And *threshold*: the slides say "above it is positive",
# which is right for a score, where more is better. We use distances, where **less** is better.

# %%
exercises.progress()

# %% [markdown]
# ## What to remember
#
# - Two photos become two vectors, the vectors a **distance**, and a **threshold** makes it a verdict.
#   That is all of verification.
# - The stages are localise → **anti-spoof** → process → extract → match. Without the second a printed photo
#   passes.
# - One person varies, two people resemble each other: the histograms **overlap**, so every threshold makes
#   both errors. FMR and FNMR go together; either alone says nothing.
# - The right threshold depends on what an error costs and on **how many people are compared**: $N$
#   strangers give about $N \cdot$ FMR false alarms.
# - Identification in an **open set** must be able to say *nobody*.
# - A recogniser compares pictures. It does not know names, life, certainty or intent, its errors are not
#   shared out evenly, and its templates are **personal data**.
#
# ## Sources
#
# Slides: *PIAI Research Department*, "Intro" (definitions, main flow), "Facial Verification" (feature
# distance), "Facial Identification" (enrol, determination); *Face Recognition* by T. Karasawa, pages 5–6
# (identification and verification, open and closed set).
#
# 1. P. Grother, M. Ngan, K. Hanaoka. *Face Recognition Vendor Test (FRVT) Part 3: Demographic Effects.*
#    NISTIR 8280, 2019. [doi:10.6028/NIST.IR.8280](https://doi.org/10.6028/NIST.IR.8280)
# 2. H. Wu et al. *What is a Goldilocks Face Verification Test Set?* 2024.
#    [arXiv:2405.15965](https://arxiv.org/abs/2405.15965)
# 3. G. Mai, K. Cao, P. C. Yuen, A. K. Jain. *On the Reconstruction of Face Images from Deep Face
#   Templates.* IEEE TPAMI 41(5), 2019 (type-I attack: compared with the very photo the template came
#   from; 58 % against another photo). [arXiv:1703.00832](https://arxiv.org/abs/1703.00832)
# 4. Regulation (EU) 2016/679 (GDPR), Articles 4(14) and 9; 개인정보 보호법 시행령 (PIPA Enforcement Decree),
#    Article 18; 個人情報保護法 (APPI), Article 2(2), with Article 1 of its Cabinet Order.
# 5. J. Buolamwini, T. Gebru. *Gender Shades: Intersectional Accuracy Disparities in Commercial Gender
#    Classification.* FAT* 2018, PMLR 81:77–91.
# 6. *Williams v. City of Detroit*, settled in June 2024; American Civil Liberties Union, case page.
# 7. G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller. *Labeled Faces in the Wild.* University of
#    Massachusetts 07-49, 2007; the notes on the data set's page.
#
# The network: Y. Zhong et al., *SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition*,
# IEEE TIP 2021 ([arXiv:2205.12010](https://arxiv.org/abs/2205.12010)). Error rates: ISO/IEC 19795-1.
# Spoofing: ISO/IEC 30107-3. Face ID: Apple, *About Face ID advanced technology*. Portraits: Eileen Collins
# (NASA), Grace Hopper (US Navy), both public domain.
