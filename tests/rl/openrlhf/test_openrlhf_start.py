"""How OpenRLHF is started, and what a run says when it ends; a shell script stands for Python in it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tiny_backend import Folders, folders, one_thread  # noqa: F401 (fixtures)
from training_questions import plain_questions

pytest.importorskip("torch", reason="torch and transformers are not installed: pip install 'hart-agent[train]'")
pytest.importorskip("yaml", reason="PyYAML is not installed: pip install 'hart-agent[train]'")

from hart_agent import ConfigError, PolicyError
from hart_agent.evals.items import Item
from rl import train_ap_grpo, train_sft
from rl.command_line import run_command
from rl.config import AlgorithmConfig, RunSettings, SftSettings, TrainSettings
from rl.openrlhf import __main__ as entrance
from rl.openrlhf.flags import KNOWN, flags_of, sft_flags
from rl.openrlhf.launch import current_run, train_on_openrlhf
from rl.training.manifest import Manifest


@pytest.fixture
def run(folders: Folders, tmp_path: Path) -> Manifest[TrainSettings]:
    settings = TrainSettings(
        model=str(folders("qwen3-vl")),
        steps=2,
        prompts_per_step=1,
        micro_batch=1,
        algorithm=AlgorithmConfig(group_size=2),
    )
    return Manifest(out=tmp_path / "run", settings=settings, data=tmp_path / "q.jsonl", questions="q")


@pytest.fixture
def questions(tmp_path: Path) -> list[Item]:
    return plain_questions(tmp_path, 2)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have a shell script, which is given the command, run in Python's place."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "OpenRLHF ended with code 3: the first error above says why. Run .*; there is no checkpoint yet"),
        ('mkdir "$3/step-000001"; kill -9 $$', "was killed by signal 9: .*; it is resumed from step-000001"),
    ],
)
def test_how_it_ended_is_told(
    run: Manifest[TrainSettings],
    questions: list[Item],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    words: str,
) -> None:
    stand_in(tmp_path, monkeypatch, script)
    with pytest.raises(PolicyError, match=words):
        train_on_openrlhf(run, questions, flags_of(run.out, run.settings, {}))


def test_it_is_given_the_questions_of_all_steps_and_those_held_out(
    run: Manifest[TrainSettings],
    questions: list[Item],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand_in(tmp_path, monkeypatch, 'echo "$@" > "$3/given.txt"; mkdir "$3/step-000002"')
    flags = flags_of(run.out, run.settings, {}, validated=True)
    held_out = tmp_path / "held_out.jsonl"
    with caplog.at_level("INFO", logger="rl"):
        assert train_on_openrlhf(run, questions, flags, questions[:1], held_out) == run.out / "step-000002"
        assert "the run is complete" not in caplog.text
        (run.out / "given.txt").rename(tmp_path / "given.txt")
        assert train_on_openrlhf(run, questions, flags, questions[:1], held_out) == run.out / "step-000002"
    assert "the run is complete" in caplog.text
    assert not (run.out / "given.txt").exists()  # it was not started again
    words = (tmp_path / "given.txt").read_text()
    assert words.startswith(f"-m rl.openrlhf {run.out} --")
    for flag in (
        f"--eval.dataset {run.out / 'validation.jsonl'}", "--eval.steps 50", "--eval.temperature 0.0",
        "--eval.n_samples_per_prompt 1", f"--data.prompt_dataset {run.out / 'prompts.jsonl'}",
    ):  # fmt: skip
        assert f" {flag} " in f"{words.strip()} "
    asked = [json.loads(line)["label"] for line in (run.out / "prompts.jsonl").read_text().splitlines()]
    assert sorted(asked) == sorted(each.id for each in questions)  # in two steps of one
    labels = [json.loads(json.loads(line)["label"]) for line in (run.out / "validation.jsonl").read_text().splitlines()]
    assert labels == [[str(held_out), mode, questions[0].id] for mode in ("closed-loop", "direct")]


def test_validation_and_async_training_exclude_each_other(run: Manifest[TrainSettings]) -> None:
    with pytest.raises(ConfigError, match=r"--validation can't be used with --train\.async_enable: .*hart-agent eval"):
        flags_of(run.out, run.settings, {"train.async_enable": True}, validated=True)


def test_fine_tuning_is_given_its_flags_and_the_held_out_questions(tmp_path: Path) -> None:
    settings = SftSettings(model="m", prompts_per_step=4, micro_batch=2)
    assert sft_flags(settings, 2, {"ds.adam_offload": True}, None) == {"ds.adam_offload": True}
    path = tmp_path / "v.jsonl"
    assert sft_flags(settings, 2, {}, path) == {"eval.dataset": str(path)}
    with pytest.raises(
        ConfigError, match=r"4 questions of a step can't be shared by 3 GPUs .* of 2: 6 must divide them"
    ):
        sft_flags(settings, 3, {}, None)
    with pytest.raises(ConfigError, match="trains in bfloat16 or float16, not in float32"):
        sft_flags(replace(settings, dtype="float32"), 2, {}, None)


def test_a_run_of_another_engine_is_not_taken_up(tmp_path: Path) -> None:
    Manifest(out=tmp_path, settings=RunSettings(model="m")).save(may_change=())
    record = json.loads((tmp_path / "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps(record | {"engine": "local", "data": "q.jsonl"}))
    with pytest.raises(ConfigError, match=r"holds no run on OpenRLHF \(it was started with another engine\)\. Start"):
        Manifest.load(tmp_path, RunSettings)


VALUES: dict[str, tuple[Any, ...]] = {
    "device": ("cuda:0",), "warmup": (3,), "schedule": ("linear",), "optimiser": ("adamw-8bit",),
    "generation_batch": (4,), "train_part": ("language",), "gradient_checkpointing": (), "attention": ("sdpa",),
    "redraws": (2,), "rollouts": ("vllm",), "vllm_memory": (0.3,), "curriculum": (), "branching": (),
}  # fmt: skip


def one_question(folder: Path) -> Path:
    plain_questions(folder, 1)
    path = folder / "q.jsonl"
    path.write_text(json.dumps({"image": "0.png", "question": "what?", "answer": "x"}) + "\n")
    return path


def refused(module: Any, arguments: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        run_command(module.train, list(map(str, arguments)))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("name", KNOWN["local"])
def test_what_only_one_machine_has_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    arguments = [one_question(tmp_path), "--model", "m", "--out", tmp_path / "run", "--engine", "openrlhf"]
    option = f"--{name.replace('_', '-')}"
    said = refused(train_ap_grpo, [*arguments, option, *VALUES[name]], capsys)
    assert said.endswith(f"the engine openrlhf has no {option}: {KNOWN['local'][name]}")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--engine", "openrlhf", "--curriculum"], "the engine openrlhf has no --curriculum"),
        (["--engine", "local", "--vllm.num_engines", "2"], "is a flag of OpenRLHF: add --engine openrlhf"),
        (["--validation", "v.jsonl", "--train.async_enable"], "--validation can't be used with --train.async_enable"),
    ],
)
def test_what_a_run_would_refuse_is_refused_for_its_plan_and_before_questions_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    arguments = [tmp_path / "nowhere.jsonl", "--model", "m", "--out", tmp_path / "run"]
    assert words in refused(train_ap_grpo, [*arguments, "--plan", *more], capsys)
    if "--engine" in more:
        assert words in refused(train_ap_grpo, [*arguments, *more], capsys)


def test_openrlhf_and_its_workers_are_handed_the_run(
    run: Manifest[TrainSettings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It starts OpenRLHF with its own flags alone, and Ray with the run's folder and the user's own variables."""
    run.save(may_change=())
    started: dict[str, Any] = {}
    ray, workers = ModuleType("ray"), ModuleType("rl.openrlhf.workers")
    ray.init = lambda runtime_env: started.update(**runtime_env)  # type: ignore[attr-defined]
    workers.install = lambda: started.update(ours=True)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "rl.openrlhf.workers", workers)
    monkeypatch.setattr(entrance, "check_versions", lambda: None)
    monkeypatch.setattr(entrance.runpy, "run_module", lambda name, **_: started.update(module=name, flags=sys.argv[1:]))
    monkeypatch.setattr(sys, "argv", ["rl.openrlhf", str(run.out), "--train.seed", "3"])
    monkeypatch.setenv("NCCL_DEBUG", "INFO")
    monkeypatch.setenv("HART_RUN", "")
    entrance.main()
    told = {"HART_RUN": str(run.out), "NCCL_DEBUG": "INFO", "TOKENIZERS_PARALLELISM": "true"}
    assert told.items() <= started["env_vars"].items()
    assert started["ours"]
    assert (started["module"], started["flags"]) == ("openrlhf.cli.train_ppo_ray", ["--train.seed", "3"])
    assert current_run() == run
    monkeypatch.setattr(sys, "argv", ["rl.openrlhf", str(run.out / "nowhere")])
    with pytest.raises(SystemExit):
        entrance.main()
    assert "holds no run on OpenRLHF" in capsys.readouterr().err


