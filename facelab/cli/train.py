"""`facelab train` and `facelab export`: an embedder of one's own, from photos to a file that others run."""

import signal
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from facelab.cli.common import DeviceOption, JsonOption, notes_on_stderr, print_json
from facelab.errors import FacelabError


def train(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of photos, one sub-folder for each person; or lfw (`facelab data get lfw`); or "
            "a file of crops that an earlier call made."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The folder for what comes of it.")],
    backbone: Annotated[
        str | None, typer.Option(help="thumbnet (a CPU in minutes), mobilefacenet, iresnet18, 34, 50, 100.")
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="The loss over people: ArcFace, CosFace, Softmax, AdaFace …; or none.")
    ] = None,
    distil: Annotated[
        float | None,
        typer.Option(min=0, help="Weight of the teacher, whose vectors the crops carry (SFace)."),
    ] = None,
    earnest: Annotated[
        bool,
        typer.Option("--earnest", help="ArcFace's own recipe, for a GPU: SGD, s = 64, m = 0.5, 20 epochs."),
    ] = False,
    scale: Annotated[float | None, typer.Option("--scale", "-s", help="The head's scale s.")] = None,
    margin: Annotated[float | None, typer.Option("--margin", "-m", help="The head's margin m.")] = None,
    dim: Annotated[int | None, typer.Option(min=2, help="Numbers in a vector.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often each photo is seen.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Photos in a step, of all processes.")] = None,
    people: Annotated[int | None, typer.Option(min=0, help="P of P×K batches; 0: random order.")] = None,
    min_photos: Annotated[
        int | None, typer.Option(min=1, help="Whoever has fewer is not taught by the head.")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate, at its highest.")] = None,
    warm_up: Annotated[float | None, typer.Option(help="Share of all steps until the rate is there.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="sgd or adamw.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16, float16.")] = None,
    ema: Annotated[
        float | None, typer.Option(help="Decay of a running mean of the weights; 0: none.")
    ] = None,
    sample: Annotated[
        float | None, typer.Option(help="Share of the other people in each step (PartialFC).")
    ] = None,
    compile: Annotated[bool, typer.Option("--compile", help="torch.compile the backbone.")] = False,
    seed: Annotated[int | None, typer.Option(help="Of weights, batches and augmentation.")] = None,
    held_out: Annotated[
        str,
        typer.Option(
            help="People kept back to be judged on: a share, a text file of names, a line each, or devtest "
            "(LFW's View 1, with its 1,000 pairs)."
        ),
    ] = "0.1",
    near: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Cosine from which a training photo counts as one of a person kept back, and is left out. "
            "Else the calibrated threshold at a false match rate of 1e-5; 1.1: never.",
        ),
    ] = None,
    crops: Annotated[
        Path | None, typer.Option(help="Where the aligned crops go; else beside OUT. They are used again.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run in OUT stopped.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log for TensorBoard too.")] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train an embedder on people of your own. Ctrl-C stops it after a step; --resume goes on.

    OUT then holds the weights (`facelab verify A B --embedder OUT`), a model card, a checkpoint and the
    losses. On several devices: torchrun --nproc-per-node=N -m facelab.cli train …
    """
    from facelab import training
    from facelab.training import judge, processes
    from facelab.training.checkpoint import make_folder

    changes: dict[str, Any] = {
        "backbone": backbone, "dim": dim, "epochs": epochs, "batch_size": batch_size, "people": people,
        "lr": lr, "optimizer": optimizer, "precision": precision, "ema": ema, "sample": sample, "seed": seed,
        "distil": distil, "compile": compile or None, "min_photos": min_photos, "warm_up": warm_up,
    }  # fmt: skip
    changes = {name: value for name, value in changes.items() if value is not None}
    options = {} if scale is None else {"s": scale}
    options |= {} if margin is None else {"m": margin}
    stop = training.Stop()
    processes.join()

    def end(*_) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C ends it at once

    try:
        recipe = _recipe(earnest, head, changes, options)
        wanted = _wanted(held_out)
        make_folder(out, resume)  # before the faces are cut out, which takes long
        ours = _crops(source, crops or out.with_name(f"{out.name}.crops.h5"), device)
        pairs = judge.lfw_pairs(ours, "devtest") if wanted is None else None
        kept_back = wanted if pairs is None else [ours.names[who] for who in pairs.people]
        its = training.split(ours, kept_back, seed=recipe.seed, near=near)
        typer.echo(f"{ours}", err=True)
        signal.signal(signal.SIGINT, end)
        trained = training.train(
            ours, out, recipe, held_out=its, pairs=pairs, device=device, resume=resume, stop=stop,
            tensorboard=tensorboard,
        )  # fmt: skip
    except (ValueError, TypeError) as error:
        raise FacelabError(str(error)) from error
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        processes.leave()
    if processes.rank() == 0:
        _tell(trained, as_json)
    if trained.stopped:
        raise typer.Exit(130)


def _recipe(earnest: bool, head: str | None, changes: dict[str, Any], options: dict[str, Any]):
    from facelab.training import Recipe

    recipe = Recipe.in_earnest() if earnest else Recipe()
    wanted = recipe.head if head is None else None if head.lower() == "none" else head
    if wanted == recipe.head:  # another head begins with its own settings
        options = {**recipe.head_options, **options}
    return replace(recipe, **changes, head=wanted, head_options={} if wanted is None else options)


def _crops(source: str, target: Path, device: str):
    from facelab import training
    from facelab.datasets import folder, lfw
    from facelab.pipeline import Pipeline
    from facelab.training import processes

    if Path(source).is_file():
        return training.read_crops(source)
    photos = lfw() if source == "lfw" else folder(source)
    if processes.rank() == 0:  # the others wait until the file is there
        pipe = Pipeline(faces="central" if source == "lfw" else "largest", device=device)
        if not target.exists():
            typer.echo(f"{photos!s}\ncutting faces out with {pipe!r}", err=True)
        made = training.prepare(photos, target, pipe)
    processes.wait()
    if processes.rank() != 0:
        made = training.read_crops(target)
    else:
        for note in made.notes[:20]:
            typer.echo(f"  {note}", err=True)
        if len(made.notes) > 20:
            typer.echo(f"  … and {len(made.notes) - 20} more (/notes in {target})", err=True)
    return made


def _wanted(held_out: str) -> float | list[str] | None:
    """A share or names; None for devtest, whose names the crops know."""
    if held_out == "devtest":
        return None
    try:
        return float(held_out)
    except ValueError:
        pass
    try:
        names = Path(held_out).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FacelabError(
            f"--held-out {held_out}: neither a share (0.1), nor devtest, nor a text file of names that can "
            f"be read ({error})."
        ) from error
    return [name.strip() for name in names if name.strip()]


def _tell(trained, as_json: bool) -> None:
    if as_json:
        print_json({
            "folder": str(trained.folder), "stopped": trained.stopped, "device": trained.device,
            "seconds": round(trained.seconds, 1), "notes": list(trained.notes),
            "figures": None if trained.figures is None else asdict(trained.figures),
        })  # fmt: skip
        return
    for note in trained.notes:
        typer.echo(note)
    if trained.stopped:
        typer.echo(
            f"Stopped. Go on with the same command and --resume; {trained.folder} holds the checkpoint."
        )
        return
    typer.echo(f"{len(trained.losses):,} steps in {trained.seconds:.0f} s on {trained.device}")
    typer.echo(f"People never seen: {trained.figures or 'nobody was kept back, so nothing is known'}")
    typer.echo(f"{trained.folder}: `facelab verify A B --embedder {trained.folder} --threshold 0.6`, after "
               f"`facelab calibrate PEOPLE --embedder {trained.folder}` without a threshold.")  # fmt: skip


def export(
    source: Annotated[str, typer.Argument(help="A folder that `facelab train` left, or a file of weights.")],
    target: Annotated[Path, typer.Argument(help="The ONNX file to write.")],
) -> None:
    """Write an embedder as ONNX, and compare it with onnxruntime before it is kept."""
    from facelab.training import to_onnx

    with notes_on_stderr():
        apart = to_onnx(source, target)
    typer.echo(
        f"{target}: agrees with onnxruntime to {apart:.1e}. Input (N, 3, 112, 112) RGB, (x − 127.5)/127.5."
    )
