# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown] tags=["walk"]
# # 1 · How does a network learn a space in which distance means identity?
#
# Lesson 00 took it for granted: a photo goes in, 128 numbers come out, and two photos of one person come
# out near each other. Nobody wrote those numbers down. Where do they come from? And why should they work
# for a person whom the network never met?
#
# **Goals.** Afterwards you can
#
# - tell a feature space from an embedding space, and say what training does to it;
# - train one in two ways: *induced* by classification, and *directly*, on distances;
# - say what carries over to classes never trained on, and what does not, from your own measurements;
# - do verification, identification and clustering in such a space, and say what each of them counts.
#
# **Prerequisites.** Lesson 00 (distance, threshold). What a neural network and a loss are.
#
# **Minutes.** 85 with the exercises; as a walk (▸), 45.

# %%
import facelab as fl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from facelab import losses
from facelab.course import exercises, lesson01, plots, schematics
from facelab.course.widgets.embedding_map import PEOPLE, EmbeddingMap
from facelab.course.widgets.epochs import Epochs

plots.use_style()

# %%
_ = schematics.embedding_to_distance()

# %% [markdown] tags=["walk"]
# ## 1 · Two spaces
#
# **Metric learning** (거리 학습, 距離学習): the slides draw an *original feature space*, where two
# classes lie mixed, an arrow, and an **embedding space** (임베딩 공간, 埋め込み空間), where each has a
# place of its own. The arrow is a network $f$. It takes an image $x$ to a point $f(x)$, and it is good if
#
# - two images of the same class come out **near** each other (가까운 Distance = 서로 동일 인물), and
# - two images of different classes come out **far** apart (거리가 먼 Distance = 서로 다른 인물).
#
# To watch one being learnt in seconds, we start small: scikit-learn's handwritten digits, 8 × 8 pixels. A
# digit stands for a person, an image of it for a photo. **Two digits, 8 and 9, are put aside**: no network
# below is ever trained on one of them. They play the people who come to the door tomorrow.

# %% tags=["nbval-check-output"]
data = lesson01.digits(unseen=(8, 9))
print(len(data.learn), "images to learn from, of the digits", data.classes.tolist())
print(len(data.fresh), "more of these digits, kept back")
print(len(data.unseen), "of the digits 8 and 9, never learnt from")

# %% tags=["walk"]
some = [np.flatnonzero(data.labels == digit)[0] for digit in range(10)]
_ = plots.show([data.images[row].reshape(8, 8) for row in some], [str(d) for d in range(10)], height=1.1)

# %% [markdown] tags=["walk"]
# The pixels themselves are a space already: an image is a point with 64 coordinates. How far does
# distance mean identity there? A fair question for *any* space: take two digits, show five images of
# each, and let the nearest of the ten name every other image. Guessing gives 50 %.
#
# **Predict.** How often is the nearest neighbour among raw pixels right: for two of the digits 0 to 7, and
# for 8 against 9?

# %% tags=["nbval-check-output", "walk"]
pixels = lesson01.both(data.images, data)
print(f"raw pixels   two of 0 … 7: {pixels[0]:.1%}   8 against 9: {pixels[1]:.1%}")

# %% [markdown] tags=["answer", "walk"]
# Not bad for a space that nobody trained. Digits of 8 × 8 pixels are centred and sized already. (With
# faces, pixels are nearly worthless: light and pose move them more than the person does.) Keep the second
# number in mind.

# %% [markdown]
# ## 2 · Induced by classification
#
# The first answer, DeepFace (2014): build a *classifier* for the people you have, and cut off its last
# layer. With the slides' letters, $x_i$ is what the network gives for image $i$, and a linear layer with
# weights $W$ and biases $b$ turns it into one score for each class:
#
# $$L = -\frac{1}{N}\sum_i \log \frac{e^{W_{y_i}^T x_i + b_{y_i}}}{\sum_j e^{W_j^T x_i + b_j}}$$
#
# Nothing in it speaks of distance. But a linear layer can only tell classes apart that already lie apart in
# $x$. So the layer before learns to put them apart: the embedding is *induced* (유도). Our $x$ has two
# numbers, to be looked at; DeepFace's had 4096, for 4,030 people.

# %%
x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([0])  # one embedding, and its class
head = losses.Softmax(2, num_classes=3)
scores = x @ head.weight.T + head.bias
by_hand = -torch.log(scores.exp()[0, y] / scores.exp().sum())
assert torch.isclose(by_hand, head(x, y)).all()

