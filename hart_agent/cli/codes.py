"""Exit codes of the commands."""

from __future__ import annotations

from typing import Final

EXIT_DIFFERENT: Final = 1
"""Of `replay`: some views differ."""
EXIT_BROKEN: Final = 1
"""Of `tools run`: the tool broke down."""
EXIT_USAGE: Final = 2
"""Wrong usage, or an image or a file that can't be used."""
EXIT_NO_ANSWER: Final = 3
"""There is no answer, or not to all questions; the tool refused the call."""
EXIT_POLICY: Final = 4
"""The policy failed, or can't be used."""
EXIT_INTERRUPTED: Final = 130
