"""The training commands as a user runs them, and the alarms."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
pytest.importorskip("torch", reason=REASON)
from tiny_backend import Folders, folders, one_thread  # noqa: E402, F401 (fixtures)

from hart_agent.trace import load_trace  # noqa: E402
from rl.command_line import run_command  # noqa: E402
from rl.data import fingerprint, load_samples, stage_part  # noqa: E402
from rl.training.monitor import WINDOW, alarms  # noqa: E402


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four questions, the file from which the README's page on training starts."""
    return questions(tmp_path, range(4), "questions.jsonl")


def questions(folder: Path, numbers: range, name: str) -> Path:
    rows = []
    for number in numbers:
        noise = np.random.default_rng(number).integers(0, 256, (200, 300), dtype=np.uint8)  # the same in any order
        Image.fromarray(noise).convert("RGB").save(folder / f"{number}.png")
        row = {"image": f"{number}.png", "question": f"what is {number}?", "answer": "x", "boxes": [[9, 9, 90, 90]]}
        rows.append(row)
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"rl.{module}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def run_here(module: str, *arguments: object) -> None:
    """In this process, where torch is loaded already.

    Raises:
        SystemExit: always.
    """
    run_command(importlib.import_module(f"rl.{module}").train, list(map(str, arguments)))


SMALL = ("--steps", 2, "--prompts-per-step", 2, "--max-tokens", 8, "--max-pixels", 16_384, "--checkpoint-every", 1)


