"""2-D convolution as a product of spectra."""

from typing import Literal

import torch
import torch.nn.functional as F

Pair = int | tuple[int, int]


def fft_conv2d(
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | Literal["same", "valid"] = 0,
    dilation: Pair = 1,
    groups: int = 1,
    *,
    spectrum: torch.Tensor | None = None,
) -> torch.Tensor:
    """`torch.nn.functional.conv2d` by FFT: same arguments, same result but for rounding, differentiable.

    Costs nearly the same for every kernel size, so it pays for large kernels; docs/spectrum.md has the kernel size from
    which on it does. All places are computed, also those that a stride leaves out.

    Args:
        input: (N, C, H, W) or (C, H, W), float32 or float64.
        weight: (O, C / groups, k, l), same dtype.
        bias: (O,), same dtype.
        stride: Steps between places, of both axes or (vertical, horizontal).
        padding: Zeros around the input, of both axes or each; "same" (for stride 1) or "valid".
        dilation: Steps between taps.
        groups: Groups of channels that see only each other.
        spectrum: What `kernel_spectrum` gave for this weight, dilation and padded size of the input, so that the kernel
            is not transformed again.

    Returns:
        (N, O, h, w) or (O, h, w).

    Raises:
        TypeError: If a dtype is another, or they differ.
        ValueError: If shapes do not agree, or an option is out of range.
    """
    _check_types(input, weight, bias)
    steps, spread = _pair(stride, "stride", 1), _pair(dilation, "dilation", 1)
    _check_shapes(input, weight, bias, groups)
    kernel = [1 + (size - 1) * step for size, step in zip(weight.shape[-2:], spread, strict=True)]
    padded = F.pad(input, _padding(padding, steps, kernel))
    height, width = padded.shape[-2:]
    if height < kernel[0] or width < kernel[1]:
        raise ValueError(
            f"expected an input of at least the kernel's {kernel[0]}x{kernel[1]} (dilated) px, got {height}x{width} "
            "with its padding"
        )
    size = (_fast_length(height), _fast_length(width))
    taps = kernel_spectrum(weight, (height, width), dilation=spread) if spectrum is None else spectrum
    if taps.shape != (*weight.shape[:2], size[0], size[1] // 2 + 1):
        raise ValueError(
            f"expected the kernel_spectrum of this weight for an input of {height}x{width} px (padded), got shape "
            f"{tuple(taps.shape)}"
        )
    batch = padded if input.ndim == 4 else padded[None]
    product = _product(torch.fft.rfft2(batch, s=size), taps, groups)
    # A correlation of the padded input's own length wraps around only at places where the kernel would stick out.
    everywhere: torch.Tensor = torch.fft.irfft2(product, s=size)
    output = everywhere[..., : height - kernel[0] + 1 : steps[0], : width - kernel[1] + 1 : steps[1]]
    output = output.contiguous() if bias is None else output + bias[:, None, None]
    return output if input.ndim == 4 else output[0]


def kernel_spectrum(weight: torch.Tensor, size_px: tuple[int, int], *, dilation: Pair = 1) -> torch.Tensor:
    """A kernel as `fft_conv2d` multiplies it, for inputs of one size.

    Args:
        weight: (O, C, k, l) float32 or float64.
        size_px: (height, width) of the input with its padding.
        dilation: Steps between taps.

    Returns:
        (O, C, h, w // 2 + 1) complex, h and w the next lengths that an FFT is fast for. Of more than one channel
        the frequencies are outermost in memory, as the products at each of them need it.
    """
    down, across = _pair(dilation, "dilation", 1)
    height, width = map(_fast_length, size_px)
    rows = _waves(height, weight.shape[2], down, weight)  # (h, k)
    columns = _waves(width, weight.shape[3], across, weight)[: width // 2 + 1]  # (w // 2 + 1, l)
    outputs, inputs, k, l = weight.shape  # noqa: E741
    taps = weight.to(rows.dtype)
    spectrum: torch.Tensor
    if inputs == 1:
        spectrum = rows @ taps @ columns.mT
        return spectrum
    # A kernel is small: products with its few taps, in the wanted order, take less time than FFTs of it with zeros
    # around and putting what they give in order (64 to 64 channels of 56 x 56, kernel 7: a sixth).
    half = (rows @ taps.permute(2, 3, 0, 1).reshape(k, l * outputs * inputs)).reshape(height, l, outputs * inputs)
    spectrum = (columns @ half).reshape(height, -1, outputs, inputs)
    return spectrum.permute(2, 3, 0, 1)


def _waves(length: int, taps: int, step: int, like: torch.Tensor) -> torch.Tensor:
    """(length, taps) complex: exp(+2 pi i f n step / length); + since networks' convolution is a correlation."""
    frequency = torch.arange(length, device=like.device)
    # Whole turns are left out in integers: angles stay small and exact.
    turns = frequency[:, None] * (torch.arange(taps, device=like.device) * step) % length
    angle = turns.to(like.dtype) * (2 * torch.pi / length)
    return torch.polar(torch.ones_like(angle), angle)


def _product(maps: torch.Tensor, taps: torch.Tensor, groups: int) -> torch.Tensor:
    """(N, O, h, w) of (N, C, h, w) and (O, C/groups, h, w): at every frequency, a matrix product over the channels."""
    n, _, height, width = maps.shape
    outputs, inputs = taps.shape[:2]
    if inputs == 1 and outputs == groups:  # depthwise: one product a place
        return maps * taps[:, 0]
    # (frequency, group, N, C/groups) @ (frequency, group, C/groups, O/groups)
    left = maps.reshape(n, groups, inputs, height * width).permute(3, 1, 0, 2)
    right = taps.reshape(groups, outputs // groups, inputs, height * width).permute(3, 0, 2, 1)
    return (left @ right).permute(2, 1, 3, 0).reshape(n, outputs, height, width)


def _fast_length(length: int) -> int:
    """The next length without prime factors above 5."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def _padding(padding: Pair | str, steps: tuple[int, int], kernel: list[int]) -> tuple[int, int, int, int]:
    """As F.pad takes it: left, right, top, bottom."""
    if padding == "same":
        if steps != (1, 1):
            raise ValueError(f"padding 'same' is for stride 1, got stride {steps}")
        (top, bottom), (left, right) = (((size - 1) // 2, size // 2) for size in kernel)
        return left, right, top, bottom
    if padding == "valid":
        return 0, 0, 0, 0
    if isinstance(padding, str):
        raise ValueError(f"expected padding as numbers, 'same' or 'valid', got {padding!r}")
    down, across = _pair(padding, "padding", 0)
    return across, across, down, down


def _pair(value: Pair, name: str, least: int) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(number, int) and number >= least for number in pair):
        raise ValueError(f"expected {name} as one or two integers of at least {least}, got {value!r}")
    return pair[0], pair[1]


def _check_types(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    dtypes = {tensor.dtype for tensor in (input, weight, bias) if tensor is not None}
    if len(dtypes) > 1 or not dtypes <= {torch.float32, torch.float64}:
        found = ", ".join(sorted(map(str, dtypes)))
        raise TypeError(f"expected input, weight and bias all of float32 or all of float64, got {found}: convert them")


def _check_shapes(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, groups: int) -> None:
    if input.ndim not in (3, 4) or weight.ndim != 4 or not all(weight.shape):
        raise ValueError(
            f"expected input (N, C, H, W) or (C, H, W) and weight (O, C/groups, k, l), got {tuple(input.shape)} and "
            f"{tuple(weight.shape)}"
        )
    if groups < 1 or weight.shape[0] % groups or input.shape[-3] != weight.shape[1] * groups:
        raise ValueError(
            f"expected an input of {weight.shape[1]} x groups channels and outputs divisible by groups, got "
            f"{input.shape[-3]} channels, {weight.shape[0]} outputs and groups={groups}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"expected a bias of shape ({weight.shape[0]},), got {tuple(bias.shape)}")
