"""Words by which a reply says which option it chooses: data, no rules."""

from __future__ import annotations

_PHRASES = """
answer: 答案,解答,回答,答え,정답,답변,답,odpowiedź,đáp án,câu trả lời,คำตอบ,jawaban,उत्तर,cevap,svar,الإجابة
answer: ответ,antwoord
answer is: 答えは,正解は,答えとして,정답은,답은,답변은,คำตอบคือ,คำตอบที่ถูกต้องคือ
option: 选项,選項,项,選択肢,选择肢,보기,선택지,опция,вариант,optie,opcja,lựa chọn,ตัวเลือก,pilihan,विकल्प,seçenek
choose: 选择,選擇,选,選,選びます,選択,선택합니다,고르겠습니다,chọn,เลือก,memilih,выбираю
correct: 正确,正確,对的,正しい,が正しい,適切,符合,相符,吻合,一致,对应,맞습니다,맞는,적절합니다,적절,일치합니다,일치
correct: 当てはまります,当てはまる,該当します,해당,правильный,правильная,правильно,верный
correct: prawidłowa,poprawna,đúng,ถูกต้อง,benar,सही,doğru,الصحيحة,juiste,correcte
incorrect: 不正确,不正確,不符合,不符,不一致,不匹配,矛盾,一致しない,一致しません,合致しません,当てはまりません
incorrect: 該当しません,不適切
wrong: 错误,錯誤,不对,不對,排除,間違い,誤り,不正解,除外,맞지 않습니다,맞지 않으며,맞지 않고,틀립니다,틀렸습니다,제외
wrong: неправильный,неверный
wrong: ruled out,rule out,rules out,ruling out
but: 而是,但是,但,しかし,ですが,하지만,그러나,но
not: 不是,并非,不选,ではありません,아닙니다,cross out,не
because: 因为,因為,由于,なぜなら,때문에,이므로,parce que
so: 所以,因此,因而,于是,综上所述,综上,故,よって,したがって,従って,따라서,그러므로,그래서,por lo tanto,por tanto
so: поэтому,следовательно
or: 或者,还是,還是,或,または,それとも,或いは,또는,혹은,или
and: 以及,和
final: 最终,最終,최종
think: 认为,認為
i: 我
is: é o,è la,est la,es la,es el,lautet,是,为,為,です,である,であり,입니다,이다,번입니다,है
the: 的
must: 应该,應該,应为,应是,应,應
maybe: 可能,也许,也許,かもしれません,일 수도,if i had to guess,if i had to choose,if i must choose
maybe: if i have to choose,if i had to pick
unsure: 不确定,拿不准,说不准,无法确定,无法判断,无法决定,无法选择,决められません,決められません,判断できません
unsure: 選べません,わかりません,分かりません
unsure: 결정하기 어렵습니다,판단하기 어렵습니다,알 수 없습니다,모르겠습니다,판단할 수 없습니다,not sure,no puedo
unsure: não consigo,je ne peux pas,non riesco,не могу
image: 图中,图片,画像から判断すると,画像,이미지를,이미지,사진
see: 보면
also: so is,也
?: 吗,呢
surely: no doubt,without a doubt,beyond doubt
except: everything but,anything but,all but,any but,other than,with the exception of,apart from
except: aside from,除了
answer: απάντηση,odpověď,پاسخ,جواب,الجواب,lösung
option: الخيار,خيار,گزینه,επιλογή,možnost,şıkkı,şık,буквой
choose: put me down for,my money,my bet,my vote,tippe auf,tippe,wähle,je retiens,je choisis,je dirais
choose: elijo,escojo
choose: scelgo,sceglierei,escolho,jag väljer,kies,wybieram,выбрал,برگزیدم,seçiyorum,entscheide mich
correct: σωστή,σωστό,správná,صحیح,صحيح,والصحيح,الصحيح,doğrudur,zutreffend,trifft zu,zutrifft,entspricht
correct: stimmt,passt
correct: correspond à,coincide con,corresponde,corrisponde,соответствует,подходит,phù hợp
incorrect: غير صحيح,неверно,fausses,falsa,falsas,falsche,falschen,sbagliate
wrong: à écarter,écarté,écartée,éliminée,elenir,yanlış,ausgeschlossen,ausschließen,ausschliessen,scheidet aus
wrong: descartamos,descarto,descartada,escludo
wrong: escluderei,esclusa,eliminada,descartar,исключаем,исключить,can be dismissed
but: mà là,mà,sondern,aber,sino,mais,però,mas,maar,ale,ama,fakat,vielmehr,لكن,αλλά
though: auch wenn,même si,aunque,anche se,хотя,obwohl,bien que,embora,even if,even though
so: daher,deshalb,somit,folglich,donc,quindi,portanto,por lo que,logo,dus,więc,αρα,άρα,لذلك,bu yüzden
so: tedy
not: nikoli,nikoliv,değil,ليس,ليست,δεν,không phải,bukan,niet,nie
is: هو,هي,است,είναι,là,adalah,je správně
the: η,το,ο
maybe: vielleicht,peut-être,quizás,quizá,tal vez,talvez,forse,возможно,может быть,belki,if i had to bet
maybe: puede ser
maybe: entweder,soit
not ,: ではなく,じゃなく,가 아니라,이 아니라,아니라
choose: tips towards,tips toward,tips the balance to,tips the scale to,tips the scales to
wrong: 맞지 않는
wrong so: 맞지 않으므로,맞지 않아,틀리므로,틀렸으므로,誤りで,間違いで,不正解で
undecided: start over,starting over,kommt darauf an,hängt davon ab,cela dépend,ça dépend,取决于
undecided: give up,gave up,giving up,leave it open,leaving it open,leave that open,remains open,lasse es offen
undecided: lo dejo abierto,je laisse ouvert,保留判断,判断を保留,결론을 내리지
options are: 选项有,选项如下,选项包括,选项分别是,選項有,選択肢は以下,보기는 다음,варианты такие,die optionen sind
options are: las opciones son,les options sont,le opzioni sono,as opções são
correct: верен,верна,верно,верным,подходящий
choose: end up with,ends up with,ended up with,left with,down to only,boils down to,comes down to,lande bei,bleibe bei
choose: me quedo con,fico com,resto su
initially: was going to say,was going to answer,was going to pick,was about to say,would have said,had said
initially: previous answer,earlier answer,my first answer
maybe: if i must pick,if i have to pick,if i had to say,if i have to say,if forced to choose
maybe: if forced to pick,if pressed
is: is therefore,is thus,is hence,is then,is accordingly,is consequently,is so
unsure: would have to see,would need to see,would have to know,would need to know,would have to look
unsure: nicht entscheiden,j'hésite,hésite,dudo entre,não sei,non so,не знаю,no lo sé,không chọn được
initially: at first,first impression,my first thought,first thought,i first,zuerst,d'abord,al principio
initially: all'inizio,сначала
of: out of
mistake: ошибка,error,fehler,erreur,errore
wrong: errada,errado,équivoque
correct: 올바른,certa,certo,является верным
best: the better,the stronger,the best,最合适,最适合,最恰当
best: am ehesten,est la seule qui convient,est la seule qui correspond,la plus adaptée,beter
choose: would mark,denk dat het,denke dass es,resta,rimane,queda,reste,remains,остаётся,остается,bleibt
my choice is: 제 선택은,私の選択は,mijn keuze is,meine wahl ist,mon choix est,mi elección es
is: でしょう,だと思います,と思われます,だと思われます,로 보입니다,인 것 같습니다,일 것입니다
whether: 是否
unsure: 不能确定,不能判断,不能確定,难以判断,难以确定,难以确认
probably: おそらく,たぶん,恐らく,아마
correct: richtig,richtige,richtiger,correcta,correcto,corretta,corretto,correta,correto,juste,exacte
wrong: éliminer,écarter,exclure,eliminar,escludere,eliminare
choose: choisir,elegir,scegliere,escolher
initially: auf den ersten blick,à première vue,a primera vista,a prima vista,à primeira vista
actually: bei genauerem hinsehen,bei näherem hinsehen,bei genauerer betrachtung,en y regardant de plus près
initially: 一开始以为,起初以为,一开始,最初は
actually: 其实,再仔细看,仔细看
rightside: on the right,from the right,to the right,at the right,right side,right-hand
likewise: and so does,and so do,and so are,and so is
former: 前者,전자,ersteres,erstere,el primero,le premier,il primo
latter: 后者,後者,후자,letzteres,letztere,ce dernier,cette dernière,quest'ultima,quest'ultimo,esta última,este último
check: i'll consider,i will consider,let us consider,i'll start with,i will start with,starting with
left: 只剩,剩下,残る,남는,남은
not: non la,non il,non l'opzione,inte,ikke,nem,nije,nelze,tidak,нельзя,не могу,kann nicht,können nicht,ไม่,नहीं,لا
neither: ни,weder,ni la,ni l'option,ani,noch die,ikke heller,né
undecided: withdraw,withdrawn,retract,retracted,take it back,take that back,收回,撤回,ziehe ich zurück,je retire
undecided: leave blank,leave it blank,leave this blank,leave that blank,haven't got an answer,have no answer
undecided: schauen wir uns,analicemos,examinons,analizziamo,vamos analisar,рассмотрим,проанализируем,我们来分析,逐一分析
example: such as,e.g.,for example,for instance,zum beispiel,z.b.,par exemple,por ejemplo,por exemplo,per esempio
example: например,例如,比如,たとえば,예를 들어
elsewhere: previous question,previous example,last question,earlier question,other question,next question
elsewhere: in your example,in the example,the student,example answer,sample answer
need: 需要,必要がある,필요
check: 查看,检查,观察一下,比较一下
correct: convient,conviene,encaja
choose: point to,points to,pointing to
denotes: stands for
between: entre,mellan,mellem,mellom,zwischen,tra,между,tussen,między,mezi,antara,giữa,között
and: och,og,dan,và,and then
or: eller,atau,hoặc,veya,nebo,lub
choose: välja,välj,vælge,velge,wählen,wybrać,vybrat,выбрать,seçmek,memilih
"""
_ROWS = (line.split(": ", 1) for line in _PHRASES.strip().splitlines())
TRANSLATIONS = {phrase: word for word, phrases in _ROWS for phrase in phrases.split(",")}
"""Phrases to the words below, for scripts without spaces between words and for idioms."""

