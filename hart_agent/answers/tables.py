"""Words and signs that answers are read by: data, no rules."""

from __future__ import annotations

from fractions import Fraction

_SCALES = "dozen 12 hundred 100 thousand 1000 million 1000000 billion 1000000000"
SCALES = dict(zip(_SCALES.split()[::2], map(int, _SCALES.split()[1::2]), strict=True))
SHORT_SCALES = {"k": 10**3, "m": 10**6, "mn": 10**6, "bn": 10**9}
"""After an amount of money; "k" after any number."""

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
NUMBER_WORDS = {word: number for number, word in enumerate(_BELOW_TWENTY.split())}
NUMBER_WORDS |= {
    w: 10 * tens for tens, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
NUMBER_WORDS["dozen"] = 12
ORDINALS = {
    word: number
    for number, word in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split(), 1)
}

# base, factor to the base, spellings
_UNITS = """
m|1/1000|mm,millimetre,millimetres,millimeter,millimeters
m|1/100|cm,centimetre,centimetres,centimeter,centimeters
m|1|m,metre,metres,meter,meters
m|1000|km,kms,kilometre,kilometres,kilometer,kilometers
mile|1|mi,mile,miles
inch|1|in,inch,inches
inch|12|ft,foot,feet
inch|36|yd,yard,yards
m2|1|m^2,m2,sqm,sq m,square metre,square metres,square meter,square meters
m2|1000000|km^2,km2,sq km,square kilometres,square kilometers
m3|1|m^3,m3,cubic metre,cubic metres,cubic meter,cubic meters
foot2|1|ft^2,ft2,sq ft,square feet,square foot
g|1/1000|mg,milligram,milligrams
g|1|g,gram,grams
g|1000|kg,kgs,kilogram,kilograms,kilo,kilos
g|1000000|t,tonne,tonnes
lb|1|lb,lbs
oz|1|oz,ounce,ounces
l|1/1000|ml,millilitre,millilitres,milliliter,milliliters
l|1/100|cl
l|1|l,litre,litres,liter,liters
second|1|sec,secs,second,seconds
second|60|min,mins,minute,minutes
second|3600|h,hr,hrs,hour,hours
day|1|day,days
day|7|week,weeks
year|1|year,years,yr,yrs
month|1|month,months
km/h|1|km/h,kph,kmh,kmph,kilometres per hour,kilometers per hour,km per hour
mph|1|mph,miles per hour,mi/h
m/s|1|m/s,metres per second,meters per second
celsius|1|°c,° c,celsius,degrees celsius,degree celsius,degrees c,deg c,degrees centigrade,centigrade
fahrenheit|1|°f,° f,fahrenheit,degrees fahrenheit,degree fahrenheit,degrees f,deg f
|1|°,degree,degrees,deg
%|1|%,percent,per cent,pct
‰|1|‰
w|1|w,watt,watts
w|1000|kw,kilowatt,kilowatts
v|1|v,volt,volts
hz|1|hz,hertz
px|1|px,pixel,pixels
byte|1000000|mb,megabytes
byte|1000000000|gb,gigabytes
"""
_CURRENCIES = """
USD|1|$,us$,usd,dollar,dollars
USD|1/100|¢,cent,cents
EUR|1|€,eur,euro,euros
GBP|1|£,gbp,pound,pounds
GBP|1/100|p,pence
JPY|1|¥,jpy,yen,円
CNY|1|cny,rmb,yuan,元
AUD|1|a$,au$,aud
CAD|1|c$,ca$,cad
HKD|1|hk$,hkd
CHF|1|chf
INR|1|₹,inr,rs,rs.,rupee,rupees
KRW|1|₩,krw,won
RUB|1|₽,rub,rouble,roubles,ruble,rubles
SEK|1|sek
PLN|1|zł,pln
BTC|1|₿,btc
"""


def _by_spelling(table: str) -> dict[str, tuple[str, Fraction]]:
    rows = (line.split("|") for line in table.strip().splitlines())
    return {name: (base, Fraction(factor)) for base, factor, names in rows for name in names.split(",")}


CURRENCIES = _by_spelling(_CURRENCIES)
UNITS = _by_spelling(_UNITS) | CURRENCIES
"""A spelling to its base unit and the factor to it. An empty base is a unit that leaves open which ("45°")."""
UNITS_AT_THE_END = frozenset({"in", "second", "won", "may"})
"""Spellings that are words as well: units only where no word follows."""

_BEFORE = """
<|<,less than,fewer than,under,below
>|>,more than,greater than,over,above
≤|≤,<=,at most,up to,no more than,not more than,maximum,max.,max
≥|≥,>=,at least,no less than,minimum,min.,min
|~,≈,about,approximately,approx.,approx,around,roughly,circa,ca.,almost,nearly
"""
_AFTER = """
≥|+,or more,and more,or above,and above,or over,and over
≤|or less,or fewer,or below
|or so
"""


def _by_phrase(table: str) -> dict[str, str]:
    rows = (line.split("|") for line in table.strip().splitlines())
    return {phrase: sign for sign, phrases in rows for phrase in phrases.split(",")}


COMPARATORS = _by_phrase(_BEFORE)
"""In front of a number. What is said to be about a number is that number."""
COMPARATORS_AFTER = _by_phrase(_AFTER)

MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan,february feb,march mar,april apr,may,june jun,july jul,august aug,september sept sep,october oct,"
        "november nov,december dec".split(","), 1
    )
    for name in names.split()
}  # fmt: skip
DAY_TIMES = {"noon": 12, "midnight": 0}

FRAME = frozenset("a an are at in is it its of on reads said say says that the there was were".split())
"""Words around an answer that say nothing by themselves."""
FILLER = FRAME | frozenset("answer image photo picture sign text".split())

HEDGES = frozenset(
    "maybe perhaps possibly might could either unsure uncertain guess guessing probably likely alternatively "
    "or whether seems 或 也许 可能".split()
)
"""What makes an answer less than a statement."""
