"""The recipes of `freqlearn detect train`: what they are, what they cost, and that inputs are compared fairly."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from freqlearn.pipelines.cli import main
from freqlearn.pipelines.detection.costs import PICTURE_PX, detector_cost, maps_shape
from freqlearn.pipelines.detection.inputs import choose_detection_spec
from freqlearn.pipelines.detection.networks import build_detector
from freqlearn.pipelines.detection.options import DetectOptions, DetectRunOptions
from freqlearn.pipelines.recipes import FOLDERS, Recipe, config_files, recipes

FOLDER = FOLDERS["detect"]
RECIPES = list(recipes("detect"))
COSTED = {recipe.files[1]: recipe for recipe in RECIPES}.values()
INPUT_OPTIONS = {"input", "channels"}


def read(file: Path) -> dict[str, Any]:
    options = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(options, dict)
    return options


def options_of(recipe: Recipe, **changes: Any) -> DetectOptions:
    schedule, given = (read(file) for file in recipe.files)
    return DetectOptions(images=Path("photos"), annotations=Path("photos.json"), **(schedule | given | changes))


def test_the_recipes_that_there_should_be() -> None:
    assert {recipe.name for recipe in RECIPES} == {
        f"{network}_resnet50_fpn-{given}-{epochs}epochs"
        for network in ("fasterrcnn", "maskrcnn")
        for given in ("rgb", "dct24", "dct48", "dct64")
        for epochs in (12, 20)
    }
    files = {file for recipe in RECIPES for file in recipe.files}
    assert files == {path for path in FOLDER.rglob("*") if path.is_file()}, "every file belongs to a recipe"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_schedules_are_the_papers(recipe: Recipe) -> None:
    options = options_of(recipe)
    assert options.model == recipe.network
    assert (options.min_size, options.max_size) == PICTURE_PX
    assert (options.optimizer, options.momentum, options.weight_decay) == ("sgd", 0.9, 1e-4)
    assert options.lr / options.batch_size == 0.02 / 16
    assert (options.warmup_steps, options.gradient_clip) == (500, 35)
    milestones = {12: [8, 11], 20: [16, 19]}
    assert (options.schedule, options.milestones) == ("step", milestones[options.epochs])
    rgb = options_of(Recipe(recipe.network, "rgb", recipe.schedule, "detect")).plain()
    assert {name for name, value in options.plain().items() if value != rgb[name]} <= INPUT_OPTIONS


@pytest.mark.parametrize("recipe", COSTED, ids=lambda recipe: recipe.files[1].stem)
def test_costs_are_the_networks(recipe: Recipe) -> None:
    options = options_of(recipe)
    spec = choose_detection_spec(options)
    assert set(read(recipe.files[1])) <= INPUT_OPTIONS
    assert spec.in_channels == (3 if recipe.input == "rgb" else int(recipe.input.removeprefix("dct")))
    with torch.device("meta"):
        detector = build_detector(options.model, spec, classes=80, **options.network_arguments())
    assert recipe.cost.bytes_per_image == 4 * math.prod(maps_shape(spec, PICTURE_PX))
    assert recipe.cost.gmacs == f"{detector_cost(detector, spec).total / 1e9:.1f}"


def test_with_weights_of_a_classifier_its_statistics_stay() -> None:
    recipe = RECIPES[0]
    assert options_of(recipe).network_arguments()["norm"] == "batch"
    with_weights = options_of(recipe, backbone="resnet50.pth").network_arguments()
    assert (with_weights["norm"], with_weights["trainable_layers"]) == ("frozen", 5)


def test_schedules_fit_detect_rank_too() -> None:
    shared = {field.name for field in fields(DetectRunOptions)}
    assert all(set(read(recipe.files[0])) <= shared for recipe in RECIPES)


def test_names_are_of_their_own_commands(capsys: pytest.CaptureFixture[str]) -> None:
    name = "maskrcnn_resnet50_fpn-dct24-12epochs"
    assert config_files(name, "detect") == Recipe("maskrcnn_resnet50_fpn", "dct24", "12epochs", "detect").files
    data = ["--images", "photos", "--annotations", "photos.json", "--lr", "0.01"]
    assert main(["detect", "train", "--config", name, *data, "--print-config"]) == 0
    printed = DetectOptions(**yaml.safe_load(capsys.readouterr().out))
    expected = Recipe("maskrcnn_resnet50_fpn", "dct24", "12epochs", "detect")
    assert printed.plain() == options_of(expected, lr=0.01).plain()
    assert main(["detect", "rank", "--config", "maskrcnn_resnet50_fpn-12epochs", *data, "--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["milestones"] == [8, 11]
    assert main(["train", "--config", name]) == 2
    assert capsys.readouterr().err.endswith(f"{name} is a recipe of `freqlearn detect train`\n")
    assert main(["detect", "train", "--config", "resnet50-dct24-classic"]) == 2
    assert capsys.readouterr().err.endswith("resnet50-dct24-classic is a recipe of `freqlearn train`\n")
    assert main(["detect", "train", "--config", name.replace("mask", "maks")]) == 2
    assert f"did you mean {name}?" in capsys.readouterr().err


def test_the_list_names_every_recipe_and_its_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    _, table = capsys.readouterr().out.split("\n\n")
    head, *lines = table.splitlines()
    assert head.startswith("recipe of detect train ")
    assert [line.split()[:3] for line in lines] == [
        [recipe.name, f"{recipe.cost.bytes_per_image:,}", recipe.cost.gmacs] for recipe in RECIPES
    ]
