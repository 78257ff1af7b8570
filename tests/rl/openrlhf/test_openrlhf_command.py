"""From a config file to OpenRLHF's command, without OpenRLHF."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hart_agent import ConfigError, InstallError, Mode
from hart_agent.answers import AnswerType
from hart_agent.evals.items import Item
from rl import train_ap_grpo
from rl.command_line import read_config, run_command
from rl.config import AlgorithmConfig, SftSettings, TrainSettings
from rl.openrlhf import launch as versions
from rl.openrlhf.flags import KNOWN, Flag, check_flags, command_line, parse_flags, sft_flags, shown, split_flags
from rl.openrlhf.flags import flags_of as all_flags
from rl.openrlhf.launch import FOLDER_VARIABLE, MAY_CHANGE, current_run, write_run
from rl.rewards import AreaGuard, TightnessBonus, reward_of
from rl.training.manifest import Manifest

pytest.importorskip("yaml", reason="PyYAML is not installed: pip install 'hart-agent[train]'")


def a_run(folder: Path, **changes: object) -> Manifest[TrainSettings]:
    settings = TrainSettings(model="org/model", steps=3, prompts_per_step=4, micro_batch=2)
    return Manifest(out=folder / "run", data=folder / "q.jsonl", settings=replace(settings, **changes))  # type: ignore[arg-type]


def flags_of(run: Manifest[TrainSettings], passed_on: dict[str, Flag]) -> dict[str, Flag]:
    return all_flags(run.out, run.settings, passed_on)


def test_the_command_holds_the_settings(tmp_path: Path) -> None:
    algorithm = AlgorithmConfig(k=0.3, beta=0.05, group_size=6)
    run = a_run(tmp_path, algorithm=algorithm, learning_rate=2e-6, temperature=0.9, seed=5, checkpoint_every=2)
    command = command_line(run.out, flags_of(run, {}))
    assert command[:4] == [sys.executable, "-m", "rl.openrlhf", str(run.out)]
    for words in (
        "--actor.model_name_or_path org/model", "--rollout.batch_size 4", "--rollout.n_samples_per_prompt 6",
        "--train.batch_size 24", "--train.micro_batch_size 2", "--rollout.temperature 0.9", "--train.seed 5",
        "--algo.advantage.estimator group_norm", "--algo.kl.init_coef 0.05", "--algo.kl.use_loss",
        "--algo.kl.estimator k3", "--actor.adam.lr 2e-06", "--actor.adam.betas 0.9 0.95", "--ckpt.save_steps 2",
        "--ckpt.load_enable", "--actor.lr_scheduler constant", "--ref.num_gpus_per_node 1", "--ds.param_dtype bf16",
    ):  # fmt: skip
        assert f" {words} " in f"{' '.join(command)} "
    assert Path(command[command.index("--train.agent_func_path") + 1]).is_file()


def test_without_kl_there_is_no_reference(tmp_path: Path) -> None:
    command = command_line(tmp_path, flags_of(a_run(tmp_path, algorithm=AlgorithmConfig(beta=0.0)), {}))
    assert command[command.index("--algo.kl.init_coef") + 1] == "0.0"
    assert "--algo.kl.use_loss" not in command


def test_passed_flags_override_our_defaults(tmp_path: Path) -> None:
    passed_on = parse_flags(["--vllm.num_engines", "4", "--train.colocate_all", "--actor.num_gpus_per_node=4",
                             "--actor.adam.eps", "1e-6", "--ds.lora.target_modules", "q", "k"])  # fmt: skip
    flags = flags_of(a_run(tmp_path), passed_on)
    assert (flags["vllm.num_engines"], flags["train.colocate_all"], flags["ref.num_gpus_per_node"]) == ("4", True, "4")
    assert flags["ds.lora.target_modules"] == ["q", "k"]
    words = " ".join(command_line(tmp_path, {**flags, "ds.overlap_comm": False}))
    assert "--train.colocate_all --" in words
    assert "overlap_comm" not in words


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("rollout.n_samples_per_prompt", "use --group-size"),
        ("algo.kl.init_coef", "use --beta"),
        ("algo.advantage.estimator", "always the same"),
        ("algo.advantage.is_correction_level", "can't be used"),
        ("ds.packing_samples", "can't pack images"),
        ("reward.remote_url", "--reward"),
        ("rollout.top_p", "not cut off at top_p"),
        ("critic.freezing_steps", "freezes the policy"),
        ("critic.adam.lr", "has no critic"),
        ("ds.load_in_4bit", "not quantised"),
        ("ds.use_liger_kernel", "no log-probabilities"),
        ("data.max_samples", "fewer questions"),
        ("ds.lora.dropout", "the one that sampled"),
        ("eval.dataset", "use --validation"),
        ("vllm.num_engine", "is not a flag that is passed on to OpenRLHF; there are: vllm.num_engines"),
    ],
)
def test_flags_that_would_undo_ap_grpo_are_refused(flag: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_flags({flag: "1"})


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("vllm.num_engines", "many", "must be a whole number, got 'many'"),
        ("vllm.gpu_memory_utilization", "half", "must be a number, got 'half'"),
        ("train.colocate_all", "yes", "must be a switch, got 'yes'"),
        ("ds.attn_implementation", True, "must be a text, got True"),
        ("ds.attn_implementation", ["sdpa", "eager"], "must be a text, got"),
        ("vllm.gpu_memory_utilization", "nan", "must be a number, got 'nan'"),
        ("ds.lora.target_modules", True, "must be a list, got True"),
        *((name, "0", "must be 1 or more, got '0'") for name in KNOWN["counts"]),
    ],
)
def test_a_value_of_another_kind_is_refused(flag: str, value: Flag, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_flags({flag: value})


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("ds.zero_stage", "many", "must be a whole number, got 'many'"),
        ("ds.adam_offload", "yes", "must be a switch, got 'yes'"),
        ("ds.zero_stge", "3", "is not a flag of fine-tuning; there are: ds.zero_stage"),
        ("vllm.num_engines", "2", "is not a flag of fine-tuning; there are: actor.freeze_visual_encoder, "),
        ("ds.lora.rank", "8", "use --lora-rank"),
    ],
)
def test_fine_tuning_takes_its_own_flags_by_their_kinds(flag: str, value: Flag, words: str) -> None:
    check_flags({"ds.zero_stage": 3, "ds.adam_offload": True}, supervised=True)
    with pytest.raises(ConfigError, match=words):
        check_flags({flag: value}, supervised=True)


def test_a_switch_is_turned_off_on_the_command_line(tmp_path: Path) -> None:
    name = "actor.gradient_checkpointing_enable"
    assert f"--{name}" in command_line(tmp_path, flags_of(a_run(tmp_path), {}))
    for words in ([f"--{name}", "false"], [f"--{name}=false"]):
        assert f"--{name}" not in command_line(tmp_path, flags_of(a_run(tmp_path), parse_flags(words)))
    assert parse_flags(["--ds.adam_offload", "true", "--ds.overlap_comm"]) == {
        "ds.adam_offload": True, "ds.overlap_comm": True
    }  # fmt: skip


def test_no_limit_is_a_number() -> None:
    check_flags({"actor.max_norm": "inf", "ckpt.max_num": "9" * 400})


@pytest.mark.parametrize("share", ["inf", "0", "-0.5", "1.1"])
def test_a_share_of_the_memory_is_over_0_and_at_most_1(share: str) -> None:
    check_flags({"vllm.gpu_memory_utilization": "1"})
    with pytest.raises(ConfigError, match="must be over 0 and at most 1"):
        check_flags({"vllm.gpu_memory_utilization": share})


def test_several_epochs_need_a_clipped_ratio(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs --clip"):
        flags_of(a_run(tmp_path), {"train.max_epochs": "2"})
    clipped = a_run(tmp_path, algorithm=AlgorithmConfig(clip=0.2))
    assert flags_of(clipped, {"train.max_epochs": 2})["train.max_epochs"] == 2


def test_micro_gradients_are_added_up_in_float32(tmp_path: Path) -> None:
    assert flags_of(a_run(tmp_path), {})["ds.grad_accum_dtype"] == "fp32"
    assert flags_of(a_run(tmp_path), {"ds.grad_accum_dtype": "bf16"})["ds.grad_accum_dtype"] == "bf16"


def test_inconsistent_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="48 must divide them"):
        flags_of(a_run(tmp_path, micro_batch=6), {"actor.num_gpus_per_node": 8})
    with pytest.raises(ConfigError, match="must be a whole number, got 'many'"):
        flags_of(a_run(tmp_path), {"actor.num_gpus_per_node": "many"})
    with pytest.raises(ConfigError, match="not in float32"):
        flags_of(a_run(tmp_path, dtype="float32"), {})


def test_adapters_have_the_rank_and_scale_of_the_settings(tmp_path: Path) -> None:
    for given, expected in (({}, 8), ({"lora_alpha": 32}, 32)):
        settings = TrainSettings(model="m", lora_rank=8, prompts_per_step=4, **given)
        flags = all_flags(tmp_path, settings, {})
        assert (flags["ds.lora.rank"], flags["ds.lora.alpha"]) == (8, expected)
        assert flags["actor.adam.lr"] == 1e-5
    with pytest.raises(ConfigError, match="use --lora-rank"):
        check_flags({"ds.lora.rank": 8})


def test_fine_tuning_is_validated_where_each_process_has_a_whole_model(tmp_path: Path) -> None:
    settings = SftSettings(model="m", micro_batch=1)
    with pytest.raises(ConfigError, match=r"--validation needs --ds\.zero_stage 2"):
        sft_flags(settings, 1, {"ds.zero_stage": "3"}, tmp_path / "held_out.jsonl")


def test_a_command_line_is_split() -> None:
    assert split_flags(["q.jsonl", "--k", "0.5", "--vllm.num_engines", "8"]) == (
        ["q.jsonl", "--k", "0.5"], ["--vllm.num_engines", "8"]
    )  # fmt: skip
    assert split_flags(["./q.v1.jsonl", "--out=a.b"]) == (["./q.v1.jsonl", "--out=a.b"], [])
    with pytest.raises(ConfigError, match="--group-size has no dot"):
        parse_flags(["--vllm.num_engines", "8", "--group-size", "4"])


def test_a_run_is_read_back_unchanged(tmp_path: Path) -> None:
    algorithm = AlgorithmConfig(k=0.0, clip=0.2)
    run = a_run(tmp_path, mode=Mode.MGPO, algorithm=algorithm, max_area=0.4, tightness=2.0)
    questions = [Item(name, tmp_path, text, "x", AnswerType.TEXT) for name, text in (("a", "What?"), ("b", "Zürich?"))]
    write_run(run, ["python", "-m", "rl.openrlhf", "--x.y", "a b"], questions, may_change=MAY_CHANGE)
    assert Manifest.load(run.out, TrainSettings) == run
    assert [json.loads(line) for line in (run.out / "prompts.jsonl").read_text(encoding="utf-8").splitlines()] == [
        {"prompt": "What?", "label": "a"}, {"prompt": "Zürich?", "label": "b"}
    ]  # fmt: skip
    assert (run.out / "command.sh").read_text() == "#!/bin/sh\nexec python -m rl.openrlhf \\\n  --x.y 'a b'\n"
    reward = reward_of(run.settings)
    assert isinstance(reward, AreaGuard)
    assert isinstance(reward.reward, TightnessBonus)

    def save(**changes: Any) -> None:
        replace(run, settings=replace(run.settings, **changes)).save(may_change=MAY_CHANGE)

    with pytest.raises(ConfigError, match=r"started with other settings: .*max_area"):
        save(max_area=0.5)
    with pytest.raises(ConfigError, match="started with other settings: steps"):
        save(steps=9)
    save(micro_batch=1)
    assert Manifest.load(run.out, TrainSettings).settings.micro_batch == 1


def test_a_process_outside_a_run_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="only inside python -m"):
        current_run()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(ConfigError, match="holds no run on OpenRLHF"):
        current_run()


def test_a_shell_reads_the_command_back(tmp_path: Path) -> None:
    command = ["echo", "--a.b", "it's $HOME", "--c.d"]
    said = subprocess.run(["sh", "-c", shown(command)], capture_output=True, text=True, check=True).stdout
    assert said == "--a.b it's $HOME --c.d\n"


def test_untested_versions_are_refused_and_the_tested_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"openrlhf": "0.11.2", "vllm": "0.29.0+cu130", "ray": "2.55.0", "deepspeed": "0.19.6",
                 "transformers": "5.15.0", "torch": "2.13.0+cu130"}  # fmt: skip
    monkeypatch.setattr(versions, "installed_version", installed.get)
    versions.check_versions()
    installed["openrlhf"] = "0.12.0"
    with pytest.raises(ConfigError, match=r"openrlhf 0.12.0 was not tested .* 0.11.2 was.*pip install"):
        versions.check_versions()
    installed |= {"openrlhf": "0.11.2", "transformers": "5.24.0"}
    with pytest.raises(ConfigError, match=r"transformers 5.24.0 was not .* 5.15.0 was.*environment of its own"):
        versions.check_versions()
    del installed["openrlhf"]
    with pytest.raises(InstallError, match=r"needs the package openrlhf.*\[rl\]"):
        versions.check_versions()


def test_help_and_mistakes_wait_for_no_torch() -> None:
    code = "import sys, rl.train_ap_grpo, rl.train_sft; print({'torch', 'transformers', 'ray'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


CONFIG = """
data:
  data: questions.jsonl
