"""What is compared, and what each comparison needs to have been trained before."""

from dataclasses import dataclass
from typing import Literal

SIZES_PX = {"main": 224, "small": 128}
"""Size of the picture that frequency channels are taken from; RGB gets half of it, so that the maps are as large."""

STD_FLOOR = 16.0
"""In dequantised units, for the variant with a floor: 158 of 192 channels of these photos deviate by less at 128 px."""

OCTAVE_ALPHAS = (0.25, 0.5)
"""Share of the low branch's channels in the networks of octave convolutions."""

Choice = Literal["rgb", "square", "all", "floor", "gate", "energy", "ablation", "random", "dynamic"]


@dataclass(frozen=True)
class Variant:
    """One row of the results.

    Attributes:
        group: "main" has 28x28 maps, "small" 16x16.
        choice: Which input: pixels, the published square, all channels (without and with a floor on the std), the top
            24 of three rankings, 24 at random, or a gate that chooses image by image.
        octave: Share of the low branch's channels; 0 for plain convolutions.
        octave_input: The low frequencies of the picture go straight into the low branch.
    """

    group: Literal["main", "small"]
    choice: Choice
    octave: float = 0.0
    octave_input: bool = False

    @property
    def name(self) -> str:
        """For tables and folders."""
        octave = f"-octave-{self.octave:g}" if self.octave else ""
        return f"{self.group}-{self.choice}{octave}{'-input' if self.octave_input else ''}"

    @property
    def label(self) -> str:
        """For people."""
        size = SIZES_PX[self.group]
        octave = f", octave {self.octave:g}" if self.octave else ""
        octave += ", low frequencies at half resolution" if self.octave_input else ""
        choice = {
            "rgb": f"RGB {size // 2} px",
            "square": f"DCT-24, the published square, {size} px",
            "all": f"DCT-192, {size} px",
            "floor": f"DCT-192, std at least {STD_FLOOR:g}, {size} px",
            "gate": f"top 24 by the gate, {size} px",
            "energy": f"top 24 by energy, {size} px",
            "ablation": f"top 24 by ablation, {size} px",
            "random": f"24 at random, {size} px",
            "dynamic": f"the gate itself, image by image, {size} px",
        }[self.choice]
        return choice + octave


VARIANTS = tuple(
    [Variant("main", choice) for choice in ("rgb", "square", "all")]
    + [
        Variant("small", choice)
        for choice in ("rgb", "square", "all", "floor", "dynamic", "gate", "random", "energy", "ablation")
    ]
    + [
        Variant("small", choice, octave=alpha, octave_input=octave_input)
        for alpha in OCTAVE_ALPHAS
        for choice, octave_input in (("rgb", False), ("square", False), ("square", True))
    ]
)
"""In an order in which each finds what it needs: the ablation's top 24 the model on all."""
