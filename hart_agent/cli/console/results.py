"""Results, tools and examinations, for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hart_agent.agent.trajectory import StopReason, Trajectory
from hart_agent.backends.programs import PROGRAMS
from hart_agent.cli.console.text import one_line, printable
from hart_agent.tooling.protocol import Tool
from hart_agent.tooling.records import Verdict

if TYPE_CHECKING:
    from hart_agent.doctor import Report
    from hart_agent.doctor.discovery import LocalServer

_VERDICT_STYLES = {
    Verdict.SUPPORTED: "green",
    Verdict.UNSUPPORTED: "red",
    Verdict.INSUFFICIENT: "yellow",
    Verdict.UNCHECKED: "yellow",
}


_CROPS_ALONE = "answered from its crops alone, the full image withheld"
_STATUS_STYLES = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "dim"}


_READ_LINES = 5
"""Lines of text that are shown where there is no answer."""


def print_result(trajectory: Trajectory) -> None:
    """The answer on the first line, then the verdict and the evidence boxes, in original pixels; without an answer, the
    likeliest lines of text, where the policy reports what it read.

    A policy's failure goes to stderr, with what had been found until then.
    """
    failed = trajectory.stop_reason in (StopReason.POLICY_ERROR, StopReason.CUT_OFF)
    console = Console(stderr=failed, highlight=False, soft_wrap=True)
    if failed:
        console.print(Text(one_line(f"hart-agent: {trajectory.reason}")))
    elif trajectory.answer is None:
        console.print(Text(one_line(trajectory.reason or "no answer"), "bold"))
    else:
        console.print(Text(one_line(trajectory.answer), "bold"))
        verdict = trajectory.verdict
        console.print(Text.assemble("verdict: ", (verdict.value, _VERDICT_STYLES[verdict]), _explanation(trajectory)))
    for item in trajectory.evidence:
        text = f" '{item.text}'" if item.text else ""
        console.print(Text(one_line(f"evidence: {item.box} (original pixels) {item.label}{text}")))
    if trajectory.answer is None and trajectory.read:
        console.print(Text("Text I can read:"))
        for line in trajectory.read[:_READ_LINES]:
            console.print(Text(one_line(f"  '{line.text}' at {line.box}")))


def print_tools(tools: Sequence[Tool]) -> None:
    """Each tool's name, description and schema."""
    console = Console(highlight=False, soft_wrap=True)
    for tool in tools:
        console.print(Text(one_line(tool.name), "bold"))
        console.print(Text(f"  {printable(tool.description)}"))
        schema = json.dumps(dict(tool.parameters), ensure_ascii=False, indent=2)
        console.print(Text("\n".join(f"  {line}" for line in printable(schema).splitlines()), "dim"))


def print_servers(servers: Sequence[LocalServer], install: str) -> None:
    """The model servers of this machine, each with the command that uses it, or with what it lacks.

    Args:
        servers: those that were found.
        install: the command that installs what their backend needs; empty if it is there.
    """
    from hart_agent.doctor.discovery import PORTS

    console = Console(highlight=False)
    if not servers:
        ports = ", ".join(f"{port} ({program.name})" for port, program in sorted(PORTS.items()))
        console.print(Text(f"No model server answers on this machine's usual ports: {ports}."))
        console.print(Text("Start one, for instance:"))
        console.print(Text(f"  {' && '.join(PROGRAMS[0].start)}"), soft_wrap=True)
        console.print(Text("or name another: hart-agent doctor --base-url URL"))
        console.print(Text("Text in images is read without a server: hart-agent ask IMAGE QUESTION"))
    for server in servers:
        console.print(Text.assemble((server.program, "bold"), f" at {server.base_url}"))
        if server.problem:
            console.print(Text(f"  {server.problem}", "yellow"))
            console.print(Text(f"  {printable(server.advice)}"), soft_wrap=True)
            continue
        console.print(Text(f"  models: {printable(', '.join(server.models))}"))
        if not server.seeing:
            console.print(Text("  none of them is known to see images; doctor --base-url examines them", "yellow"))
        console.print(Text(f"  {printable(server.command)}"), soft_wrap=True)
    if servers and install:
        console.print(Text("Their backend needs one more package; run:"))
        console.print(Text(f"  {install}"), soft_wrap=True)


def print_report(report: Report, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """The checks as a table, what to do about each that failed, where settings come from, and the command to use."""
    console = Console(highlight=False)
    for name, setting in settings.items():
        value = f" {setting['value']}" if "value" in setting else ""
        console.print(Text(printable(f"{name}{value} (from {setting['from']})"), "dim"), soft_wrap=True)
    table = Table("check", "", "finding", box=None)
    for check in report.checks:
        finding = printable(check.finding) + (f"\n-> {printable(check.advice)}" if check.advice else "")
        table.add_row(Text(one_line(check.name)), Text(check.status.value, _STATUS_STYLES[check.status]), Text(finding))
    console.print(table)
    console.print(Text(f"requests: {report.requests}; {report.seconds:.1f} s", "dim"))
    console.print(Text(printable(report.command) or "not usable yet: see the lines marked fail"), soft_wrap=True)


def _explanation(trajectory: Trajectory) -> str:
    check = trajectory.verification
    if trajectory.verdict is Verdict.UNCHECKED or check is None:
        remark = trajectory.reason or (_CROPS_ALONE if trajectory.mode.answers_from_crops_alone else None)
        return f" ({one_line(remark)})" if remark else ""
    if check.crop_only_answer is None:
        return " (the evidence alone does not answer the question)" if trajectory.evidence else " (no evidence)"
    return f" (the evidence alone says: {one_line(check.crop_only_answer)})"
