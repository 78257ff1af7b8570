"""How questions are put: politeness, signs, places, and texts that are pointed at. Patterns only, see `question`."""

from __future__ import annotations

import re
from typing import Final

from hart_agent.backends.embedded.lexicon import COLOURS


def _any(*choices: str) -> str:
    return f"(?:{'|'.join(choices)})"


def _compile(*choices: str) -> re.Pattern[str]:
    return re.compile(_any(*choices), re.IGNORECASE)


_WHO = r"(?:you|u|ya|anyone|anybody|someone|somebody)"
_SOFTLY = r"(?:(?:just|please|kindly|perhaps|maybe|possibly|happen\s+to|by\s+any\s+chance)\s+)*"

CONTRACTION: Final = re.compile(r"\b(what|where|who|how|when|that|there|it)s(?=\s+(?!says?\b)[\w'-]+)", re.IGNORECASE)
"""An apostrophe that was left out."""

OPENER: Final = re.compile(
    r"^\W*(?:(?:(?:hi|hiya|hey|heya|hello|hullo|howdy|greetings|evening|morning|afternoon)(?:\s+(?:there|all|everyone|folks))?|um+|pardon(?:\s+me)?|(?:can|could)\s+you\s+help\s+me|uh|er|hmm+|ok|okay|so|well|please|pls|like|sorry(?:\s+to\s+bother\s+you)?"
    r"|excuse\s+me|quick\s+(?:question|one)|one\s+(?:more\s+thing|quick\s+question)|just\s+(?:wondering|curious)"
    r"|thanks|thank\s+you|quickly|good\s+(?:morning|day|evening|afternoon)|now|right|and|but|also|yo|dear"
    r"|(?:siri|alexa|assistant|google|computer))\b[\s,:.!-]*)+",
    re.IGNORECASE,
)

FRAMES: Final = _compile(
    rf"\b(?:do|does|did|would|might)\s+{_WHO}\s+{_SOFTLY}"
    r"(?:know|see(?=\s+(?:what|where|when|who|how|which)\b)|mind\s+(?:\w+ing\s+(?:me|us|out|up)\b|say(?:ing)?|tell(?:ing)?\b))",
    rf"\b(?:can|could|will|would|may|might)\s+{_WHO}\s+{_SOFTLY}"
    r"(?:tell|help|say|check|confirm|work\s+out|figure\s+out|find\s+out|look\s+up|make\s+out|please)\b",
    r"\b(?:tell|inform|help|let)\s+(?:me|us)\b(?:\s+(?:know|have|see|hear)\b)?",
    rf"\bi\s*(?:'m|\s+am|\s+was)?\s+{_SOFTLY}(?:wonder(?:ing|ed)?|curious|unsure|not\s+sure)\b(?:\s+about\b)?",
    r"\bi\s*(?:'m|\s+am|\s+was)\s+(?:trying|hoping|supposed|unable)\s+to\s+(?:\w+\s+out|see|know|learn|note(?:\s+down)?)\b",
    rf"\bi\s*(?:'d|\s+would)?\s+{_SOFTLY}(?:like|love|want|wanna|need|have)\s+(?:to\s+)?(?:know|learn|find\s+out|ask|hear|note\s+down)\b",
    r"\b(?:have\s+you\s+)?(?:got\s+)?any\s+(?:idea|clue|chance)\b(?:\s+you\s+(?:can|could)\b)?",
    rf"\b(?:if|whether)\s+{_WHO}\s+(?:can|could|might|would)\s+{_SOFTLY}(?:tell|say|let|show)\b(?:\s+(?:me|us)\b)?(?:\s+know\b)?",
    r"\b(?:would|is)\s+it\s+(?:be\s+)?possible\s+to\s+(?:learn|know|tell|find\s+out|get|see|hear)\b",
    r"\bit(?:'s|\s+is|\s+isn't)\s+(?:not\s+)?(?:clear|obvious)(?:\s+to\s+(?:me|us))?\b",
    r"\bdoes\s+(?:it|the\s+sign)\s+say\b(?=\s+(?:what|where|when|who|how|which)\b)",
    r"\bbe\s+so\s+(?:kind|good)\s+(?:as\s+)?to\s+(?:say|tell|give|read)\b",
    r"\b(?:my|the)\s+(?:\w+\s+){1,2}(?:asks?|wonders?|(?:wants?|needs?|would\s+like)\s+to\s+know)\b(?:\s+(?:for|about)\b)?",
    r"\bwe(?:'ve|\s+have|\s+were)?\s+(?:been\s+)?asked\b",
    r"\bfor\s+(?:the|my|our|an?)\s+(?:insurance|police|report|records?|diary|homework|files?|form|notes?|log|class|school|work|blog)"
    r"\b(?:\s+(?:claim|report|form))?(?=\s*(?:[,.;:?!]|$))",
    r"\b(?:tell|ask)\s+the\s+police\b",
    r"\bit\s+says?\s+so\b|,?\s*\b(?:if\s+so|in\s+that\s+case)\b",
    r"\b(?:can'?t|cannot|can\s+not|couldn'?t)\s+(?:quite\s+)?(?:read|see|make\s+out|tell|decipher)\b(?=\s+\w)",
    r",\s*(?:can|could|will|would)\s+(?:you|u)\b\W*$",
    r",?\s*\b(?:from\s+)?(?:top\s+to\s+bottom|left\s+to\s+right)\b",
)
"""Words around a question that only make it polite, or say who asks and what for."""

