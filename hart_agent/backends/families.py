"""The families of models that are known: their pixel grids, their limits, and the space of their boxes.

A view is resized here, to the family's own grid and within its processor's limits, before it is sent. The server then
has nothing left to resize, so the size in which a pixel family writes its boxes is known. (Qwen3-VL's processor
enlarges views below 256 x 256; its boxes are relative, so that only the count of tokens heeds it.)

Sources: transformers' image processors of qwen2_vl, qwen3_vl, internvl, glm4v, kimi_k25 and ernie4_5_vl_moe (grids,
limits, aspect); for the spaces what stands above each entry.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hart_agent.backends.family import DEFAULT_MAX_PIXELS, Family
from hart_agent.backends.options import AUTO, COORDINATES
from hart_agent.vision.budget import CoordinateProfile
from hart_agent.vision.geometry import CoordinateSpace

__all__ = ["DEFAULT_MAX_PIXELS", "FAMILIES", "GENERIC", "Family", "detect_family", "detect_profile", "plain_name"]

PIXEL, THOUSAND, UNIT = CoordinateSpace.PIXEL, CoordinateSpace.THOUSAND, CoordinateSpace.UNIT
_QWEN2 = (28, 200.0, 56 * 56, 16384 * 28 * 28)
"""Grid, aspect, least and most pixels of Qwen2-VL's processor, which Qwen2.5-VL shares."""
_QWEN3 = (32, 200.0, 256 * 256, 4096 * 4096)
_OTHER = (28, 100.0, 56 * 56, 2**24)
"""Where no source names a grid."""

_log = logging.getLogger(__name__)

GENERIC = Family("unknown", "", THOUSAND, *_OTHER, assumed=True)
"""For unknown models: 0-1000, which most recent families use and which doesn't depend on what a server resizes."""

FAMILIES = (
    Family("Qwen2.5-VL", r"qwen-?2-?5-?(?:vl|omni)", PIXEL, *_QWEN2),
    Family("Qwen2-VL", r"qwen-?2-?vl", THOUSAND, *_QWEN2),
    # QwenLM/Qwen3-VL issues 676 and 1741; Qwen3.8: a maintainer in Qwen3.8-Flash-Next issue 4; the others between them.
    Family("Qwen3-VL", r"qwen-?3-?(?:[5-9](?![b0-9])|vl|omni)|qwen-?vl-?(?:max|plus)", THOUSAND, *_QWEN3),
    # InternVL's chat data format, OpenGVLab/InternVL issue 844. Views are cut into at most 12 tiles of 448 x 448 and a
    # thumbnail, 256 tokens each; the most oblong cut is 12 : 1.
    Family("InternVL", r"intern-?vl", THOUSAND, 28, 12.0, 56 * 56, 12 * 448 * 448, 13 * 256),
    # XiaomiMiMo/MiMo-VL, examples/grounding.ipynb.
    Family("MiMo-VL", r"mimo-?vl", PIXEL, *_QWEN2),
    # zai-org/GLM-V, README. Its processor counts two frames an image: 12,544 and 11,760,000 of both.
    Family("GLM-V", r"glm-?4-?[156]?-?v", THOUSAND, 28, 200.0, 6_272, 5_880_000),
    # MoonshotAI/Kimi-VL issues 52 and 56 (users). At most 16,384 patches of 14 x 14, as Kimi-K2.5.
    Family("Kimi-VL", r"kimi-?vl", UNIT, 28, 100.0, 56 * 56, 16384 * 14 * 14),
    Family("Kimi-K2.5", r"kimi-?k2-?[5-9]", THOUSAND, 28, 100.0, 56 * 56, 16384 * 14 * 14, assumed=True),
    # google-gemini/cookbook, quickstarts/Spatial_understanding.ipynb.
    Family("Gemini", r"gemini", THOUSAND, *_OTHER, y_first=True),
    Family("Gemma", r"gemma-?[34]", THOUSAND, *_OTHER, assumed=True),
    # deepseek-ai/DeepSeek-VL2 issue 100 (a maintainer): 0-999.
    Family("DeepSeek-VL2", r"deepseek-?vl-?v?2", THOUSAND, *_OTHER),
    # OpenBMB/MiniCPM-V issue 982 (a maintainer).
    Family("MiniCPM-V", r"minicpm-?[vo]", THOUSAND, *_OTHER),
    Family("ERNIE-4.5-VL", r"ernie-?4-?5-?vl", THOUSAND, 28, 200.0, 3_136, 4_842_768, assumed=True),
    # Trained from Qwen2.5-VL, with its pixels: the repositories of DeepEyes, TreeVGR, Chain-of-Focus, InSight-o3
    # (vSearcher) and Thyme; bytedance/UI-TARS, README_coordinates.md (1.5).
    Family(
        "DeepEyes and others", r"deepeyes|treevgr|\bcof-|chain-of-focus|insight-o3-v-?s|\bthyme|ui-tars-1-5", PIXEL,
        *_QWEN2, tuned=True,
    ),
    # bytedance/UI-TARS, README_v1.md.
    Family("UI-TARS", r"ui-tars", THOUSAND, *_QWEN2, tuned=True),
    # Mini-o3/Mini-o3, verl/trainer/constants.py and its launch script.
    Family("Mini-o3", r"mini-o3", UNIT, 28, 200.0, 40_000, 2_000_000, tuned=True),
    # TIGER-AI-Lab/Pixel-Reasoner, experience_maker.py.
    Family("Pixel-Reasoner", r"pixel-?reasoner", UNIT, 28, 200.0, 200_704, 4_014_080, tuned=True),
    # zhangquanchen/VisRL, data_gen/generate.py.
    Family("VisRL", r"\bvisrl", UNIT, *_QWEN2, tuned=True),
    # Ground-R1, eval/eval_scripts/multi_0526_new_version.py.
    Family("Ground-R1", r"\bground-?r1", PIXEL, 28, 200.0, 3_136, 401_408, tuned=True),
    # REVPT, data/cv.py.
    Family("REVPT", r"\brevpt", PIXEL, 28, 200.0, 3_136, 1_176_000, tuned=True),
    # Trained from Qwen3-VL: SenseNova-MARS, inference/eval.py; Metis; P2R, evaluation/p2r_utils.py; ZwZ
    # (Zooming-without-Zooming).
    Family("SenseNova-MARS and others", r"sensenova-mars|\bmetis|\bp2r\b|\bzwz", THOUSAND, *_QWEN3, tuned=True),
)  # fmt: skip