# %% [markdown]
# Now the training: fifteen times through the images, a second or two.

# %%
softmax = lesson01.learn("softmax", data, seed=0)
print(f"two of 0 … 7: {lesson01.both(softmax.embeddings, data)[0]:.1%}, from 2 numbers instead of 64")

# %% [markdown]
# For the digits it learnt it is better than the pixels, on images it never saw, and from two numbers. The
# other number waits until section 4.

# %% [markdown]
# ## 3 · Learnt directly
#
# The Korean slides ask the right question: *if the embedding is good although it was only induced, would it
# not be better to ask for it directly?* ("유도"한 것 말고 "직접적으로")
#
# **Siamese network** (샴 네트워크): run two images through *one and the same* network, and let the loss look
# only at the distance $d$ between the two results. With $Y = 0$ for the same person and $Y = 1$ for two:
#
# $$L = (1 - Y)\,\tfrac12\, d^2 + Y\,\tfrac12 \max(0,\, m - d)^2, \qquad d = \lVert f(x^i) - f(x^j) \rVert$$
#
# This is the **contrastive loss** (Hadsell, Chopra and LeCun, 2006). There are no classes in it and no $W$:
# to ask it about a person, it need not know how many there are.
#
# ### Exercise 01.1 · The contrastive loss
#
# Write it for one pair. What does it ask of two people who are farther apart than the margin $m$?


# %% tags=["exercise"]
def contrastive_loss(d, Y, m):
    return ...


# %% tags=["solution"]
def contrastive_loss(d, Y, m):
    return (1 - Y) * d**2 / 2 + Y * max(0.0, m - d) ** 2 / 2


# %% tags=["check"]
exercises.check("01.1", contrastive_loss)

# %% [markdown]
# Its two halves, for $m = 1$. The slope is how hard a pair pulls or pushes.

# %%
d = torch.linspace(0, 1.6, 100)
_, axes = plt.subplots(figsize=(8, 3.4))
for same, label, dashes in ((True, "Y = 0: same person", "-"), (False, "Y = 1: two people", "--")):
    axes.plot(d, losses.contrastive.pair_loss(d, torch.tensor(same), margin=1.0), dashes, label=label)
axes.set(xlabel="distance d", ylabel="loss")
_ = axes.legend()

# %% [markdown]
# The package's `ContrastiveLoss` takes a batch and counts all its pairs. The same network, the same images,
# the same start as above; only the loss is another:

# %%
contrastive = lesson01.learn("contrastive", data, seed=0)
print(f"two of 0 … 7: {lesson01.both(contrastive.embeddings, data)[0]:.1%}")

# %% [markdown]
# **DeepID2** (2014) did both at once, *joint identification and verification*: softmax to set people apart,
# plus $\lambda$ times the contrastive loss to draw the photos of one person together.

# %%
both_at_once = losses.DeepID2(2, num_classes=3, lambda_v=0.05)
batch, labels = torch.randn(6, 2, generator=torch.manual_seed(0)), torch.tensor([0, 0, 1, 1, 2, 2])
identification = losses.Softmax.forward(both_at_once, batch, labels)
verification = losses.ContrastiveLoss()(batch, labels)
assert torch.isclose(both_at_once(batch, labels), identification + 0.05 * verification)

# %% [markdown] tags=["walk"]
# ## 4 · Digits that nobody learnt from
#
# Now 8 and 9 come to the door. To be fair to every method: three starts (seeds) each.
#
# **Predict.** Raw pixels told 8 from 9 nine times in ten. What will the trained spaces reach, which are
# nearly perfect on 0 to 7? More, less, or as much? And which of the three most?

# %% tags=["walk"]
runs = [lesson01.learn(method, data, seed=seed) for method in lesson01.METHODS for seed in range(3)]
print(f"{'raw pixels':12s} two of 0 … 7: {pixels[0]:6.1%}   8 against 9: {pixels[1]:.0%}")
for method in lesson01.METHODS:
    known, new = np.transpose([lesson01.both(r.embeddings, data) for r in runs if r.method == method])
    print(f"{method:12s} two of 0 … 7: {known.mean():6.1%}   8 against 9:", *[f"{v:.0%}" for v in new])

