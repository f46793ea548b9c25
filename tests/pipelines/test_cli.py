import json
import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from freqlearn.pipelines.cli import COMMANDS, GROUPS, main
from freqlearn.pipelines.module import Classifier
from freqlearn.pipelines.training import TrainResult

QUICK = [
    "--model",
    "small",
    "--size-px",
    "32",
    "--augment=flip",
    "--workers",
    "0",
    "--accelerator",
    "cpu",
    "--no-progress",
]


pytestmark = pytest.mark.usefixtures("fresh_logging")


@pytest.fixture
def data(two_classes: Path) -> str:
    return str(two_classes)


def test_whole_path(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, spec = tmp_path / "run", tmp_path / "spec.json"
    measure = ["stats", f"{data}/train", "-o", str(spec), "--size-px", "32", "--resize-px", "none", "--no-progress"]
    assert main(measure) == 0
    train = ["train", "--data", data, "--spec", str(spec), "--channels", "48", "--epochs", "2", "--batch-size", "8"]
    assert (
        main([*train, "--model=small", "--workers=0", "--output", str(run), "--augment", "flip", "--progress=false"])
        == 0
    )
    assert "validation accuracy" in capsys.readouterr().out
    assert main(["evaluate", str(run / "best.ckpt"), "--data", data, "--workers", "0", "--json", "--per-class"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["channels"] == "DCT-48"
    assert set(facts["per_class"]) == {"flat", "stripes"}
    assert main(["evaluate", str(run / "best.ckpt"), "--data", data, "--workers", "0", "--per_class"]) == 0
    text = capsys.readouterr().out
    assert "48 channels, 3,072 bytes an image" in text
    assert "stripes" in text
    assert main(["predict", str(run / "best.ckpt"), f"{data}/val/flat", "--top=1", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 5
    assert all(set(line["top"][0]) == {"class", "probability"} for line in lines)


def test_predict_reports_bad_files_and_goes_on(
    trained: TrainResult, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    Image.open(f"{data}/val/flat/0.jpg").save(tmp_path / "good.png")
    assert main(["predict", str(trained.checkpoint), str(tmp_path / "bad.jpg"), str(tmp_path / "good.png")]) == 1
    output = capsys.readouterr()
    assert "good.png:" in output.out
    assert "%  flat" in output.out
    assert output.err.count("\n") == 1
    assert "bad.jpg" in output.err


def test_info(trained: TrainResult, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", f"{data}/val/flat/0.jpg", str(trained.checkpoint), str(tmp_path / "none.jpg")]) == 1
    output = capsys.readouterr()
    assert "32x32 px" in output.out
    assert "small on DCT-24" in output.out
    assert output.err.count("\n") == 1


def test_heatmap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    from freqlearn.pipelines.importance import Importance

    Importance(np.linspace(0, 1, 192), "gate").save(tmp_path)
    assert main(["heatmap", str(tmp_path / "importance.json"), "-o", str(tmp_path / "pictures"), "--top", "5"]) == 0
    assert [Path(line).name for line in capsys.readouterr().out.splitlines()] == ["heatmap.png", "heatmap.svg"]
    assert Image.open(tmp_path / "pictures" / "heatmap.png").width > 500


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: freqlearn {name}")
    assert "--config" in text
    for line in text.splitlines():
        assert "_" not in line.split()[0] if line.strip().startswith("--") else True
    described = [line for line in text.splitlines() if line.startswith("  --")]
    assert described, "the options are listed"


def test_help_is_light() -> None:
    """Neither `import freqlearn` nor `freqlearn COMMAND --help` loads torch, which takes seconds, or the extras."""
    code = f"""
import sys
from freqlearn.pipelines.cli import main
for name in {list(COMMANDS)!r}:
    assert main([*name.split(), "--help"]) == 0
    assert not {{"torch", "webdataset", "lightning"}} & set(sys.modules), name
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"freqlearn {version('freqlearn')}\n"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_names_its_commands(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([group]) == main([group, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: freqlearn {group} COMMAND")
    own = [name for name in COMMANDS if name.startswith(f"{group} ")]
    assert own
    for name in COMMANDS:
        assert (f"\n  {name} " in text) == (name in own)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("trian", "did you mean train?", id="unknown command"),
        pytest.param("detct evaluate", "no command 'detct'; did you mean detect?", id="unknown group"),
        pytest.param("detect evaluat", "no command 'detect evaluat'; did you mean detect evaluate?", id="in a group"),
        pytest.param("detect bench", "no command 'detect bench'; there are detect ", id="in no group"),
        pytest.param("detect evaluate CKPT --bogus 1", "(see freqlearn detect evaluate --help)", id="group's help"),
        pytest.param("train", "data is missing", id="no data"),
        pytest.param("train --data DATA --bogus 1", "unrecognized arguments: --bogus", id="unknown option"),
        pytest.param("train --data DATA --epochs x", "--epochs: expected int", id="wrong type"),
        pytest.param("train --data DATA --batch-size=x", "--batch-size: expected int", id="wrong type with dash"),
        pytest.param("train --data DATA --max-steps x", "--max-steps: expected int, got x", id="wrong optional type"),
        pytest.param("train --data DATA --model vgg", "--model: expected one of 'resnet18'", id="unknown model"),
        pytest.param("train --data TMP/none", "no such folder", id="missing folder"),
        pytest.param("train --data TMP/empty", "no class folders", id="empty folder"),
        pytest.param("train --data TMP/empty_class", "class folder 'b' holds no image", id="empty class"),
        pytest.param("train --data TMP/strange_val", "'zebra' is not among", id="class in val that train lacks"),
        pytest.param("train --data DATA --channels abc", "expected channels as", id="channels"),
        pytest.param("train --data DATA --spec TMP/none.json", "neither a spec file nor a preset", id="missing spec"),
        pytest.param("train --data DATA --spec TMP/bad.json", "bad.json", id="bad spec"),
        pytest.param("train --data DATA --size-px 60", "multiple of 8", id="size"),
        pytest.param("train --data DATA --resume", "resnet18-DCT-24/last.ckpt: no such", id="nothing to resume"),
        pytest.param("train --data DATA --config TMP/none.yaml", "none.yaml", id="missing config"),
        pytest.param("train --config TMP/typo.yaml", "'epohcs' is not accepted", id="typo in config"),
        pytest.param("train --config TMP/broken.yaml", "Problems parsing config", id="broken config"),
        pytest.param("train --data TMP/bad_file QUICK --spec imagenet-448", "bad_file", id="size of a preset"),
        pytest.param("evaluate TMP/none.ckpt --data DATA", "no such checkpoint", id="missing checkpoint"),
        pytest.param("evaluate TMP/bad.json --data DATA", "not a", id="bad checkpoint"),
        pytest.param("evaluate CKPT --data TMP/none", "no such folder", id="evaluate missing folder"),
        pytest.param("evaluate CKPT", "required: data", id="evaluate without data"),
        pytest.param("predict CKPT", "required: files", id="no files"),
        pytest.param("predict CKPT x.jpg --top 0", "at least 1", id="top 0"),
        pytest.param("predict TMP/bad.json x.jpg", "not a", id="predict bad checkpoint"),
        pytest.param("stats TMP/none", "missing", id="stats missing folder"),
        pytest.param("stats DATA --resize-px x", "--resize-px: expected int or 'auto' or 'none', got x", id="choice"),
        pytest.param("rank --data TMP/none", "no such folder", id="rank missing folder"),
        pytest.param("heatmap TMP/none.json", "none.json", id="missing importance"),
        pytest.param("heatmap TMP/none.json --top 0", "top must be 1 to 192", id="heatmap top 0"),
        pytest.param("demo TMP/none", "no such folder", id="demo missing folder"),
        pytest.param(
            "stats DATA --size-px 32 -o /dev/full --no-progress",
            "/dev/full: No space left",
            id="disk full",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full"),
        ),
        pytest.param("info", "required: files", id="info without files"),
    ],
)
def test_mistakes_get_one_line(
    arguments: str,
    message: str,
    data: str,
    trained: TrainResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    for path in (
        "empty_class/a/x.jpg",
        "empty_class/b/x.txt",
        "strange_val/train/a/x.jpg",
        "strange_val/val/zebra/x.jpg",
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    (tmp_path / "bad.json").write_text('{"format": "something else"}')
    (tmp_path / "typo.yaml").write_text("data: x\nepohcs: 3\n")
    (tmp_path / "broken.yaml").write_text("data: [x\n")
    words = {"DATA": data, "CKPT": str(trained.checkpoint)}
    argv: list[str] = []
    for word in arguments.split():
        argv += QUICK if word == "QUICK" else [words.get(word, word.replace("TMP", str(tmp_path)))]
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("freqlearn: ")
    assert error.count("\n") == 1
    assert message in error


def test_debug_shows_the_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", str(tmp_path / "none"), "--debug"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["0", "1"])
def test_bad_training_file_gets_one_line(
    workers: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copy = shutil.copytree(data, tmp_path / "data")
    bad = copy / "train" / "flat" / "4.jpg"
    bad.write_bytes(bad.read_bytes()[:300])
    spec = tmp_path / "spec.json"
    assert (
        main(["stats", f"{data}/train", "-o", str(spec), "--size-px", "32", "--resize-px=none", "--no-progress"]) == 0
    )
    capsys.readouterr()
    arguments = ["--data", str(copy), "--spec", str(spec), "--output", str(tmp_path / "run"), "--workers", workers]
    assert main(["train", *arguments, "--model=small", "--augment=flip", "--batch-size=8", "--no-progress"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"freqlearn: {bad}: ")
    assert last.count(str(bad)) == 1


def test_lambda_in_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("data: photos\nlambda: 0.25\n")
    assert main(["rank", "--config", str(config), "--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["lambda_"] == 0.25
    assert main(["rank", "--config", str(config), "--lambda", "2", "--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["lambda_"] == 2


def test_yaml_config(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"data: {data}\nchannels: 32\nmodel: small\nepochs: 7\nlr: 1e-2\n")
    assert main(["train", "--config", str(config), "--epochs", "2", "--print-config"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert (printed["data"], printed["model"], printed["epochs"], printed["lr"]) == (data, "small", 2, 0.01)
    assert str(printed["channels"]) == "32"
    run = tmp_path / "run"
    settings = {"output": str(run), "max_steps": 1, "workers": 0, "size_px": 32, "progress": False, "batch_size": 8}
    config.write_text(config.read_text() + yaml.safe_dump(settings))
    assert main(["train", "--config", str(config)]) == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["epochs"] == 7
    assert main(["train", "--config", str(run / "config.yaml"), "--resume", "--max-steps=2"]) == 0
    assert "2 steps" in capsys.readouterr().out


def test_ctrl_c(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    step = Classifier.training_step

    def interrupted(self: Classifier, *arguments: object) -> object:
        if self.global_step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Classifier, "training_step", interrupted)
    assert main(["train", "--data", data, "--output", str(tmp_path / "run"), "--batch-size", "8", *QUICK]) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert "interrupted after step 3" in last
    assert "--resume" in last
    assert (tmp_path / "run" / "last.ckpt").is_file()


def test_missing_extra_says_what_to_install(
    data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jsonargparse", None)
    assert main(["train", "--data", data]) == 2
    assert capsys.readouterr().err == "freqlearn: jsonargparse is missing: pip install 'freqlearn[train]'\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), "run: No space left on device"),
        (RuntimeError("unable to resize file </torch_1_2> to the right size: No space left"), "--workers 0"),
        (torch.OutOfMemoryError("CUDA out of memory"), "smaller --batch-size"),
    ],
)
def test_exhausted_machines_get_one_line(
    error: Exception,
    message: str,
    data: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Classifier, "training_step", fail)
    assert main(["train", "--data", data, "--output", str(tmp_path / "run"), "--batch-size", "8", *QUICK]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("freqlearn: ")
    assert message in last


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch, trained: TrainResult) -> None:
    from freqlearn.pipelines import prediction

    def broken(*arguments: object, **options: object) -> None:
        raise AttributeError("a bug")

    monkeypatch.setattr(prediction, "predict", broken)
    with pytest.raises(AttributeError, match="a bug"):
        main(["predict", str(trained.checkpoint), "x.jpg"])


def test_installed_command() -> None:
    (script,) = entry_points(group="console_scripts", name="freqlearn")
    assert script.load() is main
    command = [sys.executable, "-m", "freqlearn.pipelines.cli", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("freqlearn: no command 'nonsense'")
