# %% [markdown] tags=["walk"]
# # 05 · Detect, crop, rotate
#
# Before a network can say *who*, something has to say *where*: find the face, cut it out, turn it upright.
# It looks like plumbing, and decides more than anything else in the pipeline: measured on the 6,000 pairs
# of LFW with one and the same embedder, a box stretched to a square is right on 82.0 % of the pairs, a
# square box on 87.6 %, a face aligned by five points on 99.4 %.
#
# **Goals.** Afterwards you can
#
# - say what each network of MTCNN's cascade throws away, and where YuNet's maps light up;
# - say which of RetinaFace's anchors answers for a face, and what each term of its loss asks;
# - cut a square that never leaves the photo, and turn a head upright;
# - derive the five-point similarity, and say what it saves.
#
# **Prerequisites.** Lesson 00. A convolution, the complex numbers.
#
# **Minutes.** 110 with the exercises; as a walk (▸), 45.
#
# **Words.** The slides write *Detection*, *Bounding Box* and *Cropping* in English; detecting a face is
# 얼굴 검출 in Korean and 顔検出 in Japanese. The five points are facial landmarks, 顔ランドマーク; moving
# them to fixed places is a similarity transform, 相似変換, and all of this together is the preprocessing,
# 前処理.

# %%
import facelab as fl
import numpy as np
from facelab.course import exercises, plots, portraits

plots.use_style()

# %% [markdown] tags=["walk"]
# ## 1 · What a detector answers
#
# A list of faces. Each has a **box**, five **landmarks** and a **score** between 0 and 1.

# %% tags=["walk"]
collins, hopper = portraits.collins(), portraits.hopper()
found = [fl.detect(collins), fl.detect(hopper)]
_ = plots.show([collins, hopper], ["Eileen Collins", "Grace Hopper"], faces=found, height=4.6)

# %%
face = found[0][0]
print("box       ", face.box.round(1), f"= {face.width:.0f} wide, {face.height:.0f} high")
for name, (x, y) in zip(fl.LANDMARKS, face.landmarks, strict=True):
    print(f"{name:19} x = {x:5.1f}   y = {y:5.1f}")

# %% [markdown]
# x runs to the right, y **downwards**, and (0, 0) is the centre of the first pixel. *Right* and *left* are
# the person's own, so the right eye is the one on the left of the photo.

# %% [markdown] tags=["walk"]
# ## 2 · MTCNN: three networks, each stricter than the one before
#
# MTCNN (Zhang et al. 2016) is a cascade. A tiny network looks everywhere and may be wrong often; a larger
# one looks at what is left; the largest looks last, at a handful of boxes, and can afford to be careful.
#
# | network | sees | answers |
# |---|---|---|
# | P-Net | 12 × 12 pixels, everywhere, at every size | face or not, four corrections of the box |
# | R-Net | 24 × 24 pixels of each proposal | the same, more strictly |
# | O-Net | 48 × 48 pixels of what is left | the same, and the five landmarks |
#
# (facelab lets O-Net look twice: the points are those of a second look, at the box that the first one
# corrected. That costs one more crop a face. On LFW it made MTCNN right on 99.5 % of the pairs instead of
# 99.4: six pairs or so of 6,000, and lesson 08 calls a difference of that size noise. So it is no proof
# that the second look helps.)
#
# P-Net's window never changes its size. The *photo* does: it is shrunk again and again, an **image
# pyramid**.
#
# **Predict.** Collins's face is 114 pixels high. By what factor must the photo shrink until P-Net
# recognises it?

# %% tags=["nbval-check-output"]
from facelab.detect import load

mtcnn = load("mtcnn")
levels = mtcnn.heat_maps(collins)
for level in levels:
    scale, best = level.scale[0], level.probability.max()
    print(f"photo × {scale:.3f}   window = {12 / scale:3.0f} pixels   best {best:.3f}")

# %% tags=["walk"]
some = [levels[1], levels[5], levels[7]]
maps, covered = [level.probability for level in some], [plots.extent(level) for level in some]
titles = [f"window of {12 / level.scale[0]:.0f} pixels" for level in some]
_ = plots.heat(collins, maps, titles, extents=covered)

# %% [markdown] tags=["answer", "walk"]
# The small windows find "faces" all over the suit; the face itself lights up where the window is about
# as large as the face: 12 / 114 ≈ 0.105. One window is not enough to judge by, so P-Net's answer is only a
# proposal.

# %% [markdown]
# **Predict.** Of every thousand windows that P-Net looks at, how many reach R-Net? How many reach O-Net?

# %%
from facelab.course.widgets.guess import Guess

guess = Guess("05-rnet", "Of 1,000 windows, how many reach R-Net?", "", 0.1, 1000, powers=True)
guess

