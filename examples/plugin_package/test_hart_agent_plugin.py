"""Run with: pytest examples/plugin_package, once the package is installed."""

from __future__ import annotations

from hart_agent_plugin.qr import qr_code

from hart_agent.testing import check_tool


def test_the_tool_keeps_its_promises() -> None:
    check_tool(qr_code, [{"bbox_2d": [100, 100, 400, 400]}])
