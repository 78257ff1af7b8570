"""Every exception that hart-agent raises on purpose.

    HartError
    ├── ConfigError              the request or the settings can't be used
    │   └── DatasetError         a benchmark's files can't be used
    ├── ImageError               the image can't be used
    ├── PluginError              a tool, backend, mode or dataset from elsewhere is broken
    ├── InstallError             this installation is broken or lacks an optional dependency
    ├── OutputError              results can't be written
    ├── PolicyError              the model failed; ends the episode
    └── ModelVisibleError        shown to the model, which may fix it; the episode continues
        ├── ReplyFormatError     the reply holds neither a tool call nor an answer
        └── ToolError            the call can't be run (tools raise this, too)
            ├── UnknownToolError
            ├── ToolArgumentsError
            └── ToolTimeoutError

Each message says what was wrong, what was expected and what to do next. Reaching a limit (turns, seconds) is no
exception: it is a `StopReason`.
"""

from __future__ import annotations


class HartError(Exception):
    """Base of all errors raised by hart-agent."""


class ConfigError(HartError):
    """The request or the settings can't be used."""


class DatasetError(ConfigError):
    """A benchmark's files are missing, incomplete or of another format."""


class ImageError(HartError):
    """The image is missing, unreadable, too large or not an image."""


class NoSuchImageError(ImageError):
    """There is no such file."""


class PluginError(HartError):
    """An extension can't be loaded or used, or two claim one name."""


class InstallError(HartError):
    """The installation is broken, or an optional dependency is missing."""


class OutputError(HartError):
    """Results can't be written; what was written before is whole."""


class PolicyError(HartError):
    """The policy could not produce a reply.

    Attributes:
        retryable: whether the same request may succeed later.
        outage: whether other questions would fail as well: the server is down, or refuses the key. A run of many
            questions stops after several of these in a row; a refusal of one question doesn't stop it.
        requests: how many were made for the reply, in vain.
    """

    def __init__(self, message: str, *, retryable: bool = False, outage: bool | None = None, requests: int = 0) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.outage = retryable if outage is None else outage
        self.requests = requests


class ModelVisibleError(HartError):
    """An error that is shown to the model.

    Attributes:
        kind: a short stable identifier, recorded in traces and metrics.
    """

    kind = "error"


class ReplyFormatError(ModelVisibleError):
    """The reply could not be read as tool calls, an answer or an abstention."""

    kind = "reply_format"


class ToolError(ModelVisibleError):
    """A tool call that can't be run; the message is written for the model."""

    kind = "tool_error"


class UnknownToolError(ToolError):
    """There is no tool of that name."""

    kind = "unknown_tool"


class ToolArgumentsError(ToolError):
    """The arguments don't fit the tool's schema, or a box can't be placed on the image."""

    kind = "tool_arguments"


class ToolTimeoutError(ToolError):
    """The tool did not finish in time."""

    kind = "tool_timeout"
