"""best.ckpt: the model of the best validation so far."""

from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint

from freqlearn.pipelines.checkpoint_files import BEST


class BestCheckpoint(ModelCheckpoint):
    """Writes best.ckpt after a validation that is better than all before.

    Lightning's callback, but: it knows the best score again in a run whose folder has been moved since, where
    Lightning's would begin anew and replace best.ckpt by what is worse; and it forgets the score with the file.
    """

    def __init__(self, folder: Path, *, monitor: str) -> None:
        """Write to a folder.

        Args:
            folder: The run's.
            monitor: Metric that best.ckpt has the highest value of.
        """
        super().__init__(
            folder,
            filename=Path(BEST).stem,
            monitor=monitor,
            mode="max",
            save_weights_only=True,
            save_on_train_epoch_end=False,  # after a validation: there is none in some epochs
            enable_version_counter=False,
        )

    @property
    def state_key(self) -> str:
        """As of Lightning's callback."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best score."""
        path = Path(str(self.dirpath), BEST)
        score = state_dict["best_model_score"]
        if score is None or not path.is_file():
            return
        here = dict.fromkeys(("best_model_path", "kth_best_model_path"), str(path))
        best = {"dirpath": self.dirpath, "kth_value": score, "best_k_models": {str(path): score}, "last_model_path": ""}
        super().load_state_dict({**state_dict, **here, **best})
