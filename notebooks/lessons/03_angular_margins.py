# %% [markdown] tags=["walk"]
# # 3 · Angular margins: how did softmax become ArcFace?
#
# A classifier can name the people of its training set without one mistake. Still the field spent three
# years, 2017 to 2019, on changing its loss by one term at a time. Why, if the answers are right already?
#
# Because nobody unlocks a telephone with a training photo. Two photos of a *new* person must point the
# same way, and a stranger must not. "Right" asks only for the right side of a border; recognition asks
# for narrow rays with empty space between them. This lesson takes the five losses one change at a time,
# draws them in two dimensions, and measures what each change does.
#
# **Goals.** Afterwards you can
#
# - write softmax, modified softmax, A-Softmax, CosFace and ArcFace, each as one change from the one before;
# - read a target-logit curve, and say where a margin leaves room;
# - say which margins cannot be met, and what happens then;
# - say what the scale s does, and why it matters as much as the margin m.
#
# **Prerequisites.** Lessons 00 and 01; softmax, dot product, cosine. **Minutes.** 120 with the
# exercises; the core (sections 1 to 6, 9 and 11) takes 70, the walk (▸) 45.
#
# **Words.** Margin is 마진 in Korean, マージン in Japanese; the angle between two vectors is 각도, 角度; the
# weight vector that stands for a class is its centre (클래스 중심, クラスの代表ベクトル). Symbols as in the
# slides: $x_i$ is the feature of sample $i$, $y_i$ its class, $W_j$ the centre of class $j$, $\theta_j$ the
# angle between $x$ and $W_j$, $m$ the margin, $s$ the scale.

# %%
import facelab as fl
import matplotlib.pyplot as plt
import numpy as np
from facelab.course import exercises, plots, schematics
from facelab.course.widgets import fan

plots.use_style()

# %% [markdown]
# Where we are, in the order of publication (the survey on page 13 of the Japanese slides goes on to 2020):

# %% tags=["walk"]
_ = schematics.timeline()

# %% [markdown]
# And what they are all after. SphereFace drew it as a table: who is asked about, and what is asked. A
# classifier needs the left column only. Recognition lives in the right one.

# %%
_ = schematics.open_and_closed()

# %% [markdown] tags=["walk"]
# ## 1 · Eight people in the plane
#
# ArcFace's Figure 3 shows eight people with features of *two* dimensions. Two are far too few for faces,
# and just right for eyes. Here are the eight public figures with most photos in LFW: for each 40 photos to
# learn from and 20 kept back. What goes in are their 128-dimensional vectors; a small network of three
# layers takes them to the plane.

# %%
people = fan.faces(8)
print(*people.names, sep=", ")
print("learnt from:", people.inputs.shape, "  kept back:", people.held.shape)

# %% [markdown] tags=["walk"]
# ## 2 · Softmax
#
# $$L = -\log \frac{e^{W_{y}^T x + b_{y}}}{\sum_j e^{W_j^T x + b_j}}
#     = -\log \frac{e^{\|W_y\|\,\|x\| \cos\theta_y + b_y}}{\sum_j e^{\|W_j\|\,\|x\| \cos\theta_j + b_j}}$$
#
# The second form is the same dot product, taken apart. A sample can be made right in four ways: turn $x$
# towards $W_y$, lengthen $x$, lengthen $W_y$, raise $b_y$. Only the first one says anything about a face.
#
# **Predict.** Eight people, two dimensions, softmax: what share of the kept-back photos will be named
# right? The features are about 0.1 long at the start: how long will they become?

# %%
softmax = fan.train(people, "Softmax")
first, last = softmax.frames[0], softmax.last
print(f"kept-back photos named right: {last.accuracy:.0%}")
print(f"mean length of x: {first.length:.1f} → {last.length:.1f}")

# %% tags=["walk"]
_ = fan.draw(softmax, lengths=True)

# %% [markdown] tags=["answer", "walk"]
# Each dot is a photo, each line the direction of a centre $W_j$. Nearly everybody is named right, and
# training goes on all the same: with every answer right, the loss still falls when $x$ grows longer. (The
# centres were set evenly around the circle before training, here and below; section 9 says why, and what
# happens otherwise.)

# %% [markdown]
# ## 3 · Modified softmax: only the angle decides
#
# **One change:** $\|W_j\| = 1$ and $b = 0$ (L2 normalisation of the weights).
#
# $$L_{modified} = -\log \frac{e^{\|x\| \cos\theta_y}}{\sum_j e^{\|x\| \cos\theta_j}}$$
#
# No centre can win by its length any more: the border between two classes is the bisector of their angle.
#
# ### Exercise 03.1 · The logits of modified softmax
#
# `x` is (B, D), `W` is (C, D). Return the (B, C) logits $\|x\| \cos\theta_j$.


