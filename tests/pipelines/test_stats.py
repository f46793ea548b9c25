import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn

from freqlearn.channels import ChannelSet
from freqlearn.pipelines.folders import read_class_folder
from freqlearn.pipelines.listing import find_images
from freqlearn.pipelines.measuring import Measurement, measure
from freqlearn.pipelines.stats import stats
from freqlearn.presets import classification_eval
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_jpeg):
    """Nine JPEG files of 64x64 px and a PNG, nested, of several samplings."""
    root = tmp_path_factory.mktemp("images")
    (root / "a" / "deep").mkdir(parents=True)
    for i, sampling in enumerate(["4:4:4", "4:2:0", "gray"] * 3):
        place = (root, root / "a", root / "a" / "deep")[i % 3]
        (place / f"{i}.JPG").write_bytes(make_jpeg(64, 64, seed=i, sampling=sampling))
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(root / "a" / "x.png")
    (root / "notes.txt").write_text("not an image")
    return root


def test_finds_images_at_any_depth_in_one_order(folder):
    names = [path.relative_to(folder).as_posix() for path in find_images(folder)]
    assert names == sorted(names)
    assert set(names) == {
        *(f"{i}.JPG" for i in (0, 3, 6)),
        *(f"a/{i}.JPG" for i in (1, 4, 7)),
        *(f"a/deep/{i}.JPG" for i in (2, 5, 8)),
        "a/x.png",
    }


def test_finds_linked_images_once(tmp_path, folder):
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(find_images(tmp_path)) == 10


@pytest.mark.parametrize(("name", "message"), [("none", "it is missing"), ("file.txt", "it is a file"), ("", "none$")])
def test_a_folder_without_images_is_named(tmp_path, name, message):
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ValueError, match=f"{tmp_path}.*{message}"):
        stats(tmp_path / name, progress=False)


