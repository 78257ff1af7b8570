"""The harmony format: a reply as messages in channels.

Source: OpenAI's description of the harmony response format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

CALL_OPENER, CALL_CLOSER, MESSAGE = "<|channel|>", "<|call|>", "<|message|>"

_HEADER = re.compile(
    r"(?:<\|start\|>(?P<role>[^<|\n]{0,100}))?<\|channel\|>(?P<channel>[^<|\n]{0,100})"
    r"(?:<\|constrain\|>[^<|\n]{0,40})?<\|message\|>",
    re.IGNORECASE | re.ASCII,
)
_BOUNDARY = re.compile(r"<\|(?:end|return|call|start|channel)\|>", re.IGNORECASE | re.ASCII)
_RECIPIENT = re.compile(r"\bto=([^\s<|]+)")


@dataclass(frozen=True)
class Message:
    """One message of a reply.

    Attributes:
        channel: in lower case, such as `analysis`; empty for text outside of any channel.
        recipient: the function that it calls; None for a message to the user.
        body: its text.
        closer: the token that ends it; empty if the text ends first.
    """

    channel: str
    recipient: str | None
    body: str
    closer: str


def harmony_messages(text: str) -> Iterator[Message]:
    """Split a reply into its messages, in order. A text without channels is one message without a channel."""
    position = 0
    while header := _HEADER.search(text, position):
        if header.start() > position:
            yield Message("", None, text[position : header.start()], header[0])
        boundary = _BOUNDARY.search(text, header.end())
        end = boundary.start() if boundary else len(text)
        recipient = _RECIPIENT.search(f"{header['role'] or ''} {header['channel']}")
        channel = header["channel"].split()
        closer = boundary[0].lower() if boundary else ""
        yield Message(
            channel[0].lower() if channel else "", recipient and recipient[1], text[header.end() : end], closer
        )
        ends_message = closer in {"<|end|>", "<|return|>", "<|call|>"}
        position = boundary.end() if boundary and ends_message else end
    if position < len(text):
        yield Message("", None, text[position:], "")
