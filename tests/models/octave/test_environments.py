"""Pairs through torch's machinery: compilation, export, fx, mixed precision, memory formats."""

import io

import octave_reference as reference
import pytest
import torch
from torch import nn
from torch.export import Dim

from freqlearn.models.octave import OctAvgPool2d, OctBatchNorm2d, OctConv2d, OctMaxPool2d, OctReLU, OctSqueezeExcite


def network():
    """Tensor in, pairs within, Tensor out; every layer once, in evaluation."""
    torch.manual_seed(0)
    return nn.Sequential(
        OctConv2d(3, 8, 3, padding=1, alpha_in=0, alpha_out=0.5),
        OctBatchNorm2d(8, 0.5),
        OctReLU(inplace=True),
        OctMaxPool2d(),
        OctConv2d(8, 8, 3, padding=1, groups=8, alpha_in=0.5, alpha_out=0.5),
        OctConv2d(8, 16, 3, 2, 1, bias=False, alpha_in=0.5, alpha_out=0.25, separate=True),
        OctSqueezeExcite(16, 4, 0.25),
        OctAvgPool2d(),
        OctConv2d(16, 8, 1, alpha_in=0.25, alpha_out=0),
        nn.AdaptiveAvgPool2d(1),
    ).eval()


# Odd, and one of each: at 27 x 24 the maps are 27, 14, 7, 4 high and 24, 12, 6, 3 wide.
PICTURE = torch.randn(2, 3, 27, 24, generator=torch.Generator().manual_seed(0))
OTHERS = [torch.randn(3, 3, *size, generator=torch.Generator().manual_seed(1)) for size in ((32, 31), (17, 36))]
ANY_SIZE = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)


def test_torch_compile_sees_one_graph():
    net = network()
    compiled = torch.compile(net, backend="eager", fullgraph=True, dynamic=True)
    for picture in (PICTURE, *OTHERS):
        torch.testing.assert_close(compiled(picture), net(picture))


def test_torch_export_for_any_size():
    """One graph for odd and even maps."""
    net = network()
    exported = torch.export.export(net, (PICTURE,), dynamic_shapes=ANY_SIZE, strict=False).module()
    for picture in (PICTURE, *OTHERS):
        torch.testing.assert_close(exported(picture), net(picture))


@pytest.mark.slow
def test_onnx_for_any_size():
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    net = network()
    program = torch.onnx.export(net, (PICTURE,), dynamo=True, dynamic_shapes=ANY_SIZE, verbose=False)
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue())
    for picture in (PICTURE, *OTHERS):
        (actual,) = session.run(None, {session.get_inputs()[0].name: picture.numpy()})
        torch.testing.assert_close(torch.from_numpy(actual), net(picture), rtol=1e-4, atol=1e-5)


def test_torch_fx():
    """What torchvision's create_feature_extractor uses."""
    net = network()
    traced = torch.fx.symbolic_trace(net)
    for picture in (PICTURE, *OTHERS):
        assert torch.equal(traced(picture), net(picture))


@pytest.mark.parametrize("separate", [False, True], ids=["one weight", "four weights"])
@pytest.mark.parametrize("stride", [1, 2])
def test_channels_last(stride, separate):
    conv = OctConv2d(16, 16, 3, stride, 1, alpha_in=0.5, alpha_out=0.5, separate=separate)
    x = reference.pair(conv, 9, 10)
    expected = conv(x)
    conv = conv.to(memory_format=torch.channels_last)
    actual = conv(tuple(branch.to(memory_format=torch.channels_last) for branch in x))
    for y, other in zip(actual, expected, strict=True):
        assert y.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(y, other, rtol=1e-5, atol=1e-5)


def test_autocast_trains():
    net = network().train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pair = net[0](PICTURE)
        loss = net(PICTURE).float().square().mean()
    assert [branch.dtype for branch in pair] == [torch.bfloat16, torch.bfloat16]
    loss.backward()
    assert all(
        p.grad is not None and p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in net.parameters()
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_other_dtypes(dtype):
    net = network().to(dtype)
    assert net(PICTURE.to(dtype)).dtype == dtype


def test_the_meta_device_counts_shapes_only():
    net = network().to("meta")
    assert net(torch.empty(2, 3, 27, 24, device="meta")).shape == (2, 8, 1, 1)
