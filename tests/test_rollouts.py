"""Rollouts: the same tokens as transformers and our own plain sampler draw, from caches that are computed once."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tracer.errors import DoesNotFitError, TracerError
from tracer.lm.rollouts import STEP, Engine, Request, Rollout, Sampling, digest, origin, rollouts
from tracer.lm.sampling import Row, Rules, key

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SERVED = [
    "llama",
    "qwen2",
    "qwen3",
    "mixtral",
    "qwen2_moe",
    "gpt_neox",
    "gpt_oss",
    "gpt_oss_sliding",
    "gemma2",
    "gemma3",
    "mistral",
]
"""The last four have windows of 6 tokens, which is shorter than the prompts."""
TEXT = "Hello world. The end is near. 3.14 and x = y + 4, then we check it. Kim: Leo +4. What is Kim?"
CUTS = [12, 29, 67, 80]
"""Four prefixes, whose tokens are the text's own with every tokenizer here that keeps blanks before words."""
Table = dict[tuple[str, int], tuple[Any, ...]]

WARM = Sampling(temperature=1.0, top_p=0.9, max_tokens=12, seed=5)


def requests(n: int, cuts: list[int] = CUTS) -> list[Request]:
    return [Request(TEXT[:cut], k) for cut in cuts for k in range(n)]


def found(made: Iterator[Rollout]) -> Table:
    """Text, end and length of each rollout, by prefix and number; nothing comes twice."""
    listed = list(made)
    table = {(each.prefix, each.sample): each[2:5] for each in listed}
    assert len(table) == len(listed)
    return table


def plain(lm: Any, wanted: list[Request], sampling: Sampling) -> Table:
    """The same from the plain sampler, where sample k is the last of k + 1."""
    how = sampling._asdict()
    return {(digest(prefix), number): tuple(lm.sample(prefix, number + 1, **how)[number]) for prefix, number in wanted}


@contextmanager
def shapes(lm: Any) -> Iterator[list[tuple[int, int]]]:
    """The (rows, tokens) of every forward pass."""
    seen: list[tuple[int, int]] = []
    handle = lm.model.register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape)))
    try:
        yield seen
    finally:
        handle.remove()


@pytest.mark.parametrize("family", SERVED)
def test_greedy_is_what_transformers_generates(family: str, tiny_lm: Callable[..., Any]) -> None:
    """Token for token, from every prefix, computed from the first token on."""
    lm = tiny_lm(family)
    engine = Engine(lm, TEXT, Sampling(temperature=0, max_tokens=20), follow=False)
    made = found(engine.rollouts(requests(1)))
    assert engine._read[0] is not None
    for cut in CUTS:
        prompt = lm.encode(TEXT[:cut]).ids
        ids = lm.model.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False)[0, len(prompt) :].tolist()
        theirs = lm.as_sample(Row(tuple(prompt), (0, 0), 20), ids)
        assert made[digest(TEXT[:cut]), 0] == theirs


@pytest.mark.parametrize("family", SERVED)
def test_a_rollout_is_the_plain_samplers(family: str, tiny_lm: Callable[..., Any]) -> None:
    """With and without following, four samples of each prefix."""
    lm = tiny_lm(family)
    wanted = plain(lm, requests(4), WARM)
    assert found(Engine(lm, TEXT, WARM, follow=False).rollouts(requests(4))) == wanted
    assert found(Engine(lm, TEXT, WARM).rollouts(requests(4))) == wanted
    assert found(rollouts(lm, requests(4), WARM)) == wanted


@pytest.mark.parametrize("kind", ["bytes", "metaspace"])
def test_prefixes_that_cut_a_token_are_read_as_they_are(kind: str, tiny_lm: Callable[..., Any]) -> None:
    """Cut anywhere, so that the last tokens of a prefix are not the text's; empty, and a text of its own, too."""
    lm = tiny_lm(kind=kind)
    wanted = [Request(TEXT[:cut], k) for cut in range(0, 90, 13) for k in range(2)] + [Request("Leo +4. Kim", 0)]
    assert found(Engine(lm, TEXT, WARM).rollouts(wanted)) == plain(lm, wanted, WARM)


