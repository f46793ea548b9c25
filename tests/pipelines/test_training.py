import csv
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from stopped_runs import assert_same, read_state

from freqlearn.channels import ChannelSet
from freqlearn.pipelines import cores
from freqlearn.pipelines.checkpoint import load_checkpoint, read_header
from freqlearn.pipelines.inputs import choose_spec, read_channels, read_spec
from freqlearn.pipelines.learner import Optimisation
from freqlearn.pipelines.networks import build_network
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.training import TrainResult, train
from freqlearn.spec import InputSpec

Options = Callable[..., TrainOptions]


class CtrlC(Callback):
    """Sends SIGINT at one moment of a training, as a person would."""

    def __init__(self, *, step: int | None = None, validation_of_epoch: int | None = None) -> None:
        self.step = step
        self.epoch = validation_of_epoch

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            self.step = None  # once: a step may have several batches
            os.kill(os.getpid(), signal.SIGINT)

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if trainer.current_epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


class PowerCut(Callback):
    """Dies at the start of an epoch, without a chance to save."""

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch == 2:
            raise RuntimeError("power cut")


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(checkpoint).model.state_dict()


def assert_same_weights(one: Path, other: Path) -> None:
    expected, got = weights(one), weights(other)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


@pytest.fixture(scope="module")
def uninterrupted(options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(options(output=tmp_path_factory.mktemp("uninterrupted"))).checkpoint.parent


def test_two_separable_classes_are_learned(trained: TrainResult) -> None:
    assert trained.accuracy is not None
    assert trained.accuracy >= 0.9
    assert trained.steps == 30
    assert trained.images == 30 * 8
    assert trained.classes == ("flat", "stripes")


def test_checkpoint_carries_what_the_model_assumes(trained: TrainResult, options: Options) -> None:
    raw = torch.load(trained.checkpoint, weights_only=True)
    assert raw["freqlearn"]["classes"] == ["flat", "stripes"]
    loaded = load_checkpoint(trained.checkpoint)
    assert loaded.header.spec == trained.spec
    assert loaded.header.spec.channels == ChannelSet.square(24)
    assert loaded.header.network == "small"
    assert not loaded.model.training


def test_statistics_are_measured_on_the_training_files(trained: TrainResult) -> None:
    assert "24 of 24 training files" in trained.spec.source
    assert trained.spec.resize_px is None, "the files have exactly size_px"
    assert trained.spec.mean != (0.0,) * 24


def test_logs_are_csv_and_tensorboard(trained: TrainResult) -> None:
    logs = trained.checkpoint.parent / "logs" / "version_0"
    with open(logs / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if row["val/accuracy"]]) == 10
    assert {"train/loss", "train/accuracy", "val/loss"} <= set(rows[0])
    assert list(logs.glob("events.out.tfevents.*"))


def test_config_repeats_the_training(trained: TrainResult) -> None:
    plain = yaml.safe_load((trained.checkpoint.parent / "config.yaml").read_text())
    again = TrainOptions(**{**plain, "data": Path(plain["data"]), "output": Path(plain["output"])})
    assert again.plain() == plain


def test_same_seed_same_weights(options: Options, uninterrupted: Path, tmp_path: Path) -> None:
    again = train(options(output=tmp_path / "again", workers=2)).checkpoint.parent
    assert_same_weights(uninterrupted / "last.ckpt", again / "last.ckpt")
    other = train(options(output=tmp_path / "other", seed=1)).checkpoint.parent
    assert any(
        not torch.equal(value, weights(other / "last.ckpt")[name])
        for name, value in weights(uninterrupted / "last.ckpt").items()
    )


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param({"step": 0}, id="first step"),
        pytest.param({"step": 4}, id="middle of an epoch"),
        pytest.param({"step": 5}, id="last step of an epoch"),
        pytest.param({"validation_of_epoch": 1}, id="validation"),
        pytest.param({"validation_of_epoch": 2}, id="last validation"),
    ],
)
def test_interrupted_run_resumes_exactly(
    options: Options, uninterrupted: Path, tmp_path: Path, moment: dict[str, int]
) -> None:
    interrupted = options(output=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt, match=r"state saved to .*last\.ckpt"):
        train(interrupted, callbacks=[CtrlC(**moment)])
    result = train(replace(interrupted, resume=True))
    assert_same_weights(uninterrupted / "last.ckpt", tmp_path / "run" / "last.ckpt")
    assert result.accuracy is not None
    assert result.steps == 9
    assert result.checkpoint.is_file()


