"""Errors as OpenAI's clients expect them: a status, and an object that says what was wrong."""

from __future__ import annotations

import logging
from typing import Any

from hart_agent.errors import ConfigError, HartError, ImageError, PolicyError, ToolError

_log = logging.getLogger(__name__)


class RequestError(HartError):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        code: a short stable identifier, or None.
        param: the part of the request that is wrong, or None.
        retry_after: seconds after which the client may try again, or None.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to the status."""
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}
        return headers | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})

    def body(self) -> dict[str, Any]:
        """The JSON object."""
        error = {"message": str(self), "type": _kind(self.status), "param": self.param, "code": self.code}
        return {"error": error}


def request_error_of(error: Exception) -> RequestError:
    """The refusal that an error means for a client; of an error that nobody foresaw, it says nothing but that."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, ImageError | ToolError):
        return RequestError(400, str(error), code="invalid_image", param="messages")
    if isinstance(error, PolicyError):
        return RequestError(502, f"the policy failed: {error}", code="policy_error")
    if isinstance(error, ConfigError):
        return RequestError(400, str(error), code="invalid_request")
    return RequestError(500, "the server failed; its log says why", code="internal_error")


def refusal_within_a_stream(error: Exception) -> RequestError:
    """The refusal of a question whose reply has begun: one that nobody foresaw is logged, for no handler sees it."""
    refusal = request_error_of(error)
    if refusal.status == 500:
        _log.error("a question failed", exc_info=error)
    return refusal


def _kind(status: int) -> str:
    if status == 401:
        return "authentication_error"
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"