# %% tags=["nbval-check-output"]
stages = mtcnn.stages(collins)
windows = sum(level.probability.size for level in levels)
print(f"P-Net looked through {windows:,} windows and said yes to {len(stages[0].boxes)}")
for stage in stages:
    print(f"left after {stage.name}, doubles removed: {len(stage.kept):3}")

# %%
guess.reveal(1000 * len(stages[0].kept) / windows)

# %%
titles = [f"after {stage.name}: {len(stage.kept)}" for stage in stages]
_ = plots.show_boxes(collins, [stage.kept for stage in stages], titles)

# %% [markdown] tags=["answer"]
# Two boxes are left, and one of them is no face. Look at what O-Net saw there, and at how sure it was.

# %%
last = mtcnn.detect([collins])[0]
crops = [fl.square_crop(collins, one, size=48) for one in last]
_ = plots.show(crops, [f"score {one.score:.3f}" for one in last], height=3)

# %% [markdown] tags=["walk"]
# In 48 × 48 pixels a piece of a space suit can have eyes and a mouth. A detector has a threshold, too:
# raise `min_score` and this one goes, together with some real faces in other photos. Every threshold in
# this course is such a trade.
#
# ## 3 · YuNet: one look
#
# YuNet (Wu et al. 2023) is what `fl.detect` uses by default. It looks once. Its body halves the resolution
# again and again; at **strides** 8, 16 and 32 a head asks at every cell: *is the middle of a face here, how
# large is it, and where are its five points?* No image pyramid: the pyramid is inside the network.
#
# **Predict.** Which of the three maps will see Collins's face, 114 pixels high? And Hopper's, 213 pixels
# high?

# %% tags=["walk"]
yunet = load("yunet")
scores = {stride: m["score"] for stride, m in yunet.maps(collins).items()}
titles = [f"stride {stride}: {m.shape[0]} × {m.shape[1]} cells" for stride, m in scores.items()]
_ = plots.heat(collins, list(scores.values()), titles)

# %% [markdown]
# The usual story is "small faces at 8, middling ones at 16, large ones at 32". Test it: shrink Hopper's
# photo step by step and see which map answers.

# %% tags=["nbval-check-output"]
from PIL import Image

print("face height   stride 8   stride 16   stride 32")
for share in (1.0, 0.7, 0.5, 0.3, 0.1):
    small = Image.fromarray(hopper).resize([round(s * share) for s in hopper.shape[1::-1]])
    best = [m["score"].max() for m in yunet.maps(np.asarray(small)).values()]
    print(f"{213 * share:8.0f} px   " + "   ".join(f"{score:8.2f}" for score in best))

# %% [markdown]
# Large faces at 32, yes; but from about 110 pixels down stride 8 takes over at once, and stride 16 joins in
# only for the tiniest. Nobody told the network which map to use: in training, whichever map fits a face
# best is asked to answer (SimOTA), and this one found that two suffice for most sizes. Look before you
# retell the usual story.
#
# Neighbouring cells answer for the same face, so the last step is **non-maximum suppression**: keep the
# best box, drop every other box that overlaps it by more than 30 %, go on with what is left.

# %%
several, one = yunet.candidates(collins), yunet.detect([collins])[0]
titles = [f"cells that say yes: {len(several)}", f"after suppression: {len(one)}"]
_ = plots.show_boxes(collins, [[f.box for f in several], [f.box for f in one]], titles)

# %% [markdown]
# ## 4 · RetinaFace: anchors, context, one loss for everything
#
# The slides' detector (Deng et al.). Its published weights cannot be carried along (whoever has the file
# gives its path: `fl.Pipeline(detector="mobilenet0.25_Final.pth")`), so facelab brings a small RetinaFace
# that it trained itself, in nine minutes on one core: **`retinaface-small`**. Its truth was what YuNet says
# of 6,449 photos of LFW. (The paper's network has five maps, a deeper body, and WIDER FACE to learn from,
# with five landmarks added by hand and each face's quality graded: that made it good at hard faces.) Ours is
# here to be opened, and no rival of its teacher.

# %%
small = load("retinaface-small")
answers = [small.detect([photo])[0] for photo in (collins, hopper)]
_ = plots.show([collins, hopper], ["retinaface-small"] * 2, faces=answers, height=4.6)

# %% [markdown]
# Both faces are there, and something that is none. It looked at the photos shrunk to 256 pixels. **Predict.**
# Will it do better with all 512 of them?

# %%
in_full = load("retinaface-small", max_side=512).detect([collins])[0]
_ = plots.show([collins], ["at 512 pixels"], faces=[in_full], height=4.6)