# %% tags=["exercise"]
def modified_logits(x, W):
    return ...


# %% tags=["solution"]
def modified_logits(x, W):
    return x @ (W / np.linalg.norm(W, axis=1, keepdims=True)).T


# %% tags=["check"]
exercises.check("03.1", modified_logits)

# %% [markdown]
# ## 4 · A-Softmax (SphereFace): the margin multiplies the angle
#
# **One change:** the own angle counts $m$ times, the others once ($m = 4$ in the paper).
#
# $$L_{ang} = -\log \frac{e^{\|x\| \cos(m\theta_y)}}{e^{\|x\| \cos(m\theta_y)} +
#     \sum_{j\neq y} e^{\|x\| \cos\theta_j}}$$
#
# To be right, a sample must now be four times nearer to its own centre than to any other. The margin is
# added for the target class alone, in numerator and denominator; at recognition time there is none.
#
# One thing is missing from the slides' formula. $\cos(m\theta)$ turns round at $\theta = \pi/m$, at 45°
# already, and rises. The paper unfolds it:
#
# $$\psi(\theta) = (-1)^k \cos(m\theta) - 2k, \qquad \theta \in \left[\tfrac{k\pi}{m},
#     \tfrac{(k+1)\pi}{m}\right], \quad k = 0, \dots, m-1$$
#
# ### Exercise 03.2 · ψ(θ)
#
# `theta` is an array of radians between 0 and π. Return ψ(θ), shaped alike.


# %% tags=["exercise"]
def psi(theta, m):
    k = np.floor(m * theta / np.pi)
    return ...


# %% tags=["solution"]
def psi(theta, m):
    k = np.floor(m * theta / np.pi)
    return (-1.0) ** k * np.cos(m * theta) - 2 * k


# %% tags=["check"]
exercises.check("03.2", psi)

# %% [markdown]
# The slides do not say it, but this curve is hard to learn from a cold start. SphereFace's code eases it
# in: $T = (\lambda\cos\theta + \psi) / (1 + \lambda)$ with λ falling from about 900 to 5. Let us see
# whether that is needed: centres anywhere at random, four starts, the full margin at once and eased in.
#
# **Predict.** In how many of four starts does the full margin, at once, find a ray for each of the eight?
# (99.4 % is all but one of the 160 photos kept back.)

# %%
from facelab.course.widgets.guess import Guess

guess = Guess("03-starts", "In how many of four starts?", "", 0, 4)
guess

# %%
eased = {"base": 100.0, "gamma": 1.0, "lambda_min": 0.0}  # the official recipe takes thousands of steps
found = {}
for name, options in {"at once": {"anneal": False}, "eased in": eased}.items():
    runs = [fan.train(people, "SphereFace", m=4, seed=seed, even=False, **options) for seed in range(4)]
    found[name] = sum(run.last.accuracy > 0.99 for run in runs)
    print(f"{name:9}", *(f"{run.last.accuracy:6.1%} right" for run in runs), sep="   ")

# %%
guess.reveal(found["at once"])

# %% [markdown] tags=["answer"]
# At once, some starts end with two people on one ray; eased in, none does. (Of eight starts, five named all
# photos learnt from right at once, and all eight eased in.) *When* a margin comes matters as well as how
# large it is. Lesson 04 meets that idea again as a curriculum.

# %% [markdown]
# ## 5 · CosFace: a constant in the cosine
#
# **Two changes.** The feature is normalised too, and a fixed scale $s$ takes the place of $\|x\|$; and the
# margin is subtracted from the cosine, after which there is nothing left to unfold.
#
# $$L = -\log \frac{e^{s(\cos\theta_y - m)}}{e^{s(\cos\theta_y - m)} + \sum_{j\neq y} e^{s\cos\theta_j}}$$
#
# Why normalise $x$? Recognition compares cosines, so a loss that can be lowered by *length* spends part of
# its effort on something nobody looks at. Why $s$? A cosine is at most 1, far too little for a softmax:
# section 10.
#
# ## 6 · ArcFace: a constant in the angle
#
# **One change:** the margin goes inside the cosine. From × to +, as the Korean slides say (곱 → 합).
#
# $$L = -\log \frac{e^{s\cos(\theta_y + m)}}{e^{s\cos(\theta_y + m)} + \sum_{j\neq y} e^{s\cos\theta_j}}$$
#
# So $m = 0.5$ is an angle, 28.6°, and the gap it asks for is the same arc everywhere on the sphere. Where
# it sits in the network (pages 15 and 16): behind a *neck* that makes the embedding, in a *head* that
# training needs and nobody keeps.

# %%
_ = schematics.neck_and_head()