# %% [markdown] tags=["answer", "walk"]
# On the digits it learnt, every method is nearly perfect. On 8 against 9 all of them fall from 90 %
# towards a coin toss, and which one falls deepest is a matter of the seed: from three seeds there is no
# winner to be named.
#
# So training made it worse? Careful: two things have changed at once. The pixels are 64 numbers, the
# embeddings 2. A **control** changes one of them: the same two numbers without any training, and the same
# training with room for sixteen.

# %% [markdown]
# **Predict.** A network that has learnt *nothing* (random weights) turns each image into 2 numbers, or
# into 16. Does it tell 8 from 9 better or worse than the trained one? And PCA, which knows no labels either?

# %%
rows = pd.DataFrame(lesson01.controls(data, seeds=range(100, 108)))
fig, both = plt.subplots(1, 2, figsize=(11, 3.4), sharex=True, sharey=True)
for axes, dimensions in zip(both, (2, 16), strict=True):
    some = rows[rows["dimensions"] == dimensions]
    sns.stripplot(some, x="share", y="space", hue="space", size=9, alpha=0.8, ax=axes)
    axes.axvline(pixels[1], color="black", linestyle="--")
    axes.set(title=f"{dimensions} numbers", xlabel="8 against 9: share right", ylabel="", xlim=(0.45, 1))
fig.suptitle("A dot for each of eight seeds; dashed: the raw pixels")

# %%
rows.groupby(["dimensions", "space"])["share"].agg(["mean", "std"]).round(3)

# %% [markdown] tags=["answer"]
# **Two dimensions alone could explain the fall**: PCA, which learns no labels, loses half as much there as
# the trained network, and an untrained network as much or more. In sixteen there is room, PCA is back at
# the pixels' level, and now the claim holds: on average the trained network is 8 points (± 6) *below* the
# network that it started from, and 17 below the pixels. Training spent the room on what it was asked for.
#
# It is no law of nature. We put other pairs aside in the same way, sixteen dimensions, the same eight seeds
# (in brackets: 95 % interval of the difference trained − untrained, seeds paired):
#
# | put aside | raw pixels | PCA | untrained | trained | difference |
# |---|---|---|---|---|---|
# | 8, 9 | 90 % | 91 % | 82 % | 73 % | −8 (−14 to −3) |
# | 0, 1 | 100 % | 99 % | 96 % | 88 % | −8 (−11 to −4) |
# | 2, 3 | 95 % | 94 % | 86 % | 84 % | −2 (−5 to +1) |
# | 4, 7 | 96 % | 96 % | 90 % | 89 % | −1 (−5 to +3) |
#
# Twice clearly worse, never better. (Sixteen other seeds: −8, −9, −4 and 0, so that three of the four are
# worse. In *two* dimensions training helped for 2, 3 and 4, 7, by some 10 points, and for the other two
# it made no difference that eight seeds show: a random shadow of 64 numbers is a bad one. All on one
# split of the images.)

# %% [markdown] tags=["walk"]
# Watch how it happens. Start at epoch 0 and press the right arrow key: **what becomes of the triangles and
# squares while the grey heaps draw together? Is there a seed in which the two stay apart?**

# %% tags=["walk"]
watch = Epochs(data, [run for run in runs if run.method != "DeepID2"])
watch

# %% tags=["nbval-check-output"]
watch.epoch.value, watch.seed.value = 1, 2  # the same by code: one epoch, third seed
assert watch.error is None
print(watch.epoch.value, watch.seed.value)
watch.reset()

# %% [markdown] tags=["walk"]
# A network keeps what its loss asks for, and **throws away the rest**. What tells 3 from 7 is kept, since
# somebody asked. What tells 8 from 9 was never asked for, and in two dimensions there is no room to keep it
# by chance. The strangers land among the classes they happen to resemble.
#
# So what would help? More room (more dimensions), and more *classes*: the more differences have been
# asked for, the more likely one of them is the one you need. Sixteen dimensions; some of the digits 0 to
# 7 learnt, others for each of three seeds:

# %%
for count in (2, 4, 6, 8):
    new = [lesson01.after_learning(count, seed) for seed in range(3)]
    print(f"{count} digits learnt: 8 against 9", *[f"{value:.0%}" for value in new])

