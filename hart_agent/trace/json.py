"""A trajectory as JSON: what `--json` prints and `--trace` writes. No pixels, and all that a replay needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from hart_agent.agent.trajectory import Trajectory, Turn
from hart_agent.dialogue.policy import ReadLine
from hart_agent.dialogue.vocabularies.vocabulary import OWN
from hart_agent.store.files import write_json
from hart_agent.tooling.records import Evidence, ToolResult, Verdict, ViewRecord
from hart_agent.vision.budget import CoordinateProfile

TRACE_SCHEMA = "hart-agent/trace"
TRACE_VERSION = 1


def result_json(trajectory: Trajectory) -> dict[str, Any]:
    """The result of a question, as a JSON object. All boxes are in original pixels."""
    check = trajectory.verification
    return {
        "question": trajectory.question,
        "answer": trajectory.answer,
        "withheld_answer": trajectory.withheld,
        "reason": trajectory.reason,
        "verdict": trajectory.verdict.value,
        "crop_only_answer": check.crop_only_answer if check and trajectory.verdict is not Verdict.UNCHECKED else None,
        "evidence": [_evidence(item) for item in trajectory.evidence],
        **({} if trajectory.read is None else {"read": [_read(line) for line in trajectory.read]}),
        "stop_reason": trajectory.stop_reason.value,
        "crops_alone": trajectory.mode.answers_from_crops_alone,
        "untagged": trajectory.untagged,
        "format_errors": trajectory.format_errors,
        "turns": [turn_json(turn) for turn in trajectory.turns],
        "image": {
            "path": trajectory.image.path,
            "width": trajectory.image.size.width,
            "height": trajectory.image.size.height,
            "sha256": trajectory.image.sha256,
        },
        "policy": trajectory.policy,
        "mode": trajectory.mode.name,
        **({} if trajectory.vocabulary == OWN else {"vocabulary": trajectory.vocabulary}),
        "usage": {
            "input_tokens": trajectory.usage.input_tokens,
            "output_tokens": trajectory.usage.output_tokens,
            "requests": trajectory.usage.requests,
        },
        "seconds": round(trajectory.seconds, 3),
    }


def trace_json(trajectory: Trajectory) -> dict[str, Any]:
    """The result with its schema's version, the coordinate profile and the overview: what a replay needs."""
    return {
        "schema": TRACE_SCHEMA,
        "version": TRACE_VERSION,
        "profile": profile_json(trajectory.profile),
        "overview": _view(trajectory.overview),
        **({"glance": _view(trajectory.glance)} if trajectory.glance is not None else {}),
        **result_json(trajectory),
    }


def profile_json(profile: CoordinateProfile) -> dict[str, Any]:
    """How a policy sees and points, as a JSON object. What version 0.1 didn't have is left out where it is not used."""
    return {
        "space": profile.space.value,
        "budget": asdict(profile.budget),
        **({"y_first": True} if profile.y_first else {}),
        **({"crop": profile.crop.to_json()} if profile.crop is not None else {}),
    }


def write_trace(trajectory: Trajectory, path: Path) -> None:
    """Write a trace, whole or not at all.

    Raises:
        ConfigError: the path is not that of a regular file in a folder that exists.
        OutputError: the file can't be written.
    """
    write_json(path, trace_json(trajectory))


def _evidence(item: Evidence) -> dict[str, Any]:
    entry: dict[str, Any] = {"box": list(item.box.as_tuple()), "label": item.label}
    entry |= {"text": item.text} if item.text is not None else {}
    return entry | ({"inferred": True} if item.inferred else {})


def _read(line: ReadLine) -> dict[str, Any]:
    return {"text": line.text, "box": list(line.box.as_tuple()), "confidence": line.confidence}


def turn_json(turn: Turn) -> dict[str, Any]:
    """A reply and its calls, as they stand in a result."""
    return {
        "text": turn.reply.text,
        "calls": [call_json(result) for result in turn.results],
        "feedback": turn.feedback,
        **({"reasoning": turn.reasoning} if turn.reasoning else {}),
        **({"findings": list(turn.findings)} if turn.findings else {}),
        "seconds": round(turn.seconds, 3),
    }


def call_json(result: ToolResult) -> dict[str, Any]:
    """A call and its result, as they stand in a turn."""
    return {
        "id": result.call.id,
        "name": result.call.name,
        "arguments": result.call.arguments,
        "raw": result.call.raw,
        "result": result.text,
        "error": result.error,
        "views": [_view(view) for view in result.views],
        "seconds": round(result.seconds, 3),
        **({"space": result.space.value} if result.space is not None else {}),
    }


def _view(view: ViewRecord) -> dict[str, Any]:
    return {
        "id": view.id,
        "kind": view.kind,
        "box": list(view.frame.box.as_tuple()),
        "width": view.frame.size.width,
        "height": view.frame.size.height,
        "sha256": view.sha256,
    }
