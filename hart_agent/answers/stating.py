"""What a reply in free text states as its answer: the words behind the last "it is" or colon that nothing takes back.

A reply is cut into sentences, these into clauses at words that turn ("but", "sondern", "而是"). The last clause that
neither denies nor doubts gives the answer: what it quotes, what stands behind its last copula, colon or arrow, or, if
it is a few words, all of it. Remarks on the answer are passed over; a refusal behind it leaves none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hart_agent.answers.markup import undecorated

_SENTENCE = re.compile(r"\n+|(?<=[.!?;])\s+|(?<=[。！？；])|\.{3}\s|…")
_TURN = re.compile(
    r"[,;]?\s(?:but|yet|however|sondern|aber|jedoch|sino|pero|però|mais|ma|mas|maar|ale|mà là|но|а|ama)\s"
    r"|[，、,]?\s?(?:而是|但是?|不过|ですが、?|しかし、?|けど、?|보였지만|지만|ではなく、?|가 아니라|이 아니라)"
    r"|,\s(?:which leaves|leaving)\s(?:only\s|us with\s|me with\s)?"
    r"|[，,]\s?(?=是)|[，,](?=[^，,]{0,20}(?:确认|其实|实际))|,\s(?=(?:c'est|it's|it is|es ist|è|это)\s)",
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    r",\s(?:which|who|der|die|das|qui|que)\s[^,\n]{1,120},\s|\s?\((?!or\b|maybe\b|perhaps\b"
    r"|possibly\b)[^()]{1,200}\s[^()]{1,200}\)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|never|cannot|no|nor|neither|none|\w{2,8}n't|wrong|incorrect|rejected|mistake|unable|unreadable"
    r"|illegible"
    r"|might|could|may(?!\s\d)|whether|either|unless|if|maybe|thought|initially|at first"
    r"|first (?:read|saw|took)|misread(?:ing)?|previously|à première vue|auf den ersten blick|a prim(?:er)?a vista"
    r"|rather than"
    r"|instead of"
    r"|unlike|also|elsewhere|another|nicht|kein|nichts|leider|pas|não|нет|не|entweder|δεν|değil|không)\b"
    r"|[✗✘☒❌\u00d7?]|不是|没有|沒有|无法|無法|还是|還是|看不|不能|可能|乍|ません|ではない|できない|없습니다|없어|아닙니다|어렵|모르",
    re.IGNORECASE,
)
_UNSURE_ONLY = re.compile(r"\b(?:certain|certainty|sure|confident|resolution|blurry|blurred|visible)\b", re.IGNORECASE)
_ASIDE = re.compile(
    r"[\s*_>#-]{0,6}(?:\(.*\)|(?:confidence|explanation|evidence|reason(?:ing)?|rationale|note|source|details?"
    r"|key evidence"
    r"|why|alternatives?|runner.up|bbox|location|q|user)\b[^:：\n]{0,30}[:：].*)[\s.]*",
    re.IGNORECASE | re.DOTALL,
)
_COURTESY = re.compile(
    r"^(?-i:I\s[a-z])|\b(?:let me|thank|thanks|hope|please|feel free|welcome|anything else|sure|certainly|of course"
    r"|great question|you|okay"
    r"|wait|hmm|done|looking)\b",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"\b(?:is|are|it's|its|that's|there's|reads|says|shows|displays|states|say|read(?: it as)?|to be|looks like"
    r"|look like|favou?rs|suggests|indicates|confirms|points to"
    r"|seems|see"
    r"|make out|correct it to|change it to|going with|go with|gives|end up with"
    r"|be|been|conclude|probably|likely|actually|equals"
    r"|ist|lautet|lese ich|steht|est|c'est|on lit|lire|es|ve|lee|dice|è|é|legge|lê-se|это|là|jest|je|είναι"
    r"|indique|affiche|muestra|indica|mostra|zeigt|besagt|показывает|указано|staat|pokazuje|visar|écrit|escrito|scritto|sieht|pone|pisze|yazıyor"
    r"|видно|написано|هي|هو|would answer|lese|lis|voit|leo|veo|vedo|leio|vejo|вижу|читаю|显示"
    r"|adalah|s'agit de|handelt sich um|se trata de|si tratta di|trata-se de|i answer|answer with)"
    r"\s(?:that\s)?"
    r"|(?:→|=>|⇒)\s{0,3}|(?<=[^\W\d_])\s?[:=]\s{0,3}|(?<=[^\W\d_]\s\d)[:=]\s{1,3}|(?<=[)\]*\"'”」])[:=]\s{0,3}"
    r"|(?<=[^\W\d_])\s–\s|\s,,\s"
    r"|(?:是|为|為|は|정답은|답은|보면|によると、?|よく見ると、?|看到|显示|应为|คือ)\s{0,2}",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"“«„「『]\s?([^\"“”«»„「」『』\n]{1,200}?)\s?[\"”»“」』]")
_BEHIND = re.compile(
    r",\s(?:with|at)\s[^,\n]{1,30}\b(?:confidence|certainty)[\s.]{0,3}$"
    r"|,\s(?:i|we)\s(?:believe|think|guess|suppose|would say|reckon)[\s.]{0,3}$"
    r"|,?\s(?:and not|bukan|et non|et pas|e non|e não|y no|und nicht|и не)\s.*$"
    r"|,\s(?:and\s)?(?:not|no|nicht|non|pas|rather|instead|não|не|а не|as|which|from|in|on|at the|since|because"
    r"|weil|car)\s.*$"
    r"|,?\s(?:although|though|even (?:if|though)|auch wenn|même si|aunque|anche se|хотя|obwohl|embora)\s.*$"
    r"|\s(?:rather than|instead of|and not|as opposed to|in the (?:image|picture|photo)\b(?!\s?[:：,]))\b.*$"
    r"|\s[(\[](?!or\b"
    r"|maybe\b|perhaps\b|possibly\b)[^()\[\]]*[)\]]\s?[.]?$"
    r"|\s–\s(?:clearly|visible|as|seen|it|the|which|this|that|located)\b.*$|[，,]\s?(?:而不是|不是|图|因).*$",
    re.IGNORECASE | re.DOTALL,
)
_ENDING = re.compile(
    r"\s?(?:です|でした|である|だ|입니다|이다|예요|이에요|로 보입니다|로 보인다|है|dir|zu sehen|zu lesen|zu erkennen"
    r"|と書かれています|と書いてあります|と読めます|が見えます"
    r"|と表示されています|라고 (?:쓰여|적혀) 있습니다|there|here|to me)?[\s.!。]{0,9}$"
)
_LED = re.compile(
    r"^(?:therefore|thus|hence|then|still"
    r"|actually|clearly|definitely|indeed|probably|most likely|likely|about|approximately"
    r"|rather|just|simply"
    r"|claramente|the following|that)\s",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^[\s>*-]{0,6}(?:no|yes|so|ok|okay|thus|hence|therefore|and|in short|in brief|in summary|in conclusion|to sum up"
    r"|overall|long story short|kurz gesagt|kurzum|bref|en résumé|en resumen|em resumo|in breve|короче)[,:]\s"
    r"|^as (?:far as|best) i can (?:tell|see|make out|read)[,:]\s"
    r"|^if (?:i|we) (?:had|have) to (?:guess|say|choose|pick|answer):\s"
    r"|^(?:if|wenn|si|se)\s(?:i|ich|je|tuviera|devo|dovessi|tivesse)\b[^,\n]{1,40}"
    r"\b(?:guess|choose|pick|say|answer|raten|müsste|deviner|choisir|adivinar|elegir|indovinare|scegliere|adivinhar)"
    r"\b[^,\n]{0,30},\s"
    r"|^(?:rather than|instead of|unlike|contrary to|despite|in spite of|trotz|malgré|a pesar de"
    r"|while|although|even though|though|statt"
    r"|au lieu de)\s[^,\n]{1,120},\s",
    re.IGNORECASE,
)
_ACCEPTED = re.compile(
    r"\s{0,3}(?:[:,–-]\s{0,3})?(?:[✓✔✅☑]|\((?:accepted|correct|chosen|final)\)|[:,–-]\s{0,3}(?:yes|accepted|correct|right|true|chosen))\s?$"
)
_BULLET = re.compile(r"^(?:[>*#]{1,4}\s{0,3}|-\s(?=\D))")
_HEADING = re.compile(
    r"[\s#*>]{0,8}(?:(?:final|my|short|correct)\s)?(?:answer|conclusion|result|response)s?[\s:*]{0,5}", re.IGNORECASE
)
_LEAVE = re.compile(
    r"(?:please\s)?(?:let me know|feel free|i hope|anything else|is there anything|would you|do you want)\b", re.I
)
_OTHER_WRONG = re.compile(
    r"(?!(?:i|it|its|it's|this|that|that's|they|none|nothing|neither|nobody|there|no|my|the)\b)[^\n]{1,60}?\s"
    r"(?:doesn't|does not|don't|do not|isn't|is not|is|would|wouldn't|would not)\s"
    r"(?:fit|match|look|have|need|require|apply|wrong|incorrect|correct|right"
    r"|a mis\w{1,12})\b",
    re.IGNORECASE,
)
"""Another value that isn't the answer."""
_TAKEN_BACK = re.compile(
    r"\s{0,3}(?:i|we)\s(?:can't|cannot|couldn't|could not|am unable to|am not able to)\s(?:confirm|verify|say|tell"
    r"|read)\b|\s{0,3}it\s(?:isn't|is not)[\s.]{0,3}$"
    r"|\s{0,3}(?:that|this|it)(?:'s|\s(?:is|was|turned out))\s(?:[a-z]{1,12}\s){0,2}(?:wrong|incorrect"
    r"|mistake|error)\b",
    re.IGNORECASE,
)
_NAMED_ANSWER = re.compile(
    r"(?:^|[,:]\s)(?:so\s|hence\s|therefore\s)?(?!(?:that|this|it|which|here)\s)([^,:\n]{1,100}?)\sis\s(?:my|the)\s"
    r"(?:final\s|correct\s|right\s)?(?:answer|reading|choice)[\s.]{0,3}$",
    re.IGNORECASE,
)
"""Something "is my answer"."""
_SEEN = re.compile(
    r"(?:^|[,:]\s)(?!(?:it|this|that|which|what|here|nothing|none|the|i|there)\s)((?:[^,:\n]|[,:]\s?(?=\d)){1,100}?)"
    r"\s(?:it is[\s.!]{0,3}$"
    r"|(?:is|are|can be|appears)\s(?:what (?:it|the sign|the text) (?:says|shows|reads)|(?:clearly\s)?(?:shown|written"
    r"|printed|visible|legible|readable|seen|displayed|on it))\b[^,\n]{0,40}$)",
    re.IGNORECASE,
)
"""Something "can be seen"."""
_FEW_WORDS = 6
_MOST = 2_000
"""Characters at the end of a reply that are read."""


