"""OpenRLHF's agent: give this file's path as `--train.agent_func_path`. It runs inside the workers of vLLM."""

from __future__ import annotations

import asyncio
from typing import Any

from openrlhf.utils.agent import AgentExecutorBase
from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

from hart_agent.backends.local.prompting import Prompt
from rl.openrlhf.interaction import Engine, Interaction
from rl.openrlhf.launch import current_run
from rl.openrlhf.scoring import logged, outcome
from rl.openrlhf.validation import Questions, logged_of
from rl.rewards import Judge, reward_of


class AgentExecutor(AgentExecutorBase):  # type: ignore[misc]
    """Plays rollouts of the run that this process is part of (see `current_run`)."""

    def __init__(self) -> None:
        run = current_run()
        assert run.data is not None
        self._interaction = Interaction(run.settings)
        self._judge = Judge(reward_of(run.settings), run.settings.algorithm.k)
        self._questions = Questions(run.data, run.settings)

    async def execute(
        self,
        prompt: str,
        label: str,
        sampling_params: SamplingParams,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Engine,
        images: Any = None,
    ) -> dict[str, Any]:
        """One rollout of the question whose id is the label.

        Nothing is kept between calls: the image is opened and the sampling parameters are made for each, for many
        rollouts are under way at once.

        Raises:
            ConfigError: not even the first prompt fits, or the reward can't be used.
            ImageError: the image can't be used.
        """
        prompter = self._interaction.prompter

        def parameters(given: Prompt) -> SamplingParams:
            return SamplingParams(
                temperature=sampling_params.temperature,
                top_p=sampling_params.top_p,
                top_k=sampling_params.top_k,
                max_tokens=given.max_tokens,
                stop=list(prompter.stops(given)),
                stop_token_ids=sorted(prompter.end_ids),
                include_stop_str_in_output=True,
                logit_bias=dict.fromkeys(prompter.banned_ids, -100.0),
                logprobs=0,  # of the chosen tokens alone
                output_kind=RequestOutputKind.FINAL_ONLY,
            )

        sample, config = self._questions.find(label)
        played = await self._interaction.play(sample, llm_engine, parameters, max_length, config)
        sequence = await asyncio.to_thread(self._interaction.sequence, played.rollout.segments)
        found = outcome(self._judge, played.rollout)
        reward = 0.0 if found.score is None else found.score.reward  # OpenRLHF wants one; weights come from `found`
        return {
            "prompt": prompt,
            "label": found,
            "images": None,
            "mm_train_inputs": sequence.tensors,
            "reward": reward,
            "scores": reward,
            "observation_tokens": sequence.token_ids,
            "action_ranges": sequence.action_ranges,
            "rollout_log_probs": sequence.log_probs,
            "truncated": played.truncated,
            "extra_logs": logged(played.rollout, truncated=played.truncated) | logged_of(config),
        }
