"""A module as the bytes of an .onnx or a .pt2 file."""

import importlib.util
import io
import warnings
from typing import Any

import torch
from torch import nn

from freqlearn import pt2_archive
from freqlearn.exported_about import KEY, Description
from freqlearn.exported_torch import EXTRA_FILE


def to_onnx(network: nn.Module, description: Description) -> bytes:
    """Export to ONNX, checked by onnx.checker, with the description in its metadata.

    Args:
        network: (N, C, h, w) float32 -> (N, classes), in evaluation mode.
        description: What the file says of itself.

    Raises:
        ImportError: If the extra `export` is not installed.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"{package} is missing, which exporting to ONNX needs: pip install 'freqlearn[export]'")
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's own insides
        program: Any = torch.onnx.export(
            network,
            (_example(description),),
            dynamo=True,
            input_names=["input"],
            output_names=["logits"],
            dynamic_shapes=_dynamic_shapes(description),
            verbose=False,
        )
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # the source code that it came from, with its paths
    onnx.helper.set_model_props(model, {KEY: description.to_json()})
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def to_torch(network: nn.Module, description: Description) -> bytes:
    """Export to an archive of torch.export, with the description as an extra file.

    Args:
        network: (N, C, h, w) float32 -> (N, classes), in evaluation mode.
        description: What the file says of itself.

    Returns:
        The archive as `freqlearn.pt2_archive.cleaned` leaves it, so that loading it needs no trust.
    """
    program = torch.export.export(
        network, (_example(description),), dynamic_shapes=_dynamic_shapes(description), strict=False
    )
    archive = io.BytesIO()
    torch.export.save(program, archive, extra_files={EXTRA_FILE: description.to_json()})
    return pt2_archive.cleaned(archive.getvalue())


def _example(description: Description) -> torch.Tensor:
    # Two images: one of a size of 1 would be taken for a constant.
    return torch.zeros(description.batch_size or 2, *description.input_shape)


def _dynamic_shapes(description: Description) -> Any:
    return None if description.batch_size else ({0: torch.export.Dim("batch", min=1)},)
