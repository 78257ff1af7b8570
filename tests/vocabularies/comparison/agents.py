"""The crops of published agents, by their own code, taken from checkouts of their repositories; nothing of it is kept.

Each function takes the original and a box as the model writes it, and gives the image that the model is shown: what the
runner makes of the crop, and then what the image processor of the base model makes of that. It raises an exception
where the runner refuses the box.
"""

from __future__ import annotations

import ast
import asyncio
import io
import json
import math
import os
import re
import sys
import types
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

Numbers = list[float]
Crop = Callable[[Image.Image, Numbers], Image.Image]


def taken(path: Path, *names: str, **known: Any) -> dict[str, Any]:
    """Functions and classes of a file, run without the rest of it: its imports need whole training stacks.

    Args:
        path: of the file.
        names: of what is taken; `Class.method` for one method of a class.
        known: further names that the code uses.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wanted = {name.partition(".")[0] for name in names}
    methods = {name.partition(".")[2] for name in names if "." in name}
    kept: list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in wanted:
            node.bases, node.decorator_list, node.keywords = [], [], []
            node.body = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name in methods]
            kept.append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in wanted:
            kept.append(node)
    found = {node.name for node in kept}
    assert found == wanted, (path, wanted - found)
    space: dict[str, Any] = {
        "Image": Image, "math": math, "os": os, "re": re, "io": io, "json": json, "smart_resize": smart_resize,
        "ceil": math.ceil, "floor": math.floor, "Any": Any, "Dict": dict, "List": list,
        "do_controlled_rectify": False, **known,
    }  # fmt: skip
    module = ast.fix_missing_locations(ast.Module([ast.ImportFrom("__future__", [ast.alias("annotations")], 0)], []))
    module.body += kept
    exec(compile(module, str(path), "exec"), space)
    return space


def quietly(crop: Crop) -> Crop:
    """Their code prints."""

    def silent(image: Image.Image, box: Numbers) -> Image.Image:
        with redirect_stdout(io.StringIO()):
            return crop(image, box)

    return silent


def processed(image: Image.Image, grid: int, least: int, most: int) -> Image.Image:
    """What the processor of Qwen2-VL and later makes of an image."""
    height, width = smart_resize(image.height, image.width, factor=grid, min_pixels=least, max_pixels=most)
    return image.resize((width, height), Image.Resampling.BICUBIC) if (width, height) != image.size else image


def deepeyes(root: Path) -> Crop:
    file = root / "DeepEyes/verl/workers/agent/envs/mm_process_engine/visual_toolbox_v2.py"
    kind = taken(file, "VisualToolBoxV2.validate_bbox", "VisualToolBoxV2.maybe_resize_bbox")["VisualToolBoxV2"]

    def crop(image: Image.Image, box: Numbers) -> Image.Image:
        tool = kind()
        tool.width, tool.height = image.size
        kept = tool.maybe_resize_bbox(*box)
        assert kept
        return processed(image.crop(kept), 28, 3136, 16384 * 784)

    return crop


def chain_of_focus(root: Path) -> Crop:
    space = taken(
        root / "Chain-of-Focus/eval/vstar/vllm_inference.py",
        "resize_image", "check_absolute_bbox_format", "find_absolute_bboxes", "do_crop",
    )  # fmt: skip

    def crop(image: Image.Image, box: Numbers) -> Image.Image:
        text = f"<tool_call>{json.dumps({'arguments': {'bbox_2d': box}})}</tool_call>"
        return space["do_crop"](space["resize_image"](image, min_pixels=112**2), text, 2, 1.5, 112**2)  # type: ignore[no-any-return]

    return crop


def qwen3_vl(root: Path) -> Crop:
    file = root / "Qwen-Agent/qwen_agent/tools/image_zoom_in_qwen3vl.py"
    name = next(node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef))
    methods = ("round_by_factor", "ceil_by_factor", "floor_by_factor", "smart_resize", "maybe_resize_bbox", "call",
               "_verify_json_format_args")  # fmt: skip
    shown: list[Image.Image] = []

    class Item:
        def __init__(self, image: str = "", text: str = "") -> None:
            assert image, text
            shown.append(Image.open(image).convert("RGB"))

    known = {
        "extract_images_from_messages": lambda messages: [messages],
        "ContentItem": Item,
        "uuid": __import__("uuid"),
        "logger": None,
        "Union": Any,
    }
    kind = taken(file, *(f"{name}.{method}" for method in methods), **known)[name]
    kind._verify_json_format_args = lambda self, params: params
    folder = root / "crops"

    def crop(image: Image.Image, box: Numbers) -> Image.Image:
        tool = kind()
        tool.work_dir = str(folder)
        folder.mkdir(exist_ok=True)
        path = folder / f"{id(image)}.png"
        if not path.exists():
            image.save(path)
        tool.call({"img_idx": 0, "bbox_2d": box}, messages=str(path))
        return shown.pop()

    return crop


def sensenova_mars(root: Path) -> Crop:
    return sensenova(root)["crop_image"]  # type: ignore[no-any-return]


def sensenova(root: Path) -> dict[str, Any]:
    """All of SenseNova-MARS's runner, without its browser."""
    browser = types.ModuleType("playwright.async_api")
    browser.async_playwright = None  # type: ignore[attr-defined]
    sys.modules |= {"playwright": types.ModuleType("playwright"), "playwright.async_api": browser}
    space: dict[str, Any] = {"__name__": "sensenova", "asyncio": asyncio}
    file = root / "SenseNova-MARS/inference/eval.py"
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), space)
    return space


