"""A transform's two halves: the steps that only plan, and the ToFrequencyTensor that carries the plan out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn
from torchvision import transforms as v1
from torchvision.transforms import v2

from freqlearn.image import DCTImage
from freqlearn.transforms.frequency import ToFrequencyTensor


class Pipeline:
    """A transform, taken apart.

    Attributes:
        steps: What is done to an image before ToFrequencyTensor; all it changes is the image's plan.
        last: The ToFrequencyTensor.
    """

    def __init__(self, transform: Callable[..., Any]) -> None:
        """Take `transform` apart.

        Raises:
            TypeError: If it does not end with ToFrequencyTensor.
        """
        steps = list(_flat(transform))
        # A subclass may do something else, which would not be done here.
        if not steps or type(steps[-1]) is not ToFrequencyTensor:
            raise TypeError(_no_end(steps))
        self.steps = steps[:-1]
        self.last: ToFrequencyTensor = steps[-1]

    def plan(self, source: Any) -> DCTImage:
        """The image with everything planned that ToFrequencyTensor is to carry out."""
        for step in self.steps:
            source = step(source)
        if not isinstance(source, DCTImage):
            raise TypeError(
                f"expected the transform to give ToFrequencyTensor a DCTImage, got {type(source).__name__}: "
                "freqlearn.transforms.ReadDCT() reads one from a path or bytes"
            )
        return source


def _flat(transform: Any) -> Iterator[Any]:
    """What a composition applies in turn."""
    if isinstance(transform, nn.Sequential):
        inner: Sequence[Any] = list(transform)
    elif isinstance(transform, v2.Compose | v1.Compose):
        inner = transform.transforms
    else:
        yield transform
        return
    for step in inner:
        yield from _flat(step)


def _no_end(steps: Sequence[Any]) -> str:
    names = [type(step).__name__ for step in steps]
    if "ToFrequencyTensor" in names:
        after = ", ".join(names[names.index("ToFrequencyTensor") + 1 :])
        return (
            f"expected ToFrequencyTensor as the transform's last step, got {after} after it: BatchDecoder decodes "
            "straight into the batch's tensor; apply what comes after to the batch that it returns"
        )
    end = names[-1] if names else "nothing"
    return (
        "expected a transform that ends with ToFrequencyTensor(spec), such as "
        f"freqlearn.presets.classification_train(spec) of a 'dct' spec, got one that ends with {end}"
    )
