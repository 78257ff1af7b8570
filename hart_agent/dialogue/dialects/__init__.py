"""Dialects of tool calls that models leave in their text: one file and one line of `DIALECTS` each."""

from hart_agent.dialogue.dialects.base import Block, Dialect
from hart_agent.dialogue.dialects.deepseek import DEEPSEEK
from hart_agent.dialogue.dialects.gemma import GEMMA
from hart_agent.dialogue.dialects.glm import GLM
from hart_agent.dialogue.dialects.harmony import HARMONY
from hart_agent.dialogue.dialects.hermes import HERMES
from hart_agent.dialogue.dialects.kimi import KIMI
from hart_agent.dialogue.dialects.mistral import MISTRAL
from hart_agent.dialogue.dialects.named_json import NAMED_JSON
from hart_agent.dialogue.dialects.pythonic import PYTHONIC
from hart_agent.dialogue.dialects.qwen_xml import QWEN_XML

DIALECTS = (QWEN_XML, GLM, NAMED_JSON, KIMI, MISTRAL, DEEPSEEK, HARMONY, GEMMA, PYTHONIC, HERMES)
"""In the order in which they are tried on a block; the last one reads every block that none of the others does."""

__all__ = ["DIALECTS", "HERMES", "PYTHONIC", "Block", "Dialect"]
