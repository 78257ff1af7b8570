"""Shows three rollouts: replies, rewards, and which tokens carry loss."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from hart_agent.cli.console.text import printable
from hart_agent.trace import write_trace
from rl.local.initial import InitialPolicy
from rl.local.trainer import Trainer

_SHOWN = 3
_PROMPT_TAIL = 300
"""Characters of a prompt's end that are shown."""


def show_rollouts(trainer: Trainer | InitialPolicy, out: Path) -> None:
    """Print the first rollouts of a run's next step, and write their traces to its folder.

    The policy's own tokens carry loss, and are green; prompts carry none, and are dim.

    Raises:
        ImageError: an image can't be used.
        PolicyError: the model fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    tokenizer = trainer.model.prompter.tokenizer
    rollouts = trainer.roll_out(trainer.step)
    for number, (rollout, score) in enumerate(list(zip(rollouts, trainer.scores(rollouts), strict=True))[:_SHOWN], 1):
        run = rollout.trajectory
        trace = out / f"dry-run-{number}.json"
        write_trace(run, trace)
        ended = f"answer {run.answer!r}" if run.answer is not None else run.stop_reason.value
        console.print(Text(f"rollout {number}: {printable(ended)}, reward {score.reward:g}, trace {trace}", "bold"))
        for turn, segment in enumerate(rollout.segments, start=1):
            given, views, written = len(segment.prompt.token_ids), len(segment.prompt.views), len(segment.token_ids)
            console.print(f"turn {turn}: {given} tokens and {views} images given, {written} tokens written")
            prompt = printable(tokenizer.decode(segment.prompt.token_ids))[-_PROMPT_TAIL:]
            reply = printable(tokenizer.decode(segment.token_ids))
            for carries, text, style in (("no loss", f"...{prompt}", "dim"), ("loss", reply, "green")):
                for line in text.splitlines():
                    console.print(Text(f"{carries:>7} | {line}", style))
