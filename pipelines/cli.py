"""The `freqlearn` command: finds the command, reads its options, runs it, and turns mistakes into one line."""

import argparse
import difflib
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

_SHORT = {"-o": "--output"}
# What the extra `train` brings; one of them missing means that the extra is.
_EXTRA = ("jsonargparse", "lightning", "torchmetrics", "tensorboard", "matplotlib", "rich", "yaml", "docstring_parser")


@dataclass(frozen=True)
class Command:
    """One command of `freqlearn`.

    Attributes:
        summary: What it does, for the list of commands.
        function: "module:function" that runs it; its docstring is the help. What it returns is printed, but an integer
            is the exit status.
        options: "module:dataclass" that the function takes as its only argument; None if the function's own parameters
            are the options.
        positional: Parameters that are given without a name; a list takes one or more values.
    """

    summary: str
    function: str
    options: str | None = None
    positional: tuple[str, ...] = ()


COMMANDS: dict[str, Command] = {
    "stats": Command(
        "mean and standard deviation of every channel over a folder of images",
        "freqlearn.pipelines.stats:stats",
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
    "train": Command(
        "train a classifier on a folder of images",
        "freqlearn.pipelines.commands:train",
        options="freqlearn.pipelines.options:TrainOptions",
    ),
    "evaluate": Command(
        "evaluate a checkpoint on a folder of images",
        "freqlearn.pipelines.commands:evaluate",
        positional=("checkpoint",),
    ),
    "predict": Command(
        "name the likeliest classes of image files",
        "freqlearn.pipelines.commands:predict",
        positional=("checkpoint", "files"),
    ),
    "info": Command("what the headers of JPEG files hold", "freqlearn.pipelines.commands:info", positional=("files",)),
    "demo": Command(
        "the whole path on planted data, or on a folder of photos",
        "freqlearn.pipelines.demo:demo",
        positional=("photos",),
    ),
}


class UsageError(ValueError):
    """The command line itself is wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `freqlearn` command.

    Args:
        argv: Its arguments; those of the process by default.

    Returns:
        Exit status: 0, 1 if some of several files failed, 2 for a user's mistake, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        return _run(arguments)
    except BrokenPipeError:
        # Whoever read our output (`| head`) has seen enough; Python must not complain again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as stop:
        return _fail(str(stop) or "interrupted", 130, debug)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        return _fail(f"{package} is missing: pip install 'freqlearn[train]'", 2, debug)
    except (ValueError, OSError, ImportError) as error:
        return _fail(_one_line(error), 2, debug)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":
            raise
        return _fail("the device's memory is exhausted; use a smaller --batch-size", 2, debug)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_overview())
        return 0
    if arguments[0] == "--version":
        sys.stdout.write(f"freqlearn {version('freqlearn')}\n")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}"
        raise UsageError(f"no command {name!r}; {hint}")
    command = COMMANDS[name]
    _log_to_stderr()
    function = _load(command.function)
    parser = _parser(name, command, function)
    try:
        values = parser.parse_args(_canonical(rest, parser))
        options = parser.instantiate(values).as_dict()
    except argparse.ArgumentError as error:
        raise UsageError(f"{_readable(str(error))} (see freqlearn {name} --help)") from error
    except SystemExit as leave:  # after --help and --print_config
        return int(leave.code or 0)
    options.pop("config", None)
    result = function(_load(command.options)(**options)) if command.options else function(**options)
    if isinstance(result, int):
        return result
    if result is not None:
        sys.stdout.write(f"{result}\n")
    return 0


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: freqlearn COMMAND [options]",
            "",
            "Learning in the frequency domain: from JPEG bytes to frequency channels, their ranking, and models.",
            "",
            "commands:",
            *lines,
            "",
            "`freqlearn COMMAND --help` explains one. All take --config FILE.yaml, --print_config, and --debug",
            "(a traceback instead of a one-line error).",
            "",
        ]
    )


def _parser(name: str, command: Command, function: Callable[..., Any]) -> "ArgumentParser":
    from jsonargparse import ArgumentParser

    class Parser(ArgumentParser):
        def format_help(self, formatter: argparse.HelpFormatter | None = None) -> str:
            # Options are Python names inside and have dashes outside; _canonical accepts both.
            return re.sub(r"--[a-z]\w+", _dashed, super().format_help(formatter))

    about = (inspect.getdoc(function) or "").split("\nArgs:")[0].strip()
    parser = Parser(
        prog=f"freqlearn {name}",
        description=about,
        exit_on_error=False,
        formatter_class=_formatter(),
    )
    parser.add_argument("--config", action="config", help="YAML file with any of these options.")
    skip: set[str | int] = set(command.positional)
    if command.options is not None:
        parser.add_class_arguments(_load(command.options))
    else:
        parser.add_function_arguments(function, skip=skip)
    for parameter in command.positional:
        _add_positional(parser, parameter, function)
    return parser


def _add_positional(parser: "ArgumentParser", name: str, function: Callable[..., Any]) -> None:
    import docstring_parser

    documented = {p.arg_name: p.description for p in docstring_parser.parse(function.__doc__ or "").params}
    parameter = inspect.signature(function).parameters[name]
    several = getattr(parameter.annotation, "__origin__", None) is list
    nargs = "+" if several else ("?" if parameter.default is not inspect.Parameter.empty else None)
    parser.add_argument(name, type=Path, nargs=nargs, help=documented.get(name), metavar=name.upper())


def _dashed(option: re.Match[str]) -> str:
    return option[0].rstrip("_").replace("_", "-")


def _formatter() -> Any:
    from jsonargparse import DefaultHelpFormatter

    class Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
        pass

    return Formatter


def _canonical(arguments: Sequence[str], parser: "ArgumentParser") -> list[str]:
    """Command-line habits that jsonargparse does not know: dashes in names, -o, and --flag / --no-flag."""
    names = {action.dest for action in parser._actions}
    flags = {action.dest for action in parser._actions if getattr(action, "_typehint", None) is bool}
    canonical: list[str] = []
    for position, argument in enumerate(arguments):
        if argument == "--":
            return [*canonical, *arguments[position:]]
        argument = _SHORT.get(argument, argument)
        if argument.startswith("--"):
            option, equals, value = argument.partition("=")
            name = option[2:].replace("-", "_")
            if f"{name}_" in names:  # lambda_: a Python keyword
                name += "_"
            following = arguments[position + 1] if position + 1 < len(arguments) else ""
            if name.startswith("no_") and name[3:] in flags and not equals:
                name, equals, value = name[3:], "=", "false"
            elif name in flags and not equals and following not in ("true", "false"):
                equals, value = "=", "true"
            argument = f"--{name}{equals}{value}"
        canonical.append(argument)
    return canonical


def _readable(message: str) -> str:
    """Jsonargparse's message as a sentence for somebody who typed a command."""
    message = re.sub(r"<class '(\w+)'>", r"\1", " ".join(message.split()))
    message = re.sub(r'^Parser key "([\w.]+)": ', lambda found: f"--{found[1].replace('_', '-')}: ", message)
    message = re.sub(r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1", message)
    message = re.sub(r"Expected a (int|float|str|bool|Path)\b", r"expected \1", message)
    return re.sub(
        r"Does not validate against any of the Union subtypes Subtypes: \[(.*)\] Errors: .*Given value: ",
        lambda union: f"expected {' or '.join(_SUBTYPE.findall(union[1]))}, got ",
        message,
    )


_SUBTYPE = re.compile(r"\bint\b|\bfloat\b|\bstr\b|\bPath\b|'[^']+'")


def _one_line(error: BaseException) -> str:
    message = str(error)
    if "Original Traceback" in message:  # raised in a DataLoader worker: the message is that process's traceback
        message = message.rpartition(f"{type(error).__name__}: ")[2]
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    return " ".join(message.split()) or type(error).__name__


def _fail(message: str, status: int, debug: bool) -> int:
    if debug and sys.exc_info()[0] is not None:
        logging.getLogger("freqlearn").debug("", exc_info=True)
        import traceback

        traceback.print_exc()
    sys.stderr.write(f"freqlearn: {message}\n")
    return status


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _log_to_stderr() -> None:
    logger = logging.getLogger("freqlearn")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
