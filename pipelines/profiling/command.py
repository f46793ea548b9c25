"""What `freqlearn profile` does: one model's costs, or two side by side, as text, JSON and a picture."""

import json
import shlex

from freqlearn import atomic
from freqlearn.pipelines.arguments import Command, UsageError, read
from freqlearn.pipelines.profile_options import ModelChoice, ProfileOptions
from freqlearn.pipelines.profiling.counting import profile
from freqlearn.pipelines.profiling.layers import Profile
from freqlearn.pipelines.profiling.subjects import subject
from freqlearn.pipelines.profiling.text import side_by_side, text

_CHOICE = Command(
    "a model",
    "freqlearn.pipelines.profile_options:ModelChoice",
    options="freqlearn.pipelines.profile_options:ModelChoice",
    positional=("model",),
)


def run(options: ProfileOptions) -> str:
    """Profile what the options name, write the files that they ask for, and return the tables.

    Raises:
        OSError: If a file cannot be written.
        ValueError: If there is no such model, or it cannot be profiled.
    """
    if options.plot is not None:
        from freqlearn.pipelines.figures import check_suffix

        check_suffix(options.plot)
    choices: list[ModelChoice] = [options]
    if options.against is not None:
        choices.append(_choice(options.against))
    profiles = [_profiled(choice) for choice in choices]
    if options.json is not None:
        document = {"profiles": [counted.to_dict() for counted in profiles]}
        atomic.write_text(options.json, json.dumps(document, indent=1) + "\n")
    if options.plot is not None:
        from freqlearn.pipelines.figures import save_picture
        from freqlearn.pipelines.profiling.picture import figure

        save_picture(figure(profiles, depth=options.depth), options.plot)
    if len(profiles) == 1:
        return text(profiles[0], depth=options.depth)
    return side_by_side(*profiles, depth=options.depth)


def _choice(arguments: str) -> ModelChoice:
    try:
        return ModelChoice(**read("profile", _CHOICE, shlex.split(arguments)))
    except UsageError as error:
        raise UsageError(f"--against: {error}") from error
    except ValueError as error:  # also of quotes that do not match
        raise ValueError(f"--against: {error}") from error


def _profiled(choice: ModelChoice) -> Profile:
    chosen = subject(choice)
    return profile(chosen.model, chosen.image, title=chosen.title)
