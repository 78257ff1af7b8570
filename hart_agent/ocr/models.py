"""The packaged PP-OCRv6 models on ONNX Runtime, without spinning threads or telemetry."""

from __future__ import annotations

import functools
import importlib.util
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CGROUP = Path("/sys/fs/cgroup")
_MAX_THREADS = 4


def load(name: str, threads: int | None = None) -> Any:
    """An inference session of a model file in the `rapidocr` package, which itself is never imported: its pipeline
    resizes images silently, logs and can download. Safe to share between threads; a process loads each model once.

    Args:
        name: of the file.
        threads: per run; by default one per available core, at most 4.

    Raises:
        FileNotFoundError: the package or the file is missing.
    """
    return _session(_path(name), threads or min(_MAX_THREADS, available_cores()), os.getpid())


@functools.cache
def _session(path: Path, threads: int, _process: int) -> Any:
    """For this process alone: in a fork of it the threads are gone, for which a run, and even the end, would wait."""
    # Set before the import, which already creates a device id.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort  # type: ignore[import-untyped,unused-ignore]

    ort.disable_telemetry_events()  # In case the program imported it earlier.
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # Shapes vary: an arena would keep the largest for ever.
    # A spinning thread burns a core that another process may need: on shared cores, two are slower than one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def available_cores(cgroup: Path = _CGROUP) -> int:
    """Cores that this process may use: its CPU affinity, further limited by the container's CPU quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.floor(_quota(cgroup) + 0.5)))


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """RGB rows as the models' input: BGR planes from -1 to 1."""
    import numpy as np

    return (pixels[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) - 127.5) / np.float32(127.5)


def _quota(cgroup: Path) -> float:
    """CPU time per wall-clock time that the control group allows (version 2, then 1), a large number if unlimited."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((cgroup / name).read_text() for name in names).split()
            return float(quota) / float(period) if float(quota) > 0 else 1e6
        except (OSError, ValueError):  # Not there, or "max".
            continue
    return 1e6


def _path(name: str) -> Path:
    spec = importlib.util.find_spec("rapidocr")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, "models", name)).is_file():
            return path
    raise FileNotFoundError(f"{name} not found: install the package 'rapidocr' (3.10 or newer)")
