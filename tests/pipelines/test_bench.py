"""`freqlearn bench`: what it measures is what it says, and what is missing is a reason, not a crash."""

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

import freqlearn as fl
from freqlearn.pipelines.bench import coefficients, floor, networks, rgb
from freqlearn.pipelines.bench.compiling import compile_c
from freqlearn.pipelines.bench.geometry import Geometry
from freqlearn.pipelines.bench.peers import Pass, Peer, UnavailableError, each, made, readable, require
from freqlearn.pipelines.bench.photos import Photo, load, mosaics
from freqlearn.pipelines.bench.report import sections
from freqlearn.pipelines.bench.running import whole_batches
from freqlearn.pipelines.bench.timing import Ratio, Timing, measure
from freqlearn.pipelines.bench.workloads import DCT_24, DCTNET, spec, workloads
from freqlearn.pipelines.cli import main

ROOT = Path(__file__).resolve().parents[2]
MakeJpeg = Callable[..., bytes]
DRAWING_AS_TORCHVISION = (rgb.PILLOW, rgb.PILLOW_DRAFT, rgb.TORCHVISION, rgb.TORCHCODEC, rgb.SIMPLEJPEG)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_jpeg: MakeJpeg) -> Path:
    """Six photo-like files in two folders, and one that is no image."""
    root = tmp_path_factory.mktemp("photos")
    for number, sampling in enumerate(("4:4:4", "4:2:0", "gray") * 2):
        path = root / f"class-{number % 2}" / f"{number}.JPEG"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(make_jpeg(96 + 8 * number, 120, seed=number, sampling=sampling))
    (root / "notes.txt").write_text("no photo")
    return root


@pytest.fixture(scope="module")
def photos(folder: Path) -> list[Photo]:
    return load(folder, count=6, max_bytes=1 << 20)


def needs_compiler() -> None:
    try:
        compile_c("chain")
    except UnavailableError as reason:
        pytest.skip(str(reason))


def test_photos_are_spread_over_the_folder_and_bounded_in_bytes(folder: Path, photos: list[Photo]) -> None:
    assert [photo.data for photo in photos] == [path.read_bytes() for path in sorted(folder.rglob("*.JPEG"))]
    assert bytes(photos[0].tensor.numpy()) == photos[0].data
    assert [photo.path.name for photo in load(folder, count=2, max_bytes=1 << 20)] == ["0.JPEG", "5.JPEG"]
    assert len(load(folder, count=6, max_bytes=10)) == 4
    with pytest.raises(ValueError, match="no JPEG file"):
        load(folder / "class-0" / "none", count=1, max_bytes=1)


def test_mosaics_are_12_megapixels(photos: list[Photo], tmp_path: Path) -> None:
    (mosaic,) = mosaics(photos, tmp_path, count=1, min_bytes=1)
    info = fl.read_info(mosaic.data)
    assert (info.size_px, info.subsampling) == ((3000, 4000), "4:2:0")
    assert mosaic.path.read_bytes() == mosaic.data


def test_batches_are_filled_with_photos_again(photos: list[Photo]) -> None:
    assert whole_batches(photos) == [photos[i % 6] for i in range(64)]
    assert whole_batches(photos * 11) == [photos[i % 6] for i in range(128)]
    assert whole_batches([]) == []


def test_every_round_runs_every_pass_from_the_same_seed_in_a_turning_order(photos: list[Photo]) -> None:
    order: list[str] = []
    draws: dict[str, list[float]] = {"a": [], "b": [], "c": []}

    def work(name: str) -> Pass:
        def run(some: object) -> None:
            assert some is photos
            order.append(name)
            draws[name].append(float(torch.rand(1)))

        return run

    timings = measure({name: work(name) for name in "abc"}, photos, rounds=3)
    assert order == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert draws["a"] == draws["b"] == draws["c"]
    assert len(set(draws["a"])) == 3
    assert [len(timing.wall) for timing in timings.values()] == [3, 3, 3]


def test_a_ratio_is_taken_within_a_round() -> None:
    ratio = Ratio.of(Timing(wall=[2.0, 9.0, 4.0]), Timing(wall=[1.0, 3.0, 1.0]))
    assert ratio.rounds == [2.0, 3.0, 4.0]
    assert str(ratio) == "3.00 (2.00-4.00)"


def test_a_missing_library_is_a_reason_that_says_what_to_install() -> None:
    with pytest.raises(UnavailableError, match=r"nothing is not installed: pip install 'freqlearn\[bench\]'"):
        require("freqlearn_of_another_world", "nothing")
    ready, missing = made(
        [
            Peer("there", lambda: each(lambda photo: photo)),
            Peer("absent", lambda: each(require("freqlearn_of_another_world", "nothing").run)),
            Peer("broken", lambda: each(int("x"))),  # type: ignore[arg-type]
        ]
    )
    assert list(ready) == ["there"]
    assert missing["absent"].startswith("nothing is not installed")
    assert missing["broken"].startswith("ValueError: ")


