"""A backend for hart-agent: a model that Ollama serves, through Ollama's own API."""

import asyncio
import base64
import io
import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from hart_agent import CoordinateProfile, CoordinateSpace, PolicyError, Reply, ViewBudget
from hart_agent.dialogue.policy import FinishReason


class OllamaPolicy:
    accepts = frozenset({"model", "base_url", "temperature"})

    def __init__(self, model, base_url="http://localhost:11434", temperature=0.0):
        self.name = f"ollama ({model})"
        self.profile = CoordinateProfile(CoordinateSpace.THOUSAND, ViewBudget(max_pixels=1_000_000, grid=32))
        self._url = f"{base_url}/api/chat"
        self._body = {"model": model, "stream": False, "options": {"temperature": temperature}}

    async def reply(self, messages, tools):
        body = json.dumps({**self._body, "messages": [encoded(message) for message in messages]}).encode()
        try:
            answer = await asyncio.to_thread(lambda: json.load(urlopen(Request(self._url, body), timeout=300)))
        except HTTPError as error:
            raise PolicyError(f"Ollama refused the request ({error}). Is the model there? See: ollama list") from error
        except OSError as error:
            raise PolicyError(f"{self._url}: {error}. Start Ollama, or give --base-url.", retryable=True) from error
        return Reply(answer["message"]["content"], finish_reason=FinishReason(answer["done_reason"]))


def encoded(message):
    files = [io.BytesIO() for _ in message.views]
    for view, file in zip(message.views, files, strict=True):
        view.image.save(file, "PNG")
    images = [base64.b64encode(file.getvalue()).decode() for file in files]
    return {"role": "user" if message.role == "tool" else message.role, "content": message.text, "images": images}
