"""`freqlearn rank-and-train`: rank the channels, then train with the best of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightning.pytorch.callbacks import Callback

from freqlearn.pipelines.checkpoint_files import has_state
from freqlearn.pipelines.first_process import is_first_process
from freqlearn.pipelines.ranking import Ranking, is_begun, is_finished, rank, read_ranking
from freqlearn.pipelines.training import TrainResult, train
from freqlearn.pipelines.workflow_options import TRAIN, RankAndTrainOptions

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TwoStages:
    """What came of a ranking and a training.

    Attributes:
        ranking: What came of the ranking; its `selected` channels were trained with.
        training: What came of the training.
    """

    ranking: Ranking
    training: TrainResult

    def __str__(self) -> str:
        return f"{self.ranking}\n{self.training}"


def rank_and_train(options: RankAndTrainOptions, *, callbacks: Sequence[Callback] = ()) -> TwoStages:
    """Rank the channels, then train with the best of them.

    Args:
        options: How to do both.
        callbacks: Further Lightning callbacks, of both.

    Raises:
        ValueError: For a mistake in the options or the data, or if there is something else in the output folder.
        KeyboardInterrupt: On Ctrl-C, after the state was saved; resume goes on in the stage that was stopped.
    """
    ranking, training = options.ranking(), options.training()
    folder, trained = options.folder, options.folder / TRAIN
    if options.resume and not is_begun(ranking.folder):
        raise ValueError(f"{folder}: holds no ranking to resume; leave out resume to start")
    if not options.resume and (is_begun(ranking.folder) or has_state(trained)):
        raise ValueError(f"{folder}: holds another ranking and training; resume those, or choose another output")
    if options.resume and is_finished(ranking.folder):
        if is_first_process():
            _log.info("The channels are ranked already: %s", ranking.folder)
        ranked = read_ranking(ranking)
    else:
        ranked = rank(replace(ranking, resume=options.resume), callbacks=callbacks)
    result = train(replace(training, resume=options.resume and has_state(trained)), callbacks=callbacks)
    return TwoStages(ranking=ranked, training=result)