@pytest.mark.slow
def test_rl_then_sft_then_ask(folders: Folders, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(
        "train_ap_grpo", data, "--model", folders("qwen3-vl"), "--out", tmp_path / "rl", *SMALL, "--group-size", 2,
        "--learning-rate", "1e-3", "--max-area", 0.5, "--aggregation", "token",
        "--validation", questions(tmp_path, range(4, 6), "held_out.jsonl"),
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    assert "engine: local" in first.stderr
    assert [f"after {steps} steps: accuracy 0" in first.stderr for steps in (0, 1, 2, 3)] == [True, True, True, False]
    recorded = json.loads((tmp_path / "rl" / "settings.json").read_text())
    assert recorded["algorithm"]["aggregation"] == "token"
    checkpoint = Path(first.stdout.strip())
    assert checkpoint == tmp_path / "rl" / "step-000002"
    metrics = [json.loads(line) for line in (tmp_path / "rl" / "metrics.jsonl").read_text().splitlines()]
    assert "validation/accuracy_without_crops" in metrics[2]
    assert {"reward", "reward/answer", "reward/area_guard", "iou", "mu1_max", "kl", "invalid_calls", "area_fraction",
            "zero_variance_groups", "tokens_per_second"} <= metrics[1].keys()  # fmt: skip
    assert list((tmp_path / "rl" / "tensorboard").iterdir())
    with pytest.raises(SystemExit) as ended:
        run_here("train_sft", data, "--model", checkpoint, "--out", tmp_path / "sft", *SMALL, "--learning-rate", "1e-3")
    assert ended.value.code == 0
    tuned = capsys.readouterr().out.strip()
    assert tuned == str(tmp_path / "sft" / "step-000002")
    asked = subprocess.run(
        [sys.executable, "-m", "hart_agent", "ask", str(tmp_path / "0.png"), "what?", "--backend", "transformers",
         "--model", tuned, "--mode", "closed-loop", "--json", "--max-tokens", "8", "--max-turns", "2"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert asked.returncode == 3, asked.stderr  # random words: no answer, and no crash
    assert json.loads(asked.stdout)["mode"] == "closed-loop"


def test_a_dry_run_shows_rollouts_and_trains_nothing(
    folders: Folders, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_here("train_ap_grpo", data, "--model", folders("qwen3-vl"), "--out", tmp_path / "run", *SMALL, "--dry-run")
    stdout = capsys.readouterr().out
    assert ended.value.code == 0
    assert [f"rollout {number}:" in stdout for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert "tokens written" in stdout
    shown = [line.partition("|")[0].strip() for line in stdout.splitlines() if "|" in line]
    assert {"loss", "no loss"} <= set(shown)  # as text: there may be no colours
    assert load_trace(tmp_path / "run" / "dry-run-1.json")["mode"] == "closed-loop"
    assert not list((tmp_path / "run").glob("step-*"))


def test_a_dry_run_of_openrlhf_shows_what_it_would_roll_out(
    folders: Folders, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It needs neither OpenRLHF nor the run's optimiser, and leaves no manifest that the run would not fit.

    New adapters add nothing yet. A flag that the run would refuse is refused.
    """

    def shown(*more: object) -> str:
        with pytest.raises(SystemExit) as ended:
            run_here("train_ap_grpo", data, "--model", folders("qwen3-vl"), "--out", tmp_path / "run", *SMALL,
                     "--dry-run", "--engine", "openrlhf", "--group-size", 4, *more)  # fmt: skip
        output = capsys.readouterr()
        assert ended.value.code == (2 if "critic" in output.err else 0)
        return output.out

    whole = shown()
    assert "rollout 3:" in whole
    assert shown("--lora-rank", 4, "--actor.freeze_visual_encoder") == whole
    assert shown("--critic.freezing_steps", 1) == ""
    assert load_trace(tmp_path / "run" / "dry-run-1.json")["mode"] == "closed-loop"
    assert not (tmp_path / "run" / "settings.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--k", 2), "k must be 0 to 1"),
        (("--prompts-per-step", 9), "only 4"),
        (("--reward", "nowhere:nothing"), "can't be loaded"),
        (("--engine", "openrlhf"), "-m pip install "),
        (("--engine", "openrlhf", "--algorithm", "medvr"), "entropy of whole distributions"),
        (("--max-area", 2), "share of the image"),
        (("--model", "nowhere"), "no folder 'nowhere'"),
        (("--rl-share", 1), "between 0 and 1"),
        (("--validation", "questions.jsonl"), "images are in both sets"),
    ],
)
def test_mistakes_are_one_line_before_anything_starts(
    folders: Folders,
    data: Path,
    tmp_path: Path,
    arguments: tuple[object, ...],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = [data if argument == data.name else argument for argument in arguments]
    with pytest.raises(SystemExit) as ended:
        run_here("train_ap_grpo", data, "--model", folders("qwen3-vl"), "--out", tmp_path / "run", *SMALL, *own)
    assert ended.value.code == 2
    stderr = capsys.readouterr().err
    assert words in stderr.strip().splitlines()[-1]
    assert "Traceback" not in stderr
    assert not list(tmp_path.rglob("step-*"))


@pytest.mark.parametrize("module", ["train_ap_grpo", "train_sft"])
def test_help_is_whole_at_80_columns(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        run_here(module, "--help")
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "<bool>" not in shown
    assert "…" not in shown
    assert "--strict-reading / --no-strict-reading" in shown
    assert "Seed of sampling and of the order of the" in shown


def test_a_config_file_and_the_reading_of_answers_reach_the_settings(
    folders: Folders, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(f"policy:\n  model: {folders('qwen3-vl')}\nrun: {{steps: 1, seed: 3}}\nstrict_reading: false\n")
    with config.open("a") as file:
        file.write("coordinates: unit\nmax_images: 3\n")
    out = tmp_path / "sft"
    with pytest.raises(SystemExit) as ended:
        run_here(
            "train_sft", data, "--out", out, "--config", config, "--seed", 4, "--prompts-per-step", 2,
            "--max-pixels", 16_384,
        )  # fmt: skip
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == str(out / "step-000001")
    settings = json.loads((out / "settings.json").read_text())
    assert (settings["seed"], settings["strict_reading"], settings["learning_rate"]) == (4, False, 1e-5)
    assert (settings["coordinates"], settings["max_images"], settings["max_tokens"]) == ("unit", 3, 512)


def test_images_of_the_other_stage_are_refused(folders: Folders, data: Path, tmp_path: Path) -> None:
    done = run("train_sft", data, "--model", folders("qwen3-vl"), "--out", tmp_path / "run", "--apart-from", data)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "images are in both sets" in line


def test_one_file_serves_both_stages(folders: Folders, tmp_path: Path) -> None:
    """Each takes its own part of the images, by the same share."""
    data = questions(tmp_path, range(8), "questions.jsonl")
    used = {}
    for module, more in (("train_ap_grpo", ("--group-size", 2)), ("train_sft", ())):
        options = ("--model", folders("qwen3-vl"), "--out", tmp_path / module, "--rl-share", 0.5, *SMALL, *more)
        with pytest.raises(SystemExit) as ended:
            run_here(module, data, *options, "--steps", 1)
        assert ended.value.code == 0
        used[module] = json.loads((tmp_path / module / "settings.json").read_text())["questions"]
    samples = load_samples(data)
    parts = [stage_part(samples, 0.5, supervised=supervised) for supervised in (False, True)]
    assert list(used.values()) == [fingerprint(part) for part in parts]


STEADY = {"called_tool": 1.0, "area_fraction": 0.1, "iou": 0.4, "reward": 0.5, "zero_variance_groups": 0.2}


@pytest.mark.parametrize(
    ("later", "words"),
    [
        ({"called_tool": 0.1}, "tool calls are dying out"),
        ({"area_fraction": 0.6}, "the boxes grow"),
        ({"reward": 0.8, "iou": 0.2}, "reward rises"),
        ({"zero_variance_groups": 0.99}, "equal rewards"),
        ({}, None),
        ({"reward": 0.8}, None),
    ],
)
def test_the_known_collapses_raise_an_alarm(later: dict[str, float], words: str | None) -> None:
    history = [STEADY] * WINDOW + [{**STEADY, **later}] * WINDOW
    found = alarms(history)
    assert len(found) == (words is not None)
    assert words is None or words in found[0]
    assert alarms(history[:-1]) == []  # too early to tell
