"""The loop in earnest: crops of faces, a recipe, people kept back; ended at any instant, it goes on.

    trained = train(crops, "out/", Recipe(distil=1.0, head=None))
    print(trained.figures)                        # on people it has never seen
    pipe = Pipeline(embedder="out/")

The order of the photos, what augmentation does to them and whatever else is drawn depend on the seed and the
number of the step, and on nothing that happened before. So a run that was ended and resumed has the losses of
one that was not, and two processes see what one would (`facelab.training.sharded`).
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import facelab
from facelab import device as devices
from facelab.embed import FILE_RECIPES
from facelab.errors import FacelabError
from facelab.training import checkpoint, judge, optimise, processes
from facelab.training.batches import generator, in_a_batch, in_an_epoch, plan
from facelab.training.card import write_card, write_model
from facelab.training.crops import Crops
from facelab.training.distil import Distil
from facelab.training.held_out import Split, split, taught
from facelab.training.logs import Logs
from facelab.training.pixels import Pixels
from facelab.training.recipe import Recipe
from facelab.training.sharded import ShardedHead
from facelab.training.short import Stop
from facelab.training.toys import seeded

LOOK = 20
"""Steps between two looks at the loss on a GPU: each look waits for it."""

OFTEN = 60.0
"""Seconds after which a checkpoint is due, between the ends of epochs."""


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a run.

    folder   model.safetensors, MODEL_CARD.md, checkpoint.safetensors, steps.csv, epochs.csv
    figures  verification of the people kept back; None when nobody was
    scores   (pairs,) the cosines that the figures are of
    losses   (steps,) since this call began        seconds  of this call
    stopped  whether it was ended early: then there is no model yet, and resume=True goes on
    """

    folder: Path
    recipe: Recipe
    figures: judge.Figures | None
    scores: np.ndarray | None
    losses: np.ndarray
    seconds: float
    device: str
    stopped: bool
    notes: tuple[str, ...]


def train(
    crops: Crops,
    out: str | PathLike,
    recipe: Recipe | None = None,
    *,
    held_out: float | Sequence[str] | Split = 0.1,
    pairs: judge.Pairs | None = None,
    device: str | torch.device = "auto",
    resume: bool = False,
    progress: bool | None = None,
    stop: Stop | None = None,
    on_step: Callable[[int, float], None] | None = None,
    on_epoch: Callable[[int, judge.Figures | None], None] | None = None,
    tensorboard: bool = False,
    checkpoint_every: int = 0,
    judge_every: int = 1,
    resamples: int = 200,
) -> Trained:
    """Train a backbone on crops and leave it in the folder `out`.

    held_out          people kept back: a share, names, or a Split (`facelab.training.split`)
    pairs             what they are judged on; None: pairs among them (`judge.pairs_of`)
    resume            go on from the checkpoint in `out`; the recipe and the data must be what they were
    stop              set from elsewhere, it ends the run after a step, with a checkpoint
    on_step, on_epoch called with the step and its loss; with the epoch and its figures
    checkpoint_every  steps; 0: after each epoch and about once a minute
    judge_every       epochs between looks at the people kept back; 0: only at the end
    resamples         of the bootstrap over people for the final figures

    Raises FacelabError for a folder with another run in it, ValueError for a recipe that does not fit the
    data or a loss that is not finite (the last checkpoint is then still there).
    """
    recipe = recipe or Recipe()
    its = held_out if isinstance(held_out, Split) else split(crops, held_out, seed=recipe.seed)
    run = _Run(crops, Path(out), recipe, its, pairs, processes.device(device))
    run.begin(resume)
    with seeded(recipe.seed):
        run.go(
            Logs(run.folder, run.step, tensorboard) if processes.rank() == 0 else None,
            stop or Stop(),
            progress,
            on_step or (lambda step, loss: None),
            on_epoch or (lambda epoch, figures: None),
            checkpoint_every,
            judge_every,
        )
    return run.finish(resamples)


