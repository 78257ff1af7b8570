"""The modes of an episode."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What a policy sees and may do on its way to the answer."""

    AGENT = "agent"
    """Free use of all tools, the overview always in sight."""
    CLOSED_LOOP = "closed-loop"
    """HART: it names regions on the overview, then answers from their crops alone (arXiv 2602.23615)."""
    MGPO = "mgpo"
    """It names regions on the overview, then answers with crops and overview in sight (arXiv 2507.05920)."""
    DIRECT = "direct"
    """It answers from the overview alone, without tools."""