def stated(text: str) -> str:
    """What a reply states as its answer; "" if it states none.

    Args:
        text: in canonical form, without mark-up.
    """
    sentences = [part for piece in _SENTENCE.split(undecorated(text)[-_MOST:]) if (part := piece.strip())]
    for at in range(len(sentences) - 1, -1, -1):
        sentence = sentences[at]
        if _ASIDE.fullmatch(sentence) or _LEAVE.match(sentence) or _OTHER_WRONG.match(sentence):
            continue
        span, bare = next(_spans(sentences[at]), ("", False))
        if span:
            return "" if bare and at and _is_of_text(sentences[at - 1], span) else span
        if _DENIED.search(sentences[at]) and not _is_passed_over(sentences[at]):
            return ""
    return ""


def _is_of_text(before: str, span: str) -> bool:
    """Whether a few words go on with those before them, as in "STOP. WAIT HERE", which answer only together."""
    other, bare = next(_spans(before), ("", False))
    return bare and other != span and not _HEADING.fullmatch(before) and not _DENIED.search(before)


def _is_passed_over(sentence: str) -> bool:
    """Whether a sentence denies another answer, or only certainty, or offers further help."""
    return bool(
        _UNSURE_ONLY.search(sentence)
        or re.search(r"[✗✘☒❌]|rejected|^not\b|\b(?:also|elsewhere)\b", sentence, re.IGNORECASE)
    )


def _spans(sentence: str) -> Iterator[tuple[str, bool]]:
    """What the clauses of a sentence give as an answer, the last first; and whether it is all that a clause says."""
    accepted = _ACCEPTED.search(sentence)
    sentence = _RELATIVE.sub(", ", sentence[: accepted.start()] if accepted else sentence)
    sentence = _LEADING.sub("", sentence)
    for clause in reversed(_TURN.split(sentence)):
        said = _BEHIND.sub("", clause)
        if _TAKEN_BACK.match(clause):
            return
        if not said.strip() or _DENIED.search(said) or said.rstrip().endswith(":"):
            continue
        quoted = _QUOTED.findall(said)
        ends = [marker.end() for marker in _MARKER.finditer(said)]
        if named := _NAMED_ANSWER.search(said) or _SEEN.search(said):
            yield named[1].strip(), False
        elif len(quoted) == 1:
            yield quoted[0].strip(), False
        elif ends and (words := _ENDING.sub("", said[ends[-1] :]).strip()):
            yield _LED.sub("", words, count=1), False
        elif not ends and len(said.split()) <= _FEW_WORDS and not _COURTESY.search(said):
            yield _LED.sub("", _BULLET.sub("", _ENDING.sub("", said).strip()).strip(), count=1), True
