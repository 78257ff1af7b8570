"""Forty further replies. They were written before any of them was read; 39 were read as expected the first time."""

from __future__ import annotations

from reply_table import BOX, CALL, ONE, TWO, ZOOM, Row, answer, call, cut, plain, refused

MORE = [
    answer("long thought", "<think>\nThe user asks for the house number. Looking at the overview I see 1 4.\nThe format "
           "is <answer>...</answer>.\nWait, maybe 74?\n</think>\n\n<answer>14</answer>", "14",
           reasoning="The user asks for the house number. Looking at the overview I see 1 4.\nThe format is "
           "<answer>...</answer>.\nWait, maybe 74?"),
    call("thought, words, call", f"<think>Too small.</think>\nLet me look closer at the sign.\n{CALL}",
         reasoning="Too small."),
    answer("thinking in two tags of other names", "<thinking>a</thinking><reasoning>b</reasoning><answer>c</answer>", "c",
           reasoning="a\n\nb"),
    answer("empty thought", "<think>\n\n</think>\n\n<answer>Yes</answer>", "Yes"),
    plain("empty thought", "<think></think>\nB", "B"),
    answer("thought closed by another name", "<think>It is red or blue.</thinking><answer>red</answer>", "red",
           reasoning="It is red or blue."),
    plain("thought of GLM, box answer", "<think>It reads 42.</think><|begin_of_box|>42<|end_of_box|>", "42",
          reasoning="It reads 42."),
    call("GLM with spaces", "<think>x</think>\n<tool_call>zoom\n<arg_key>bbox_2d</arg_key>\n<arg_value>[12, 30, 48, 90]"
         "</arg_value>\n<arg_key>label</arg_key>\n<arg_value>the sign</arg_value>\n</tool_call>\n", reasoning="x",
         calls=(("zoom", {**BOX, "label": "the sign"}),), dialect="glm"),
    call("call in markdown inside the tag", f"<tool_call>\n```json\n{ZOOM}\n```\n</tool_call>"),
    call("call after a colon", f"I will zoom in:\n\n```json\n{ZOOM}\n```"),
    call("two fences", f"First:\n```json\n{ZOOM}\n```\nSecond:\n```json\n{{\"name\": \"ocr\", \"arguments\": {{}}}}\n```",
         calls=TWO),
    call("single object with tool key", '<tool_call>{"tool": "ocr", "args": {}}</tool_call>', calls=(("ocr", {}),)),
    call("id and type next to the parts", f'<tool_call>{{"id": "call_1", "type": "function", {ZOOM[1:]}</tool_call>'),
    call("only the closing tag is missing, end token", f"<tool_call>{ZOOM}<|im_end|>"),
    call("end token before the closing tag", f"<tool_call>\n{ZOOM}\n<|im_end|></tool_call>"),
    call("call repeated with other words", f"{CALL}\nNow the second one.\n{CALL}\nDone.", calls=ONE + ONE),
    answer("answer with line breaks and markup", "<answer>\n**OPEN**\n</answer>", "OPEN"),
    answer("answer in upper-case tags", "<ANSWER>OPEN</ANSWER>", "OPEN"),
    answer("answer tag opened twice", "<answer><answer>OPEN</answer></answer>", "OPEN"),
    answer("answer closed by its opening tag", "<answer>OPEN<answer>", "OPEN"),
    answer("answer with a box inside words", "<answer>The sign reads <|begin_of_box|>OPEN<|end_of_box|></answer>",
           "The sign reads OPEN"),
    answer("answer that names a tag-like thing", "<answer>The button reads <OK></answer>", "The button reads <OK>"),
    answer("less-than sign", "<answer><5 km</answer>", "<5 km"),
    plain("option with words", "The correct option is C.", "C"),
    plain("option with words", "Answer: (B) a red car.", "(B) a red car"),
    plain("option with words", "Therefore, the answer is 7.5.", "7.5"),
    plain("emphasis", "The answer is __blue__.", "blue"),
    plain("units in a box", r"\[\boxed{25\,\text{km/h}}\]", r"25\,\text{km/h}"),
    plain("answer in quotes at the end", 'The final answer is: "EXIT 12"', "EXIT 12"),
    plain("list of words", "1. a cat\n2. a dog", "1. a cat\n2. a dog"),
    plain("JSON with other keys", '{"colour": "red"}', '{"colour": "red"}'),
    plain("refusal", "I'm sorry, I can't see that.", "I'm sorry, I can't see that."),
    cut("cut off in a fence", '```json\n{"name": "zoom", "arguments": {"bbox_2d": [12, 3'),
    cut("cut off right after an opening tag", "I look closer. <tool_call>"),
    cut("cut off in a name", "<tool_call>\n<function=zo"),
    call("complete dialect call in a cut-off reply", "<function=ocr></function> then I", calls=(("ocr", {}),),
         dialect="qwen_xml", truncated=True),
    refused("single quotes", "<tool_call>{'name': 'zoom', 'arguments': {}}</tool_call>", "not valid JSON"),
    call("harmony without the start token", "<|channel|>analysis<|message|>Let me zoom.<|end|>\n<|channel|>commentary "
         'to=functions.zoom<|message|>{"bbox_2d": [12, 30, 48, 90]}<|call|>', dialect="harmony",
         reasoning="Let me zoom."),
    call("native call next to thoughts and words", "<think>zoom in</think>I look.", native=(("ocr", "{}"),),
         calls=(("ocr", {}),), dialect=None, reasoning="zoom in"),
    Row("abstention after words", "I can't read it.\n<abstain>The plate is blurred</abstain>",
        abstention="The plate is blurred"),
]  # fmt: skip
