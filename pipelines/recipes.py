"""Recipes that come with the package: a schedule and an input, each a YAML file of options. Light to import.

A recipe's name is NETWORK-INPUT-SCHEDULE, for instance resnet50-dct24-classic: the options of
configs/schedules/NETWORK-SCHEDULE.yaml, then those of configs/inputs/NETWORK-INPUT.yaml. All inputs of a network share
its schedules, so that two recipes differ in nothing but what the network is given. Detectors have theirs in
configs/detect.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_CONFIGS = Path(__file__).with_name("configs")
FOLDERS = {"": _CONFIGS, "detect": _CONFIGS / "detect"}
"""First word of the commands that take them -> folder with inputs/ and schedules/; commands of one word have none."""

# How an input file begins; a test holds the numbers against the network.
_COST = re.compile(r"# (?P<title>.+): (?P<bytes>[\d,]+) input bytes per image, (?P<gmacs>[\d.]+) GMACs")


@dataclass(frozen=True)
class Recipe:
    """One network, one input, one schedule.

    Attributes:
        network: For instance "resnet50".
        input: For instance "dct24".
        schedule: For instance "classic".
        group: First word of the commands that take it: "detect", or none for those of one word.
    """

    network: str
    input: str
    schedule: str
    group: str = ""

    @property
    def name(self) -> str:
        """What `--config` takes."""
        return f"{self.network}-{self.input}-{self.schedule}"

    @property
    def files(self) -> tuple[Path, Path]:
        """The schedule's options, then the input's."""
        folder = FOLDERS[self.group]
        return (
            folder / "schedules" / f"{self.network}-{self.schedule}.yaml",
            folder / "inputs" / f"{self.network}-{self.input}.yaml",
        )

    @property
    def cost(self) -> "Cost":
        """What the input file says that the input costs."""
        return Cost.of(self.files[1])


@dataclass(frozen=True)
class Cost:
    """What an input costs.

    Attributes:
        title: Network and input, for people.
        bytes_per_image: Size of one image's tensor as float32.
        gmacs: Billions of multiply-accumulates of a forward pass, to three digits: on ImageNet's 1000 classes, or of a
            detector on COCO's 80.
    """

    title: str
    bytes_per_image: int
    gmacs: str

    @classmethod
    def of(cls, file: Path) -> "Cost":
        """Read the first line of an input file.

        Raises:
            ValueError: If it says no costs.
        """
        with file.open(encoding="utf-8") as lines:
            first = next(lines, "")
        if not (found := _COST.match(first)):
            raise ValueError(f"{file}: expected a first line with bytes and GMACs, got {first!r}")
        return cls(found["title"], int(found["bytes"].replace(",", "")), found["gmacs"])


def recipes(group: str = "") -> Iterator[Recipe]:
    """All recipes: network by network, schedule by schedule, inputs from the fewest bytes to the most after RGB.

    Args:
        group: First word of the commands that take them.
    """
    folder = FOLDERS[group]
    for schedule in sorted((folder / "schedules").glob("*.yaml")):
        network, _, name = schedule.stem.partition("-")
        inputs = [file.stem.partition("-")[2] for file in (folder / "inputs").glob(f"{network}-*.yaml")]
        found = [Recipe(network, given, name, group) for given in inputs]
        yield from sorted(found, key=lambda recipe: (recipe.input != "rgb", recipe.cost.bytes_per_image))


def config_files(name: str, group: str = "") -> tuple[Path, ...]:
    """The files that a value of `--config` stands for, in the order in which they apply.

    Args:
        name: A path, which comes first; a recipe; or one of a recipe's two halves (resnet50-classic, resnet50-dct24).
        group: First word of the command.

    Raises:
        ValueError: If it looks like a recipe and is none of that command.
    """
    if Path(name).is_file() or not re.fullmatch(r"[\w-]+", name):
        return (Path(name),)
    known = _known(group)
    if name in known:
        return known[name]
    for other in FOLDERS:
        if name in _known(other):
            raise ValueError(f"--config: {name} is a recipe of `freqlearn {_trains(other)}`")
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "`freqlearn recipes` lists those that there are"
    raise ValueError(f"--config: {name}: neither a file nor a recipe; {hint}")


def _known(group: str) -> dict[str, tuple[Path, ...]]:
    """A group's recipes, and their halves."""
    whole: dict[str, tuple[Path, ...]] = {recipe.name: recipe.files for recipe in recipes(group)}
    return whole | {file.stem: (file,) for files in whole.values() for file in files}


def _trains(group: str) -> str:
    return f"{group} train".lstrip()


def with_config_files(arguments: Sequence[str], group: str = "") -> list[str]:
    """Replace the recipes in a command line by the files that they stand for.

    Args:
        arguments: What was typed after the command's name.
        group: First word of the command, if it has two.

    Raises:
        ValueError: If a value of --config is neither a file nor a recipe.
    """
    replaced: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*replaced, argument, *rest]
        option, equals, value = argument.partition("=")
        if option != "--config":
            replaced.append(argument)
            continue
        if not equals and (following := next(rest, None)) is None:
            return [*replaced, argument]  # no value: the parser says so
        for file in config_files(value if equals else str(following), group):
            replaced += ["--config", str(file)]
    return replaced


def listing() -> str:
    """The tables of `freqlearn recipes`."""
    return "\n\n".join(_table(group) for group in FOLDERS)


def _table(group: str) -> str:
    head = f"recipe of {_trains(group)}"
    rows = [(recipe.name, recipe.cost) for recipe in recipes(group)]
    width = max(len(name) for name in (head, *(name for name, _ in rows)))
    lines = [f"{head:<{width}}  bytes per image  GMACs  input"]
    lines += [f"{name:<{width}}  {cost.bytes_per_image:>15,}  {cost.gmacs:>5}  {cost.title}" for name, cost in rows]
    return "\n".join(lines)
