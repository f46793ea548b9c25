"""The two baselines, against models and pictures whose answer is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.ablation import loss_increase
from freqlearn.pipelines.energy import share_of_variance
from freqlearn.pipelines.folders import read_class_folder
from freqlearn.pipelines.inputs import measured_spec
from freqlearn.spec import InputSpec

EXACT_16_PX = InputSpec.unstandardised(ChannelSet.all(), 16)


class PooledLinear(torch.nn.Module):
    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight)  # (classes, C)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.mean(dim=(2, 3)) @ self.weight.T


@pytest.mark.parametrize("batch_size", [3, 16])
def test_loss_increase_is_that_of_a_model_without_the_channel(batch_size: int) -> None:
    torch.manual_seed(0)
    maps, labels = torch.randn(16, 5, 2, 3), torch.randint(4, (16,))
    weight = torch.randn(4, 5)
    weight[:, 2] = 0  # a channel that the model ignores
    loader = DataLoader(TensorDataset(maps, labels), batch_size=batch_size)
    passes: list[int] = []
    increase = loss_increase(PooledLinear(weight), loader, channels=5, advance=lambda: passes.append(1))
    assert len(passes) == len(loader) * 6

    pooled = maps.mean(dim=(2, 3)).double()
    whole = cross_entropy(pooled @ weight.double().T, labels)
    for channel in range(5):
        without = weight.double().clone()
        without[:, channel] = 0  # for a linear model, no weight is the same as no input
        expected = float(cross_entropy(pooled @ without.T, labels) - whole)
        assert increase[channel] == pytest.approx(expected, abs=1e-6)  # float32 sums
    assert increase[2] == pytest.approx(0, abs=1e-7)


def test_loss_increase_leaves_the_images_alone() -> None:
    maps = torch.randn(4, 3, 2, 2)
    before = maps.clone()
    loss_increase(PooledLinear(torch.randn(2, 3)), [(maps, torch.zeros(4, dtype=torch.long))], channels=3)  # type: ignore[arg-type]
    assert torch.equal(maps, before)


def test_no_images_is_an_error() -> None:
    with pytest.raises(ValueError, match="got none"):
        loss_increase(PooledLinear(torch.randn(2, 3)), [], channels=3)  # type: ignore[arg-type]


def test_share_of_variance() -> None:
    assert share_of_variance(np.array([3.0, 0.0, 1.0])).tolist() == [0.75, 0, 0.25]
    with pytest.raises(ValueError, match="only constant channels"):
        share_of_variance(np.zeros(192))


def test_variance_is_that_of_the_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coefficients = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            path = tmp_path / name / f"{number}.jpg"
            pixels = rng.integers(60, 190, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path, quality=95, subsampling=0)
            image = Image.open(path)
            image.draft("YCbCr", image.size)
            blocks = (np.asarray(image, float) - 128).reshape(2, 8, 2, 8, 3).transpose(4, 1, 3, 0, 2)
            coefficients.append(dctn(blocks, axes=(1, 2), norm="ortho").reshape(192, 4))
    spec, statistics = measured_spec(EXACT_16_PX, read_class_folder(tmp_path), images=100)
    # Pillow rounds samples to integers: an error with variance 1/12 in every coefficient.
    assert statistics.variance == pytest.approx(np.concatenate(coefficients, axis=1).var(axis=1), rel=0.02, abs=1)
    assert np.square(spec.std) == pytest.approx(statistics.variance)


def test_gray_pictures_keep_their_constant_channels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(tmp_path / name / "0.jpg")
    files = read_class_folder(tmp_path)
    spec, statistics = measured_spec(EXACT_16_PX, files, images=100, constant="keep")
    assert (statistics.variance[:64] > 0).all()
    assert (statistics.variance[64:] == 0).all()
    assert spec.std[64:] == (1.0,) * 128
    with pytest.raises(ValueError, match="128 of 192 do not"):
        measured_spec(EXACT_16_PX, files, images=100)