# %% [markdown] tags=["answer"]
# Worse: half an astronaut is a face to it, at 0.98, twice. LFW's photos end at the shoulders: nobody ever
# showed it a whole person and said "no face". A detector knows what is in its training photos, and guesses
# about the rest. So this one shrinks every photo to 256 pixels, about what LFW's have.

# %% [markdown]
# ### Anchors: whom to ask
#
# MTCNN has a window and shrinks the photo. RetinaFace lays out boxes beforehand, the **anchors**: at every
# cell of each map a few squares of fixed size (here two; the paper has three). Each is asked: *do you hold
# a face? how far is it from you, how much larger?* In training an anchor answers for a face that it overlaps
# by half or more (intersection over union, IoU), for the background below 0.3, and for nothing in between.
#
# **Predict.** Collins's face is 114 pixels high and 95 wide. Which anchors can hold it: 16, 32, 64, 128, 256
# or 512? How many of the 10,752 overlap it by half?

# %% tags=["nbval-check-output"]
from facelab.course import lesson05_retina as retina

print("anchor    how many   best overlap   0.5 or more")
for size, (count, best, fit) in retina.overlaps_by_size(collins, face).items():
    print(f"{size:3} px {count:11,} {best:14.2f} {fit:13}")

# %%
_ = retina.draw_anchors(collins, face)

# %% [markdown] tags=["answer"]
# Eleven of 10,752, all of one size on one map (orange: their cells; the two squares of the cell nearest the
# middle are drawn, the larger one dashed). So one face teaches eleven anchors to say yes, and thousands to
# say no: that is why training keeps only the three hardest noes for every yes.

# %% [markdown]
# ### Exercise 05.1 · How many anchors does RetinaFace judge?
#
# The paper's network has five maps. A photo of 640 × 640 pixels; maps of strides 4, 8, 16, 32 and 64; three
# anchors of different size in each cell. How many anchors in all?

# %% tags=["exercise"]
anchors = ...

