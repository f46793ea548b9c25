"""torch.compile for the network of a training, with errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from freqlearn.models.detection import FrequencyRCNN
from freqlearn.pipelines.networks import gate_of


def compile_network(model: nn.Module) -> None:
    """Let torch compile a model when it is used first; in place, so that names in checkpoints stay as they are.

    A gate in front is left as it is: it draws random numbers and counts. A detector knows what of it can be compiled.
    """
    is_whole = isinstance(model, FrequencyRCNN) or gate_of(model) is None
    (model if is_whole else model.get_submodule("network")).compile()


@contextmanager
def compile_errors_explained() -> Iterator[None]:
    """Run a block in which a model may be compiled.

    Raises:
        ValueError: If torch cannot compile it, for instance without a C++ compiler.
    """
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        reason = " ".join(str(error).strip().partition("\n\n")[0].split())
        raise ValueError(f"torch cannot compile the network here: {reason}; leave out compile") from error
