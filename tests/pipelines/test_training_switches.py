"""Each switch of a training against what it should do, worked out otherwise."""

import csv
import functools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from freqlearn.pipelines import networks
from freqlearn.pipelines.checkpoint import load_checkpoint, read_header
from freqlearn.pipelines.inputs import eval_transform
from freqlearn.pipelines.learner import Optimisation
from freqlearn.pipelines.mixing import Mixing
from freqlearn.pipelines.module import Classifier
from freqlearn.pipelines.options import TrainOptions
from freqlearn.pipelines.trainer import make_trainer
from freqlearn.pipelines.training import train
from freqlearn.spec import InputSpec

Options = Callable[..., TrainOptions]
State = dict[str, torch.Tensor]


class Recorder(Callback):
    """Copies the model's state after every step, and in every validation; sends SIGINT at a step."""

    def __init__(self, *, interrupt_at: int | None = None) -> None:
        self.after_step: list[State] = []
        self.validated: list[State] = []
        self.batches: list[torch.Tensor] = []
        self.interrupt_at = interrupt_at

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append(batch[0])
        if trainer.global_step == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.after_step.append(copied(pl_module))

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.validated.append(copied(pl_module))


def copied(module: L.LightningModule) -> State:
    return {name: value.clone() for name, value in module.get_submodule("model").state_dict().items()}


def weights(checkpoint: Path) -> State:
    return load_checkpoint(checkpoint).model.state_dict()


def assert_close(one: State, other: State, *, atol: float) -> None:
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=atol, msg=name)


