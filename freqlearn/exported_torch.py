"""Exported models as torch.export writes them (.pt2), run by torch alone."""

import io
import logging

import torch
from torch import Tensor

from freqlearn import pt2_archive
from freqlearn.exported_about import KEY, Description
from freqlearn.pt2_archive import ArchiveError

SIGNATURE = b"PK\x03\x04"
"""How every zip archive begins."""

EXTRA_FILE = f"{KEY}.json"


class TorchRunner:
    """The graph of a .pt2 file.

    Args:
        content: The file's bytes.
        device: Where to compute.
        trusted: Leave out the check that the file runs no code.

    Raises:
        ValueError: If it is no model that freqlearn exported, is damaged, or holds what may run code.
    """

    def __init__(self, content: bytes, *, device: str, trusted: bool) -> None:
        described = pt2_archive.extra_file(content, EXTRA_FILE)
        if described is None:
            raise ValueError(f"an archive, but not of a model that freqlearn exported: it lacks {EXTRA_FILE}")
        self.description = Description.from_json(described)
        try:
            safe = content if trusted else pt2_archive.cleaned(content)
        except ArchiveError as error:
            raise ValueError(f"{error}; trusted=True loads a file of your own all the same") from error
        program = _load(safe)
        if device != "cpu":
            from torch.export.passes import move_to_device_pass

            program = move_to_device_pass(program, device)
        self.module = program.module()
        self._device = device

    def __call__(self, images: Tensor) -> Tensor:
        """(N, C, h, w) float32 -> (N, classes) float32 on the CPU."""
        with torch.inference_mode():
            logits: Tensor = self.module(images.to(self._device))
            return logits.float().cpu()


def _load(content: bytes) -> torch.export.ExportedProgram:
    # torch logs the traceback of an error, and then raises one that points to the log.
    log = logging.getLogger("torch.export")
    heard: list[logging.LogRecord] = []
    keep = _Kept(heard)
    log.addFilter(keep)
    try:
        return torch.export.load(io.BytesIO(content))
    except Exception as error:  # whatever the parts of torch say of a file that does not fit together
        cause = next((record.exc_info[1] for record in heard if record.exc_info), None) or error
        reason = " ".join(str(cause).split())[:300]
        raise ValueError(f"torch {torch.__version__} cannot load it: {reason or type(cause).__name__}") from error
    finally:
        log.removeFilter(keep)


class _Kept(logging.Filter):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self.records = records

    def filter(self, record: logging.LogRecord) -> bool:
        self.records.append(record)
        return False
