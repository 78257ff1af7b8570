"""The trainer of TRL in examples/: its loss and gradients are those of rl/ap_grpo.py on the same tensors, to 1e-9."""

from __future__ import annotations

import runpy
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

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "trl_ap_grpo.py"))
APGRPOTrainer = EXAMPLE["APGRPOTrainer"]
ACCURACY = 1e-9
GROUPS, SIZE, LENGTH, BETA, CLIP, K = 3, 4, 6, 0.04, 0.1, 0.6
WORDS = ["<pad>", "<end>", *"abcdefgh"]


class Recorder(APGRPOTrainer):  # type: ignore[misc, valid-type]
    """Keeps what a step worked with, in the order of the rewards: TRL shuffles what comes after."""

    given: dict[str, Any]

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        self.given = super()._generate_and_score_completions(inputs)
        return self.given


def parity(completion_ids: list[list[int]], **_: Any) -> list[float]:
    return [float(sum(ids) % 2) for ids in completion_ids]


def trainer(folder: Path, loss_type: str, **changes: Any) -> Any:
    """After one step: 3 questions, 4 completions of up to 6 tokens each."""
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=32, initializer_range=0.3, pad_token_id=0, eos_token_id=1, bos_token_id=None,
        )
    ).save_pretrained(folder / "model")  # fmt: skip
    settings = {
        "max_steps": 1, "per_device_train_batch_size": GROUPS * SIZE, "num_generations": SIZE, "beta": BETA,
        "max_completion_length": LENGTH, "loss_type": loss_type, "epsilon": CLIP, "learning_rate": 0.05,
        "use_cpu": True, "bf16": False, "activation_checkpointing": False,
        "report_to": "none", "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True, "seed": 3,
    }  # fmt: skip
    return Recorder(
        model=str(folder / "model"),
        reward_funcs=parity,
        args=GRPOConfig(output_dir=str(folder / "run"), **{**settings, **changes}),
        train_dataset=Dataset.from_list([{"prompt": text} for text in ("a b", "c d e", "f")]),
        processing_class=PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>"),
        k=K,
    )


@pytest.mark.parametrize("loss_type", ["grpo", "bnpo", "dapo"])
def test_loss_and_gradients_are_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss_type: str) -> None:
    plain = GRPOTrainer._get_per_token_logps_and_entropies

    given_out = []

    def in_double(*arguments: Any, **named: Any) -> Any:  # TRL has single precision
        log_probs, *others = plain(*arguments, **named)
        given_out.append(log_probs.double())
        return given_out[-1], *others

    calculate = GRPOTrainer._calculate_rewards
    monkeypatch.setattr(GRPOTrainer, "_get_per_token_logps_and_entropies", in_double)
    monkeypatch.setattr(GRPOTrainer, "_calculate_rewards", lambda *given: calculate(*given).double())
    made = trainer(tmp_path, loss_type)
    made.train()
    given = made.given
    mask, model = given["completion_mask"], made.model
    token_ids = torch.cat([given["prompt_ids"], given["completion_ids"]], dim=1)
    seen = torch.cat([given["prompt_mask"], mask], dim=1)
    # As of a policy that has moved since the rollout: ratios differ from 1, and some are clipped.
    noise = torch.randn(mask.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    now = made._get_per_token_logps_and_entropies(model, token_ids, seen, mask.shape[1])[0]
    old = now.detach() + 0.1 * noise
    theirs = made._compute_loss(model, {**given, "old_per_token_logps": old})
    (of_theirs,) = torch.autograd.grad(theirs, given_out[-1])

    rewards = made._rewards[:, 0]
    assert float(rewards.view(GROUPS, SIZE).std(dim=1).max()) > 0
    assert len(set(mask.sum(dim=1).tolist())) > 2
    config = AlgorithmConfig(
        k=K, beta=BETA, group_size=SIZE, clip=CLIP, epsilon=EXAMPLE["EPSILON"],
        aggregation="sequence" if loss_type == "grpo" else "token",
    )  # fmt: skip
    weights = rollout_weights(rewards, mask.sum(dim=1), config)
    now = made._get_per_token_logps_and_entropies(model, token_ids, seen, mask.shape[1])[0]
    ours = ap_grpo_loss(now, old, given["ref_per_token_logps"], mask, weights, config)
    assert 0 < float(ours.clipped) < 1
    assert float(ours.kl) > 1e-3
    assert now.dtype is torch.float64
    assert float(theirs.detach()) == pytest.approx(float(ours.value.detach()), abs=ACCURACY)
    torch.testing.assert_close(of_theirs, torch.autograd.grad(ours.value, now)[0], atol=ACCURACY, rtol=0)
    assert made._metrics["train"]["kl"][0] >= 0


def test_what_the_weights_are_not_made_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="loss_type"):
        trainer(tmp_path, "dr_grpo")
    with pytest.raises(ValueError, match=r"from 0 to 1, or k 0; got 0 to 2: scale"):
        EXAMPLE["ap_grpo_weights"](torch.tensor([0.0, 2.0]), 2, 0.6)
    mu1, advantages, mu2 = EXAMPLE["ap_grpo_weights"](torch.tensor([0.3, 0.3, 1.0, 0.0]), 2, 0.6)
    torch.testing.assert_close(mu1, torch.tensor([1.0, 1.0, 1.3, 0.7]))
    torch.testing.assert_close(mu2, torch.tensor([1.0, 1.0, 0.7, 1.3]))
    torch.testing.assert_close(advantages, torch.tensor([0.0, 0.0, 2**-0.5, -(2**-0.5)]), atol=2e-4, rtol=0)