# %% [markdown]
# Three seeds scatter. With eight of them we measured 64, 70, 76 and 73 % (± 3) for 2, 4, 6 and 8 digits:
# up, and then level as far as we can tell. (More classes here also means more images.) And always below
# the raw pixels, and below the untrained network: eight digits are no world. That is why face recognition
# needs **many people more than many photos of each**: DeepFace learnt from 4,030 people, DeepID2 from
# about 8,000, ArcFace from 85,000. From enough people a network learns the *directions in which faces
# differ*, and those carry over to somebody new.
#
# The Japanese slides call a test with people who were not in the training *open-set*. Every test worth the
# name is one.

# %% [markdown]
# ## 5 · Learning only weights: DeepFace's χ²
#
# DeepFace compared two faces $f_1, f_2$ (4096 numbers behind a ReLU, none negative) by
#
# $$\chi^2(f_1, f_2) = \sum_i w_i\, \frac{(f_1[i] - f_2[i])^2}{f_1[i] + f_2[i]}$$
#
# and learnt only the weights $w_i$ from pairs, by a linear support vector machine. This is metric
# learning in its smallest form: the space stays, its axes are stretched.
#
# ### Exercise 01.2 · The weighted χ²
#
# Write it for two arrays. Mind the components that are 0 in both.


# %% tags=["exercise"]
def chi_squared(f1, f2, w):
    return ...


# %% tags=["solution"]
def chi_squared(f1, f2, w):
    total = f1 + f2
    return np.sum(w * (f1 - f2) ** 2 / np.where(total > 0, total, 1))


# %% tags=["check"]
exercises.check("01.2", chi_squared)

# %% [markdown]
# Pixels are not negative either, so we can try. The weights learn from pairs of the digits 0 to 7; measured
# is the *equal error rate* of verification, where both errors are alike (lower is better, guessing gives
# 50 %).
#
# **Predict.** 64 weights cannot learn eight classes by heart. Will *they* carry over to 8 and 9?

# %%
a, b, same = lesson01.balanced_pairs(data.labels, data.learn)
w = torch.tensor(lesson01.chi_squared_weights(data.images[a], data.images[b], same))

# %%
images = torch.tensor(data.images)
for name, rows in (("two of 0 … 7", data.fresh), ("8 and 9", data.unseen)):
    a, b, same = lesson01.balanced_pairs(data.labels, rows, seed=1)
    for kind, weights in (("plain χ²", None), ("weighted χ²", w)):
        distance = losses.weighted_chi_squared(images[a], images[b], weights)
        print(f"{name:13s} {kind:12s} equal error rate {fl.metrics.eer(-distance.numpy(), same):.1%}")

# %% [markdown] tags=["answer"]
# For the digits learnt from, the weights help. For 8 and 9 they gain next to nothing, and other pairs
# that we put aside in turn fared no better: the learnt weights made verification *worse* for 0 and 1
# (from 14 to 18 %), 2 and 3, 4 and 7, 1 and 7, and better, by 1 to 3 points, for 3 and 5, 6 and 8. Even
# 64 numbers fit the classes they were shown. For faces, with thousands of people to learn from, DeepFace
# reports that the weights helped.

# %% [markdown]
# ## 6 · The same for faces
#
# Enough of digits. The 128 numbers of lesson 00 come from a network that was trained by classification,
# with a loss that lessons 03 and 04 explain, on the photos of a great many people. Some of LFW's public
# figures may have been among them; its makers do not say whom they left out. Most of LFW's 5,749 people
# are known from a single news photo.

# %% tags=["nbval-check-output"]
lfw = fl.datasets.lfw_templates()
print(f"{len(lfw):,} vectors of {len(lfw.counts):,} people, {len(lfw.names)} of them named")

# %% [markdown] tags=["walk"]
# Ten of the named people, thirty photos each. On the left a map; on the right a *dial* with the chosen face
# in its middle and every other face at its true distance. Point at a face for its name, click to choose it,
# or press <kbd>Tab</kbd> and use the arrow keys. In the fold below the picture you choose other people.
#
# **Three questions.**
#
# 1. On the PCA map, do the ten people lie apart? And on the dial?
# 2. On the t-SNE map everybody is an island. Is the nearest island the person who is nearest on the dial?
#    Then look at **UMAP, seed 1** and **seed 2**: the same vectors, the same method, another draw of the
#    dice. Which gaps between islands survive the change of seed?
# 3. *Draw a circle* on the dial: drag it, or move the radius. Who is inside? The slides say: 원을 그리고
#    원 안에 있으면 같은 사람, "draw a circle, and whoever is inside is the same person". Is there a radius
#    that is right for all?

