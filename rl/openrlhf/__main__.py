"""OpenRLHF's own training, with our workers in it: python -m rl.openrlhf RUN FLAGS. `rl.train_ap_grpo` writes this.

RUN is a folder with a manifest; FLAGS are those of `openrlhf.cli.train_ppo_ray`.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from hart_agent.cli.console.failure import reported_errors
from rl.openrlhf.launch import FOLDER_VARIABLE, check_versions, current_run

_VARIABLES = {"TOKENIZERS_PARALLELISM": "true", "NCCL_DEBUG": "WARN", "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": "1"}
"""What OpenRLHF sets for Ray's workers where it starts Ray itself, with its defaults."""


def main() -> None:
    folder = str(Path(sys.argv.pop(1)).absolute())  # what is left are OpenRLHF's arguments
    os.environ[FOLDER_VARIABLE] = folder
    with reported_errors():
        check_versions()
        current_run()  # a mistake shows now, and not in a worker
    import ray

    from rl.openrlhf.workers import install

    variables = {name: os.environ.get(name, default) for name, default in _VARIABLES.items()}
    ray.init(runtime_env={"env_vars": variables | {FOLDER_VARIABLE: folder}})
    install()
    runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