def test_a_photo_that_one_library_cannot_read_is_left_out_for_all(photos: list[Photo]) -> None:
    def refuse(photo: Photo) -> None:
        if photo is many[3]:
            raise ValueError("not mine\nat all")

    def refuse_all(photo: Photo) -> None:
        raise OSError("no")

    many = [Photo(photo.path.with_suffix(f".{i}"), photo.data, photo.tensor) for i in range(4) for photo in photos]
    good, left_out, unfit = readable(many, {"picky": each(refuse), "unfit": each(refuse_all)})
    assert good == [photo for photo in many if photo is not many[3]]
    assert left_out == {str(many[3].path): "picky: ValueError: not mine"}
    assert unfit == {"unfit": "fails on 24 of 24 photos: OSError: no"}


def test_libjpeg_counts_the_blocks_that_we_read(photos: list[Photo]) -> None:
    try:
        read = compile_c("coefficients", "jpeg").read_coefficients
    except UnavailableError as reason:
        pytest.skip(str(reason))
    for photo in photos:
        blocks = sum(plane.size // 64 for plane in fl.read_dct(photo.data, decoder="native").planes)
        assert read(photo.data, len(photo.data)) == blocks
    assert read(b"\xff\xd8 no photo", 11) == -1
    assert "libjpeg" in coefficients.libjpeg_version()


def test_without_a_compiler_there_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "false")
    with pytest.raises(UnavailableError, match="false fails"):
        compile_c("chain")
    monkeypatch.setenv("CC", str(tmp_path / "no-such-compiler"))
    with pytest.raises(UnavailableError, match="cannot compile"):
        compile_c("chain")
    assert not list(tmp_path.rglob("*.so"))


