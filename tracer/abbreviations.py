"""Words that end in a full stop without ending a sentence, and words that begin one. English; lower case."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BEFORE_NAMES = _words(
    "mr mrs ms dr prof messrs mme mlle mt gen col capt lt sgt maj cmdr rev hon gov sen rep pres supt fr e.g eg i.e ie"
    " cf viz vs"
)
"""What follows belongs to them, whatever it is."""
BEFORE_NUMBERS = _words(
    "no nos eq eqs eqn fig figs sec secs ch chap vol vols p pp pg art ex exs thm lem prop def cor rem app tab approx ca"
    " c v ver op jan feb mar apr jun jul aug sep sept oct nov dec"
)
"""Abbreviations before a number, a formula or a bracket; before other words some are words ("The answer is no.")."""
AT_END = _words("inc ltd co corp bros jr sr st ave blvd rd al dept univ assn est")
"""They may end a sentence: only if the next word is one that begins sentences."""
_OTHERS = _words("etc resp min max avg misc incl excl et ibid orig rel temp wrt sci acad hrs mins secs ft oz lb lbs")
_WORDS_TOO = _words("no art app tab ex mar")
ALL = (BEFORE_NAMES | BEFORE_NUMBERS | AT_END | _OTHERS) - _WORDS_TOO
"""Before a word in lower case none of them ends a sentence."""
BEFORE_LETTERS = _words(
    "point points option answer choice case set plan line angle event figure type group player person train and or"
    " vertex node state class part team is vitamin variable matrix"
)
"""A single capital letter after one of these is a label, not somebody's initial."""
STARTERS = _words(
    "The This That These Those There Then Thus Therefore Hence So But And Or If In It Its I We He She They You My Our"
    " His Her Their What When Where Why Who How Which Is Are Was Were Do Does Did Can Could Will Would Should Let Wait"
    " Now Next Also However Since Because After Before For From At On As To With Without Not No Yes Ok Okay Hmm Hm Oh"
    " Alternatively Actually First Second Third Finally Lastly Given Suppose Assume Note Consider Using By Once While"
    " Each Every All Some Any Both Here Similarly Again Maybe Perhaps Still Another One Two Three Therefor Moreover"
    " Furthermore Instead Otherwise Additionally Meanwhile Checking Looking Just Right Good Great Try Compute Find"
    " Check Verify Recall Remember Substitute Multiply Divide Add Subtract Simplify Solve Step Case A An Although"
    " Though Until Unless Nobody Nothing Everyone Everything Somebody Someone Such Same Other Most Many Few Several"
)
"""As they stand at the head of a sentence."""
