"""Binary switches that a gradient passes through: the two-way hard Gumbel-softmax."""

import torch
from torch import Tensor


def sampled_switches(logits: Tensor, temperature: Tensor) -> Tensor:
    """Draw switches whose values are exactly 0 or 1 and whose gradient is that of the relaxed sample.

    "Categorical Reparameterization with Gumbel-Softmax" (Jang et al., ICLR 2017, arXiv 1611.01144), straight-through.
    torch.nn.functional.gumbel_softmax(hard=True) computes the same, but adds the two samples so that a switch is on
    with 1 - 6e-8 now and then, and takes the temperature as a number, on which torch.compile would recompile.

    Args:
        logits: (..., 2) float, off and on.
        temperature: () positive float; the smaller, the closer the relaxed sample is to the hard one.

    Returns:
        (...) float, 0 or 1, differentiable.
    """
    gumbel = -torch.empty_like(logits).exponential_().log()
    relaxed = ((logits + gumbel) / temperature).softmax(dim=-1)[..., 1]
    hard = (relaxed > 0.5).to(relaxed.dtype)
    return hard + (relaxed - relaxed.detach())


def likelier_switches(logits: Tensor) -> Tensor:
    """Switch on where on is likelier than off.

    Args:
        logits: (..., 2) float, off and on.

    Returns:
        (...) float, 0 or 1, without a gradient.
    """
    return (logits[..., 1] > logits[..., 0]).to(logits.dtype)
