"""Exercises of lesson 10: what a student copies, what a card allows, what a million classes weigh."""

from facelab.course.exercises.core import NotYet, Wrong, close, exercise, expect, number

# ---- 10.3 -------------------------------------------------------------------------------------------------


def student_loss(x, t):
    from torch.nn.functional import normalize

    return (1 - (normalize(x) * normalize(t)).sum(dim=1)).mean()


def _dot(x, t):
    return (1 - (x * t).sum(dim=1)).mean()


def _sum(x, t):
    from torch.nn.functional import normalize

    return (1 - (normalize(x) * normalize(t)).sum(dim=1)).sum()


def _squared(x, t):
    return ((x - t) ** 2).mean()


def _wrong_sign(x, t):
    from torch.nn.functional import normalize

    return (normalize(x) * normalize(t)).sum(dim=1).mean()


def _everybody(x, t):
    from torch.nn.functional import normalize

    return (1 - normalize(x) @ normalize(t).T).mean()


def _wrong_axis(x, t):
    from torch.nn.functional import normalize

    return (1 - (normalize(x, dim=0) * normalize(t, dim=0)).sum(dim=1)).mean()


def _mean_of_all(x, t):
    from torch.nn.functional import normalize

    return ((normalize(x) - normalize(t)) ** 2).mean()


def _cosines(x, t):
    from torch.nn.functional import normalize

    return (normalize(x) * normalize(t)).sum(dim=1)


def _no_sign(x, t):
    return (1 - _cosines(x, t).abs()).mean()


def _cut_off(x, t):
    return (1 - _cosines(x, t).clamp(min=0)).mean()


def _cosine_squared(x, t):
    return (1 - _cosines(x, t) ** 2).mean()


def _always_three(x, t):
    return (1 - _cosines(x, t)).sum() / 3


@exercise(
    "10.3",
    "What a student copies",
    hints=(
        "torch.nn.functional.normalize(x) brings each row to length 1.",
        "The cosine of two rows of length 1 is the sum of their products: (x * t).sum(dim=1).",
        "1 − cosine for each photo, then the mean over the batch.",
    ),
    solution=student_loss,
    mistakes=(
        _dot,
        _sum,
        _squared,
        _wrong_sign,
        _everybody,
        _wrong_axis,
        _mean_of_all,
        _no_sign,
        _cut_off,
        _cosine_squared,
        _always_three,
    ),
)
def what_a_student_copies(answer):
    import torch

    x = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]])

    def of(x, t):
        return number(answer(x, t))

    expect(
        not close(of(x, x), 1.0),
        "A student who copies perfectly has the loss 1: you return the cosine itself.",
    )
    expect(
        close(of(x, x), 0.0),
        f"A student who copies perfectly has the loss {of(x, x):g}, where 0 is due. Each photo with its "
        "own target, "
        "both at length 1.",
    )
    expect(
        close(of(5 * x, x), 0.0),
        "A student five times as long loses for it. A teacher's vector is a direction: bring both to "
        "length 1.",
    )
    t = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    expect(
        not close(of(x, t), 1.0) or close(of(x, t), 1 / 3),
        "Summed over the batch, a larger batch learns faster.",
    )
    expect(
        close(of(x, t), 1 / 3),
        f"One photo of three at a right angle to its target gives 1/3; yours {of(x, t):.3f}.",
    )
    x = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0], [1.0, 1.0, 0.0]])
    t = torch.tensor([[-1.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 3.0, 4.0], [1.0, 0.0, 0.0]])
    each = torch.tensor([2.0, 0.0, 0.2, 1 - 0.5**0.5])
    found, due = of(x, t), float(each.mean())
    expect(
        not close(found, due * 2 / 3),
        "For unit vectors |x − t|² is 2·(1 − cos), and you take its mean over the numbers of a vector too: "
        "the longer the vectors, the smaller the loss. Sum over dim=1.",
    )
    expect(not close(found, float(each.sum()) / 3), "A batch need not hold three photos: .mean().")
    expect(
        close(of(x[:1], t[:1]), 2.0),
        f"A student that looks the opposite way has the loss 2, the largest; yours {of(x[:1], t[:1]):.3f}. "
        "The cosine keeps its sign.",
    )
    expect(close(found, due), f"For four photos of three numbers {due:.4f} is due; yours {found:.4f}.")
    return (
        "128 numbers to match for each photo, and no name anywhere. `facelab.training.Distil` adds a "
        "second term, "
        "that pairs of students be as alike as the pairs of their teachers: verification compares pairs."
    )


