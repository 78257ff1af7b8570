"""How a command ends when something is wrong."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from hart_agent.errors import HartError, PolicyError

EXIT_USAGE, EXIT_POLICY = 2, 4


@contextmanager
def reported_errors(*, debug: bool = False) -> Iterator[None]:
    """A HartError becomes one line on stderr, after its traceback if that is wanted, and the exit code."""
    try:
        yield
    except HartError as error:
        if debug:
            traceback.print_exc()
        print(f"hart-agent: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(EXIT_POLICY if isinstance(error, PolicyError) else EXIT_USAGE)