CLOSER: Final = re.compile(
    r"(?:[\s,]+(?:for\s+me|asap|please|pls|plz|thanks|thank\s+you|mate|sir|will\s+you|help))+\W*$", re.IGNORECASE
)
"""The same at the end."""

COLOUR_CLAUSE: Final = re.compile(
    r"\b(?:(?:whose|where|with|of)\s+(?:the\s+|a\s+|its\s+)?(?:background|backdrop|board|panel|colou?r)\s+(?:(?:is|looks)\s+)?"
    r"|(?:that\s+|which\s+)?(?:you|i|people|one)(?:'d|\s+would|\s+might)\s+call\s+|made\s+of\s+"
    rf"|(?:that|which)\s+looks\s+(?:kind\s+of\s+|rather\s+)?)(?=(?:a\s+)?(?:{'|'.join(COLOURS)})\b)",
    re.IGNORECASE,
)
"""Long ways to say that a sign is of a colour."""

SIGN_NOUNS: Final = (
    "signs?|signboards?|boards?|noticeboards?|hoardings?|fascias?|shopfronts?|storefronts?|tablets?|shields?|markers?|panels?|plates?|placards?|notices?|labels?|posters?|banners?|plaques?|tags?|billboards?"
    r"|stickers?|signposts?|nameplates?|inscriptions?|text\s+blocks?|stickers?|things?\s+with\s+(?:writing|text|letters|words)"
)
READING: Final = _compile(
    rf"\b(?:{SIGN_NOUNS}|say|says|saying|said|written|writes?|writing|reads?|reading|text|texts|words?|wording|letters"
    r"|lettering|spell|spells|spelled|spelt|print|printed|painted|inscribed|engraved|captions?|titles?|messages?"
    r"|transcribe|transcription|transcript|decipher|signage|headings?|headlines?|show(?:n|s)|displayed|displays)\b"
)
_ALL = r"(?:all|every|everything|each|entire|complete|full|any|whatever)"
_TEXTS = (
    r"(?:texts?|words?|wording|written|writing|signs|boards|read|readable|legible|says?|letters|lettering|printed|writings"
    r"|inscriptions|strings|transcri\w+)"
)
_PHOTO = r"(?:picture|photo|image|photograph|pic|shot|snap|scene)"
EVERYTHING: Final = _compile(
    rf"\b{_ALL}\b.*\b{_TEXTS}\b",
    r"\b(?:every|each)\s+(?:[\w'-]+\s+)?(?:sign|signboard|board|notice)\b(?!\s+(?:that|which|with))",
    r"\b(?:on|of|from)\s+all\s+(?:of\s+)?(?:the|these|those)\s+(?:signs|boards|notices)\b",
    r"\b(?:read|list|transcribe|type|dump|ocr)\s+(?:out\s+|me\s+|aloud\s+)?"
    rf"(?:everything|it\s+all|all|the\s+lot|whatever|(?:this|the)\s+(?:whole\s+|entire\s+)?{_PHOTO})\b",
    rf"\b(?:texts?|words|writing|ocr|strings|says?)\b.*\b(?:in|on|of|from|within|inside)\s+(?:the|this|that|my)\s+(?:\w+\s+)?{_PHOTO}\b",
    r"\b(?:image|picture|photo)\s+(?:in)?to\s+text\b|\b(?:is|are)\s+there\s+(?:any\s+)?(?:text|writing)\b",
    r"^\W*(?:the\s+)?(?:text|texts|ocr|words|transcript)\W*$",
)
ONE_SIGN: Final = _compile(
    rf"\b(?:the|this|that|a)\s+(?:(?!every\b|each\b|all\b)[\w'-]+\s+){{0,3}}?(?:{SIGN_NOUNS.replace('s?', '')}|one)\b",
    r"(?<!\ball )(?<!\bevery one )(?<!\beach )\bof\s+the\s+signs\b",
)
WHERE: Final = _compile(
    r"(?<!that )(?<!sign )(?<!board )(?<!notice )(?<!one )(?<!panel )(?<!placard )(?<!plate )"
    r"\b(?:where|where's|whereabouts|wherever)\b",
    r"\b(?:position|location)\s+of\b",
    r"\b(?:which|what)\s+(?:corner|side|part|area|spot|region|bit|end|edge)\b",
)
FINDING: Final = _compile(
    r"\b(?:find|locate|spot|highlight|underline|outline|pinpoint|box\s+around|bounding\s+box|coordinates)\b",
    r"\bpoint\s+(?:me\s+)?(?:to|out|at)\b",
)
WEEKDAY: Final = re.compile(r"\b(mon|tues?|wednes|thurs?|fri|satur|sun)days?\b", re.IGNORECASE)

