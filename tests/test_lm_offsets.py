"""Tokens, characters and sentences: every expected offset is worked out by hand, or rebuilt from the tokens' bytes."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracer.lm.offsets import Offset, aligned, dropped, tiled, token_spans

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

MIXED = "Hello world.\n\n  Thé 🎉 end. Kim: Leo +4. "


def tokens(lm: Any, text: str) -> list[tuple[str, str]]:
    """Each token beside the text that stands at its offsets."""
    encoded = lm.encode(text)
    names = lm.tokenizer.convert_ids_to_tokens(encoded.ids)
    return [(name, text[start:end]) for name, (start, end) in zip(names, encoded.offsets, strict=True)]


def byte_level_bytes(token: str) -> bytes:
    """What a byte-level token stands for, by GPT-2's table of printable stand-ins."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(rest)}
    return bytes(table[character] for character in token)


def metaspace_bytes(token: str) -> bytes:
    """What a SentencePiece-like token stands for."""
    return bytes([int(token[3:5], 16)]) if token.startswith("<0x") else token.replace("▁", " ").encode()


def offsets_of(pieces: list[bytes], text: str) -> list[Offset]:
    """The characters that each run of bytes touches, when the runs follow each other through the text."""
    owner = [place for place, character in enumerate(text) for _ in character.encode()]
    spans, at = [], 0
    for piece in pieces:
        touched = owner[at : at + len(piece)]
        spans.append((touched[0], touched[-1] + 1))
        at += len(piece)
    assert at == len(owner)
    return spans


def test_a_byte_level_token_has_the_blank_before_it(tiny_lm: Callable[..., Any]) -> None:
    """The tokenizer's own offsets would leave blanks out, and give the second line end to nobody."""
    found = tokens(tiny_lm(kind="bytes"), "Hello world.\n\n  Then")
    assert found[:3] == [("Hello", "Hello"), ("Ġworld", " world"), (".", ".")]
    assert "".join(slice_ for _, slice_ in found) == "Hello world.\n\n  Then"
    assert [slice_ for name, slice_ in found if "Ċ" in name] == ["\n\n "]


def test_a_character_of_several_tokens_belongs_to_each_of_them(tiny_lm: Callable[..., Any]) -> None:
    """Four bytes of an emoji are four tokens, in both byte-level and SentencePiece-like tokenizers."""
    assert tokens(tiny_lm(kind="bytes"), "🎉.")[-5:] == [("ð", "🎉"), ("Ł", "🎉"), ("İ", "🎉"), ("ī", "🎉"), (".", ".")]
    pieces = [("<0xF0>", "🎉"), ("<0x9F>", "🎉"), ("<0x8E>", "🎉"), ("<0x89>", "🎉")]
    assert tokens(tiny_lm(kind="metaspace"), "y 🎉")[-4:] == pieces


def test_the_begin_token_is_empty_and_no_end_token_is_added(tiny_lm: Callable[..., Any]) -> None:
    """The tokenizer's template puts one at either end; a model that reads on must not see the second."""
    assert tokens(tiny_lm(kind="metaspace"), "Kim") == [("<begin>", ""), ("▁Kim", "Kim")]
    assert tokens(tiny_lm(kind="metaspace"), "") == [("<begin>", "")]


def test_a_text_that_brings_its_begin_token_gets_no_second_one(tiny_lm: Callable[..., Any]) -> None:
    """Rendered chat templates do."""
    assert [name for name, _ in tokens(tiny_lm(kind="metaspace"), "<begin>Kim")].count("<begin>") == 1
    assert tokens(tiny_lm(kind="metaspace"), "<begin>Kim")[0] == ("<begin>", "<begin>")


def test_an_unknown_word_is_one_token_with_its_place(tiny_lm: Callable[..., Any]) -> None:
    """Word-level tokens carry the blank before the word; a name with its colon is one token."""
    assert tokens(tiny_lm(kind="words"), "Hello Zoë. Kim: Leo +4.") == [
        ("Hello", "Hello"),
        ("<unk>", " Zo"),
        ("<unk>", "ë"),
        (".", "."),
        (" Kim:", " Kim:"),
        (" Leo", " Leo"),
        (" +4", " +4"),
        (".", "."),
    ]


def test_half_a_character_is_read_as_an_unknown_one(tiny_lm: Callable[..., Any]) -> None:
    """A lone surrogate, which Python strings may hold and UTF-8 may not; everything else keeps its place."""
    for kind in ("bytes", "metaspace", "words"):
        lm = tiny_lm(kind=kind)
        assert lm.encode("Kim \ud83c Leo.") == lm.encode("Kim \ufffd Leo.")


@pytest.mark.parametrize("kind", ["bytes", "metaspace", "words"])
def test_tokens_cover_a_text_without_a_gap(kind: str, tiny_lm: Callable[..., Any]) -> None:
    """In order, from the first character to the last."""
    offsets = tiny_lm(kind=kind).encode(MIXED).offsets
    assert [end for _, end in offsets] == sorted(end for _, end in offsets)
    assert {place for start, end in offsets for place in range(start, end)} == set(range(len(MIXED)))


TEXTS = st.text(
    st.one_of(st.sampled_from(" \n.aé日🎉"), st.characters(codec="utf-8", exclude_characters="▁")), max_size=40
)


@pytest.fixture(scope="module")
def byte_lm(tiny_lm: Callable[..., Any]) -> Any:
    """A model with a byte-level tokenizer."""
    return tiny_lm(kind="bytes")


