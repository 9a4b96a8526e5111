"""How far a draw follows a text that is already written, and which rollouts two prefixes of it may share.

Prefixes p_0, p_1, ... of one text are cut at borders; R_b is the law of the continuations of p_b. One pass over the
text tells for each of its tokens which uniforms draw it, so how many tokens of the text a rollout repeats is known
before the model is asked anything: it is needed from the first token on that differs. This module needs numpy only.

**Sharing.** A rollout of p_a whose first k tokens are the text's, up to border b > a, is a rollout of p_b: given these
k tokens, all later ones are drawn from the model after the very ids of p_b. This is exact under four rules.

1. The event is about those k tokens and nothing else. The sentences of the rollout must not be asked: whether one ends
   at the border may depend on what follows it ("3." and "3.14"), so to demand the same border would choose rollouts by
   their future. The same text in other tokens is another event, and the ids of p_b must be the text's own.
2. Rollouts are handed forward only. Those of p_b that came from p_a are no sample of R_a: they are the ones that
   repeated the text, which R_a would count twice. Nor may they be left out of R_b by what became of them: each is
   counted, truncated ones too, with the same limit of tokens as a fresh one. So a row that is handed on runs as many
   tokens longer as it has repeated.
3. How many fresh rollouts R_b gets may depend on how many it was handed: that number is settled by the first k tokens,
   and given it the handed ones are independent draws from R_b. It must not depend on what they ended in, unless the
   interval allows for stopping; and then a rollout enters all its prefixes in the moment that it is known, so that
   nobody decides to count it with its outcome in hand.
4. A fresh rollout has random numbers of its own. By induction over the borders the rollouts of R_b, handed or fresh,
   are then independent of each other.

Rollouts of two prefixes are not independent, and the covariance helps. With m of the n rollouts of p_a among the N of
p_b, v_a and v_b the variances of the outcome under R_a and R_b, and q = chance(a, b),

    Var(mean_b - mean_a)  =  v_a / n + v_b / N - 2 q v_b / N        (N fixed)

as only the m common ones covary, each by v_b: E[m] v_b / (n N), estimated by m v_b / (n N). To treat the means as
independent is conservative. (A common row whose outcome is that it was truncated may have another one at the other
prefix: its limit lies elsewhere.)

**A bound without any rollout.** q is known exactly, and R_a = q R_b + (1 - q) (R_a, given another way on), so the total
variation between R_a and R_b is at most 1 - q.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Draws(NamedTuple):
    """What draws each token of a text, given all before it: token t is drawn where lower <= u * total < upper."""

    lower: Array
    upper: Array
    total: Array
    logprob: Array
    """ln p of the token, in nats, at temperature 1 over the whole vocabulary."""

    def follow(self, start: int, uniforms: Array) -> int:
        """How many tokens of the text from token `start` on these uniforms draw before they draw another one."""
        count = max(0, min(len(uniforms), len(self.total) - start))
        here = slice(start, start + count)
        scaled = uniforms[:count] * self.total[here]
        differs = (scaled < self.lower[here]) | (scaled >= self.upper[here])
        return int(differs.argmax()) if differs.any() else count

    def chance(self, start: int, end: int) -> float:
        """Probability that a rollout of the first `start` tokens begins with the tokens up to `end`; 1 for none."""
        here = slice(start, end)
        total = self.total[here]
        widths = np.minimum(self.upper[here], total) - np.minimum(self.lower[here], total)
        return float(np.prod(widths / total))


def handed(marks: Sequence[int | None], place: int, followed: int) -> list[tuple[int, int]]:
    """The later borders whose rollout a rollout of border `place` is, too, when it repeats `followed` tokens.

    marks[b] counts the tokens of prefix b, ascending; None where its tokens are not the beginning of the text's. Gives
    (b, marks[b]).
    """
    start = marks[place]
    later = enumerate(marks[place + 1 :], place + 1)
    return [(b, mark) for b, mark in later if start is not None and mark is not None and mark <= start + followed]


def fresh(marks: Sequence[int | None], n: int, follows: Callable[[int, int], int]) -> list[int]:
    """How many fresh rollouts each border needs so that all have n or more, from left to right.

    follows(b, k) tells how many tokens the k-th fresh rollout of border b repeats. It alone is asked, so the numbers
    depend on no outcome (rule 3).
    """
    have = [0] * len(marks)
    needed = []
    for place in range(len(marks)):
        needed.append(max(0, n - have[place]))
        for number in range(needed[-1]):
            for later, _ in handed(marks, place, follows(place, number)):
                have[later] += 1
    return needed
