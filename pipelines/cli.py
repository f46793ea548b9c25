"""The `freqlearn` command: finds the command, reads its options, runs it, and turns mistakes into one line."""

import difflib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

from freqlearn.pipelines.arguments import Command, UsageError, parse
from freqlearn.pipelines.first_process import FailedElsewhere
from freqlearn.pipelines.preemption import INTERRUPTED, PREEMPTED, Preempted, sigterm_raises

# Package -> the extra that brings it; the package missing means that the extra is.
_TRAIN = ("jsonargparse", "lightning", "torchmetrics", "tensorboard", "matplotlib", "rich", "yaml", "docstring_parser")
_EXTRA = {**dict.fromkeys(_TRAIN, "train"), "pycocotools": "detection"}

# How torch says that a loader process could not hand over its batch; containers often have 64 MB for all of them.
_NO_SHARED_MEMORY = ("out of shared memory", "unable to resize file", "unable to write to file </torch_")

GROUPS = {"detect": "Detection and instance segmentation on COCO-format data, from frequency channels or pixels."}
"""First words of commands of two words, and what the commands of each are for."""

COMMANDS: dict[str, Command] = {
    "stats": Command(
        "mean and standard deviation of every channel over images",
        "freqlearn.pipelines.commands:stats",
        positional=("data",),
    ),
    "rank": Command(
        "rank the 192 channels by how much a model needs them",
        "freqlearn.pipelines.commands:rank",
        options="freqlearn.pipelines.rank_options:RankOptions",
    ),
    "heatmap": Command(
        "draw an importance file as three 8x8 panels",
        "freqlearn.pipelines.commands:heatmap",
        positional=("importance",),
    ),
    "rank-and-train": Command(
        "rank the channels, then train with the best of them",
        "freqlearn.pipelines.commands:rank_and_train",
        options="freqlearn.pipelines.workflow_options:RankAndTrainOptions",
    ),
    "sweep-channels": Command(
        "accuracy against the number of channels",
        "freqlearn.pipelines.commands:sweep_channels",
        options="freqlearn.pipelines.workflow_options:SweepOptions",
    ),
    "compare-rankings": Command(
        "how much several rankings agree",
        "freqlearn.pipelines.commands:compare_rankings",
        positional=("rankings",),
    ),
    "train": Command(
        "train a classifier on a folder of images or on tar shards",
        "freqlearn.pipelines.model_commands:train",
        options="freqlearn.pipelines.options:TrainOptions",
    ),
    "recipes": Command(
        "the recipes that train and detect train know, and their costs",
        "freqlearn.pipelines.model_commands:recipes",
    ),
    "evaluate": Command(
        "evaluate a checkpoint on a folder of images or on tar shards",
        "freqlearn.pipelines.model_commands:evaluate",
        positional=("checkpoint",),
    ),
    "predict": Command(
        "name the likeliest classes of image files",
        "freqlearn.pipelines.model_commands:predict",
        positional=("checkpoint", "files"),
    ),
    "profile": Command(
        "what a model costs, layer by layer: multiply-accumulates, parameters, memory",
        "freqlearn.pipelines.model_commands:profile",
        options="freqlearn.pipelines.profile_options:ProfileOptions",
        positional=("model",),
    ),
    "export": Command(
        "export a checkpoint to ONNX or torch.export, and compare the two",
        "freqlearn.pipelines.model_commands:export",
        positional=("checkpoint",),
    ),
    "info": Command(
        "what JPEG files, checkpoints, exported models and packed sets say of themselves",
        "freqlearn.pipelines.model_commands:info",
        positional=("files",),
    ),
    "spectrum": Command(
        "draw the frequencies of an image: low, middle, high, spectra, power",
        "freqlearn.pipelines.spectrum_commands:spectrum",
        positional=("file",),
    ),
    "sensitivity": Command(
        "which frequencies trained models rely on: accuracy without each band",
        "freqlearn.pipelines.spectrum_commands:sensitivity",
        positional=("checkpoints",),
    ),
    "detect train": Command(
        "train Faster R-CNN or Mask R-CNN on COCO-format data",
        "freqlearn.pipelines.detection.commands:train",
        options="freqlearn.pipelines.detection.options:DetectOptions",
    ),
    "detect evaluate": Command(
        "COCO average precision of a detector's checkpoint",
        "freqlearn.pipelines.detection.commands:evaluate",
        positional=("checkpoint",),
    ),
    "detect predict": Command(
        "find objects in image files: JSON, and pictures with them drawn in",
        "freqlearn.pipelines.detection.commands:predict",
        positional=("checkpoint", "files"),
    ),
    "detect rank": Command(
        "rank the 192 channels by how much a detector needs them",
        "freqlearn.pipelines.detection.commands:rank",
        options="freqlearn.pipelines.detection.rank_options:DetectRankOptions",
    ),
    "prune": Command(
        "make JPEG files smaller by the coefficients that a model does not need",
        "freqlearn.pipelines.pruning.command:prune",
        options="freqlearn.pipelines.pruning.options:PruneOptions",
        positional=("source", "output"),
    ),
    "pack": Command(
        "pack photos for a model: at its evaluation size, with its channels only, in tar shards",
        "freqlearn.pipelines.packing.command:pack",
        options="freqlearn.pipelines.packing.options:PackOptions",
        positional=("data", "output"),
    ),
    "demo": Command(
        "the whole path on planted data, or on a folder of photos",
        "freqlearn.pipelines.commands:demo",
        positional=("photos",),
    ),
    "bench": Command(
        "how fast your photos load here, beside other libraries",
        "freqlearn.pipelines.commands:bench",
        positional=("data",),
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `freqlearn` command.

    Args:
        argv: Its arguments; those of the process by default.

    Returns:
        Exit status: 0, 1 if some of several files failed, 2 for a user's mistake, 75 after SIGTERM
            (try again later: `train --resume` goes on), 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with sigterm_raises():
            return _run(arguments)
    except BrokenPipeError:
        # Whoever read our output (`| head`) has seen enough; Python must not complain again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as stop:
        return _fail(str(stop) if stop.args else "interrupted", INTERRUPTED, debug)
    except Preempted as stop:
        return _fail(str(stop), PREEMPTED, debug)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        return _fail(f"{package} is missing: pip install 'freqlearn[{_EXTRA[package]}]'", 2, debug)
    except FailedElsewhere:
        return _fail("", 2, debug)
    except (ValueError, OSError, ImportError) as error:
        return _fail(_one_line(error), 2, debug)
    except RuntimeError as error:
        if type(error).__name__ == "OutOfMemoryError":
            return _fail("the device's memory is exhausted; use a smaller --batch-size", 2, debug)
        if any(sign in str(error) for sign in _NO_SHARED_MEMORY):
            return _fail("loader processes lack shared memory (/dev/shm); enlarge it, or use --workers 0", 2, debug)
        raise


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_overview())
        return 0
    if arguments[0] == "--version":
        sys.stdout.write(f"freqlearn {version('freqlearn')}\n")
        return 0
    group = arguments[0] if arguments[0] in GROUPS else ""
    if group and (len(arguments) == 1 or arguments[1] in ("-h", "--help")):
        sys.stdout.write(_overview(group))
        return 0
    words = 2 if group else 1
    name, rest = " ".join(arguments[:words]), arguments[words:]
    if name not in COMMANDS:
        raise _unknown(name, group)
    _log_to_stderr()
    try:
        run = parse(name, COMMANDS[name], rest)
    except SystemExit as leave:  # after --help and --print-config
        return int(leave.code or 0)
    return run() or 0


def _commands(group: str) -> dict[str, Command]:
    """The commands of a group; of no group all."""
    return {name: command for name, command in COMMANDS.items() if not group or name.startswith(f"{group} ")}


def _unknown(name: str, group: str) -> UsageError:
    known = [*_commands(group), *([] if group else GROUPS)]
    # Of commands of two words the first is alike in all.
    close = difflib.get_close_matches(name.removeprefix(group), [one.removeprefix(group) for one in known], n=1)
    hint = f"did you mean {group}{close[0]}?" if close else f"there are {', '.join(known)}"
    return UsageError(f"no command {name!r}; {hint}")


def _overview(group: str = "") -> str:
    commands = _commands(group)
    width = max(map(len, commands))
    about = "Learning in the frequency domain: from JPEG bytes to frequency channels, their ranking, and models."
    command = f"{group} COMMAND".lstrip()
    return "\n".join(
        [
            f"usage: freqlearn {command} [options]",
            "",
            GROUPS.get(group, about),
            "",
            "commands:",
            *(f"  {name:<{width}}  {command.summary}" for name, command in commands.items()),
            "",
            f"`freqlearn {command} --help` explains one. All take --config FILE.yaml, --print-config, and --debug",
            "(a traceback instead of a one-line error).",
            "",
        ]
    )


def _one_line(error: BaseException) -> str:
    message = str(error)
    if "Original Traceback" in message:  # raised in a DataLoader worker: the message is that process's traceback
        message = message.rpartition(f"{type(error).__name__}: ")[2]
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    return " ".join(message.split()) or type(error).__name__


def _fail(message: str, status: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    if message:  # of several processes that stop, one says so
        sys.stderr.write(f"freqlearn: {message}\n")
    return status


def _log_to_stderr() -> None:
    logger = logging.getLogger("freqlearn")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
