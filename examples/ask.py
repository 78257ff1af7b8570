"""Ask one question about one image, offline.

python examples/ask.py examples/images/street.jpg "what is on the sign?"
"""

import sys

from hart_agent import Agent


def main(image: str, question: str) -> None:
    result = Agent().ask(image, question)
    if result.answer is None:
        print(f"no answer: {result.reason or result.stop_reason}")
        return
    print(result.answer)
    print(f"verdict: {result.verdict}")
    for region in result.evidence:
        print(f"evidence: {region.box} in pixels of the original: {region.label}")


if __name__ == "__main__":
    main(*sys.argv[1:])
