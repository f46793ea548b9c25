"""A few photos of all kinds in class folders, and a packed set of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from freqlearn.pipelines.packing.options import PackOptions
from freqlearn.pipelines.packing.running import pack

CROP, SIZE = 32, 48


@pytest.fixture(scope="session")
def mixed_photos(tmp_path_factory: pytest.TempPathFactory, make_jpeg: Callable[..., bytes]) -> Path:
    """train/ with 2 x 5 photos and val/ with 2 x 2: odd sizes, tiny, gray, turned by EXIF, PNG, names of all kinds."""
    root = tmp_path_factory.mktemp("mixed") / "photos"
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds: list[tuple[str, int, int, dict[str, Any]]] = [
        ("plain.jpg", 61, 83, {}),
        ("portrait of a.dog.jpg", 97, 50, {"sampling": "4:4:4"}),
        ("tiny.JPEG", 19, 30, {}),
        ("gray.jpg", 70, 64, {"sampling": "gray"}),
        ("turned-ü.jpg", 60, 91, {"exif": turned.tobytes()}),
    ]
    seed = 0
    for split, count in (("train", 5), ("val", 2)):
        for name in ("cat", "wild dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for file, height, width, options in kinds[:count]:
                (folder / file).write_bytes(make_jpeg(height, width, seed=seed, **options))
                seed += 1
    with Image.open(root / "train/cat/plain.jpg") as img:
        img.save(root / "train/cat/picture.png")
    (root / "train/cat/plain.jpg").unlink()
    (root / "train/cat/notes.txt").write_text("no photo")
    return root


@pytest.fixture(scope="session")
def pack_options(mixed_photos: Path) -> Callable[..., PackOptions]:
    """`pack_options(output, ...)`: mixed_photos for DCT-24 at 32 of 48 px, 3 images to a shard."""

    def make(output: Path, **changes: object) -> PackOptions:
        usual: dict[str, object] = {
            "data": mixed_photos,
            "output": output,
            "size": SIZE,
            "crop": CROP,
            "channels": "24",
            "quality": 80,
            "shard_images": 3,
            "threads": 2,
            "progress": False,
        }
        return PackOptions(**(usual | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def mixed_set(pack_options: Callable[..., PackOptions], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed set of pack_options; not to be changed."""
    output = tmp_path_factory.mktemp("mixed_set") / "packed"
    pack(pack_options(output))
    return output
