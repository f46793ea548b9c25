"""From a function's signature and docstring to a command's options, and from a command line to their values."""

import argparse
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqlearn.pipelines.recipes import with_config_files

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

_SHORT = {"-o": "--output"}
_YAML = "freqlearn"


@dataclass(frozen=True)
class Command:
    """One command of `freqlearn`.

    Attributes:
        summary: What it does, for the list of commands.
        function: "module:function" that runs it; its docstring is the help. It returns the exit status, or None for 0.
        options: "module:dataclass" that the function takes as its only argument; None if the function's own parameters
            are the options.
        positional: Parameters that are given without a name; a list takes one or more values.
    """

    summary: str
    function: str
    options: str | None = None
    positional: tuple[str, ...] = ()


class UsageError(ValueError):
    """The command line itself is wrong."""


def parse(name: str, command: Command, arguments: Sequence[str]) -> Callable[[], int | None]:
    """Read a command's arguments.

    Args:
        name: The command's name, for messages.
        command: The command.
        arguments: What was typed after its name.

    Returns:
        Runs the command with these arguments.

    Raises:
        UsageError: If they make no sense.
        SystemExit: After --help and --print-config.
    """
    function = _load(command.function)
    options = read(name, command, arguments)
    if command.options is None:
        return lambda: function(**options)
    return lambda: function(_load(command.options or "")(**options))


def read(name: str, command: Command, arguments: Sequence[str]) -> dict[str, Any]:
    """Read a command's arguments, as `parse` does, and return the options by name."""
    parser = _parser(name, command, _load(command.function))
    given = with_config_files(arguments, group=name.rpartition(" ")[0])
    try:
        values = parser.parse_args(_canonical(given, parser))
        options: dict[str, Any] = parser.instantiate(values).as_dict()
    except argparse.ArgumentError as error:
        raise UsageError(f"{_readable(str(error))} (see freqlearn {name} --help)") from error
    options.pop("config", None)
    return options


def _parser(name: str, command: Command, function: Callable[..., Any]) -> "ArgumentParser":
    import yaml
    from jsonargparse import ArgumentParser, set_loader

    class Parser(ArgumentParser):
        def format_help(self, formatter: argparse.HelpFormatter | None = None) -> str:
            # Options are Python names inside and have dashes outside; _canonical accepts both.
            text = re.sub(r"(--[a-z]+)_ ([A-Z]+)_( {2,})?", _python_keyword, super().format_help(formatter))
            text = re.sub(r"--[a-z]\w+", _dashed, text)
            return re.sub(r"<class\s+'(\w+)'>", r"\1", text)

    set_loader(_YAML, _read_yaml, exceptions=(yaml.YAMLError,))
    about = (inspect.getdoc(function) or "").split("\nArgs:")[0].strip()
    parser = Parser(
        prog=f"freqlearn {name}",
        description=about,
        exit_on_error=False,
        formatter_class=_formatter(),
        parser_mode=_YAML,
    )
    parser.add_argument(
        "--config",
        action="config",
        help="YAML file with any of these options, or a recipe of `freqlearn recipes`. What comes later wins.",
    )
    skip: set[str | int] = set(command.positional)
    source = function
    if command.options is not None:
        source = _load(command.options)
        parser.add_class_arguments(source, skip=skip)
    else:
        parser.add_function_arguments(function, skip=skip)
    for parameter in command.positional:
        _add_positional(parser, parameter, source)
    return parser


def _read_yaml(text: str) -> Any:
    """YAML as jsonargparse reads it, and `lambda` as the option whose name Python does not allow."""
    from jsonargparse import get_loader

    value = get_loader("yaml")(text)
    if not isinstance(value, dict):
        return value
    return {f"{name}_" if isinstance(name, str) and iskeyword(name) else name: part for name, part in value.items()}


def _add_positional(parser: "ArgumentParser", name: str, source: Callable[..., Any]) -> None:
    import docstring_parser

    texts = [part.__doc__ or "" for part in reversed(getattr(source, "__mro__", (source,)))]
    documented = {p.arg_name: p.description for text in texts for p in docstring_parser.parse(text).params}
    parameter = inspect.signature(source).parameters[name]
    several = getattr(parameter.annotation, "__origin__", None) is list
    nargs = "+" if several else ("?" if parameter.default is not inspect.Parameter.empty else None)
    kind = str if parameter.annotation is str else Path  # a Path would spoil a URL
    parser.add_argument(name, type=kind, nargs=nargs, help=documented.get(name), metavar=name.upper())


def _python_keyword(option: re.Match[str]) -> str:
    """`--for FOR` of `--for_ FOR_`, with what stands beside it where it stood."""
    return f"{option[1]} {option[2]}" + (f"{option[3]}  " if option[3] else "")


def _dashed(option: re.Match[str]) -> str:
    return option[0].rstrip("_").replace("_", "-")


def _formatter() -> Any:
    from jsonargparse import DefaultHelpFormatter

    class Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
        pass

    return Formatter


def _canonical(arguments: Sequence[str], parser: "ArgumentParser") -> list[str]:
    """Command-line habits that jsonargparse does not know.

    Dashes in names, -o, --flag / --no-flag, and --name for what is also given without its name.
    """
    names = {action.dest for action in parser._actions}
    positional = {action.dest for action in parser._actions if not action.option_strings}
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
            if name in positional:
                canonical += [value] if equals else []
                continue
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


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