# %% tags=["walk"]
faces = EmbeddingMap(lfw)
faces

# %% [markdown]
# A map of two dimensions must lie about 128: PCA shows a fifth of the variance and lays people on each
# other who are far apart; t-SNE keeps neighbours together and makes up the rest, so that neither the gaps
# between islands nor their sizes mean much. UMAP is of the same kind. (Two of its maps came with the
# course; *fitted now* makes another, which takes some ten seconds the first time.) The dial is honest,
# but sees from one face only.
#
# **Predict.** Ten people, 45 gaps between them. If the gaps of one UMAP map agree with those of the other
# in rank, Spearman's ρ is 1; if they have nothing to do with each other, 0. What will it be?

# %%
ten = np.concatenate([lfw.of(name)[:30] for name in PEOPLE])
who = np.repeat(np.arange(10), 30)
gaps = {name: lesson01.gaps(np.array(points), who) for name, points in faces.maps.items()}
gaps["true, 128 numbers"] = lesson01.gaps(ten, who)
agreement = pd.DataFrame(gaps).corr(method="spearman")

# %%
axes = plt.subplots(figsize=(8.5, 4.6))[1]
sns.heatmap(agreement, annot=True, fmt=".2f", vmin=-1, vmax=1, cmap="vlag", cbar=False, ax=axes)
axes.tick_params(axis="x", rotation=25)
axes.set_title("Do two maps agree which people are far apart? (Spearman's ρ)")

# %%
for name, points in faces.maps.items():
    flat = np.array(points)
    away = np.linalg.norm(flat[:, None] - flat, axis=2) + 9 * np.eye(300)
    same_person = np.sum(who[away.argmin(axis=1)] == who)
    print(f"{name:14s} nearest point is the same person: {same_person} of 300")

# %% [markdown] tags=["answer"]
# **The gaps survive only in part, and one cannot see which**: between these two seeds ρ is 0.2, and with
# the truth 0.1 and 0.4, where PCA, the humblest of the maps, has 0.8. (Ten other seeds: 0.03 to 0.74
# between two maps, 0.4 on average; with the truth 0.2 to 0.5.) What survives in UMAP and t-SNE is *who
# lies next to whom*: the nearest point is the same person 300 times in 300, which PCA does not manage. So
# read the islands, never the sea between them.

# %%
faces.choose("Jennifer_Capriati", 30)
print(faces.words())
for name, photo, away in faces.neighbours(3):
    print(f"   {name} {photo}: {away:.2f}")

# %%
faces.radius = 0.75  # wide enough for all of her photos?
print(faces.words())

# %% [markdown]
# Her photo 30 is a hard one: the circle that lets all her other photos in lets a stranger in too. And yet
# her *nearest* neighbours are all herself. Hold on to that difference.

# %% [markdown]
# ## 7 · Three uses of one space
#
# The slides put it in three lines. All three need nothing but distances.
#
# ### Verification = a threshold
#
# One radius for everybody. Choose it on one set of pairs (LFW's *devtrain*), use it on another (*devtest*):

# %%
train, test = (1 - lfw.scores(name) for name in ("devtrain", "devtest"))
grid = np.linspace(0.3, 1.0, 141)
right = [np.mean((train <= t) == lfw.pairs["devtrain"].same) for t in grid]
threshold = grid[np.argmax(right)]

# %%
accuracy = np.mean((test <= threshold) == lfw.pairs["devtest"].same)
print(f"radius {threshold:.3f}: {max(right):.1%} right on devtrain, {accuracy:.1%} on devtest")

# %% [markdown]
# ### Identification = k nearest neighbours
#
# Whoever is nearest in the gallery gives the name. To enrol somebody is to add a row; nothing is trained.
#
# ### Exercise 01.3 · k-NN
#
# `names` and `distances` are lists of the gallery's photos. The `k` nearest vote; among equals the nearer
# wins.


# %% tags=["exercise"]
def identify(names, distances, k):
    return ...


# %% tags=["solution"]
def identify(names, distances, k):
    from collections import Counter

    nearest = [names[place] for place in np.argsort(distances)[:k]]
    return Counter(nearest).most_common(1)[0][0]


