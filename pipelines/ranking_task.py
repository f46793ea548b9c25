"""What a ranking of channels is made of, whatever is trained for it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from freqlearn.pipelines.checkpoint_files import has_state
from freqlearn.pipelines.loaders import ImageLoader
from freqlearn.pipelines.rank_options import Method
from freqlearn.pipelines.shared_options import ABOUT_THE_RUN, SharedOptions
from freqlearn.spec import InputSpec
from freqlearn.statistics import ChannelStatistics

SPEC, MODEL = "spec.json", "model"
"""In a ranking's folder: the 192 channels' mean and standard deviation, and the training of what was ranked with."""

Options = TypeVar("Options", bound=SharedOptions)

Measured = tuple[NDArray[np.float64], dict[str, Any]]
"""(192,) importances, and facts for `Importance.measured_on`."""


class Trained(Protocol):
    """What came of a training."""

    @property
    def checkpoint(self) -> Path:
        """The checkpoint to use."""
        ...

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        ...


class RankingTask(ABC, Generic[Options]):
    """What channels are ranked with, and on what: all that rankings with different networks differ in.

    Attributes:
        free_on_resume: Options that may differ between a ranking and its continuation.
        scores: What a validation logs -> what `Importance.measured_on` calls it.
        options: The ranking's.
        method: How to rank.
        top: How many channels to select.
        folder: Folder to write to.
        spec: The spec of all 192 channels that was given, as text; None to measure one.
        std_floor: Standardise no channel by less; None for no such limit.
    """

    free_on_resume: ClassVar[frozenset[str]] = ABOUT_THE_RUN | {"epochs", "max_steps", "on_bad_image", "top"}
    scores: ClassVar[Mapping[str, str]]
    options: Options
    method: Method
    top: int
    folder: Path
    spec: str | None
    std_floor: float | None

    @abstractmethod
    def open(self) -> None:
        """Find the images that are ranked on; what does not need them works without.

        Raises:
            ValueError: If there are none, or something is wrong with them.
        """

    @abstractmethod
    def usual_options(self) -> dict[str, Any]:
        """The options by default, as `SharedOptions.plain` gives them: for rankings from before an option."""

    @abstractmethod
    def chosen_spec(self) -> InputSpec:
        """The spec of all 192 channels; not standardised yet if none was given."""

    @abstractmethod
    def measure(self, spec: InputSpec) -> tuple[InputSpec, ChannelStatistics]:
        """The spec with mean and std of the training images, and all that was measured; constant channels are kept."""

    def measured_spec(self, spec: InputSpec) -> tuple[InputSpec, NDArray[np.float64]]:
        """The spec with mean and std, and (192,) float64 the channels' variances.

        Channels that never vary (Cb and Cr of gray pictures) are kept: they rank last.
        """
        if self.spec is not None:
            variance = np.square(np.asarray(spec.std))
        else:
            spec, statistics = self.measure(spec)
            variance = statistics.variance
        return spec if self.std_floor is None else spec.with_std_floor(self.std_floor), variance

    @abstractmethod
    def importances(self, spec: InputSpec, variance: NDArray[np.float64], callbacks: Sequence[Callback]) -> Measured:
        """Rank.

        Args:
            spec: With mean and std.
            variance: (192,) float64, of the channels.
            callbacks: Further Lightning callbacks, for the methods that train.
        """

    @abstractmethod
    def train(self, callbacks: Sequence[Callback], *, gate: bool) -> Trained:
        """Train on all 192 channels in the ranking's folder MODEL, going on where it was stopped.

        Args:
            callbacks: Further Lightning callbacks.
            gate: Put a gate in front.
        """

    @abstractmethod
    def loader(self, spec: InputSpec, *, images: int) -> tuple[ImageLoader, int]:
        """Training images as evaluation sees them, each once, shared between the processes.

        Args:
            spec: With mean and std.
            images: At most so many of them, chosen at random.

        Returns:
            Their loader, and how many they are.
        """

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What is ranked on, for `Importance.measured_on`: folder, classes, network, epochs."""

    def training_changes(self) -> dict[str, Any]:
        """Options of `train`'s training that are not the ranking's."""
        output = self.folder / MODEL
        resume = self.options.resume and has_state(output)
        return {"output": output, "spec": str(self.folder / SPEC), "resume": resume}
