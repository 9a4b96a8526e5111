"""Loading a model: what is there is read exactly, what is not is said in one line."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracer.lm
from tracer.errors import BadInputError, DoesNotFitError, MissingExtraError, TracerError
from tracer.lm.local import LocalLM
from tracer.lm.pocket import FOLDER, pocket

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture
def folder(tmp_path: Path, tiny_lm: Callable[..., Any]) -> Path:
    """A tiny model in the Hugging Face layout."""
    lm = tiny_lm("llama", "words")
    path = tmp_path / "tiny-words"
    lm.model.save_pretrained(path)
    lm.tokenizer.save_pretrained(path)
    return path


def edit(path: Path, **changes: Any) -> None:
    """Change entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_saved_model_comes_back_the_same(folder: Path, tiny_lm: Callable[..., Any]) -> None:
    """Same tokens, same scores, on the CPU in float32, ready to be read and not to be trained."""
    lm = LocalLM.load(str(folder), device="cpu")
    made = tiny_lm("llama", "words")
    assert lm.encode("What is Kim?") == made.encode("What is Kim?")
    assert lm.logprobs("What", [" is Kim?"])[0].logprob == pytest.approx(made.logprobs("What", [" is Kim?"])[0].logprob)
    assert (lm.name, lm.model.dtype, lm.model.training) == ("tiny-words", torch.float32, False)
    assert not any(parameter.requires_grad for parameter in lm.model.parameters())


def test_every_kind_of_tokenizer_survives_saving(tmp_path: Path, tiny_lm: Callable[..., Any]) -> None:
    """With its exact offsets; the file keeps the tokenizer's own."""
    text = "Hello world.\n\n  Thé 🎉 end. "
    for kind in ("bytes", "metaspace", "words"):
        lm = tiny_lm("qwen2", kind)  # whose Auto class would take another tokenizer
        lm.model.save_pretrained(tmp_path / kind)
        lm.tokenizer.save_pretrained(tmp_path / kind)
        assert LocalLM.load(str(tmp_path / kind)).encode(text) == lm.encode(text)


def test_tied_weights_are_not_missed(tmp_path: Path, tiny_lm: Callable[..., Any]) -> None:
    """A file holds the embedding once, for both ends."""
    lm = tiny_lm("qwen2", "words", tie_word_embeddings=True)
    lm.model.save_pretrained(tmp_path)
    lm.tokenizer.save_pretrained(tmp_path)
    assert LocalLM.load(str(tmp_path)).sample("Kim", 1, max_tokens=4) == lm.sample("Kim", 1, max_tokens=4)


def test_the_revision_changes_with_the_weights(folder: Path) -> None:
    """And with the tokenizer, but not with the folder's name."""
    first = LocalLM.load(str(folder)).revision
    moved = folder.rename(folder.with_name("moved"))
    assert LocalLM.load(str(moved)).revision == first
    weights = moved / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert LocalLM.load(str(moved)).revision != first


def test_the_number_type_can_be_chosen(folder: Path) -> None:
    """By name; another name is answered with the list."""
    lm = LocalLM.load(str(folder), dtype="bfloat16")
    assert lm.model.dtype == torch.bfloat16
    assert lm.sample("Hello", 2, max_tokens=3)
    assert lm.logprobs("Hello", [" world"])[0].logprob < 0
    with pytest.raises(TracerError, match="no dtype 'int3': give one of float32, bfloat16, float16"):
        LocalLM.load(str(folder), dtype="int3")


@pytest.mark.parametrize("device", ["tpu9", "cuda:99", "meta:x"])
def test_a_device_that_is_not_there_is_said(device: str, folder: Path) -> None:
    """In one line that names the ones there may be."""
    with pytest.raises(TracerError, match=f"no device '{device}' on this machine: leave --device out"):
        LocalLM.load(str(folder), device=device)