NEGATIONS = frozenset(
    "not no never neither nor cannot isnt arent wasnt dont doesnt cant wont wouldnt shouldnt couldnt didnt kein nicht "
    "reject exclude eliminate nunca pas".split()
)
WRONG = frozenset(
    "wrong incorrect false eliminated excluded impossible rejected falsch incorrecta faux ✗ ✘ ☒ ❌ × ✖".split()
)
RIGHT = frozenset("yes correct right true ✓ ✔ ✅ ☑".split())
DOUBT = frozenset(
    "could might may if unless otherwise except whether unsure uncertain depends doubt hardly unable undecided example "
    "elsewhere".split()
)
"""What makes a clause no choice at all."""
BREAKS = frozenset("but so therefore thus hence while whereas although though however yet then".split())
"""Words that begin another clause."""
REASONS = frozenset("because since as for which where who due given than rather instead over unlike versus vs".split())
"""Behind an option: what follows gives the reason, or compares, and chooses nothing."""
LINKS = frozenset(
    "か と 와 과 나 이나 und oder y o ou et e и , : . and or nor option options choice the a an "
    "maybe possibly perhaps also even alternativa letter lettre opción opção opzione la le el il die den der".split()
)
"""Between options that are named together."""
COPULAS = frozenset(
    "is are was were be its says reads shows show looks seems appears answer count see say costs es ist est è é".split()
)
BE = frozenset("is are was be its es ist est è é".split())
PASSED_OVER = frozenset(
    "clearly actually definitely indeed really a an the on at in to like side one color colour".split()
)
"""Between "is" and an option's text, or behind it."""
OPTION_WORDS = frozenset(
    "option options choice answer ans letter opción respuesta antwort réponse réponds risposta resposta opzione opção "
    "alternativa letra lettre lettera buchstabe буква bonne odpowiedź to is : be".split()
)
NAMING = frozenset("option choice letter opción opção alternativa".split())
"""A capital letter behind them is an option."""
COMPARING = frozenset("unlike between compared versus although though while initially".split())
"""What stands behind them, up to a comma, is compared or conceded, and not chosen."""
LISTED = frozenset("options choices".split())
"""What is said to be them is not chosen."""
CHOOSING = frozenset("choose chose pick select go with say think select answer take".split())
BEFORE_ONE = frozenset(
    "this that the right correct wrong only each which every any other another first last best by chosen no".split()
)
AFTER_ONE = frozenset("by that which who of matching".split())
"""Next to "one" where it is a pronoun."""
CHANGING = frozenset(
    "change changing changed switch switching switched revise revising revised update updating updated move moving "
    "correct correcting corrected".split()
)
"""Before "from A to B": B is chosen instead of A."""
NUMBERED = frozenset("crop step image figure fig view round turn line row stage zoom attempt".split())
"""What is counted in a reply: the number behind it is no answer."""
FOLLOWERS = COPULAS | NEGATIONS | BREAKS | REASONS | frozenset(
    "and or option isnt must would fits matches right correct wrong definitely clearly obviously it i "
    "wählen nehmen please stays remains states describes matches agrees passes fails speaks holds can could "
    "should best "
    "corresponds looks seems appears".split()
)  # fmt: skip
"""Behind a lone "A" that is a letter, not an article."""