# %% [markdown]
# **And triplets?** ArcFace compares a photo with one centre for each person that *stays*, a triplet with
# two other photos that happen to be in the batch. Lesson 02, section 7, counted what that saves.
#
# ### Exercise 03.3 · cos(θ + m) from cos θ alone
#
# A network never holds θ, only `cos`, an array of dot products of unit vectors. Return cos(θ + m) without
# an arccos; and let no rounding error turn it to nan.


# %% tags=["exercise"]
def arc_logit(cos, m):
    return ...


# %% tags=["solution"]
def arc_logit(cos, m):
    sin = np.sqrt(np.clip(1 - cos**2, 0, None))
    return cos * np.cos(m) - sin * np.sin(m)


# %% tags=["check"]
exercises.check("03.3", arc_logit)

# %% [markdown]
# ### What is a margin in the cosine worth in degrees?
#
# CosFace subtracts 0.35 from the *cosine*, ArcFace adds 28.6° to the *angle*. One picture for both: the
# angle by which a photo must be nearer to its centre, at every θ.
#
# **Predict.** Where does CosFace ask for more than ArcFace: near the centre, or far from it?

# %%
theta = np.radians(np.linspace(1, 120, 240))
asked = {
    "SphereFace, m = 4": np.arccos(np.clip(np.cos(4 * theta), -1, 1)) - theta,
    "CosFace, m = 0.35": np.arccos(np.clip(np.cos(theta) - 0.35, -1, 1)) - theta,
    "ArcFace, m = 0.5": np.full_like(theta, 0.5),
}
asked["SphereFace, m = 4"][theta > np.pi / 4] = np.nan  # from here on ψ is more than an angle
pulls = {"SphereFace, m = 4": 4 * np.sin(4 * theta), "CosFace, m = 0.35": np.sin(theta)}
pulls["SphereFace, m = 4"][theta > np.pi / 4] = np.nan
pulls["ArcFace, m = 0.5"] = np.sin(theta + 0.5)

# %%
_, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
for (name, margin), dashes in zip(asked.items(), plots.DASHES, strict=False):
    left.plot(np.degrees(theta), np.degrees(margin), dashes, label=name)
    right.plot(np.degrees(theta), pulls[name], dashes, label=name)
left.set(xlabel="θ (°)", ylabel="extra angle asked for (°)", ylim=(0, 60), title="the margin, as an angle")
right.set(xlabel="θ (°)", ylabel="−dT/dθ", title="how hard the target logit pulls")
_ = right.legend()

# %% [markdown] tags=["answer"]
# Close to its centre a photo is asked for up to 49° by CosFace, for 20° at 90°. ArcFace asks for the same
# everywhere. And it still pulls at a photo that lies exactly *on* its centre, where CosFace's curve is
# flat: $\sin(0 + m)$ against $\sin 0$. That is the whole difference between the two.

# %% [markdown] tags=["walk"]
# ### All of it, in ten lines
#
# Nothing else is in a margin loss. Read it, then run it: `change` is the one line in which the losses
# differ.

# %% tags=["walk"]
import torch
from torch.nn import functional as F


def margin_loss(x, W, labels, change, s=64.0):
    x, W = F.normalize(x), F.normalize(W)  # only directions count
    cos = x @ W.T  # (B, C)
    rows = torch.arange(len(x))
    theta = cos[rows, labels].clamp(-1 + 1e-6, 1 - 1e-6).arccos()  # the angle to the own centre
    logits = cos.clone()
    logits[rows, labels] = change(theta)  # the line that differs
    return F.cross_entropy(s * logits, labels)


# %%
x, W = torch.randn(16, 2, generator=torch.manual_seed(0)), torch.randn(8, 2)
labels = torch.arange(16) % 8
near = (F.normalize(x) * F.normalize(W)[labels]).sum(1) > np.cos(np.pi - 0.5)  # beyond 151°: section 7
ours = margin_loss(x[near], W, labels[near], lambda theta: torch.cos(theta + 0.5))
head = fl.losses.ArcFace(2, 8, s=64, m=0.5)
head.weight.data.copy_(W)
assert torch.isclose(ours, head(x[near], labels[near]))

# %% [markdown]
# ### Exercise 03.6 · One line each
#
# Return the target's logit (before s) of three losses at the angles `theta`, in this order: normalised
# softmax (no margin), CosFace with m = 0.35, ArcFace with m = 0.5.


# %% tags=["exercise"]
def three_changes(theta):
    return ..., ..., ...


# %% tags=["solution"]
def three_changes(theta):
    return np.cos(theta), np.cos(theta) - 0.35, np.cos(theta + 0.5)


# %% tags=["check"]
exercises.check("03.6", three_changes)

# %% [markdown] tags=["walk"]
# And the training? A loop that you have seen before. Change `change`, run it again:


# %%
def train(change, epochs=30, s=64.0):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(128, 64), torch.nn.PReLU(), torch.nn.Linear(64, 2))
    directions = torch.arange(8) * 2 * np.pi / 8  # evenly around the circle: section 9 says why
    W = torch.nn.Parameter(torch.stack([directions.cos(), directions.sin()], dim=1))
    optimiser = torch.optim.Adam([*net.parameters(), W], lr=0.01)
    photos, labels = torch.as_tensor(people.inputs), torch.as_tensor(people.labels)
    for _ in range(epochs):
        for rows in torch.randperm(len(photos)).split(64):
            loss = margin_loss(net(photos[rows]), W, labels[rows], change, s)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net(photos).detach()


# %% tags=["walk"]
_, both = plt.subplots(1, 2, figsize=(9, 4.3), sharex=True, sharey=True)
changes = {"no margin": torch.cos, "ArcFace, m = 0.5": lambda theta: torch.cos(theta + 0.5)}
for axes, (name, change) in zip(both, changes.items(), strict=True):
    rays = F.normalize(train(change)) * torch.linspace(0.6, 1, len(people.labels))[:, None]
    axes.scatter(*rays.T, c=np.array(plots.COLOURS)[people.labels], s=10)
    axes.set(title=name, aspect="equal", xticks=[], yticks=[])

# %% [markdown]
# ## 7 · (optional) One form for all: the margin explorer
#
# $$T(\theta) = \cos(m_1\theta + m_2) - m_3$$
#
# $(m_1, 0, 0)$ is SphereFace, $(1, m_2, 0)$ ArcFace, $(1, 0, m_3)$ CosFace, and mixtures are allowed: the
# slides' *general form* (一般式). Three views of the same three numbers:
#
# - **left**, the logit that a sample gets at θ. All but the grey curve are pessimists.
# - **middle**, two classes: the samples with the angles θ₁ and θ₂ to both centres that meet the margin. The
#   white band belongs to nobody: it is ArcFace's Figure of decision margins.
# - **right**, C people around the circle, and the wedges in which their photos may lie.
#
# **Predict.** ArcFace's band is straight, and the same everywhere. Where will CosFace's be wide, and where
# SphereFace's? Then choose them under *set to*. After that, move m2 with the arrow keys: with 8 classes, at
# what m2 do the wedges shrink to lines? With 10?

# %%
from facelab.course.widgets.margins import MarginExplorer

explorer = MarginExplorer()
explorer

# %% [markdown] tags=["answer"]
# SphereFace's band vanishes at θ₁ = 0: four times nothing is nothing, so centres that lie close together
# get a narrow margin, and *no number of classes is infeasible*. CosFace's band is widest near a centre
# and narrows away from it.
#
# One thing stands in code and not in the paper. At $\theta = 180° - m$ the cosine turns round and rises.
# Two repairs are in use: to *continue* there as $\cos\theta - m \sin m$; or an *easy margin*, which is
# none at all beyond 90°.

# %% [markdown]
# **Predict.** A logit should never rise with the angle. Which of the three curves keeps to that?

# %%
theta = np.radians(np.linspace(0, 180, 721))
repairs = {"continued": {}, "not repaired": {"continuation": False}, "easy margin": {"easy_margin": True}}
_, axes = plt.subplots(figsize=(8, 3.4))
for (name, options), dashes in zip(repairs.items(), plots.DASHES, strict=False):
    curve = fl.losses.ArcFace(2, 8, m=0.5, **options).target_curve(theta).numpy()
    axes.plot(np.degrees(theta), curve, dashes, label=f"{name}: rises by {np.diff(curve).clip(0).sum():.2f}")
axes.set(xlabel="θ (°)", ylabel="T(θ)", xticks=range(0, 181, 45))
_ = axes.legend()

# %% [markdown] tags=["answer"]
# Only the first. (At $180° - m = 151°$ it *drops* by 0.12: there $\cos(\theta + m) = -1$ meets
# $\cos\theta - m \sin m = -1.12$. The two pieces do not join, and since the step leads down, nothing is
# lost by it.) Unrepaired, a sample on the far side is rewarded for going further astray, if only a
# little. The easy margin jumps up by $\sin m = 0.48$ at 90°: a sample just beyond has a higher logit than
# one just before. (The official code of MV-Softmax and MagFace, lesson 04, has it switched on.) `ArcFace`
# here continues.

# %% [markdown]
# ### Exercise 03.4 · How many people fit on a circle?
#
# Evenly spaced centres are $2\pi/C$ apart. Even a sample exactly on its own centre must beat its neighbour,
# with the margin applied: $\cos(0 + m) \ge \cos(2\pi/C)$ for ArcFace, $1 - m \ge \cos(2\pi/C)$ for CosFace.
# How many people can the plane hold with ArcFace's $m = 0.5$, and with CosFace's $m = 0.35$?

# %% tags=["exercise"]
arcface_people, cosface_people = ..., ...

