"""What servers say when they refuse, in their own words, and how long we wait before asking again."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent import ConfigError
from hart_agent.backends.openai.failures import Problem, diagnose
from hart_agent.backends.openai.retries import RetryPolicy, retry_after


@pytest.mark.parametrize(
    ("status", "message", "problem", "limit"),
    [
        (400, "At most 1 image(s) may be provided in one request.", Problem.IMAGES, 1),
        (400, "At most 16 images may be provided", Problem.IMAGES, 16),
        (400, "You can only include 10 images", Problem.IMAGES, 10),
        (400, "too many images in the request", Problem.IMAGES, None),
        (
            400,
            "This model's maximum context length is 32768 tokens. However, you requested 40000.",
            Problem.CONTEXT,
            32768,
        ),
        (
            400,
            "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
            Problem.CONTEXT,
            4096,
        ),
        (400, "Input length (133889) exceeds model's maximum context length (131072).", Problem.CONTEXT, 131072),
        (400, "the request exceeds the available context size (4096 tokens), try increasing it", Problem.CONTEXT, 4096),
        (400, "The model is loaded with context length of only 8192 tokens", Problem.CONTEXT, 8192),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser', Problem.TOOLS, None),
        (400, "registry/library/llava:7b does not support tools", Problem.TOOLS, None),
        (500, "tools param requires --jinja flag", Problem.TOOLS, None),
        (400, "Unsupported parameter: 'max_tokens' is not supported", Problem.PARAMETER, None),
        (400, "Unsupported value: 'temperature' does not support 0.0 with this model.", Problem.PARAMETER, None),
        (413, "<html>413 Request Entity Too Large</html>", Problem.BYTES, None),
        (400, "request body too large", Problem.BYTES, None),
        (404, "The model `x` does not exist.", Problem.MODEL, None),
        (404, 'model "x" not found, try pulling it first', Problem.MODEL, None),
        (404, "404 page not found", Problem.PATH, None),
        (401, "Incorrect API key provided", Problem.KEY, None),
        (403, "You may not use this model", Problem.KEY, None),
        (429, "Rate limit reached for images", Problem.BUSY, None),
        (429, "You exceeded your current quota", Problem.OTHER, None),
        (408, "timeout", Problem.BUSY, None),
        (500, "Internal Server Error", Problem.BUSY, None),
        (503, "Loading model", Problem.BUSY, None),
        (422, "messages: field required", Problem.OTHER, None),
    ],
)
def test_refusals_of_known_servers(status: int, message: str, problem: Problem, limit: int | None) -> None:
    failure = diagnose(status, message)
    assert (failure.problem, failure.limit) == (problem, limit)


@given(st.integers(400, 599), st.text())
def test_any_refusal_is_understood_as_something(status: int, message: str) -> None:
    assert diagnose(status, message).message == message


@given(st.integers(0, 20), st.floats(0, 1), st.one_of(st.none(), st.floats(-10, 1e6)))
def test_waits_are_bounded_and_never_shorter_than_asked(retry: int, chance: float, asked: float | None) -> None:
    policy = RetryPolicy(base=0.5, cap=60)
    wait = policy.delay(retry, asked, chance=chance)
    assert 0 <= wait <= 60
    assert wait >= min(asked or 0, 60)
    assert asked is not None or wait >= min(0.25 * 2**retry, 60)


def test_requests_that_failed_together_come_back_apart() -> None:
    policy = RetryPolicy()
    assert len({policy.delay(2) for _ in range(20)}) > 1
    assert len({policy.delay(0, 1.0) for _ in range(20)}) > 1


def test_retry_after() -> None:
    assert retry_after({"retry-after": "2"}) == 2
    date = retry_after({"retry-after": formatdate(time.time() + 30, usegmt=True)})
    assert date is not None
    assert 28 <= date <= 31
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_a_negative_retry_is_refused() -> None:
    with pytest.raises(ConfigError):
        RetryPolicy(retries=-1)
