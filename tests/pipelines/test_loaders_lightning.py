"""The loader in a Trainer that is not ours, as a user sets it up."""

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.loaders import ImageLoader, make_loader
from freqlearn.spec import InputSpec

SPEC = InputSpec.unstandardised(ChannelSet.square(24), 32)


class Recorder(L.LightningModule):
    """Notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[int, float]] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.seen += [(self.current_epoch, float(image.double().sum())) for image in batch[0]]
        return self.weight * batch[0].mean()

    def predict_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return batch[1]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SaveAfter(Callback):
    """Saves after a step, as SaveState and ModelCheckpoint(every_n_train_steps=...) do."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: L.Trainer, *rest: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def trainer(**options: Any) -> L.Trainer:
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return L.Trainer(accelerator="cpu", devices=1, **quiet, **options)


def loader(root: Path, *, shuffle: bool = True) -> ImageLoader:
    return make_loader(root, SPEC, batch_size=8, shuffle=shuffle, num_workers=0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("length", [{"max_epochs": 3}, {"max_steps": 9, "max_epochs": -1}], ids=["epochs", "steps"])
@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_lightning_goes_on_where_it_saved(two_classes: Path, tmp_path: Path, length: dict[str, int], step: int) -> None:
    whole = Recorder()
    trainer(callbacks=[SaveAfter(step, tmp_path / "now.ckpt")], **length).fit(whole, loader(two_classes / "train"))
    assert len(whole.seen) == 72
    assert len(set(whole.seen)) == 72, "every epoch has other crops"
    rest = Recorder()
    trainer(**length).fit(rest, loader(two_classes / "train"), ckpt_path=tmp_path / "now.ckpt", weights_only=True)
    assert [value for _, value in rest.seen] == [value for _, value in whole.seen][8 * step :]


@pytest.mark.filterwarnings("ignore")
def test_lightning_predicts(two_classes: Path) -> None:
    predicted = trainer().predict(Recorder(), loader(two_classes / "val", shuffle=False))
    assert predicted is not None
    assert torch.cat(predicted).tolist() == [0] * 5 + [1] * 5