# %% tags=["solution"]
arcface_people = int(2 * np.pi / 0.5)
cosface_people = int(2 * np.pi / np.arccos(1 - 0.35))

# %% tags=["check"]
exercises.check("03.4", (arcface_people, cosface_people))

# %% tags=["nbval-check-output"]
for C in (2, 4, 8, 10, 12):
    arc, cos = fl.losses.max_margin_2d("ArcFace", C), fl.losses.max_margin_2d("CosFace", C)
    print(f"{C:2} classes: ArcFace m ≤ {arc:.2f}, CosFace m ≤ {cos:.2f}")

# %% [markdown]
# So the eight people of ArcFace's own figure are too many for CosFace's 0.35, if the figure is flat. The
# widget says so too:

# %%
explorer.preset.value = "CosFace (1, 0, 0.35)"
assert not explorer.feasible
explorer.classes.value = 7
assert explorer.feasible
assert explorer.error is None

# %% [markdown]
# *Infeasible* does not mean that training breaks. It means that the loss has a floor: with eight centres
# 45° apart and every photo exactly on its own, the target still lies behind both neighbours.

# %%
gap = (1 - 0.35) - np.cos(2 * np.pi / 8)
floor = np.log(1 + 2 * np.exp(-64 * gap))
tight = fan.train(people, "CosFace", s=64, m=0.35)
print(f"floor of the loss: {floor:.2f}   reached: {np.mean(tight.loss[-5:]):.2f}")
print(f"named right: {tight.last.accuracy:.0%}, spread {tight.last.spread:.2f}°")

# %% [markdown]
# The rays are among the narrowest of this lesson: photos that cannot satisfy the loss are pulled to the
# end.
#
# ## 8 · (optional) Watch two of them train
#
# ArcFace's Figure 3 puts softmax beside ArcFace, and the difference is striking: softmax leaves no gap
# between the people at all.
#
# **Predict.** Will it be as striking here? Press **Start**, watch; then drag the epoch, or press play.

# %%
from facelab.course.widgets.trainer import Trainer

toys = {"8 people (LFW)": people, "10 digits": fan.digits()}
trainer = Trainer(toys, left=("Softmax", None, 64), right=("ArcFace", 0.5, 64))
trainer.train()

# %%
left, right = trainer.runs
assert trainer.error is None
print(f"spread inside a class: {left.title} {left.last.spread:.1f}°, {right.title} {right.last.spread:.1f}°")

# %% [markdown] tags=["answer"]
# No difference worth speaking of! (Over five seeds: softmax 1.3° ± 0.1°, ArcFace 1.1° ± 0.2°.) Is ArcFace
# a fairy tale, then? Before you say so: *two* things differ between these losses, the margin and the
# normalisation. One change at a time, then. Set the left side to **CosFace with m = 0 and s = 64**, which
# is ArcFace without its margin, and press Start again. The next cell does it for you.

# %%
trainer.sides[0].loss.value = "CosFace"
trainer.sides[0].margin.value = 0.0
trainer.train()
assert trainer.error is None
left, right = trainer.runs
assert left.last.spread > 1.5 * right.last.spread
_ = fan.draw(left, right)
# %% [markdown] tags=["walk"]
# *There* is the margin. (On the circle only directions are drawn; dots are lined up inwards so that they do
# not hide each other.) More to try, each a prediction first:
#
# - *draw* → *lengths kept*, as in SphereFace's Figure 2: which losses make x long?
# - *samples* → *kept back*: are the rays as narrow for photos that were not learnt from?
# - *data* → *10 digits*: is there room for CosFace's 0.2?
# - *centres begin* → *at random*: section 9.
#
# ## 9 · What a margin does, measured
#
# Two numbers describe a fan, both in degrees: the **spread** inside a class, the mean angle of a photo to
# its class's mean direction; and the angle **between** the two closest centres, at most 45° for eight.
#
# **Predict.** Which of the two will a larger margin change more?

# %% tags=["walk"]
print("ArcFace, s = 64     spread: learnt from   kept back   between closest centres")
by_margin = {}
for m in (0.0, 0.3, 0.5, 0.7):
    end = by_margin[m] = fan.train(people, "ArcFace", s=64, m=m).last
    print(f"m = {m:.1f} {end.spread:23.1f}° {end.held_spread:12.1f}° {end.between:14.0f}°")
assert by_margin[0.0].spread > by_margin[0.3].spread > by_margin[0.5].spread > by_margin[0.7].spread

