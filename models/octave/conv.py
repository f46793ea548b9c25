"""Octave convolution: a convolution between feature maps in a high- and a low-frequency group."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from freqlearn.models.octave.pair import Features, branches, cut, double, halve, joined, low_channels
from freqlearn.models.octave.paths import PathLayout, PathWeights

# torch.fx (torchvision's create_feature_extractor) cannot trace an `if` on a shape: the checks are leaves to it.
torch.fx.wrap("branches")


class OctConv2d(nn.Module):
    """Convolution whose input and output are pairs (high, low), low at half the resolution.

    "Drop an Octave" (Chen et al., ICCV 2019, arXiv 1904.05049) and its authors' code. With * a convolution of stride 1,
    up repeating pixels 2x2 and pool averaging them, stride 1 computes

        Y_H = X_H * W_HH + up(X_L * W_LH)            Y_L = X_L * W_LL + pool(X_H) * W_HL

    and stride 2, where strided convolutions would shift the two grids against each other,

        Y_H = pool(X_H) * W_HH + X_L * W_LH          Y_L = pool(X_L) * W_LL + pool(pool(X_H)) * W_HL

    Maps of odd size: pool averages the pixels that a last row or column has, so that low is ceil(h/2) x ceil(w/2), and
    what up repeats beyond the high map is cut off.

    An alpha of 0 on one side means a Tensor there, all of it high: the first octave convolution has ``alpha_in=0``, the
    last ``alpha_out=0``. An alpha of 1 means a Tensor too, all of it low: a map of half the resolution. Both 0 is
    nn.Conv2d bit for bit, of any stride and padding.

    Depthwise (``groups == in_channels``) there are no paths across, as the authors do it. Grouped, each path has the
    same number of groups.

    ``weight`` and ``bias`` have nn.Conv2d's shapes and initial values (high channels first), so that the state of an
    nn.Conv2d loads at any alpha. ``separate=True`` keeps a tensor for each path instead, ``weight_hh`` (high to high),
    ``weight_lh`` (low to high), ``weight_hl`` and ``weight_ll``; either layout loads the other's state.

    Args:
        in_channels: Input channels of both branches together.
        out_channels: Output channels of both branches together.
        kernel_size: Side of the kernel in pixels, or (height, width).
        stride: 1 or 2 in both directions, unless both alphas are 0.
        padding: Pixels on each side, or "same" or "valid". Where a pair comes in or goes out it must keep the size.
        dilation: Distance of the kernel's taps in pixels.
        groups: Number of groups; it must divide the channels of each branch.
        bias: Whether to add a learned number to every output channel, once.
        alpha_in: Fraction of the input channels that is low; ``low_in`` is their number, rounded down.
        alpha_out: Fraction of the output channels that is low; ``low_out`` is their number, rounded down.
        separate: Keep a tensor for each path.
        device: As of nn.Conv2d.
        dtype: As of nn.Conv2d.

    Raises:
        ValueError: If an alpha is outside 0..1 or leaves a branch without channels, ``groups`` does not divide a
            branch, stride or padding is one that two resolutions cannot have, or nn.Conv2d refuses the rest.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        alpha_in: float,
        alpha_out: float,
        separate: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.low_in = low_channels(in_channels, alpha_in, "alpha_in")
        self.low_out = low_channels(out_channels, alpha_out, "alpha_out")
        # Checks the arguments and draws the initial values, so that both are nn.Conv2d's.
        plain = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, device=device, dtype=dtype
        )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = cast(tuple[int, int], plain.kernel_size)
        self.stride = cast(tuple[int, int], plain.stride)
        self.padding = cast(str | tuple[int, int], plain.padding)
        self.dilation = cast(tuple[int, int], plain.dilation)
        self.groups = groups
        self.alpha_in = alpha_in
        self.alpha_out = alpha_out
        self.separate = separate
        self.layout = PathLayout(in_channels, out_channels, self.low_in, self.low_out, groups)
        self.vanilla = self.low_in == self.low_out == 0
        if not self.vanilla:
            self._check_stride()
            self._check_padding()
            self._check_groups()
        if separate:
            for name, weight in self.layout.cut(plain.weight.detach())._asdict().items():
                self.register_parameter(f"weight_{name}", None if weight is None else nn.Parameter(weight.clone()))
        else:
            self.weight = plain.weight
        self.bias = plain.bias

    def forward(self, x: Features) -> Features:
        """Convolve a pair, or a Tensor where ``alpha_in`` is 0 or 1; the output is a pair or Tensor by ``alpha_out``.

        Args:
            x: (N, high_in, h, w) and (N, low_in, ceil(h/2), ceil(w/2)).

        Returns:
            (N, high_out, h', w') and (N, low_out, ceil(h'/2), ceil(w'/2)); with stride 2, h' is ceil(h/2).

        Raises:
            TypeError: If a Tensor came in place of a pair, or a pair in place of a Tensor.
            ValueError: If the shapes are others.
        """
        high, low = branches(x, self.in_channels, self.low_in)
        weights, (bias_high, bias_low) = self.path_weights(), self.branch_biases()
        if self.vanilla and high is not None and weights.hh is not None:
            return functional.conv2d(high, weights.hh, self.bias, self.stride, self.padding, self.dilation, self.groups)
        pooled = self.stride == (2, 2)
        # The first path to a branch brings its bias.
        y_high: list[Tensor] = []
        y_low: list[Tensor] = []
        # A branch that torch.fx traces is never None: what exists is asked of the numbers and weights too.
        if high is not None and self.low_in < self.in_channels:
            at_output = halve(high) if pooled else high
            if weights.hh is not None:
                y_high.append(self._convolve(at_output, weights.hh, bias_high))
            if weights.hl is not None:
                y_low.append(self._convolve(halve(at_output), weights.hl, bias_low))
        if low is not None and weights.lh is not None:
            y = self._convolve(low, weights.lh, None if y_high else bias_high)
            size = None if high is None or not y_high else (high.shape[-2], high.shape[-1])
            y_high.append(y if pooled else double(y, size))
        if low is not None and weights.ll is not None:
            y_low.append(self._convolve(halve(low) if pooled else low, weights.ll, None if y_low else bias_low))
        return joined(_sum(y_high), _sum(y_low))

    def path_weights(self) -> PathWeights:
        """Return the kernel of each path: views of ``weight``, or the parameters themselves if they are separate."""
        if self.separate:
            return PathWeights(*(getattr(self, f"weight_{name}") for name in PathWeights._fields))
        return self.layout.cut(self.weight)

    def branch_biases(self) -> tuple[Tensor | None, Tensor | None]:
        """Return the high and the low output channels' biases, views of ``bias``; None where there are none."""
        if self.bias is None:
            return None, None
        return cut(self.bias, self.out_channels, self.low_out, dim=0)

    @classmethod
    def from_conv(cls, conv: nn.Conv2d, *, alpha_in: float, alpha_out: float, separate: bool = False) -> "OctConv2d":
        """Return an octave convolution with the weights (copied), stride, padding and groups of a plain one.

        Args:
            conv: The plain convolution.
            alpha_in: Fraction of its input channels, the last ones, that becomes low.
            alpha_out: Fraction of its output channels, the last ones, that becomes low.
            separate: Keep a tensor for each path.

        Raises:
            ValueError: If ``conv`` pads with something other than zeros, or as `OctConv2d`.
        """
        if conv.padding_mode != "zeros":
            raise ValueError(f"expected a convolution padded with zeros, got padding_mode={conv.padding_mode!r}")
        octave = cls(
            **geometry(conv),
            bias=conv.bias is not None,
            alpha_in=alpha_in,
            alpha_out=alpha_out,
            separate=separate,
            device=conv.weight.device,
            dtype=conv.weight.dtype,
        )
        octave.load_state_dict(conv.state_dict())
        return octave.train(conv.training)

    def extra_repr(self) -> str:
        """As nn.Conv2d's, and the alphas."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0, 0):
            parts.append(f"padding={self.padding}")
        if self.dilation != (1, 1):
            parts.append(f"dilation={self.dilation}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        parts.append(f"alpha_in={self.alpha_in}, alpha_out={self.alpha_out}")
        if self.separate:
            parts.append("separate=True")
        return ", ".join(parts)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        groups = x.shape[1] if self.layout.depthwise else self.groups
        return functional.conv2d(x, weight, bias, 1, self.padding, self.dilation, groups)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Convert one weight to four or four to one, then load as any module."""
        one = f"{prefix}weight"
        names = [f"{prefix}weight_{name}" for name in PathWeights._fields]
        if self.separate and one in state_dict and state_dict[one].shape == self._weight_shape():
            for name, path in zip(names, self.layout.cut(state_dict.pop(one)), strict=True):
                if path is not None:
                    state_dict[name] = path.clone()
        elif not self.separate and one not in state_dict:
            expected = self.layout.cut(self.weight.detach())
            paths = PathWeights(*(state_dict.get(name) for name in names))
            if [getattr(path, "shape", None) for path in paths] == [getattr(path, "shape", None) for path in expected]:
                for name in names:
                    state_dict.pop(name, None)
                state_dict[one] = self.layout.join(paths)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _weight_shape(self) -> tuple[int, ...]:
        return self.out_channels, self.in_channels // self.groups, *self.kernel_size

    def _check_stride(self) -> None:
        if self.stride not in ((1, 1), (2, 2)):
            raise ValueError(f"expected stride 1 or 2 in both directions with an alpha above 0, got {self.stride}")

    def _check_padding(self) -> None:
        pair = 0 < self.low_in < self.in_channels or 0 < self.low_out < self.out_channels
        padding = (0, 0) if self.padding == "valid" else self.padding
        reach = tuple(d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True))
        if pair and padding != "same" and reach != tuple(2 * int(p) for p in padding):
            raise ValueError(
                f"expected padding that keeps the size, for the branches differ in resolution, got {self.padding} "
                f"for kernel {self.kernel_size} of dilation {self.dilation}; "
                + ("take padding='same'" if any(r % 2 for r in reach) else f"take {tuple(r // 2 for r in reach)}")
            )

    def _check_groups(self) -> None:
        if self.layout.depthwise:
            if self.low_out * self.in_channels != self.low_in * self.out_channels:
                raise ValueError(
                    f"expected alpha_in and alpha_out to be equal in a depthwise convolution, which has no paths "
                    f"across, got {self.alpha_in} and {self.alpha_out}"
                )
            return
        for name, alpha, low, channels in (
            ("alpha_in", self.alpha_in, self.low_in, self.in_channels),
            ("alpha_out", self.alpha_out, self.low_out, self.out_channels),
        ):
            if low % self.groups:
                raise ValueError(
                    f"expected groups to divide each branch's channels, got groups={self.groups} for {channels - low} "
                    f"high and {low} low channels ({name}={alpha} of {channels}); "
                    f"take a multiple of {self.groups / channels:.3g} as {name}"
                )


def geometry(conv: nn.Conv2d | OctConv2d) -> dict[str, Any]:
    """Return a convolution's channels, kernel size, stride, padding, dilation and groups as arguments for another."""
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
    return {name: getattr(conv, name) for name in names}


def _sum(terms: list[Tensor]) -> Tensor | None:
    if len(terms) == 2:
        return terms[0] + terms[1]
    return terms[0] if terms else None
