"""Lets torchvision be imported beside a CPU build of torch that it was not built for; vLLM's CPU build brings such.

Only the reading of images' sizes is needed of torchvision, none of its own operators; but it refuses to be imported
unless those that it describes exist. Python runs this file at its start if its folder is on PYTHONPATH.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class _BeforeTorchvision:
    """Declares the operators once, just before torchvision is looked for."""

    library: Any = None

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name == "torchvision" and self.library is None:
            import torch

            self.library = torch.library.Library("torchvision", "FRAGMENT")
            for signature in _SIGNATURES:
                self.library.define(signature)
        return None


sys.meta_path.insert(0, _BeforeTorchvision())
