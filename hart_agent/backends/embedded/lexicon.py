"""What questions ask for: kinds of text and the words that name them. Patterns only, see `question`."""

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
    EVENT = "date and place"
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
    "stop|room|office|door|bus|buses|busses|line|route|gate|platform|track|floor|flat|apartment|suite|unit|bay|exit|seat|table|locker"
    "|junction|invoice|order|serial|lot|ext|extension|postcode|zip"
)
VEHICLES: Final = r"(?:car|vehicle|van|truck|lorry|taxi|cab|motorbike|scooter|automobile)s?"
LABEL_DETAIL: Final = r"numbers?|nos?\b\.?|nr\.?|ids?|codes?|digits|figures?|identifi(?:er|cation)|#"


def _any(*choices: str) -> str:
    return "|".join(choices)


_PERSON = r"(?:i|we|you|u|they|he|she|one|people|folks|locals|visitors|customers)"
_TIMES = r"(?:hours?|times?|schedule)"
_LINES = r"(?:bus(?:s?es)?|lines?|routes?)"
_ROAD = r"(?:street|road|avenue|lane|alley|square|thoroughfare)"
_EVENTS = r"(?:days?|air|mic|fires?|house|doors|studios?|evenings?|nights?|markets?)"

PART_WORDS: Final[tuple[tuple[Part, str], ...]] = (
    (Part.EMAIL, r"e-?mail(?:\s+address)?|mail\s+address"),
    (Part.WEBSITE, r"web\s?(?:site|page|address)|www(?:\s+address)?|website|url|homepage|internet|online|web|site(?=.*\bvisit\b)"),
    (Part.PLATE, _any(
        r"(?:licen[cs]e|number|registration|car|vehicle|car's)[\s-]+(?:plates?|registration|number|tags?)(?:\s+number)?",
        rf"(?:plates?|tags?|number|licen[cs]e)(?:\s+number)?(?=.*\b{VEHICLES}\b)",
        r"(?<=car's )plates?|(?:(?<=its )|(?<=his )|(?<=her ))plates?|(?<=their )plates?",
        r"plate\s+numbers?|numberplates?|registration(?:\s+(?:number|plate))?|rego?(?:\s+number)?",
    )),
    (Part.EVENT, _any(
        r"(?:when|what\s+(?:day|date|time))\s+(?:and|&|or)\s+where", r"where\s+(?:and|&)\s+(?:when|what\s+(?:day|date|time))",
        r"(?:date|day|time)\s+(?:and|&)\s+(?:place|venue|location)", r"(?:place|venue|location)\s+(?:and|&)\s+(?:date|day|time)",
    )),
    (Part.LABELLED, _any(
        rf"(?:{LABEL_WORDS})(?:'s)?\s+(?:{LABEL_DETAIL}|lines?|routes?|services?)|bus\s+stop(?:'s)?\s+(?:{LABEL_DETAIL})",
        rf"(?:{LABEL_DETAIL})\s+(?:\w+\s+){{0,3}}(?:{LABEL_WORDS})\b(?:\s+have)?",
        rf"(?:which|what)\s+(?:{_LINES}|room|office|door|gate|platform|floor|track|stop)\b(?:\s+(?:lines?|routes?|services?|{LABEL_DETAIL}))?",
        r"bus\s+lines?|bus\s+routes?|bus\s+services?|bus(?=\s+stops?\s+here)|every\s+bus|bus\s+connections?|services?(?=.*\bstop\b)|lines(?=\s+at\b)|bus\b.*\bwhich\s+ones|buss?es|routes?|room(?!\s+and\b)",
        rf"stop(?=\s+(?:numbered|identified|labelled)\b)|^\W*(?:the\s+)?(?:bus\s+)?(?:stop|room|gate|platform)(?=\s*(?:[?.!]|$|in|on|at|for)\b)|(?:what|which)\s+(?:can|could)\s+{_PERSON}\s+catch|which\s+ones\s+stop",
    )),
    (Part.PHONE, _any(
        r"(?:digits?\s+(?:of|in|for)\s+(?:the\s+)?)?(?:contact\s+)?(?:tele|smart)?phone(?:\s+(?:number|no\.?|digits))?",
        r"phon(?:ed|es|ing)|tel(?:\s+(?:number|no\.?|nr\.?))?|a\s+(?:bell|buzz|tinkle)",
        r"call|calls|calling|called(?=\s+(?:at|on)\b(?!\s+(?:the|that|this)\b))|(?:number|no\.?)\b(?=.*\bbe\s+called)|dial|ring|fax(?:\s+number)?",
        r"contact\s+(?:number|no\.?|details)|mobile(?:\s+number)?|hotline|landline|helpline|freephone|enquiries|customer\s+service",
        r"service\s+line|cell(?:phone)?|reached|digits\s+to\s+call",
    )),
    (Part.PRICE, _any(
        r"prices?|priced|pricing|price\s+tag|costs?|costing|how\s+much(?:\s+money)?|pay|charg(?:ed?|es|ing)|fees?|fare|expensive|pric(?:e)?y|cheap",
        r"(?:how\s+many|total\s+in|what)\s+money|how\s+many\s+(?:dollars|euros|pounds|bucks|cents)|figure|(?:asking|asked|they\s+ask|(?:they|you|he|she)\s+want)\s+for|damage(?=\s+for)",
        r"set(?:s|ting)?\s+(?:me|you|us|one)\s+back|going\s+for|(?:sells?|selling|sold|on\s+sale|for\s+sale)(?:\s+(?:at|for))?",
        r"worth|owe|rate|sum|amount|quid|bucks|dollars|euros|pounds",
    )),
    (Part.VENUE, _any(
        r"venue|site\s+of|setting|destination|location|attend|meet|(?:which|what)\s+(?:hall|theatre|church|school|spot|place|location)",
        r"(?:takes?|taken|taking)\s+place|(?:is|are|being|be|it)\s+held|held|hold(?:s|ing)?|host(?:s|ed|ing)?|staged",
        r"(?:in|at)\s+(?:which|what)\s+(?:place|location|building|hall)",
        r"place\s+(?:of|for)|location\s+(?:of|for|is)|they\s+(?:doing|having|giving)",
    )),
    (Part.HOURS, _any(
        rf"days?\s+and\s+times?\s+of\s+opening|(?:opening|business|open|operating|working|trading|office|shop|store|visiting|regular)\s+{_TIMES}",
        r"hours(?:\s+of\s+(?:business|opening|operation))?|schedule|timings?",
        rf"open(?!\s+{_EVENTS})|opens|opened|opening|close|closes|closing(?:\s+time)?|closed|shut|shuts",
        r"how\s+late|until\s+when|till\s+when|unlock(?:s|ed)?|lock(?:s|ed)?\s+up",
        rf"(?:when|(?:(?:during|between)\s+)?(?:what|which)\s+{_TIMES}|how\s+(?:early|late))\s+(?:can|could|may|should)\s+{_PERSON}\s+"
        r"(?:go|come|visit|drop|get\s+in|enter|shop)",
    )),
    (Part.TIME, _any(
        r"(?:what|which)\s+time|times?|hour|kick-?off|expected(?=\s+at\b)|how\s+many\s+o\'?clock|(?:starts?|starting|begins?|beginning)(?!\s+with)",
        r"kicks?\s+off|commences?|o'?clock|how\s+early|gets?\s+(?:going|under\s?way)",
    )),
    (Part.DATE, r"dates?|(?:which|what)\s+(?:day|month|date)|(?<!open )days?(?:\s+and\s+months?)?|months?|when|calendar"),
    (Part.ADDRESS, r"(?:street|road|house\s+number)\s+(?:name\s+)?and\s+(?:the\s+)?(?:house\s+|street\s+|building\s+|road\s+)?(?:number|name)|street\s+and\s+(?:at\s+)?(?:what|which)\s+number|(?:on|in)\s+(?:what|which)\s+street\s+(?:would|can|could|do|does|will|should)"
     r"|(?:street\s+|full\s+|postal\s+|mailing\s+|exact\s+)address|house\s+number"),
    (Part.STREET, _any(
        rf"{_ROAD}(?:'s)?\s+(?:name[ds]?|called|is\s+(?:this|it))|names?\s+(?:of|for|does)\s+(?:the|this|that)\s+{_ROAD}",
        rf"(?:which|what)\s+{_ROAD}|{_ROAD}(?=\s+(?:\w+\s+)?called)|name\s+(?:\w+\s+){{0,3}}{_ROAD}|^\W*{_ROAD}\W*$",
    )),
    (Part.ADDRESS, r"address|addy|addr|(?<!sign )(?<!one )(?<!board )(?<!notice )(?<!panel )(?<!plaque )located|street|road|avenue|lane"),
    (Part.WARNING, _any(
        r"dangers?|dangerous|perils?|threats?|warn(?:s|ed|ing)?\s+(?:people\s+|us\s+|you\s+)?(?:about|against|of|us)|hazards?|warn(?:s|ed|ings?)?",
        r"cautions?|cautioned|careful|(?:watch|look)\s+out|beware|risks?|alert(?:s|ed|ing)?|unsafe|cautious|feared?|mind\s+the|attention\s+to",
    )),
    (Part.NAME, _any(
        r"identify|calls?\s+(?:itself|himself|herself|themselves)|(?:full\s+|first\s+|last\s+|good\s+|sur|person's\s+)?names?",
        r"(?:which|what)\s+(?:business|firm|one\s+(?:is\s+)?the)|(?:which|what)\s+person|named|called|who|who's|whose(?!\s+(?:background|colou?r|text|letters))|whom|brand|go(?:es)?\s+by(?=\W*$)",
    )),
    (Part.NUMBER, r"numbers?|digits?|(?:speed\s+)?limit"),
)  # fmt: skip
"""The words that name a kind of text, the most telling kinds first."""

