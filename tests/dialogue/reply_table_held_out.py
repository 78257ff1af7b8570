"""Replies that somebody wrote from a list of kinds, before seeing how replies are read.

Of the first 43, 38 were read as their writer meant them when they were looked at. Wrong were the thought of Seed, the
lead-ins in German and Chinese; "(D)", which the writer took for "D", stays as it is, and so does the first of two
answers. The last rows are further ones of the kinds that were wrong.
"""

from __future__ import annotations

from reply_table import Row, answer, call, cut, plain, refused

HELD_OUT = [
    answer(
        "draft then revised, two drafts",
        "<think>Maybe <answer>red</answer>. Hmm, or <answer>green</answer>? The lamp is closer to amber.</think>\n\n<answer>amber</answer>",
        "amber",
        reasoning="Maybe <answer>red</answer>. Hmm, or <answer>green</answer>? The lamp is closer to amber.",
    ),
    answer(
        "rehearsed glm call in thought",
        "<think>Next I'd do <tool_call>zoom\n<arg_key>bbox_2d</arg_key>\n<arg_value>[1,2,3,4]</arg_value>\n</tool_call> but the sign is legible.</think><answer>Gate 14</answer>",
        "Gate 14",
        reasoning="Next I'd do <tool_call>zoom\n<arg_key>bbox_2d</arg_key>\n<arg_value>[1,2,3,4]</arg_value>\n</tool_call> but the sign is legible.",
    ),
    call(
        "prefilled thought with call after",
        'The plate is small, let me look. Not <answer>unknown</answer> yet.\n</think>\n\n<tool_call>\n{"name": "zoom", "arguments": {"bbox_2d": [120, 340, 260, 420]}}\n</tool_call>',
        calls=(("zoom", {"bbox_2d": [120, 340, 260, 420]}),),
        dialect="json",
        reasoning="The plate is small, let me look. Not <answer>unknown</answer> yet.",
    ),
    answer(
        "kimi vl thinking marks",
        "◁think▷The shutter says <answer>CLOSED</answer>? No: the lights are on.◁/think▷<answer>OPEN</answer>",
        "OPEN",
        reasoning="The shutter says <answer>CLOSED</answer>? No: the lights are on.",
    ),
    answer(
        "thinking tag variants",
        "<thinking>\nI count 3, then 4. <answer>3</answer>\n</thinking>\n<answer>4</answer>",
        "4",
        reasoning="I count 3, then 4. <answer>3</answer>",
    ),
    answer(
        "mistral THINK",
        "[THINK]The clock shows ten past, <answer>10:00</answer> is off.[/THINK]<answer>10:10</answer>",
        "10:10",
        reasoning="The clock shows ten past, <answer>10:00</answer> is off.",
    ),
    cut(
        "thought cut at limit",
        "<think>The text might read EXIT. So <answer>EXIT</answer> would",
        reasoning="The text might read EXIT. So <answer>EXIT</answer> would",
    ),
    answer(
        "seed think",
        "<seed:think>Perhaps <answer>no</answer></seed:think><answer>yes</answer>",
        "yes",
        reasoning="Perhaps <answer>no</answer>",
    ),
    answer(
        "harmony analysis + final",
        "<|channel|>analysis<|message|>We could say <answer>7</answer>. Recount: 8.<|end|><|start|>assistant<|channel|>final<|message|><answer>8</answer><|return|>",
        "8",
        reasoning="We could say <answer>7</answer>. Recount: 8.",
    ),
    call(
        "harmony call",
        '<|channel|>analysis<|message|>I need a closer look.<|end|><|start|>assistant<|channel|>commentary to=functions.crop <|constrain|>json<|message|>{"bbox_2d": [5, 6, 70, 80], "label": "door"}<|call|>',
        calls=(("crop", {"bbox_2d": [5, 6, 70, 80], "label": "door"}),),
        dialect="harmony",
        reasoning="I need a closer look.",
    ),
    cut("cut answer", "<answer>The house number is 14"),
    cut("cut call inside number", '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": [310, 120, 455, 2'),
    cut("cut glm value", "<tool_call>zoom\n<arg_key>bbox_2d</arg_key>\n<arg_value>[310, 120, 455, 2"),
    answer(
        "answer complete then cut chatter", "<answer>blue</answer>\nI based this on the colou", "blue", truncated=True
    ),
    plain("bold in sentence", "Looking at the picture, the correct choice is **C**.", "C"),
    plain("boxed with text", "The number on the bus is $\\boxed{\\text{42A}}$.", "42A"),
    plain("final answer line", "The umbrella is held by the woman on the left.\n\nFinal Answer: red", "red"),
    plain("bare letter with paren", "(D)", "(D)"),
    plain("german words", "Die Antwort ist: 17", "17"),
    plain("chinese", "答案是：B", "B"),
    plain("json answer", '{"answer": "B"}', "B"),
    answer("glm box in answer", "<answer><|begin_of_box|>Pier 39<|end_of_box|></answer><|user|>", "Pier 39"),
    answer("im_end in answer", "<answer>yes<|im_end|></answer>", "yes"),
    plain("box only", "<think>ok</think><|begin_of_box|>two<|end_of_box|>", "two", reasoning="ok"),
    answer("eot suffix", "<answer>B</answer><|eot_id|>", "B"),
    answer("unclosed answer at stop", "<think>done</think>\n<answer>17 bottles", "17 bottles", reasoning="done"),
    call(
        "list of calls in tag",
        '<tool_call>[{"name":"zoom","arguments":{"bbox_2d":[1,2,30,40]}},{"name":"crop","arguments":{"bbox_2d":[5,6,70,80],"label":"sign"}}]</tool_call>',
        calls=(("zoom", {"bbox_2d": [1, 2, 30, 40]}), ("crop", {"bbox_2d": [5, 6, 70, 80], "label": "sign"})),
        dialect="json",
    ),
    call(
        "good and bad",
        '<tool_call>\n{"name":"zoom","arguments":{"bbox_2d":[1,2,30,40]}}\n</tool_call>\n<tool_call>\n{"name":"crop","arguments":{"bbox_2d":[5,6,oops}}\n</tool_call>',
        calls=(("zoom", {"bbox_2d": [1, 2, 30, 40]}), ("", None)),
        dialect="json",
    ),
    call(
        "fenced json call",
        'I\'ll look closer.\n```json\n{"name": "zoom", "arguments": {"bbox_2d": [10, 20, 300, 400]}}\n```',
        calls=(("zoom", {"bbox_2d": [10, 20, 300, 400]}),),
        dialect="json",
    ),
    call(
        "flat arguments",
        '<tool_call>{"name": "crop", "bbox_2d": [10, 20, 300, 400], "label": "car"}</tool_call>',
        calls=(("crop", {"bbox_2d": [10, 20, 300, 400], "label": "car"}),),
        dialect="json",
    ),
    call(
        "double encoded",
        '<tool_call>{"name": "zoom", "arguments": "{\\"bbox_2d\\": [10, 20, 300, 400]}"}</tool_call>',
        calls=(("zoom", {"bbox_2d": [10, 20, 300, 400]}),),
        dialect="json",
    ),
    call(
        "openai nested function",
        '{"type": "function", "function": {"name": "zoom", "parameters": {"bbox_2d": [10, 20, 300, 400]}}}',
        calls=(("zoom", {"bbox_2d": [10, 20, 300, 400]}),),
        dialect="json",
    ),
    call(
        "qwen xml two",
        "<function=zoom>\n<parameter=bbox_2d>\n[88, 12, 140, 60]\n</parameter>\n</function>\n<function=crop>\n<parameter=bbox_2d>\n[1, 2, 30, 40]\n</parameter>\n<parameter=label>\n42\n</parameter>\n</function>",
        calls=(("zoom", {"bbox_2d": [88, 12, 140, 60]}), ("crop", {"bbox_2d": [1, 2, 30, 40], "label": "42"})),
        dialect="qwen_xml",
    ),
    call(
        "glm one line",
        '<tool_call>crop<arg_key>bbox_2d</arg_key><arg_value>[7, 8, 90, 100]</arg_value><arg_key>label</arg_key><arg_value>the "A" board</arg_value></tool_call>',
        calls=(("crop", {"bbox_2d": [7, 8, 90, 100], "label": 'the "A" board'}),),
        dialect="glm",
    ),
    call(
        "kimi two",
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.zoom:0<|tool_call_argument_begin|>{"bbox_2d": [1,2,30,40]}<|tool_call_end|><|tool_call_begin|>functions.zoom:1<|tool_call_argument_begin|>{"bbox_2d": [3,4,50,60]}<|tool_call_end|><|tool_calls_section_end|>',
        calls=(("zoom", {"bbox_2d": [1, 2, 30, 40]}), ("zoom", {"bbox_2d": [3, 4, 50, 60]})),
        dialect="kimi",
    ),
    call(
        "mistral args with id",
        '[TOOL_CALLS]zoom[CALL_ID]a1b2c3d4e[ARGS]{"bbox_2d": [1,2,30,40]}',
        calls=(("zoom", {"bbox_2d": [1, 2, 30, 40]}),),
        dialect="mistral",
    ),
    call(
        "deepseek v3 with type + fence",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>zoom\n```json\n{"bbox_2d": [1,2,30,40]}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        calls=(("zoom", {"bbox_2d": [1, 2, 30, 40]}),),
        dialect="deepseek",
    ),
    call(
        "gemma",
        '<|tool_call>call:crop{bbox_2d:[1,2,30,40],label:<|"|>shop, "Leo\'s"<|"|>}<tool_call|>',
        calls=(("crop", {"bbox_2d": [1, 2, 30, 40], "label": 'shop, "Leo\'s"'}),),
        dialect="gemma",
    ),
    call(
        "pythonic two in start marks",
        "<|tool_call_start|>[zoom(bbox_2d=[1, 2, 30, 40]), crop(bbox_2d=[5, 6, 70, 80], label='it''s')]<|tool_call_end|>",
        calls=(("zoom", {"bbox_2d": [1, 2, 30, 40]}), ("crop", {"bbox_2d": [5, 6, 70, 80], "label": "its"})),
        dialect="pythonic",
    ),
    refused("pythonic danger", "[zoom(bbox_2d=[__import__('os').getpid(), 2, 30, 40])]", "can't be read"),
    call(
        "llama3 python_tag",
        '<|python_tag|>{"name": "zoom", "parameters": {"bbox_2d": [1, 2, 30, 40]}}<|eom_id|>',
        calls=(("zoom", {"bbox_2d": [1, 2, 30, 40]}),),
        dialect="json",
    ),
    Row(
        "abstain with reason",
        "<think>too blurred</think><abstain>the number is unreadable</abstain>",
        abstention="the number is unreadable",
        reasoning="too blurred",
    ),
    answer("two different answers", "<answer>red</answer> or rather <answer>blue</answer>", "red"),
    answer(
        "thought of Command A",
        "<|START_THINKING|>Is it <answer>no</answer>?<|END_THINKING|><answer>yes</answer>",
        "yes",
        reasoning="Is it <answer>no</answer>?",
    ),
    answer(
        "thought of LongCat",
        "<longcat_think>\n<answer>no</answer>\n</longcat_think>\n<answer>yes</answer>",
        "yes",
        reasoning="<answer>no</answer>",
    ),
    answer(
        "analysis in tags",
        "<analysis>Not <answer>no</answer>.</analysis><answer>yes</answer>",
        "yes",
        reasoning="Not <answer>no</answer>.",
    ),
    plain("spanish lead-in", "La respuesta correcta es **B**.", "B"),
    plain("french lead-in", "Réponse : 12 rue des Lilas", "12 rue des Lilas"),
    plain("german lead-in behind a sentence", "Ich sehe ein Schild. Die richtige Antwort lautet: AUSGANG", "AUSGANG"),
    plain("chinese lead-in behind a clause", "图中有一个红色的门，所以正确答案为C。", "C"),
    plain("chinese lead-in behind a clause", "图中有一个红色的门，正确答案为C。", "C"),
    plain("japanese lead-in", "看板を読みました。答えは 出口", "出口"),
    call(
        "harmony call ended by another token, words behind it",
        '<|channel|>commentary to=functions.crop<|message|>{"bbox_2d": [1, 2, 3, 4]<|return|>, "label": "a"}<|call|>',
        calls=(("crop", {"bbox_2d": [1, 2, 3, 4]}),),
        dialect="harmony",
    ),
]