def _codes(block: np.ndarray) -> int:
    """Huffman codes of a block after ITU-T T.81 F.1.2, coefficient by coefficient; (8, 8) natural order."""
    order = sorted(range(64), key=lambda i: (sum(divmod(i, 8)), i % 8 if sum(divmod(i, 8)) % 2 == 0 else i // 8))
    codes, run = 1, 0
    for value in block.reshape(64)[order][1:]:
        if value == 0:
            run += 1
            continue
        codes += run // 16 + 1
        run = 0
    return codes + (run > 0)


def test_symbols_are_those_of_a_sequential_scan(photos: list[Photo]) -> None:
    counted = floor.count_symbols(photos[:2])
    blocks = [block for photo in photos[:2] for p in fl.read_dct(photo.data).planes for block in p.reshape(-1, 8, 8)]
    assert counted.blocks == len(blocks) / 2
    assert counted.symbols == sum(map(_codes, blocks)) / 2
    assert counted.bits_per_symbol == pytest.approx(8 * counted.bytes / counted.symbols)


def test_chains_take_time() -> None:
    needs_compiler()
    measured = floor.nanoseconds()
    assert set(measured) == {"addition", "lookup"}
    assert min(measured.values()) > 0


@pytest.mark.filterwarnings("ignore:The image decoding and encoding capabilities:DeprecationWarning")
@pytest.mark.parametrize(
    "name",
    [*(rgb.row(name, 224) for name in DRAWING_AS_TORCHVISION), DCTNET],
)
def test_peers_draw_the_same_boxes_and_flips_as_ours(name: str, photos: list[Photo]) -> None:
    (training,) = [workload for workload in workloads() if workload.key == "training"]
    peers = {peer.name: peer for peer in training.peers}
    states = []
    for peer in (peers[DCT_24], peers[name]):
        passes, missing = made([peer])
        if missing:
            pytest.skip(str(missing))
        torch.manual_seed(3)
        passes[peer.name](photos)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


@pytest.mark.parametrize("geometry", [Geometry(64), Geometry(64, 72)], ids=["training", "evaluation"])
def test_the_box_of_peers_without_torchvision_is_torchvisions(geometry: Geometry, photos: list[Photo]) -> None:
    pixels = torch.rand(3, 90, 130, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(5)
    expected = v2.Compose(geometry.steps())(pixels)
    torch.manual_seed(5)
    top, left, height, width = geometry.box((90, 130))
    part = v2.functional.resize(pixels[:, top : top + height, left : left + width], [64, 64], antialias=True)
    # Evaluation resizes the whole picture first, so its box lies between pixels there.
    close = 1e-5 if geometry.resize_px is None else 0.2
    assert (v2.functional.hflip(part) if geometry.flipped() else part).sub(expected).abs().mean() < close


def test_specs_are_imagenets() -> None:
    made_spec = spec("DCT-24", Geometry(448, 448))
    assert (len(made_spec.mean), made_spec.size_px, made_spec.resize_px) == (24, 448, 448)
    assert made_spec.mean == fl.InputSpec.preset("imagenet-448").select(fl.ChannelSet.square(24)).mean


def test_the_command_prints_tables_and_writes_every_round(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "runs" / "benchmarks" / "speed.json"
    output.parent.mkdir(parents=True)
    options = ["--parts", "coefficients,profile", "--files", "3", "--rounds", "2", "--output", str(output)]
    assert main(["bench", str(folder), *options, "--no-progress"]) == 0
    printed = capsys.readouterr().out
    assert "freqlearn.read_dct" in printed
    assert "symbols a file" in printed
    result = json.loads(output.read_text())
    assert len(result["workloads"]["coefficients"]["ms"]["freqlearn.read_dct"]["wall"]) == 2
    assert result["photos"]["files"] == 3
    tables = {section.key: section for section in sections(result)}
    assert tables["coefficients"].rows[0]["times ours"] == "1"
    assert tables["coefficients"].markdown().startswith("|  | ms a photo |")
    assert tables["coefficients"].text() in printed

    # The documentation's tables are made of the same file.
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    page = importlib.import_module("benchmarks.page")
    Path("page.md").write_text((ROOT / "docs" / "performance.md").read_text())
    assert page.main(["page.md"]) == 0
    assert tables["coefficients"].markdown() in Path("page.md").read_text()
    assert "no result for training: run python -m benchmarks.speed" in capsys.readouterr().out


def test_the_summary_names_the_threads_that_were_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--parts", "batches", "--files", "3", "--rounds", "1", "--no-progress"]
    assert main(["bench", str(folder), *options, "--threads", "3"]) == 0
    assert "freqlearn.BatchDecoder, DCT-24, 3 threads against 1" in capsys.readouterr().out
    assert main(["bench", str(folder), *options, "--threads", "1"]) == 0
    assert " against 1" not in capsys.readouterr().out, "there is nothing to compare"


def test_photos_that_nobody_reads_are_named_and_nothing_crashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    assert main(["bench", str(tmp_path), "--parts", "coefficients,large,profile", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "left out: freqlearn.read_dct: fails on 1 of 1 photos: " in printed
    assert "(no rows)" in printed


def test_damaged_photos_make_no_library_unfit(
    photos: list[Photo], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, photo in enumerate(photos[:3]):
        (tmp_path / f"{number}.jpg").write_bytes(photo.data)
    (tmp_path / "cut.jpg").write_bytes(photos[0].data[:-200])
    (tmp_path / "text.jpg").write_text("no photo")
    assert main(["bench", str(tmp_path), "--parts", "coefficients", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("3 photos of ")
    assert re.search(r"photo left out: .*cut.jpg: ", printed)
    assert re.search(r"photo left out: .*text.jpg: ", printed)
    assert re.search(r"^freqlearn.read_dct +\d", printed, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--parts", "coefficients,colour"], "expected parts out of .*, got colour"),
        (["--rounds", "0"], "expected rounds as a number from 1, got 0"),
        (["--output", "nowhere/x.json"], "nowhere, the folder of the output, does not exist"),
        (["--output", "."], "is a folder; expected the name of a JSON file"),
        (["--output", f"{'x' * 300}.json"], "File name too long"),
    ],
)
def test_mistakes_are_named(options: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(folder), *options]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_networks_are_timed_in_every_round_and_their_work_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def tiny() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1000))

    monkeypatch.setattr(networks, "_candidates", lambda: {"tiny": (tiny, (3, 8, 8))})
    rows = networks.measure_networks(rounds=3, batch_size=2)
    assert rows[0]["device"] == "CPU"
    for row in rows:
        assert row["gmacs"] == pytest.approx((3 * 4 * 8 * 8 + 4 * 1000) / 1e9)
        assert [len(row["forward_ms"]), len(row["step_ms"])] == [3, 3]
    (table,) = sections({"workloads": {}, "networks": rows})
    assert [row[""] for row in table.rows] == [f"tiny, {row['device']}" for row in rows]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_high_water_of_a_large_picture_is_that_of_its_pixels(tmp_path: Path) -> None:
    from freqlearn.pipelines.bench.memory import high_water

    path = tmp_path / "large.jpg"
    Image.new("RGB", (4000, 3000), "gray").save(path)
    measured = high_water("large", rgb.row(rgb.PILLOW, 448), [path])
    assert 36 < measured["added"] < 400  # 3 bytes a pixel at least