# %% tags=["check"]
exercises.check("01.3", identify)

# %% [markdown]
# Now for real: one photo of each of the 158 named people is the gallery, their other 4,166 photos are the
# probes. Guessing would be right once in 158 times.
#
# **Predict.** How many of the 4,166 get the wrong name?

# %%
from facelab.course.widgets.guess import Guess

guess = Guess("01-wrong", "Of 4,166 photos, how many get the wrong name?", "", 1, 4166, powers=True)
guess

# %% tags=["nbval-check-output"]
named = np.isin(lfw.identity, list(lfw.names))
vectors, person, number = lfw.vectors[named], lfw.identity[named], lfw.number[named]
gallery = number == 1
nearest = np.argmax(vectors[~gallery] @ vectors[gallery].T, axis=1)
wrong = np.sum(person[gallery][nearest] != person[~gallery])
print(f"{wrong} of {np.sum(~gallery):,} wrong, from one photo each")

# %%
guess.reveal(wrong)

# %% [markdown]
# ### Clustering = k-means
#
# Nobody gives names at all: sort a heap of photos by person. **k-means** starts with $k$ centres, gives
# every vector to the nearest centre, moves each centre to the mean of its vectors, and repeats. (One
# slide says "가까운 사람 k명씩", "the near ones, k people each". Careful: k is the number of *clusters*, not
# the size of one.)
#
# ### Exercise 01.4 · One step of k-means
#
# `vectors` (N, D) and `centres` (K, D) → the new centres (K, D), with Euclidean distances.


# %% tags=["exercise"]
def k_means_step(vectors, centres):
    return ...


# %% tags=["solution"]
def k_means_step(vectors, centres):
    table = np.linalg.norm(vectors[:, None] - centres[None], axis=2)
    nearest = table.argmin(axis=1)
    return np.stack([vectors[nearest == k].mean(axis=0) for k in range(len(centres))])


# %% tags=["check"]
exercises.check("01.4", k_means_step)

# %% [markdown]
# Euclidean, though our distance is the cosine's? On vectors of length 1 the two agree on who is nearer,
# since $\lVert F_1 - F_2 \rVert^2 = 2\,(1 - F_1 \cdot F_2)$: twice the cosine distance.
#
# **Predict.** The 300 photos on the map, without names, sorted into 10 heaps: how many end up in the wrong
# heap? And if we ask for 8 heaps, or 15?

# %%
for k in (8, 10, 15):
    share = lesson01.majority(lesson01.k_means(ten, k), who)
    split = sum(parts > 1 for parts in lesson01.pieces(lesson01.k_means(ten, k), who).values())
    print(f"k = {k:2d}: {share:.0%} with the majority of their heap, {split} people split over several heaps")

# %% [markdown] tags=["answer"]
# With $k = 10$ it is **perfect**, without one name. With another $k$ it is wrong, and k-means does not say
# so: it always returns $k$ heaps. Now all 158 people, whose photos are anything from 10 to 530:

# %%
heaps = lesson01.k_means(vectors, len(lfw.names))
parts = lesson01.pieces(heaps, person)
most = max(parts, key=parts.get)
print(f"{lfw.names[most].replace('_', ' ')} ({np.sum(person == most)} photos) → {parts[most]} heaps")
mixed = sum(len(np.unique(person[heaps == heap])) > 1 for heap in range(len(lfw.names)))
print(f"{mixed} of {len(lfw.names)} heaps mix several people")

# %% [markdown]
# The right number of clusters, the same good space, and it fails: k-means likes heaps of equal size.
# Cutting 530 photos of one president in pieces saves more squared distance than keeping two people apart
# who have ten photos each. (Programs that sort your holiday photos therefore use other methods, which
# link neighbours and do not need $k$.)
#
# ### Three answers, three units
#
# On the same 300 photos: k-means made no mistake, and the nearest neighbour?

# %% tags=["nbval-check-output"]
distance = 1 - ten @ ten.T
np.fill_diagonal(distance, np.inf)
print(f"nearest neighbour: {np.sum(who[distance.argmin(axis=1)] != who)} of 300 wrong")

# %% [markdown]
# And the best single radius that there is, chosen with the answers in hand?

