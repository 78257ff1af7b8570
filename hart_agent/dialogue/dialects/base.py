"""What a dialect of tool calls consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hart_agent.dialogue.json_repair import Ending
from hart_agent.dialogue.results import RawCall, Schemas


@dataclass(frozen=True)
class Block:
    """A piece of a reply that begins with a marker.

    Attributes:
        opener: the marker, in lower case.
        body: the text after it.
        ending: what follows the body.
    """

    opener: str
    body: str
    ending: Ending


@dataclass(frozen=True)
class Dialect:
    """One way to write tool calls.

    Attributes:
        name: whose way it is.
        form: how a call looks in it; shown to the model when it gets one wrong.
        markers: pairs of the marker before calls and the one after them, in lower case; the latter may be empty.
        fits: whether the body of a block is written in it. The first dialect that fits reads the block.
        read: gives the calls of a block, bad ones with their error. Raises ReplyFormatError if there is no call in it.
    """

    name: str
    form: str
    markers: tuple[tuple[str, str], ...]
    fits: Callable[[Block, Schemas], bool]
    read: Callable[[Block, Schemas], list[RawCall]]

    def reads(self, block: Block, schemas: Schemas) -> bool:
        """Whether a block begins with one of its markers and is written in it."""
        return any(block.opener == opener for opener, _ in self.markers) and self.fits(block, schemas)


def always(block: Block, schemas: Schemas) -> bool:
    """Fits every block: its markers alone tell the dialect."""
    return True
