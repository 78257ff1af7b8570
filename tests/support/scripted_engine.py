"""An engine of vLLM, as training on OpenRLHF asks it, that gives scripted replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from PIL import Image

from hart_agent.backends.local.prompting import Prompt, Prompter


@dataclass
class Parameters:
    max_tokens: int

    @classmethod
    def of(cls, prompt: Prompt) -> Parameters:
        return cls(prompt.max_tokens)


class ScriptedEngine:
    """Stands for OpenRLHF's worker around vLLM, which repeats image tokens itself; gives one reply after the other."""

    def __init__(self, prompter: Prompter, script: Sequence[str]) -> None:
        self._prompter = prompter
        self._script = iter(script)
        self.requests: list[tuple[list[int], int, list[Image.Image]]] = []

    async def generate(
        self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: dict[str, Any] | None = None
    ) -> Any:
        images = (multi_modal_data or {}).get("image", [])
        self.requests.append((prompt_token_ids, sampling_params.max_tokens, images))
        counts = iter([image.width * image.height // self._prompter.family.grid**2 for image in images])
        image_id = self._prompter.image_id
        read = [t for each in prompt_token_ids for t in ([image_id] * next(counts) if each == image_id else [each])]
        words = next(self._script)
        unfinished = words.startswith("<think>") and "</think>" not in words  # a stop string in it has ended it
        complete = self._prompter.reply_ids(words)[: -1 if unfinished else None]
        token_ids = complete[: sampling_params.max_tokens]
        output = SimpleNamespace(
            token_ids=token_ids,
            logprobs=[{token: SimpleNamespace(logprob=-0.5 - number)} for number, token in enumerate(token_ids)],
            finish_reason="length" if token_ids != complete else "stop",
            stop_reason=next((each for each in self._prompter.stop if words.endswith(each)), None)
            if unfinished
            else None,
        )
        return SimpleNamespace(prompt_token_ids=read, outputs=[output])
