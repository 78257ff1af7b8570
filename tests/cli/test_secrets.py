"""What is shown or written of the options never holds a secret, nor fails over a damaged URL."""

from __future__ import annotations

import json

import pytest

from hart_agent.cli.options import AgentOptions

SECRET = "hunter2-sk-0123456789"


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@host/v1",
        f"https://{SECRET}@host:8000/v1?key=1",
        f"https://host/v1?api-key={SECRET}",
        f"https://host/v1#{SECRET}",
        f"http://[::1?{SECRET}",  # urlsplit raises ValueError
        f"http://user:{SECRET}@[fe80::1%25eth0/v1",
        f"https://user:{SECRET}@host:port/v1",
        f"//{SECRET}@host",
        "",
    ],
)
def test_public_options_hold_no_secret(url: str) -> None:
    options = AgentOptions(base_url=url, api_key=SECRET, backend="openai", model="m")
    shown = options.public()
    assert SECRET not in json.dumps(shown, default=str)
    assert "api_key" not in shown
    assert SECRET not in json.dumps(vars(options.run_keys(1000)), default=str)
    assert SECRET not in repr(AgentOptions(api_key=SECRET))


def test_what_tells_where_the_server_is_stays() -> None:
    options = AgentOptions(base_url=f"https://user:{SECRET}@host:8000/v1?api-key={SECRET}")
    assert options.public()["base_url"] == "https://host:8000/v1"
