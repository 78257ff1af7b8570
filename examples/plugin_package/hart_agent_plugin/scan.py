"""A mode for hart-agent: the policy answers from what codes say, and from nothing else."""

from hart_agent import Mode, Stage

SYSTEM = """\
You answer questions about a photo by reading the QR codes in it. You see it downsampled to $view_width x $view_height
pixels. Call the tool on each code, then answer with what it says. Boxes are $box, $coordinates.

$tools

Call a tool like this: <tool_call>{"name": ..., "arguments": {...}}</tool_call>
Answer like this: <answer>...</answer>
If no code answers the question: <abstain>why</abstain>"""

SCAN = Mode("scan", (Stage("scan", SYSTEM, "question", tools=("qr_code",)),))