def test_all_switches_together_resume_exactly(options: Options, tmp_path: Path) -> None:
    switches = {"gate": True, "optimizer": "sgd", "ema": 0.9, "accumulate": 2, "mixup": 0.4, "gradient_clip": 1.0}
    whole = options(output=tmp_path / "whole", epochs=4, validate_every=2, target_channels=6, **switches)
    train(whole)
    stopped = replace(whole, output=tmp_path / "run")
    for step in (4, 7):  # in an epoch that is validated, and in one that is not, after it
        with pytest.raises(KeyboardInterrupt, match=rf"after step {step + 1}; state saved"):
            train(stopped, callbacks=[CtrlC(step=step)])
        stopped = replace(stopped, resume=True)
    train(stopped)
    expected, got = (read_state(tmp_path / name) for name in ("whole", "run"))
    assert_same(got.pop("processes")[0]["gates"], expected.pop("processes")[0]["gates"], "what the gate has counted")
    assert_same(got, expected)


def test_sigint_is_python_s_again_afterwards(options: Options, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(options(output=tmp_path / "run"), callbacks=[CtrlC(step=1)])
    assert signal.getsignal(signal.SIGINT) is before


def test_run_that_died_resumes_from_its_last_epoch(options: Options, uninterrupted: Path, tmp_path: Path) -> None:
    died = options(output=tmp_path / "run")
    with pytest.raises(RuntimeError, match="power cut"):
        train(died, callbacks=[PowerCut()])
    train(replace(died, resume=True, workers=2))
    assert_same_weights(uninterrupted / "last.ckpt", tmp_path / "run" / "last.ckpt")
    logs = sorted(path.name for path in (tmp_path / "run" / "logs").iterdir())
    assert logs == ["version_0", "version_1"], "the first part's metrics are kept"


def test_finished_run_resumes_to_its_result(options: Options, uninterrupted: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(uninterrupted, tmp_path / "run")
    result = train(options(output=copy, resume=True))
    assert result.accuracy is not None
    assert_same_weights(uninterrupted / "last.ckpt", copy / "last.ckpt")


def test_training_leaves_the_random_state_alone(options: Options, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    train(options(output=tmp_path / "run", max_steps=1))
    assert torch.equal(torch.rand(2), expected)


def test_training_leaves_signals_as_they_were(options: Options, tmp_path: Path) -> None:
    """Lightning's handlers, left behind, would swallow SIGTERM and keep all weights in memory."""

    def handlers() -> list[Any]:
        return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]

    before = handlers()
    train(options(output=tmp_path / "run", max_steps=1))
    assert handlers() == before


def test_diverged_training_stops(options: Options, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) at step \d+: training has diverged"):
        train(options(output=tmp_path / "run", optimizer="sgd", lr=1e20, warmup=0.0, epochs=8))


def test_max_steps(options: Options, tmp_path: Path) -> None:
    assert train(options(output=tmp_path / "run", max_steps=4)).steps == 4


def test_a_run_that_max_steps_stopped_goes_on(options: Options, tmp_path: Path) -> None:
    stopped = options(output=tmp_path / "run", max_steps=4)
    train(stopped)  # in the middle of the second of three epochs
    assert train(replace(stopped, resume=True)).steps == 4
    assert train(replace(stopped, max_steps=None, resume=True)).steps == 9


def test_folder_of_classes_is_split(options: Options, two_classes: Path, tmp_path: Path) -> None:
    result = train(options(data=two_classes / "train", output=tmp_path / "run", max_steps=2))
    held_out = read_header(result.checkpoint).held_out
    assert held_out is not None
    assert held_out["fraction"] == 0.2
    assert result.accuracy is not None


def test_without_validation_the_last_checkpoint_counts(options: Options, two_classes: Path, tmp_path: Path) -> None:
    result = train(options(data=two_classes / "train", output=tmp_path / "run", val_fraction=0.0, max_steps=2))
    assert result.accuracy is None
    assert result.checkpoint == tmp_path / "run" / "last.ckpt"
    assert not (tmp_path / "run" / "best.ckpt").exists()


def test_rgb(options: Options, tmp_path: Path) -> None:
    result = train(options(output=tmp_path / "run", input="rgb", model="resnet18", max_steps=1))
    loaded = load_checkpoint(result.checkpoint)
    assert loaded.header.spec.kind == "rgb"
    assert loaded.model(torch.zeros(1, 3, 32, 32)).shape == (1, 2)


def test_spec_and_channels_select(options: Options, trained: TrainResult, tmp_path: Path) -> None:
    trained.spec.save(tmp_path / "spec.json")
    result = train(
        options(
            output=tmp_path / "run", spec=str(tmp_path / "spec.json"), size_px=None, channels="0,64,128", max_steps=1
        )
    )
    assert result.spec == trained.spec.select(ChannelSet.of([0, 64, 128]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"seed": 7}, "was trained with seed 0, and now seed is 7", id="seed"),
        pytest.param({"batch_size": 4}, "was trained with batch_size 8", id="batch size"),
        pytest.param({"channels": "48"}, "was trained with channels None", id="channels"),
        pytest.param({"output": Path("missing")}, "nothing to resume", id="no checkpoint"),
    ],
)
def test_resume_refuses_another_run(
    options: Options, uninterrupted: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(options(**({"output": uninterrupted, "resume": True} | changes)))


def test_resume_refuses_other_files(options: Options, uninterrupted: Path, two_classes: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(two_classes, tmp_path / "data")
    (copy / "train" / "flat" / "0.jpg").unlink()
    with pytest.raises(ValueError, match="not the 24 files"):
        train(options(data=copy, output=uninterrupted, resume=True))


class CountThreads(Callback):
    def __init__(self) -> None:
        self.seen: set[int] = set()

    def on_train_batch_end(self, *_: Any) -> None:
        self.seen.add(torch.get_num_threads())


def test_cores_are_divided(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "available_cores", lambda: 3)
    torch.set_num_threads(3)
    count = CountThreads()
    train(options(output=tmp_path / "run", workers=1, epochs=1), callbacks=[count])
    assert count.seen == {2}, "one core is the loader's"
    assert torch.get_num_threads() == 3


def test_used_output_is_refused(options: Options, uninterrupted: Path) -> None:
    with pytest.raises(ValueError, match="holds the checkpoints of another run"):
        train(options(output=uninterrupted))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"epochs": 0}, "epochs must be at least 1, got 0", id="epochs"),
        pytest.param({"lr": 0.0}, "lr must be positive", id="lr"),
        pytest.param({"warmup": 1.0}, "warmup is a share", id="warmup"),
        pytest.param({"size_px": 0}, "size_px must be at least 1", id="size"),
        pytest.param({"resize_px": -8}, "resize_px must be at least 1", id="resize"),
        pytest.param({"workers": -1}, "workers must be at least 0", id="workers"),
        pytest.param({"val_fraction": 1.0}, "val_fraction is a share", id="val_fraction"),
        pytest.param({"input": "rgb", "channels": "24"}, "rgb input has no frequency channels", id="rgb channels"),
    ],
)
def test_options_are_checked(options: Options, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"top": 3}, "top needs channels", id="top alone"),
        pytest.param({"channels": "24", "top": 3}, "top 3 is for an importance file", id="top of a square"),
        pytest.param({"channels": "none.json"}, r"none\.json: No such file", id="missing channel file"),
        pytest.param({"spec": "none"}, "neither a spec file nor a preset", id="spec"),
        pytest.param({"spec": "imagenet-rgb", "channels": "24"}, "rgb spec has no frequency channels", id="rgb spec"),
        pytest.param({"spec": "dctnet-resnet50-24"}, "was measured at size_px 448", id="size of another spec"),
        pytest.param({"input": "rgb", "spec": "dctnet-resnet50-24"}, "kind dct, but input is rgb", id="dct spec"),
    ],
)
def test_contradictory_inputs_are_refused(options: Options, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_spec(options(**changes))


def test_top_of_an_importance_file(tmp_path: Path) -> None:
    from freqlearn.pipelines.importance import Importance

    values = torch.zeros(192, dtype=torch.float64)
    values[[5, 70, 150]] = torch.tensor([0.9, 0.5, 0.7], dtype=torch.float64)
    path, _ = Importance(values.numpy(), "gate").save(tmp_path)
    assert set(read_channels(str(path), top=2)) == {5, 150}
    assert read_channels(str(tmp_path), top=2) == read_channels(str(path), top=2)
    with pytest.raises(ValueError, match="say with top how many"):
        read_channels(str(path))
    with pytest.raises(ValueError, match="top must be 1 to 192 channels, got 193"):
        read_channels(str(path), top=193)


def test_network_without_rgb_is_refused_before_anything_is_written(options: Options, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the small network is for frequency channels"):
        train(options(input="rgb", spec=None, model="small", output=tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_missing_dali_is_said_before_anything_is_measured(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"pip install 'freqlearn\[dali\]'"):
        train(options(loader="dali", output=tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_spec_by_name() -> None:
    assert read_spec("dctnet-resnet50-24") == InputSpec.preset("dctnet-resnet50-24")


def test_spec_of_a_checkpoint(trained: TrainResult) -> None:
    assert read_spec(str(trained.checkpoint)) == read_header(trained.checkpoint).spec


def test_spec_that_is_a_photo(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ValueError, match=r"photo\.jpg: expected an InputSpec as JSON, got a file that is no text"):
        read_spec(str(photo))


@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_schedule_is_linear_then_torchs_cosine(steps: int) -> None:
    how = Optimisation(lr=0.1, warmup=0.1)
    rising = max(1, steps // 10)
    expected = [(step + 1) / rising for step in range(rising)]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, steps - rising))
    for _ in range(steps - rising):
        expected.append(cosine.get_last_lr()[0])
        optimizer.step()
        cosine.step()
    # CosineAnnealingLR multiplies step by step: rounding of float64 accumulates over 1000 steps.
    assert [how.rate(step, steps) for step in range(steps)] == pytest.approx(expected, abs=1e-9)


def test_weight_decay_spares_biases_and_norms(trained: TrainResult) -> None:
    from freqlearn.pipelines.module import Classifier

    model = load_checkpoint(trained.checkpoint).model
    decayed, spared = Classifier(model, num_classes=2, optimisation=Optimisation(weight_decay=0.1)).parameter_groups()
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)].rpartition(".")[2] for p in decayed["params"]} == {"weight"}
    assert sum(p.numel() for p in [*decayed["params"], *spared["params"]]) == sum(p.numel() for p in model.parameters())


def test_networks_by_name() -> None:
    spec = InputSpec.unstandardised(ChannelSet.square(24), 32)
    gated = build_network("resnet18", spec, num_classes=3, gate=True)
    assert gated(torch.zeros(2, 24, 4, 4)).shape == (2, 3)
    assert gated.get_submodule("gate") is not None
    with pytest.raises(ValueError, match="unknown network 'vgg'"):
        build_network("vgg", spec, num_classes=3)
    with pytest.raises(ValueError, match="stage2_stride is for ResNets"):
        build_network("mobilenet_v2", spec, num_classes=3, stage2_stride=1)
    with pytest.raises(ValueError, match="gate is for frequency channels"):
        build_network("resnet18", InputSpec.preset("imagenet-rgb"), num_classes=3, gate=True)
