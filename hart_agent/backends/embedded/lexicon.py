"""The words by which `question` tells what is asked. Only words and patterns: the rules that use them stand there."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Part(StrEnum):
    """Which part of the text answers the question."""

    ALL = "text"
    SIGN = "sign"
    WHERE = "place of a text"
    PHONE = "phone number"
    EMAIL = "e-mail address"
    WEBSITE = "web address"
    PRICE = "price"
    DATE = "date"
    HOURS = "opening hours"
    TIME = "time"
    VENUE = "venue"
    ADDRESS = "address"
    STREET = "street name"
    PLATE = "number plate"
    WARNING = "warning"
    LABELLED = "number with that label"
    NUMBER = "number"
    NAME = "name"


DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

COLOURS: Final = {
    "red": "red", "crimson": "red", "maroon": "red", "scarlet": "red", "orange": "orange", "yellow": "yellow",
    "golden": "yellow", "green": "green", "blue": "blue", "navy": "blue", "purple": "purple", "violet": "purple",
    "pink": "pink", "brown": "brown", "wooden": "brown", "black": "black", "dark": "black", "grey": "grey",
    "gray": "grey", "silver": "grey", "white": "white", "cream": "cream", "beige": "cream",
    "turquoise": "turquoise", "teal": "turquoise", "cyan": "turquoise",
}  # fmt: skip

LABEL_WORDS: Final = (
    "stop|room|bus|buses|line|route|gate|platform|track|floor|flat|apartment|suite|unit|bay|exit|seat|table|locker"
    "|junction|invoice|order|serial|lot|ext|extension|postcode|zip"
)

_ASKING = r"(?:can|could|would|will|do|did|does|may|might|shall)\s+(?:you|u|ya|i|we|anyone|anybody|someone|somebody)\b"
_OPEN = r".*\b(?:where|what|which|how\s+much|when|give|tell|if\s+so|read)\b"
LABEL_DETAIL = r"numbers?|nos?\b\.?|nr\.?|ids?|codes?|#"

PART_WORDS: Final[tuple[tuple[Part, str], ...]] = (
    (Part.EMAIL, r"e-?mail(?:\s+address)?"),
    (Part.WEBSITE, r"web\s?(?:site|page|address)|website|url|homepage|internet|online|web"),
    (Part.PLATE, r"(?:licen[cs]e|number|registration|car|vehicle|car's)[\s-]+(?:plates?|registration|number)(?:\s+number)?"
     r"|plates?(?:\s+number)?(?=.*\b(?:car|vehicle|van|truck)\b)|plate\s+numbers?|tags?(?=.*\b(?:car|vehicle|van|truck)\b)|registration(?:\s+number)?|rego?|number\s?plates?"),
    (Part.LABELLED, rf"(?:{LABEL_WORDS})(?:'s)?\s+(?:{LABEL_DETAIL}|lines?|routes?|services?)|bus\s+stop(?:'s)?\s+(?:{LABEL_DETAIL})"
     rf"|(?:{LABEL_DETAIL})\s+(?:\w+\s+){{0,3}}(?:{LABEL_WORDS})\b(?:\s+have)?"
     rf"|(?:which|what)\s+(?:bus(?:es)?|lines?|routes?|room|gate|platform|floor|track|stop)\b(?:\s+(?:lines?|routes?|services?|{LABEL_DETAIL}))?"
     r"|bus\s+lines?|bus\s+routes?|bus\s+services?|buses|routes?|room"),
    (Part.PHONE, r"(?:tele|smart)?phone(?:\s+(?:number|no\.?))?|phoned?|tel|call|(?:number|no\.?)\b(?=.*\bbe\s+called)|called\s+(?=at|on)|calling|dial|ring|fax(?:\s+number)?"
     r"|contact\s+(?:number|no\.?|details)|mobile(?:\s+number)?|hotline|helpline|freephone|enquiries|customer\s+service|service\s+line|cell(?:phone)?|reached|digits\s+to\s+call"),
    (Part.PRICE, r"prices?|priced|pricing|costs?|costing|how\s+much|pay|charg(?:ed?|es|ing)|fees?|fare|expensive|cheap"
     r"|asking\s+for|set\s+(?:me|you|us|one)\s+back|going\s+for|sells?\s+for|selling\s+for|sells?\s+at|worth|owe|rate|sum|amount|quid|bucks|dollars|euros|pounds"),
    (Part.VENUE, r"venue|attend|meet(?:ing)?|(?:which|what)\s+(?:hall|theatre|church|school)|take(?:s|n|ing)?\s+place|taking\s+place|(?:is|are|being|be|it)\s+held|held|hold(?:s|ing)?|host(?:s|ed|ing)?|staged"
     r"|(?:in|at)\s+(?:which|what)\s+(?:place|location|building|hall)|happen(?:s|ing)?|occur(?:s|ring)?|place\s+of|location\s+(?:of|for|is)"),
    (Part.HOURS, r"(?:opening|business|open|operating|working|trading|office|shop|store|visiting|regular)\s+(?:hours?|times?)|hours(?:\s+of\s+(?:business|opening|operation))?"
     r"|open(?!\s+(?:days?|air|mic|fires?|house|doors|studios?|evenings?|nights?|markets?))|opens|opened|opening|close|closes|closing(?:\s+time)?|closed|timings?|shut|shuts|how\s+late|until\s+when|till\s+when"),
    (Part.TIME, r"what\s+time|which\s+time|times?|hour|(?:starts?|starting|begins?|beginning)(?!\s+with)|kicks?\s+off|commences?|o'?clock"),
    (Part.DATE, r"dates?|(?:which|what)\s+(?:day|month|date)|(?<!open )days?(?:\s+and\s+months?)?|months?|when|calendar"),
    (Part.ADDRESS, r"(?:street|road)\s+(?:name\s+)?and\s+(?:the\s+)?(?:house\s+|street\s+|building\s+)?number"),
    (Part.STREET, r"(?:street|road|avenue|lane)(?:'s)?\s+(?:name[ds]?|called|is\s+(?:this|it))|names?\s+(?:of|for|does)\s+(?:the|this|that)\s+(?:street|road|avenue|lane|square)"
     r"|(?:which|what)\s+(?:street|road|avenue|lane)|(?:street|road)\s+(?=\w*\s*called)|name\s+(?:\w+\s+){0,3}(?:street|road)"),
    (Part.ADDRESS, r"(?:street\s+|full\s+|postal\s+|mailing\s+)?address|addy|located|house\s+number|street|road|avenue|lane"),
    (Part.WARNING, r"dangers?|dangerous|warn(?:s|ed|ing)?\s+(?:people\s+|us\s+|you\s+)?(?:about|against|of|us)|hazards?|warned|warnings?|warn|warns"
     r"|cautions?|cautioned|careful|(?:watch|look)\s+out|beware|risks?"),
    (Part.NAME, r"identify|(?:full\s+|first\s+|last\s+|good\s+|person's\s+)?names?|named|called|who|who's|whose|whom|brand"),
    (Part.NUMBER, r"numbers?|digits?|(?:speed\s+)?limit"),
)  # fmt: skip

OPENER: Final = re.compile(
    r"^\W*(?:(?:hi|hey|hello|there|um+|uh|er|ok|okay|so|well|please|pls|like|sorry(?:\s+to\s+bother\s+you)?|excuse\s+me|quick\s+question|thanks|quickly"
    r"|good\s+(?:morning|day|evening|afternoon)|now|right|and|but|yo|dear)\b[\s,:.!-]*)+",
    re.IGNORECASE,
)
NOT_TEXT: Final = re.compile(
    rf"""\b(?:what|which)\s+(?:\w+\s+)?colou?rs?\b | \bcolou?rs?\s+(?:is|are|of|does|do|did|has|have|was|were)\b | \bwhy\b | \bhow\s+come\b
    | \bhow\s+(?:many(?!\s+(?:dollars|euros|pounds|bucks|cents))|old|tall|big|large|far|long(?!\s+(?:is|are)\b[^?]*\bopen(?:\W*$|\s+(?:on|for|today)\b))|heavy|deep|high|wide|fast|warm|cold|hot|often|close|busy|crowded|clean|steep|loud|sharp)\b
    | ^\W*(?:is|are|was|were|has|have|had|isn't|aren't)\s+(?!{_OPEN}) | ^\W*(?!{_ASKING})(?:does|do|did|can|could|will|would|should)\b(?!{_OPEN})
    | \bwho(?:se)?\b[^?]*\b(?:took|take|made|painted|shot|owns?|built|photograph\w*|camera|standing|sitting|walking)\b
    | \b(?:how\s+much\s+(?:older|snow|rain|wind|water|light)|weather|seasons?|breed|species|mood|emotions?|animals?|wearing|smiling|driving|riding)\b
    | \bwhat\s+(?:kind|type|sort|make|model|shape|material|sound)\b | \b(?:describe|count|guess|estimate|language)\b
    | \bwhat(?:'s|\s+is|\s+are)\s+(?:behind|beside|around|in\s+front\s+of|next\s+to)\b | \btime\s+(?:of\s+(?:day|year)|(?:is|was)\s+it\b(?!\s+open)) | \b(?:photographed|photographer|camera|raining|snowing|sunny|cloudy|made\s+(?:of|from|out))\b
    | \b(?:picture|photo|image|shot|snap)\s+(?:was\s+|been\s+|being\s+)?(?:taken|shot|made)\b | \b(?:doing|holding\s+in|looking\s+at)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""What the letters in a picture can't tell."""

SIGN_NOUNS: Final = (
    "signs?|signboards?|boards?|panels?|plates?|placards?|notices?|labels?|posters?|banners?|plaques?|tags?|billboards?"
    "|stickers?|signposts?|nameplates?|inscriptions?"
)
READING: Final = re.compile(
    rf"\b(?:{SIGN_NOUNS}|say|says|saying|said|written|writes?|writing|reads?|reading|text|texts|words?|wording|letters|lettering"
    r"|spell|spells|spelled|spelt|print|printed|captions?|titles?|messages?|transcribe|transcription|signage|headings?|headlines?)\b",
    re.IGNORECASE,
)
EVERYTHING: Final = re.compile(
    r"\b(?:all|every|everything|each|entire|complete|full|any|whatever)\b.*\b(?:text|texts|words?|wording|written|writing|signs|boards|read"
    r"|readable|legible|says?|letters|lettering|printed|writings|inscriptions|transcri\w+)\b"
    r"|\b(?:read|list|transcribe|type\s+out)\s+(?:out\s+|me\s+|aloud\s+)?(?:everything|all|whatever|(?:this|the)\s+(?:whole\s+|entire\s+)?(?:picture|photo|image))\b"
    r"|\b(?:texts?|words|writing|ocr|says?)\b.*\b(?:in|on|of|from|within|inside)\s+(?:the|this|that|my)\s+(?:\w+\s+)?(?:picture|photo|image|photograph|pic|shot|snap|scene)\b",
    re.IGNORECASE,
)
ONE_SIGN: Final = re.compile(
    r"\b(?:the|this|that|a)\s+(?:[\w'-]+\s+){0,3}?(?:sign|signboard|board|panel|plate|placard|notice|label|poster|banner|plaque|one)\b|\bof\s+the\s+signs\b",
    re.IGNORECASE,
)
WHERE: Final = re.compile(
    r"(?<!that )(?<!sign )(?<!board )(?<!notice )(?<!one )(?<!panel )(?<!placard )(?<!plate )\b(?:where|where's|whereabouts|wherever)\b|\b(?:position|location)\s+of\b"
    r"|\b(?:which|what)\s+(?:corner|side|part|area|spot|region|bit|end|edge)\b|\b(?:find|locate|spot|highlight|underline|outline|pinpoint|box\s+around|bounding\s+box|coordinates)\b|\bpoint\s+(?:me\s+)?(?:to|out|at)\b",
    re.IGNORECASE,
)
UNDER: Final = re.compile(r"\b(?:under|underneath|below|beneath|after|next\s+line)\b", re.IGNORECASE)
OVER: Final = re.compile(r"\b(?:above|over|before|on\s+top\s+of)\b", re.IGNORECASE)
WEEKDAY: Final = re.compile(r"\b(mon|tues?|wednes|thurs?|fri|satur|sun)days?\b", re.IGNORECASE)
ACROSS: Final = (
    (0.0, r"left(?:most|-hand)?(?!\s+(?:my|it|them|the))"),
    (
        1.0,
        r"right(?:most|-hand)?(?!\s+(?:under|below|beneath|above|now|after|(?:in|at)\s+the\s+(?:very\s+)?(?:middle|cent)))",
    ),
)
DOWN: Final = ((0.0, r"top(?:most)?(?!\s+of\s+that)|upper|uppermost|highest|up\s+(?:high|there)|higher|up(?=\s+(?:in|at|on)\s+the\s+(?:far\s+)?(?:left|right))"),
               (1.0, r"bottom|lower|lowest|down\s+(?:low|below|there)|down(?=\s+(?:in|at|on)\s+the\s+(?:far\s+)?(?:left|right))|lowermost|foot\s+of"))  # fmt: skip
SIZES: Final = (("largest", r"largest|biggest|bigger|huge|hugest|main|big|large|giant|most\s+sizeable|sizeable|greatest|most\s+space|most\s+prominent"),
                ("smallest", r"smallest|smaller|tiniest|tiny|little|small"))  # fmt: skip
MIDDLE: Final = re.compile(r"\b(?:middle|centre|center|central|mid)\b", re.IGNORECASE)

NAMED_BY_CALL: Final = re.compile(
    r"\b(?:what|how)\s+(?:do|does|would|should|can)\s+(?:they|you|we|i|u|people|one|folks|locals)\s+call\b", re.I
)
"""Asks for a name, not for a phone number."""

_TEXT = r"(?P<text>(?!(?:an?|the|my|its?|their|any|all|this|that|there|me|out|where|you|i)\b)[^,;?]+?)"
POINTED: Final = tuple(
    re.compile(before + _TEXT + after, re.IGNORECASE)
    for before, after in (
        (
            r"\b(?:looking|searching|hunting)\s+for\s+",
            r"(?:[,;.]|\s+[-–])?\s+(?:where\b|can\s+you\s+(?:find|see|spot|point)|do\s+you\s+see|point\b).*$",
        ),
        (
            r"\b(?:where|place|spot|part|bit|area)\s+(?:that\s+|which\s+)?(?:(?:it|the\s+sign|this|one|something)\s+)?"
            r"(?:says?|reads?|mentions?)\s+(?:the\s+words?\s+)?",
            r"[?.!]*$",
        ),
        (
            r"\bwhere\b.*?\b(?:do|can|could|did)\s+(?:you|u|i|we|one)\s+(?:see|find|spot|read)\s+(?:the\s+words?\s+)?",
            r"(?:\s+(?:written|printed|in\s+.*))?[?.!]*$",
        ),
        (
            r"\b(?:where|(?:which|what)\s+(?:part|area|corner|side|region|spot)\b.*?)\s*(?:'s|\s+is|\s+are)\s+"
            r"(?:the\s+words?\s+)?",
            r"\s+(?:written|printed|shown|displayed|painted|spelled\s+out|mentioned|posted)[?.!]*$",
        ),
        (r"\bwhere\b.*\bwords?\s+", r"\s+(?:are|is)[?.!]*$"),
        (
            r"(?:^|\b(?:you|u|pls|please)\s+)(?:please\s+)?"
            r"(?:locate|find|spot|pinpoint|highlight|circle|mark|outline|point\s+(?:to|at))\s+(?:the\s+words?\s+)?",
            r"(?:\s+(?:on|in|for)\s+(?:the|this|my)\s+(?:photo|picture|image|pic|map|scene).*|\s+for\s+me|,?\s+please)?[?.!]*$",
        ),
    )
)
"""What stands in them is a text whose place is asked for; no article before it, so that it is no description."""
NOT_A_TEXT: Final = re.compile(
    r"(?:it|this|that|he|she|they|there|everybody|located"
    r"|(?:the\s+)?(?:phone|telephone|contact|mobile|fax|room|bus|stop|plate|house)\s*(?:numbers?|no\.?)"
    r"|prices?|address(?:es)?|phone|website|url|e-?mails?|dates?|times?|opening\s+(?:hours|times)|hours|names?|numbers?"
    r"|venue|texts?|signs?|street\s+name)",
    re.IGNORECASE,
)
"""Words for kinds of text, which are looked up rather than pointed at."""

_TOLD = r"with|mentioning|bearing|containing|saying|which\s+says|that\s+(?:says|mentions|reads|has|contains)|carrying|featuring"
_WORD = (
    r"(?!(?:an?|the|my|its?|their|any|all|no|some|more|less|this|that|text|words?|letters?|writing|numbers?)\b)"
    rf"(?!(?:{'|'.join(COLOURS)})\b)[^\W\d_][\w'-]*"
)
WITH_TEXT: Final = re.compile(
    rf"\b(?:{SIGN_NOUNS}|one)\s+(?:{_TOLD})\s+(?:"
    rf"the\s+(?:words?|text)\s+(?P<word>{_WORD})"
    rf"|(?P<words>{_WORD}(?:\s+{_WORD})?)\s+on\s+it\b"
    rf"|(?P<ending>{_WORD})\s*(?=,|\?|\.|$|says?\b|reads?\b|[-–]|to\s+me\b|for\s+me\b))",
    re.IGNORECASE,
)
"""A sign that is told by a word on it."""

COMMON: Final = frozenset(
    """
    a able about across actual actually after again alexa all along aloud alright also am an and announced another
    any anybody anyhow anyone anything anywhere app appear appearing appears are area around as ask asking assistant
    at attached away back background be bear bearing bears because been before begin
    beginning begins behind being below beneath beside
    between big bigger biggest bit board boss bother bottom building business but buy by call called can can't car
    card carries carry case center central centre certain check clearly close closest colored coloured come comes
    coming company complete contain contains content contents corner could curious currently customer dad daughter
    day dear delivery describe detail details did display displayed displays do does doesn't don't done dont door
    down each edge else end enough entire even every everybody everyone everything exact exactly excuse extract fancy far
    favor favour figure figures find fine fixed folks following for foreground form found frame friend friends from
    front full further get gets getting give given go goes going gonna good google got great greatest guess guy guys
    had half hand hang hanging hangs happen has have having he hear hello help her here hey hi high highest him his
    hold how huge hung husband i i'd i'll i'm i've id idea if image important in includes indicate indicated
    indicates info information inside interested into is isn't it it'd it's item its itself just kid kind kindly
    know lady large largest least leave left left-hand leftmost legible let let's letter like line lines list listed
    listen listing lists little live locate located location look looking looks loud low lower lower-left
    lower-right lowest madam main make makes man many map mark marked mate may maybe me mean means mention mentioned
    mentioning mentions message middle might mind mine miss mister mom more most mounted much mum must my name named near
    nearby need needed needs next nice no not nothing notice now number numbers object of off often ok okay old on
    once one one's ones only onto option or order other others our out over own page panel paper part particular
    passenger pay people per perhaps person phone photo photograph photographs photos phrase pic pick picture
    pictures piece place places plain planning please please-tell pls plz point pole position possible post posted
    precisely present pretty print probably prominent provide public put question quick quickly quote read read-out
    readable reading real really regarding region remind report request right right-hand rightmost road roughly said
    same saw say says scan scene screen section see seems seen sees send set shall she shop shot should show showing
    shown shows side sign single sir siri size sizeable small smaller smallest snap so some somebody somehow someone
    something somewhere son sorry sort space specific specified spell spot stand standing stands start
    starting starts state stated
    states still stop store straight street such sure take taken taking talk tell telling text than thank thanks
    that that's the their them then there there's these they they're they've thing things think this those time
    times tiniest tiny title to today together told transcript tomorrow too top topmost toward towards truck try trying turn
    type u uh um under underneath up upper upper-left upper-right ur us use used van vehicle verbatim very via view visible
    visit wait wall wanna want wanted wants was way we we're well were what what's whatever whats when where where's
    whereabouts wheres which while who who's whoever whole whom whose why wife will wish with within without wonder
    wondering word worded words work would write writing written yes yet you you're young your yours zoom
    """.split()
)
"""Words that say nothing about which sign is meant."""
