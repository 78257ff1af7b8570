"""From a model's options to its vocabulary, its family and its profile: what every backend needs to know of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hart_agent.backends.families import Family, detect_family, detect_profile, plain_name
from hart_agent.backends.options import ModelOptions
from hart_agent.dialogue.vocabularies.files import AUTO, find_vocabulary, matching, with_prompts
from hart_agent.dialogue.vocabularies.vocabulary import OWN, Vocabulary
from hart_agent.vision.budget import CoordinateProfile


@dataclass(frozen=True)
class Spoken:
    """How a model speaks and sees.

    Attributes:
        vocabulary: its words.
        family: of its base model, which counts the tokens of views.
        profile: how it sees and points.
    """

    vocabulary: Vocabulary
    family: Family
    profile: CoordinateProfile


def spoken(
    settings: ModelOptions,
    model: str | None,
    config: Mapping[str, Any] | None = None,
    processor: Mapping[str, Any] | None = None,
) -> Spoken:
    """How a model speaks and sees: as the options say, else as its vocabulary does, else as its family does.

    Args:
        settings: of the model.
        model: its name or path.
        config: its Hugging Face configuration.
        processor: the settings of its image processor.

    Raises:
        ConfigError: there is no such vocabulary, or a setting does not suit the model.
    """
    named = settings.vocabulary or OWN
    found = matching(plain_name(model or "")) if named == AUTO else find_vocabulary(named)
    vocabulary = with_prompts(found, settings.system_prompt, settings.question_template)
    hint = f"{model or ''} {vocabulary.family}".strip() or None
    family = detect_family(hint, config, processor)
    max_pixels = settings.max_pixels
    if max_pixels is None and vocabulary.max_pixels is not None:
        max_pixels = min(vocabulary.max_pixels, family.max_pixels)
    profile = detect_profile(
        hint, config, processor, space=settings.coordinates or vocabulary.space, max_pixels=max_pixels
    )
    if not vocabulary.own:
        y_first = profile.y_first if vocabulary.y_first is None else vocabulary.y_first
        profile = replace(profile, y_first=y_first, crop=vocabulary.crop)
    return Spoken(vocabulary, family, profile)