@pytest.fixture(scope="module")
def metaspace_lm(tiny_lm: Callable[..., Any]) -> Any:
    """A model with a SentencePiece-like tokenizer."""
    return tiny_lm(kind="metaspace")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(text=TEXTS)
def test_byte_level_offsets_are_those_of_the_bytes(text: str, byte_lm: Any) -> None:
    """The tokens' bytes, laid end to end, are the text's, so each one's characters are known."""
    encoded = byte_lm.encode(text)
    pieces = [byte_level_bytes(name) for name in byte_lm.tokenizer.convert_ids_to_tokens(encoded.ids)]
    assert encoded.offsets == offsets_of(pieces, text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(text=TEXTS)
def test_metaspace_offsets_are_those_of_the_bytes(text: str, metaspace_lm: Any) -> None:
    """The same after a begin token; a blank that the tokenizer puts before the text has no character of its own."""
    encoded = metaspace_lm.encode(text)
    pieces = [metaspace_bytes(name) for name in metaspace_lm.tokenizer.convert_ids_to_tokens(encoded.ids)[1:]]
    if text and not text.startswith(" "):
        shifted = [(max(0, start - 1), end - 1) for start, end in offsets_of(pieces, " " + text)]
        alone = pieces[0] == b" "  # then it is the whole first token, and shares the character after it
        assert encoded.offsets[1 + alone :] == shifted[alone:]
    else:
        assert encoded.offsets[1:] == offsets_of(pieces, text)


def test_blanks_that_no_token_has_go_to_the_next_one() -> None:
    """Of "ab  c " a tokenizer that splits at blanks keeps [0, 2) and [4, 5): the last blank goes to the last token."""
    assert tiled([(0, 2), (4, 5)], 6) == [(0, 2), (2, 6)]
    assert tiled([], 3) == []
    assert tiled([(0, 0)], 2) == [(0, 0)]


def test_words_that_no_token_has_are_counted() -> None:
    """Of "ab ?? c !" the tokenizer kept "ab" and "c"; blanks alone do not count."""
    assert dropped([(0, 2), (6, 7)], "ab ?? c !") == 2
    assert dropped([(0, 2), (3, 4)], "ab c ") == 0


def test_a_token_that_crosses_a_border_belongs_where_it_ends() -> None:
    """ "Hi. Yo." in two sentences of 4 and 3 characters: the token [3, 6) has the blank of the first one."""
    offsets = [(0, 0), (0, 2), (2, 3), (3, 6), (6, 7)]
    assert token_spans(offsets, [(0, 4), (4, 7)]) == [(1, 3), (3, 5)]
    assert token_spans(offsets, [(0, 3), (3, 7)]) == [(1, 3), (3, 5)]


def test_a_sentence_whose_only_token_ends_in_the_next_has_none() -> None:
    """Of "a" and "bc", written as one token, the first has nothing; neither has an empty sentence."""
    assert token_spans([(0, 3)], [(0, 1), (1, 3), (3, 3)]) == [(0, 0), (0, 1), (1, 1)]


def test_a_prompt_before_the_first_sentence_belongs_to_nobody() -> None:
    """Sentences may begin anywhere in the text."""
    assert token_spans([(0, 0), (0, 3), (3, 6), (6, 9)], [(3, 6), (6, 9)]) == [(2, 3), (3, 4)]
    assert token_spans([], [(0, 5)]) == [(0, 0)]


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=20),
    cuts=st.sets(st.integers(1, 60), max_size=8),
)
def test_every_token_belongs_to_exactly_one_sentence(lengths: list[int], cuts: set[int]) -> None:
    """Whatever the borders, when the sentences cover the text."""
    ends = [sum(lengths[: place + 1]) for place in range(len(lengths))]
    offsets = list(zip([0, *ends[:-1]], ends, strict=True))
    borders = sorted({0, ends[-1]} | {cut for cut in cuts if cut < ends[-1]})
    owned = [token for a, b in token_spans(offsets, pairwise(borders)) for token in range(a, b)]
    assert owned == list(range(len(lengths)))


@pytest.mark.parametrize(
    ("shown", "text", "offsets"),
    [
        (["Kim", ":", " Leo"], "Kim: Leo", [(0, 3), (3, 4), (4, 8)]),
        (["Kim", ":", "Leo"], "Kim: Leo", [(0, 3), (3, 4), (4, 8)]),  # a decoder that takes the blank off
        (["Kim", "", ":"], "Kim:", [(0, 3), (3, 3), (3, 4)]),
        (["a", " \ufffd", "\ufffd", "b"], "a 🎉b", [(0, 1), (1, 3), (3, 3), (3, 4)]),
        (["\ufffd", "\ufffd"], "🎉", [(0, 1), (1, 1)]),
        (["a", "\ufffd", "b"], "a\ufffdb", [(0, 1), (1, 2), (2, 3)]),  # which the text has itself
        (["a"], "a  ", [(0, 3)]),
        ([], "", None),
        (["Kim"], "Leo", None),
        (["Kim", "<unk>"], "Kim: Zebra", None),
        (["\ufffd"], "🎉🎉🎉", None),  # one part of a character is no three characters
        (["a", "\ufffd"], "a", None),
        (["Kim"], "Kim: Leo", None),
    ],
)
def test_tokens_known_by_their_text_are_found_or_refused(
    shown: list[str], text: str, offsets: list[Offset] | None
) -> None:
    """By hand."""
    assert aligned(shown, text) == offsets
