"""Words by which a reply says which option it chooses: data, no rules."""

from __future__ import annotations

_EAST_ASIAN = """
答案 answer,选项 option,選項 option,项 option,选择 choose,選擇 choose,选 choose,選 choose,应该 must,應該 must
正确 correct,正確 correct,对的 correct,不正确 incorrect,不正確 incorrect,错误 wrong,錯誤 wrong,不对 wrong,不對 wrong
而是 but,但 but,不是 not,并非 not,不选 not,因为 because,因為 because,由于 because,所以 so,因此 so
或者 or,还是 or,還是 or,或 or,以及 and,和 and,最终 final,认为 think,認為 think,我 i,是 is,为 is,為 is,的 the
可能 maybe,也许 maybe,不确定 unsure,图中 image,图片 image,吗 ?
答えは answer is,正解は answer is,です is,画像から判断すると image,が正しい is correct,正しい correct
정답은 answer is,답은 answer is,번입니다 is,입니다 is,이미지를 image,보면 see,이므로 so
"""
_IDIOMS = """
no doubt surely,without a doubt surely,beyond doubt surely,ruled out wrong,cross out not,not sure unsure
everything but except,anything but except,all but except,any but except
if i had to guess maybe,if i had to choose maybe,if i must choose maybe,if i have to choose maybe
"""
_PAIRS = [pair.rsplit(" ", 1) for pair in _IDIOMS.strip().replace("\n", ",").split(",")]
_PAIRS += [pair.split(" ", 1) for pair in _EAST_ASIAN.strip().replace("\n", ",").split(",")]
TRANSLATIONS = dict(_PAIRS)
"""Phrases to the words below, for scripts without spaces between words and for idioms."""

NEGATIONS = frozenset(
    "not no never neither nor cannot isnt arent wasnt dont doesnt cant wont wouldnt shouldnt couldnt didnt kein nicht "
    "reject exclude eliminate nunca pas".split()
)
WRONG = frozenset(
    "wrong incorrect false eliminated excluded impossible rejected falsch incorrecta faux ✗ ✘ ☒ ❌ ×".split()
)
RIGHT = frozenset("yes correct right true ✓ ✔ ✅ ☑".split())
DOUBT = frozenset(
    "could might may if unless otherwise except whether unsure uncertain depends doubt hardly unable undecided".split()
)
"""What makes a clause no choice at all."""
BREAKS = frozenset("but so therefore thus hence while whereas although though however yet then".split())
"""Words that begin another clause."""
REASONS = frozenset("because since as for which where who due given than rather instead over unlike versus vs".split())
"""Behind an option: what follows gives the reason, or compares, and chooses nothing."""
LINKS = frozenset(", : . and or nor option options choice the a maybe possibly perhaps also even".split())
"""Between options that are named together."""
COPULAS = frozenset(
    "is are was were be its says reads shows show looks seems appears answer count see say costs es ist est è é".split()
)
BE = frozenset("is are was be its es ist est è é".split())
PASSED_OVER = frozenset("a an the on at in to like side one color colour".split())
"""Between "is" and an option's text, or behind it."""
OPTION_WORDS = frozenset(
    "option options choice answer letter opción respuesta antwort réponse réponds risposta resposta opzione opção "
    "alternativa letra odpowiedź to is : be".split()
)
COMPARING = frozenset("unlike between compared versus although though while initially".split())
"""What stands behind them, up to a comma, is compared or conceded, and not chosen."""
LISTED = frozenset("options choices".split())
"""What is said to be them is not chosen."""
CHOOSING = frozenset("choose chose pick select go with say think select answer take".split())
FOLLOWERS = COPULAS | NEGATIONS | BREAKS | REASONS | frozenset(
    "and or option isnt must would fits matches right correct wrong definitely clearly obviously it i "
    "wählen nehmen".split()
)  # fmt: skip
"""Behind a lone "A" that is a letter, not an article."""

NEUTRAL = COPULAS | CHOOSING | OPTION_WORDS | RIGHT | frozenset(
    "a an the my our this that these it its i we one am been would should must have has to do does s m d ll re id im "
    "ive accurate leaning towards toward likeliest plausible suitable appropriate "
    "best final definitely certainly clearly obviously surely sure indeed really simply just only believe said "
    "chosen picked selected selection going vote guess probably likely perhaps maybe most image picture photo question "
    "will well ok okay here there in of from on for and can conclude conclusion following response result also "
    "describes fits matches closest suggest therefore visible seen confident absolutely opt settle by me now actually "
    "la el die der le les das il lo o que creo correcta correcto corretta correta richtig richtige bonne opción "
    "shown reflection prawidłowa poprawna c cest d dune l après selon limage agit sagit ich würde wählen nehmen "
    "glaube dass denke "
    "я думаю считаю что это правильный верный ответ вариант الإجابة الصحيحة هي overall evidence "
    "ill thats number corresponding corresponds let "
    "us all points match what agrees supports leaves more after zooming zoomed closer closely inspection upon looking "
    "crop crops whole with change finish submit".split()
)  # fmt: skip
"""Words that leave a choice as it is. A clause with any other word says something about an option, and chooses none."""
