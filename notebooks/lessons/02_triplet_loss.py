# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown] tags=["walk"]
# # 2 · Triplet loss: why not simply *say* "nearer to this one than to that one"?
#
# A classifier learns names, and good distances come as a by-product. In 2015 FaceNet asked for the
# distances themselves. The idea fits into one line; what it takes to make the line work fills this
# lesson.
#
# **Goals.** Afterwards you can
#
# - write down the triplet inequality and its loss, and say which way each of the three points is moved;
# - tell easy, semi-hard and hard triplets apart, and say which of them teach something;
# - count triplets, and say why there are too many of them and too few at the same time;
# - recognise a collapsed network by its loss, and say what it died of.
#
# **Prerequisites.** Lessons 00 and 01: embedding, distance, verification, EER. A derivative of a square.
#
# **Minutes.** 90 with the exercises; as a walk (▸), 45.

# %%
import facelab as fl
import matplotlib.pyplot as plt
import numpy as np
import torch
from facelab import losses, metrics
from facelab.course import exercises, plots
from facelab.training import balanced_batches, embeddings_of, fit, seeded

plots.use_style()
torch.set_num_threads(1)  # the matrices of this lesson are so small that one thread is fastest

# %% [markdown] tags=["walk"]
# ## 1 · From "induced" to "said"
#
# Training on names only *induces* (유도) a good embedding, say the slides; would it not be better to ask for
# it *directly* (직접적으로)? FaceNet [1] takes three photos at a time:
#
# | English | 한국어 | 日本語 | What it is |
# |---|---|---|---|
# | anchor, $x_i^a$ | 기준, 앵커 | アンカー | the photo that the other two are compared with |
# | positive, $x_i^p$ | 같은 인물 | ポジティブ | *another* photo of the same person |
# | negative, $x_i^n$ | 다른 인물 | ネガティブ | a photo of anybody else |
# | triplet | 삼중항, 트리플릿 | トリプレット | the three together |
# | margin, $\alpha$ | 마진 | マージン | how much farther the negative has to be |
#
# and wants, for every triplet, with $f$ the embedding and all $f(x)$ of length 1:
#
# $$\overset{d_1}{\|f(x_i^a) - f(x_i^p)\|_2^2} + \alpha < \overset{d_2}{\|f(x_i^a) - f(x_i^n)\|_2^2}
# \qquad (1)$$
#
# In words: *the negative is farther away than the positive, by α at least*. Note what it does not say: no
# name, no class, no threshold. Only an order, within each triplet.

# %%
lfw = fl.datasets.lfw_templates()  # f(x) for every photo of LFW, from the SFace network
serena, venus, powell = (lfw.of(name) for name in ("Serena_Williams", "Venus_Williams", "Colin_Powell"))
print(
    f"{len(serena)} photos of Serena Williams, {len(venus)} of Venus Williams, {len(powell)} of Colin Powell"
)


# %%
def squared_distance(u, v):
    return ((u - v) ** 2).sum(axis=-1)


# %% tags=["nbval-check-output", "walk"]
alpha = 0.2  # as in the paper
a, p, n = serena[0], serena[1], powell[0]
d1, d2 = squared_distance(a, p), squared_distance(a, n)
print(f"d1 = {d1:.2f}   d2 = {d2:.2f}   d1 + α < d2: {d1 + alpha < d2}")

# %% [markdown]
# On vectors of length 1 this is the cosine distance of lesson 00 in another dress:
# $\|u - v\|^2 = 2 - 2\,u \cdot v$, twice the cosine distance, between 0 and 4.
#
# **Predict.** Serena and Venus Williams are sisters. Take every triplet with two photos of Serena and one
# of Venus, for the network as it is. In how many of a hundred is inequality (1) broken?

# %% tags=["nbval-check-output"]
d1 = squared_distance(serena[:, None], serena)[:, :, None]  # anchors × positives × 1
d2 = squared_distance(serena[:, None], venus)[:, None, :]  # anchors × 1 × negatives
two_photos = ~np.eye(len(serena), dtype=bool)
broken = (d1 + alpha >= d2)[two_photos]
print(f"{broken.mean():.1%} of {broken.size:,}; order itself wrong: {(d1 >= d2)[two_photos].mean():.1%}")

