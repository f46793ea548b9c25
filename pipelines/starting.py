"""What a run starts from: a folder of its own and measured statistics, or the state of a run that was stopped."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from freqlearn import atomic
from freqlearn.pipelines.checkpoint import Header, read_header
from freqlearn.pipelines.checkpoint_files import BEST, LAST, PREVIOUS, check_resumable, newest_state
from freqlearn.pipelines.inputs import choose_spec, measured_spec
from freqlearn.pipelines.options import ABOUT_THE_RUN, TrainOptions
from freqlearn.pipelines.run_data import DataFolders, LabelledFiles
from freqlearn.spec import InputSpec
from freqlearn.statistics import Constant

CONFIG = "config.yaml"

# Two runs that differ in any other option are not the same run at a later time, be it the learning rate: the restored
# optimizer brings its own. More epochs are allowed: the schedule is then stretched over them. So are other machines:
# batch_size counts the images of all processes; but Lightning's loops count batches, so accumulate must stay. The files
# may lie elsewhere: their fingerprint says whether they are the same.
_FREE_ON_RESUME = (ABOUT_THE_RUN - {"accumulate"}) | {
    *("data", "train_shards", "val_shards", "classes", "train_images", "val_images"),
    *("epochs", "max_steps", "on_bad_image"),
}


@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        header: What its checkpoints say about the model.
        state: The checkpoint to go on from; None for a fresh run.
    """

    header: Header
    state: Path | None


def output_folder(options: TrainOptions) -> Path:
    """Where a training writes: the folder asked for, or runs/MODEL-INPUT.

    Raises:
        ValueError: If the options contradict each other.
    """
    spec = choose_spec(options)
    if options.output is not None:
        return options.output
    return Path("runs") / f"{options.model}-{'rgb' if spec.channels is None else spec.channels.name}"


def check_output(options: TrainOptions, output: Path) -> None:
    """Refuse a folder that holds another run, or none to resume.

    Raises:
        ValueError: If it does.
    """
    if options.resume:
        check_resumable(output)
    elif any((output / name).exists() for name in (LAST, PREVIOUS, BEST)):
        raise ValueError(f"{output}: holds the checkpoints of another run; resume that one, or choose another output")


def fresh(options: TrainOptions, folders: DataFolders, output: Path) -> Start:
    """Make the run's folder, measure statistics if the spec has none, and write down the options.

    Raises:
        OSError: If the folder cannot be made.
        ValueError: If the files cannot be measured.
    """
    plain = options.plain() | {"output": str(output)}
    with new_folder(output):  # before the files are measured, which takes time
        spec = _standardised(options, folders, output)
        atomic.write_text(output / CONFIG, yaml.safe_dump(plain, sort_keys=False))
    header = Header(
        network=options.model,
        arguments=options.network_arguments(),
        spec=spec,
        classes=folders.train.classes,
        training={**plain, "files": len(folders.train), "fingerprint": folders.train.fingerprint()},
        held_out=folders.held_out,
    )
    return Start(header, None)


def resumed(options: TrainOptions, folders: DataFolders, output: Path) -> Start:
    """Find the state to go on from.

    Raises:
        CheckpointError: If it is damaged.
        ValueError: If there is none, or it is of other options or files.
    """
    state = newest_state(output)
    header = read_header(state)
    usual = TrainOptions(data=Path()).plain()  # for checkpoints from before an option
    now = options.plain()
    for name in now:
        if name in _FREE_ON_RESUME:
            continue
        before = header.training.get(name, usual[name])
        if name == "spec" and before and now[name] and _floored(options, choose_spec(options)) == header.spec:
            continue  # the same file, moved: a ranking's folder has another name now
        if before != now[name]:
            raise ValueError(
                f"{state}: was trained with {name} {before}, and now {name} is {now[name]}; a resumed run keeps its "
                f"options: use --config {output / CONFIG}"
            )
    _check_same_files(header, folders.train, state)
    return Start(header, state)


def _check_same_files(header: Header, files: LabelledFiles, checkpoint: Path) -> None:
    """Raise ValueError if these are not the files that a checkpoint, whose header is given, was trained on."""
    if header.training.get("fingerprint") != files.fingerprint():
        raise ValueError(
            f"{files.root}: not the {header.training.get('files')} files that {checkpoint} was trained on; a resumed "
            "run needs the same ones"
        )


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder for a block; if the block fails, take away what was made and is still empty."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in made:
                path.rmdir()
        raise


def _standardised(options: TrainOptions, folders: DataFolders, output: Path) -> InputSpec:
    spec = choose_spec(options)
    if options.spec is None and spec.kind == "dct":
        constant: Constant = "refuse" if options.std_floor is None else "keep"  # the floor takes care of it
        spec, _ = measured_spec(
            spec,
            folders.train,
            images=options.stats_images,
            seed=options.seed,
            constant=constant,
            on_bad_image=options.on_bad_image,
            output=output,
        )
    return _floored(options, spec)


def _floored(options: TrainOptions, spec: InputSpec) -> InputSpec:
    return spec if options.std_floor is None else spec.with_std_floor(options.std_floor)