policy:
  model: org/model
algorithm:
  algorithm: mgpo
  group_size: 4
engine:
  engine: openrlhf
  openrlhf:
    vllm: {num_engines: 8}
    train.colocate_all: true
seed: 3
"""


def test_a_config_file_groups_options_and_flags(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    options, flags = read_config(path, ["data", "model", "algorithm", "group_size", "engine", "seed"])
    assert options == {
        "data": "questions.jsonl", "model": "org/model", "algorithm": "mgpo", "group_size": 4, "engine": "openrlhf",
        "seed": 3,
    }  # fmt: skip
    assert flags == {"vllm.num_engines": 8, "train.colocate_all": True}
    path.write_text("openrlhf: {logger: {wandb.group: null}, ds.zero_stage: null, ref.num_nodes: 2}\nseed: null\n")
    assert read_config(path, ["seed"]) == ({}, {"ref.num_nodes": 2})  # null is the default, of options and flags alike


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("grop_size: 4", "no option 'grop_size'; there are: group_size, k"),
        ("k: 1\nalgorithm: {k: 2}", "gives k twice"),
        ("- k", "options by name"),
        ("k: [", "can't be read"),
        ("openrlhf: 3", "flags by name"),
        ("openrlhf: &a {x: *a}", "holds an alias"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nk: [*b, *b]", "holds an alias"),
        ("a: &a {x: 1}\nopenrlhf: {<<: [*a, *a]}", "holds an alias"),
        ("k: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("k: [1, 2]", "k is a list; expected a text, a number"),
        ("k: 2026-11-30", "k is a date"),
        ("# " + "x" * 1_000_000, "larger than 1 MB"),
        ("openrlhf: {5: {true: 1}}\n1: 2", "no option 1"),
    ],
)
def test_a_wrong_config_file_is_reported(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_config(path, ["k", "group_size"])
    with pytest.raises(ConfigError, match="can't be read"):
        read_config(tmp_path / "missing.yaml", [])


def test_the_command_line_overrides_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through the real command, up to where OpenRLHF would start: it isn't installed here, or the run is refused."""
    Image.new("RGB", (90, 90)).save(tmp_path / "0.png")
    (tmp_path / "q.jsonl").write_text(json.dumps({"image": "0.png", "question": "what?", "answer": "x"}) + "\n")
    (tmp_path / "run.yaml").write_text(
        f"data: {tmp_path / 'q.jsonl'}\nout: {tmp_path / 'run'}\nmodel: org/model\nengine: openrlhf\nk: 9\n"
    )

    def train(*more: str) -> str:
        with pytest.raises(SystemExit) as ended:
            run_command(train_ap_grpo.train, ["--config", str(tmp_path / "run.yaml"), *more])
        assert ended.value.code == 2
        return capsys.readouterr().err

    assert "k must be 0 to 1" in train()
    assert "use --group-size" in train("--k", "0.5", "--plan", "--rollout.n_samples_per_prompt", "4")
    assert "is a flag of OpenRLHF: add --engine openrlhf" in train(
        "--k", "0.5", "--engine", "local", "--vllm.num_engines", "2"
    )
