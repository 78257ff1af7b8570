"""What people already use, as they use it, against a real `hart-agent serve` or `mcp`; run by tests/clients/run."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image
from serving_clients import BOX, POLICIES, environment, output, running

pytestmark = pytest.mark.clients

QUESTION = "what is on the sign?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("clients")
    (home / "policies.py").write_text(POLICIES)
    (home / "photos").mkdir()
    Image.effect_noise((1200, 900), 80).convert("RGB").save(home / "photos" / "photo.png")
    return home


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with running("--backend", f"{folder}/policies.py:Speaking", "--root", str(folder / "photos")) as (found, _):
        yield found


def user(folder: Path, question: str = QUESTION, images: int = 1) -> Any:
    image = {"type": "image_url", "image_url": {"url": (folder / "photos" / "photo.png").as_uri()}}
    return [{"role": "user", "content": [*[image] * images, {"type": "text", "text": question}]}]


# ---- the openai package ----


def test_openai(url: str, folder: Path) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    messages = user(folder)
    found = client.chat.completions.create(model="hart-agent", messages=messages, max_tokens=16)
    assert found.choices[0].message.content == "Marwick Bakery"
    assert found.hart["evidence"][0]["box"] == BOX  # type: ignore[attr-defined]
    chunks = list(client.chat.completions.create(model="hart-agent", messages=messages, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Marwick Bakery"


def test_openai_raises_its_own_errors(url: str, folder: Path) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.BadRequestError, match="2 images"):
        client.chat.completions.create(model="hart-agent", messages=user(folder, images=2))
    with pytest.raises(openai.NotFoundError, match="no model"):
        client.chat.completions.create(model="other", messages=user(folder))
    with running("--backend", f"{folder}/policies.py:Speaking", "--api-key", "a-key") as (locked, _):
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{locked}/v1", api_key="another", max_retries=0).models.list()
        assert openai.OpenAI(base_url=f"{locked}/v1", api_key="a-key").models.list().data[0].id == "hart-agent"


async def test_openai_64_at_once(url: str, folder: Path) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        create = client.chat.completions.create
        asked = [create(model="hart-agent", messages=user(folder, f"{number}?")) for number in range(64)]
        found = await asyncio.gather(*asked)
    assert [each.choices[0].message.content for each in found] == ["Marwick Bakery"] * 64
    traces = [output("curl", "-sf", f"{url}/v1/traces/{each.hart['trace']}") for each in found]  # type: ignore[attr-defined]
    assert [json.loads(trace)["question"] for trace in traces] == [f"{number}?" for number in range(64)]


@pytest.mark.parametrize("stream", [False, True])
def test_openai_and_curl_hang_up(folder: Path, tmp_path: Path, stream: bool) -> None:
    with running("--backend", f"{folder}/policies.py:Slow", "--root", str(folder / "photos")) as (url, server):
        assert server.stdout is not None
        request = {"model": "hart-agent", "messages": user(folder), "stream": stream}
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=3)
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(**request)
        assert [server.stdout.readline() for _ in range(2)] == ["asked\n", "cancelled\n"]
        body = tmp_path / "request.json"
        body.write_text(json.dumps(request))
        command = ["curl", "-sN", f"{url}/v1/chat/completions", "-d", f"@{body}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as curl:
            assert server.stdout.readline() == "asked\n"
            curl.terminate()
        assert server.stdout.readline() == "cancelled\n"
        assert "hart_agent_cancelled_total 2.0" in output("curl", "-sf", f"{url}/metrics")


# ---- llm ----


@pytest.mark.parametrize("more", [(), ("--no-stream",)])
def test_llm(url: str, folder: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: hart\n  model_name: hart-agent\n  api_base: {url}/v1\n  vision: true\n"
    )
    photo = str(folder / "photos" / "photo.png")
    said = output(
        "llm", "-m", "hart", "--key", "none", *more, QUESTION, "-a", photo, env=environment(LLM_USER_PATH=str(tmp_path))
    )
    assert said.strip() == "Marwick Bakery"


# ---- curl ----


def test_curl(url: str, folder: Path, tmp_path: Path) -> None:
    assert json.loads(output("curl", "-sf", f"{url}/v1/models"))["data"][0]["id"] == "hart-agent"
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"model": "hart-agent", "messages": user(folder), "stream": True}))
    said = output(
        "curl", "-sfN", f"{url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", f"@{request}"
    )
    events = [line.removeprefix("data: ") for line in said.split("\n") if line]
    assert events[-1] == "[DONE]"
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]
    assert "Zoomed into the upper left" in deltas[1]["reasoning_content"]
    assert "Marwick Bakery" in [delta.get("content") for delta in deltas]


def test_curl_gets_a_status_and_a_sentence(url: str) -> None:
    said = output("curl", "-s", "-w", "\n%{http_code}", f"{url}/v1/chat/completions", "-d", "{")
    body, status = said.rsplit("\n", 1)
    assert (status, json.loads(body)["error"]["code"]) == ("400", "invalid_json")
    output("curl", "-sf", f"{url}/health", "-H", "Host: attacker.example", status=22)


# ---- MCP ----


def test_the_mcp_inspector(folder: Path) -> None:
    server = [
        sys.executable, "-m", "hart_agent", "mcp", "--root", str(folder / "photos"),
        "--backend", f"{folder}/policies.py:Speaking",
    ]  # fmt: skip

    def inspect(*arguments: str) -> Any:
        return json.loads(output("mcp-inspector", "--cli", *server, *arguments, env=environment()))

    names = {tool["name"] for tool in inspect("--method", "tools/list")["tools"]}
    assert {"ask", "list_images", "overview", "zoom", "crop"} <= names
    call = ("--method", "tools/call", "--tool-name")
    assert inspect(*call, "list_images")["content"][0]["text"] == "photo.png"
    found = inspect(*call, "ask", "--tool-arg", "image_path=photo.png", "--tool-arg", f"question={QUESTION}")
    assert found["content"][0]["text"].split("\n")[:3] == [
        "Marwick Bakery", "verdict: supported", f"evidence: {BOX} sign",
    ]  # fmt: skip
    assert found["content"][1]["type"] == "image"


# ---- lmms-eval ----

EXAMPLES = Path(__file__).parents[2] / "examples" / "images"
OWN = """
import json, sys
from hart_agent import Agent
sys.path.insert(0, sys.argv[1])
from policies import Looking
agent = Agent(Looking() if sys.argv[2] == "looking" else None)
rows = [json.loads(line) for line in open(sys.argv[3], encoding="utf-8")]
runs = [agent.ask(row["image"], row["question"]) for row in rows]
print(json.dumps([run.answer if run.answer is not None else str(run).split("\\n")[0] for run in runs]))
"""


@pytest.mark.parametrize("policy", ["looking", "embedded"])
def test_lmms_eval_gets_what_the_agent_answers(folder: Path, tmp_path: Path, policy: str) -> None:
    """Its model class async_openai and a task of its form; on the same pixels `Agent.ask` gives the same replies."""
    lines = [json.loads(line) for line in (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    chosen = [line for line in lines if line["image"] != "street.jpg" and line["category"] in ("room", "street")]
    assert len(chosen) == 2
    for number, line in enumerate(chosen):  # PNGs of what lmms-eval sends, so that the agent alone sees the same
        picture = tmp_path / f"{number}.png"
        Image.open(EXAMPLES / line["image"]).convert("RGB").save(picture, compress_level=1)
        line["image"] = str(picture)
    questions = tmp_path / "questions.jsonl"
    kept = [{name: line[name] for name in ("image", "question", "answer")} for line in chosen]
    questions.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    task = tmp_path / "task"
    task.mkdir()
    for file in (Path(__file__).parent / "lmms_eval_task").iterdir():
        (task / file.name).write_text(file.read_text().replace("QUESTIONS", str(questions)))

    backend = ("--backend", f"{folder}/policies.py:Looking") if policy == "looking" else ()
    with running(*backend) as (url, _):
        output(
            os.environ["HART_LMMS_EVAL"], "--model", "async_openai", "--tasks", "hart_signs",
            "--model_args", f"base_url={url}/v1,model_version=hart-agent,api_key=EMPTY",
            "--include_path", str(task), "--batch_size", "1", "--log_samples", "--output_path", str(tmp_path / "out"),
            env={**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
        )  # fmt: skip
    (samples,) = (tmp_path / "out").rglob("*samples*.jsonl")
    logged = sorted(map(json.loads, samples.read_text(encoding="utf-8").splitlines()), key=lambda row: row["doc_id"])
    replies = [row["filtered_resps"] for row in logged]
    own = output(sys.executable, "-c", OWN, str(folder), policy, str(questions), env=environment())
    assert replies == json.loads(own.splitlines()[-1])
    assert len(set(replies)) == 2