NO_POSITION: Final = _compile(
    r"\b(?:down|listed|shown)\s+below\b",
    r"\b(?:under|after)\s+(?:what|which)\s+(?!words?\b|text\b)",
    r"\bover\s+(?:on|there|here|in|at|to)\b",
    r"\bafter\s+all\b|\bunder\s?way\b|\bup\s+above\b|\babove\s+every\w+",
)
UNDER: Final = _compile(
    r"\b(?:under|underneath|below|beneath|after|next\s+line|comes?\s+next|follows|following)\b",
    r"\b(?:line|row)\s+down\b|\bsecond\s+(?:line|row)\b|\bcontinue\b|\bmove\s+down\b|\bcarry\s+on\b|\band\s+(?:then|next)\b|\bsubtitle\b",
    r"\b(?:above|over|on\s+top\s+of|before)\s+(?:what|which)\b|\babove\s+it\s+is\b|\bwhich\s+(?:line|words?|text)\b.*\bover\W*$",
)
OVER: Final = re.compile(r"\b(?:above|over)\b", re.IGNORECASE)
_NEXT_LINE = r"(?:under|underneath|below|beneath|above|over)"
AFTER: Final = re.compile(
    rf"\b(?:{_NEXT_LINE}|after|follows|following|(?:line|row)\s+down\s+from|move\s+down\s+from|reading\s+from|subtitle\s+of|continue|first\s+is)\s+"
    r"(?:the\s+(?:words?|text|line)\s+)?(?!(?:it|that|this|there|what|which)\b)(.+)",
    re.IGNORECASE,
)
"""The text that the wanted line stands next to."""
BEFORE: Final = re.compile(
    r"^(?:(?:i|you)\s+(?:can\s+)?see\s+|there(?:'s|\s+is)\s+|which\s+\w+\s+does\s+)?(.+?)"
    r"(?:\s*[,:;]\s|\s+[-–]+\s|\?\s|\s+but\s|\s+and\s+(?:then|next)\b|\s+(?:is|are|sits?|stands?|comes)\s+(?:right\s+|just\s+|directly\s+)?"
    rf"(?:{_NEXT_LINE}|on\s+top)\b)",
    re.IGNORECASE,
)
"""The same, named first: "apples: what's below?"."""

