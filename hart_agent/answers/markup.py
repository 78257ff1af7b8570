"""Where a reply marks its answer by form: a field, an element, a call that hands it in, a box; and what only decorates.

Nothing here looks at words: any language, any answer. Each pattern takes time proportional to the length of a text.
"""

from __future__ import annotations

import re
from html import unescape

_NAMES = (
    r"(?:(?:final|selected|chosen|correct|predicted|my)[ _-]?)?"
    r"(?:answer|ans|choice|option|prediction|selection|conclusion|response|result|letter|output|text_content)"
)
_FIELD = re.compile(
    rf'["\'](?:{_NAMES}|答案|选项|選項|最终答案|回答|정답|답|答え)["\']\s{{0,9}}[:：]\s{{0,9}}'
    r'(?:\{\s{0,9}["\'](?:value|text|label|content)["\']\s{0,9}:\s{0,9})?'
    r'(?:"((?:[^"\\\n]|\\.){0,400})"|\'([^\'\n]{0,400})\'|(-?\d[\d.]{0,30}))',
    re.IGNORECASE,
)
_CALLED = re.compile(r'"(?:arguments|parameters)"|<(?:tool_call|invoke|function_calls)\b', re.IGNORECASE)
_HANDED_IN = re.compile(
    r'"name"\s{0,9}:\s{0,9}"[^"\n]{0,40}(?:answer|submit|finish|terminate|final|respond)', re.IGNORECASE
)
_TAG = (
    r"(?:s_)?(?:final|answer|ans|final_answer|conclusion|output|choice|option|solution|result|selected|prediction"
    r"|response|reply|final_choice|final_response|your_answer)"
)
_ELEMENT = re.compile(
    rf"(?:[<\[](?P<name>{_TAG})(?:\s[^<>\[\]]{{1,60}})?[>\]]"
    r"|<parameter\s{1,3}name=\"(?:answer|option|choice)\">)([^<>\[\]]{1,400})"
    r"[<\[]/(?:(?:s_)?[a-z_]{3,12})[>\]]",
    re.IGNORECASE | re.ASCII,
)
_LONE_LETTER = re.compile(
    r"<(?!(?:[biupq]|em|strong|code|mark|span|td|th|li|su[bp]|del)\b)[a-z_][^<>\n]{0,60}>"
    r"\s{0,3}\(?([A-Z])\)?\.?\s{0,3}</[a-z_]{1,30}>",
    re.ASCII,
)
"""An element of any name, but not of HTML's marks, that holds nothing but a letter."""
_SOLUTION = re.compile(r"<\|begin_of_(solution|answer)\|>([^<]{1,400})<\|end_of_\1\|>")
_WRITTEN = re.compile(
    r"(?:^|\n|[.:]\s)\s{0,8}(?:(?:final_answer|submit\w{0,20}|finish|terminate|print|answer)\(\s?"
    r"(?:\w{1,20}\s?=\s?\"[^\"\n]{0,40}\",\s?){0,3}(?:\w{1,20}\s?=\s?)?"
    r"|return\s|answer\s?=\s?(?=[\"']))"
    r"(?:\"([^\"\n]{1,400})\"|'([^'\n]{1,400})'|([^\"'()\n]{1,200}))\)?(?:\nprint\(answer\))?"
    r"[ \t]{0,3}(?:\#[^\n]{0,400})?\s{0,9}(?:```\s{0,9})?$",
)
_ACTION = re.compile(
    r"Action:\s{0,3}\w{0,20}(?:finish|terminate|answer|submit)\w{0,20}\s{1,5}Action Input:\s{0,3}([^\n{]{1,400})",
    re.IGNORECASE,
)
_FINISHED = re.compile(r"\b(?:FINISH|Finish|finish|Answer|ANSWER)\[([^\[\]\n]{1,400})\]")
_GROUNDING = re.compile(
    r"(?:<ref>[^<>]{1,80}</ref>|<\|object_ref_start\|>[^<>]{1,80}<\|object_ref_end\|>)\s?"
    r"(?:<box>[^<>]{0,400}</box>|<\|box_start\|>[^<>]{0,400}<\|box_end\|>)(?=\s{0,3}[\w$])"
    r"|<box>[^<>]{0,400}</box>|<\|box_start\|>[^<>]{0,400}<\|box_end\|>|<\|det\|>[^<>]{0,400}<\|/det\|>"
    r"|\[\s?\d{1,5}(?:\.\d{1,9})?(?:,\s?\d{1,5}(?:\.\d{1,9})?){3}\s?\]"
    r"|</?ref>|<\|/?(?:object_)?ref(?:_start|_end)?\|>|<grounding>[^<>]{0,400}</grounding>",
    re.IGNORECASE,
)
_END = re.compile(
    r"(?:\s{0,3}(?:</?s>|<(?:eos|EOS|end_of_[a-z]{3,12})>|<[|｜](?!end_of_box)[^<>\s]{1,40}[|｜]>|(?<!\#)\#{2,}+"
    r"|\b(?:TERMINATE|<END>))){1,9}\s{0,3}$"
)
_BEYOND = re.compile(r"(?<=[^\s>])\s{0,3}(?:<\|(?:endoftext|im_end|eot_id)\|>|</s>|<0x0A>).*", re.DOTALL)
"""An end token, and what was written beyond it."""
_RESIDUE = re.compile(
    r"(?<!\[)\b[a-z][a-z_]{2,30}\(\s?[a-z_]{1,30}\s?=(?:[^()=]{1,230}[a-z_]\s?=){0,5}[^()=]{1,200}\)"
    r"|\b[a-z]{2,15}_[a-z_]{2,20}\([^()\n]{0,200}\)"
)
"""A call: what a tool would be asked, no answer. Only "=" divides its arguments: there is one way to read it."""
_PLACEHOLDER = re.compile(
    r"[\[<](?:insert|your|enter|fill|put|the|chosen|correct|selected)[\s_-](?:[a-z]{1,12}[\s_-]){0,3}"
    r"(?:letter|answer|option|choice|value|text|number|here|word)\b[^\[\]<>\n]{0,40}[\]>]",
    re.IGNORECASE,
)
"""Where an answer should be filled in."""
_DIALOGUE = re.compile(r".{0,2000}(?:\[/INST\]|\n\s{0,3}(?:ASSISTANT|Assistant):)\s{0,3}(?=\S)", re.DOTALL)
"""The conversation so far, said again."""
_NEXT_QUESTION = re.compile(r"([^\n]{1,60})\n\s{0,3}(?:Question|Q|User|USER|Human)\s?:.*", re.DOTALL)
"""A short answer, and a question that nobody asked."""
_ALL_LETTERS = re.compile(r"\b[A-H](?:\s?/\s?[A-H]){2,7}\s?(?:→|->|=>|:)\s?")
_START = re.compile(r"\s{0,3}(?:assistantfinal|<(?:s|S|SOS|bos|BOS)>|\[\d\d:\d\d(?::\d\d)?\])\s{0,3}(?=\S)")
_TASK = re.compile(r"\s{0,3}\[[a-z_-]{2,12}\]\s")
"""The name of the task, with which some models begin."""
_ASKED = re.compile(r"\s{0,3}Q(?:uestion)?:[^\n]{0,400}\n\s{0,3}A(?:nswer)?:\s{0,3}(?=\S)")
"""The question said again in front of the answer."""
_SHORT_ANSWER = re.compile(
    r"\s{0,3}(?:(?:the\s)?(?:final\s)?(?:a|ans\.?|answer|option|choice)\s?"
    r"(?:[:=\u2013-]|(?<=s\.)|is (?:therefore|thus|hence|then))"
    r"\s{0,3}(?=[(\[]?[A-Z][)\].]{0,2}\s{0,3}$)"
    r"|A:\s(?=(?:(?:the|my)\s(?:correct\s|right\s|final\s)?(?:answer|option|choice)|it\sis|it's|i\sthink)\b))",
    re.IGNORECASE,
)
""""A:" for "answer", where a letter alone or a sentence follows."""
_OBJECTS = re.compile(
    r"\s{0,9}(?:```[a-z]{0,10}\s)?\s{0,9}\[\s{0,9}\{[^{}]{0,400}\}\s{0,9},[^`]*\](?:\s{0,9}```)?\s{0,9}"
)
"""A JSON list of several objects: things gone through, none of them handed in."""
_LISTED = re.compile(r"<(option|choice)\b[^<>]{0,60}>[^<>]{1,400}</\1>\s{0,9}<\1\b", re.IGNORECASE)
"""Elements that list the options."""
_UNDERLINED = re.compile(r"(?<![\w_])_([^_\n]{1,200})_(?![\w_])")
_ROW = re.compile(r"^[ \t]{0,3}\|([^\n]{1,400})\|[ \t]{0,3}$", re.MULTILINE)
_RULE = re.compile(r"^[ \t]{0,3}[|:=-][|:= \t-]{2,200}$", re.MULTILINE)
_TICKED = re.compile(r"^[ \t]{0,8}(?:[-*][ \t]{1,3})?[(\[](?:([xX✓✔])|\s)[)\]][ \t]", re.MULTILINE)
_EMPTY = frozenset(("", "null", "none", "n/a", "nil", "undefined", "unknown"))


