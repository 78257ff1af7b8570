"""Reading a policy's reply: the parser with what the situation says of it."""

from __future__ import annotations

from collections.abc import Sequence

from hart_agent.dialogue.messages import ToolSpec
from hart_agent.dialogue.policy import Reply
from hart_agent.dialogue.refusals import is_refusal
from hart_agent.dialogue.results import HINT_ANSWER, HINT_TOOLS, ParsedReply
from hart_agent.dialogue.vocabularies.vocabulary import OURS, Vocabulary


def read_reply(reply: Reply, tools: Sequence[ToolSpec] = (), vocabulary: Vocabulary = OURS) -> ParsedReply:
    """Read a reply. Never raises.

    Args:
        reply: of the policy.
        tools: that could be called; without any, the hint to the model does not mention them.
        vocabulary: that the policy speaks.
    """
    if not vocabulary.own:
        from hart_agent.dialogue.vocabularies.replies import read_foreign

        return read_foreign(reply.text, reply.native_calls, vocabulary, truncated=reply.truncated, calling=bool(tools))
    from hart_agent.dialogue.parsing import parse_reply  # its patterns take a while to compile

    return parse_reply(
        reply.text,
        reply.native_calls,
        truncated=reply.truncated,
        schemas={spec.name: spec.parameters for spec in tools},
        hint=HINT_TOOLS if tools else HINT_ANSWER,
    )


def answer_of(reply: Reply, vocabulary: Vocabulary = OURS) -> str | None:
    """The answer of a reply that can mean nothing but an answer, with or without tags; None if it holds none.

    An abstention, in tags or in plain words, and an answer that a limit on tokens cut off are no answer; nor is a call,
    but for one that hands in an answer, and an answer that the model goes on to give.

    Args:
        reply: of the policy.
        vocabulary: that the policy speaks.
    """
    parsed = read_reply(reply, (), vocabulary)
    if parsed.answer is not None:
        return parsed.answer

    from hart_agent.answers.markup import handed_in  # like the parser's, these patterns take a while to compile
    from hart_agent.dialogue.markers import after_calls
    from hart_agent.dialogue.thoughts import split_thoughts

    if not (reply.truncated or parsed.abstention) and (marked := handed_in(split_thoughts(reply.text)[1])):
        return marked
    if parsed.calls and not reply.truncated and (suffix := after_calls(reply.text)):
        return answer_of(Reply(suffix), vocabulary)
    unusable = parsed.calls or parsed.abstention is not None or parsed.cut_off or parsed.plain is None
    return None if unusable or is_refusal(parsed.plain or "") else parsed.plain
