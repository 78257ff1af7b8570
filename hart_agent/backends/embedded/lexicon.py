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
     r"|open|opens|opened|opening|close|closes|closing(?:\s+time)?|closed|timings?|shut|shuts|how\s+late|until\s+when|till\s+when"),
    (Part.TIME, r"what\s+time|which\s+time|times?|hour|start|starts|starting|begin|begins|beginning|kicks?\s+off|commences?|o'?clock"),
    (Part.DATE, r"dates?|(?:which|what)\s+(?:day|month|date)|days?(?:\s+and\s+months?)?|months?|when|calendar"),
    (Part.STREET, r"(?:street|road|avenue|lane)(?:'s)?\s+(?:name[ds]?|called|is\s+(?:this|it))|names?\s+(?:of|for|does)\s+(?:the|this|that)\s+(?:street|road|avenue|lane|square)"
     r"|(?:which|what)\s+(?:street|road|avenue|lane)|(?:street|road)\s+(?=\w*\s*called)|name\s+(?:\w+\s+){0,3}(?:street|road)"),
    (Part.ADDRESS, r"(?:street\s+|full\s+|postal\s+|mailing\s+)?address|addy|located|house\s+number|street|road|avenue|lane"),
    (Part.WARNING, r"dangers?|dangerous|warn(?:s|ed|ing)?\s+(?:people\s+|us\s+|you\s+)?(?:about|against|of|us)|hazards?|warned|warnings?|warn|warns"
     r"|cautions?|cautioned|careful|watch\s+out|beware|risks?"),
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
    | \bhow\s+(?:many(?!\s+(?:dollars|euros|pounds|bucks|cents))|old|tall|big|large|far|long|heavy|deep|high|wide|fast|warm|cold|hot|often|close|busy|crowded|clean|steep|loud|sharp)\b
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
ACROSS: Final = ((0.0, r"left(?:most|-hand)?(?!\s+(?:my|it|them|the))"), (1.0, r"right(?:most|-hand)?(?!\s+(?:under|below|beneath|above|now|after))"))
DOWN: Final = ((0.0, r"top(?:most)?(?!\s+of\s+that)|upper|uppermost|highest|up\s+(?:high|there)|higher"),
               (1.0, r"bottom|lower|lowest|down\s+(?:low|below|there)|lowermost|foot\s+of"))  # fmt: skip
SIZES: Final = (("largest", r"largest|biggest|bigger|huge|hugest|main|big|large|giant|most\s+sizeable|sizeable|greatest|most\s+space|most\s+prominent"),
                ("smallest", r"smallest|smaller|tiniest|tiny|little|small"))  # fmt: skip
MIDDLE: Final = re.compile(r"\b(?:middle|centre|center|central|mid)\b", re.IGNORECASE)

COMMON: Final = frozenset(
    """a able about across actual actually after again all along alright also am an and announced another any anybody anyone anything anywhere
    appear appearing appears are area around as ask asking at attached away back background be bear bearing bears because been before behind
    being below beneath beside between bit board bother bottom building business but buy by call called can card carry carries case
    center centre central check close closest clearly colored coloured come comes coming company contain contains corner could currently curious customer
    day dear detail details did display displayed displays do does done door down each edge else end enough entire even every everybody everyone everything
    exact exactly excuse fancy far favor favour figure figures find fine fixed folks following for foreground form found frame friend friends from front full further
    get gets getting give given go goes going gonna good got great guess guy guys had half hand hang hanging hangs happen have having he hello help her here
    hey hi high him his hold how i id idea if image important in indicate indicated indicates info information inside interested into is it item its itself just kind kindly
    know lady largest least leave left legible let letter like line lines list listed listing lists little live locate located location look looking looks low lower
    main make makes man many mark marked mate may maybe me mean means mention mentioned mentions message middle might mind mine more most mounted much must my name
    named near nearby need needed needs next nice no not nothing notice now number numbers of off often okay ok old on once one ones only onto option or order other others our out
    over own page panel paper part particular pay people per perhaps person phrase pick photo photograph photographs photos pic picture pictures piece place places
    planning please pls plz point pole position possible post posted present pretty print provide public put question quick quickly quote read readable reading real really regarding remind request
    right road said same saw say says scan scene screen see seems seen sees send set shall she shop should show showing shown shows side sign single sir small snap so some somebody someone
    something son somewhere sorry sort specific specified spell spot stand standing stands start state stated states still stop store street such sure take taken talk tell telling text than thank thanks that the their
    them then there these they thing things think this those time times title to today together told tomorrow too top toward towards try trying turn type u um under underneath up upper ur us
    use used uh very via view visible visit wait wall wanna want wanted wants was way we well were what whatever when where which while who whom whose why will wish with within without wonder wondering
    word words work would write writing written yes yet you young your yours i'd i'm i've i'll it's what's where's that's there's they're they've who's let's we're you're whats wheres dont don't doesn't
    isn't can't it'd one's wife husband daughter mum mom dad kid boss passenger phone vehicle car truck van object whole complete largest large big biggest smallest tiny tiniest huge leftmost rightmost topmost highest lowest left-hand
    right-hand upper-left upper-right lower-left lower-right area region section whoever anyhow somehow please-tell mister madam miss assistant app siri alexa google hear listen describe read-out aloud loud
    straight has includes worded plain report zoom map delivery greatest size space taking enough prominent whereabouts shot quickly currently exactly precisely roughly probably certain bigger smaller sizeable others hung contents content""".split()
)
"""Words that say nothing about which sign is meant."""
