"""Styles of answering: how models write that they choose an option, or choose none.

In a style {L} and {T} are the letter and text of the option that is meant, {O} and {U} those of another one, {l} the
letter in lower case; \u23ce is a line break. A style under NOTHING chooses no option.
"""

from __future__ import annotations

CHOOSING = r"""
{L}
({L})
{L}.
{L})
{l}
[{L}]
{{{L}}}
"{L}"
**{L}**
**({L})**
`{L}`
{L}. {T}
{L}: {T}
{L}) {T}
({L}) {T}
{L} - {T}
{L} {T}
**{L}. {T}**
{L}. {T}.
{T}
{T}.
"{T}"
**{T}**
The answer is {L}
The answer is {L}.
The answer is ({L}).
The answer is {L}. {T}
The answer is {L}: {T}.
The answer is **{L}**.
The answer is: {L}
The correct answer is {L}.
The correct answer is ({L}) {T}.
The correct option is {L}.
The best answer is {L}.
The best option is {L}.
The right answer is {L}.
The final answer is {L}.
My answer is {L}.
My final answer: {L}
Answer: {L}
Answer: ({L})
Answer: {L}. {T}
Answer {L}
ANSWER: {L}
**Answer: {L}**
**Answer:** {L}
Final answer: {L}
Final Answer: {L}.
Best answer: {L}
Best option: {L}
Option {L}
Option {L}.
Option {L}: {T}
option {l}
Choice {L}
Choice: {L}
I choose {L}.
I choose option {L}.
I would choose {L}.
I pick {L}.
I'd go with {L}.
I'll go with option {L}.
I select ({L}).
I think it is {L}.
I think the answer is {L}.
I believe the correct answer is {L}.
I am confident that the answer is {L}.
It is {L}.
It's {L}.
It is {T}.
It's {T}.
It must be {L}.
{L} is correct.
{L} is the correct answer.
{L} is the answer.
{L} is right.
Option {L} is correct.
Option {L} is the right one.
({L}) is correct.
The answer would be {L}.
The answer should be {L}.
So the answer is {L}.
So, the answer is {L}.
Therefore, the answer is {L}.
Thus, the correct option is {L}.
Hence {L}.
Therefore, {L}.
Based on the image, the answer is {L}.
Based on the picture, the correct answer is {L}. {T}
Looking at the image, the answer is {L}.
From the image, it is {T}.
In the image, I can see that the answer is {L}.
Certainly! The answer is {L}.
Sure! The answer is {L}.
Of course. {L}
Okay, the answer is {L}.
\boxed{{{L}}}
$\boxed{{{L}}}$
\boxed{{\text{{{L}}}}}
The answer is \boxed{{{L}}}.
The final answer is $\boxed{{{L}}}$.
$$\boxed{{{L}}}$$
Answer: $\boxed{{\text{{{L}}}}}$
<answer>{L}</answer>
<answer>({L})</answer>
<answer>{L}. {T}</answer>
<answer>{T}</answer>
<think>Let me look at the picture.</think><answer>{L}</answer>
<think>It could be {O} at first sight, but a closer look says otherwise.</think><answer>{L}</answer>
<think>Let me look at the picture.</think>{L}
<think>Let me look at the picture.</think>The answer is {L}.
<think>Is it {O}? No.</think>⏎⏎{L}
<think>First <answer>{O}</answer>? No.</think><answer>{L}</answer>
{L}, because it can be seen in the picture.
{L} because it can be seen in the picture.
{L}, since {O} is wrong.
{L}, not {O}.
{L} rather than {O}.
Not {O} but {L}.
It is not {O}, it is {L}.
{O} is wrong, so {L}.
{O} is incorrect. {L} is correct.
{T}, not {U}.
The answer is {L}, not {O}.
{L} instead of {O}.
I first thought {O}, but the answer is {L}.
At first I thought it was {O}. However, the correct answer is {L}.
{O}: no.⏎{L}: yes.⏎⏎Answer: {L}
{O} is incorrect.⏎{L} is correct.
Let me check each option. {O} does not fit. {L} fits. The answer is {L}.
I looked closely at the picture. The detail in question is clear.⏎⏎The answer is {L}.
The object is clearly visible in the middle of the picture.⏎⏎**Answer: {L}**
## Answer⏎{L}
### Final Answer⏎**{L}**
1. I looked at the picture.⏎2. I compared the options.⏎⏎Final answer: {L}
{L}⏎⏎Explanation: the picture shows it.
{L}⏎The picture shows it clearly.
Answer: {L}⏎Explanation: the picture shows it.
{{"answer": "{L}"}}
{{"choice": "{L}"}}
答案是{L}
答案是{L}。
答案：{L}
答案: {L}
正确答案是{L}。
正确选项是{L}
选项{L}
选{L}
我选择{L}
应该选{L}。
最佳答案为：{L}
因此，答案是{L}。
{L}、{T}
{L}。
（{L}）
Die Antwort ist {L}.
Antwort: {L}
La respuesta es {L}.
Respuesta: {L}
La réponse est {L}.
Réponse : {L}
The answer to the question is {L}.
The option that matches the picture is {L}.
The one that fits best is {L}.
I'm going with {L}.
My choice is {L}.
Letter: {L}
The letter is {L}.
{L} ✓
✅ {L}
=> {L}
-> {L}
{L}!
Definitely {L}.
Clearly {L}.
It looks like {L}.
It appears to be {L}.
The answer is {T}.
The correct answer is {T}.
The answer is "{T}".
Answer: {T}
"""

NOTHING = r"""
{L} or {O}
Either {L} or {O}.
It could be {L} or {O}.
Maybe {L}, maybe {O}.
Both {L} and {O}.
{L} and {O}
{L}, {O}
{L}/{O}
Not {L}.
It is not {L}.
{L} is wrong.
{L} is incorrect.
Option {L} is not correct.
The answer is not {L}.
I don't know.
I am not sure.
I cannot tell from the picture.
I can't determine the answer from this image.
None of the options is correct.
Sorry, I can't help with that.
There is no answer.
Please provide the image.
A man is standing in the street.
A closer look is needed.
I see a picture of a street.
The image shows several objects.
Is it {L}?
Could it be {L}?
Let me zoom in to see it better.
The options are {L} and {O}.
"""


def styles(text: str) -> list[str]:
    """One style a line."""
    return [line.replace("\u23ce", "\n") for line in text.strip("\n").split("\n")]
