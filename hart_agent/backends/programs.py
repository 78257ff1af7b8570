"""Programs that serve models on this machine through OpenAI's API: what they are called, and how each is set up.

Sources: each program's documentation of its OpenAI-compatible API (usual port, `owned_by` in its list of models).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Program:
    """A program that serves models.

    Attributes:
        name: as its makers write it.
        aliases: what people give as `--backend` for it, in lower case without signs.
        port: the usual one.
        owner: `owned_by` in its list of models.
        start: commands that get a vision-language model and serve it there.
    """

    name: str
    aliases: tuple[str, ...]
    port: int
    owner: str
    start: tuple[str, ...]

    @property
    def base_url(self) -> str:
        """Where it is found if nobody moved it."""
        return f"http://127.0.0.1:{self.port}/v1"


PROGRAMS: Final = (
    Program("Ollama", ("ollama",), 11434, "library", ("ollama pull qwen2.5vl:7b",)),
    Program(
        "LM Studio", ("lmstudio", "lms"), 1234, "organization_owner",
        ("lms get qwen/qwen2.5-vl-7b", "lms load qwen/qwen2.5-vl-7b", "lms server start"),
    ),
    Program(
        "llama.cpp", ("llamacpp", "llamaserver", "llama", "gguf"), 8080, "llamacpp",
        ("llama-server -hf ggml-org/Qwen2.5-VL-7B-Instruct-GGUF --jinja -c 32768",),
    ),
    Program(
        "vLLM", ("vllmserver",), 8000, "vllm",
        ("vllm serve Qwen/Qwen2.5-VL-7B-Instruct --enable-auto-tool-choice --tool-call-parser hermes",),
    ),
    Program(
        "SGLang", ("sglang", "sgl"), 30000, "sglang",
        ("python -m sglang.launch_server --model-path Qwen/Qwen2.5-VL-7B-Instruct",),
    ),
)  # fmt: skip

_PUBLIC: Final = {
    "gpt": "https://api.openai.com/v1",
    "chatgpt": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
}
"""Services, with the addresses at which they speak OpenAI's API."""
_OTHER_NAMES: Final = {
    "hf": "transformers",
    "huggingface": "transformers",
    "ocr": "embedded",
    "openaicompatible": "openai",
}


def instead_of(backend: str) -> str | None:
    """What to write for a name that is not a backend's but a program's, a service's or a URL; None if it is neither."""
    if backend.startswith(("http://", "https://")):
        return f"a URL is given as --base-url {backend}"
    plain = "".join(character for character in backend.lower() if character.isalnum())
    if other := _OTHER_NAMES.get(plain):
        return f"write --backend {other}"
    if service := _PUBLIC.get(plain):
        return f"write --base-url {service} --model NAME, and set HART_AGENT_API_KEY"
    for program in PROGRAMS:
        if plain in program.aliases:
            return (
                f"{program.name} is asked through OpenAI's API: write --base-url {program.base_url} --model NAME "
                "(hart-agent doctor finds both)"
            )
    return None
