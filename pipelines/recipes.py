"""Recipes that come with the package: a schedule and an input, each a YAML file of options. Light to import.

A recipe's name is NETWORK-INPUT-SCHEDULE, for instance resnet50-dct24-classic: the options of
configs/schedules/NETWORK-SCHEDULE.yaml, then those of configs/inputs/NETWORK-INPUT.yaml. All inputs of a network share
its schedules, so that two recipes differ in nothing but what the network is given.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_CONFIGS = Path(__file__).with_name("configs")
INPUTS = _CONFIGS / "inputs"
SCHEDULES = _CONFIGS / "schedules"

# How an input file begins; a test holds the numbers against the network.
_COST = re.compile(r"# (?P<title>.+): (?P<bytes>[\d,]+) input bytes per image, (?P<gmacs>[\d.]+) GMACs")


@dataclass(frozen=True)
class Recipe:
    """One network, one input, one schedule.

    Attributes:
        network: For instance "resnet50".
        input: For instance "dct24".
        schedule: For instance "classic".
    """

    network: str
    input: str
    schedule: str

    @property
    def name(self) -> str:
        """What `--config` takes."""
        return f"{self.network}-{self.input}-{self.schedule}"

    @property
    def files(self) -> tuple[Path, Path]:
        """The schedule's options, then the input's."""
        return SCHEDULES / f"{self.network}-{self.schedule}.yaml", INPUTS / f"{self.network}-{self.input}.yaml"

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
        gmacs: Billions of multiply-accumulates of a forward pass, on 1000 classes, to three digits.
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


def recipes() -> Iterator[Recipe]:
    """All recipes: network by network, schedule by schedule, inputs from the fewest bytes to the most after RGB."""
    for schedule in sorted(SCHEDULES.glob("*.yaml")):
        network, _, name = schedule.stem.partition("-")
        inputs = [Recipe(network, file.stem.partition("-")[2], name) for file in INPUTS.glob(f"{network}-*.yaml")]
        yield from sorted(inputs, key=lambda recipe: (recipe.input != "rgb", recipe.cost.bytes_per_image))


def config_files(name: str) -> tuple[Path, ...]:
    """The files that a value of `--config` stands for, in the order in which they apply.

    Args:
        name: A path, which comes first; a recipe; or one of a recipe's two halves (resnet50-classic, resnet50-dct24).

    Raises:
        ValueError: If it looks like a recipe and is none.
    """
    if Path(name).is_file() or not re.fullmatch(r"[\w-]+", name):
        return (Path(name),)
    known = {recipe.name: recipe.files for recipe in recipes()}
    if name in known:
        return known[name]
    halves = {file.stem: (file,) for files in known.values() for file in files}
    if name in halves:
        return halves[name]
    close = difflib.get_close_matches(name, [*known, *halves], n=1)
    hint = f"did you mean {close[0]}?" if close else "`freqlearn recipes` lists those that there are"
    raise ValueError(f"--config: {name}: neither a file nor a recipe; {hint}")


def with_config_files(arguments: Sequence[str]) -> list[str]:
    """Replace the recipes in a command line by the files that they stand for.

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
        for file in config_files(value if equals else str(following)):
            replaced += ["--config", str(file)]
    return replaced


def listing() -> str:
    """The table of `freqlearn recipes`."""
    rows = [(recipe.name, recipe.cost) for recipe in recipes()]
    width = max(len(name) for name, _ in rows)
    lines = [f"{'recipe':<{width}}  bytes per image  GMACs  input"]
    lines += [f"{name:<{width}}  {cost.bytes_per_image:>15,}  {cost.gmacs:>5}  {cost.title}" for name, cost in rows]
    return "\n".join(lines)