NEUTRAL = COPULAS | CHOOSING | OPTION_WORDS | RIGHT | frozenset(
    "a an the my our this that these it its i we one am been would should must have has to do does s m d ll re id im "
    "ive accurate leaning towards toward likeliest plausible suitable appropriate "
    "best final definitely certainly clearly obviously surely sure indeed really simply just only believe said "
    "chosen picked selected selection going vote guess probably likely perhaps maybe most image picture photo question "
    "will well ok okay here there in of from on for and can conclude conclusion following response result also "
    "describes fits matches closest suggest therefore visible seen confident absolutely opt settle by me now actually "
    "la el die der le les das il lo o que creo bonne opción "
    "de du des dans en au à sur del dem den im auf zu al nel no na do da op het van w z на в по "
    "shown reflection prawidłowa poprawna c cest d dune l après selon limage agit sagit ich würde wählen nehmen "
    "glaube dass denke "
    "я думаю считаю что это правильный верный ответ вариант الإجابة الصحيحة هي overall evidence "
    "ill thats like number corresponding corresponds let "
    "us all points match what agrees supports leaves more after zooming zoomed closer closely inspection upon looking "
    "crop crops whole rightside with change finish submit please ans label".split()
)  # fmt: skip
"""Words that leave a choice as it is. A clause with any other word says something about an option, and chooses none."""