def test_rollouts_do_not_depend_on_how_many_run_side_by_side(tiny_lm: Callable[..., Any]) -> None:
    """4 slots for 80 rollouts of uneven lengths, backwards: rows leave and enter all the time."""
    lm = tiny_lm()
    sampling = WARM._replace(max_tokens=40)
    wide = found(Engine(lm, TEXT, sampling, follow=False).rollouts(requests(20)))
    lm.batches.rows = 1
    with shapes(lm) as seen:
        narrow = found(Engine(lm, TEXT, sampling, follow=False).rollouts(requests(20)[::-1]))
    assert narrow == wide
    assert len({tokens for _, _, tokens in wide.values()}) > 5
    steps = [rows for rows, tokens in seen[9:] if tokens == 1]  # after the text, and its check of 8 tokens
    assert max(steps) == 4
    assert steps == sorted(steps, reverse=True)  # full until requests run out
    assert sum(steps) == sum(tokens for _, _, tokens in wide.values())


def test_the_text_is_read_once(tiny_lm: Callable[..., Any]) -> None:
    """By one pass for all prefixes, samples and calls of an engine."""
    lm = tiny_lm()
    engine = Engine(lm, TEXT, WARM, borders=CUTS)
    with shapes(lm) as seen:
        first = found(engine.rollouts(requests(3)))
        again = found(engine.rollouts(requests(3)))
    assert first == again
    assert [shape for shape in seen if shape[1] > 1] == [(1, len(lm.encode(TEXT).ids))]


def test_prompts_beside_the_text_share_what_they_have_in_common(tiny_lm: Callable[..., Any]) -> None:
    """ "Kim: Leo +4. What" after the text's first 29 characters: only what is new is read, for all its samples."""
    lm = tiny_lm()
    engine = Engine(lm, TEXT, WARM)
    beside = [Request(TEXT[:29] + " Kim: Leo +4. What", k) for k in range(3)]
    list(engine.rollouts(requests(1)))
    with shapes(lm) as seen:
        made = found(engine.rollouts(beside))
    assert made == plain(lm, beside, WARM)
    new = len(lm.encode(beside[0].prefix).ids) - len(lm.encode(TEXT[:29]).ids)
    assert [shape for shape in seen if shape[1] > 1] == [(1, new - 1)]


