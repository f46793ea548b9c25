"""What a run starts from: a folder of its own and measured statistics, or the state of a run that was stopped."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from freqlearn import atomic
from freqlearn.pipelines.checkpoint import Header, read_header
from freqlearn.pipelines.checkpoint_files import BEST, LAST, PREVIOUS, check_resumable, newest_state
from freqlearn.pipelines.shared_options import ABOUT_THE_RUN

if TYPE_CHECKING:
    from freqlearn.pipelines.running import Task

CONFIG = "config.yaml"

# Two runs that differ in any other option are not the same run at a later time, be it the learning rate: the restored
# optimizer brings its own. More epochs are allowed: the schedule is then stretched over them. So are other machines:
# batch_size counts the images of all processes; but Lightning's loops count batches, so accumulate must stay.
FREE_ON_RESUME = (ABOUT_THE_RUN - {"accumulate"}) | {"epochs", "max_steps", "on_bad_image"}
"""Options of any training that may differ between a run and its continuation."""


@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        header: What its checkpoints say about the model.
        state: The checkpoint to go on from; None for a fresh run.
    """

    header: Header
    state: Path | None


def check_output(output: Path, *, resume: bool) -> None:
    """Refuse a folder that holds another run, or none to resume.

    Raises:
        ValueError: If it does.
    """
    if resume:
        check_resumable(output)
    elif any((output / name).exists() for name in (LAST, PREVIOUS, BEST)):
        raise ValueError(f"{output}: holds the checkpoints of another run; resume that one, or choose another output")


def fresh(task: "Task[Any]") -> Start:
    """Make the run's folder, measure statistics if the spec has none, and write down the options.

    Raises:
        OSError: If the folder cannot be made.
        ValueError: If the files cannot be measured.
    """
    plain = task.options.plain() | {"output": str(task.output)}
    with new_folder(task.output):  # before the files are measured, which takes time
        header = task.fresh_header(plain)
        atomic.write_text(task.output / CONFIG, yaml.safe_dump(plain, sort_keys=False))
    return Start(header, None)


def resumed(task: "Task[Any]") -> Start:
    """Find the state to go on from.

    Raises:
        CheckpointError: If it is damaged.
        ValueError: If there is none, or it is of other options or files.
    """
    state = newest_state(task.output)
    header = read_header(state)
    if header.is_detector != task.detects:
        kind, command = ("detector", "detect train") if header.is_detector else ("classifier", "train")
        raise ValueError(f"{state}: is of a {kind}, which freqlearn {command} goes on with; choose another output")
    usual = task.usual_options()
    now = task.options.plain()
    for name in now:
        if name in task.free_on_resume:
            continue
        before = header.training.get(name, usual[name])
        if name == "spec" and before and now[name] and task.chosen_spec() == header.spec:
            continue  # the same file, moved: a ranking's folder has another name now
        if before != now[name]:
            raise ValueError(
                f"{state}: was trained with {name} {before}, and now {name} is {now[name]}; a resumed run keeps its "
                f"options: use --config {task.output / CONFIG}"
            )
    if header.training.get("fingerprint") != task.files.fingerprint():
        raise ValueError(
            f"{task.root}: not the {header.training.get('files')} files that {state} was trained on; a resumed "
            "run needs the same ones"
        )
    return Start(header, state)


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
