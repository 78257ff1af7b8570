"""What an examination found: checks, and the flags that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hart_agent.commands import command_line


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    """It works, but not as well as it could, or the check could not tell."""
    FAIL = "fail"
    """Questions can't be answered, or will be answered wrongly, until this is fixed."""
    SKIP = "skip"
    """It was not made, because an earlier check failed or the time was up."""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: a short stable identifier.
        status: how it went.
        finding: for people.
        advice: what to change on the server or in the flags; never empty if the check failed.
        flags: of `hart-agent ask` that follow from the finding.
        data: the finding for programs, a JSON object.
    """

    name: str
    status: Status
    finding: str
    advice: str = ""
    flags: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """An examination of one backend.

    Attributes:
        backend: its name.
        model: the model that was examined; empty if none was reached.
        checks: in the order in which they were made.
        base_flags: of `hart-agent ask` that lead to the backend, whatever was found.
        requests: how many the backend was sent, repeated ones included.
        seconds: wall-clock time.
    """

    backend: str
    model: str
    checks: tuple[Check, ...]
    base_flags: tuple[str, ...]
    requests: int
    seconds: float

    @property
    def usable(self) -> bool:
        return all(check.status is not Status.FAIL for check in self.checks)

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags to use; none unless the backend is usable."""
        if not self.usable:
            return ()
        return self.base_flags + tuple(flag for check in self.checks for flag in check.flags)

    @property
    def command(self) -> str:
        """The command to use; empty unless the backend is usable."""
        return command_line(["hart-agent", "ask", "IMAGE", "QUESTION", *self.flags]) if self.usable else ""

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "backend": self.backend,
            "model": self.model,
            "usable": self.usable,
            "checks": [
                {
                    "name": check.name,
                    "status": check.status.value,
                    "finding": check.finding,
                    "advice": check.advice,
                    "data": dict(check.data),
                }
                for check in self.checks
            ],
            "flags": list(self.flags),
            "command": self.command,
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
        }
