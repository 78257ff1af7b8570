"""A shim for tests alone: lets the unforked OpenRLHF run without CUDA, by changing its modules as they are imported.

What it can't show: NCCL, CUDA IPC, flash-attention, sleep mode. Python runs this file at its start if its folder is on
PYTHONPATH; Ray's workers inherit that.
"""

from __future__ import annotations

import importlib.machinery
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

runpy.run_path(str(Path(__file__).parents[2] / "server" / "torchvision_operators" / "sitecustomize.py"))

_CHANGES = (
    ('torch.device(f"cuda:{torch.cuda.current_device()}")', 'torch.device("cpu")'),
    ("torch.cuda.", '__import__("no_cuda").'),
    ('device="cuda"', 'device="cpu"'),
    ('"cuda", (dp_size', '"cpu", (dp_size'),
    (
        "from vllm.distributed.device_communicators.pynccl import PyNcclCommunicator",
        "from no_cuda import ObjectCommunicator as PyNcclCommunicator",
    ),
    ("from flash_attn.ops.triton.cross_entropy import cross_entropy_loss", "raise ImportError"),  # it needs a GPU
)
_AT_END = {
    # vLLM's CPU build packs weights when it loads them, and would not heed those that come later.
    "openrlhf.trainer.ray.vllm_worker_wrap": "import no_cuda; no_cuda.keep_weights_unpacked()\n",
}


class _Changed(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        for before, after in _CHANGES:
            source = source.replace(before, after)
        return compile(source + _AT_END.get(fullname, ""), self.path, "exec", dont_inherit=True)


class _Finder:
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("openrlhf."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            spec.loader = _Changed(name, spec.origin)
        return spec


sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]
