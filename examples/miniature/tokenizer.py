"""The miniature's tokenizer: what the product always says is one token each; all else is spelt in bytes.

So the prompts, long English texts, cost a tiny model next to nothing, any text can be written, and decoding gives back
exactly what was encoded. A box has 17 steps along each side.
"""

from __future__ import annotations

import re

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hart_agent.agent.modes import Mode
from hart_agent.agent.stages import stage_messages
from hart_agent.dialogue.conversations import answer_blind, answer_from_crops, prompt
from hart_agent.dialogue.messages import Message, Role
from hart_agent.dialogue.policy import Policy
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.protocol import ToolContext
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.source import SourceImage
from tools.crop import Crop

from .scenes import ANSWER, DOT_COLOURS, QUESTION, SIGN_COLOURS, Split, draw_scene

END, PAD, IMAGE = "<|im_end|>", "<|endoftext|>", "<|image_pad|>"
_ROLES = ["<|system|>", "<|user|>", "<|assistant|>"]
SPECIAL = [PAD, END, "<|vision_start|>", "<|vision_end|>", IMAGE, "<|video_pad|>", *_ROLES]
"""Of these, nothing but END is ever said by the policy."""

TEMPLATE = """\
{%- for message in messages -%}
<|{{ message.role }}|>{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}
{%- if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}
{%- endfor %}{% endif %}<|im_end|>
{%- endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"""

STEPS = tuple(round(step * 1000 / 16) for step in range(17))
"""Coordinates that the policy writes, of 0 to 1000."""
Steps = tuple[int, int, int, int]
"""A box in coordinates of `STEPS`, on the overview."""
MAX_PIXELS = 32 * 32
"""Area of one view, overview or crop. The policy must be given it (`--max-pixels`), for the family's own is larger."""
MAX_TOKENS = 16
"""Of a reply: a call takes 8, an answer 4. A reply of an untrained miniature may never end by itself."""
MAX_CALLS, MAX_TURNS = 8, 2
"""As episodes have them; other numbers change the prompts, which are then spelt in bytes."""

_CALL, _END_OF_CALL = '<tool_call>{"name": "crop", "arguments": {"label": "', "]}}</tool_call>"


def call_text(colour: str, box: Steps) -> str:
    """A call that commits a box.

    It names the sign before it points: the token before the coordinates then says what they are of, which a model of
    this size learns many times faster.

    Args:
        colour: of the sign.
        box: on the overview.
    """
    return f"{_CALL}{_named(colour)}{', '.join(map(str, box))}{_END_OF_CALL}"


def answer_text(answer: str) -> str:
    """A reply that answers."""
    return f"<answer>{answer}</answer>"


def nearest_step(thousandth: float) -> int:
    """The coordinate of `STEPS` that is nearest to one from 0 to 1000."""
    return min(STEPS, key=lambda step: abs(step - thousandth))


def make_tokenizer(policy: Policy) -> PreTrainedTokenizerFast:
    """The tokenizer.

    Args:
        policy: whose profile the prompts' words about sizes and coordinates come from; it isn't asked.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    texts = [*_replies(), *_prompts(policy)]
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in texts])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=TEMPLATE,
        extra_special_tokens={name.strip("<|>"): name for name in SPECIAL if name not in (END, PAD)},
        clean_up_tokenization_spaces=False,
    )


def _replies() -> list[str]:
    """What the policy writes."""
    coordinates = [f"{step}, " for step in STEPS] + [str(step) for step in STEPS]
    signs = [ANSWER.format(colour, "") for colour in SIGN_COLOURS]
    return [
        _CALL, *map(_named, SIGN_COLOURS), *coordinates, _END_OF_CALL, "<answer>", *signs, *DOT_COLOURS, "</answer>"
    ]  # fmt: skip


def _named(colour: str) -> str:
    return f'{colour} sign", "bbox_2d": ['


def _prompts(policy: Policy) -> list[str]:
    """What the policy is told, cut where it differs from question to question or from crop to crop."""
    scene = draw_scene(Split.COLD_START, 0)
    question = scene.asked.question
    context = ToolContext(SourceImage(scene.image), question, policy)
    context.render(context.image.size.box, "overview")
    crop = ToolRuntime(discover_tools()).only({"crop"}).specs
    with_crops = Message(Role.USER, (prompt("answer_with_crops", question=question),))
    messages = [*answer_from_crops(question, []), with_crops, *answer_blind(question)]
    for mode in (Mode.CLOSED_LOOP, Mode.MGPO, Mode.DIRECT):
        tools = [] if mode == Mode.DIRECT else crop
        messages += stage_messages(mode.stages[0], context, tools, max_calls=MAX_CALLS, max_turns=MAX_TURNS)
    before, after = QUESTION.split("{}")
    cut = re.compile(f"(?<={before})\\w+(?={re.escape(after)})")
    pieces = [piece for message in messages for piece in cut.split(message.text)]
    result = Crop().run(context, {"bbox_2d": scene.asked.box, "label": "sign"})
    pieces += re.split(r"\d+x\d+ pixels, \d\.\d\d", result.text)
    sides = range(0, MAX_PIXELS, policy.profile.budget.grid)
    pieces += [f"{width}x{height} pixels, " for width in sides for height in sides if 0 < width * height <= MAX_PIXELS]
    return list(dict.fromkeys(pieces)) + list(SIGN_COLOURS)
