"""Text that others wrote, made harmless for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with control characters (terminal escapes, say) made visible; new lines and tabs stay."""
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)
