import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from freqlearn.spectrum import fft_conv2d, kernel_spectrum

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 3, 9, 11), (4, 3, 3, 3), {}),
    "unbatched": ((3, 9, 11), (4, 3, 3, 3), {}),
    "pointwise": ((2, 3, 9, 11), (4, 3, 1, 1), {}),
    "even-kernel": ((2, 3, 9, 11), (4, 3, 2, 4), {"padding": 1}),
    "whole-input": ((2, 3, 9, 11), (4, 3, 9, 11), {}),
    "stride": ((2, 3, 9, 11), (4, 3, 3, 3), {"stride": 2}),
    "strides": ((2, 3, 10, 11), (4, 3, 3, 5), {"stride": (3, 2), "padding": (1, 2)}),
    "same": ((2, 3, 9, 11), (4, 3, 5, 5), {"padding": "same"}),
    "same-even-dilated": ((2, 3, 9, 11), (4, 3, 4, 2), {"padding": "same", "dilation": (1, 3)}),
    "valid": ((2, 3, 9, 11), (4, 3, 5, 5), {"padding": "valid", "stride": 2}),
    "dilation": ((2, 3, 12, 13), (4, 3, 3, 3), {"dilation": (2, 3), "padding": 2}),
    "groups": ((2, 6, 9, 11), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 6, 9, 11), (6, 1, 7, 7), {"groups": 6, "padding": 3}),
    "depth-multiplier": ((2, 3, 9, 11), (6, 1, 3, 3), {"groups": 3}),
    "everything": ((2, 6, 14, 17), (8, 3, 3, 2), {"groups": 2, "stride": 2, "padding": (3, 1), "dilation": (2, 3)}),
    "padding-beyond-kernel": ((1, 1, 4, 4), (1, 1, 2, 2), {"padding": 5}),
    "no-images": ((0, 3, 9, 11), (4, 3, 3, 3), {}),
}


def tensors(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]


@pytest.mark.parametrize("with_bias", [False, True], ids=["no-bias", "bias"])
@pytest.mark.parametrize(("input_shape", "weight_shape", "options"), CASES.values(), ids=CASES)
def test_is_conv2d(
    input_shape: tuple[int, ...], weight_shape: tuple[int, ...], options: dict[str, Any], with_bias: bool
) -> None:
    x, weight, bias = tensors(input_shape, weight_shape, weight_shape[:1])
    b = bias if with_bias else None
    expected = F.conv2d(x, weight, b, **options)
    found = fft_conv2d(x, weight, b, **options)
    # Rounding of float64: sums of at most 300 products of numbers around 1.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    # float32 has 29 bits less.
    single = fft_conv2d(x.float(), weight.float(), None if b is None else b.float(), **options)
    torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-4)


def test_gradients_are_conv2d_s() -> None:
    options: dict[str, Any] = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    results = []
    for convolve in (F.conv2d, fft_conv2d):
        arguments = [tensor.requires_grad_() for tensor in tensors((2, 4, 9, 8), (6, 2, 3, 3), (6,))]
        convolve(*arguments, **options).square().sum().backward()
        results.append([tensor.grad for tensor in arguments])
    torch.testing.assert_close(results[1], results[0], rtol=1e-10, atol=1e-10)


def test_a_kernel_can_be_transformed_once() -> None:
    x, weight = tensors((2, 3, 14, 14), (4, 3, 5, 5))
    spectrum = kernel_spectrum(weight, (18, 22), dilation=2)
    found = fft_conv2d(x, weight, padding=(2, 4), dilation=2, spectrum=spectrum)
    torch.testing.assert_close(found, F.conv2d(x, weight, padding=(2, 4), dilation=2), rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match=r"kernel_spectrum of this weight for an input of 14x14 px \(padded\), got"):
        fft_conv2d(x, weight, dilation=2, spectrum=spectrum)


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (((2, 3, 4, 4), (4, 3, 5, 5)), {}, "at least the kernel's 5x5 (dilated) px, got 4x4 with its padding"),
        (((2, 3, 8, 8), (4, 2, 3, 3)), {}, "an input of 2 x groups channels and outputs divisible by groups, got 3"),
        (((2, 4, 8, 8), (3, 2, 3, 3)), {"groups": 2}, "got 4 channels, 3 outputs and groups=2"),
        (((2, 3, 8), (4, 3, 3)), {}, "weight (O, C/groups, k, l), got (2, 3, 8) and (4, 3, 3)"),
        (((2, 3, 8, 8), (4, 3, 3, 3), (3,)), {}, "a bias of shape (4,), got (3,)"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"stride": 0}, "stride as one or two integers of at least 1, got 0"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"padding": (1, -1)}, "padding as one or two integers of at least 0"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"padding": "same", "stride": 2}, "padding 'same' is for stride 1"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"padding": "full"}, "padding as numbers, 'same' or 'valid', got 'full'"),
    ],
    ids=["small", "channels", "groups", "axes", "bias", "stride", "padding", "same", "full"],
)
def test_says_what_cannot_be(shapes: tuple[tuple[int, ...], ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        fft_conv2d(*tensors(*shapes), **options)


def test_says_which_dtypes_it_has() -> None:
    x, weight = tensors((1, 1, 4, 4), (1, 1, 3, 3))
    with pytest.raises(TypeError, match=r"all of float32 or all of float64, got torch.float32, torch.float64: convert"):
        fft_conv2d(x.float(), weight)
    with pytest.raises(TypeError, match=r"got torch.bfloat16"):
        fft_conv2d(x.bfloat16(), weight.bfloat16())
