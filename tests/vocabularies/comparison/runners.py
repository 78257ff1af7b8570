"""Whole runs of published agents' own runners beside ours, asking the same scripted server: python runners.py FOLDER

DeepEyes' evaluation on V* and SenseNova-MARS's tool mode both ask an OpenAI-compatible server. Each is asked a question
about the same photo here and there, and what the server was sent is compared: how many requests, the roles and the
order of words and images in each, the sizes of the images, and how far their pixels are apart. FOLDER holds checkouts
of DeepEyes and SenseNova-MARS. Needs the extra `test` and pyyaml.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from agents import sensenova
from crops import PHOTO
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
from loopback import Loopback, say, serve

from hart_agent import Agent
from hart_agent.backends.openai import OpenAIPolicy

SIZE = (1120, 896)
"""Multiples of 28 and 32: nothing needs to resize the photo."""
QUESTION = "What does the sign say?"


def zoom(box: list[int], **more: Any) -> str:
    call = {"name": "image_zoom_in_tool", "arguments": {"bbox_2d": box, "label": "sign", **more}}
    return f"<think>Closer.</think>\n<tool_call>\n{json.dumps(call)}\n</tool_call>"


SCRIPTS = {
    "deepeyes": [zoom([280, 196, 504, 364]), zoom([300, 203, 387, 290]), "<think>So.</think><answer>OPEN</answer>"],
    "sensenova-mars": [
        zoom([250, 250, 500, 500], img_idx=0),
        zoom([313, 402, 377, 433], img_idx=0),
        "<answer>OPEN</answer>",
    ],
}


def deepeyes(root: Path, photo: Path, url: str) -> None:
    """Its script reads a folder of V*, and asks each question there."""
    with tempfile.TemporaryDirectory() as folder:
        bench, out = Path(folder) / "bench", Path(folder) / "out"
        for kind in ("direct_attributes", "relative_position"):
            (bench / kind).mkdir(parents=True)
        (out / "qwen").mkdir(parents=True)
        (bench / "direct_attributes/photo.jpg").write_bytes(photo.read_bytes())
        question = {"question": QUESTION, "options": ["OPEN", "SHUT"]}
        (bench / "direct_attributes/photo.json").write_text(json.dumps(question))
        arguments = ("--api_url", url, "--vstar_bench_path", bench, "--save_path", out, "--num_workers", "1",
                     "--eval_model_name", "served")  # fmt: skip
        subprocess.run([sys.executable, root / "DeepEyes/eval/eval_vstar.py", *arguments], check=True)


def sensenova_mars(root: Path, photo: Path, url: str) -> None:
    space = sensenova(root)
    system = space["load_tool_config"](str(root / "SenseNova-MARS/inference/tools_eval.yaml"))
    run = space["evaluate_tool"]("openai", "served", url.removesuffix("/v1"), "", QUESTION, str(photo), system)
    print("  theirs says:", asyncio.run(run)["finish_reason"])


def image_of(part: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2]))).convert("RGB")


def shape(message: dict[str, Any]) -> str:
    """A message's role, and its images among its words; neighbouring words are one."""
    content = message["content"]
    kinds = ["text"] if isinstance(content, str) else [part["type"] for part in content]
    runs = [kind for index, kind in enumerate(kinds) if kind != "text" or kinds[index - 1 : index] != ["text"]]
    return f"{message['role']}: {' '.join(runs)}"


def pictures(body: dict[str, Any]) -> list[Image.Image]:
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [image_of(part) for content in contents for part in content if part["type"] == "image_url"]


def compare(name: str, ours: Loopback, theirs: Loopback) -> None:
    asked = [ours.bodies, theirs.bodies]
    print(f"{name}: {len(asked[0])} requests here, {len(asked[1])} there")
    for number, (mine, other) in enumerate(zip(*asked, strict=False), start=1):
        shapes = [[shape(message) for message in body["messages"]] for body in (mine, other)]
        print(f"  request {number}: {'the same form' if shapes[0] == shapes[1] else f'{shapes[0]} / {shapes[1]}'}")
    for number, (mine, other) in enumerate(zip(pictures(asked[0][-1]), pictures(asked[1][-1]), strict=True)):
        apart = "other sizes"
        if mine.size == other.size:
            apart = f"{np.abs(np.asarray(mine, float) - np.asarray(other, float)).mean():.2f} of 255 apart"
        print(f"  image {number}: {mine.size} here, {other.size} there, {apart}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    root = options.parse_args().folder.resolve()
    photo = root / "photo.jpg"
    with Image.open(PHOTO) as opened:
        opened.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS).save(photo, quality=95, subsampling=0)
    for name, runner in (("deepeyes", deepeyes), ("sensenova-mars", sensenova_mars)):
        replies = [say(text) for text in SCRIPTS[name]]
        with serve(replies) as theirs:
            runner(root, photo, theirs.url)
        with serve(replies) as ours:
            policy = OpenAIPolicy("served", base_url=ours.url, vocabulary=name)
            run = Agent(policy, verify=False).ask(photo, QUESTION)
        assert run.answer == "OPEN", run
        compare(name, ours, theirs)


if __name__ == "__main__":
    main()
