"""Words of questions that say nothing about which sign is meant."""

from __future__ import annotations

from typing import Final

COMMON: Final = frozenset(
    """
    a able about above accept accident according across actual actually add address addressed after again against
    agree ah aid alexa all allow along aloud alright also am amid an and announce announced announces another any
    anybody anyhow anyone anything anyway anywhere apologies apologise app apparently appear appearing appears apply
    appreciate approach are area arent around arrive arrived as asap ask asking assist assistant at attached attempt
    attention avoid aware away back backdrop background barrier based basically be bear bearing bears became because
    become been before begin beginning begins behind being believe bell belong belongs below beneath beside best
    better between big bigger biggest bit blind block bloke board bonnet boss bother bottom bring brought building
    bumper busy but buy buzz by call called can can't cant capturing carefully carries carry cart case catch caught
    center central centre certain chance chap check checking choose chose clearly close closest clue color colored
    colour coloured come comes coming complete concerned concerning confirm consider contact contain container
    containing contains content contents copy corner correct could couldnt couple create cross curious currently dad
    damn dare daughter day dear decipher decode deliver deliveries delivery depict describe detail details determine
    diary did didnt difference different difficult digits direct discern display displayed displaying displays do
    does doesn't doesnt don't done dont door down dump duty dying each edge edit else email end enlarge enough
    enquire entire establish even ever every everybody everyone everything exact exactly excuse exist expect explain
    extract extreme eye eyes eyesight face fact fail fancy far farthest fast fault favor favour fence fetch few
    figure figures fill final finally find fine first fit five fixed flag flagged focus folks following for
    foreground forgot forgotten form forward found four frame friend friends from front full fully further furthest
    gave general gentleman get gets getting give given glad glance go goes going gonna good google got grab grandma
    grandpa great greatest guess guy guys had half hand handy hang hanging hangs happen happened happens hard hardly
    has hate have haven't having he headed hear heard heart hello help helpful helps her here hereabouts hey hi high
    highest him hint his hm hmm hold holder homework honestly hop hope hoping how huge hung hurry i i'd i'll i'm
    i've id idea idk if im image immediately important in includes indicate indicated indicates indicating info
    inform information input inquire inscribed inside instead intend interested into involved is isn't isnt issue it
    it'd it's item its itself ive job join jot just kart keen keep kept kerb kind kindly kindness know labeled
    labelled lack lamppost large largest last late later learn least leave left left-hand leftmost legible legibly
    lend less let let's lets letter lettering letting life like likely line lines list listed listen listing lists
    literally little live load locate located location log long look looking looks lost lot loud loudly love lovely
    low lower lower-left lower-right lowest luck madam main make makes man manage manner many map mark marked mate
    matter may maybe me mean means meant memo mention mentioned mentioning mentions message method middle might mind
    mine miss missing mister mm mom moment money more morning most mostly mother mounted move much mum mummy must my
    myself name named namely near nearby need needed needing needs neither never new next nice no nobody non none
    nope normal not note notebook noted notes nothing notice noting now number numbers object ocr of off offer
    officer often oh ok okay old on once one one's ones only onto ooh opening opinion option or order other others
    ought our out output over own page paint painted panel paper part particular passing paste pay people per
    perfect perhaps permit person phone photo photo's photograph photographs photos phrase pic pick picture
    picture's pictures piece pillar pinned place places plain plan planning please please-tell pleasure pls plz
    point pole pop position possible possibly post posted precise precisely prefer prepared present presently pretty
    print probably problem process prominent promise properly provide provided public purpose push put puts putting
    quarter question quick quickly quietly quote rather reach reached read read-out readable reading reads real
    really recall recognise recognize record regarding regards region relate remember remind rendered repeat reply
    report reported reporting request require required research respond rest result results return returned right
    right-hand rightmost road roger roof roughly round row rush said same save saw say saying says scan scene screen
    second section see seeing seek seem seems seen sees select send sense separate seriously serve set several shall
    sharing she shelf shop short shot should show showing shown shows side sight sign signed simply since single sir
    siri sit sits sitting situated six size sizeable skip slowly small smaller smallest snap so solve some somebody
    somehow someone something somewhere son soon sorry sort sound source space speak specific specified spell spoken
    spot squint sry stand standing stands start starting starts state stated states step still stop store straight
    street string strings struggle struggling stuck stuff such suppose supposed sure surely surface take taken
    taking talk tell telling ten term terms text than thank thanks that that'll that's the their them then there
    there's thereby these they they're they've thing things think third this those though thought three thrice
    through tick till time times tiniest tinkle tiny tired title titled to today together told tomorrow tonight too
    top topmost total toward towards trailer transcript trouble truly trust try trying turn turns twice two type
    types u uh um unable unclear under underneath understand unsure up upon upper upper-left upper-right ur urgent
    urgently us use used useful user using usual usually vaguely value verbatim very via view visible visit visually
    voice volume wait walk walking wall wanna want wanted wants was wasnt watch way we we're wear week welcome well
    went were what what's whatever whats when whenever where where's whereabouts wheres wherever which whichever
    while who who's whoever whole whom whose why will window wise wish wished with within without wonder wondered
    wondering wont word worded words work worried worry would wouldn't write writing written wrote yeah yes yet you
    you're young your yours yourself zero zoom zoomed
    """.split()
)
"""In lower case; inflected forms of the verbs are left out where adding or dropping an ending gives them."""