def assert_equal(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def linear(spec: InputSpec, num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(spec.in_channels * spec.map_size**2, num_classes))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the network `small` a linear one, without BatchNorm: a batch's gradient is the mean of its images'."""
    monkeypatch.setattr(networks, "_NETWORKS", {**networks._NETWORKS, "small": linear})


@pytest.fixture
def interrupted_and_resumed(tmp_path: Path) -> Callable[[TrainOptions], Path]:
    """`interrupted_and_resumed(options)`: stops a training in the middle of its second epoch; returns its folder."""

    def run(options: TrainOptions) -> Path:
        stopped = replace(options, output=tmp_path / "stopped")
        with pytest.raises(KeyboardInterrupt):
            train(stopped, callbacks=[Recorder(interrupt_at=4)])
        train(replace(stopped, resume=True))
        return tmp_path / "stopped"

    return run


@pytest.mark.usefixtures("plain")
def test_accumulated_parts_make_the_step_of_the_whole_batch(options: Options, tmp_path: Path) -> None:
    common = {"optimizer": "sgd", "lr": 0.05, "epochs": 2}
    whole = train(options(output=tmp_path / "whole", **common))
    recorder = Recorder()
    parts = train(options(output=tmp_path / "parts", accumulate=2, **common), callbacks=[recorder])
    assert whole.steps == parts.steps == 6
    assert [len(batch) for batch in recorder.batches] == [4] * 12
    assert whole.images == parts.images == 48
    # The sums are the same but for their order.
    assert_close(weights(tmp_path / "whole" / "last.ckpt"), weights(tmp_path / "parts" / "last.ckpt"), atol=1e-6)


@pytest.mark.usefixtures("plain")
def test_an_epoch_is_a_whole_number_of_accumulated_steps(options: Options, tmp_path: Path) -> None:
    recorder = Recorder()
    # 24 images: two steps of ten, and four that are left out.
    result = train(options(output=tmp_path / "run", batch_size=10, accumulate=5, epochs=1), callbacks=[recorder])
    assert result.steps == 2
    assert len(recorder.batches) == 10


@pytest.mark.usefixtures("plain")
def test_long_gradients_are_clipped(options: Options, tmp_path: Path) -> None:
    def first_step(name: str, clip: float | None) -> float:
        recorder = Recorder()
        run = options(
            output=tmp_path / name,
            optimizer="sgd",
            lr=0.5,
            weight_decay=0.0,
            warmup=0.0,
            max_steps=1,
            gradient_clip=clip,
        )
        train(run, callbacks=[recorder])
        torch.manual_seed(run.seed)
        begin = read_header(tmp_path / name / "last.ckpt").build().state_dict()
        moved = [(recorder.after_step[0][key] - begin[key]).flatten() for key in begin]
        return float(torch.cat(moved).norm())

    # Nesterov's first step is lr * (1 + momentum) * gradient.
    free = first_step("free", None) / (0.5 * 1.9)
    assert first_step("clipped", free / 2) / (0.5 * 1.9) == pytest.approx(free / 2, rel=1e-4)
    assert first_step("longer", free * 2) / (0.5 * 1.9) == pytest.approx(free, rel=1e-4)


@pytest.mark.parametrize("norm", ["batch", "switchable"])
def test_ema_is_the_average_worked_out_by_hand(
    options: Options, tmp_path: Path, interrupted_and_resumed: Callable[[TrainOptions], Path], norm: str
) -> None:
    decay = 0.7
    recorder = Recorder()
    averaged = options(output=tmp_path / "run", ema=decay, norm=norm)
    result = train(averaged, callbacks=[recorder])
    assert len(recorder.after_step) == 9
    averages: list[State] = []
    for state in recorder.after_step:
        before = averages[-1] if averages else state
        averages.append(
            {
                # Counters are copied: BatchNorm's number of batches.
                name: decay * before[name] + (1 - decay) * value if value.is_floating_point() else value
                for name, value in state.items()
            }
        )
    assert any("running_mean" in name for name in averages[-1])
    assert len(recorder.validated) == 6, "two batches an epoch"
    for epoch, validated in enumerate(recorder.validated[::2]):
        assert_close(validated, averages[3 * epoch + 2], atol=1e-6)
    assert_close(weights(tmp_path / "run" / "last.ckpt"), averages[-1], atol=1e-6)
    raw = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["current_model_state"]
    assert_equal({name.removeprefix("model."): raw[name] for name in raw if "model." in name}, recorder.after_step[-1])
    best = weights(result.checkpoint)
    assert any(all(torch.allclose(best[name], state[name], atol=1e-6) for name in best) for state in averages[2::3])
    again = interrupted_and_resumed(averaged)
    assert_equal(weights(tmp_path / "run" / "last.ckpt"), weights(again / "last.ckpt"))
    assert_equal(weights(tmp_path / "run" / "best.ckpt"), weights(again / "best.ckpt"))


def test_a_checkpoint_saved_during_a_validation_is_the_same(options: Options, tmp_path: Path) -> None:
    class SaveInValidation(Callback):
        def on_validation_batch_end(self, trainer: L.Trainer, *_: Any, **__: Any) -> None:
            if trainer.current_epoch == 2:
                trainer.save_checkpoint(tmp_path / "inside.ckpt")
                trainer.save_checkpoint(tmp_path / "inside_weights.ckpt", weights_only=True)

    train(options(output=tmp_path / "run", ema=0.7), callbacks=[SaveInValidation()])
    inside, after = (
        torch.load(path, weights_only=True) for path in (tmp_path / "inside.ckpt", tmp_path / "run" / "last.ckpt")
    )
    for part in ("state_dict", "current_model_state"):
        of_model = [name for name in after[part] if name.startswith("model.")]
        assert of_model
        assert all(torch.equal(inside[part][name], after[part][name]) for name in of_model)
    assert_equal(weights(tmp_path / "inside_weights.ckpt"), weights(tmp_path / "run" / "last.ckpt"))


def test_channels_last_changes_the_layout_only(options: Options, tmp_path: Path) -> None:
    recorder = Recorder()
    train(options(output=tmp_path / "usual", max_steps=3))
    train(options(output=tmp_path / "last", max_steps=3, channels_last=True), callbacks=[recorder])
    assert all(batch.is_contiguous(memory_format=torch.channels_last) for batch in recorder.batches)
    kernels = [value for value in recorder.after_step[0].values() if value.ndim == 4 and value.shape[-1] > 1]
    assert kernels
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    # Convolutions add up in another order; Adam's first steps divide by gradients that may be tiny.
    assert_close(weights(tmp_path / "usual" / "last.ckpt"), weights(tmp_path / "last" / "last.ckpt"), atol=2e-3)


def test_a_channels_last_transform_gives_the_same_numbers(make_jpeg: Callable[..., bytes], tmp_path: Path) -> None:
    spec = InputSpec.preset("dctnet-resnet50-24")
    jpeg = make_jpeg(480, 500)
    usual, last = (eval_transform(spec, channels_last=wanted)(jpeg) for wanted in (False, True))
    assert torch.equal(usual, last)
    assert last.stride(0) == 1


def test_a_compiled_network_saves_what_loads_uncompiled(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []
    real = torch.compile

    @functools.wraps(real)
    def without_inductor(function: Any, *arguments: Any, **named: Any) -> Any:
        compiled.append(function)
        return real(function, *arguments, **{**named, "backend": "eager"})

    monkeypatch.setattr(torch, "compile", without_inductor)
    train(options(output=tmp_path / "compiled", max_steps=2, compile=True, ema=0.5))
    assert len(compiled) == 1
    train(options(output=tmp_path / "usual", max_steps=2, ema=0.5))
    assert len(compiled) == 1
    raw = torch.load(tmp_path / "compiled" / "last.ckpt", weights_only=True)["state_dict"]
    assert not any("_orig_mod" in name for name in raw)
    # The same operations in the same order, but for fused multiplications.
    assert_close(weights(tmp_path / "compiled" / "last.ckpt"), weights(tmp_path / "usual" / "last.ckpt"), atol=1e-5)


def test_what_cannot_be_compiled_is_said_in_one_line(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no compiler")

    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **_: real(function, backend=broken))
    with pytest.raises(ValueError, match=r"cannot compile the network here: .*no compiler; leave out compile"):
        train(options(output=tmp_path / "run", max_steps=1, compile=True))


@pytest.mark.parametrize("way", ["mixup", "cutmix"])
def test_mixed_pictures_and_targets_belong_together(way: str) -> None:
    images, labels = torch.randn(6, 3, 8, 8), torch.tensor([0, 1, 2, 3, 4, 0])
    torch.manual_seed(3)
    mixed, targets = Mixing(mixup=float(way == "mixup"), cutmix=float(way == "cutmix"), num_classes=5)(images, labels)
    share = float(targets[1, 1])  # of the picture's own class
    assert 0 < share < 1
    expected = share * nn.functional.one_hot(labels, 5) + (1 - share) * nn.functional.one_hot(labels.roll(1), 5)
    torch.testing.assert_close(targets, expected.float())
    other = images.roll(1, 0)
    if way == "mixup":
        torch.testing.assert_close(mixed, share * images + (1 - share) * other)
    else:
        own = (mixed == images).all(dim=1)
        assert torch.equal(own, ~(mixed == other).all(dim=1))
        assert float(own[0].float().mean()) == pytest.approx(share)


@pytest.mark.parametrize("switches", [{"mixup": 0.4}, {"mixup": 0.4, "cutmix": 1.0, "label_smoothing": 0.1}])
def test_mixing_is_the_same_again_and_after_resuming(
    options: Options,
    tmp_path: Path,
    interrupted_and_resumed: Callable[[TrainOptions], Path],
    switches: dict[str, float],
) -> None:
    mixed = options(output=tmp_path / "mixed", **switches)
    train(mixed)
    again = interrupted_and_resumed(mixed)
    assert_equal(weights(tmp_path / "mixed" / "last.ckpt"), weights(again / "last.ckpt"))
    train(options(output=tmp_path / "usual"))
    usual = weights(tmp_path / "usual" / "last.ckpt")
    assert any(not torch.equal(usual[name], value) for name, value in weights(again / "last.ckpt").items())


def test_the_larger_share_of_a_mixture_counts_as_its_class() -> None:
    class Fixed(Mixing):
        def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return images, torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])

    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.eye(2))
        model.bias.zero_()
    mixing = Fixed(mixup=1.0, cutmix=0.0, num_classes=2)
    classifier = Classifier(model, num_classes=2, steps=1, mixing=mixing, optimisation=Optimisation(lr=1e-9))
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])  # right: all but the third
    trainer = make_trainer(epochs=1, accelerator="cpu", progress=False)
    data = TensorDataset(images, torch.zeros(4, dtype=torch.long))
    trainer.fit(classifier, DataLoader(data, batch_size=4))
    assert float(trainer.callback_metrics["train/accuracy"]) == 0.75
    targets = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    by_hand = -(targets * images.log_softmax(dim=1)).sum(dim=1).mean()
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(float(by_hand), rel=1e-5)


def test_the_step_schedule_falls_to_a_tenth_twice() -> None:
    how = Optimisation(schedule="step", warmup=0.1)
    rates = [how.rate(step, 30) for step in range(30)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1])
    assert rates[3:] == pytest.approx([1] * 7 + [0.1] * 10 + [0.01] * 10)


@pytest.mark.parametrize(("epochs", "every", "expected"), [(5, 3, [2, 4]), (4, 2, [1, 3])])
def test_validation_after_some_epochs_and_the_last(
    options: Options, tmp_path: Path, epochs: int, every: int, expected: list[int]
) -> None:
    result = train(options(output=tmp_path / "run", epochs=epochs, validate_every=every))
    with open(tmp_path / "run" / "logs" / "version_0" / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows if row["val/accuracy"]] == expected
    best = max(float(row["val/accuracy"]) for row in rows if row["val/accuracy"])
    assert result.accuracy == pytest.approx(best)


def test_a_stop_in_the_middle_of_an_epoch_is_validated(options: Options, tmp_path: Path) -> None:
    recorder = Recorder()
    result = train(options(output=tmp_path / "run", max_steps=5, validate_every=3), callbacks=[recorder])
    assert result.accuracy is not None
    assert_equal(recorder.validated[-1], weights(result.checkpoint))


def test_the_checkpoint_s_spec_carries_the_floor(options: Options, tmp_path: Path) -> None:
    free = train(options(output=tmp_path / "free", max_steps=1)).spec
    floor = sorted(free.std)[12]
    floored = train(options(output=tmp_path / "floored", max_steps=1, std_floor=floor)).spec
    assert floored == replace(free, std=tuple(max(std, floor) for std in free.std))
    assert read_header(tmp_path / "floored" / "last.ckpt").spec == floored
    free.save(tmp_path / "spec.json")
    given = train(
        options(output=tmp_path / "given", spec=str(tmp_path / "spec.json"), size_px=None, max_steps=1, std_floor=floor)
    )
    assert given.spec == floored


def test_a_gate_in_training_makes_a_dynamic_model(options: Options, tmp_path: Path) -> None:
    result = train(options(output=tmp_path / "run", gate=True, channels="all", stats_images=24, max_steps=2, ema=0.5))
    loaded = load_checkpoint(result.checkpoint)
    assert loaded.header.arguments["gate"] is True
    assert loaded.model(torch.zeros(1, 192, 4, 4)).shape == (1, 2)
    assert all(torch.isfinite(value).all() for value in loaded.model.state_dict().values())


@pytest.fixture
def damaged(two_classes: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of two_classes whose train/flat/3.jpg is no JPEG."""
    data = shutil.copytree(two_classes, tmp_path / "data")
    (data / "train" / "flat" / "3.jpg").write_bytes(b"not a JPEG file")
    return data


def test_a_bad_image_stops_a_run_and_leaves_no_folder(options: Options, damaged: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"3\.jpg"):
        train(options(data=damaged, output=tmp_path / "runs" / "run"))
    assert not (tmp_path / "runs").exists()


def test_skipped_images_are_listed(options: Options, damaged: Path, tmp_path: Path) -> None:
    result = train(options(data=damaged, output=tmp_path / "run", on_bad_image="skip", epochs=2))
    assert result.steps == 6
    with open(tmp_path / "run" / "bad_images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["file"]).name for row in rows] == ["3.jpg"]
    assert "JPEG" in rows[0]["reason"]
    assert "23 of 24" in result.spec.source


def test_no_list_without_bad_images(options: Options, tmp_path: Path) -> None:
    train(options(output=tmp_path / "run", on_bad_image="skip", max_steps=1))
    assert not (tmp_path / "run" / "bad_images.csv").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"accumulate": 3}, "cannot be computed in 3 equal parts", id="accumulate"),
        pytest.param({"devices": 3}, "cannot be shared evenly by 3 processes.*choose 6 or 9", id="processes"),
    ],
)
def test_batches_must_divide(options: Options, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(options(output=tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_costs_are_announced(options: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="freqlearn"):
        train(options(output=tmp_path / "run", max_steps=1))
    assert f"{24 * 4 * 4 * 4:,} input bytes per image" in caplog.text
    assert "GMACs" in caplog.text