def handed_in(text: str) -> str:
    """What a reply marks as its answer: in a field, an element, or a call that hands it in; "" if it marks nothing.

    Of several, the last one counts.
    """
    if _CALLED.search(text) and not _HANDED_IN.search(text):
        fields: list[str] = []
    elif _OBJECTS.fullmatch(text):
        return ""
    else:
        fields = [found[1] or found[2] or found[3] or "" for found in _FIELD.finditer(text)]
    elements = [found[2] for found in _ELEMENT.finditer(text)] + [found[2] for found in _SOLUTION.finditer(text)]
    elements = [] if _LISTED.search(text) else elements
    lone = {found[1] for found in _LONE_LETTER.finditer(text)}
    elements = elements or (list(lone) if len(lone) == 1 else [])
    written = _WRITTEN.search(text)
    calls = [written[1] or written[2] or written[3]] if written else []
    calls += [found[1] for pattern in (_ACTION, _FINISHED) for found in pattern.finditer(text)]
    for group in (elements, fields, calls):
        if group and group[-1].strip().casefold() not in _EMPTY:
            return group[-1].strip()
    return ""


def undecorated(text: str) -> str:
    """A text without the places in the image that it gives, tokens at its end, and the rules of its tables.

    The cells of a table's row become parts of a sentence, boxes to tick become marks.
    """
    text = _UNDERLINED.sub(r"\1", unescape(text).replace("☐", "✗"))
    text = _GROUNDING.sub(" ", text) if "<" in text or "[" in text else text
    text = _PLACEHOLDER.sub(" undecided ", _RESIDUE.sub(" ", _BEYOND.sub("", text)))
    if alone := _NEXT_QUESTION.fullmatch(text):
        text = alone[1]
    text = _ALL_LETTERS.sub("", text)
    for front in (_START.match, _DIALOGUE.match, _TASK.match, _ASKED.match, _SHORT_ANSWER.match):
        text = text[found.end() :] if (found := front(text)) else text
    text = _TICKED.sub(lambda box: "✓ " if box[1] else "✗ ", _END.sub("", text))
    if "|" in text or "---" in text or "===" in text:
        text = _ROW.sub(lambda row: row[1].replace("|", " ,, ").strip(), _RULE.sub("", text))
        text = re.sub(r"(?<!\b[A-H])\s\|\s|\s\|\s(?![A-H]\b)", "\n", text)
    return text