def test_a_wrong_flag_of_fine_tuning_is_refused_before_the_model_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no such model; distilled targets would need it."""
    plain_questions(tmp_path, 1)
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"image": "0.png", "question": "what?", "answer": "x"}) + "\n")
    arguments = [
        path,
        "--model",
        "nowhere",
        "--out",
        tmp_path / "run",
        "--engine",
        "openrlhf",
        "--targets",
        "distilled",
    ]
    assert "--ds.zero_stage must be a whole number" in refused(train_sft, [*arguments, "--ds.zero_stage", "x"], capsys)


def test_each_setting_that_the_flags_name_is_there() -> None:
    """`flags.toml` names settings; one that is renamed must be renamed there, too."""
    for path in (*KNOWN["settings"].values(), *KNOWN["default_settings"].values(), *KNOWN["local"]):
        attrgetter(path)(TrainSettings(model="m"))


def test_a_vocabulary_needs_a_mode_that_speaks_it() -> None:
    settings = TrainSettings(model="m", vocabulary="deepeyes")
    with pytest.raises(ConfigError, match="mode must be agent or direct with a vocabulary; got closed-loop"):
        settings.episode()
    assert replace(settings, mode="agent").episode().mode.name == "agent"


def test_a_missing_package_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise ImportError("No module named 'peft'")

    with pytest.raises(SystemExit) as ended:
        run_command(command, [])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "a package is missing (No module named 'peft'). Run: " in said
    assert "[train]" in said
