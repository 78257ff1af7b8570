"""What a reply in free text states as its answer: the words behind the last "it is" or colon that nothing takes back.

A reply is cut into sentences, these into clauses at words that turn ("but", "sondern", "而是"). The last clause that
neither denies nor doubts gives the answer: what it quotes, what stands behind its last copula, colon or arrow, or, if
it is a few words, all of it. Remarks on the answer are passed over; a refusal behind it leaves none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hart_agent.answers.markup import undecorated

_SENTENCE = re.compile(r"\n+|(?<![,\s])\s{2,}(?=[✘✗❌✖]\s?\w)|(?<=।)\s|(?<=[.!?;])\s+|(?<=[。！？；])|\.{3}\s|…")
_TURN = re.compile(
    r"[,;]?\s(?:but|yet|however|sondern|aber|jedoch|sino|pero|però|mais|ma|mas|maar|ale|mà là|но|а|ama)\s"
    r"|[，、,]?\s?(?:而是|但是?|不过|ですが、?|しかし、?|けど、?|보였지만|지만|ではなく、?|가 아니라|이 아니라)"
    r"|,\s(?:which leaves|leaving)\s(?:only\s|us with\s|me with\s)?"
    r"|이\(가\) 아니라|[，,](?:而|且)"
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
    r"|\b(?:falsch|faux|falso|klopt niet|yanlış|ruled out|eliminated|discarded|e\.g\.|such as|for (?:example"
    r"|instance)"
    r"|inconclusive|undetermined|(?:in|from) (?:your|the) example|previous|last question|need to (?:see|look at|zoom)"
    r"|check (?:if|for|that)|can be tricky|невозможно|нельзя|inte|ikke|bukan|nem)\b|无关|看看"
    r"|[✗✘☒❌✖\u00d7?]|不是|没有|沒有|无法|無法|还是|還是|看不|不能|(?<!最有)(?<!很)可能|乍|ません|ではない"
    r"|できない|없습니다|없어|아닙니다|어렵|모르",
    re.IGNORECASE,
)
_UNSURE_ONLY = re.compile(r"\b(?:certain|certainty|sure|confident|resolution|blurry|blurred|visible)\b", re.IGNORECASE)
_ASIDE = re.compile(
    r"[\s*_>#-]{0,6}(?:\(.*\)|(?:confidence|explanation|evidence|reason(?:ing)?|rationale|note|source|details?"
    r"|key evidence"
    r"|why|alternatives?|runner.up|bbox|location|q|user|certainty|time taken|latency|tokens(?: used)?|model|remarks?"
    r"|comments?|sources?|where|position|region|observation)\b[^:：,\n]{0,30}(?:[:：]|\s,,\s).*|【(?:解析|分析"
    r"|理由|依据)】.*)[\s.]*",
    re.IGNORECASE | re.DOTALL,
)
_COURTESY = re.compile(
    r"^(?-i:I\s[a-z])|^(?:i'm|i am)\b|\b(?:let me|thank|thanks|hope|please|feel free|welcome|anything else|sure"
    r"|certainly|of course"
    r"|great question|you|okay"
    r"|wait|hmm|done|looking)\b",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"\b(?:is|are|it's|its|that's|there's|reads|says|shows|displays|states|say|read(?: (?:it|this|that) as)?"
    r"|to be|looks like"
    r"|look like|favou?rs|suggests|indicates|confirms|points to"
    r"|seems|see"
    r"|make out|correct it to|change it to|going with|go with|gives|end up with"
    r"|be|been|conclude|probably|likely|actually|equals"
    r"|ist|lautet|lese ich|steht|est|c'est|on lit|lire|es|ve|lee|dice|è|é|legge|lê-se|это|là|jest|je|είναι"
    r"|indique|affiche|muestra|indica|mostra|zeigt|besagt|показывает|указано|staat|pokazuje|visar|écrit|escrito"
    r"|scritto|sieht|pone|pisze|yazıyor"
    r"|видно|написано|هي|هو|would answer|lese|lis|voit|leo|veo|vedo|leio|vejo|вижу|читаю|显示"
    r"|adalah|este|är|syns|jawabannya|odpowiedź to|doğru cevap|sahih uttar|उत्तर|היא|finds?|should be"
    r"|parece(?: ser)?|sembra(?: essere)?|semble(?: être)?|scheint|похоже|wydaje się|s'agit de|handelt sich um"
    r"|se trata de|si tratta di|trata-se de|i answer|answer with)"
    r"\s(?:that\s)?"
    r"|(?:→|=>|⇒)\s{0,3}|(?<=[^\W\d_])\s?[:=](?!>)\s{0,3}|(?<=[^\W\d_]\s\d)[:=]\s{1,3}|(?<=[)\]*\"'”」])[:=]\s{0,3}"
    r"|[,:]\s(?:hence|thus|therefore|so)\s(?!that\b)|^answer,\s?(?=\S)|(?<=[^\W\d_])\s–\s|\s,,\s"
    r"|【[^【】\n]{1,8}】\s{0,3}"
    r"|(?:是|为|為|は|정답은|답은|보면|によると、?|よく見ると、?|看到|显示|应为|คือ)\s{0,2}",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"“«„「『]\s?([^\"“”«»„「」『』\n]{1,200}?)\s?[\"”»“」』]")
_BEHIND = re.compile(
    r",\s(?:with|at)\s[^,\n]{1,30}\b(?:confidence|certainty)[\s.]{0,3}$"
    r"|,\s(?:i|we)\s(?:believe|think|guess|suppose|would say|reckon)[\s.]{0,3}$"
    r"|\s–\s(?:(?:i\s)?hope|let me know|feel free|glad)\b.*$"
    r"|,?\s(?:وليس|không phải|ไม่ใช่|definitely not|certainly not|inte|ikke)\s.*$"
    r"|,\s[^,\n]{1,60}\s(?:değil|नहीं|klopt niet|wäre falsch)[\s.।]*$"
    r"|,?\s(?:and not|bukan|et non|et pas|e non|e não|y no|und nicht|и не)\s.*$"
    r"|,\s(?:and\s)?(?:not|no|nicht|non|pas|rather|instead|não|не|а не|as|which|from|in|on(?!\s(?:peut|voit"
    r"|lit)\b)|at the|since|because"
    r"|weil|car)\s.*$"
    r"|,?\s(?:although|though|even (?:if|though)|auch wenn|même si|aunque|anche se|хотя|obwohl|embora)\s.*$"
    r"|\s(?:rather than|instead of|and not|as opposed to|in the (?:image|picture|photo)\b(?!\s?[:：,]))\b.*$"
    r"|\s[(\[](?!or\b"
    r"|maybe\b|perhaps\b|possibly\b)[^()\[\]]*[)\]]\s?[.]?$"
    r"|\s–\s(?:you|clearly|visible|as|seen|it|the|which|this|that|located)\b.*$|[，,]\s?(?:而不是|不是|图|因).*$",
    re.IGNORECASE | re.DOTALL,
)
_ENDING = re.compile(
    r"\s?(?:です|でした|である|だ|입니다|이다|예요|이에요|로 보입니다|로 보인다|है|dir|zu sehen|zu lesen|zu erkennen"
    r"|と書かれています|と書いてあります|と読めます|が見えます"
    r"|と表示されています|라고 (?:쓰여|적혀) 있습니다|there|here|to me)?[\s.!。;]{0,9}$"
)
_LED = re.compile(
    r"^(?:therefore|thus|hence|then|still"
    r"|actually|in fact|clearly|definitely|indeed|probably|most likely|likely|about|approximately"
    r"|rather|just|simply"
    r"|claramente|duidelijk|deutlich|clairement|chiaramente|the following|that)\s",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^tl;?dr:?\s|^(?:from|by) what (?:i|one) (?:can )?(?:see|tell|make out|read),\s"
    r"|^[\s>*-]{0,6}(?:no|yes|so|ok|okay|thus|hence|therefore|and|in short|in brief|in summary|in conclusion"
    r"|to sum up"
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
    r"\s{0,3}(?:[:,–-]{1,2}\s{0,3})?(?:[✓✔✅☑]|\((?:accepted|correct|chosen|final|yes)\)[\s.]{0,2}"
    r"|[:,–-]{1,2}\s{0,3}(?:yes|accepted|correct|right|true|chosen|confirmed))\s?$"
)
_BULLET = re.compile(r"^(?:[>*#]{1,4}\s{0,3}|-\s(?=\D))")
_HEADING = re.compile(
    r"[\s#*>]{0,8}(?:(?:final|my|short|correct)\s)?(?:answer|conclusion|result|response|ok(?:ay)?|yes|hmm|well"
    r"|right|done"
    r"|sure|no|wait)s?[\s:.,!*]{0,5}",
    re.IGNORECASE,
)
_LEAVE = re.compile(
    r"(?:please\s)?(?:let me know|feel free|i hope|anything else|is there anything|would you|do you want)\b"
    r"|.{0,20}(?:n'hésitez|si vous (?:avez|souhaitez)|falls (?:du|sie)\b|wenn (?:du|sie) (?:noch|weitere|fragen)"
    r"|si (?:necesitas|tienes|tiene|desea)\b|se (?:precisar|tiver|hai bisogno|vuoi)\b|обращайтесь|если у вас"
    r"|如有|如果你?您?(?:还?有|需要)|欢迎继续|希望.{0,8}帮助|ほかに|他にご|ご質問|お知らせ|お役に|궁금|도움이 되"
    r"|다른 질문)"
    r"|(?:this|that|it)(?:'s|\sis|\swas)\s(?:the|my)\s(?:final\s)?answer[\s.!]*$"
    r"|(?:this|that|which|it)\s(?:can be|is|was|appears)\s(?:clearly\s)?(?:seen|visible|located|found|legible)\b"
    r"[^\"\d]*$",
    re.IGNORECASE,
)
"""What takes leave, or says where the answer can be seen."""
_OTHER_WRONG = re.compile(
    r"(?!(?:i|it|its|it's|this|that|that's|they|none|nothing|neither|nobody|there|no|my|the)\b)[^\n]{1,60}?\s"
    r"(?:doesn't|does not|don't|do not|isn't|is not|is|would|wouldn't|would not)\s"
    r"(?:fit|match|look|have|need|require|apply|be (?:wrong|incorrect)|wrong|incorrect|correct|right"
    r"|(?:much\s|far\s)?less (?:plausible|likely)|implausible|unlikely"
    r"|a mis\w{1,12})\b"
    r"|[^\n]{1,60}\s(?:wäre falsch|ist falsch|klopt niet|est faux|es falso|è sbagliato)\b"
    r"|(?:some(?:one|body)|some people|people|others|one)\s[^\n]{1,80}\b(?:might|could|may)\s(?:say|read|think"
    r"|take)\b",
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
    r"|(?:is|are|can be|appears)\s(?:what (?:it|the sign|the text) (?:says|shows|reads)|(?:clearly\s)?(?:shown"
    r"|written"
    r"|printed|visible|legible|readable|seen|displayed|on it))\b[^,\n]{0,40}$)"
    r"|\bonly\s([^,:\n]{1,60}?)\s(?:answers|fits|matches|is relevant|is what|counts)\b",
    re.IGNORECASE,
)
"""Something "can be seen"."""
_FIRST = re.compile(r"\s{0,9}((?:[^\n:]|:(?=\d)){1,60}?)[\s.]{0,3}\n\s{0,3}\n(?=[^\n]{20})")
"""A short first paragraph, with more behind it."""
_CORRECTING = re.compile(
    r"\b(?:wait|actually|sorry|correction|correct(?:ed|ing)?|mistake|instead|rather|no|scratch|oops|revis\w{1,5}"
    r"|change\w?)\b"
    r"|其实|不对|更正|等等",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"(?:^|\W)(?:answer|response|result|reading|prediction|output|antwort|réponse|respuesta|risposta|resposta|ответ"
    r"|antwoord|svar(?:et)?|odpowiedź|răspunsul|jawaban(?:nya)?|cevap|答案|回答|答え|정답|답)"
    r"(?:\sto\s[^:\n]{1,40})?(?:[\]】*]{0,3}\s?[:：=]|】|\s(?:is|ist|est|es|è|é|är|este|=>|→|,,)\s|是|为|は|은)",
    re.IGNORECASE,
)
"""A sentence that says what is the answer."""
_NOTE = re.compile(r"\n\s{0,3}(\^\d|\[\^\d\]|\*(?=[^\s*]))\s{0,2}:?\s{0,2}[^\n]+(?:\n[^\n]{0,400})?$")
_CUT_OFF = re.compile(r"(?:[,，、]|\s(?:or|oder|ou|или))\s{0,3}$")
"""Something must follow."""
_FEW_WORDS = 6
_MOST = 2_000
"""Characters at the end of a reply that are read."""


def stated(text: str) -> str:
    """What a reply states as its answer; "" if it states none.

    Args:
        text: in canonical form, without mark-up.
    """
    text = _without_notes(undecorated(text)[-_MOST:])
    if _CUT_OFF.search(text):
        return ""
    if (first := _FIRST.match(text)) and not (
        _DENIED.search(text) or _CORRECTING.search(text) or _MARKER.search(first[1])
    ):
        return first[1].strip()
    sentences = [part for piece in _SENTENCE.split(text) if (part := piece.strip()) and any(map(str.isalnum, part))]
    at, span = _last_stated(sentences)
    if not span or _LABELLED.search(sentences[at]):
        return span
    for before in range(at - 1, -1, -1):
        if _CORRECTING.search(sentences[before + 1]):
            break
        if _LABELLED.search(sentences[before]) and (labelled := next(_spans(sentences[before]), ("", False))[0]):
            return labelled
    return span


def _without_notes(text: str) -> str:
    """Without footnotes, and the marks that point to them."""
    note = _NOTE.search(text)
    return text[: note.start()].replace(note[1], "").rstrip("*") if note else text


def _last_stated(sentences: list[str]) -> tuple[int, str]:
    """The last sentence that states something, and what; "" if a later one refuses."""
    for at in range(len(sentences) - 1, -1, -1):
        sentence = sentences[at]
        if _ASIDE.fullmatch(sentence) or _LEAVE.match(sentence) or _OTHER_WRONG.match(sentence):
            continue
        span, bare = next(_spans(sentence), ("", False))
        if span:
            return at, "" if bare and at and _is_of_text(sentences[at - 1], span) else span
        if _DENIED.search(sentence) and not _is_passed_over(sentence):
            return at, ""
    return 0, ""


def _is_of_text(before: str, span: str) -> bool:
    """Whether a few words go on with those before them, as in "STOP. WAIT HERE", which answer only together."""
    other, bare = next(_spans(before), ("", False))
    return bare and other != span and not _HEADING.fullmatch(before) and not _DENIED.search(before)


def _is_passed_over(sentence: str) -> bool:
    """Whether a sentence denies another answer, or only certainty, or offers further help."""
    return bool(
        (_UNSURE_ONLY.search(sentence) and not re.search(r"\b(?:neither|none|no answer)\b", sentence, re.IGNORECASE))
        or re.search(r"[✗✘☒❌]|rejected|^not\b|\b(?:also|elsewhere|belongs to)\b", sentence, re.IGNORECASE)
    )


def _spans(sentence: str) -> Iterator[tuple[str, bool]]:
    """What the clauses of a sentence give as an answer, the last first; and whether it is all that a clause says."""
    accepted = _ACCEPTED.search(sentence)
    sentence = _RELATIVE.sub(", ", sentence[: accepted.start()] if accepted else sentence)
    sentence = _LEADING.sub("", sentence)
    for clause in reversed(_TURN.split(sentence)):
        statement = _BEHIND.sub("", clause)
        if _TAKEN_BACK.match(clause):
            return
        if not statement.strip() or _DENIED.search(statement) or statement.rstrip().endswith(":"):
            continue
        quoted = _QUOTED.findall(statement)
        ends = [marker.end() for marker in _MARKER.finditer(statement)]
        if named := _NAMED_ANSWER.search(statement) or _SEEN.search(statement):
            yield next(filter(None, named.groups())).strip(), False
        elif len(quoted) == 1:
            yield quoted[0].strip(), False
        elif ends and (words := _ENDING.sub("", statement[ends[-1] :]).strip()):
            yield _LED.sub("", words, count=1), False
        elif not ends and len(statement.split()) <= _FEW_WORDS and not _COURTESY.search(statement):
            yield _LED.sub("", _BULLET.sub("", _ENDING.sub("", statement).strip()).strip(), count=1), True