# %% [markdown] tags=["answer", "walk"]
# One seed is an anecdote. Over five, mean ± standard deviation:
#
# | m | spread, learnt from | spread, kept back | between closest centres |
# |---|---|---|---|
# | 0 | 3.5° ± 0.3° | 4.6° ± 0.3° | 37° ± 3° |
# | 0.3 | 2.1° ± 0.3° | 3.3° ± 0.5° | 38° ± 3° |
# | 0.5 | 1.1° ± 0.2° | 2.1° ± 0.3° | 39° ± 2° |
# | 0.7 | 0.5° ± 0.1° | 1.3° ± 0.2° | 44° ± 0.3° |
# | 0.9 (infeasible) | 0.4° ± 0.0° | 1.2° ± 0.1° | 43° ± 1° |
#
# The margin works mostly **inside** the class: at 0.7 the rays are seven times narrower than at 0. It also
# keeps the centres where they began, 45° apart, from which they stray without it. And note the second
# column: on photos that were not learnt from a good part of the gain is left, not all of it.

# %% [markdown]
# **Where a margin does not help.** All that was with centres that began evenly around the circle. Begin
# anywhere:

# %%
rivals = [("ModifiedSoftmax", {}), ("ArcFace", {"s": 64, "m": 0}), ("ArcFace", {"s": 64, "m": 0.5})]
for loss, options in rivals:
    runs = [fan.train(people, loss, seed=seed, even=False, **options) for seed in range(3)]
    ends = "".join(f"{run.last.between:6.0f}°" for run in runs)
    print(f"{runs[0].title:20} between the closest centres: {ends}")

# %% [markdown]
# In the plane classes cannot pass each other: two that begin side by side stay there, and a demand that
# both cannot meet squeezes them onto one ray. Eight random starts:
#
# | loss | all photos learnt from right | between closest centres |
# |---|---|---|
# | modified softmax | 8 of 8 | 33° ± 5° |
# | ArcFace, s = 64, m = 0 | 6 of 8 | 13° ± 4° |
# | ArcFace, s = 64, m = 0.5 | 4 of 8 | 10° ± 15° |
#
# A margin sharpens a fan that stands; it does not set it up, and nor does a strict scale. In 512 dimensions
# there is nearly always a way round, and the papers ease in or warm up besides.
#
# ## 10 · The scale matters as much as the margin
#
# The slides' demonstration: softmax of $s\cdot[1.0, 0.8, 0.6, 0.4, 0.2]$. The cosine 1.0 is as good as
# cosines get.
#
# **Predict.** How sure is softmax of it with s = 1? With s = 10?

# %% tags=["nbval-check-output"]
from facelab.course.widgets.margins import SLIDE_COSINES, GradientExplorer
from facelab.course.widgets.margins import softmax as softmax_of

for s in (1, 2, 5, 10, 64):
    print(f"s = {s:2}:", *(f"{share:.3f}" for share in softmax_of(s * np.array(SLIDE_COSINES))))

# %% [markdown] tags=["answer"]
# With s = 1 a perfect answer looks like a guess, and the loss cannot fall. With s = 64 a sample that is
# barely ahead looks perfect, and the loss stops pulling. What pulls is
#
# $$\frac{\partial L}{\partial \theta_y} = (1 - p)\; s\, \sin(\theta_y + m) \quad \text{(ArcFace)}$$

# %% [markdown]
# **Predict.** With s = 64, m = 0 and 1,000 others at 90°, up to what angle does a photo feel nothing? Set
# m to 0, and find it in the right-hand picture. Then lower s until the pull at 10° is felt. Then leave s
# alone and raise m instead.

# %%
gradients = GradientExplorer(s=64, m=0.0)
gradients

# %%
for s, m in ((64, 0.0), (16, 0.0), (64, 0.5), (16, 0.5)):
    with gradients.together():
        gradients.scale.value, gradients.margin.value = s, m
    print(f"s = {s}, m = {m}: pull at 30° {gradients.pull[30]:.3g}, at 60° {gradients.pull[60]:.3g}")
assert gradients.error is None

# %% [markdown] tags=["answer"]
# Both knobs move the same cliff: the margin moves it to smaller angles, a small scale makes a slope of it.
# The dashed curve is ArcFace as it is mostly used: the common implementation takes θ out of the graph, so
# that the pull is $(1-p)\,s\,\sin\theta_y$, weaker at small angles. In our plane that makes little
# difference (spread 1.3° ± 0.2° against 1.1° ± 0.2°, five seeds).
#
# And in training? No margin at all, only the scale is changed:

# %% [markdown]
# **Predict.** The table of section 9 began at 3.5° for m = 0 and s = 64. Which scale gives what m = 0.5
# gave?

# %%
by_scale = {64: by_margin[0.0]}
for s in (4, 8, 16):
    end = by_scale[s] = fan.train(people, "CosFace", s=s, m=0.0).last
    print(f"m = 0, s = {s:2}: spread {end.spread:.1f}°, kept back {end.held_spread:.1f}°")
assert by_scale[4].spread < by_scale[64].spread