class _Run:
    """One call of `train`: what it works on, and where it stands."""

    def __init__(self, crops: Crops, folder: Path, recipe: Recipe, its: Split, pairs, device: torch.device):
        self.crops, self.folder, self.recipe, self.split, self.device = crops, folder, recipe, its, device
        self.rank, self.world = processes.rank(), processes.world()
        if recipe.batch_size % self.world:
            raise ValueError(f"batch_size={recipe.batch_size}: no multiple of {self.world} processes.")
        if recipe.precision == "float16" and self.world > 1:
            raise ValueError(
                "float16 over several processes: take precision='bfloat16', which needs no scaling."
            )
        self.rows, self.labels, self.notes = taught(crops, its, recipe)
        self.people = int(self.labels.max()) + 1
        size = in_a_batch(self.labels, recipe.batch_size, recipe.people)
        if self.world > 1 and (size % self.world or size < 2 * self.world):
            raise ValueError(
                f"{len(self.rows)} photos of {self.people} people make batches of {size}, which "
                f"{self.world} processes cannot share: each needs as many as the others, two at least. Use "
                "fewer processes, or another batch_size (and people)."
            )
        self.pairs = pairs
        if pairs is None and len(its.held):
            self.pairs = judge.pairs_of(its.held, crops.identity)
        with seeded(recipe.seed):
            network: Any = FILE_RECIPES[recipe.backbone].build(recipe.dim)
        self.net: Any = network.to(device)
        if recipe.channels_last:
            self.net = network.to(memory_format=torch.channels_last)
        self.pixels = Pixels(crops, getattr(network, "SIDE", 112), device)
        self.head: ShardedHead | None = None
        if recipe.head is not None:
            options = {"sample": recipe.sample, "seed": recipe.seed, **recipe.head_options}
            self.head = ShardedHead(recipe.head, recipe.dim, self.people, **options).to(device)
        self.distil = Distil() if recipe.distil else None
        if self.distil is not None and crops.vectors.shape[1] != recipe.dim:
            raise ValueError(
                f"the teacher's vectors have {crops.vectors.shape[1]} numbers (of {crops.config}), the "
                f"student's {recipe.dim}: set dim={crops.vectors.shape[1]}, or distil=0."
            )
        self.teacher = torch.from_numpy(crops.vectors[self.rows])
        self.called: Any = processes.averaged(self.net)  # over processes
        if recipe.compile:
            self.called = torch.compile(self.called)
        self.optimizer = optimise.optimizer(recipe, self.net)
        self.for_head = None if self.head is None else optimise.optimizer(recipe, self.head)
        self.mean = optimise.running_mean(recipe, self.net, young=True)
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16")
        self.each = in_an_epoch(len(self.rows), recipe.batch_size)
        self.steps, self.step = recipe.epochs * self.each, 0
        self.losses: list[float] = []
        self.stopped, self.seconds = False, 0.0

    # --- beginning, and going on ----------------------------------------------------------------------------

    @property
    def told(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be gone on with, and the step."""
        held = sorted(self.crops.names[who] for who in np.unique(self.crops.identity[self.split.held]))
        return {
            "step": self.step,
            "recipe": self.recipe.to_json(),
            "data": self.crops.sha256,
            "held_out": hashlib.sha256("\n".join(held).encode()).hexdigest(),
            "rows": hashlib.sha256(self.rows.tobytes() + self.labels.numpy().tobytes()).hexdigest(),
            "scaler": self.scaler.state_dict(),
            "facelab": facelab.__version__,
        }

    def begin(self, resume: bool) -> None:
        checkpoint.make_folder(self.folder, resume)
        if not resume:
            return
        found = checkpoint.read(self.folder)
        theirs = Recipe.from_json(found.told["recipe"])
        if theirs != self.recipe:
            raise FacelabError(
                f"{self.folder}: was begun with another recipe: {theirs.differences(self.recipe)}. Give "
                "the old one to go on, or another folder to begin anew."
            )
        told = self.told
        for name, what in (
            ("data", "crops"),
            ("held_out", "people kept back"),
            ("rows", "photos to learn from (near=, held_out=)"),
        ):
            if found.told.get(name, told[name]) != told[name]:  # checkpoints of before have no "rows"
                raise FacelabError(f"{self.folder}: was begun with other {what}. Give another folder.")
        self.net.load_state_dict(found.part("net"))
        if self.head is not None and self.for_head is not None:
            self.head.load_state(found.part("head"), self.for_head)
        if self.mean is not None:
            self.mean.load_state_dict(found.part("ema"))
        found.into_optimizer(self.optimizer)
        self.scaler.load_state_dict(found.told["scaler"])
        self.step = int(found.told["step"])

    def save(self) -> None:
        head = {}
        if self.head is not None and self.for_head is not None:
            head = self.head.state(self.for_head)  # all processes take part
        if self.rank != 0:
            return
        modules = {"net": self.net.state_dict(), "head": head}
        if self.mean is not None:
            modules["ema"] = self.mean.state_dict()
        try:
            checkpoint.save(self.folder, modules, self.optimizer.state_dict(), self.told)
        except OSError as error:
            before = (self.folder / checkpoint.FILE).is_file()
            raise FacelabError(
                f"{self.folder}: no checkpoint could be written ({error.strerror or error}). Make room"
                + ("; the one from before is whole, and --resume goes on from it." if before else ".")
            ) from error

    # --- the loop -------------------------------------------------------------------------------------------

    def go(self, logs, stop, progress, on_step, on_epoch, checkpoint_every, judge_every) -> None:
        from tqdm.auto import tqdm

        started = saved = time.perf_counter()
        begun = self.step
        hide = (None if progress is None else not progress) if self.rank == 0 else True
        bar = tqdm(total=self.steps, initial=self.step, unit="step", disable=hide)
        waiting: list[tuple[dict, Tensor, Tensor]] = []

        def look() -> None:
            """Bring the last losses over from the device: into the log, the bar, and the check."""
            rate = self.recipe.batch_size * (self.step - begun) / (time.perf_counter() - started)
            for row, loss, norm in waiting:
                value = float(loss)
                self.losses.append(value)
                if logs is not None:
                    logs.step(**row, loss=value, gradient_norm=float(norm), photos_per_s=round(rate, 1))
                if not np.isfinite(value):
                    raise ValueError(
                        f"the loss is {value} at step {row['step']} (epoch {row['epoch']}): take a lower "
                        f"lr than {self.recipe.lr:g}, a longer warm_up, or a smaller margin or scale. "
                        f"{self.folder} still holds the last checkpoint."
                    )
                on_step(row["step"], value)
            waiting.clear()
            bar.set_postfix(loss=f"{np.mean(self.losses[-50:]):.3f}", photos_s=f"{rate:.0f}", refresh=False)

        def keep() -> None:
            nonlocal saved
            if logs is not None:
                logs.flush()  # the log must reach as far as the checkpoint: these steps do not come again
            self.save()
            saved = time.perf_counter()

        try:
            while self.step < self.steps and not self.stopped:
                epoch, within = divmod(self.step, self.each)
                batches = plan(
                    self.labels, self.recipe.batch_size, self.recipe.people, epoch, self.recipe.seed
                )
                todo = batches[within:]
                mine = [self.rows[rows[self.rank :: self.world].numpy()] for rows in todo]
                for rows, pixels in zip(todo, self.pixels.ahead(mine), strict=True):
                    row = {
                        "step": self.step,
                        "epoch": epoch,
                        "lr": optimise.rate(self.recipe, self.step, self.steps),
                    }
                    waiting.append((row, *self._one(rows, pixels, row["lr"])))
                    self.step += 1
                    bar.update()
                    if self.device.type == "cpu" or len(waiting) >= LOOK:
                        look()
                    due = checkpoint_every and self.step % checkpoint_every == 0
                    if self.world == 1 or self.step % LOOK == 0:  # several agree, which takes time
                        self.stopped = processes.anybody(stop.is_set(), self.device)
                        late = not checkpoint_every and time.perf_counter() - saved > OFTEN
                        due = due or processes.anybody(late, self.device)
                    if self.stopped or (due and self.step % self.each):
                        look()
                        keep()
                    if self.stopped:
                        break
                else:
                    look()
                    figures = None
                    if judge_every and (epoch + 1) % judge_every == 0 and self.step < self.steps:
                        _, figures = self.judged()
                        if figures is not None and logs is not None:
                            logs.epoch(step=self.step - 1, epoch=epoch, auc=figures.auc, eer=figures.eer,
                                       tar_at_1e_2=figures.tar_at_1e_2)  # fmt: skip
                    on_epoch(epoch, figures)
                    keep()
        finally:
            bar.close()
            if logs is not None:
                logs.close()
            self.seconds = time.perf_counter() - started

    def _one(self, rows: Tensor, pixels: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        """One step: the rows of the whole batch, this process's pixels → loss and norm of the gradient."""
        recipe, seed = self.recipe, self.recipe.seed
        mine = slice(self.rank, None, self.world)
        drawn = recipe.augment.draw(len(rows), generator(seed, 2, self.step))
        drawn = {name: value[mine] for name, value in drawn.items()}
        optimizers = [self.optimizer, *([self.for_head] if self.for_head is not None else [])]
        for optimizer in optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = lr
        self.called.train()
        images = recipe.augment.apply(self.net.pixels(pixels.to(self.device, non_blocking=True)), drawn)
        if recipe.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        torch.manual_seed(generator(seed, 3, self.step, self.rank).initial_seed())  # dropout: each its own
        half = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[recipe.precision]
        with torch.autocast(self.device.type, half, enabled=half is not None):
            embeddings = self.called(images)
        torch.manual_seed(generator(seed, 4, self.step).initial_seed())  # drawn margins: all the same
        loss: Tensor = torch.zeros((), device=self.device)
        if self.head is not None:
            self.head.train()
            labels = self.labels[rows[mine]].to(self.device)
            loss = loss + self.head(embeddings.float(), labels, self.step)
        if self.distil is not None:
            teacher = self.teacher[rows[mine]].to(self.device)
            loss = loss + recipe.distil * self.distil(embeddings.float(), teacher)
        self.scaler.scale(loss).backward()
        with self.head.rows_of(optimizers[-1]) if self.head is not None else nullcontext():
            for optimizer in optimizers:
                self.scaler.unscale_(optimizer)
            norm = processes.clip(self.net, self.head, recipe.clip)
            for optimizer in optimizers:
                self.scaler.step(optimizer)
        self.scaler.update()
        if self.mean is not None:
            self.mean.update_parameters(self.net)
        return loss.detach(), norm

    # --- the end --------------------------------------------------------------------------------------------

    @property
    def kept(self) -> Any:
        """The network that is judged and kept: the running mean where there is one."""
        return self.net if self.mean is None else self.mean.module

    def judged(self, resamples: int = 0) -> tuple[np.ndarray | None, judge.Figures | None]:
        """Scores of the pairs kept back, and their figures."""
        if self.pairs is None or self.rank != 0:
            return None, None
        scores = self.pairs.scores(judge.vectors_of(self.kept, self.pixels, self.pairs.rows))
        return scores, judge.figures_of(scores, self.pairs, resamples)

    def finish(self, resamples: int) -> Trained:
        notes = (*self.split.notes, *self.notes)
        where = devices.describe(self.device) + (f", {self.world} processes" if self.world > 1 else "")
        scores, figures = None, None
        if not self.stopped:
            scores, figures = self.judged(resamples)
            if self.rank == 0:
                sha256 = write_model(self.folder, self.kept, self.recipe)
                facts = {
                    "steps": self.steps,
                    "data": {
                        "source": self.crops.source,
                        "sha256": self.crops.sha256,
                        "pipeline": self.crops.config,
                        "photos": len(self.rows),
                        "people": self.people,
                    },
                    "device": where,
                    "sha256": sha256,
                    "figures": None if figures is None else asdict(figures),
                    "notes": notes,
                }
                write_card(self.folder, self.recipe, facts)
        losses = np.array(self.losses)
        return Trained(
            self.folder, self.recipe, figures, scores, losses, self.seconds, where, self.stopped, notes
        )
