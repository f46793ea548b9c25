"""Exported models as ONNX (.onnx), run by onnxruntime."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from freqlearn.exported_about import KEY, Description


class OnnxRunner:
    """The graph of an .onnx file.

    Args:
        content: The file's bytes.
        device: "cpu" or "cuda", optionally with an index.

    Raises:
        ImportError: If onnxruntime is not installed.
        ValueError: If it is no model that freqlearn exported, is damaged, or onnxruntime has no such device.
    """

    def __init__(self, content: bytes, *, device: str) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError(
                "onnxruntime is missing, which runs .onnx files: pip install 'freqlearn[onnx]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # not errors: they are raised
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            self._session: Any = onnxruntime.InferenceSession(content, options, providers=providers)
        except Exception as error:  # onnxruntime's errors have no other base
            raise ValueError(f"no ONNX model that onnxruntime can load: {' '.join(str(error).split())}") from error
        described = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if described is None:
            raise ValueError(f"an ONNX model, but not one that freqlearn exported: its metadata lack {KEY!r}")
        self.description = Description.from_json(described)
        self._check_face()

    def _check_face(self) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else None
        if shape != self.description.input_shape or len(outputs) != 1:
            raise ValueError(
                f"its description promises one input (N, {', '.join(map(str, self.description.input_shape))}), "
                f"but its graph has {[i.shape for i in inputs]}"
            )
        self._input = inputs[0].name

    def __call__(self, images: Tensor) -> Tensor:
        """(N, C, h, w) float32 -> (N, classes) float32."""
        (logits,) = self._session.run(None, {self._input: np.ascontiguousarray(images.cpu().numpy())})
        return torch.from_numpy(logits)


def _providers(device: str, available: list[str]) -> list[Any]:
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return ["CPUExecutionProvider"]
    if kind != "cuda" or "CUDAExecutionProvider" not in available:
        raise ValueError(f"this onnxruntime cannot compute on {device!r}; it has {', '.join(available)}")
    return [("CUDAExecutionProvider", {"device_id": index or "0"}), "CPUExecutionProvider"]