# %% [markdown] tags=["answer"]
# Measured over five seeds, spread of the photos learnt from:
#
# | | s = 4 | 8 | 16 | 32 | 64 | 128 |
# |---|---|---|---|---|---|---|
# | m = 0 | 1.6° | 1.9° | 2.7° | 3.3° | 3.5° | 3.6° |
# | ArcFace, m = 0.5 | 0.7° | 0.8° | 0.9° | 1.1° | 1.1° | 1.2° |
#
# Lowering s from 64 to 8 does two thirds of what half a radian of margin does.

# %% [markdown]
# Then why not s = 1? The largest probability that a photo *can* get, on its own centre and with all
# others at their farthest, is $p_{max} = e^s / (e^s + (C - 1)\, e^{-s/(C-1)})$:

# %% tags=["nbval-check-output"]
for C in (8, 610, 85_000):
    best = {s: 1 / (1 + (C - 1) * np.exp(-s - s / (C - 1))) for s in (1, 4, 16, 64)}
    print(f"{C:6,} people, p at best:", *(f"s = {s}: {p:.4f} " for s, p in best.items()))

# %% [markdown]
# With 85,000 people and s = 4 the loss of a *perfect* photo is as that of a guess, and its gradient,
# $(1 - p)\, s$, never ends. **This toy does not fail there**: at s = 0.25 and eight people the spread is 1.7°
# and 99 % are right (`benchmarks/margins_2d.py`). A gradient that never ends does no harm where all
# photos can be perfect at once, and Adam divides its size away. It harms where they cannot: with many
# classes, with wrong labels, under plain SGD. Its inputs are kind, too: SFace's vectors come from a
# network that was trained on a hypersphere already.
#
# And the riddle of section 8? Softmax and modified softmax have no fixed scale. Theirs is ‖x‖: below 1
# after the first epoch, 24 at the end. They pull at everybody first, and grow strict when the rays are
# narrow already. That is the whole secret: a normalised softmax without margin whose s follows those same
# lengths, epoch by epoch, ends at a spread of 1.1° ± 0.2°; with s fixed at 24 from the start, at 3.1° ±
# 0.3° (modified softmax: 1.2° ± 0.1°; five seeds). `benchmarks/margins_2d.py` measures all of this anew.
# Adam evens out the size of gradients; under SGD a small s would also mean small steps. AdaCos, in lesson
# 04, draws the conclusion and *computes* s.
#
# ### Exercise 03.5 · The least scale
#
# A sample sits exactly on its centre, all $C - 1$ other centres are at 90°. How large must $s$ be for
# softmax to give it the probability $p$?


# %% tags=["exercise"]
def least_scale(p, C):
    return ...


# %% tags=["solution"]
def least_scale(p, C):
    return np.log(p * (C - 1) / (1 - p))


# %% tags=["check"]
exercises.check("03.5", least_scale)

# %% [markdown] tags=["walk"]
# ## 11 · And people never seen?
#
# All fans so far were of people who were learnt from. Lesson 01's rule says that this tells nothing. So
# we go back to lesson 02's task: one matrix, 128 numbers → 8, learnt from 610 people, judged on *others*
# by the equal error rate. Same batches, same steps for everybody.
#
# **Predict.** Order them: triplets (semi-hard), softmax, normalised softmax (m = 0), CosFace, ArcFace. And
# what changes if training lasts longer, or if the matrix may keep 64 numbers instead of 8?

# %% tags=["walk"]
import pandas as pd
import seaborn as sns
from facelab.course import unseen

table = pd.DataFrame(unseen.stored())  # python -m benchmarks.unseen: seeds that no margin was chosen on
table["EER, %"] = 100 * table["EER"]
settings = table["setting"].unique()

# %% tags=["walk"]
task = unseen.task(fl.datasets.lfw_templates())
raw, pca = task.eer(task.unseen), {numbers: unseen.pca(task, numbers) for numbers in (8, 64)}
_, four = plt.subplots(2, 2, figsize=(13, 8), sharey=True)
for axes, setting in zip(four.flat, settings, strict=True):
    some = table[table["setting"] == setting]
    sns.stripplot(some, x="EER, %", y="loss", color=plots.BLUE, s=8, alpha=0.6, ax=axes)
    axes.axvline(100 * pca[64 if "64" in setting else 8], color="black", linestyle="--")
    axes.set(title=setting, xlim=(0, None), ylabel="")
print(f"dashed: PCA, which knows no people: {pca[8]:.1%} and {pca[64]:.1%}; all 128 numbers: {raw:.1%}")

# %%
table.groupby(["loss", "setting"], sort=False)["EER, %"].mean().unstack().round(2)

# %% [markdown]
# Is it so? Train two of them yourself, with a seed that is not in the table:

# %%
for name in ("triplets, semi-hard", "ArcFace 0.3, s = 16"):
    for numbers in (8, 64):
        eer = task.eer(unseen.learn(task, unseen.RIVALS[name], numbers, epochs=20, seed=7))
        print(f"{name:20} {numbers:2} numbers: EER {eer:.2%}")

