"""The learning rate of detectors, and SGD's momentum."""

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from freqlearn.pipelines.detection.schedule import DetectionSchedule
from freqlearn.pipelines.learner import Learner


def test_the_paper_s_schedule_is_torch_s_linear_warmup_and_milestones() -> None:
    how = DetectionSchedule(lr=0.02, schedule="step", milestones=(800, 1100), warmup_steps=500)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.02)
    warmup = lr_scheduler.LinearLR(optimizer, start_factor=1 / 3, total_iters=500)
    drops = lr_scheduler.MultiStepLR(optimizer, [800, 1100], gamma=0.1)
    for step in range(1200):
        expected = optimizer.param_groups[0]["lr"]
        assert 0.02 * how.rate(step, 1200) == pytest.approx(expected, rel=1e-6), step
        optimizer.step()
        warmup.step()
        drops.step()


def test_without_milestones_it_falls_as_of_twelve_epochs() -> None:
    how = DetectionSchedule(schedule="step", warmup=0.0)
    rates = [round(how.rate(step, 1200), 6) for step in range(1200)]
    assert [rates.index(0.1), rates.index(0.01)] == [800, 1100]


def test_a_share_of_the_steps_may_rise_instead() -> None:
    how = DetectionSchedule(warmup=0.1)
    assert [how.rate(step, 100) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_has_the_momentum_asked_for(nesterov: bool) -> None:
    how = DetectionSchedule(optimizer="sgd", momentum=0.8, nesterov=nesterov)
    learner = Learner(nn.Linear(2, 2), means=(), optimisation=how)
    defaults = learner.make_optimizer(learner.parameter_groups()).defaults
    assert (defaults["momentum"], defaults["nesterov"]) == (0.8, nesterov)
