"""What the page is told of a step's sentences: small answers whose figures can be worked out by hand."""

import json
from collections.abc import Sequence
from typing import Any

from tracer.analyses.agreement import compare
from tracer.records import Alternative, Anchors, AnchorSentence, Resampled
from tracer.viz.sentences import ANSWERS, LINKS, LONGEST, MATRIX, sentences_view

TEXTS = ("Add 1 and 2. ", "One and two. ", "That is 4.\n\n", "So 4.")
"""The first is the prompt's."""


def anchors(method: str, weights: Sequence[float | None], *, texts: Sequence[str] = TEXTS, **more: Any) -> Anchors:
    """A method's answer about the texts, of which the first is the prompt's."""
    ends = [sum(len(text) for text in texts[: k + 1]) for k in range(len(texts))]
    sentences = tuple(
        AnchorSentence(
            index=k,
            start=end - len(text),
            end=end,
            text=text,
            part="chain" if k else "prompt",
            kind="active_computation" if k else None,
            weight=weight,
        )
        for k, (text, end, weight) in enumerate(zip(texts, ends, weights, strict=True))
    )
    named: dict[str, Any] = {"content": "c", "target": "@last:1", "score": "words", "model": "m", "revision": "1"}
    return Anchors(method=method, **{**named, "sentences": sentences, **more})


def method_of(found: Anchors) -> dict[str, Any]:
    [method] = sentences_view([found], None)["methods"]
    return dict(method)


def resampled(effect: float, **more: Any) -> Resampled:
    figures: dict[str, Any] = {"before": 0.5, "after": 0.5 + effect, "low": effect - 0.1, "high": effect + 0.1}
    counts: dict[str, Any] = {"n_before": 20, "n_after": 30, "q": 0.01, "verdict": "anchor", "different": 12}
    return Resampled(effect=effect, **{**figures, **counts, **more})


def swept(*effects: float, answers: Sequence[str] = ("4", "3"), **more: Any) -> Anchors:
    """By resampling; the alternatives of the first sentence are among `more`."""
    found = anchors("resample", [None, *[0.0] * len(effects)], texts=TEXTS[: len(effects) + 1])
    alternatives = more.pop("alternatives", ())
    told = [
        each.model_copy(update={"resampled": resampled(effect, alternatives=() if k else alternatives)})
        for k, (each, effect) in enumerate(zip(found.sentences[1:], effects, strict=True))
    ]
    evidence = {"target": "4", "answers": list(answers), "distribution": [[1.0, *[0.0] * (len(answers) - 1)]]}
    return found.model_copy(
        update={"sentences": (found.sentences[0], *told), "evidence": evidence | more.pop("evidence", {}), **more}
    )


def test_sentences_stand_there_once_whatever_methods_there_are() -> None:
    """Two methods, one text; the kind is of whichever answer has it."""
    old = anchors("suppress", [1, 2, 3, None])
    old = old.model_copy(update={"sentences": tuple(s.model_copy(update={"kind": None}) for s in old.sentences)})
    view = sentences_view([old, anchors("surprisal", [1, 1, 1, 1])], None)
    assert [each["text"] for each in view["sentences"]] == list(TEXTS)
    assert [each["part"] for each in view["sentences"]] == ["prompt", "chain", "chain", "chain"]
    assert [each["kind"] for each in view["sentences"]] == [None, *["active_computation"] * 3]
    assert [each["values"] for each in view["methods"]] == [[1, 2, 3, None], [1, 1, 1, 1]]


def test_blanks_that_belong_to_no_sentence_are_told_within_the_reasoning_only() -> None:
    """Between the prompt and the reasoning stands a tag; between sentences 1 and 2 a line was left out."""
    found = anchors("suppress", [1, 1, 1, 1])
    moved = [
        s.model_copy(update={"start": s.start + k * 2, "end": s.end + k * 2}) for k, s in enumerate(found.sentences)
    ]
    moved[3] = found.sentences[3].model_copy(update={"start": moved[2].end, "end": moved[2].end + 5})
    view = sentences_view([found.model_copy(update={"sentences": tuple(moved)})], None)
    assert [each["gap"] for each in view["sentences"]] == [False, False, True, False]


def test_a_long_sentence_is_cut_and_says_so() -> None:
    """The page holds no more than it can show."""
    view = sentences_view([anchors("suppress", [1, 1], texts=["Q. ", "x" * (LONGEST + 5)])], None)
    assert (len(view["sentences"][1]["text"]), view["sentences"][1]["cut"]) == (LONGEST, LONGEST + 5)
    assert view["sentences"][0]["cut"] == 0


