"""Writes JPEG files for the fuzzers to start from, beside tests/assets: python tests/fuzz/seeds.py FOLDER."""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from jpeg_builder import (
    AC_SKEWED,
    BASELINE,
    DC_SKEWED,
    EXTENDED,
    PROGRESSIVE,
    Huffman,
    Scan,
    build,
    random_planes,
)

TABLES = [np.arange(1, 65).reshape(8, 8), np.arange(10, 74).reshape(8, 8)]
LUMA_FINER = [(2, 2), (1, 1), (1, 1)]
# DC, then two bands of all components, the lowest two bits in refinements.
PROGRESSION = [
    Scan((0, 1, 2), 0, 0, 0, 1),
    *(Scan((c,), 1, 5, 0, 2) for c in range(3)),
    *(Scan((c,), 6, 63, 0, 1) for c in range(3)),
    *(Scan((c,), 1, 5, 2, 1) for c in range(3)),
    Scan((0, 1, 2), 0, 0, 1, 0),
    *(Scan((c,), 1, 63, 1, 0) for c in range(3)),
]


def photo_like(height: int, width: int, seed: int) -> Image.Image:
    """Smooth shapes with some noise, so that most coefficients are small and most blocks end early."""
    y, x = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(x / a + y / b) for a, b in ((9, 14), (23, 17), (31, 40))]
    noise = np.random.default_rng(seed).normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, **options: object) -> bytes:
    """By libjpeg-turbo, through Pillow."""
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def made(
    size_px: tuple[int, int],
    sampling: list[tuple[int, int]],
    scans: list[Scan] | None = None,
    *,
    tables: list[np.ndarray] = TABLES,
    largest: int = 1023,
    **options: object,
) -> bytes:
    """Random coefficients, written byte by byte."""
    planes = random_planes(np.random.default_rng(len(sampling)), size_px, sampling, largest=largest)
    every = tuple(range(len(sampling)))
    return build(
        planes, tables[: len(sampling)], size_px=size_px, sampling=sampling, scans=scans or [Scan(every)], **options
    )


def seeds() -> dict[str, bytes]:
    """By name."""
    photo, wide = photo_like(150, 200, 0), photo_like(24, 900, 1)
    large_table = np.full((8, 8), 65535)
    # Every code the same length: the decoder's tables see nothing else.
    flat_dc, flat_ac = Huffman.flat(range(16), 15), Huffman.flat(range(256), 15)
    return {
        "photo": encoded(photo, quality=85, subsampling="4:2:0"),
        "photo_fine": encoded(photo, quality=98, subsampling="4:4:4", optimize=True),
        "photo_coarse": encoded(photo, quality=20, subsampling="4:2:2"),
        "photo_progressive": encoded(photo, quality=75, subsampling="4:2:0", progressive=True),
        "photo_restart": encoded(photo, quality=85, subsampling="4:2:0", restart_marker_blocks=1),
        "photo_gray": encoded(photo.convert("L"), quality=85),
        "wide": encoded(wide, quality=85, subsampling="4:2:0"),
        "tall": encoded(wide.transpose(Image.Transpose.TRANSPOSE), quality=85, subsampling="4:2:0"),
        "one_pixel": encoded(photo.crop((0, 0, 1, 1)), subsampling="4:2:0"),
        "long_codes": made((40, 56), LUMA_FINER, dc=DC_SKEWED, ac=AC_SKEWED),
        "longest_codes": made((24, 24), LUMA_FINER, dc=flat_dc, ac=flat_ac),
        "tables_16_bit": made((24, 40), LUMA_FINER, process=EXTENDED, table_bits=16),
        "huge_values": made((24, 24), [(1, 1)], tables=[large_table], table_bits=16, largest=16383),
        "four_by_four": made((40, 70), [(4, 4), (1, 1), (1, 1)], [Scan((0,)), Scan((1, 2))]),
        "two_components": made((20, 30), [(1, 1), (2, 1)]),
        "four_components": made((20, 30), [(1, 1)] * 4),
        "chroma_finer": made((30, 50), [(1, 2), (2, 1), (3, 2)], [Scan((2,)), Scan((0, 1))]),
        "each_alone": made((33, 41), LUMA_FINER, [Scan((2,)), Scan((0,), restart_interval=3), Scan((1,))]),
        "restart_each": made((33, 41), LUMA_FINER, restart_interval=1, fill=2, process=BASELINE),
        "progressive": made((33, 41), LUMA_FINER, PROGRESSION, process=PROGRESSIVE),
        "progressive_restart": made((33, 41), LUMA_FINER, PROGRESSION, process=PROGRESSIVE, restart_interval=2),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, jpeg in seeds().items():
        (folder / f"{name}.jpg").write_bytes(jpeg)
