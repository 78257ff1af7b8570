"""Prometheus metrics of a server, by the official client."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hart_agent.agent.observer import Observer
from hart_agent.agent.trajectory import Trajectory, Turn
from hart_agent.errors import UnknownToolError
from hart_agent.tooling.records import ToolResult
from hart_agent.vision.source import View

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics(Observer):
    """Counts what a server does; as an observer, what its episodes do."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "hart_agent_http_requests", "Requests, by route and status.", ("route", "status"), registry=self._registry
        )
        self._questions = Counter(
            "hart_agent_questions", "Questions, by how they ended.", ("stop_reason", "verdict"), registry=self._registry
        )
        self._seconds = Histogram(
            "hart_agent_question_seconds", "Seconds of one question.", buckets=_SECONDS, registry=self._registry
        )
        self._turns = Counter("hart_agent_turns", "Replies of the policy.", registry=self._registry)
        self._calls = Counter(
            "hart_agent_tool_calls", "Tool calls, by tool and result.", ("tool", "result"), registry=self._registry
        )
        self._tokens = Counter("hart_agent_tokens", "Tokens in and out.", ("direction",), registry=self._registry)
        self.cancelled = Counter("hart_agent_cancelled", "Questions whose client hung up.", registry=self._registry)
        self.refused = Counter("hart_agent_busy", "Questions refused as busy.", registry=self._registry)
        self.running = Gauge("hart_agent_running", "Questions under way.", registry=self._registry)
        self.waiting = Gauge("hart_agent_waiting", "Questions that wait for their turn.", registry=self._registry)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def on_tool_call(self, result: ToolResult, views: tuple[View, ...]) -> None:
        # A model may make up any number of names.
        tool = "unknown" if result.error == UnknownToolError.kind else result.call.name
        self._calls.labels(tool, result.error or "ok").inc()

    def on_turn(self, turn: Turn) -> None:
        self._turns.inc()

    def on_end(self, trajectory: Trajectory) -> None:
        self._questions.labels(trajectory.stop_reason.value, trajectory.verdict.value).inc()
        self._seconds.observe(trajectory.seconds)
        self._tokens.labels("input").inc(trajectory.usage.input_tokens)
        self._tokens.labels("output").inc(trajectory.usage.output_tokens)