def plain_name(name: str) -> str:
    """A name in lower case, whose parts are joined by dashes: "Qwen_2.5_VL" and "qwen2.5-vl" differ by one only."""
    return re.sub(r"[^a-z0-9/]+", "-", name.lower())


def detect_family(
    model: str | None, config: Mapping[str, Any] | None = None, processor: Mapping[str, Any] | None = None
) -> Family:
    """The family of a model; `GENERIC` if none is known.

    It is that of the name if models of it are trained from others, else that of the configuration's `model_type`, else
    that of the name.

    Args:
        model: a name or path, such as "Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5vl:7b" or a GGUF file's name; several are
            separated by spaces.
        config: the model's Hugging Face configuration.
        processor: the settings of its image processor.
    """
    config = config or {}
    names, kind = list(_parts(model or "")), config.get("model_type")
    kinds = list(_parts(kind)) if isinstance(kind, str) else []
    found = (
        family
        for hints, tuned in ((names, True), (kinds, False), (names, False))
        for hint in hints
        for family in FAMILIES
        if family.tuned is tuned and re.search(family.pattern, hint)
    )
    return next(found, GENERIC).of_checkpoint(config, processor or {})


def _parts(names: str) -> Iterator[str]:
    """The parts of paths, the last one first: a file's name says more than its folder's."""
    for name in names.split():
        yield from reversed(plain_name(name).split("/"))


def detect_profile(
    model: str | None,
    config: Mapping[str, Any] | None = None,
    processor: Mapping[str, Any] | None = None,
    *,
    space: str | None = None,
    max_pixels: int | None = None,
) -> CoordinateProfile:
    """The coordinate profile of a model.

    Args:
        model: its name or path.
        config: its Hugging Face configuration; see `detect_family`.
        processor: the settings of its image processor.
        space: "pixel" (of the view as sent), "thousand" (0-1000) or "unit" (0-1) instead of the family's own; "auto"
            for the family's until boxes show another.
        max_pixels: the largest area of one view.

    Raises:
        ConfigError: `max_pixels` is not within what the family accepts.
    """
    family = detect_family(model, config, processor)
    if family.assumed and space is None:
        _log.warning(
            "it is not known in which space the model %r (family: %s) writes boxes; 0-1000 is assumed. If they come "
            "out wrong, choose --coordinates %s.", model, family.name, " | ".join(COORDINATES),
        )  # fmt: skip
    if space == AUTO:
        return replace(family.profile(None, max_pixels), adaptive=True)
    return family.profile(CoordinateSpace(space) if space else None, max_pixels)
