"""AP-GRPO beside a real step of TRL's GRPOTrainer, on the same rollouts: advantages, loss and gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'hart-agent[transformers]'")
from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: E402
from trl import GRPOConfig, GRPOTrainer  # noqa: E402

from rl.ap_grpo import ap_grpo_loss, rollout_weights  # noqa: E402
from rl.config import AlgorithmConfig  # noqa: E402

GROUPS, SIZE, LENGTH = 3, 4, 6
BETA, CLIP = 0.04, 0.1
TRL_EPSILON = 1e-4
"""What TRL adds to a group's standard deviation."""


@dataclass
class Step:
    """What TRL's trainer worked with in one step, before it changed the weights."""

    rewards: list[float] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    old: Any = None


class Recorder(GRPOTrainer):
    step: Step

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        made = super()._generate_and_score_completions(inputs)
        self.step.inputs = dict(made)  # in the order of the rewards; TRL shuffles what comes after
        self.step.old = log_probs(self, made).detach()
        return made


def log_probs(trainer: GRPOTrainer, inputs: dict[str, Any]) -> Any:
    """Of the completions under the weights as they are now, shape (B, T), by TRL's own code."""
    token_ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    return trainer._get_per_token_logps_and_entropies(
        trainer.model, token_ids, mask, inputs["completion_ids"].shape[1], compute_entropy=True
    )[0]


@pytest.fixture(scope="module", params=["grpo", "bnpo"])
def trainer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """TRL's trainer after one step on a tiny model: 3 questions, 4 rollouts of up to 6 tokens each."""
    words = ["<pad>", "<end>", *"abcdefgh"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=32, initializer_range=0.3, pad_token_id=0, eos_token_id=1, bos_token_id=None,
        )
    )  # fmt: skip
    step = Step()

    def reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
        step.rewards = [float(sum(ids) % 2) for ids in completion_ids]
        return step.rewards

    folder: Path = tmp_path_factory.mktemp("trl")
    model.save_pretrained(folder / "model")  # TRL reads its reference from there
    made = Recorder(
        model=str(folder / "model"),
        reward_funcs=reward,
        args=GRPOConfig(
            output_dir=str(folder / "run"), max_steps=1, per_device_train_batch_size=GROUPS * SIZE,
            num_generations=SIZE, max_completion_length=LENGTH, loss_type=request.param, beta=BETA, epsilon=CLIP,
            use_bias_correction_kl=False,  # a default of TRL: the KL times the ratio, which is not GRPO's
            learning_rate=0.05, use_cpu=True, bf16=False, activation_checkpointing=False, report_to="none",
            save_strategy="no", logging_strategy="no", disable_tqdm=True, seed=3,
        ),
        train_dataset=Dataset.from_list([{"prompt": text} for text in ("a b", "c d e", "f")]),
        processing_class=PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>"),
    )  # fmt: skip
    made.step = step
    made.train()
    return made


def config(trainer: Recorder, k: float) -> AlgorithmConfig:
    aggregation = {"grpo": "sequence", "bnpo": "token"}[trainer.loss_type]
    return AlgorithmConfig(k=k, beta=BETA, group_size=SIZE, clip=CLIP, aggregation=aggregation, epsilon=TRL_EPSILON)


def gradients(trainer: Recorder, loss: Any) -> Any:
    trainer.model.zero_grad()
    loss.backward()
    return torch.cat([parameter.grad.flatten() for parameter in trainer.model.parameters()])


def ours(trainer: Recorder, k: float) -> Any:
    step = trainer.step
    mask = step.inputs["completion_mask"]
    weights = rollout_weights(torch.tensor(step.rewards), mask.sum(dim=1), config(trainer, k))
    new, ref = log_probs(trainer, step.inputs), step.inputs["ref_per_token_logps"]
    return ap_grpo_loss(new, step.old, ref, mask, weights, config(trainer, k))


def test_the_step_has_all_that_matters(trainer: Recorder) -> None:
    """Replies of several lengths, groups with and without differing rewards, ratios that are clipped, a KL."""
    step = trainer.step
    lengths = step.inputs["completion_mask"].sum(dim=1)
    assert len(set(lengths.tolist())) > 2
    spreads = torch.tensor(step.rewards).view(GROUPS, SIZE).std(dim=1)
    assert (spreads > 0).any()
    loss = ours(trainer, 0.0)
    assert 0 < float(loss.clipped) < 1
    assert float(loss.kl) > 1e-3


def test_advantages_are_trls(trainer: Recorder) -> None:
    lengths = trainer.step.inputs["completion_mask"].sum(dim=1)
    weights = rollout_weights(torch.tensor(trainer.step.rewards), lengths, config(trainer, 0.0))
    torch.testing.assert_close(weights.advantages, trainer.step.inputs["advantages"], atol=1e-6, rtol=0)


def test_k_of_0_is_trls_loss_and_gradients(trainer: Recorder) -> None:
    inputs = {**trainer.step.inputs, "old_per_token_logps": trainer.step.old}
    theirs = GRPOTrainer._compute_loss(trainer, trainer.model, inputs)
    loss = ours(trainer, 0.0).value
    assert float(loss.detach()) == pytest.approx(float(theirs.detach()), abs=1e-6)
    torch.testing.assert_close(gradients(trainer, loss), gradients(trainer, theirs), atol=1e-6, rtol=1e-5)


def test_other_k_is_trls_loss_of_each_rollout_with_weights_of_its_own(
    trainer: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rollout alone through TRL, with mu1 A as its advantage and mu2 as its beta, from the paper's formulas."""
    k, step = 0.6, trainer.step
    rewards = torch.tensor(step.rewards).view(GROUPS, SIZE)
    preference = (k * (rewards - rewards.mean(dim=1, keepdim=True))).flatten()
    lengths = step.inputs["completion_mask"].sum(dim=1).float()
    shares = lengths / lengths.sum() if trainer.loss_type == "bnpo" else torch.full_like(lengths, 1 / len(lengths))
    total = torch.zeros(())
    for row, share in enumerate(shares):
        monkeypatch.setattr(trainer, "beta", BETA * float(1 - preference[row]))
        rows = {name: value[row : row + 1] for name, value in step.inputs.items() if getattr(value, "ndim", 0)}
        rows |= {"old_per_token_logps": step.old[row : row + 1]}
        rows["advantages"] = rows["advantages"] * (1 + preference[row])
        total = total + share * GRPOTrainer._compute_loss(trainer, trainer.model, rows)
    loss = ours(trainer, k).value
    assert float(loss.detach()) == pytest.approx(float(total.detach()), abs=1e-6)
    torch.testing.assert_close(gradients(trainer, loss), gradients(trainer, total), atol=1e-6, rtol=1e-5)
    assert abs(float(loss.detach()) - float(ours(trainer, 0.0).value.detach())) > 1e-4