def pixel_reasoner(root: Path) -> Crop:
    file = root / "Pixel-Reasoner/curiosity_driven_rl/openrlhf/trainer/ppo_utils/experience_maker.py"
    space = taken(file, "CropImageNormalized.call", "to_rgb", "resize_cropped", IMAGE_FACTOR=28)
    tool = space["CropImageNormalized"]()

    def crop(image: Image.Image, box: Numbers) -> Image.Image:
        return space["resize_cropped"](tool.call(image, box), 256 * 784, 5120 * 784)  # type: ignore[no-any-return]

    return crop


def revpt(root: Path) -> Crop:
    tool = taken(root / "RLtool/verl/workers/agent/qwen_tools.py", "ZoomIn.call")["ZoomIn"]()

    def crop(image: Image.Image, box: Numbers) -> Image.Image:
        made = tool.call({"image_id": 0, "bbox": box}, {"image": [image]})["image"]
        return processed(made[0], 28, 3136, 16384 * 784)

    return crop


def mini_o3(root: Path) -> Crop:
    folder = root / "Mini-o3/verl/workers/rollout/vllm_rollout"
    space = taken(folder / "function_tools.py", "crop_image", "prepare_grounding_inputs_multi_turn")
    resize = taken(folder / "vllm_async_engine.py", "process_image")["process_image"]

    def crop(image: Image.Image, box: Numbers) -> Image.Image:
        calls = [{"bbox_2d": box, "source": "original_image"}]
        prepare = space["prepare_grounding_inputs_multi_turn"]
        _, (source, kept) = prepare(calls, [image], [image.size], use_relative_coordinates=True)
        cut = space["crop_image"](source, kept, image.size, resize=1)
        return processed(resize(cut, 2_000_000, 40_000), 28, 3136, 16384 * 784)

    return crop


def ground_r1(root: Path) -> Crop:
    adjust = taken(root / "Ground-R1/eval/eval_scripts/multi_0526_new_version.py", "bbox_adjust")["bbox_adjust"]

    def crop(image: Image.Image, box: Numbers) -> Image.Image:
        height, width = smart_resize(image.height, image.width, factor=28, min_pixels=3136, max_pixels=401408)
        return processed(image.crop(adjust(box, width, height, *image.size)), 28, 3136, 401408)

    return crop


def p2r(root: Path) -> Crop:
    cut = taken(root / "Perceive-to-Reason/evaluation/p2r_utils.py", "crop_region")["crop_region"]
    return lambda image, box: processed(cut(image, box), 32, 1024, 4096 * 1024)


AGENTS: dict[str, Callable[[Path], Crop]] = {
    "qwen3-vl": qwen3_vl,
    "deepeyes": deepeyes,
    "chain-of-focus": chain_of_focus,
    "sensenova-mars": sensenova_mars,
    "pixel-reasoner": pixel_reasoner,
    "revpt": revpt,
    "mini-o3": mini_o3,
    "ground-r1": ground_r1,
    "p2r": p2r,
}
