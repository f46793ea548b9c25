"""Inference with exported models: from a file's bytes to class names, without the code that trained them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, overload

import torch
from torch import Tensor

from freqlearn import presets
from freqlearn.batch import BatchDecoder
from freqlearn.exported_about import Description
from freqlearn.exported_onnx import OnnxRunner
from freqlearn.exported_torch import SIGNATURE, TorchRunner
from freqlearn.indexing import integer
from freqlearn.sources import Source

Prediction = list[tuple[str, float]]
"""Class names and probabilities, likeliest first."""

_IMAGES_AT_ONCE = 32


class _Runner(Protocol):
    @property
    def description(self) -> Description: ...

    def __call__(self, images: Tensor) -> Tensor: ...


class Exported:
    """A model that `freqlearn export` wrote; `load_exported` makes it.

    Attributes:
        description: All that the file says of itself.
        spec: What the model is given.
        classes: Class names in the order of the logits.
        transform: From one picture (whatever `freqlearn.read_dct` takes) to its (C, h, w) float32 input: the
            evaluation transform that the model was validated with.
    """

    def __init__(self, runner: _Runner) -> None:
        self._run = runner
        self.description = runner.description
        self.spec = self.description.spec
        self.classes = self.description.classes
        self.transform = presets.classification_eval(self.spec)
        # The same numbers, several files at once.
        self._decode = BatchDecoder(self.transform) if self.spec.kind == "dct" else self._one_by_one

    @overload
    def predict(self, source: list[Source] | tuple[Source, ...], *, top: int = ...) -> list[Prediction]: ...
    @overload
    def predict(self, source: Source, *, top: int = ...) -> Prediction: ...
    def predict(self, source: Any, *, top: int = 5) -> Any:
        """Name the likeliest classes of a picture, or of several.

        Args:
            source: A path, a file's bytes, or whatever else `freqlearn.read_dct` takes; or a list of them.
            top: How many classes to name; all, if there are fewer.

        Returns:
            [(class name, probability), ...], likeliest first; for a list of pictures, a list of that.

        Raises:
            ValueError: If a picture cannot be read (an `ImageError`), or ``top`` is not positive.
            OSError: If a file cannot be read.
        """
        if integer(top, "top") < 1:
            raise ValueError(f"expected top of at least 1, got {top}")
        if not isinstance(source, list | tuple):
            return self._predict([source], top)[0]
        return [
            p for i in range(0, len(source), _IMAGES_AT_ONCE) for p in self._predict(source[i:][:_IMAGES_AT_ONCE], top)
        ]

    def inputs(self, sources: Sequence[Source]) -> Tensor:
        """Return the model's input for some pictures, (N, C, h, w) float32; errors as of `predict`."""
        if not sources:
            return torch.zeros(0, *self.description.input_shape)
        images: Tensor = self._decode(list(sources))
        return images

    def logits(self, images: Tensor) -> Tensor:
        """Run the model.

        Args:
            images: (N, C, h, w) float32, as `inputs` makes them.

        Returns:
            (N, classes) float32 on the CPU.

        Raises:
            ValueError: If the shape or dtype is another.
        """
        shape = self.description.input_shape
        if images.ndim != 4 or tuple(images.shape[1:]) != shape or images.dtype != torch.float32:
            raise ValueError(
                f"expected (N, {', '.join(map(str, shape))}) float32, got {tuple(images.shape)} "
                f"{str(images.dtype).removeprefix('torch.')}"
            )
        if len(images) == 0:
            return torch.zeros(0, len(self.classes))
        size = self.description.batch_size
        logits = self._run(images) if size is None else self._in_batches(images, size)
        if logits.shape != (len(images), len(self.classes)):
            raise ValueError(f"the file names {len(self.classes)} classes, but its graph gives {tuple(logits.shape)}")
        return logits

    def _in_batches(self, images: Tensor, size: int) -> Tensor:
        missing = -len(images) % size
        filled = torch.cat([images, images.new_zeros(missing, *images.shape[1:])])
        return torch.cat([self._run(filled[i : i + size]) for i in range(0, len(filled), size)])[: len(images)]

    def _predict(self, sources: Sequence[Source], top: int) -> list[Prediction]:
        probabilities = self.logits(self.inputs(sources)).softmax(dim=1)
        best = probabilities.topk(min(top, len(self.classes)), dim=1)
        rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [[(self.classes[i], p) for i, p in zip(indices, values, strict=True)] for indices, values in rows]

    def _one_by_one(self, sources: Sequence[Source]) -> Tensor:
        return torch.stack([self.transform(source) for source in sources])

    def __repr__(self) -> str:
        return f"Exported({self.description.network} on {self.spec}, {len(self.classes)} classes)"


def load_exported(path: str | os.PathLike[str], *, device: str = "cpu", trusted: bool = False) -> Exported:
    """Load a model that `freqlearn export` wrote: .onnx, run by onnxruntime, or .pt2, run by torch.

    Neither kind needs the packages that trained it. Files from strangers run no code here: ONNX is data, and a .pt2,
    which ``torch.export.load`` alone would let unpickle and call whatever it names, is first reduced to raw weights and
    a graph of known operators (`freqlearn.pt2_archive`), and refused if it holds anything else. That a model computes
    what its description says, nobody can check.

    Args:
        path: The file; its content says which kind it is.
        device: Where to compute: "cpu", "cuda", "cuda:1". For .onnx, onnxruntime must have been built for it.
        trusted: Give a .pt2 to ``torch.export.load`` as it is, for instance one of another version of torch whose
            layout the check does not know. Only for files of your own.

    Raises:
        ImportError: If onnxruntime is missing: pip install 'freqlearn[onnx]'.
        OSError: If the file cannot be read.
        ValueError: If it is damaged, no model that freqlearn exported, or refused; the message names the file.
    """
    return loads_exported(Path(path).read_bytes(), name=os.fspath(path), device=device, trusted=trusted)


def loads_exported(content: bytes, *, name: str = "<bytes>", device: str = "cpu", trusted: bool = False) -> Exported:
    """Load an exported model from its file's bytes; as `load_exported`, ``name`` stands in messages."""
    try:
        if content.startswith(SIGNATURE):
            return Exported(TorchRunner(content, device=device, trusted=trusted))
        return Exported(OnnxRunner(content, device=device))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
