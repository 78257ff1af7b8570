"""What the shim puts in the place of torch.cuda and NCCL."""

from __future__ import annotations

from typing import Any

import torch


def is_available() -> bool:
    return False


def current_device() -> str:
    return "cpu"


def set_device(device: Any) -> None:
    pass


def synchronize() -> None:
    pass


def empty_cache() -> None:
    pass


def current_stream() -> None:
    pass


class ObjectCommunicator:
    """Sends weights through vLLM's own process group, as pickled objects."""

    def __init__(self, group: Any, device: Any = None) -> None:
        self._group = group

    def broadcast(self, tensor: torch.Tensor, src: int = 0, stream: Any = None) -> None:
        if self._group.rank == src:
            self._group.broadcast_obj(tensor.detach().clone(), src)
        else:
            tensor.copy_(self._group.broadcast_obj(None, src))


def keep_weights_unpacked() -> None:
    import vllm.model_executor.layers.utils as layers

    def plain(layer: Any, remove_weight: bool) -> None:
        layer.cpu_linear = torch.nn.functional.linear

    layers.dispatch_cpu_unquantized_gemm = plain
