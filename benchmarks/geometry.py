"""How far the operator's channels are from those of a pixel pipeline, and from its own float64 form.

    python -m benchmarks.geometry FOLDER

FOLDER holds JPEG files; gray ones and those that are not YCbCr are left out. The pixel pipeline decodes with libjpeg
(Pillow), resizes and crops with torchvision (uint8, antialiased bilinear), and goes through YCbCr and an 8x8 DCT in
float64. Differences are of dequantised coefficients, all 192 channels.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

import freqlearn as fl
from benchmarks.photos import jpeg_files
from benchmarks.report import table, write
from freqlearn.color import LEVEL_SHIFT, RGB_TO_YCBCR
from freqlearn.operator import compute, planes_of

GEOMETRY = [fl.transforms.Resize(512), fl.transforms.CenterCrop(448)]
PIXELS = v2.Compose([v2.Resize(512), v2.CenterCrop(448)])
MARGIN = 12  # levels: blocks beside pixels closer than this to 0 or 255 are left out, since pixel pipelines clamp there


def photos(folder: Path, each: int) -> Iterator[tuple[str, Path]]:
    """(sampling, file) of up to `each` YCbCr photos of every sampling."""
    found: dict[str, int] = defaultdict(int)
    for path in jpeg_files(folder):
        info = fl.read_info(path)
        if info.color_space == "YCbCr" and found[info.subsampling] < each:
            found[info.subsampling] += 1
            yield info.subsampling, path


def of_pixels(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(3, 56, 56, 8, 8) coefficients by way of pixels, and (56, 56) whether a block is far from clamping."""
    with Image.open(path) as image:
        rgb = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    shown = PIXELS(rgb).numpy().astype(np.float64)
    ycbcr = np.einsum("ij,jhw->ihw", RGB_TO_YCBCR, shown) - LEVEL_SHIFT[:, None, None]
    blocks = ycbcr.reshape(3, 56, 8, 56, 8).swapaxes(2, 3)
    near = ((shown < MARGIN) | (shown > 255 - MARGIN)).any(axis=0).reshape(56, 8, 56, 8).any(axis=(1, 3))
    near = torch.nn.functional.max_pool2d(torch.from_numpy(near).float()[None], 3, 1, 1)[0].numpy() > 0
    return scipy.fft.dctn(blocks, axes=(3, 4), norm="ortho"), ~near


def differences(path: Path) -> dict[str, float]:
    """Of one photo: the native operator from the float64 form, and from the pixel pipeline."""
    img = fl.read_dct(path)
    for step in GEOMETRY:
        img = step(img)
    single = fl.transforms.ToFrequencyTensor(fl.ChannelSet.all())(img).numpy()
    double = compute(planes_of(img), img.plan, range(192), dtype="float64")
    pixels, clear = of_pixels(path)
    apart = (single.reshape(3, 8, 8, 56, 56).transpose(0, 3, 4, 1, 2) - pixels)[:, clear]  # (3, blocks, 8, 8)
    rms = np.sqrt(np.square(apart).mean(axis=(1, 2, 3))) if apart.size else np.full(3, np.nan)
    return {
        "native from float64, max": float(np.abs(single - double).max()),
        **{f"{name} from pixels, rms": float(value) for name, value in zip(("Y", "Cb", "Cr"), rms, strict=True)},
        "chroma DC from pixels, max": float(np.abs(apart[1:, :, 0, 0]).max(initial=0.0)),
    }


def summary(folder: Path, each: int) -> list[dict[str, object]]:
    """One row a sampling; rms as root mean square over photos, max as maximum."""
    measured: dict[str, list[dict[str, float]]] = defaultdict(list)
    for sampling, path in photos(folder, each):
        measured[sampling].append(differences(path))
    rows: list[dict[str, object]] = []
    for sampling, found in measured.items():
        row: dict[str, object] = {"sampling": sampling, "photos": len(found)}
        for key in found[0]:
            values = np.array([one[key] for one in found])
            row[key] = f"{np.nanmax(values):.2g}" if key.endswith("max") else f"{np.sqrt(np.nanmean(values**2)):.2f}"
        rows.append(row)
    return rows


def main() -> int:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photos, searched with its folders")
    parser.add_argument("--each", type=int, default=30, help="photos of each sampling (default: 30)")
    options = parser.parse_args()
    rows = summary(options.folder, options.each)
    print(table(rows), end="\n\n")
    print(f"written to {write('geometry', {'differences': rows})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