def test_many_other_prompts_do_not_pile_up(tiny_lm: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for more columns the engine drops all but the text's, and goes on."""
    monkeypatch.setattr("tracer.lm.rollouts.BRANCHES", 10)
    lm = tiny_lm()
    wanted = [
        Request(f"{name} is {number}. x = y +4. Then we check it", 0) for name in ("Kim", "Leo") for number in range(9)
    ]
    engine = Engine(lm, "Hello world.", WARM)
    made = found(engine.rollouts(wanted))
    assert made == plain(lm, wanted, WARM)
    assert engine._read[0] is not None
    assert engine._read[0].size < 40


def test_what_repeats_the_text_is_not_computed(tiny_lm: Callable[..., Any]) -> None:
    """A greedy rollout goes on with the model's own greedy text: all of it is known, and no row is run."""
    lm = tiny_lm()
    greedy = Sampling(temperature=0, max_tokens=10)
    (own,) = rollouts(lm, [Request(TEXT, 0)], greedy)
    assert own.finish == "length"
    engine = Engine(lm, TEXT + own.text, greedy)
    assert engine._read[0] is not None
    with shapes(lm) as seen:
        (again,) = engine.rollouts([Request(TEXT, 0)])
    assert again[2:5] == own[2:5]
    assert again.logprob == pytest.approx(own.logprob, abs=1e-4)
    assert seen == []


def test_the_logprob_is_the_models_own_whatever_the_temperature(tiny_lm: Callable[..., Any]) -> None:
    """Against a plain pass over prompt and drawn tokens; a quarter of the rollouts at top_p .9 and T .7 repeat text."""
    lm = tiny_lm()
    sampling = Sampling(temperature=0.7, top_p=0.9, max_tokens=15)
    for made in rollouts(lm, requests(3), sampling):
        cut = next(cut for cut in CUTS if digest(TEXT[:cut]) == made.prefix)
        prompt = lm.prompt(TEXT[:cut])
        rules = Rules(0.7, 0.9, lm.ends, lambda drawn: False)
        (drawn,) = lm.continue_rows([Row(prompt, key(0, TEXT[:cut], made.sample), 15)], rules)
        logprobs = lm.model(torch.tensor([[*prompt, *drawn.ids]])).logits[0].double().log_softmax(-1)
        total = sum(float(logprobs[len(prompt) + k - 1, token]) for k, token in enumerate(drawn.ids))
        assert made.logprob == pytest.approx(total, abs=1e-4)
        assert sum(drawn.logprobs) == pytest.approx(total, abs=1e-4)


def chain(lm: Any, sampling: Sampling) -> tuple[str, list[int]]:
    """A text that the model likes, with five borders in it."""
    text, cuts = TEXT[:12], [12]
    for _ in range(4):
        text += lm.sample(text, 1, max_tokens=2, temperature=0)[0].text
        cuts.append(len(text))
    return text, cuts


def test_handed_rollouts_are_the_rest_of_those_that_were_drawn(tiny_lm: Callable[..., Any]) -> None:
    """Same row, less the text between the borders; as long as a fresh one may be."""
    lm = tiny_lm()
    sampling = Sampling(temperature=0.5, max_tokens=8, seed=1)
    text, cuts = chain(lm, sampling)
    engine = Engine(lm, text, sampling, borders=cuts)
    wanted = engine.sweep(20)
    table = {(each.prefix, each.sample): each for each in engine.rollouts(wanted)}
    prefixes = [digest(text[:cut]) for cut in cuts]
    counts = Counter(prefix for prefix, _ in table)
    assert all(counts[prefix] >= 20 for prefix in prefixes)
    assert len(wanted) < 100 <= len(table)
    for (prefix, sample), made in table.items():
        steps, number = origin(sample)
        place = prefixes.index(prefix)
        source = table[prefixes[place - steps], number]
        between = text[cuts[place - steps] : cuts[place]]
        whole = between + made.text
        assert whole.startswith(source.text) if source.finish == "length" else whole == source.text
        assert made.finish == "stop" or made.tokens == 8


def test_handing_on_leaves_the_distribution_as_it_is(tiny_lm: Callable[..., Any]) -> None:
    """Texts of 2 tokens at the last border: 600 by sweeps with handing on, against 600 fresh ones, by chi-squared."""
    lm = tiny_lm()
    sampling = Sampling(temperature=0.5, max_tokens=2, seed=2)
    text, cuts = chain(lm, sampling)
    engine = Engine(lm, text, sampling, borders=cuts)
    last = digest(text)
    swept = [each for each in engine.rollouts(engine.sweep(600)) if each.prefix == last]
    assert sum(each.sample >= STEP for each in swept) > 60
    alone = list(rollouts(lm, [Request(text, k) for k in range(600)], sampling._replace(seed=3)))
    one, other = (Counter(each.text for each in made) for made in (swept, alone))
    often = [name for name in one | other if one[name] + other[name] >= 10]
    rest = [len(swept) - sum(one[name] for name in often), len(alone) - sum(other[name] for name in often)]
    table = np.array([[one[name] for name in often], [other[name] for name in often]])
    table = np.column_stack([table, rest]) if min(rest) >= 5 else table
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_the_chance_to_repeat_the_text_is_exact(tiny_lm: Callable[..., Any]) -> None:
    """At temperature 1 without top_p the probability of the text between the borders; at 0 certainty or nothing."""
    lm = tiny_lm()
    chances = Engine(lm, TEXT, Sampling(temperature=1, top_p=1), borders=CUTS).chances()
    scored = [lm.logprobs(TEXT[:a], [TEXT[a:b]])[0].logprob for a, b in pairwise(CUTS)]
    assert [math.log(chance) for chance in chances] == pytest.approx(scored, rel=1e-5)
    text, cuts = chain(lm, WARM)
    assert Engine(lm, text, Sampling(temperature=0), borders=cuts).chances() == [1, 1, 1, 1]


def stateful(lm: Any, name: str, **special: Any) -> Any:
    """The model of a tokenizer's LM replaced by one with recurrent layers."""
    sizes = {
        "vocab_size": len(lm.tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = transformers.AutoModelForCausalLM.from_config(getattr(transformers, name)(**sizes, **special))
    return type(lm)(made, lm.tokenizer, name=name, revision="0")


def test_a_model_with_recurrent_layers_is_continued_in_plain_batches(tiny_lm: Callable[..., Any]) -> None:
    """The same rollouts with log-probabilities, in batches of 3; nothing is handed on, and no chance is known."""
    lm = stateful(tiny_lm(), "Lfm2Config", layer_types=["conv", "full_attention", "conv"])
    engine = Engine(lm, TEXT, WARM, borders=CUTS)
    assert engine._read == (None, None)
    lm.batches.rows = 3
    listed = list(engine.rollouts(engine.sweep(3)))
    assert found(iter(listed)) == plain(lm, requests(3), WARM)
    assert all(each.logprob < 0 for each in listed)
    assert all(math.isnan(chance) for chance in engine.chances())


def test_a_model_whose_attention_is_not_what_is_computed_here_falls_back(tiny_lm: Callable[..., Any]) -> None:
    """Here the model's own attention sees its input halved; a family might add a step that we know nothing of."""
    lm = tiny_lm()
    assert Engine(lm, TEXT, WARM)._read[0] is not None

    def halved(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        named["hidden_states"] = named["hidden_states"] * (0.5 if module.config._attn_implementation == "sdpa" else 1)

    hooks = [layer.self_attn.register_forward_pre_hook(halved, with_kwargs=True) for layer in lm.model.model.layers]
    try:
        assert Engine(lm, TEXT, WARM)._read == (None, None)
    finally:
        for hook in hooks:
            hook.remove()


def test_a_rollout_ends_with_its_tokens_or_the_models_context(tiny_lm: Callable[..., Any]) -> None:
    """A prefix of 6 tokens in a context of 10 leaves 4; a prefix that fills it leaves none, and that is said."""
    lm = tiny_lm(max_position_embeddings=10)
    lm.model.generation_config.eos_token_id = lm.model.config.eos_token_id = lm.tokenizer.eos_token = None
    six = "Hello world. The end is"
    made = list(rollouts(lm, [Request(six, k) for k in range(3)], Sampling(max_tokens=50)))
    assert [(each.finish, each.tokens) for each in made] == [("length", 4)] * 3
    long = "Hello world. The end is near. What is Kim?"
    made = list(Engine(lm, long, Sampling(max_tokens=3), borders=[len(six), len(long)]).rollouts([Request(six, 0)]))
    assert made[0].tokens == 3
    with pytest.raises(DoesNotFitError, match="tiny llama reads 10: shorten it"):
        list(rollouts(lm, [Request(long, 0)], Sampling(max_tokens=50)))


def test_an_end_token_is_counted_and_not_shown(tiny_lm: Callable[..., Any]) -> None:
    """Also where the text itself has one: a rollout that repeats it ends there, and goes to no later border."""
    lm = tiny_lm()
    made = list(rollouts(lm, requests(20), Sampling(temperature=1, top_p=1, max_tokens=60)))
    ended = [each for each in made if each.finish == "stop"]
    assert ended
    assert not any("<end>" in each.text for each in made)
    (prefix,) = [TEXT[:cut] for cut in CUTS if digest(TEXT[:cut]) == ended[0].prefix]
    stop = prefix + ended[0].text + "<end>"
    engine = Engine(lm, stop + " Hello world.", Sampling(1, 1, 60), borders=[len(prefix), len(stop)])
    (again,) = engine.rollouts([Request(prefix, ended[0].sample)])
    assert again[:5] == ended[0][:5]


def test_no_text_and_no_requests(tiny_lm: Callable[..., Any]) -> None:
    """An empty prefix is begun with the model's own token; nothing wanted is nothing made."""
    lm = tiny_lm()
    assert found(rollouts(lm, [Request("", 0), Request("", 1)], WARM)) == plain(
        lm, [Request("", 0), Request("", 1)], WARM
    )
    assert list(rollouts(lm, [], WARM)) == []
    assert list(Engine(lm, "", WARM).rollouts([])) == []
    assert Engine(lm, "", WARM).sweep(3) == []


def test_an_iterator_may_be_closed_early(tiny_lm: Callable[..., Any]) -> None:
    """And requests are taken as there is room: of 1,000 no more than ran side by side, with the finished ones."""
    lm = tiny_lm()
    lm.batches.rows = 2
    taken: list[Request] = []

    def wanted() -> Iterator[Request]:
        for k in range(1000):
            taken.append(Request(TEXT[:12], k))
            yield taken[-1]

    engine = Engine(lm, TEXT, WARM)
    made = engine.rollouts(wanted())
    first = [next(made) for _ in range(3)]
    made.close()
    assert len(taken) < 20
    assert lm.model.config._attn_implementation != "tracer_rows"
    table = found(engine.rollouts(taken))
    assert all(table[each.prefix, each.sample] == each[2:5] for each in first)


def test_memory_that_runs_out_halves_the_rows_and_loses_nothing(tiny_lm: Callable[..., Any]) -> None:
    """A device with room for three rows."""
    lm = tiny_lm()
    whole = found(rollouts(lm, requests(5), WARM))

    def full(module: Any, given: tuple[Any, ...]) -> None:
        if len(given[0]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    handle = lm.model.register_forward_pre_hook(full)
    assert found(rollouts(lm, requests(5), WARM)) == whole
    assert lm.batches.rows == 1
    handle.remove()
    handle = lm.model.register_forward_pre_hook(lambda module, given: full(module, ([0] * 4,)))
    with pytest.raises(DoesNotFitError, match="memory ran out on a single text"):
        list(rollouts(lm, requests(1), WARM))
    handle.remove()


def test_other_errors_are_not_hidden(tiny_lm: Callable[..., Any]) -> None:
    """An error of the one who asks comes through, and the model is as it was."""
    lm = tiny_lm()

    def wanted() -> Iterator[Request]:
        yield Request(TEXT, 0)
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        list(Engine(lm, TEXT, WARM).rollouts(wanted()))
    assert found(rollouts(lm, requests(1), WARM)) == plain(lm, requests(1), WARM)


def test_sampling_that_makes_no_sense_is_refused(tiny_lm: Callable[..., Any]) -> None:
    """Before anything is computed."""
    for wrong in ({"temperature": -1.0}, {"top_p": 0.0}, {"max_tokens": 0}):
        with pytest.raises(TracerError, match="sampling needs"):
            Engine(tiny_lm(), TEXT, WARM._replace(**wrong))


def test_a_digest_tells_all_prefixes_apart() -> None:
    """SHA-256, cut to 32 digits; half characters from a broken log included."""
    assert digest("") == "e3b0c44298fc1c149afbf4c8996fb924"
    assert len({digest(each) for each in ("", " ", "a", "a ", "\ud800", "\udfff")}) == 6
    assert origin(7) == (0, 7)
    assert origin(2 * STEP + 7) == (2, 7)


def test_half_characters_and_a_hostile_text_are_read(tiny_lm: Callable[..., Any]) -> None:
    """A lone surrogate, a null, the end token's own name, and a text of one thousand blanks."""
    lm = tiny_lm(kind="bytes")
    wanted = [Request(text, 0) for text in ("a\ud800b", "a\0b", "<end>", " " * 200, "é" * 50)]
    assert found(rollouts(lm, wanted, WARM)) == plain(lm, wanted, WARM)
