"""The limits of what is read of a reply, to the character and the level."""

from __future__ import annotations

import json

import pytest

from hart_agent.dialogue.json_repair import Ending, json_value, whole_json
from hart_agent.errors import ReplyFormatError


def padded(length: int) -> str:
    """A JSON object of so many characters."""
    return json.dumps({"a": "x" * (length - 9)})


def test_a_hundred_thousand_characters_are_read_and_not_one_more() -> None:
    assert len(padded(100_000)) == 100_000
    assert json_value(padded(100_000), Ending.STOP)["a"].startswith("xxx")
    with pytest.raises(ReplyFormatError, match=r"100001 characters long; at most 100000"):
        json_value(padded(100_001), Ending.STOP)


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def test_thirty_two_levels_are_read_and_not_one_more() -> None:
    assert json_value(nested(32), Ending.STOP) == json.loads(nested(32))
    with pytest.raises(ReplyFormatError, match="more than 32 levels"):
        json_value(nested(33), Ending.STOP)
    assert whole_json(nested(32)) == json.loads(nested(32))
