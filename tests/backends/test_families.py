"""Every family that is known: by the names under which its models are met, with the facts of its source."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hart_agent import Agent, Box, ScriptedPolicy
from hart_agent.backends.families import FAMILIES, detect_family, detect_profile
from hart_agent.backends.local.checkpoint import find_checkpoint
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.tooling.protocol import specs_for
from hart_agent.vision.geometry import CoordinateSpace, Frame, Size, resolve_box

from conftest import answer, tool_call  # isort: skip

PIXEL, THOUSAND, UNIT = "pixel", "thousand", "unit"
Q25 = (28, 3_136, 12_845_056)
Q3 = (32, 65_536, 16_777_216)
OTHER = (28, 3_136, 16_777_216)

NAMES: list[tuple[str, str, str, tuple[int, int, int]]] = [
    # name, family, space, (grid, least, most pixels)
    ("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL", PIXEL, Q25),
    ("/models/qwen2-5-vl", "Qwen2.5-VL", PIXEL, Q25),
    ("qwen_2_5_vl", "Qwen2.5-VL", PIXEL, Q25),
    ("qwen25-vl-7b-awq", "Qwen2.5-VL", PIXEL, Q25),
    ("./Qwen2.5-VL-3B-Instruct-Q4_K_M.gguf", "Qwen2.5-VL", PIXEL, Q25),
    ("models--Qwen--Qwen2.5-VL-3B-Instruct/snapshots/66285546d2b8", "Qwen2.5-VL", PIXEL, Q25),
    ("my-alias /srv/Qwen2.5-VL-72B", "Qwen2.5-VL", PIXEL, Q25),
    ("/srv/qwen3-vl/qwen2.5-vl-7b", "Qwen2.5-VL", PIXEL, Q25),
    ("Qwen2.5-Omni-7B", "Qwen2.5-VL", PIXEL, Q25),
    ("Qwen/Qwen2-VL-7B-Instruct", "Qwen2-VL", THOUSAND, Q25),
    ("Qwen/Qwen3-VL-8B-Thinking", "Qwen3-VL", THOUSAND, Q3),
    ("qwen3_vl_30b_a3b", "Qwen3-VL", THOUSAND, Q3),
    ("hf.co/someone/Qwen3-VL-4B-GGUF:Q8_0", "Qwen3-VL", THOUSAND, Q3),
    ("qwen3.5:9b", "Qwen3-VL", THOUSAND, Q3),
    ("Qwen3.6-35B-A3B", "Qwen3-VL", THOUSAND, Q3),
    ("Qwen3.7-27B", "Qwen3-VL", THOUSAND, Q3),
    ("Qwen3.8-Flash-Next", "Qwen3-VL", THOUSAND, Q3),
    ("Qwen3-Omni-30B-A3B-Instruct", "Qwen3-VL", THOUSAND, Q3),
    ("qwen-vl-max-latest", "Qwen3-VL", THOUSAND, Q3),
    ("OpenGVLab/InternVL3_5-8B-HF", "InternVL", THOUSAND, (28, 3_136, 2_408_448)),
    ("XiaomiMiMo/MiMo-VL-7B-RL", "MiMo-VL", PIXEL, Q25),
    ("THUDM/GLM-4.1V-9B-Thinking", "GLM-V", THOUSAND, (28, 6_272, 5_880_000)),
    ("zai-org/GLM-4.5V", "GLM-V", THOUSAND, (28, 6_272, 5_880_000)),
    ("glm-4.6v-flash", "GLM-V", THOUSAND, (28, 6_272, 5_880_000)),
    ("moonshotai/Kimi-VL-A3B-Thinking-2506", "Kimi-VL", UNIT, (28, 3_136, 3_211_264)),
    ("moonshotai/Kimi-K2.5", "Kimi-K2.5", THOUSAND, (28, 3_136, 3_211_264)),
    ("google/gemini-3-pro", "Gemini", THOUSAND, OTHER),
    ("models/gemini-2.5-flash", "Gemini", THOUSAND, OTHER),
    ("google/gemma-3-27b-it", "Gemma", THOUSAND, OTHER),
    ("gemma4:26b", "Gemma", THOUSAND, OTHER),
    ("deepseek-ai/deepseek-vl2-small", "DeepSeek-VL2", THOUSAND, OTHER),
    ("openbmb/MiniCPM-V-4_5", "MiniCPM-V", THOUSAND, OTHER),
    ("baidu/ERNIE-4.5-VL-28B-A3B-PT", "ERNIE-4.5-VL", THOUSAND, (28, 3_136, 4_842_768)),
    ("ChenShawn/DeepEyes-7B", "DeepEyes and others", PIXEL, Q25),
    ("HaochenWang/TreeVGR-7B", "DeepEyes and others", PIXEL, Q25),
    ("xintongzhang/CoF-rl-model-7b", "DeepEyes and others", PIXEL, Q25),
    ("Insight-o3-vS", "DeepEyes and others", PIXEL, Q25),
    ("Kwai-Keye/Thyme-RL", "DeepEyes and others", PIXEL, Q25),
    ("ByteDance-Seed/UI-TARS-1.5-7B", "DeepEyes and others", PIXEL, Q25),
    ("bytedance-research/UI-TARS-7B-DPO", "UI-TARS", THOUSAND, Q25),
    ("Mini-o3/Mini-o3-7B-v1", "Mini-o3", UNIT, (28, 40_000, 2_000_000)),
    ("TIGER-Lab/PixelReasoner-RL-v1", "Pixel-Reasoner", UNIT, (28, 200_704, 4_014_080)),
    ("VisRL-7B", "VisRL", UNIT, Q25),
    ("ground-r1-7b", "Ground-R1", PIXEL, (28, 3_136, 401_408)),
    ("ls/REVPT-3B", "REVPT", PIXEL, (28, 3_136, 1_176_000)),
    ("sensenova/SenseNova-MARS-8B", "SenseNova-MARS and others", THOUSAND, Q3),
    ("Accio-Lab/Metis-8B-RL", "SenseNova-MARS and others", THOUSAND, Q3),
    ("p2r-8b", "SenseNova-MARS and others", THOUSAND, Q3),
    ("inclusionAI/ZwZ-8B", "SenseNova-MARS and others", THOUSAND, Q3),
    ("Qwen/Qwen3-8B", "unknown", THOUSAND, OTHER),
    ("Qwen/Qwen3-0.6B", "unknown", THOUSAND, OTHER),
    ("gpt-4o", "unknown", THOUSAND, OTHER),
    ("café/文字", "unknown", THOUSAND, OTHER),
]


@pytest.mark.parametrize(("name", "family", "space", "limits"), NAMES, ids=[row[0] for row in NAMES])
def test_a_name_says_how_a_model_sees_and_points(
    name: str, family: str, space: str, limits: tuple[int, int, int]
) -> None:
    found = detect_family(name)
    assert (found.name, found.space.value) == (family, space)
    assert (found.grid, found.min_pixels, found.max_pixels) == limits
    assert found.y_first is (family == "Gemini")
    assert detect_profile(name).budget.max_pixels == min(1_200_000, limits[2])


def test_every_family_is_met_under_some_name() -> None:
    assert {family.name for family in FAMILIES} == {row[1] for row in NAMES} - {"unknown"}


@pytest.mark.parametrize(
    ("model_type", "family"),
    [
        ("qwen2_5_omni", "Qwen2.5-VL"), ("qwen3_omni_moe", "Qwen3-VL"), ("qwen3_5_moe", "Qwen3-VL"), ("glm4v", "GLM-V"),
        ("glm4v_moe", "GLM-V"), ("glm46v", "GLM-V"), ("kimi_vl", "Kimi-VL"), ("kimi_k25", "Kimi-K2.5"),
        ("ernie4_5_vl_moe", "ERNIE-4.5-VL"), ("gemma3", "Gemma"), ("deepseek_vl_v2", "DeepSeek-VL2"),
        ("qwen3", "unknown"),
    ],
)  # fmt: skip
def test_a_configuration_names_its_family(model_type: str, family: str) -> None:
    assert detect_family("/srv/model", {"model_type": model_type}).name == family


def test_what_was_trained_from_another_family_goes_by_its_name() -> None:
    assert detect_family("/srv/Mini-o3-7B", {"model_type": "qwen2_5_vl"}).space is CoordinateSpace.UNIT
    assert detect_family("/srv/my-gemini-like", {"model_type": "qwen2_5_vl"}).name == "Qwen2.5-VL"
    for odd in (None, 7, ["qwen3_vl"], {"a": 1}):
        assert detect_family("/srv/model", {"model_type": odd}).name == "unknown"


@pytest.mark.parametrize(
    ("name", "warned"), [("gemma-3-4b", True), ("gpt-4o", True), ("kimi-k2.5", True), ("kimi-vl", False)]
)
def test_a_space_that_is_only_assumed_is_warned_of(name: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    detect_profile(name)
    assert ("--coordinates" in caplog.text) is warned


Q25_TYPE, NEW_TYPE = {"model_type": "qwen2_5_vl"}, {"model_type": "brand_new"}
QWEN = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2}


@pytest.mark.parametrize(
    ("config", "processor", "grid", "least", "default"),
    [
        (Q25_TYPE, {**QWEN, "min_pixels": 40_000, "max_pixels": 401_408}, 28, 40_000, 401_408),
        (Q25_TYPE, {**QWEN, "size": {"shortest_edge": 6272, "longest_edge": 802_816}}, 28, 6272, 802_816),
        (Q25_TYPE, {**QWEN, "max_pixels": None, "size": {"longest_edge": 802_816}}, 28, 3136, 802_816),
        (Q25_TYPE, {**QWEN, "max_pixels": 99_999_999}, 28, 3136, 1_200_000),
        (Q25_TYPE, {**QWEN, "patch_size": 16}, 32, 4096, 1_200_000),
        (NEW_TYPE, {**QWEN, "patch_size": 16}, 32, 4096, 1_200_000),
        ({**NEW_TYPE, "vision_config": {"patch_size": 12, "spatial_merge_size": 2}}, {}, 24, 2304, 1_200_000),
        (
            {"model_type": "glm4v"},
            {**QWEN, "image_processor_type": "Glm4vImageProcessor", "min_pixels": 12_544, "max_pixels": 1_003_520},
            28, 6_272, 501_760,
        ),
        # sides, not areas, in processors of another kind; and damaged settings
        (NEW_TYPE, {"patch_size": 14, "size": {"longest_edge": 1540}}, 28, 3136, 1_200_000),
        (Q25_TYPE, {**QWEN, "max_pixels": "many", "min_pixels": -1}, 28, 3136, 1_200_000),
        (Q25_TYPE, {**QWEN, "max_pixels": 1}, 28, 3136, 1_200_000),
        ({**Q25_TYPE, "vision_config": [1]}, {"merge_size": 10**9, "patch_size": 14}, 28, 3136, 1_200_000),
    ],
)  # fmt: skip
def test_a_checkpoints_own_settings_win(
    config: dict[str, Any], processor: dict[str, Any], grid: int, least: int, default: int
) -> None:
    family = detect_family("/srv/model", config, processor)
    assert (family.grid, family.min_pixels, family.profile().budget.max_pixels) == (grid, least, default)
    assert family.profile(max_pixels=2_000_000).budget.max_pixels == 2_000_000  # no processor resizes in this process


@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json"])
def test_a_checkpoints_settings_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    (tmp_path / "model.safetensors").touch()
    assert find_checkpoint(str(tmp_path)).processor == {}
    (tmp_path / "preprocessor_config.json").write_text("{damaged")
    settings = QWEN if name.startswith("pre") else {"image_processor": QWEN}
    (tmp_path / name).write_text(json.dumps(settings))
    assert find_checkpoint(str(tmp_path)).processor == QWEN


# y before x: worked by hand. The image has 2000 x 1000 pixels; in 0-1000, x steps are 2 pixels and y steps 1.
FRAME = Frame(Box(0, 0, 2000, 1000), Size(1400, 700))


def test_y_before_x_is_read_and_written() -> None:
    written = (100.0, 300.0, 200.0, 700.0)
    region = (600.0, 100.0, 1400.0, 200.0)
    assert FRAME.to_original(written, CoordinateSpace.THOUSAND, y_first=True) == pytest.approx(region)
    assert FRAME.from_original(region, CoordinateSpace.THOUSAND, y_first=True) == pytest.approx(written)
    box, notes = resolve_box(written, CoordinateSpace.THOUSAND, FRAME, Size(2000, 1000), 100.0, y_first=True)
    assert (box.as_tuple(), notes) == ((600, 100, 1400, 200), [])


def test_messages_about_boxes_keep_the_models_order() -> None:
    place = (CoordinateSpace.THOUSAND, FRAME, Size(2000, 1000), 100.0)
    _, notes = resolve_box((100.0, 300.0, 200.0, 1500.0), *place, y_first=True)
    assert notes == ["The box reached beyond the view and was clipped to [100, 300, 200, 1000]."]
    with pytest.raises(Exception, match=r"inverted: expected \[y0, x0, y1, x1\]"):
        resolve_box((300.0, 0.0, 200.0, 10.0), *place, y_first=True)


def test_an_episode_of_a_model_that_writes_y_first(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.effect_noise((2000, 1000), 80).convert("RGB").save(path, compress_level=1)
    profile = detect_profile("gemini-2.5-pro")
    replies, instructions = [tool_call("crop", bbox_2d=[100, 300, 200, 700], label="sign"), answer("x")], ""

    def speak(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        nonlocal instructions
        instructions = messages[0].text
        return replies.pop(0)

    run = Agent(ScriptedPolicy(speak, profile), verify=False).ask(path, "what?")
    assert [item.box.as_tuple() for item in run.evidence] == [(600, 100, 1400, 200)]
    assert "[x0, y0, x1, y1]" not in instructions
    assert instructions.count("[y0, x0, y1, x1]") >= 3  # the instructions, and two tools


def test_tools_are_described_in_the_models_order() -> None:
    from hart_agent.tooling.discovery import discover_tools
    from hart_agent.tooling.runtime import ToolRuntime

    specs = ToolRuntime(discover_tools()).specs
    gemini, qwen = detect_profile("gemini-2.5-pro"), detect_profile("qwen3-vl")
    assert specs_for(specs, qwen) == list(specs)
    assert "[x0, y0" not in json.dumps([spec.parameters for spec in specs_for(specs, gemini)])
    assert "[x0, y0" in json.dumps([spec.parameters for spec in specs])