ACROSS: Final = (
    (0.0, r"left(?:most|-hand)?(?!\s+(?:my|it|them|the))"),
    (
        1.0,
        r"right(?:most|-hand)?(?!\s+(?:under|below|beneath|above|now|after|away|door|road|stop|street|place|track|(?:in|at)\s+the\s+(?:very\s+)?(?:middle|cent)))",
    ),
)
DOWN: Final = (
    (
        0.0,
        r"top(?:most)?(?!\s+of\s+(?:that|which|what))|upper|uppermost|highest|up\s+(?:high|there|above)|high\s+up|higher"
        r"|above\s+everything|up(?=\s+(?:in|at|on)\s+the\s+(?:far\s+)?(?:left|right))",
    ),
    (
        1.0,
        r"bottom|lower|lowest|down\s+(?:low|below|there)|low\s+down|lowermost|foot\s+of|below\s+everything"
        r"|down(?=\s+(?:in|at|on)\s+the\s+(?:far\s+)?(?:left|right))",
    ),
)
SIZES: Final = (
    (
        "largest",
        r"largest|biggest|bigger|huge|hugest|main|(?:big|large)(?!\s+enough)|giant|(?:most\s+)?sizeable|greatest|most\s+space|most\s+prominent",
    ),
    ("smallest", r"smallest|smaller|tiniest|tiny|little|small"),
)
MIDDLE: Final = re.compile(r"\b(?:middle|centre|center|central|mid)\b", re.IGNORECASE)

_ARTICLE = (
    r"an?|the|my|your|its?|their|any|all|this|that|there|me|us|out|where|you|i"
    r"|in|on|at|what|which|how|with|until|till|when|who"
)
_TEXT = rf"(?P<text>(?!(?:{_ARTICLE})\b)[^;?]+?)"
_WORDS = r"(?:the\s+(?:words?|text)\s+)?"
_SEEN = (
    r"(?:written|printed|shown|displayed|painted|posted|mentioned|spelled\s+out|located|found|placed|standing|visible)"
)
_IN_PHOTO = rf"(?:\s+(?:on|in|for)\s+(?:the|this|my|our)\s+(?:{_PHOTO}|map)\b.*)"
_PART = r"(?:part|area|corner|side|region|spot|place|bit|half|edge|end)"
POINTED: Final = tuple(
    re.compile(before + _WORDS + _TEXT + after + r"[\s?.!]*$", re.IGNORECASE)
    for before, after in (
        (
            r"\b(?:looking|searching|hunting)\s+for\s+",
            r"(?:[,;.]|\s+[-–])?\s+(?:where\b|can\s+you\s+(?:find|see|spot|point)|do\s+you\s+see|point\b).*",
        ),
        (
            rf"\b(?:where|{_PART})\s+(?:{_IN_PHOTO}\s+)?(?:that\s+|which\s+)?(?:does\s+|has\s+|with\s+)?(?:(?:it|the\s+sign|this|one|something)\s+)?"
            r"(?:says?|reads?|mentions?|has|shows?)\s+",
            rf"(?:\s+been\s+{_SEEN})?(?:{_IN_PHOTO}|\s+(?:in|on)\s+it)?",
        ),
        (
            r"\bwhere\b.*?\b(?:do|can|could|did|should|must|would|might)\s+(?:you|u|i|we|one)\s+(?:have\s+to\s+)?(?:see|find|spot|read|look\s+for)\s+",
            rf"(?:\s+{_SEEN})?{_IN_PHOTO}?",
        ),
        (rf"\bwhere(?:abouts)?\b.*?\b{_SEEN}\s+(?!in\b|on\b|at\b)", ""),
        (
            rf"\b(?:where(?:abouts)?(?:\s+exactly)?|(?:which|what)\s+{_PART}\b.*?)\s*(?:'s|\s+is|\s+are|\s+does|\s+do)\s+",
            rf"\s+(?:{_SEEN}|appears?|stands?|occurs?){_IN_PHOTO}?",
        ),
        (r"\bwhere(?:abouts)?(?:\s+exactly)?\s*(?:'s|\s+is|\s+are)\s+", rf"{_IN_PHOTO}?"),
        (r"\bwhere\b.*\bwords?\s+", r"\s+(?:are|is)"),
        (r"\bwhere\s+", rf"\s+(?:is|are|stands?|appears?)(?:\s+{_SEEN})?{_IN_PHOTO}?"),
        (r"\bwhere\s+(?:can|could|might)\s+", r"\s+be\s+(?:found|seen|read)"),
        (rf"\bwhere\s+(?:on|in)\s+(?:the|this|my)\s+{_PHOTO}\s+(?:is|are)\s+", ""),
        (r"\b(?:can'?t|cannot|can\s+not)\s+(?:find|see|spot)\s+", r"\s*[,;.]?\s+where\b.*"),
        (r"\bpoint\s+me\s+to\s+", rf"{_IN_PHOTO}?"),
        (r"\bwhere\s+to\s+(?:find|see|look\s+for)\s+", ""),
        (
            rf"\b(?:which|what)\s+(?:way|direction|{_PART})\b.*?\b(?:look\s+for|stands|holds|has|says|shows)\s+",
            rf"{_IN_PHOTO}?",
        ),
        (
            r"\b(?:position|location|coordinates|bbox|(?:bounding\s+)?box)\s+(?:of\s+|for\s+|a?round\s+)",
            rf"(?:\s+be)?{_IN_PHOTO}?",
        ),
        (
            r"(?:^|\b(?:you|u|pls|please|to)\s+)(?:please\s+)?(?:locate|find|spot|pinpoint|highlight|circle|mark|outline|select|underline"
            r"|bbox|box(?:\s+in)?|point\s+(?:to|at|out)|show\s+me)\s+",
            rf"(?:{_IN_PHOTO}|\s+for\s+me|,?\s+please)?",
        ),
    )
)
"""What stands in them is a text whose place is asked for; no article before it, so that it is no description."""
NOT_A_TEXT: Final = re.compile(
    r"(?:it|this|that|he|she|they|there|everybody|located|everything|all\b.*|every\b.*|what\b.*|which\b.*|how\b.*|when\b.*|who\b.*"
    r"|(?:the\s+)?(?:phone|telephone|contact|mobile|fax|room|bus|stop|plate|house)\s*(?:numbers?|no\.?)"
    r"|prices?|address(?:es)?|phone|website|url|e-?mails?|dates?|times?|opening\s+(?:hours|times)|hours|names?|numbers?"
    r"|venue|texts?|signs?|street\s+name|wording|words?|written|shown|printed|to\s+\w+)"
)
"""Words for kinds of text, which are looked up rather than pointed at; with a capital, they are a text themselves."""

