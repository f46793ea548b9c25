"""Planted data: real JPEG files whose classes differ in planted channels only. Oracles: Pillow, SciPy."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile
from scipy.fft import dctn

from freqlearn.channels import ChannelSet
from freqlearn.pipelines import planted

SIZE_PX = 64
CONTRAST = 2.5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> planted.Planted:
    return planted.write(
        tmp_path_factory.mktemp("planted") / "data",
        seed=3,
        plants=4,
        train_per_class=30,
        val_per_class=2,
        size_px=SIZE_PX,
        contrast=CONTRAST,
    )


def _coefficients(path: Path) -> np.ndarray:
    """(192, blocks) DCT coefficients of a file's decoded pixels; Pillow decodes, SciPy transforms."""
    image = Image.open(path)
    image.draft("YCbCr", image.size)
    samples = np.asarray(image, dtype=np.float64) - 128
    blocks = samples.reshape(SIZE_PX // 8, 8, SIZE_PX // 8, 8, 3).transpose(4, 1, 3, 0, 2)
    return dctn(blocks, axes=(1, 2), norm="ortho").reshape(192, -1)


@pytest.fixture(scope="module")
def variances(data: planted.Planted) -> dict[str, np.ndarray]:
    """Class -> (files, 192), each file's variance of each channel."""
    return {
        name: np.stack([_coefficients(f).var(axis=1) for f in sorted((data.root / "train" / name).iterdir())])
        for name in data.classes
    }


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("plants", [1, 4, 7, 8])
def test_draw_half_outside_the_square(seed: int, plants: int) -> None:
    channels = planted.draw(seed=seed, plants=plants)
    assert len(channels) == plants
    assert len(set(channels) - set(ChannelSet.square(24))) == plants - plants // 2
    assert channels == planted.draw(seed=seed, plants=plants)


def test_seeds_plant_different_channels() -> None:
    assert len({planted.draw(seed=seed) for seed in range(10)}) == 10


@pytest.mark.parametrize("plants", [0, -1, 1000])
def test_draw_refuses(plants: int) -> None:
    with pytest.raises(ValueError, match=r"expected 1 to .* plants, got"):
        planted.draw(seed=0, plants=plants)


def test_candidates_are_disjoint_and_never_lead_by_energy() -> None:
    inside, outside = planted.candidates()
    assert not set(inside) & set(outside)
    assert not set(inside + outside) & {0, 1, 8, 9, 2, 16, 64, 128}


def test_layout_and_description(data: planted.Planted) -> None:
    for split, count in (("train", 30), ("val", 2)):
        folders = sorted(p.name for p in (data.root / split).iterdir())
        assert folders == sorted(data.classes)
        assert all(len(list((data.root / split / name).iterdir())) == count for name in folders)
    assert len(data.classes) == len(data.channels) + 1
    assert planted.load(data.root) == data
    assert data.found(ChannelSet.of([data.channels[0], 0])) == 1


def test_files_are_jpegs_of_several_kinds(data: planted.Planted) -> None:
    samplings, progressive, tables = set(), set(), set()
    for path in data.root.glob("train/*/*.jpg"):
        image = Image.open(path)
        assert (image.format, image.size) == ("JPEG", (SIZE_PX, SIZE_PX))
        samplings.add(tuple((h, v) for _, h, v, _ in image.layer))
        progressive.add(bool(image.info.get("progressive")))
        tables.add(tuple(image.quantization[0]))
    ones = ((1, 1), (1, 1))
    assert samplings == {((1, 1), *ones), ((2, 1), *ones), ((2, 2), *ones)}
    assert progressive == {False, True}
    assert len(tables) == 3


def test_a_class_is_strong_in_its_own_channel(data: planted.Planted, variances: dict[str, np.ndarray]) -> None:
    for channel, name in zip(data.channels, data.classes[1:], strict=True):
        others = np.concatenate([variances[other] for other in data.classes if other != name])
        # Quantisation noise and chroma subsampling take some of the contrast, never most of it.
        ratio = np.median(variances[name][:, channel]) / np.median(others[:, channel])
        assert 0.4 * CONTRAST**2 < ratio < 1.3 * CONTRAST**2


def test_classes_differ_in_nothing_else(data: planted.Planted, variances: dict[str, np.ndarray]) -> None:
    # t statistics of the channels that are not planted: class against all others. Chance makes one in 10,000 exceed 4;
    # files share contrast and encoding among their channels, hence 2 %.
    rest = np.setdiff1d(np.arange(192), list(data.channels))
    for channel, name in zip(data.channels, data.classes[1:], strict=True):
        own = np.log(variances[name] + 1)
        others = np.concatenate([np.log(variances[other] + 1) for other in data.classes if other != name])
        spread = np.sqrt(own.var(axis=0) / len(own) + others.var(axis=0) / len(others)) + 1e-9
        t = np.abs(own.mean(axis=0) - others.mean(axis=0)) / spread
        assert t[channel] > 10
        assert np.mean(t[rest] > 4) < 0.02


def test_planted_channels_are_as_strong_as_their_neighbours(
    data: planted.Planted, variances: dict[str, np.ndarray]
) -> None:
    mean = np.concatenate(list(variances.values())).mean(axis=0).reshape(3, 8, 8)
    for channel in data.channels:
        c, v, u = np.unravel_index(channel, (3, 8, 8))
        around = [mean[c, a, b] for a, b in ((v - 1, u), (v + 1, u), (v, u - 1), (v, u + 1)) if min(a, b) >= 0]
        assert min(around) < mean[c, v, u] < max(around)


def test_energy_misses_all_plants(data: planted.Planted, variances: dict[str, np.ndarray]) -> None:
    # Each file's own mean is no part of `variances`; DC's is added back by the mean square, but it leads either way.
    energy = np.concatenate(list(variances.values())).mean(axis=0)
    assert data.found(ChannelSet.top(energy, len(data.channels))) == 0


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    def write(name: str, seed: int) -> list[bytes]:
        root = planted.write(tmp_path / name, seed=seed, plants=1, train_per_class=2, val_per_class=1, size_px=16).root
        return [path.read_bytes() for path in sorted(root.glob("*/*/*.jpg"))]

    first = write("a", 0)
    assert len(first) == 6
    assert first == write("b", 0)
    assert not set(first) & set(write("c", 1))


def test_second_call_finds_the_first_and_refuses_other_parameters(tmp_path: Path) -> None:
    small = {"plants": 1, "train_per_class": 1, "val_per_class": 1, "size_px": 16}
    first = planted.write(tmp_path / "data", seed=0, **small)
    before = {path: path.stat().st_mtime_ns for path in first.root.rglob("*.jpg")}
    assert planted.write(tmp_path / "data", seed=0, **small) == first
    assert before == {path: path.stat().st_mtime_ns for path in first.root.rglob("*.jpg")}
    with pytest.raises(ValueError, match="planted data of other parameters"):
        planted.write(tmp_path / "data", seed=1, **small)


def test_refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(ValueError, match="one with other files"):
        planted.write(tmp_path, plants=1, size_px=16)


def test_large_pictures_can_be_written(tmp_path: Path) -> None:
    before = ImageFile.MAXBLOCK
    data = planted.write(tmp_path / "data", plants=1, train_per_class=8, val_per_class=1, size_px=448)
    sizes = [path.stat().st_size for path in data.root.rglob("*.jpg")]
    assert max(sizes) > 448**2, "more than Pillow reserves for an optimised file"
    assert before == ImageFile.MAXBLOCK


def test_continues_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    small = {"plants": 1, "train_per_class": 1, "val_per_class": 1, "size_px": 16}
    with monkeypatch.context() as patch:
        patch.setattr(planted, "_save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            planted.write(tmp_path / "data", **small)
    with pytest.raises(ValueError, match=r"without planted\.json"):
        planted.load(tmp_path / "data")
    written = planted.write(tmp_path / "data", **small)
    assert len(list(written.root.rglob("*.jpg"))) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size_px": 24}, "multiple of 16"),
        ({"size_px": 0}, "multiple of 16"),
        ({"train_per_class": 0}, "at least one file"),
        ({"val_per_class": 0}, "at least one file"),
        ({"contrast": 1.0}, "contrast above 1"),
        ({"contrast": float("nan")}, "contrast above 1"),
    ],
)
def test_write_refuses(tmp_path: Path, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        planted.write(tmp_path / "data", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": "freqlearn.planted", "version": 2}'])
def test_load_refuses(tmp_path: Path, text: str) -> None:
    (tmp_path / planted.DESCRIPTION).write_text(text)
    with pytest.raises(ValueError, match="expected"):
        planted.load(tmp_path)
