"""docs/training.md: the options of every command in it exist, and its table of recipes is that of the recipes."""

import re
import shlex
from pathlib import Path

import pytest

from freqlearn.pipelines.arguments import parse
from freqlearn.pipelines.cli import COMMANDS
from freqlearn.pipelines.recipes import recipes

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """What follows `freqlearn` in each line of the page's shell blocks, whatever starts it (torchrun, srun)."""
    found = []
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if "freqlearn" in words:
                found.append([word for word in words[words.index("freqlearn") + 1 :] if word != "$resume"])
    return found


COMMAND_LINES = [line for line in commands() if "--print-config" not in line]


def test_there_are_commands() -> None:
    assert {line[0] for line in COMMAND_LINES} >= {"train", "evaluate", "rank"}


@pytest.mark.parametrize("line", COMMAND_LINES, ids=" ".join)
def test_options_of_every_command_exist(line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for word in line:  # options of an earlier run
        if word.endswith("config.yaml"):
            Path(word).parent.mkdir(parents=True)
            Path(word).write_text("data: photos\n")
    name, *arguments = line
    assert callable(parse(name, COMMANDS[name], arguments))


def test_costs_are_those_of_the_recipes() -> None:
    table = {}
    for names, numbers, gmacs in re.findall(
        r"^\| `(\w+-\w+`[^|]*) \| [^|]* \| ([\d,/ ]+) \| ([\d./ ]+) \|$", PAGE, re.MULTILINE
    ):
        first, *others = [name.strip("` ") for name in names.split("/")]
        network = first.partition("-")[0]
        for name, number, giga in zip(
            [first, *(f"{network}-{o}" for o in others)], numbers.split("/"), gmacs.split("/"), strict=True
        ):
            table[name] = (int(number.replace(",", "")), giga.strip())
    expected = {f"{r.network}-{r.input}": (r.cost.bytes_per_image, r.cost.gmacs) for r in recipes()}
    assert table == expected
