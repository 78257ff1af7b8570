"""Reading a model's reply: thoughts set aside, then tool calls, an answer or an abstention.

`parse_reply` is the only place that turns a model's text into something that is acted on. Model text is never
evaluated.
"""

from hart_agent.replies.parsing import parse_reply
from hart_agent.replies.results import HINT_ANSWER, HINT_TOOLS, ParsedReply, RawCall
from hart_agent.replies.thoughts import split_thoughts

__all__ = ["HINT_ANSWER", "HINT_TOOLS", "ParsedReply", "RawCall", "parse_reply", "split_thoughts"]
