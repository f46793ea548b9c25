"""The gated classifier: its loss, its learning rates, its temperature, and the brake on lambda."""

from typing import Any

import lightning as L
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.channel_price import SteeredToTarget, UpperLimit
from freqlearn.pipelines.data import derived_seed
from freqlearn.pipelines.gate_ranking import (
    GateCollapseError,
    GatedClassifier,
    check_not_collapsed,
    mean_probability,
)
from freqlearn.pipelines.learner import Optimisation
from freqlearn.pipelines.mixing import Mixing
from freqlearn.pipelines.networks import build_network
from freqlearn.pipelines.options import OptimizerName
from freqlearn.spec import InputSpec

CHANNELS = ChannelSet.square(24)


def gated(**changes: Any) -> GatedClassifier:
    torch.manual_seed(0)
    usual: dict[str, Any] = {
        "lambda_": 0.5,
        "gate_lr": 1e-2,
        "temperature": 1.0,
        "final_temperature": 0.5,
        "num_classes": 3,
        "optimisation": Optimisation(optimizer="adam", lr=3e-3, warmup=0.1),
        "steps": 100,
    }
    network = build_network("small", InputSpec.unstandardised(CHANNELS, 32), num_classes=3, gate=True)
    return GatedClassifier(network, **(usual | changes))


def loader(images: int = 12) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(images, 24, 4, 4, generator=generator)
    return DataLoader(TensorDataset(maps, torch.arange(images) % 3), batch_size=4)