# %% [markdown]
# **It flips, and then look at the dashed line.** (Differences paired by seed, five seeds, 95 % intervals.)
#
# - With **8 numbers** triplets are ahead: of ArcFace by 5.3 points (± 1.1) after 400 steps, by 1.7 (±
#   0.4) after 2,000, by 0.5 (± 0.5) after 5,000 with batches that suit a classifier. 610 centres must
#   first find their places, and in eight dimensions they crowd.
# - With **64 numbers** ArcFace and CosFace are ahead of triplets after 400 steps already, by 0.6 points
#   (± 0.3 and ± 0.2), on every seed.
# - The **control** humbles them all. PCA, which knows no people, reaches 1.1 % with 64 numbers: less than
#   any loss on the mean. Where nearly everything may be kept, training only loses less or more; these
#   vectors come from a network that was trained already. With 8 numbers PCA has 13.8 %: *there* one must
#   choose what to keep, and learning pays, for triplets at once, for the classifiers after some 2,000
#   steps.
# - **The scale moves more than the margin.** Without a margin s = 64 is last in all four pictures and s =
#   4 the best or nearly so; with 64 numbers ArcFace at s = 16 is 0.07 points (± 0.05) ahead of it. A
#   margin mends a scale that is too large: ArcFace at s = 64 is 1.4 points ahead of m = 0.
#
# So which loss is best? *For what?* Sixteen bytes a face and little time: triplets. Room, and time:
# normalised heads, margin or not. The papers' claim is about learning from pixels, with 512 numbers and
# 85,000 people; this toy can neither show it nor refute it. Lesson 10 is for that.
#
# (And the run of your own, with 8 numbers and seed 7? Over 21 %, six points above the five in the table:
# a head that starts badly needs longer. Five seeds held no such one. Seeds have tails, too.)
#
# (Lesson 02 stopped at 8 numbers and 400 steps. Had this course ended there, it would say that triplets
# win. And without the dashed line this section would say that margins do.)
#
# ### And too small a scale?
#
# In the plane it did no harm (section 10). Here, with 64 numbers and no margin:

# %%
for s in (0.25, 1, 4):
    head = lambda numbers, classes, s=s: fl.losses.CosFace(numbers, classes, s=s, m=0.0)  # noqa: E731
    print(f"s = {s:4}: EER {task.eer(unseen.learn(task, head, 64, epochs=20, seed=7)):.2%}")

# %% [markdown]
# There it is: with 610 people even a perfect photo keeps a probability near 1/610 at s = 0.25, every
# photo pulls at full strength for ever, and the directions that tell people apart are drowned.

# %%
exercises.progress()

# %% [markdown]
# ## What to remember
#
# - Softmax may win by turning, by length, or by bias; each of the five losses leaves it fewer ways than the
#   one before, until only the angle is left.
# - One term differs: $\cos(m\theta)$, $\cos\theta - m$, $\cos(\theta + m)$. All three are
#   $\cos(m_1\theta + m_2) - m_3$.
# - A margin narrows the rays (3.5° to 1.1° here at m = 0.5, five seeds) more than it moves their centres.
# - A margin can be infeasible: in the plane ArcFace needs $m \le 2\pi/C$, CosFace $m \le 1 - \cos(2\pi/C)$.
#   Then the loss has a floor.
# - The scale decides how long a right answer is still pulled at. Compare losses with s and m both stated,
#   or not at all: "softmax against ArcFace" changes three things at once.
# - A strong margin from a bad start leaves people on top of each other; easing in helps.
# - Eight easy people in the plane prove nothing about which loss is best. That takes people never seen,
#   seeds, and a set-up like the one you care about: section 11.
#
# ## Sources
#
# - W. Liu et al., *SphereFace: Deep Hypersphere Embedding for Face Recognition*, CVPR 2017 (modified
#   softmax: section 3.1; ψ: eq. 7; Figure 2).
# - H. Wang et al., *CosFace: Large Margin Cosine Loss for Deep Face Recognition*, CVPR 2018 (eq. 4;
#   bounds of the margin: section 3.4).
# - J. Deng et al., *ArcFace: Additive Angular Margin Loss for Deep Face Recognition*, CVPR 2019 (eq. 3;
#   combined form: eq. 4; Figure 3).
# - X. Zhang et al., *AdaCos*, CVPR 2019 (what the scale does).
# - Korean slides (KIM JI SEONG), "Angular Loss"; Korean slides (DaHyun Kim), "Facial Verification –
#   Recognition"; Japanese slides, pages 14, 16, 17, 25.
# - Faces: vectors of *Labeled Faces in the Wild* (`data/README.md`); digits: scikit-learn's `load_digits`.