@pytest.mark.parametrize("name", ["someone/not-there", "not/a/name", "", "-", "none\nsuch"])
def test_a_model_that_is_not_on_this_machine_is_not_fetched(name: str) -> None:
    """Offline or not, the answer is one line that says how to get it."""
    with pytest.raises(MissingExtraError, match=r"no model .* on this machine: give a folder") as caught:
        LocalLM.load(name)
    assert caught.value.exit_code == 5


def test_a_model_of_the_hubs_cache_is_found(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is the hub's, and its revision the commit."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    lm = tracer.lm.load("someone/tiny")
    assert (lm.name, lm.revision) == ("someone/tiny", "0123456789ab")


def test_a_folder_without_a_config_is_no_model(tmp_path: Path) -> None:
    """An empty folder, and one whose config is not JSON."""
    for content in (None, "{"):
        if content:
            (tmp_path / "config.json").write_text(content)
        with pytest.raises(MissingExtraError, match=r"no readable config\.json"):
            LocalLM.load(str(tmp_path))


def test_an_encoder_is_no_causal_model(tmp_path: Path) -> None:
    """BERT, and a sequence-to-sequence model."""
    small = {
        "vocab_size": 20,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    }
    transformers.BertModel(transformers.BertConfig(**small)).save_pretrained(tmp_path / "bert")
    t5 = transformers.T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    transformers.T5ForConditionalGeneration(t5).save_pretrained(tmp_path / "t5")
    for name, kind in (("bert", "BertModel"), ("t5", "T5ForConditionalGeneration")):
        with pytest.raises(MissingExtraError, match=f"no causal language model but {kind}: take another"):
            LocalLM.load(str(tmp_path / name))


def test_a_classifier_is_no_causal_model(folder: Path) -> None:
    """The same network with another head would be read with a random one."""
    edit(folder / "config.json", architectures=["LlamaForSequenceClassification"])
    with pytest.raises(MissingExtraError, match="no causal language model but LlamaForSequenceClassification"):
        LocalLM.load(str(folder))


def test_pickled_weights_are_not_read(folder: Path) -> None:
    """They may run code."""
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(MissingExtraError, match=r"has no \*\.safetensors, and no other weights are read"):
        LocalLM.load(str(folder))


def test_a_models_own_code_is_not_run(folder: Path) -> None:
    """A kind that only code in its folder could explain."""
    (folder / "evil.py").write_text("raise SystemExit('was run')")
    edit(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.Config"})
    with pytest.raises(MissingExtraError, match="without the model's own code, which is never run"):
        LocalLM.load(str(folder))


def test_damaged_weights_are_said(folder: Path) -> None:
    """Cut short; of another shape; and no safetensors at all."""
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    for damaged, says in ((content[:-100], "damaged"), (b"\xff" * 64, "no safetensors file"), (b"", "no safetensors")):
        weights.write_bytes(damaged)
        with pytest.raises(BadInputError, match=says):
            LocalLM.load(str(folder))
    weights.write_bytes(content)
    edit(folder / "config.json", hidden_size=64)
    with pytest.raises(BadInputError, match="damaged or of another shape"):
        LocalLM.load(str(folder))


def test_weights_that_are_missing_are_not_made_up(folder: Path) -> None:
    """transformers would fill a fourth layer with random numbers, and warn."""
    edit(folder / "config.json", num_hidden_layers=4)
    with pytest.raises(BadInputError, match=r"lacks weights \(model\.layers\.3\."):
        LocalLM.load(str(folder))


def test_a_model_too_big_for_the_machine_is_refused_unread(folder: Path) -> None:
    """A header that announces 10^14 numbers: 400 TB in float32."""
    header = json.dumps({"w": {"dtype": "BF16", "shape": [10**7, 10**7], "data_offsets": [0, 2 * 10**14]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(DoesNotFitError, match=r"takes about 400 TB and .* are free on cpu: take a smaller --lm"):
        LocalLM.load(str(folder), device="cpu")


def test_a_model_without_a_tokenizer_is_of_no_use(folder: Path) -> None:
    """Neither is one whose tokenizer.json is broken."""
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(BadInputError, match=r"unreadable tokenizer\.json"):
        LocalLM.load(str(folder))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(MissingExtraError, match=r"no tokenizer\.json: save its fast tokenizer"):
        LocalLM.load(str(folder))


def test_unknown_words_are_counted(tiny_lm: Callable[..., Any]) -> None:
    """ "Hello Zoë." is four tokens, two of them unknown; bytes know everything; nothing is unknown in nothing."""
    lm = tiny_lm(kind="words")
    assert lm.unknown_share("Hello Zoë.") == 0.5
    assert lm.unknown_share(" What is Kim?") == lm.unknown_share("") == 0
    assert tiny_lm(kind="bytes").unknown_share("日本語 🎉") == 0


def test_words_that_the_tokenizer_throws_away_are_unknown_too(tiny_lm: Callable[..., Any]) -> None:
    """A tokenizer that keeps letters only sees two of the three words in "Kim 日本 Leo"."""
    from tokenizers import Regex, pre_tokenizers

    lm = tiny_lm(kind="words")
    lm.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(" ?[A-Za-z]+"), "removed", invert=True)
    assert lm.unknown_share(" Kim 日本 Leo") == pytest.approx(1 / 3)


def test_the_pocket_model_refuses_foreign_text(folder: Path) -> None:
    """Above one per cent of unknown tokens; a report must not pass it for a judge of any text. Exit code 5."""
    lm = pocket(folder=folder)
    assert lm.name == "pocket"
    known = " What is Kim?" * 50  # three known words and a question mark
    assert lm.unknown_share(known + "日") < 0.01
    assert lm.sample(known + "日", 1, max_tokens=2)
    for ask in (lm.encode, lambda text: lm.sample(text, 1, max_tokens=1), lambda text: lm.logprobs(text, ["."])):
        with pytest.raises(MissingExtraError, match=r"pocket does not know .* of this text .* --lm MODEL") as caught:
            ask("The quick brown fox jumps over the lazy dog.")
        assert caught.value.exit_code == 5


def test_an_installation_without_the_pocket_model_says_so(tmp_path: Path) -> None:
    """And names the way out."""
    with pytest.raises(MissingExtraError, match=r"the pocket model is not in this installation.*--lm MODEL"):
        pocket(folder=tmp_path / "pocket")


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the pocket model is not trained yet")
def test_the_pocket_model_is_the_default() -> None:
    """By name, and without one."""
    assert tracer.lm.load().name == tracer.lm.load("pocket").name == "pocket"


def test_a_recurrent_model_is_refused() -> None:
    """Without keys and values there is nothing to suppress, and no cache to copy."""
    small = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "state_size": 4}
    model = transformers.MambaForCausalLM(transformers.MambaConfig(**small))
    if "past_key_values" in model.forward.__code__.co_varnames:
        pytest.skip("this transformers gives recurrent models a common cache")
    tokenizer = transformers.PreTrainedTokenizerFast
    with pytest.raises(MissingExtraError, match="keeps no keys and values"):
        LocalLM(model, tokenizer, name="mamba", revision="0")


def test_a_tokenizer_without_offsets_is_refused(tiny_model: Callable[..., Any]) -> None:
    """Sentences could not be found among its tokens."""
    with pytest.raises(MissingExtraError, match=r"no tokenizer\.json, so no character offsets"):
        LocalLM(tiny_model("llama"), object(), name="slow", revision="0")


def test_the_package_does_not_need_torch_until_a_model_is_loaded() -> None:
    """Then one line says what to install."""
    code = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None
import tracer.lm, tracer.lm.local, tracer.lm.offsets, tracer.lm.memory, tracer.lm.sampling, tracer.lm.checkpoint
from tracer.errors import MissingExtraError
try:
    tracer.lm.local.LocalLM.load("x")
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "A local language model needs an extra: pip install 'blametrace[lm]'\n", done.stderr