def test_a_forced_answers_effect_has_the_sign_that_its_weight_lacks() -> None:
    """P(4) is .2, .7, .6, 1 at the four borders: effects +.5, -.1, +.4; the prompt has none."""
    rows = [[0.2, 0.8], [0.7, 0.3], [0.6, 0.4], [1.0, 0.0]]
    found = anchors("forced", [None, 0.5, 0.1, 0.4])
    found = found.model_copy(update={"evidence": {"target": "4", "answers": ["4", "3"], "distribution": rows}})
    method = method_of(found)
    assert method["signed"]
    assert method["values"] == [None, 0.5, -0.1, 0.4]
    assert method["answers"] == ["4", "3"]
    assert method["distribution"] == [[0.2, 0.8, 0.0], [0.7, 0.3, 0.0], [0.6, 0.4, 0.0], [1.0, 0.0, 0.0]]


def test_a_weight_without_direction_stays_one() -> None:
    """Three digits that count, however small."""
    method = method_of(anchors("receivers", [0.5, 0.000123456, None, 2]))
    assert not method["signed"]
    assert method["values"] == [0.5, 0.000123, None, 2]
    assert method["resampled"] == [None] * 4


def test_resampled_effects_come_with_all_that_they_rest_on() -> None:
    """The value is the effect, not the weight."""
    method = method_of(swept(0.4, -0.3, 0.0))
    assert method["values"] == [None, 0.4, -0.3, 0.0]
    told = method["resampled"][2]
    assert [told[key] for key in ("effect", "low", "high", "before", "after")] == [-0.3, -0.4, -0.2, 0.5, 0.2]
    assert [told[key] for key in ("n_before", "n_after", "q", "verdict", "different")] == [20, 30, 0.01, "anchor", 12]


def test_answers_are_known_by_position_and_rare_ones_are_pooled() -> None:
    """The explained one first, however rare; of seven answers the last two are one; no foreign word becomes a key."""
    answers = ["3", "__proto__", "4", "none", "truncated", "9", "8"]
    other = Alternative(
        text="It is 9.", count=6, similarity=0.2, similar=False, share=0.5, answers={"4": 3, "9": 1, "8": 1, "none": 1}
    )
    rows = [[0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.3], None]
    method = method_of(swept(0.4, answers=answers, alternatives=(other,), evidence={"distribution": rows}))
    assert method["answers"] == ["4", "3", "__proto__", "no answer", "cut off before an answer"]
    assert len(method["answers"]) == ANSWERS
    assert method["distribution"] == [[0.2, 0.1, 0.1, 0.1, 0.1, 0.4], None]
    [told] = method["resampled"][1]["alternatives"]
    assert told["answers"] == [3, 0, 0, 1, 0, 2]
    assert (told["text"], told["count"], told["similar"], told["share"]) == ("It is 9.", 6, False, 0.5)


def test_answers_that_are_hardly_ever_given_are_pooled_as_well() -> None:
    """3 never reaches 2 %, 9 does once."""
    rows = [[0.98, 0.01, 0.01], [0.9, 0.01, 0.09]]
    method = method_of(swept(0.4, answers=["4", "3", "9"], evidence={"distribution": rows}))
    assert method["answers"] == ["4", "9"]
    assert method["distribution"] == [[0.98, 0.01, 0.01], [0.9, 0.09, 0.01]]


def test_a_matrix_is_its_lower_triangle_in_three_digits() -> None:
    """Row t has t values; what stands on and above the diagonal says nothing."""
    matrix = tuple(tuple(0.123456 * t + s if s < t else 9.0 for s in range(4)) for t in range(4))
    assert method_of(anchors("suppress", [1, 1, 1, None], matrix=matrix))["matrix"] == [
        [], [0.123], [0.247, 1.25], [0.37, 1.37, 2.37],
    ]  # fmt: skip


def test_the_matrix_of_a_long_chain_is_left_out_and_a_note_says_so() -> None:
    """Its strongest links stay."""
    size = MATRIX + 1
    matrix = tuple(tuple(float(s + 1 == t) for s in range(size)) for t in range(size))
    method = method_of(anchors("suppress", [1.0] * size, texts=["S. "] * size, matrix=matrix))
    assert method["matrix"] is None
    assert method["notes"] == ["the matrix is left out: 301 sentences are more than 300; it is in the JSON"]
    assert len(method["links"]) == LINKS