# %% [markdown] tags=["answer"]
# A network that has never heard of triplets keeps the order in 99 of 100, for sisters. Where would a
# triplet loss still find work? Keep that question.

# %% [markdown]
# ## 2 · The loss
#
# An inequality cannot be trained; how far it is broken can. The bracket's $+$ means "0 if negative":
#
# $$\text{LOSS} = \sum_i^N \left[\|f(x_i^a) - f(x_i^p)\|_2^2 - \|f(x_i^a) - f(x_i^n)\|_2^2 + \alpha\right]_+
# = \sum_i^N \max(d_1 - d_2 + \alpha,\ 0) \qquad (2)$$
#
# ### Exercise 02.1 · The triplet loss of a batch
#
# `a`, `p` and `n` are arrays (N, D): row $i$ of the three is triplet $i$. Do not normalise.


# %% tags=["exercise"]
def triplet_loss(a, p, n, alpha):
    return ...


# %% tags=["solution"]
def triplet_loss(a, p, n, alpha):
    d1 = ((a - p) ** 2).sum(axis=1)
    d2 = ((a - n) ** 2).sum(axis=1)
    return np.maximum(d1 - d2 + alpha, 0).sum()


# %% tags=["check"]
exercises.check("02.1", triplet_loss)

# %% [markdown] tags=["walk"]
# ## 3 · Take the three points into your hands
#
# Below, embeddings have two dimensions, so that you can see them. Drag **a**, **p** and **n** with the
# mouse (or <kbd>Tab</kbd> to one and press the arrow keys; with <kbd>Shift</kbd> they go farther). The
# arrows show where one step of gradient descent would move each point. The shading is about **n**: in
# which zone does it lie, as the anchor sees it?
#
# **Predict first, then drag.**
#
# 1. Drag **n** away from the anchor until the loss is 0. What happens to the arrows, all three of them?
# 2. Back into the shaded zones. Drag only **a**. Which arrows change, and which one does not?
# 3. Now the important one. Drag **n** slowly *onto* **a**: the worst error there is, two people at one
#    point. Is **n** pushed away harder and harder? Watch its arrow, and the length of its gradient.
# 4. Press *Reset*, then *One step* until the loss is 0. How many steps?
# 5. Tick *on the unit circle* (FaceNet's embeddings have length 1). Where must **n** be so that nothing
#    pushes it although it is as wrong as can be?

# %% tags=["walk"]
from facelab.course.widgets.triplet import Triplet

triplet = Triplet()
triplet

# %% [markdown]
# What you saw, from the keyboard of a program. A wrong negative, ever nearer to the anchor:

# %% tags=["nbval-check-output"]
a = np.array(triplet.anchor)
for distance in (0.6, 0.3, 0.1, 0.01):
    triplet.negative = (a[0], a[1] - distance)
    pull, push = np.linalg.norm(triplet.gradients[1:], axis=1)
    print(f"√d2 = {distance:4}   loss {triplet.loss:.2f}   pull on p {pull:.2f}   push on n {push:.2f}")
assert triplet.error is None

# %% [markdown]
# **The nearer the stranger, the weaker the push**, while the pull on the positive stays. That is no bug of
# the widget. Differentiate one term of equation (2), where it is not 0:
#
# $$\frac{\partial L}{\partial f(x^p)} = 2\,\big(f(x^p) - f(x^a)\big) \qquad
# \frac{\partial L}{\partial f(x^n)} = 2\,\big(f(x^a) - f(x^n)\big)$$
#
# A square is flat at its bottom. Pulling together always works; pushing apart works only on those who are
# already apart. (On the circle the same holds: two points at one place have no way to go.) This will come
# back in section 6, with a whole network.
#
# ### Exercise 02.2 · The gradient by the anchor
#
# Now $\partial L / \partial f(x^a)$, for one triplet: three vectors (D,) in, one out. Remember question 2.


# %% tags=["exercise"]
def anchor_gradient(a, p, n, alpha):
    return ...


# %% tags=["solution"]
def anchor_gradient(a, p, n, alpha):
    d1, d2 = ((a - p) ** 2).sum(), ((a - n) ** 2).sum()
    return 2 * (n - p) if d1 - d2 + alpha > 0 else np.zeros_like(a)


