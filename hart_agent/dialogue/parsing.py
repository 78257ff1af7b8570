"""The former place of `hart_agent.replies`."""

from hart_agent.replies import HINT_TOOLS as HINT
from hart_agent.replies import ParsedReply, RawCall, parse_reply

__all__ = ["HINT", "ParsedReply", "RawCall", "parse_reply"]