# %%
i, j = np.triu_indices(300, 1)
pair, same = distance[i, j], who[i] == who[j]
errors = [np.sum((pair <= radius) != same) for radius in grid]
print(f"best radius {grid[np.argmin(errors)]:.3f}: {min(errors)} of {len(pair):,} pairs wrong")
print(f"farthest same person {pair[same].max():.2f}, nearest strangers {pair[~same].min():.2f}")

# %% [markdown]
# Here no radius fits everybody: the farthest photos of one person lie farther apart than the nearest
# strangers do. Identification only asks who is *nearer*, so each face may bring a scale of its own. A
# threshold asks for one circle for all: the hard photo and the easy one, the person with a double and the
# one without. Most of the losses in the next lessons were invented to make that one circle fit better.
#
# Does that make verification the hardest of the three? It is tempting to say so. Look at the 158 people:

# %%
scores = vectors @ vectors.T
a, b = np.triu_indices(len(vectors), 1)
eer = fl.metrics.eer(scores[a, b], person[a] == person[b])
print(f"identification: {wrong / np.sum(~gallery):.2%} of probes get a wrong name (from one photo each)")
print(f"verification: {eer:.2%} of pairs are judged wrongly, where both errors are alike (EER)")

# %% [markdown]
# Two numbers of one size, and no ranking in them. Both are fragile, too: with another photo of each
# person enrolled the first was anything from 0.2 to 6 %, and 60 % of the second's pairs of one person are
# one president's. One counts *probes*, of which each had 157 chances to meet a double; the other counts
# *pairs*. With a larger gallery the first grows and the second does not; another threshold moves the
# second and not the first. Which is harder depends on the gallery, on the threshold and on what an error
# costs. Lesson 09 does that sum for a door.

# %%
exercises.progress()

# %% [markdown]
# ## What to remember
#
# - An **embedding** is a network's answer to a loss. It keeps what was asked for and throws away the rest.
# - **Induced** (softmax, then cut off the last layer: DeepFace) or **direct** (pairs and a margin: Siamese,
#   contrastive), or both (DeepID2). On learnt classes all work; our small tests name no winner.
# - On classes **never learnt**, a space from eight digits was *worse* than raw pixels, and at best as
#   good as that of an untrained network. It gets better with more classes: hence thousands of people.
# - Compare like with like: two dimensions alone could have explained what looked like the harm of training.
# - **Measure on people who were not in the training.** The other number is nearly always close to 100 %,
#   and tells nothing.
# - Verification = one threshold; identification = nearest neighbours; clustering = k-means, if you know $k$
#   and the heaps are alike in size. They count different things, so their error rates do not rank them.
# - A flat map with names is a picture for people. Neighbours on it are real, gaps are not: with another
#   seed they are others. Read distances from the distances.
#
# Next: [02 · Triplet loss](02_triplet_loss.ipynb). Why not simply say "nearer to this one than to that
# one"?
#
# ## Sources
#
# Slides: *Face Recognition* by Kim Ji Seong (metric learning, inference step, "induced" and "direct");
# *FaceNet* notes (verification = thresholding, identification = k-NN, clustering = k-means, DeepFace,
# DeepID2); *Open-Set Face Recognition* (contrastive loss); *Face Recognition* by T. Karasawa, pages 5–6.
#
# 1. Y. Taigman, M. Yang, M. Ranzato, L. Wolf. *DeepFace: Closing the Gap to Human-Level Performance in Face
#    Verification.* CVPR 2014.
# 2. Y. Sun, Y. Chen, X. Wang, X. Tang. *Deep Learning Face Representation by Joint
#    Identification-Verification* (DeepID2). NIPS 2014. [arXiv:1406.4773](https://arxiv.org/abs/1406.4773)
# 3. R. Hadsell, S. Chopra, Y. LeCun. *Dimensionality Reduction by Learning an Invariant Mapping.* CVPR
#    2006; and, for faces, S. Chopra, R. Hadsell, Y. LeCun. *Learning a Similarity Metric
#    Discriminatively, with Application to Face Verification.* CVPR 2005.
# 4. L. van der Maaten, G. Hinton. *Visualizing Data using t-SNE.* JMLR 9, 2008. L. McInnes, J. Healy,
#    J. Melville. *UMAP.* 2018. [arXiv:1802.03426](https://arxiv.org/abs/1802.03426)
#
# Data: digits of E. Alpaydin and C. Kaynak (UCI), in scikit-learn; LFW, see lesson 00.