def test_statistics_of_exact_files_are_those_of_their_pixels(tmp_path):
    # Lossless gray pictures of exactly the size: the DCT by SciPy of samples minus 128 is the oracle.
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (5, 32, 32), dtype=np.uint8)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    blocks = pictures.astype(float).reshape(5, 4, 8, 4, 8).transpose(0, 1, 3, 2, 4) - 128
    expected = dctn(blocks, axes=(3, 4), norm="ortho").reshape(-1, 64)
    result = stats(tmp_path, size_px=32, resize_px="none", channels="Y", progress=False)
    # 1e-3: what the float32 operator is held to.
    np.testing.assert_allclose(result.spec.mean, expected.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(result.spec.std, expected.std(axis=0), atol=1e-3)
    per_image = expected.reshape(5, 16, 64).mean(axis=1)
    np.testing.assert_allclose(result.statistics.std_of_image_means, per_image.std(axis=0), atol=1e-3)
    assert (result.statistics.images, result.statistics.coefficients) == (5, 80)


def test_default_geometry_is_evaluations(folder):
    result = stats(folder, size_px=56, channels="24", progress=False)
    assert (result.spec.size_px, result.spec.resize_px) == (56, 64)
    transform = classification_eval(InputSpec.unstandardised(ChannelSet.square(24), 56, 64))
    maps = [transform(path.read_bytes()) for path in find_images(folder)]
    together = torch.cat([one.flatten(1) for one in maps], dim=1).double().numpy()
    np.testing.assert_allclose(result.spec.mean, together.mean(axis=1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.spec.std, together.std(axis=1), rtol=1e-9)


@pytest.mark.parametrize(("size", "resize"), [(448, 512), (224, 256), (896, 1024)])
def test_automatic_resize_is_the_usual_ratio(size, resize, tmp_path, make_jpeg):
    (tmp_path / "x.jpg").write_bytes(make_jpeg(40, 50))
    assert stats(tmp_path, size_px=size, channels="0-0", progress=False).spec.resize_px == resize


def test_threads_change_no_bit(folder, tmp_path):
    files = []
    for threads in (1, 2, 5):
        files.append(tmp_path / f"{threads}.json")
        stats(folder, files[-1], size_px=64, threads=threads, progress=False)
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()
    loaded = InputSpec.load(files[0])
    assert loaded.channels == ChannelSet.all()
    assert "10 images, 640 coefficients" in loaded.source
    assert not list(tmp_path.glob("*.partial"))


def test_published_kind_of_std_says_so(folder):
    result = stats(folder, size_px=64, channels="24", std="image-means", progress=False)
    np.testing.assert_array_equal(result.spec.std, result.statistics.std_of_image_means)
    assert "not of coefficients" in result.spec.source


def test_sample_is_seeded(folder):
    def chosen(**options):
        return stats(folder, size_px=64, channels="Y", progress=False, **options)

    first, again, other = (chosen(sample=4, seed=seed) for seed in (1, 1, 2))
    assert first.statistics.images == 4
    assert first.spec == again.spec
    assert first.spec != other.spec
    assert "4 images chosen with seed 1" in first.spec.source
    assert chosen(sample=99).spec == chosen().spec
    with pytest.raises(ValueError, match="at least one image, got 0"):
        chosen(sample=0)


def test_same_sample_as_of_a_training_folder(two_classes):
    result = stats(two_classes / "train", size_px=32, resize_px="none", sample=5, seed=3, progress=False)
    chosen = read_class_folder(two_classes / "train").sample(5, seed=3)
    transform = classification_eval(InputSpec.unstandardised(ChannelSet.all(), 32))
    one_by_one = ChannelStatistics(192)
    for path in chosen.paths():
        one_by_one.update(transform(path))
    assert result.statistics.to_dict() == one_by_one.to_dict()


def test_bad_file_is_named(folder, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((folder / "0.JPG").read_bytes()[:-200])
    (tmp_path / "good.jpg").write_bytes((folder / "3.JPG").read_bytes())
    output = tmp_path / "spec.json"
    with pytest.raises(ValueError, match=r"broken\.jpg: .*--on-bad-image skip"):
        stats(tmp_path, output, size_px=64, progress=False)
    assert not output.exists()
    result = stats(tmp_path, output, size_px=64, on_bad_image="skip", progress=False)
    assert result.statistics.images == 1
    assert [path for path, _ in result.skipped] == [str(broken)]
    assert "skipped 1 files" in str(result)
    assert str(broken) in str(result)


def test_only_bad_files_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"none of 1 images could be read; the first: .*a\.jpg: "):
        stats(tmp_path, size_px=64, on_bad_image="skip", progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size_px": 60}, "multiple of 8"),
        ({"size_px": 64, "resize_px": 32}, "resize_px of at least"),
        ({"size_px": 64, "channels": "low"}, "expected channels as"),
        ({"size_px": 64, "threads": 0}, "at least one thread"),
        ({"size_px": 64, "output": "/nowhere/spec.json"}, "/nowhere is none"),
    ],
)
def test_wrong_options(folder, options, message):
    with pytest.raises(ValueError, match=message):
        stats(folder, progress=False, **options)


def test_gray_pictures_have_no_chroma_to_standardise(tmp_path, make_jpeg):
    (tmp_path / "gray.jpg").write_bytes(make_jpeg(64, 64, sampling="gray"))
    with pytest.raises(ValueError, match=r"128 of 192 do not .*choose channels 0-63"):
        stats(tmp_path, size_px=64, progress=False)
    assert stats(tmp_path, size_px=64, channels="0-63", progress=False).spec.in_channels == 64


def test_a_crops_black_border_is_not_measured(folder):
    with pytest.raises(
        ValueError, match=r"0\.JPG: expected at least 72x72 px .*got 64x64 .*black border.*--on-bad-image skip"
    ):
        stats(folder, size_px=72, resize_px="none", progress=False)
    larger = stats(folder, size_px=64, resize_px="none", channels="Y", progress=False)  # x.png is 70x90
    assert larger.statistics.images == 10


def test_summary_can_be_read(folder):
    text = str(stats(folder, size_px=64, progress=False))
    assert "192x8x8" in text
    assert "Y(0,0)" in text
    assert "and 184 more channels" in text


def test_progress_goes_to_stderr(folder, capfd):
    stats(folder, size_px=64, channels="0-0", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "10/10" in err


def _maps(data: bytes) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(len(data)).standard_normal((2, 4, 4)))


def _files(folder: Path, count: int) -> list[Path]:
    for i in range(count):
        (folder / f"{i:03}").write_bytes(bytes(i))
    return sorted(folder.iterdir())


def test_measuring_can_go_on_from_anywhere(tmp_path):
    paths = _files(tmp_path, 20)
    steps = list(measure(paths, _maps, Measurement(ChannelStatistics(2)), threads=3))
    assert [step.done for step in steps] == list(range(1, 21))
    for start in (steps[0], steps[11], steps[19]):
        rest = list(measure(paths, _maps, start, threads=2))
        assert (rest or [start])[-1].statistics.to_dict() == steps[-1].statistics.to_dict()


def test_measuring_runs_ahead_only_so_far(tmp_path):
    started, lock = [], threading.Lock()

    def counted(data: bytes) -> torch.Tensor:
        with lock:
            started.append(len(data))
        return _maps(data)

    running = measure(_files(tmp_path, 100), counted, Measurement(ChannelStatistics(2)), threads=2)
    next(running)
    running.close()
    assert len(started) <= 9  # four queued for each thread, and one more


def test_measuring_gives_back_torchs_threads(tmp_path):
    before = torch.get_num_threads()
    inside = []

    def look(data: bytes) -> torch.Tensor:
        inside.append(torch.get_num_threads())
        return _maps(data)

    list(measure(_files(tmp_path, 4), look, Measurement(ChannelStatistics(2)), threads=2))
    assert inside == [1] * 4
    assert torch.get_num_threads() == before


SLOW_RUN = """
import sys, time
import freqlearn.presets, freqlearn.pipelines.stats as module
made = freqlearn.presets.classification_eval
def slow(spec):
    transform = made(spec)
    def run(data):
        print("an image", flush=True)
        time.sleep(0.3)
        return transform(data)
    return run
freqlearn.presets.classification_eval = slow
try:
    module.stats(sys.argv[1], sys.argv[2], size_px=64, threads=1, progress=False)
except KeyboardInterrupt as error:
    print("STOPPED", error)
    sys.exit(130)
"""


def test_interrupted_run_leaves_the_output_and_can_go_on(folder, tmp_path):
    output, partial = tmp_path / "spec.json", tmp_path / "spec.json.partial"
    output.write_text("what was there")
    command = [sys.executable, "-c", SLOW_RUN, str(folder), str(output)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(4):  # of ten images; when the fourth begins, the first ones are measured
            assert running.stdout.readline() == "an image\n"
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == 130
    assert "STOPPED interrupted after" in said
    assert "of 10 images" in said
    assert output.read_text() == "what was there"
    done = int(said.split("after ")[1].split()[0])
    assert 0 < done < 10
    assert partial.exists()

    stats(folder, output, size_px=64, progress=False)
    assert not partial.exists()
    fresh = tmp_path / "fresh.json"
    stats(folder, fresh, size_px=64, progress=False)
    assert output.read_bytes() == fresh.read_bytes()


def test_partial_of_another_run_is_not_used(folder, tmp_path, caplog):
    output, partial = tmp_path / "spec.json", tmp_path / "spec.json.partial"
    other = {"run": "other", "list": 0, "done": 3, "skipped": [], "statistics": ChannelStatistics(192).to_dict()}
    partial.write_text(json.dumps({"format": "freqlearn.partial_statistics", "version": 2, **other}))
    result = stats(folder, output, size_px=64, progress=False)
    assert "another run" in caplog.text
    assert result.statistics.images == 10
    partial.write_text("garbage")
    stats(folder, output, size_px=64, progress=False)
    assert "cannot be read" in caplog.text
    assert not partial.exists()


def test_presets_and_std_of_photos(photos):
    result = stats(photos / "imagenet-sample", progress=False)
    preset = InputSpec.preset("imagenet-448")
    assert (result.spec.size_px, result.spec.resize_px) == (preset.size_px, preset.resize_px)
    # Six digits are kept; float32 sums in the geometry may differ in the last bits elsewhere.
    np.testing.assert_allclose(preset.std, result.spec.std, rtol=1e-5)
    np.testing.assert_allclose(preset.mean, result.spec.mean, rtol=1e-5, atol=1e-5)
    # An independent measurement over 250 of these files: coefficients deviate by 494, 79.7, 41.1, 24.9 and image means
    # by 232, 1.93, 1.25, 0.67. Another choice of files moves these by some percent.
    np.testing.assert_allclose(result.statistics.std[:4], [494, 79.7, 41.1, 24.9], rtol=0.1)
    np.testing.assert_allclose(result.statistics.std_of_image_means[:4], [232, 1.93, 1.25, 0.67], rtol=0.25)