NAMED_BY_CALL: Final = re.compile(
    rf"\b(?:what|how)\s+(?:do|does|would|should)\s+(?:the\s+)?{_PERSON}\s+call\b|\bcalls?\s+(?:itself|themselves)\b",
    re.I,
)
"""Asks for a name, not for a phone number."""

_ASKING = r"(?:can|could|would|will|do|did|does|may|might|shall)\s+(?:you|u|ya|i|we|anyone|anybody|someone|somebody)\b"
_OPEN = r".*\b(?:where|what|which|how\s+much|when|how\s+(?:is|are)|called|give|tell|read\s+(?:it|me|out|them)|hear)\b"
_BEING = r"(?:man|woman|boy|girl|lady|guy|child|kids?|children|people|person|dog|cat|bird|horse|animal)"
_MONEY = r"(?:money|dollars|euros|pounds|bucks|cents)"
_DANGER = r"(?:\w+\s+){0,3}(?:danger|hazard|risk|warning|warned|careful|beware|caution)"
NOT_TEXT: Final = re.compile(
    rf"""\b(?:what|which)\s+(?:\w+\s+)?colou?rs?\b | \bcolou?rs?\s+(?:is|are|of|does|do|did|has|have|was|were)\b
    | \bwhy\b(?!\s+(?:\w+\s+){{0,4}}(?:warning|warned|careful|beware|caution)) | \bhow\s+come\b
    | \bhow\s+many\b(?!\s+(?:{_MONEY}|o'?clock))
    | \bhow\s+long\b(?!\s+(?:is|are)\b[^?]*\bopen(?:\W*$|\s+(?:on|for|today)\b))
    | \bhow\s+(?:old|tall|big|large|far|heavy|deep|high|wide|fast|warm|cold|hot|often|close|busy|crowded|clean|steep|loud|sharp)\b
    | ^\W*(?:is|are|was|were|has|have|had|isn't|aren't)\s+(?!{_OPEN})
    | ^\W*(?!{_ASKING})(?:does|do|did|can|could|will|would|should)\b(?!{_OPEN})
    | \bwhose\s+(?:car|van|dog|bike|house|bag)\b | \bbrand\s+(?:of|is)\s+(?!on\b|written\b)| \b(?:make|model)\s+(?:(?:of|is)\s+)?(?:the\s+|that\s+)?(?:car|van|bike|bicycle)\b
    | \bwho(?:se)?\b[^?]*\b(?:took|take|made|painted|shot|owns?|built|photograph\w*|camera|standing|sitting|walking)\b
    | \bwho(?:'s|\s+is|\s+are)\s+(?:(?:the|that|this)\s+{_BEING}|(?:in|on)\s+(?:the|this)\s+(?:picture|photo|image)\b) | \b(?:is|are|does|did|do|what's)\s+(?:the|that|this)\s+{_BEING}\s+\w+ing\b
    | \bhow\s+much\s+(?:older|snow|rain|wind|water|light)\b | \bweigh
    | \bwho\s+(?!(?:is|are|was|would|works?|do|does|should|can|could|to|runs?|may|must|will|the|that|this|it|an?|our|they|has|have|acts?|sits?|serves?)\b)\w+\b | \byour\s+name\b
    | \b(?:old|new|nic|clean|dirti|pretti|ugli)e(?:r|st)\b | \blooks?\s+(?:like|old|new|nice|good)\b
    | \b(?!person|people){_BEING}(?:'s\s+(?:name|job)|\s+(?:reads|holds|wears|has|carries))\b
    | \bnumber\s+of\s+(?:{_BEING}|men|women|persons|cars|trees|windows|birds|dogs|signs|boats)\b
    | \b(?:weather|seasons?|breed|species|mood|emotions?|animals?|wearing|smiling|driving|riding|carrying|eating)\b
    | \bwhat\s+(?:kind|type|sort|make|model|shape|material|sound|font)\b(?!\s+of\s+{_DANGER}) | \bshape\b
    | \b(?:describe|description|count|guess|estimate|language)\b
    | \bwhat(?:'s|\s+is|\s+are)\s+(?:behind|beside|around|in\s+front\s+of|next\s+to)\b
    | \btime\s+(?:of\s+(?:day|year)(?!\s+is\s+the)|(?:is|was)\s+it\b(?!\s+(?:open|on|at|for)\b))
    | \b(?:photographed|photographer|camera|raining|snowing|sunny|cloudy|made\s+(?:of|from|out))\b
    | ^(?!.*\b(?:which|what)\s+{_ROAD}\b).*\b(?:picture|photo|image|shot|snap)\s+(?:was\s+|been\s+|being\s+)?(?:taken|shot|made)\b
    | (?<!they\s)\bdoing\b | \bholding\s+in\b | ^(?!.*\b(?:which|what)\s+{_ROAD}\b).*\blooking\s+at\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""What the letters in a picture can't tell."""
