"""Makes vLLM's model say given tokens, whatever its weights: everything but the words is as always."""

from __future__ import annotations

from typing import Any

import torch
from vllm.v1.sample.logits_processor import AdapterLogitsProcessor


class ScriptedLogits(AdapterLogitsProcessor):  # type: ignore[misc]
    """Allows one token at each place, from the request's extra argument "script"."""

    def is_argmax_invariant(self) -> bool:
        return False

    def new_req_logits_processor(self, params: Any) -> Any:
        script = (params.extra_args or {}).get("script")
        if script is None:
            return None

        def force(output_ids: list[int], logits: torch.Tensor) -> torch.Tensor:
            forced = torch.full_like(logits, -torch.inf)
            forced[script[len(output_ids)]] = 0
            return forced

        return force