def test_links_are_the_largest_cells_between_sentences_of_the_reasoning() -> None:
    """The prompt's column is larger, and left out; 0 is no link."""
    matrix = ((0, 0, 0, 0), (9, 0, 0, 0), (9, 0.2, 0, 0), (9, 0, 0.8, 0))
    method = method_of(anchors("suppress", [1, 1, 1, None], matrix=matrix))
    assert [(each["source"], each["target"], each["value"]) for each in method["links"]] == [(2, 3, 0.8), (1, 2, 0.2)]


def test_links_that_were_measured_keep_their_intervals() -> None:
    """Where there are some in the evidence, the matrix adds none."""
    link = {"source": 1, "target": 3, "before": 0.1, "after": 0.6, "effect": 0.5, "low": 0.3, "high": 0.7, "q": 0.001}
    matrix = tuple((0.0, 0.1, 0.1, 0.1) for _ in range(4))
    found = swept(0.1, 0.1, 0.1, matrix=matrix, evidence={"links": [link]})
    expected = {
        "source": 1,
        "target": 3,
        "value": 0.5,
        "before": 0.1,
        "after": 0.6,
        "low": 0.3,
        "high": 0.7,
        "q": 0.001,
    }
    assert method_of(found)["links"] == [expected]
    assert method_of(swept(0.1, matrix=tuple((0.1, 0.1) for _ in range(2)), evidence={"links": []}))["links"] == []


def test_a_method_that_split_the_chain_otherwise_is_laid_over_by_place() -> None:
    """It knows two of the four sentences, and as its matrix is of others it is left out."""
    other = anchors("suppress", [1, 5], texts=TEXTS[:2], matrix=((0, 0), (1, 0)))
    [_, method] = sentences_view([anchors("surprisal", [1, 1, 1, 1]), other], None)["methods"]
    assert method["values"] == [1, 5, None, None]
    assert (method["matrix"], method["links"]) == (None, [])
    assert method["notes"] == ["it was run on sentences that were split differently, so its links are left out"]


def test_methods_have_the_names_that_the_agreement_gives_them() -> None:
    """One method by two models; of the agreement only what is shown goes into the page."""
    found = [anchors("suppress", [1, 2, 3, 4]), anchors("suppress", [1, 3, 2, 4], model="big"), anchors("a", [1] * 4)]
    view = sentences_view(found, compare(found))
    assert [each["name"] for each in view["methods"]] == ["suppress m", "suppress big", "a"]
    assert set(view["agreement"]) == {"pairs", "concordance", "links", "notes"}


def test_receiver_heads_and_facts_are_told() -> None:
    """By how far back they look at least; what resampling spent."""
    heads = {"4": [{"layer": 3, "head": 1, "kurtosis": 4.990755}], "8": []}
    method = method_of(anchors("receivers", [1, 1, 1, 1], evidence={"receiver_heads": heads}))
    assert method["heads"] == [{"gap": "4", "heads": [[3, 1, 4.99]]}, {"gap": "8", "heads": []}]
    evidence = {"rollouts": 1200, "sweep": {"rollouts": 8000}, "encoder": "words"}
    assert method_of(swept(0.1, evidence=evidence))["facts"] == [
        "1,200 rollouts; a full sweep would take 8,000", "sentences compared by words",
    ]  # fmt: skip


def test_parameters_that_say_nothing_are_left_out() -> None:
    """What was not set, and what is off."""
    given = {"temperature": 0.6, "outcome": None, "paper": False, "seed": 0}
    assert method_of(anchors("resample", [1] * 4, parameters=given))["parameters"] == [
        ["temperature", "0.6"],
        ["seed", "0"],
    ]


def test_no_answers_are_an_empty_view() -> None:
    """A step whose reasoning nobody asked about."""
    assert sentences_view([], None) == {"target": "", "sentences": [], "methods": [], "agreement": None}


def test_the_view_is_plain_json() -> None:
    """It goes into the page as it is."""
    found = [swept(0.4, 0.1, 0.0), anchors("suppress", [1, 2, 3, None])]
    view = sentences_view(found, compare([*found, anchors("a", [1, 2, 3, 4])]))
    assert json.loads(json.dumps(view, allow_nan=False)) == view


def test_an_answer_that_was_stored_before_kinds_and_alternatives_is_still_read() -> None:
    """New fields have defaults."""
    stored = json.loads(swept(0.4).model_dump_json())
    for sentence in stored["sentences"]:
        del sentence["kind"]
        if sentence["resampled"]:
            del sentence["resampled"]["alternatives"]
    method = method_of(Anchors.model_validate_json(json.dumps(stored)))
    assert method["resampled"][1]["alternatives"] == []
