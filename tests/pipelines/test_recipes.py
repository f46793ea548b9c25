"""The recipes in pipelines/configs: what they are, what they cost, and that inputs are compared fairly."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
import yaml

from freqlearn.pipelines.cli import main
from freqlearn.pipelines.costs import macs
from freqlearn.pipelines.inputs import choose_spec
from freqlearn.pipelines.networks import build_network
from freqlearn.pipelines.options import RunOptions, TrainOptions
from freqlearn.pipelines.recipes import FOLDERS, Recipe, config_files, recipes, with_config_files

INPUTS, SCHEDULES = FOLDERS[""] / "inputs", FOLDERS[""] / "schedules"
# What an input file may say; everything else is the schedule's, and so the same for all inputs of a network.
INPUT_OPTIONS = {"input", "channels", "spec", "size_px"}
RECIPES = list(recipes())
FILES = sorted({file for recipe in RECIPES for file in recipe.files})
COSTED = {recipe.files[1]: recipe for recipe in RECIPES}.values()


def read(file: Path) -> dict[str, Any]:
    options = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(options, dict)
    return options


def options_of(recipe: Recipe) -> TrainOptions:
    schedule, given = (read(file) for file in recipe.files)
    return TrainOptions(data=Path("photos"), **(schedule | given))


def test_the_recipes_that_there_should_be() -> None:
    expected = {
        f"{network}-{given}-{schedule}"
        for network, schedules in (
            ("resnet50", ("classic", "modern")),
            ("mobilenet_v2", ("classic", "modern")),
            ("resnet18", ("laptop",)),
        )
        for schedule in schedules
        for given in ("rgb", "dct24", "dct48", "dct64", "dct192")
    }
    assert {recipe.name for recipe in RECIPES} == expected


def test_every_file_belongs_to_a_recipe() -> None:
    assert sorted([*INPUTS.glob("*"), *SCHEDULES.glob("*")]) == FILES


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_inputs_of_a_network_differ_in_the_input_only(recipe: Recipe) -> None:
    rgb = options_of(Recipe(recipe.network, "rgb", recipe.schedule)).plain()
    own = options_of(recipe).plain()
    assert own.keys() == rgb.keys()
    assert {name for name in own if own[name] != rgb[name]} <= INPUT_OPTIONS
    schedule, given = (read(file) for file in recipe.files)
    assert set(given) <= INPUT_OPTIONS
    assert not set(schedule) & INPUT_OPTIONS
    assert schedule["model"] == recipe.network


@pytest.mark.parametrize("recipe", COSTED, ids=lambda recipe: recipe.files[1].stem)
def test_inputs_see_the_same_part_of_a_picture(recipe: Recipe) -> None:
    spec = choose_spec(options_of(recipe))
    assert spec.resize_px is not None
    assert Fraction(spec.size_px, spec.resize_px) == Fraction(7, 8)
    assert (spec.kind == "rgb") == (recipe.input == "rgb")
    if recipe.input != "rgb":
        assert spec.in_channels == int(recipe.input.removeprefix("dct"))


@pytest.mark.parametrize("recipe", COSTED, ids=lambda recipe: recipe.files[1].stem)
def test_costs_are_the_networks(recipe: Recipe) -> None:
    spec = choose_spec(options_of(recipe))
    with torch.device("meta"):
        network = build_network(recipe.network, spec, num_classes=1000).eval()
        maps = torch.empty(1, spec.in_channels, spec.map_size, spec.map_size)
    assert recipe.cost.bytes_per_image == maps.numel() * maps.element_size()
    assert recipe.cost.gmacs == f"{macs(network, maps) / 1e9:#.3g}"


@pytest.mark.parametrize(
    ("recipe", "weights"),
    [
        (Recipe("resnet50", "rgb", "classic"), torchvision.models.ResNet50_Weights.IMAGENET1K_V1),
        (Recipe("mobilenet_v2", "rgb", "classic"), torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1),
    ],
    ids=["resnet50", "mobilenet_v2"],
)
def test_rgb_costs_what_torchvision_says(recipe: Recipe, weights: Any) -> None:
    assert float(recipe.cost.gmacs) == pytest.approx(weights.meta["_ops"], abs=5e-3)  # both are rounded


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_schedules_fit_rank_too(recipe: Recipe) -> None:
    assert set(read(recipe.files[0])) <= set(RunOptions.__dataclass_fields__)


def test_a_name_stands_for_schedule_then_input() -> None:
    assert config_files("resnet50-dct24-classic") == (
        SCHEDULES / "resnet50-classic.yaml",
        INPUTS / "resnet50-dct24.yaml",
    )
    assert config_files("resnet50-classic") == (SCHEDULES / "resnet50-classic.yaml",)
    assert config_files("resnet50-dct24") == (INPUTS / "resnet50-dct24.yaml",)


def test_a_file_comes_before_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("resnet50-dct24-classic").write_text("epochs: 3\n")
    assert config_files("resnet50-dct24-classic") == (Path("resnet50-dct24-classic"),)


def test_command_lines_keep_everything_else() -> None:
    line = ["--lr", "0.2", "--config=resnet50-classic", "--config", "mine.yaml", "--", "--config", "resnet50-classic"]
    assert with_config_files(line) == [
        *("--lr", "0.2", "--config", str(SCHEDULES / "resnet50-classic.yaml"), "--config", "mine.yaml"),
        *("--", "--config", "resnet50-classic"),
    ]


def test_an_unknown_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--config", "resnet50-dct24-clasic", "--data", "photos"]) == 2
    assert capsys.readouterr().err.endswith(
        "--config: resnet50-dct24-clasic: neither a file nor a recipe; did you mean resnet50-dct24-classic?\n"
    )
    assert main(["train", "--config", "quick"]) == 2
    assert "`freqlearn recipes` lists those that there are" in capsys.readouterr().err


def test_the_command_line_changes_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["train", "--config", "resnet50-classic", "--config", "resnet50-dct48", "--data", "photos", "--lr", "0.3"]
    assert main([*line, "--print-config"]) == 0
    printed = TrainOptions(**yaml.safe_load(capsys.readouterr().out))
    assert printed.plain() == options_of(Recipe("resnet50", "dct48", "classic")).plain() | {"lr": 0.3}


def test_the_list_names_every_recipe_and_its_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    table, *_ = capsys.readouterr().out.split("\n\n")
    lines = table.splitlines()[1:]
    assert [line.split()[:3] for line in lines] == [
        [recipe.name, f"{recipe.cost.bytes_per_image:,}", recipe.cost.gmacs] for recipe in RECIPES
    ]


@pytest.mark.parametrize("name", ["resnet18-rgb-laptop", "resnet18-dct24-laptop"])
def test_a_recipe_trains(name: str, two_classes: Path, tmp_path: Path) -> None:
    line = ["train", "--config", name, "--data", str(two_classes), "--output", str(tmp_path / "run")]
    small = ["--size-px", "64", "--batch-size", "8", "--max-steps", "2", "--workers", "0", "--accelerator", "cpu"]
    assert main([*line, *small, "--no-progress"]) == 0
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["weight_decay"] == read(SCHEDULES / "resnet18-laptop.yaml")["weight_decay"]
