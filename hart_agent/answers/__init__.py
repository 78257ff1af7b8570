"""Comparing answers: one notion of "the same answer" for verification, rewards and evaluation.

`agree` compares two answers of a policy; `is_right` compares an answer with the gold answer of a data set. Both read a
text as typed values (numbers, ranges, times, dates, codes, words) and compare these. What is ambiguous is decided here:

- Numbers: "1.000" is 1, "1,000" is 1000: a lone point is a decimal point, a comma before exactly three digits parts
  thousands ("0,250" is 0.25, for thousands don't begin with 0), any other lone comma is a decimal comma ("1,5"). Where
  both stand, the last is the decimal mark. A fraction is its value ("3/4" is 0.75). Digits with a leading zero are a
  code: "007" is not 7, but counts as 7 where a NUMBER is asked for.
- A missing unit agrees with any: "$5", "5 km", "5%" and "5 apples" agree with "5", for the question says what is
  counted. Two units must be the same; metric ones are converted. A bare degree sign is a missing unit. "50%" isn't 0.5.
- "$" is the US dollar, "¥" the yen, a pound money. "about 5" is 5; "<5", "at most 5" and "5+" are not.
- Times: am or pm left out agrees with either ("10:30" and "10:30 PM"); "10:30" is not "22:30". "10.30" is a time if
  the other is one.
- Dates: "01/05/2024" agrees with 1 May and with 5 January, but not with "05/01/2024". "01.05.2024" is 1 May. A date
  without a year is not one with a year.
- "9-5" is a range; a group of seven or more digits in parts is a number to dial ("555-0123"), but for years.
- Words: case, punctuation, spaces between words, "and", and filler around what is said don't count ("The sign says
  STOP"); accents, all other words and their order do ("red and blue" isn't "blue and red", for the question may ask
  for an order; only a LIST has none). Symbols count where both texts have some ("→ EXIT", "← EXIT").
- What stands in a box or behind the only "the answer is" is the answer.
"""

from hart_agent.answers.comparing import MAX_ANSWER, AnswerType, agree, chosen_letter, is_right
from hart_agent.answers.partial import partial_credit
from hart_agent.answers.texts import normalise

__all__ = ["MAX_ANSWER", "AnswerType", "agree", "chosen_letter", "is_right", "normalise", "partial_credit"]