# %% tags=["check"]
exercises.check("02.2", anchor_gradient)

# %% [markdown]
# The zones have names, and the names are all that the rest of this lesson is about:
#
# | zone of the negative | condition | loss | |
# |---|---|---|---|
# | **easy** | $d_2 \ge d_1 + \alpha$ | 0 | inequality (1) holds; no gradient: the photo teaches nothing |
# | **semi-hard** | $d_1 < d_2 < d_1 + \alpha$ | between 0 and α | right order, margin not kept |
# | **hard** | $d_2 \le d_1$ | α and more | wrong order: the stranger is nearer |
#
# ### Exercise 02.3 · Easy, semi-hard or hard?


# %% tags=["exercise"]
def kind_of_triplet(d1, d2, alpha):
    return ...


# %% tags=["solution"]
def kind_of_triplet(d1, d2, alpha):
    if d2 <= d1:
        return "hard"
    return "semi-hard" if d2 < d1 + alpha else "easy"


# %% tags=["check"]
exercises.check("02.3", kind_of_triplet)

# %% [markdown]
# ## 4 · How many triplets are there?
#
# Two people with ten photos each, say the slides:
# class × anchor × positive × negative = 2 · 10 · 9 · 10 = 1800.

# %% tags=["nbval-check-output"]
two_people = torch.tensor([0] * 10 + [1] * 10)
print(losses.count_triplets(two_people))

# %% [markdown]
# **Predict.** LFW is small: 13,233 photos of 5,749 people. Half a million triplets? A hundred million?

# %% tags=["nbval-check-output"]
print(f"{len(lfw):,} photos of {len(lfw.counts):,} people: {losses.count_triplets(lfw.identity):,} triplets")

# %% [markdown] tags=["answer"]
# Six thousand million, although 4,069 of the people have but one photo and cannot even be an anchor.

# %% [markdown]
# ### Exercise 02.4 · How many triplets?
#
# `photos` is a list: how many photos there are of each person. `[10, 10]` gives 1800.


# %% tags=["exercise"]
def number_of_triplets(photos):
    return ...


# %% tags=["solution"]
def number_of_triplets(photos):
    N = sum(photos)
    return sum(n * (n - 1) * (N - n) for n in photos)


# %% tags=["check"]
exercises.check("02.4", number_of_triplets)

# %% [markdown]
# FaceNet had some 200 million photos of 8 million people, 25 of each on average. If somebody's machine
# could look at a million triplets a second:

# %% tags=["nbval-check-output"]
people, each = 8_000_000, 25
triplets = people * each * (each - 1) * (people - 1) * each
print(f"{triplets:.1e} triplets, {triplets / 1e6 / 3600 / 24 / 365:,.0f} years")

# %% [markdown] tags=["walk"]
# Nobody looks at all of them. The question is which ones to look at. And it is sharper than it seems:
#
# **Predict.** Draw triplets at random, from people with at least four photos. For the SFace network of
# section 1, how many of them have any loss at all?

# %%
from facelab.course.widgets.guess import Guess

guess = Guess("02-loss", "How many triplets have a loss?", "%", 0.01, 100, powers=True)
guess

# %%
from facelab.course.lesson02 import (
    random_triplets,
    shares,
    split_people,
    squared_distances,
    verification_pairs,
)

train, test = split_people(lfw, train_from=4)  # people with four photos or more; people with two or three
drawn = random_triplets(lfw.identity[train], 20_000)

# %% tags=["nbval-check-output", "walk"]
for kind, share in shares(*squared_distances(lfw.vectors[train], drawn), alpha).items():
    print(f"{kind:10} {share:7.2%}")

# %%
guess.reveal(100 - 100 * shares(*squared_distances(lfw.vectors[train], drawn), alpha)["easy"])

# %% [markdown] tags=["answer", "walk"]
# **There are far too many triplets, and hardly any that teach.** The better the network, the more are easy:
# of 1,000 triplets drawn, 998 would be computed for nothing. Choosing the others is called *mining*.

