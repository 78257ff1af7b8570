"""Options about the other options, such as "none of the above": they have a meaning in their place alone."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WHOLE: Final = """
none|none of them|none of these|none of those|none of this|none of it|none apply|none applies|no correct answer
no answer|no right answer|no correct option|no right choice|no right option|no correct choice|no such option
not listed|not given|not listed here|other|others|something else|neither|neither of them|neither of these
neither of the two|neither one|nor|both|both of them|both of these|both of the two|both are correct|both are right
both are true|all|all of them|all of these|all of those|all are correct|all are right|any of them|any of these
either|either of them|cannot be determined|can't be determined|can not be determined|cannot determine
can't determine|cannot tell|can't tell|cannot say|can't say|cannot be answered|can't be answered|not sure|unsure
i don't know|do not know|don't know|unknown|undetermined|uncertain|not enough information|insufficient information
no idea|impossible to tell|impossible to say|both a and b|both b and c|both a and c|a and b|a and c|b and c|a or b
neither a nor b|neither a nor b nor c|a, b and c|以上都不是|以上皆非|以上都不对|以上都没有|都不是|都不对|均不是
均不正确|以上均不是|以上选项都不对|没有正确答案|无法确定|无法判断|不确定|不知道|以上都是|以上皆是|以上都对|以上全部
都是|都对|其他|其它|无|keine der genannten|keine davon|keines davon|nichts davon|alle genannten|beide
keine der oben genannten|ninguna de las anteriores|ninguno de los anteriores|todas las anteriores
aucune de ces réponses|aucune des réponses|toutes ces réponses|ninguna|ninguno|aucun|aucune
"""
_WHOLES: Final = frozenset(" ".join(phrase.split()) for phrase in re.split(r"[|\n]", _WHOLE) if phrase.strip())
_PART: Final = re.compile(
    r"\b(?:all|none|any|both|neither|either|one) (?:of )?(?:the |these |those )?"
    r"(?:above|below|(?:(?:other|given|listed|above|following|provided|mentioned|previous|available) )*"
    r"(?:answers?|choices?|options?|alternatives|possibilities|ones|listed|given|mentioned))\b"
    r"|^(?:it |this |that |the answer )?(?:can(?:not|'t| not)|could(?: not|n't)) be (?:determined|answered|told)\b"
    r"|\bnot enough information\b|\binsufficient information\b|\bnone of (?:these|those|them)\b"
    r"|\b(?:this|the) (?:image|picture|photo|photograph|figure) (?:does(?: not|n't)|do not|has no|shows no|is not)\b"
    r"|(?:以上|上述)(?:选项|答案)?(?:都|均|皆|全)|(?:图片?|图像|照片|画面)中?(?:没有|未|并?不)",
    re.IGNORECASE,
)
_EDGES: Final = ' .,;:!?()[]"。'


def is_about_others(option: str) -> bool:
    """Whether an option says something about the other options, or that none of them can be chosen."""
    text = " ".join(unicodedata.normalize("NFKC", option).replace("\u2019", "'").casefold().split()).strip(_EDGES)
    return text in _WHOLES or _PART.search(text) is not None