# %% tags=["solution"]
anchors = sum(3 * (640 // stride) ** 2 for stride in (4, 8, 16, 32, 64))

# %% tags=["check"]
exercises.check("05.1", anchors)

# %% [markdown]
# ### Exercise 05.2 · What an anchor has to say
#
# Never a coordinate. It says how far the middle of the box lies from its own, in sides of the anchor, divided
# by 0.1; and the logarithm of the box's width and height in sides of the anchor, divided by 0.2 (these
# *variances* bring all numbers to about 1). `anchor` is (x, y, side), `box` (x1, y1, x2, y2). Return (tx, ty,
# tw, th).


# %% tags=["exercise"]
def what_it_says(anchor, box):
    x, y, side = anchor
    x1, y1, x2, y2 = box
    return ...


# %% tags=["solution"]
def what_it_says(anchor, box):
    x, y, side = anchor
    x1, y1, x2, y2 = box
    tx = ((x1 + x2) / 2 - x) / (0.1 * side)
    ty = ((y1 + y2) / 2 - y) / (0.1 * side)
    return tx, ty, np.log((x2 - x1) / side) / 0.2, np.log((y2 - y1) / side) / 0.2


# %% tags=["check"]
exercises.check("05.2", what_it_says)

# %% [markdown]
# ### Which map answers?
#
# Deep maps understand much and are coarse; shallow ones are fine and understand little. So the deep ones are
# enlarged and added to the shallow ones, a **feature pyramid**. In YuNet and here that is three lines:
#
# ```python
# p32 = lateral[2](c32)
# p16 = lateral[1](c16 + F.interpolate(p32, scale_factor=2))
# p8  = lateral[0](c8  + F.interpolate(p16, scale_factor=2))
# ```
#
# **Predict.** YuNet gave the usual story the lie. This network has anchors of 16 and 32 pixels at stride 8,
# 64 and 128 at 16, 256 and 512 at 32. At what height of the face will stride 16 take over from 8? And 32
# from 16? Then move the slider.

# %%
from facelab.course.widgets.pyramid import PyramidWidget

pyramid = PyramidWidget({"Eileen Collins": collins, "Grace Hopper": hopper})
pyramid

# %%
for height in (24, 40, 48, 64, 112, 160, 224):
    pyramid.size.value = height
    scores = "   ".join(f"{stride}: {score:.2f}" for stride, score in pyramid.best.items())
    print(f"{height:3} px   {scores}   → stride {pyramid.answers}")
assert pyramid.error is None
pyramid.reset()

# %% [markdown] tags=["answer"]
# Here the usual story holds: the curves cross near the dotted lines at 45 and 181 pixels, √(32 · 64) and
# √(128 · 256), where two anchors of neighbouring maps fit equally well. It is no law of nature. RetinaFace
# was *told* by overlap which map has to answer; YuNet's maps were left to sort it out.

# %% [markdown]
# ### The context module: how far does it look?
#
# A blurred head is easier to believe above a pair of shoulders. On each map of the pyramid stands a module
# from SSH: three branches side by side, one, two and three 3 × 3 convolutions deep, which see 3 × 3, 5 × 5
# and 7 × 7 cells. At stride 16 those are 48, 80 and 112 pixels. But what the cells hold has itself looked
# around. The honest measure is the **gradient**: how much would the branch's answer change with this pixel?
#
# **Predict.** The third branch looks at 7 × 7 cells, the first at 3 × 3. By how much wider is the square of
# *pixels* that holds half of its gradient?

# %%
rows = retina.draw_fields(collins, face)

# %%
print("branch   cells read   half of the gradient   90 % of it")
for name, cells, half, most in rows:
    print(f"{name}   {cells:2} = {cells * 16:3} px {half:15} px {most:13} px")

# %% [markdown] tags=["answer"]
# More than twice as many cells each way, and a square only a quarter wider: 118 pixels instead of 94. Every
# cell of the map below had looked at most of her face already (the body and the pyramid did), and what the
# wider branches add is the rim, the hair and the collar: with all three panels on one scale, the middle is
# much the same. What is *read* is not what counts; the second is called the effective receptive field.

# %% [markdown]
# ### The loss, term by term
#
# This is the loss as the first paper has it, of 2019; the version of CVPR 2020 is without $L_{pixel}$. For
# each anchor *i*:
#
# $$L = L_{cls}(p_i, p_i^*) + \lambda_1 p_i^* L_{box}(t_i, t_i^*) + \lambda_2 p_i^* L_{pts}(l_i, l_i^*)
# + \lambda_3 p_i^* L_{pixel}$$
#
# | term | asks | with |
# |---|---|---|
# | $L_{cls}$ | face or background? $p_i$ against $p_i^* \in \{0, 1\}$ | cross-entropy |
# | $L_{box}$ | where is the box? $t_i$: what the anchor says of it (exercise 05.2) | smooth L1 |
# | $L_{pts}$ | where are the five landmarks? $l_i$, seen from the anchor | smooth L1 |
# | $L_{pixel}$ | does a rendered 3-D mesh of the face look like the photo? (dense) | L1 over pixels |
#
# $p_i^*$ is 1 for an anchor that answers for a face and 0 for the background. The paper takes λ₁ = 0.25,
# λ₂ = 0.1, λ₃ = 0.01. Learning the landmarks *helps the box*: two tasks that need the same understanding
# teach it to each other. `facelab/detect/retinaface_loss.py` has the first three terms; the dense one needs a
# mesh decoder trained elsewhere, and is not built here.
#
# ### Exercise 05.3 · The loss of one anchor
#
# Given $p^*$ and the four terms, computed already, put the loss together with the paper's λ.


# %% tags=["exercise"]
def multi_task(p_star, cls, box, pts, pixel):
    return ...


# %% tags=["solution"]
def multi_task(p_star, cls, box, pts, pixel):
    return cls + p_star * (0.25 * box + 0.1 * pts + 0.01 * pixel)


# %% tags=["check"]
exercises.check("05.3", multi_task)

# %% [markdown]
# Now the terms on real predictions. The network's answers on Hopper's photo (at 320 pixels, the face 113
# high) stay as they are; what changes is what we call the truth.
#
# **Predict.** Which of the three terms moves when the landmarks of the truth are shifted by 10 pixels? When
# its *box* is? When right and left are swapped? When there is said to be nobody?

# %%
photo, true = retina.shrunk(hopper, found[1][0], 320)
truths = {
    "as YuNet has it": [true],
    "points 10 px to the right": [retina.moved_points(true, 10)],
    "right and left swapped": [retina.swapped_eyes(true)],
    "box 10 px to the right": [retina.moved_box(true, 10)],
    "box 40 px to the right": [retina.moved_box(true, 40)],
    "a second face, on her coat": [true, retina.elsewhere(true, 137, 256)],
    "nobody there": [],
}
for line in retina.loss_table(photo, truths):
    print(line)

# %% [markdown] tags=["answer"]
# - Landmarks move $L_{pts}$ and nothing else. The worst mistake of all is the one that whoever mirrors
#   photos makes first: right must become left.
# - The *box* moves everything. By 10 pixels a little; by 40 the overlaps have changed, so that **other
#   anchors** are asked, and those had rightly said no: $L_{cls}$ jumps. The box decides who answers.
# - With nobody there, $L_{box}$ and $L_{pts}$ are nothing, since $p^* = 0$ everywhere; the anchors that say
#   yes are now the hardest noes.
#
# In the paper the landmarks weigh λ₂ = 0.1. For so short a training ours took the weights of the published
# PyTorch program, 2 and 1.

# %% [markdown]
# ## 5 · From a box to a square
#
# Detected boxes are higher than wide, and embedders eat squares. Resizing the box to a square makes the
# face broad (the slides: 납작해지는 현상, "the face comes out flattened"). So: keep the middle of the box,
# take the longer side, and cut a *square*.

# %%
cuts = [cut(collins, face) for cut in (fl.stretched_crop, fl.letterboxed_crop, fl.square_crop)]
_ = plots.show(cuts, ["stretched box", "letterboxed", "square"], height=3)

# %% [markdown]
# ### Exercise 05.4 · The corners of the square
#
# `box` is (x1, y1, x2, y2). Return the corners (x1, y1, x2, y2) of the square with the same middle, whose
# side is `scale` times the longer side of the box.


# %% tags=["exercise"]
def square_corners(box, scale):
    x1, y1, x2, y2 = box
    return ...


# %% tags=["solution"]
def square_corners(box, scale):
    x1, y1, x2, y2 = box
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    half = scale * max(x2 - x1, y2 - y1) / 2
    return cx - half, cy - half, cx + half, cy + half


# %% tags=["check"]
exercises.check("05.4", square_corners)

# %% [markdown]
# ### At the photo's edge
#
# The slides warn of it: with a face at the edge, the square sticks out of the photo. Cut Collins's photo
# just left of her nose, detect again, and slice the array as one would.
#
# **Predict.** The box begins left of the photo, at a negative x. What does `photo[y1:y2, x1:x2]` give?

# %%
at_edge = collins[:, 200:]
cut_face = fl.detect(at_edge)[0]
x1, y1, x2, y2 = cut_face.box.round().astype(int)
print("box:", [int(v) for v in (x1, y1, x2, y2)], "  slice:", at_edge[y1:y2, x1:x2].shape)

# %% [markdown] tags=["answer"]
# A slice without columns, and no error: in Python a negative index counts from the end. The mistake shows
# only later, somewhere else. `fl.square_crop` asks for every pixel of the *crop* where it comes from, and
# what comes from nowhere is black.

# %%
safe = fl.square_crop(at_edge, cut_face)
titles = ["a face at the edge", "its square crop"]
_ = plots.show([at_edge, safe], titles, faces=[[cut_face]], height=3.6)

# %% [markdown] tags=["walk"]
# ## 6 · Rotation
#
# Two points are enough to see how far a head leans: the line through the eyes. The photo is turned back by
# that angle, and the corners that come from outside it are black.
#
# ### Exercise 05.5 · The angle of the eyes
#
# `landmarks` is (5, 2), rows of x, y, the right eye first, then the left. Return the angle of the line from
# the right eye to the left, **in radians**, positive when the head is turned clockwise on the screen.


# %% tags=["exercise"]
def eye_angle(landmarks):
    return ...


# %% tags=["solution"]
def eye_angle(landmarks):
    dx, dy = landmarks[1] - landmarks[0]
    return np.arctan2(dy, dx)


# %% tags=["check"]
exercises.check("05.5", eye_angle)

# %% [markdown] tags=["walk"]
# Now tilt Collins's photo by known angles and read the angle off the eyes that a detector finds.
#
# **Predict.** Will YuNet see the tilt? MTCNN? And `retinaface-small`, which has all it knows from YuNet?

# %% tags=["walk"]
from facelab.align import eye_angle as angle_of_eyes
from facelab.course.widgets.crop import tilted

print("tilted by    YuNet says    MTCNN says    retinaface-small says")
for tilt in (-30, -15, 0, 15, 30):
    view = tilted(collins, face, np.radians(tilt))
    points = [retina.in_the_middle(d, view).landmarks for d in (yunet, mtcnn, small)]
    said = [np.degrees(float(angle_of_eyes(five))) for five in points]
    print(f"{tilt:8}° {said[0]:12.1f}° {said[1]:12.1f}° {said[2]:12.1f}°")

# %%
view = tilted(collins, face, np.radians(30))
seen = [yunet.detect([view])[0][:1], mtcnn.detect([view])[0][:1]]
_ = plots.show([view, view], ["YuNet", "MTCNN"], faces=seen, height=4)

# %% [markdown] tags=["answer", "walk"]
# YuNet finds the face, and puts the points of a nearly *upright* face on it (OpenCV's own YuNet answers the
# same, to a hundredth of a degree). MTCNN's O-Net follows the tilt. Hold on to that: whatever is aligned by
# points can only be as upright as the points are.
#
# And the pupil sees what its teacher does not. YuNet was asked about photos as they are; then the photo was
# turned, by up to 30°, and YuNet's points *with it*. Over 963 people whom it never saw, turned by 30° either
# way, the line through the eyes is off by 25 to 28° in YuNet's answers (median), by 8 to 9° in the pupil's,
# by 2° in MTCNN's. With size it is the same: shown shrunken photos with the answers for the large ones, the
# pupil finds 84 % of faces of 16 pixels, YuNet 6 % (`benchmarks/results/retinaface.md`). **Augmentation** can
# teach what the teacher does not know. Where YuNet is at home it stays ahead, its own answers for the large
# photo being the judge: its points are nearer, and it invents no faces.
#
# With MTCNN's angle the photo can be turned back. Rotation brings corners into view that were never
# photographed; they are black.

# %%
lean = float(angle_of_eyes(seen[1][0].landmarks))
back = fl.square_crop(view, seen[1][0], scale=2.4, size=320, angle=lean)
_ = plots.show([view, back], ["tilted by 30°", f"turned back by {np.degrees(lean):.0f}°"], height=3.6)

# %% [markdown] tags=["walk"]
# ## 7 · Alignment: five points, one similarity
#
# Eyes alone fix the angle. The *size* of the face and its *place* in the crop still hang on the box, and
# boxes wobble. So use all five points: find the turn, the scale and the shift that bring them as near as
# can be to fixed places, the **template**, the mean of many faces.
#
# With points as complex numbers, $z_k = x_k + i y_k$ in the photo and $w_k$ in the template, a turn with a
# scale is one multiplication and a shift one addition: $w \approx a z + b$. We want the least
#
# $$E(a, b) = \sum_{k=1}^{5} |a z_k + b - w_k|^2 .$$
#
# $\partial E / \partial b = 0$ gives $b = \bar w - a \bar z$: mean goes to mean. Put that in, write $\tilde
# z_k = z_k - \bar z$ and $\tilde w_k = w_k - \bar w$, and what is left is the slope of a line through the
# origin:
#
# $$a = \frac{\sum_k \overline{\tilde z_k}\, \tilde w_k}{\sum_k |\tilde z_k|^2}, \qquad
# \text{scale} = |a|, \quad \text{angle} = \arg a .$$
#
# Four unknown numbers, so two points would do, and five average their errors. (The Japanese slides ask for
# three pairs at least; an *affine* map, six numbers, would need those. It may shear the face, too, and then
# a broad face and a narrow one come out alike.)
#
# ### Exercise 05.6 · Solve it
#
# `src` (5, 2) in the photo, `dst` (5, 2) in the template. Return the (2, 3) matrix that takes (x, y, 1) to
# the crop. Multiplying by $a$ is the matrix [[Re a, −Im a], [Im a, Re a]].


# %% tags=["exercise"]
def similarity(src, dst):
    z = src[:, 0] + 1j * src[:, 1]
    w = dst[:, 0] + 1j * dst[:, 1]
    return ...


# %% tags=["solution"]
def similarity(src, dst):
    z = src[:, 0] + 1j * src[:, 1]
    w = dst[:, 0] + 1j * dst[:, 1]
    z0, w0 = z - z.mean(), w - w.mean()
    a = np.sum(np.conj(z0) * w0) / np.sum(np.abs(z0) ** 2)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


# %% tags=["check"]
exercises.check("05.6", similarity)

# %%
from facelab.align import TEMPLATES, landmark_matrices

matrix = landmark_matrices([face])[0].numpy()
a = complex(matrix[0, 0], matrix[1, 0])
moved = face.landmarks @ matrix[:, :2].T + matrix[:, 2]
off = np.linalg.norm(moved - TEMPLATES["112x112"].numpy(), axis=1)
print(f"scale {abs(a):.3f}, turned by {np.degrees(np.angle(a)):.1f}°")
print(f"points off by {off.round(1)} pixels")

# %% [markdown]
# The points do not fall on the template exactly: Collins looks a little to the side, and no turn *in* the
# picture undoes a turn *out of* it.
#
# ### Why five, and not 68?
#
# Many programs before 2016 placed 68 landmarks along the contours of the face (DeepFace 2014 had 67 for
# its model). The five can be computed from them: the centre of six points is an eye, point 30 the tip of
# the nose, 48 and 54 the corners of the mouth.

# %%
import matplotlib.pyplot as plt
from facelab.course import lesson05

lesson05.draw_68(plt.subplots(figsize=(9, 5.6))[1])

# %% [markdown]
# 68 points follow an expression, a gaze, a mouth that speaks: one needs them for masks and avatars. For a
# turn, a scale and a shift, four numbers, they are too many, and the jaw's are a guess (where does it
# end, from the side?). DeepFace fitted a *three-dimensional* face to them and turned it to the front:
# **frontalisation** (정면화), every photo as if it had been taken from straight ahead. It invents the side
# that the camera did not see, and costs a model. The field has gone the other way that the Korean slides
# name, features that bear other angles: align with five points in the plane, and let the network learn
# from a million photos what a turned head looks like.
#
# ### How large is a crop?
#
# 112 × 112 today, or 120 × 120 (Japanese slides, page 7). Up to CosFace it was 96 × 112 (width × height):
# the same template with 8 columns cut off at either side. DeepFace 2014 had 152, FaceNet's successors
# 160, the VGG networks 224 pixels, since they came from a network for photos of everything.

# %%
wide, narrow = fl.align(collins, face), fl.align(collins, face, template="96x112")
every = plots.show([wide, narrow], ["112 × 112", "96 × 112"], height=3.4)
for axes, name in zip(every, ("112x112", "96x112"), strict=True):
    axes.plot(*TEMPLATES[name].T, "o", ms=9, mfc="none", mec=plots.YELLOW, mew=2.5)

# %% [markdown]
# Is more better? Not for a network that was trained on 112. **Predict.** Her crop made smaller and brought
# back to 112: how far does the vector move at 80 pixels? At 28? And what if it was 224 once?

# %%
reference = fl.embed(wide)
for side in (224, 160, 96, 80, 56, 40, 28, 20):
    moved = fl.cosine_distance(reference, fl.embed(lesson05.through(wide, side)))
    print(f"by way of {side:3} × {side:3}: distance {moved:.4f}")

# %% [markdown] tags=["answer"]
# Down to 56 pixels little happens (0.04, where the threshold is 0.64): what tells people apart is coarser
# than a pixel. Below, the face goes quickly. (One photo, so take the order and not the digits.) A larger
# crop costs four times the arithmetic, and pays only if the photo had the detail and the network learnt
# to use it.

# %% [markdown]
# ## 8 · What it is worth
#
# The embedder has only ever seen aligned faces. What does it make of the others? All distances here are
# between crops of **the same photo of the same person**; two photos count as the same person up to this
# threshold. It was found on *aligned* crops. For the other cuts nobody has measured which threshold gives
# the same FMR, so take it below as a yardstick, not as a verdict: it says how far the vectors move, not
# who is accepted.

# %%
strangers = fl.verify(collins, hopper)
threshold = strangers.threshold
print(strangers)

# %% [markdown]
# **Predict.** How far is Collins, cut as a square, from Collins, aligned? Nearer than the threshold? Nearer
# than Collins is to Hopper?

# %%
vectors = fl.embed([*cuts, fl.align(collins, face)])
for name, vector in zip(("stretched", "letterboxed", "square"), vectors, strict=False):
    print(f"{name:12} against aligned: {fl.cosine_distance(vector, vectors[-1]):.3f}")

# %% [markdown] tags=["answer"]
# The same pixels of the same face, cut in another way, and the vector is somewhere else. (Whether that
# makes her "different" would take a threshold measured on such crops.) Never compare vectors whose crops
# were made in different ways. But what if *both* photos are cut in the same way, and one head is tilted?

# %% [markdown] tags=["walk"]
# **Predict.** At what tilt will the square crop pass the line of the aligned threshold? And the aligned
# ones? Then move the sliders: click on a handle and use the arrow keys. "compare with" sets what the
# distance is measured from: the upright photo, cut in the same way or aligned.

# %% tags=["walk"]
from facelab.course.widgets.crop import CUTS, CropWidget

widget = CropWidget({"Eileen Collins": collins, "Grace Hopper": hopper}, threshold)
widget

# %% [markdown]
# A cell can move a slider as a hand does. Here is the whole way, for the four cuts:

# %%
for cut in CUTS:
    widget.cut.value = cut
    for tilt in range(-60, 61, 10):
        widget.angle.value = tilt
assert widget.error is None

# %%
import matplotlib.pyplot as plt
from facelab.course.widgets.crop import LOOKS

_, axes = plt.subplots()
for cut, (colour, marker) in LOOKS.items():
    tilts = sorted(widget.seen[cut])
    moved = [widget.seen[cut][tilt] for tilt in tilts]
    axes.plot(tilts, moved, marker + "-", color=colour, label=cut)
axes.axhline(threshold, color="black", linestyle="--", label="threshold, aligned")
axes.set(xlabel="tilt of the photo (°)", ylabel="cosine distance", ylim=(0, 1.6))
_ = axes.legend(loc="upper center", ncols=3)

# %%
print(f"of the {threshold:.3f} that the threshold allows, 20° of tilt take")
for cut in CUTS:
    print(f"{cut:15} {widget.seen[cut][20]:.3f}")

# %% [markdown] tags=["walk"]
# Without alignment a tilt of 20° moves a face by most of what the threshold of the aligned crops allows,
# and that before light, age and expression have had their share. Aligned by MTCNN's points it costs next
# to nothing: alignment undoes the tilt. Aligned by YuNet's points the face has the right size and place,
# but stays tilted. And look at the right end: past 40° MTCNN's points begin to fail as well (to that
# side; to the other they hold at 60°, too). These networks were trained on people who stand.
#
# The box is the other half of it. Alignment does not look at the box, so it cannot be misled by it:

# %%
widget.reset()
for cut in CUTS:
    widget.cut.value = cut
    for scale in (0.8, 1.0, 1.3):
        widget.scale.value = scale
        print(f"{cut:15} box × {scale:.1f}: {widget.distance:.3f}")
assert widget.error is None
widget.reset()

# %% [markdown]
# Three tenths more box, and the square crop has moved by more than half of what the aligned threshold
# allows. Detectors differ by as much in what they call a box. Over the 6,000 pairs of LFW, whose people
# hardly tilt their heads, all else equal (`benchmarks/lfw.py` prints it anew). This comparison is fair:
# **each crop is judged by the best threshold for itself**, found on the other nine folds. The last column,
# too: the share of the same-person pairs that are accepted when each crop has its own threshold for an FMR
# of 1 in 1,000.
#
# | crop | right | accepted at FMR 1 in 1,000 |
# |---|---|---|
# | box stretched to 112 × 112 | 82.0 % | 36 % |
# | box letterboxed | 84.1 % | 43 % |
# | square box | 87.6 % | 51 % |
# | five points from YuNet | 99.4 % | 98.9 % |
# | five points from MTCNN | 99.5 % | 99.1 % |
#
# (The boxes are YuNet's. 1 in 1,000 is three of 3,000 pairs, so that the column's first three numbers are
# good to about ten points; the gap to the last two is not in doubt.)

# %%
exercises.progress()

# %% [markdown]
# ## What to remember
#
# - A cascade spends its time where it is worth it: tens of thousands of windows for the small network, a
#   handful for the large one. One-look detectors put the pyramid inside the network.
# - Anchors settle by overlap who answers for which face, so that every map has its sizes. YuNet shows that
#   one can leave it to the training.
# - RetinaFace's loss lets every anchor learn its class, and only anchors on faces learn boxes, points and
#   pixels. Move a box of the truth, and other anchors are asked.
# - A pupil agrees with its teacher; that is not the same as being right. Turned photos taught it more than
#   its teacher knew.
# - Keep the shape: a square around the middle of the box, never a stretched box. A negative index is not an
#   error in Python; a crop must say what is outside the photo.
# - Five points and one complex number turn, scale and shift every face to the same place. On LFW that is
#   worth seventeen percentage points against the stretched box.
# - Vectors can be compared only when their crops were made in the same way.
# - Alignment is no better than its landmarks. Try a detector on tilted heads before you trust it with them.
#
# ## Sources
#
# - K. Zhang, Z. Zhang, Z. Li, Y. Qiao, *Joint Face Detection and Alignment using Multi-task Cascaded
#   Convolutional Networks*, IEEE Signal Processing Letters 2016.
# - W. Wu, H. Peng, S. Yu, *YuNet: A Tiny Millisecond-level Face Detector*, Machine Intelligence Research
#   2023.
# - J. Deng, J. Guo, E. Ververas, I. Kotsia, S. Zafeiriou, *RetinaFace: Single-shot Multi-level Face
#   Localisation in the Wild*, CVPR 2020; with Y. Zhou and J. Yu, *RetinaFace: Single-stage Dense Face
#   Localisation in the Wild*, 2019, [arXiv:1905.00641](https://arxiv.org/abs/1905.00641): the loss of
#   section 4 (equation 1). Its dense branch, $L_{pixel}$, is in the 2019 paper only.
# - T.-Y. Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017; M. Najibi et al., *SSH*,
#   ICCV 2017; X. Tang et al., *PyramidBox*, ECCV 2018; W. Luo et al., *Understanding the Effective Receptive
#   Field in Deep Convolutional Neural Networks*, NIPS 2016; A. Shrivastava et al., *Training Region-based
#   Object Detectors with Online Hard Example Mining*, CVPR 2016.
# - S. Umeyama, *Least-squares estimation of transformation parameters between two point patterns*, IEEE
#   PAMI 1991.
# - Korean slides (DaHyun Kim), "Facial Verification – Detection", "– Crop", "– Rotation"; Japanese slides,
#   page 7.
# - Portraits: Eileen Collins (NASA), Grace Hopper (US Navy), both in the public domain.