# %% [markdown]
# ## 5 · Three ways of choosing
#
# All choose within a *batch* of 20 people with 4 photos each (FaceNet: about 40 photos per person, 1,800 in
# all):
#
# - **all**: every triplet of the batch, easy ones too: 20 · 4 · 3 · 76 = 18,240;
# - **semi-hard** (FaceNet): for each pair of anchor and positive, the nearest negative that is *farther*
#   than the positive and still within the margin, $d_1 < d_2 < d_1 + \alpha$; where there is none, the
#   pair is left out;
# - **hard**: for each anchor the farthest positive and the nearest negative ("batch hard", [2]).
#
# The task. SFace's 128 numbers leave little to learn, so we make it hard on purpose: find **one matrix**
# that turns 128 numbers into **8**, such that people can still be told apart. Eight numbers at half
# precision are 16 bytes: an LFW of 5,749 people in 90 kB. That matrix is the network. We train it on the
# people with four photos and more and test it on people it has never seen.

# %%
x, y = torch.tensor(lfw.vectors[train]), torch.tensor(lfw.identity[train])
unseen, pairs = lfw.vectors[test], verification_pairs(lfw.identity[test])
print(f"train: {len(x):,} photos of {len(y.unique())} people")
print(f"test:  {len(unseen):,} photos of {len(np.unique(lfw.identity[test])):,} other people,")
print(f"       {pairs.same.sum():,} pairs of the same person, {(~pairs.same).sum():,} of two people")


# %%
def verify(vectors):
    scores = pairs.scores(vectors)
    return metrics.eer(scores, pairs.same), float(metrics.tar_at_far(scores, pairs.same, far=0.01))


# %% [markdown]
# What is there to gain? The equal error rate, and the share of genuine pairs accepted when one impostor
# pair in a hundred is (TAR at FAR 1 %); with all 128 numbers, and with 8 that know nothing of people: the
# eight directions in which the photos vary most (PCA).

# %%
middle = lfw.vectors[train].mean(0)
directions = np.linalg.svd(lfw.vectors[train] - middle, full_matrices=False)[2]
print("128 numbers:      EER {:5.1%}   TAR {:5.1%}".format(*verify(unseen)))
print("8 numbers by PCA: EER {:5.1%}   TAR {:5.1%}".format(*verify((unseen - middle) @ directions[:8].T)))


# %% [markdown]
# The training, whole: 20 epochs of 20 batches.


# %%
def balanced(epoch, generator):
    return balanced_batches(y, people=20, photos=4, batches=20, generator=generator)


def train_matrix(loss, numbers=8, seed=0):
    with seeded(seed):
        matrix = torch.nn.Linear(128, numbers, bias=False)
    run = fit(matrix, loss, x, y, epochs=20, batches=balanced, seed=seed, device="cpu", progress=False)
    return run, verify(embeddings_of(matrix, unseen).numpy())


# %% [markdown] tags=["walk"]
# **Predict** before you run it. Which mining gives the lowest error on people never seen? Many say:
# *hard, of course; one learns most from one's worst mistakes.* And what would a network learn from easy
# triplets only? We can ask that too:


# %%
class EasyOnly(losses.TripletLoss):
    def mine(self, d2, labels):
        a, p, n = losses.triplet.all_triplets(labels)
        easy = d2[a, n] >= d2[a, p] + self.margin
        return a[easy], p[easy], n[easy]


# %% [markdown]
# One more, to tell two things apart. "All" takes the mean over 18,240 triplets, and the easy ones count
# in it as zeros. **Non-zero** takes the *same* triplets and the mean over those that have a loss. No
# gradient is added and none taken away; all are multiplied by one number, which is larger the fewer have
# a loss.


# %%
class NonZero(losses.TripletLoss):
    def mine(self, d2, labels):
        a, p, n = losses.triplet.all_triplets(labels)
        broken = d2[a, n] < d2[a, p] + self.margin
        return a[broken], p[broken], n[broken]


# %% [markdown]
# Each of them three times, since another seed is another random matrix to begin with and other batches.
# This takes some seconds:

# %%
SEEDS = (0, 1, 2)


def compare(minings, numbers=8):
    return {name: [train_matrix(loss, numbers, seed) for seed in SEEDS] for name, loss in minings.items()}