def fit(classifier: GatedClassifier, epochs: int, *, accumulate: int = 1) -> None:
    trainer = L.Trainer(
        max_epochs=epochs,
        accumulate_grad_batches=accumulate,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(classifier, loader())


def test_penalty_is_lambda_times_the_share_of_switches_on() -> None:
    classifier = gated(lambda_=0.7).train()
    classifier(next(iter(loader()))[0])
    on = classifier.gate.last_mask.mean()
    assert classifier.penalty().item() == pytest.approx(0.7 * float(on))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_rates_the_network_s_rises_and_falls_the_gate_s_only_rises(optimizer: OptimizerName) -> None:
    how = Optimisation(optimizer=optimizer, lr=3e-3, warmup=0.1)
    made: Any = gated(optimisation=how).configure_optimizers()
    schedule = made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(100):
        rates.append([group["lr"] for group in made["optimizer"].param_groups])
        made["optimizer"].step()
        schedule.step()
    network, _, gate = zip(*rates, strict=True)
    assert max(network) == pytest.approx(3e-3)
    assert network[0] == pytest.approx(3e-4)
    assert network[-1] < 1e-5
    assert gate[0] == pytest.approx(1e-3)
    assert gate[9:] == pytest.approx([1e-2] * 91)


def test_every_parameter_is_trained_once() -> None:
    classifier = gated()
    trained = [id(p) for group in classifier.parameter_groups() for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in classifier.model.parameters())


def test_the_gate_does_not_decay() -> None:
    how = Optimisation(optimizer="sgd", lr=0.1, weight_decay=0.3)
    decays = [group["weight_decay"] for group in gated(optimisation=how).parameter_groups()]
    assert decays == [0.3, 0.0, 0.0]


def test_behind_sgd_the_gate_moves_as_with_adam() -> None:
    moved = {}
    for optimizer in ("sgd", "adam"):
        classifier = gated(optimisation=Optimisation(optimizer=optimizer, lr=0.01, weight_decay=0.0), steps=6)
        before = classifier.gate.logits.weight.detach().clone()
        fit(classifier, 2)
        moved[optimizer] = float((classifier.gate.logits.weight.detach() - before).abs().mean())
    assert moved["sgd"] == pytest.approx(moved["adam"], rel=0.5)


def test_mixed_batches() -> None:
    classifier = gated(mixing=Mixing(mixup=0.8, cutmix=1.0, num_classes=3), steps=6)
    before = classifier.gate.logits.weight.clone()
    fit(classifier, 2)
    assert not torch.equal(classifier.gate.logits.weight, before)
    assert torch.isfinite(classifier.price.best_task_loss)  # type: ignore[union-attr]


def test_temperature_falls_from_start_to_end() -> None:
    seen = []

    class Listening(GatedClassifier):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            seen.append(self.gate.temperature)
            return super().training_step(batch, batch_idx)

    classifier = gated(steps=6)
    classifier.__class__ = Listening
    fit(classifier, 2)
    assert seen == pytest.approx([1 - 0.5 * step / 6 for step in range(6)])


@pytest.mark.parametrize(
    ("losses", "price"),
    [
        pytest.param([1.0, 0.8, 0.5], 0.5, id="falling"),
        pytest.param([1.0, 1.05, 1.1], 0.5, id="chance"),
        pytest.param([1.0, 1.3], 0.25, id="one rise"),
        pytest.param([1.0, 1.3, 1.4, 0.9], 0.125, id="two rises"),
        pytest.param([0.01, 0.03, 0.02], 0.5, id="tiny losses"),
    ],
)
def test_lambda_is_halved_when_the_task_suffers(
    losses: list[float], price: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = gated().train()
    classifier(next(iter(loader()))[0])
    monkeypatch.setattr(classifier, "log", lambda *_, **__: None)
    monkeypatch.setattr(GatedClassifier, "current_epoch", 0)
    for loss in losses:
        for _ in range(3):
            classifier.price.step(task_loss=torch.tensor(loss), channels_on=torch.tensor(24.0), progress=0.0)
        classifier.on_train_epoch_end()
    assert float(classifier.price.value) == pytest.approx(price)
    assert float(classifier.price.best_task_loss) == pytest.approx(min(losses))


@pytest.mark.parametrize("accumulate", [1, 3])
def test_lambda_is_told_cross_entropy_and_channels_once_a_step(accumulate: int) -> None:
    told = []

    class Listening(UpperLimit):
        def step(self, *, task_loss: torch.Tensor, channels_on: torch.Tensor, progress: float) -> None:
            told.append((float(task_loss), float(channels_on), progress))

    classifier = gated(lambda_=10.0, gate_lr=1e-12, optimisation=Optimisation(lr=1e-12), steps=3 // accumulate)
    classifier.price = Listening(10.0)
    torch.manual_seed(0)
    fit(classifier, 1, accumulate=accumulate)
    assert len(told) == 3 // accumulate
    losses = []
    for number, (maps, labels) in enumerate(loader()):
        part = number % accumulate
        torch.manual_seed(derived_seed(0, number // accumulate, 0, part))  # the same switches
        losses.append(cross_entropy(classifier.train()(maps), labels).item())
    assert sum(entry[0] for entry in told) / len(told) == pytest.approx(sum(losses) / 3, abs=1e-4)
    assert {entry[1] for entry in told} == {24.0}, "all are likelier on at first, though some are sampled off"
    assert told[0][2] == 0.0


def test_mean_probability_is_the_mean_over_images() -> None:
    classifier = gated()
    fit(classifier, 1)
    gate = classifier.gate.eval()
    maps = torch.cat([batch for batch, _ in loader()])
    whole = mean_probability(gate, [(maps, None)])  # type: ignore[arg-type]
    assert torch.allclose(mean_probability(gate, loader()), whole, atol=1e-6)
    squeezed = gate.norm(gate.squeeze(maps.mean((2, 3), keepdim=True))).relu()
    by_hand = gate.logits(squeezed).reshape(12, 24, 2).softmax(-1)[..., 1].mean(0)
    assert torch.allclose(whole, by_hand, atol=1e-6)


def test_collapse() -> None:
    check_not_collapsed(torch.tensor([0.0, 0.2]), price=UpperLimit(1.0), step=1)
    off = torch.tensor([0.0, 0.05])
    with pytest.raises(GateCollapseError, match=r"after 7 steps .* all 2 channels off.* lambda 8 .*--lambda 2"):
        check_not_collapsed(off, price=UpperLimit(8.0), step=7)
    with pytest.raises(GateCollapseError, match="more epochs"):
        check_not_collapsed(off, price=SteeredToTarget(4, num_classes=3, steps=9), step=7)


def test_a_model_without_a_gate_is_refused() -> None:
    classifier = gated()
    classifier.model = torch.nn.Sequential()
    with pytest.raises(TypeError, match=r"child `gate` is a FrequencyGate, got Sequential"):
        _ = classifier.gate


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": None}, "number of steps"),
        ({"lambda_": None}, "either lambda or target_channels"),
        ({"target_channels": 8}, "either lambda or target_channels"),
        ({"lambda_": None, "target_channels": 24}, "below 24, the number of channels"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gated(**changes)
