"""How the learning rate of a detector moves: with milestones in epochs, and mmdetection's warm-up."""

from dataclasses import dataclass

from freqlearn.pipelines.learner import Optimisation

_USUAL_MILESTONES = (8 / 12, 11 / 12)
_FIRST_SHARE = 1 / 3  # mmdetection's warmup_ratio in its configurations of Mask R-CNN


@dataclass(frozen=True, kw_only=True)
class DetectionSchedule(Optimisation):
    """How weights move.

    Attributes:
        milestones: For "step": steps at which the rate falls to a tenth; None for after 8/12 and 11/12 of all, as of
            the usual twelve epochs.
        warmup_steps: Instead of `warmup`: steps in which the rate rises, beginning with a third of it.
    """

    milestones: tuple[int, ...] | None = None
    warmup_steps: int | None = None

    def rising(self, steps: int) -> int:
        """In how many of `steps` the rate rises."""
        return super().rising(steps) if self.warmup_steps is None else self.warmup_steps

    def risen(self, step: int, steps: int) -> float:
        """Share of the rate at a step of those in which it rises; from then on 1."""
        if self.warmup_steps is None:
            return super().risen(step, steps)
        return min(1.0, _FIRST_SHARE + (1 - _FIRST_SHARE) * step / self.warmup_steps)

    def dropped(self, step: int, steps: int) -> float:
        """Share of the rate that the schedule "step" leaves at `step`."""
        milestones = self.milestones
        if milestones is None:
            milestones = tuple(round(share * steps) for share in _USUAL_MILESTONES)
        return float(0.1 ** sum(step >= milestone for milestone in milestones))