TICKS = frozenset("✓ ✔ ✅ ☑".split())
CROSSES = frozenset("✗ ✘ ☒ ❌ × ✖".split())
REJECTED = frozenset(
    "inconsistent contradicts contradict contradicted contradicting unlikely unsupported mistaken mistake fails failed "
    "dismissed discarded misread withdrawn tempting off misdescribes misrepresents exclude excluded eliminated "
    "eliminate eliminating "
    "excluding rejected runner inclined initially first against none nothing nobody mismatch unclear unverified".split()
)
"""Next to the words for what is wrong, in a clause of any other words: the option that it names isn't the choice."""
EXCEPT = frozenset("except".split())
OPEN = (DOUBT - EXCEPT) | frozenset(
    "either both or between equally maybe perhaps whether torn also possible possibility candidate candidates "
    "contender contenders likewise".split()
)
"""A clause with one of them leaves its options open."""
PLANNING = frozenset("check checking need compare comparing examine verify zoom options choices listed let".split())
"""What is still to be done, or only listed."""
DECIDING = frozenset(
    "answer choose chose chosen choosing pick picking select selecting selected go going lean leaning settle settling "
    "favor favour opt conclude conclusion decision final guess submit leaves left settled settles "
    "answered vote majority argmax prediction predicted output verdict impression mapped result leaving "
    "staying stay sticking stick".split()
)
"""Words by which somebody decides."""
CONFIRMING = DECIDING | RIGHT | frozenset(
    "match matches fit fits agree agrees consistent correspond corresponds best closest nearest supports support "
    "agreement supported confirm confirmed confirms likely probable likeliest accurate passes describes satisfies "
    "appropriate suitable plausible convincing favors favours speaks speak stays remains holds "
    "stands trust counts reasonable sensible choice".split()
)  # fmt: skip
"""Words by which an option is chosen or found right."""
DECISIONS = DECIDING | frozenset(
    "decide tell say single commit committing comfortable determine settle narrow prefer preference able "
    "sure know certain idea convinced".split()
)
DANGLING = frozenset("to the a an of is are that and or in on with for by if as".split())
"""No sentence ends with them: it was cut off."""
CHOICES = frozenset("answer choose pick select decide commit option options".split())
UNDECIDED = frozenset("undecided unsure uncertain depends unanswered".split())
ENTIRELY = frozenset("entirely fully completely totally absolutely 100 100%".split())
"""Not to be that sure is still to choose."""
POINTING = frozenset("that this it which neither".split())
TURNS = BREAKS | frozenset(
    "wait actually final finally correction again instead conclusion closer inspection fact ultimately overall".split()
)
"""A sentence with one of them may choose another option than the sentences before it."""
