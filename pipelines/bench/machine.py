"""The machine and the libraries that a number was measured with."""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from freqlearn.cores import available_cores
from freqlearn.pipelines.bench import coefficients
from freqlearn.pipelines.bench.peers import UnavailableError

_PACKAGES = (
    "freqlearn",
    "pillow",
    "torch",
    "torchvision",
    "torchcodec",
    "simplejpeg",
    "opencv-python-headless",
    "nvidia-dali-cuda130",
    "jpeglib",
    "jpeg2dct",
    "numpy",
)


def machine() -> dict[str, Any]:
    """Processor, cores, system, versions of Python and of the libraries that are measured; JSON-able."""
    facts: dict[str, Any] = {"cpu": processor(), "cores": available_cores()}
    facts |= {"system": platform.system(), "python": platform.python_version()}
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    with suppress(UnavailableError):
        versions["libjpeg"] = coefficients.libjpeg_version()
    return facts | {"versions": versions}


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
