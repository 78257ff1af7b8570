"""Traces: what happened in an episode, as JSON and as a page, and running it again."""

from hart_agent.trace.html import Truth, page, write_page
from hart_agent.trace.json import TRACE_VERSION, profile_json, result_json, trace_json, write_trace
from hart_agent.trace.load import Found, find_image, load_trace
from hart_agent.trace.replay import Replay, replay

__all__ = [
    "TRACE_VERSION",
    "Found",
    "Replay",
    "Truth",
    "find_image",
    "load_trace",
    "page",
    "profile_json",
    "replay",
    "result_json",
    "trace_json",
    "write_page",
    "write_trace",
]