minings = {name: losses.TripletLoss(alpha, mining=name) for name in ("all", "semi-hard", "hard")}
results = compare({"easy only": EasyOnly(alpha), "non-zero": NonZero(alpha)} | minings)


# %% tags=["walk"]
def table(results):
    for name, runs in results.items():
        eers, tars = zip(*(rates for _, rates in runs), strict=True)
        each, last = " ".join(f"{eer:.1%}" for eer in eers), np.mean([run.loss[-20:] for run, _ in runs])
        print(f"{name:9}  EER {np.mean(eers):5.1%} ({each})  TAR {np.mean(tars):5.1%}  last loss {last:.3f}")


table(results)

# %% [markdown] tags=["walk"]
# *Easy only* had a loss of 0 at every step, so its matrix is still the random one it began with.
# Semi-hard is ahead of all triplets; but look at *non-zero*, which chooses nothing: over six seeds it
# reached 10.1 %, semi-hard 9.9 % and all 10.8 %. **Most of what semi-hard seemed to win by its mining was
# won by the averaging**: leave the zeros out of the mean, and three quarters of the lead are gone. (Why,
# we have not tested: Adam divides a *constant* factor out of the gradient, and the share of zeros is not
# constant.) And **hard triplets did worse than PCA**, three times out of three: 400 steps, and back where
# the random matrix stood. (How much to believe? Seeds differ by half a percentage point or more, and
# other people than these would shift all rows together. Trust the large difference; take the small one
# with care.) Before you go on, look at the last column: does its last number remind you of something?
#
# ## 6 · What happened to the hard one?
#
# The same three runs (seed 0), epoch by epoch, on triplets of the training people. Above: how far apart two
# photos of one person are ($d_1$), and photos of two people ($d_2$). Below: how many triplets are easy,
# semi-hard, hard.
#
# **Move the slider from 0 to 5 slowly, and watch the third column.** Where does the orange heap go? And
# compare: at which epoch does the middle column stop changing?

# %% tags=["walk"]
from facelab.course.widgets.mining import MiningReplay

replay = MiningReplay({name: results[name][0][0] for name in minings}, drawn, alpha)
replay

# %%
for epoch in (0, 1, 2, 5, 20):
    replay.epoch.value = epoch
    easy = {name: replay.shares_of(name)["easy"] for name in minings}
    print(f"epoch {epoch:2}: easy   " + "   ".join(f"{name} {share:4.0%}" for name, share in easy.items()))
assert replay.error is None

# %% [markdown]
# Hard mining *made everybody alike*. It began as the others did and moved all faces into one small cap of
# the sphere. In the end nearly all triplets are semi-hard: the order still holds, but nobody is α away
# from anybody. FaceNet's authors warn of just this: the hardest negatives can lead to bad local minima
# early in training, to a **collapsed** model [1].
#
# ### Exercise 02.5 · The loss of a network that has given up
#
# A network gives every photo the same vector. What is its loss, per triplet, with α = 0.2?

# %% tags=["exercise"]
loss_of_collapse = ...

# %% tags=["solution"]
loss_of_collapse = 0.2

# %% tags=["check"]
exercises.check("02.5", loss_of_collapse)

# %%
_, axes = plt.subplots()
for name, dashes in zip(minings, plots.DASHES, strict=False):
    axes.plot(np.reshape(results[name][0][0].loss, (20, 20)).mean(1), dashes, label=name)
axes.axhline(alpha, color="black", lw=1, label="α")
axes.set(xlabel="epoch", ylabel="loss of the triplets mined", xticks=range(0, 20, 5))
_ = axes.legend()

# %% [markdown] tags=["walk"]
# The curve of *hard* falls, and looks like learning. It falls **to α and stays there**. (And never compare
# two of these curves with each other: each averages other triplets.) Why does it not get away?
#
# You have felt the reason with your own hand. In a batch of hard triplets every negative is the *nearest*
# of 76, so the push $2(f(x^a) - f(x^n))$ is small, and every positive is the *farthest*, so the pull is
# large. Pulling wins, everything comes closer, and the closer it is the weaker the push. If that is the
# reason, it can be tested: take the distance **without the square**. Its gradient has length 1 at any
# distance, so the push no longer fades. One method changes:


