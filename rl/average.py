"""Average the weights of a run's last checkpoints: python -m rl.average RUN --last 4 --out RUN/average

The average of the weights along one run often generalises better than its last ones (arXiv 1803.05407). What is
written is a complete model, without the state of an optimiser: it serves another run as its --model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from hart_agent.backends.local.checkpoint import Checkpoint, find_checkpoint
from hart_agent.backends.options import option
from hart_agent.errors import ConfigError, OutputError
from rl.command_line import run_command
from rl.training.checkpoints import checkpoints, copy_without_weights

_INDEX = "model.safetensors.index.json"


def average(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Path = option("Folder of the averaged model, which must not exist.", default=MISSING),
    last: int = option("Checkpoints that are averaged; a run keeps --keep-checkpoints.", default=2, minimum=2),
) -> None:
    """Average the weights of a run's last checkpoints, in float32.

    The model opens with: hart-agent ask IMAGE QUESTION --backend transformers --model OUT
    """
    if len(found := checkpoints(run)) < last:
        raise ConfigError(
            f"{run} has {len(found)} checkpoints, not {last}: lower --last, or train with --keep-checkpoints {last}"
        )
    write_average(found[-last:], out)
    print(out)


def write_average(folders: Sequence[Path], out: Path) -> None:
    """Write the average of some checkpoints' weights, tensor by tensor, in float32.

    Adapters are averaged, too: those of the result are the checkpoints' one next to the other, B divided by their
    number, which is exactly the average of what they add to the weights.

    Args:
        folders: of the checkpoints, the last of which gives everything but the weights.
        out: is created.

    Raises:
        ConfigError: the checkpoints are not of one model, or are damaged.
        OutputError: the folder exists, or can't be written.
    """
    if out.exists():
        raise OutputError(f"{out} exists. Give another --out, or remove it.")
    found = [find_checkpoint(str(folder)) for folder in folders]
    unfinished = out.with_name(f".{out.name}.tmp")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _write(found, unfinished)
        unfinished.rename(out)
    except OSError as error:
        raise OutputError(f"{out} can't be written: {error.strerror or error}") from error


def _write(found: Sequence[Checkpoint], folder: Path) -> None:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save_file

    copy_without_weights(found[-1].path, folder)
    config = found[-1].config | {"dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    size = 0
    try:
        for shard in sorted(found[-1].path.glob("*.safetensors")):
            files: list[Any] = [safe_open(each.path / shard.name, "pt") for each in found]
            if any(set(file.keys()) != set(files[0].keys()) for file in files):
                raise ConfigError(f"{shard.name} has other weights in {found[0].path} than in {found[-1].path}")
            names = list(files[0].keys())
            tensors = {name: _mean([partial(file.get_tensor, name) for file in files]) for name in names}
            size += sum(tensor.nbytes for tensor in tensors.values())
            save_file(tensors, folder / shard.name, {"format": "pt"})
    except (SafetensorError, FileNotFoundError) as error:
        raise ConfigError(f"the checkpoints can't be averaged ({error}): they must be of one run, and whole") from error
    if (index := found[-1].path / _INDEX).exists():
        record = json.loads(index.read_text(encoding="utf-8"))
        record["metadata"] = {**record.get("metadata", {}), "total_size": size}
        (folder / _INDEX).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    _average_adapters([each.path for each in found], folder)


def _mean(read: Sequence[Callable[[], Any]]) -> Any:
    """The mean of floating-point tensors, which are read one by one, to float32; of others, which don't change, one."""
    first = read[0]()
    if not first.is_floating_point():
        return first
    total = first.double()  # so that it is rounded once
    for each in read[1:]:
        total += each()
    return (total / len(read)).float()


def _average_adapters(folders: Sequence[Path], out: Path) -> None:
    from hart_agent.backends.local.adapters import ADAPTERS, base_of, read_terms
    from rl.training.merging import joined, write_adapters

    parts = [read_terms(folder) for folder in folders]
    if any(part.keys() != parts[0].keys() for part in parts):
        raise ConfigError(f"the adapters of {folders[0]} and {folders[-1]} are of other layers; average one run's")
    terms = {name: joined([(a, b / len(parts)) for a, b in (part[name] for part in parts)]) for name in parts[0]}
    if terms and (base := base_of(folders[-1])) is not None:
        write_adapters(terms, out / ADAPTERS, base)


if __name__ == "__main__":
    run_command(average)