_TOLD = (
    r"with|mentioning|bearing|containing|saying|reading|which\s+says|carrying|featuring|marked|labell?ed|titled"
    r"|including|that\s+(?:says|mentions|reads|has|contains|bears|carries|shows|includes)|that\'s\s+got"
)
_WORD = (
    r"(?!(?:an?|the|my|its?|their|any|all|no|some|more|less|this|that|text|words?|letters?|writing|numbers?|out|in|on|at)\b)"
    rf"(?!(?:{'|'.join(COLOURS)})\b)[^\W\d_][\w'-]*"
)
_SIGN_ENDS = (
    r"(?=,|\?|\.|$|[-–:]|(?:says?|reads?|(?:to|for)\s+me|have|has|tells?|telling|asap|visible|readable|please|pls|and|carry|got|aloud"
    r"|verbatim)\b)"
)
WITH_TEXT: Final = re.compile(
    rf"\b(?:{SIGN_NOUNS}|one)\s+(?:(?:{_TOLD})\s+(?:"
    rf"the\s+(?:words?|text)\s+(?P<word>{_WORD})"
    rf"|(?P<words>{_WORD}(?:\s+{_WORD})??)\s+(?:written\s+|printed\s+)?on\s+it\b"
    rf"|(?P<ending>{_WORD})\b\s*{_SIGN_ENDS})"
    rf"|where\s+(?P<where>{_WORD})\s+is\s+(?:written|printed|painted)\b"
    rf"|where\s+(?:you|i|we)\s+(?:can\s+)?(?:see|read)\s+(?P<seen>{_WORD})\b)",
    re.IGNORECASE,
)
"""A sign that is told by a word on it."""