# %%
class NotSquared(losses.TripletLoss):
    def squared_distances(self, embeddings):  # d instead of d², for once
        return super().squared_distances(embeddings).clamp_min(1e-12).sqrt()


# %% [markdown]
# **Predict:** does hard mining still collapse?

# %%
table(compare({"hard, d": NotSquared(alpha, mining="hard")}))

# %% [markdown] tags=["answer"]
# It does not: same batches, same mining, and it is now as good as semi-hard. (0.2 means something else
# for d than for d², so you may suspect the margin. Try `train_matrix(losses.TripletLoss(0.5,
# mining="hard"))`, and watch its loss settle at 0.5.) The paper that made batch-hard popular reports it
# too: with squared distances its training was more prone to collapse [2].

# %% [markdown]
# **Does hard mining with squared distances always collapse, then?** Honestly, no. With 16 numbers, not 8:

# %%
table(compare({"non-zero": NonZero(alpha)} | minings, numbers=16))

# %% [markdown]
# Twice the room, and hard mining is as good as semi-hard. So what we saw is this, and no more:
#
# - with 8 numbers, hard mining with squared distances collapsed at every seed; with 16 at none;
# - semi-hard never collapsed. With 8 numbers it was far ahead of hard; with 16 the two differ by less than
#   two seeds do, so there is no winner;
# - "all" was behind semi-hard both times, and it was the averaging: nearly all of its 18,240 triplets are
#   easy and the rest are drowned in the mean. Averaged over the non-zero ones, the same triplets are
#   about as good as semi-hard: over six seeds 10.1 and 9.9 % with 8 numbers, 5.0 and 5.0 % with 16
#   ("all": 10.8 and 5.9 %). Most of what won is the averaging, not the mining.
#
# The result depends on dimensions, distances, batch, learning rate. **That is the second trouble with
# triplets after their number: choosing them is part of the method**, and it can go wrong while the loss
# falls. (FaceNet mined in batches of 1,800 photos because the triplets that teach are rare. The Korean
# review among our sources adds that it is hard to repeat: the 200 million photos were never published.)

# %% [markdown]
# ## 7 · What replaced them
#
# A triplet knows three photos and forgets them. What if each person had one vector $W_j$ that *stays*, a
# centre learnt along with the network? Then a photo $x_i$ of person $y_i$ is compared with centres
# instead of photos: $W_{y_i}$ is its positive, every other $W_j$ a negative, and nothing has to be mined.

# %% tags=["nbval-check-output"]
with_centres = len(lfw) * (len(lfw.counts) - 1)
print(f"{losses.count_triplets(lfw.identity):13,} triplets of photos")
print(f"{with_centres:13,} triplets of a photo, its centre and another centre")

# %% [markdown]
# Eighty times fewer already in LFW; it grows with photos × people instead of photos³, and **every step of
# training sees all negatives**, weighted by how near they are. Does this remind you of something? A
# vector for each class, compared with $x$ by an inner product: it is the last layer of a classifier. One
# comes back to *names*, and takes FaceNet's insight along: what must be trained is the distance, **with a
# margin**. The slides' Table 4 shows where that led: FaceNet, 200 million photos, 99.63 % on LFW;
# ArcFace, 5.8 million photos, 99.83 %. (Lesson 08 asks what such differences mean.) How one builds a
# margin into a softmax is [lesson 03](03_angular_margins.ipynb).

# %% [markdown]
# ## 8 · Centre loss, and the five families
#
# The **centre loss** [3] also keeps a vector for each person, beside a softmax. Softmax holds the people
# apart; the centre loss holds each of them together:
#
# $$L = L_{softmax} + \lambda\, L_C, \qquad L_C = \frac{1}{2N} \sum_{i=1}^{N} \|x_i - c_{y_i}\|_2^2$$
#
# $c_{y_i}$ is the running centre of person $y_i$. It is not learnt by gradient: after each batch it moves
# towards the photos that were in it. The paper writes a sum, its code a mean over the $N$ photos, as here.
# Two photos of one person, with all centres still at zero:

# %% tags=["nbval-check-output"]
centre_loss = losses.CenterLoss(embedding_dim=2, num_classes=3, alpha=0.5)
photos, who = torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([1, 1])
print(f"loss {centre_loss(photos, who):.2f}, then the centre is at {centre_loss.centers[1].numpy().round(2)}")

