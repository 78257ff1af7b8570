"""What the watcher of a batch sees: all questions, those that are done, and each that is asked, once it is on disk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from batch_runs import read, speak, write_questions

from hart_agent import Agent
from hart_agent.agent.items import BatchResult
from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.batch.run import run_batch
from hart_agent.vision.cache import ImageCache


class Recorder:
    def __init__(self, out: Path) -> None:
        self._out = out
        self.begun: list[tuple[int, int]] = []
        self.steps: list[str] = []

    def begin(self, total: int, done: int) -> None:
        assert not self.steps
        self.begun.append((total, done))

    def advance(self, result: BatchResult) -> None:
        assert result.id in [line["id"] for line in read(self._out)]
        self.steps.append(result.id)


@pytest.mark.parametrize(
    ("retry_errors", "begun", "asked"), [(False, (6, 2), {"q2", "q3", "q4", "q5"}), (True, (6, 5), {"q1"})]
)
def test_totals_and_steps(tmp_path: Path, retry_errors: bool, begun: tuple[int, int], asked: set[str]) -> None:
    questions, out = write_questions(tmp_path, 6), tmp_path / "out.jsonl"
    before = [
        {"id": "q0", "stop_reason": "answered"},
        {"id": "q1", "error": {"type": "ImageError", "message": "gone"}},
        {"id": "of another input", "stop_reason": "answered"},
    ]
    out.write_text("".join(json.dumps(line) + "\n" for line in before))
    watcher = Recorder(out)
    with ResultFile(out) as file:
        work = run_batch(
            Agent(ScriptedPolicy(speak)), BatchInput(str(questions)), file, concurrency=3, images=ImageCache(),
            retry_errors=retry_errors, watcher=watcher,
        )  # fmt: skip
        asyncio.run(work)
    assert watcher.begun == [begun]
    assert len(watcher.steps) == len(asked) == begun[0] - begun[1]
    assert set(watcher.steps) == asked
