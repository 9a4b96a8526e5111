"""The pocket model: a Llama of under a million parameters, and the start that makes it learn look-ups in a minute.

Plain Hugging Face parts, no code of its own: biases in attention, and at the start three heads of the first layer that
look one, two and three tokens back. With w_i the rotary frequencies and d the distance, a query bias a * (1, 0) and a
key bias a * (cos(o w), sin(o w)) give the score a^2 * sum_i cos((d - o) w_i), which is largest at d = o. They stay
trainable.

Frequencies slower than one turn in SLOWEST tokens are set to zero (the "llama3" scaling with an enormous factor): those
directions of a head compare content whatever the distance, so that look-ups hold over talks of many hundred tokens.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.data.world_words import END, PAD, vocabulary
from tracer.errors import MissingExtraError

if TYPE_CHECKING:
    from transformers import LlamaConfig, LlamaForCausalLM

OFFSETS = (1, 2, 3)
SHARPNESS = 7.0
"""a in the formula above."""
SLOWEST = 64
LONGEST = 2048

SIZE: Any = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 384,
    "attention_bias": True,
    "tie_word_embeddings": True,
    "initializer_range": 0.04,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": LONGEST,
}
ROPE: Any = {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    "factor": 1e6,
    "low_freq_factor": 1.0,
    "high_freq_factor": 1.001,
    "original_max_position_embeddings": SLOWEST,
}


def config() -> LlamaConfig:
    """The model's configuration."""
    from transformers import LlamaConfig

    words = vocabulary()
    return LlamaConfig(
        **SIZE,
        rope_parameters=dict(ROPE),
        vocab_size=len(words),
        pad_token_id=words.index(PAD),
        eos_token_id=words.index(END),
        bos_token_id=None,
    )


def load(folder: Path | None = None) -> LlamaForCausalLM:
    """The shipped model, or one that training wrote to a folder, in fp32."""
    try:
        import torch
        from transformers import LlamaForCausalLM
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra("lm", "the pocket model") from error

    path = Path(str(files("tracer.data").joinpath("pocket"))) if folder is None else folder
    model: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(path, dtype=torch.float32)
    return model


def build(seed: int) -> LlamaForCausalLM:
    """A fresh model, its offset heads set; the same for the same seed."""
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    model = LlamaForCausalLM(config())
    _set_offset_heads(model)
    return model


def _set_offset_heads(model: LlamaForCausalLM) -> None:
    import torch

    attention = model.model.layers[0].self_attn
    width = attention.head_dim
    turns = model.model.rotary_emb.inv_freq  # (width / 2,)
    with torch.no_grad():
        for head, offset in enumerate(OFFSETS):
            own = slice(head * width, (head + 1) * width)
            here = torch.cat([torch.ones_like(turns), torch.zeros_like(turns)])
            there = torch.cat([torch.cos(offset * turns), torch.sin(offset * turns)])
            attention.q_proj.bias[own] = SHARPNESS * here
            attention.k_proj.bias[own] = SHARPNESS * there
            attention.q_proj.weight[own] *= 0.1
            attention.k_proj.weight[own] *= 0.1