# %% [markdown]
# (9 + 1) / 2 / 2 = 2.5. The centre moves by α · (3 + 1) / (1 + 2) = 0.67 and not by the whole way: the 1 in
# the denominator keeps a single photo from dragging it along. (This α is a step, not a margin.)
#
# **What λ does.** With λ = 0 it is a plain softmax: apart, but spread out. The paper takes 0.003. A large
# λ pulls everybody's centre together as well, since all photos on one point have $L_C = 0$: that is why
# the centre loss is never used alone. Eight people in the plane, one run for each λ, all from one start:
#
# **Move λ from left to right.** Two numbers are under the picture, from a photo to its mean and between
# the two nearest means. At which λ is their *ratio* best, and at which are new photos first taken for
# somebody else?

# %%
from facelab.course.widgets.centre import CentreLoss
from facelab.course.widgets.fan import faces

lam = CentreLoss(faces(8))
lam

# %%
for step, weight in enumerate(lam.weights):
    lam.step.value = step
    print(f"λ = {weight:5g}: the means are {lam.apart / lam.inside:5.1f} times as far apart as wide")
assert lam.error is None

# %% [markdown]
# The ratio grows from 10 to over 50 while the plane shrinks, and then breaks: at λ = 30 the people are
# pushed into each other, and one new photo in seven is named wrongly. On the way there nothing warned:
# the photos kept back were right all the time. (One start, eight people: read the shape, not the digits.)
#
# Five families, then, each with its own answer to "compared with what?":
#
# | family | compares a photo with | asks for | what it needs | here |
# |---|---|---|---|---|
# | contrastive | one other photo | same: near; different: farther than a margin | pairs | lesson 01 |
# | triplet | two other photos | the stranger farther than the other by α | mining | this lesson |
# | softmax | a vector $W_j$ for each person | the right name the most probable | names | lesson 01 |
# | centre | its person's centre | softmax, and near the centre | names and λ | this section |
# | angular margin | $W_j$, by the angle | the right name, by a margin | names, scale, margin | lesson 03 |

# %%
exercises.progress()

# %% [markdown]
# ## What to remember
#
# - A triplet says: the negative is farther than the positive by α. The loss is by how much that is broken.
# - **Easy** triplets have no gradient. **Semi-hard**: order right, margin broken. **Hard**: order wrong.
# - Σ n(n − 1)(N − n) triplets: 1,800 for twenty photos, six thousand million for LFW; for a trained network
#   almost all are easy. Too many, and too few.
# - With squared distances the push fades as two people come together. Hard mining then may collapse the
#   network, and the loss that stays at **α** is the sign of it.
# - Nothing here says that hard is always bad. It depends, and you find out by testing on people never seen,
#   with more than one seed.
# - Centres instead of photos: no mining, all negatives at once. That is the way to ArcFace.
#
# ## Sources
#
# - [1] F. Schroff, D. Kalenichenko, J. Philbin, *FaceNet: A Unified Embedding for Face Recognition and
#   Clustering*, CVPR 2015 (equations 1 and 2; section 3.2 on mining and collapse).
#   [arXiv:1503.03832](https://arxiv.org/abs/1503.03832)
# - [2] A. Hermans, L. Beyer, B. Leibe, *In Defense of the Triplet Loss for Person Re-Identification*, 2017
#   (batch hard; squared and plain distances). [arXiv:1703.07737](https://arxiv.org/abs/1703.07737)
# - [3] Y. Wen, K. Zhang, Z. Li, Y. Qiao, *A Discriminative Feature Learning Approach for Deep Face
#   Recognition*, ECCV 2016 (centre loss, equations 2 to 4).
# - Slides: Kim Ji Seong, "Triplet: three data", "LOSS" (equations 1 and 2, the count of 1,800, Table 4);
#   DaHyun Kim, "Facial Verification – Recognition" (triplets in large data sets); the review of FaceNet
#   (identification loss before, metric learning from FaceNet on; hard positives and semi-hard negatives).
# - Vectors: LFW, computed with SFace (see lesson 00 and `data/README.md`).