# ---- 10.4 -------------------------------------------------------------------------------------------------

CLAIMS = {"better": False, "family": False, "seen": False, "seventh": True, "pass on": False}
WHY = {
    "better": "on the same pairs, B's lead of 1.5 points may as well be 1.5 the other way (section 6 "
    "measured it: "
    "from −1.4 to +4.7). Two cards side by side say even less",
    "family": "the people kept back are press photos of public figures. Children, the old, and whoever is "
    "rare "
    "there are not in the figure",
    "seen": "the figure is of people who were never seen. Of those in the training it says nothing, and it "
    "would be better there",
    "seventh": "at the equal error rate one genuine pair in seven is rejected, so of 1,000 some 146 are. "
    "That is "
    "what EER means",
    "pass on": "that one could train on photos does not say that one may hand on what came of it: their "
    "licence "
    "and the people in them have a say",
}


@exercise(
    "10.4",
    "What a card allows",
    hints=(
        "An interval says where the rate may lie for people drawn like these, and for nobody else.",
        "Four of the five cannot be claimed.",
    ),
    solution=CLAIMS,
    mistakes=(
        CLAIMS | {"better": True},
        CLAIMS | {"family": True},
        CLAIMS | {"seen": True},
        CLAIMS | {"seventh": False},
        CLAIMS | {"pass on": True},
    ),
)
def what_a_card_allows(answer):
    expect(
        isinstance(answer, dict) and set(answer) == set(CLAIMS),
        f"A dictionary with the keys {', '.join(CLAIMS)}.",
    )
    if any(value is ... or value is None for value in answer.values()):
        raise NotYet
    for key, right in CLAIMS.items():
        if bool(answer[key]) != right:
            raise Wrong(f"'{key}': {WHY[key]}.")
    return "A card is worth what it refuses to say."


# ---- 10.5 -------------------------------------------------------------------------------------------------


def head_gigabytes(people, dim, devices, sample=1.0):
    numbers = people * dim / devices
    return 4 * (numbers + numbers + sample * numbers) / 1e9


def _no_momentum(people, dim, devices, sample=1.0):
    return 4 * people * dim / devices * (1 + sample) / 1e9


def _all_sampled(people, dim, devices, sample=1.0):
    return 4 * 3 * sample * people * dim / devices / 1e9


def _not_shared(people, dim, devices, sample=1.0):
    return head_gigabytes(people, dim, 1, sample)


def _numbers(people, dim, devices, sample=1.0):
    return head_gigabytes(people, dim, devices, sample) / 4


def _always_512(people, dim, devices, sample=1.0):
    return head_gigabytes(people, 512, devices, sample)


@exercise(
    "10.5",
    "What a million classes weigh",
    hints=(
        "Weights, gradient and momentum are people × dim numbers each, of 4 bytes.",
        "Each device holds people / devices of the classes.",
        "With sampling only the gradient shrinks: weights and momentum of the others wait in memory.",
    ),
    solution=head_gigabytes,
    mistakes=(_no_momentum, _all_sampled, _not_shared, _numbers, _always_512),
)
def a_million(answer):
    alone = number(answer(1_000_000, 512, 1))
    expect(not close(alone, 6.144 / 4), "A float32 number takes four bytes.")
    expect(not close(alone, 4.096), "The momentum of SGD is as large as the weights: three times, not twice.")
    expect(close(alone, 6.144), f"One device: 10⁶ × 512 numbers × 4 bytes × 3 = 6.144 GB; yours {alone:g}.")
    eight = number(answer(1_000_000, 512, 8))
    expect(close(eight, 0.768), f"Eight devices share the classes: 0.768 GB each; yours {eight:g}.")
    tenth = number(answer(1_000_000, 512, 8, 0.1))
    expect(
        close(tenth, 4 * 64e6 * 2.1 / 1e9),
        f"A sample of a tenth on eight devices: {4 * 64e6 * 2.1 / 1e9:.4g} GB each; yours {tenth:g}. The "
        "weights and "
        "the momentum of the classes outside the sample do not go away.",
    )
    short = number(answer(200_000, 128, 1))
    expect(close(short, 0.3072), f"200,000 people and 128 numbers each: 0.3072 GB; yours {short:g}.")
    return (
        "Beside them stand the logits, batch × classes, and there a sample of a tenth saves nine tenths. "
        "The backbone "
        "is the small part: IResNet-50's 43.6 million numbers make 0.52 GB with gradient and momentum."
    )
