"""A model's files on this machine: where they are, which version, how big, and whether they are a causal LM.

Nothing is downloaded and nothing in the files is run: weights are read from safetensors only, and code that comes with
a model stays unread. Each way in which a model cannot be had ends in one line.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tracer.errors import MissingExtraError

_WHOLE = 64 << 20
"""Files up to so many bytes count whole in the revision; bigger ones by samples of a megabyte."""
_SAMPLES = 64
_IDENTITY = ("*.safetensors", "config.json", "tokenizer.json")
"""What makes a folder's model: other files may change without changing a result."""


class Checkpoint(NamedTuple):
    """A folder with a model in the Hugging Face layout."""

    name: str
    folder: Path
    revision: str
    """12 hex digits: of the commit for a model from the hub, of the files otherwise."""
    config: Any
    """The transformers config."""


def find(name: str) -> Checkpoint:
    """The checkpoint of a folder, or of a Hugging Face model that was downloaded before."""
    local = Path(name).expanduser()
    is_folder = bool(name) and local.is_dir()
    folder = local if is_folder else _downloaded(name)
    config = _config(name, folder)
    if not any(folder.glob("*.safetensors")):
        raise MissingExtraError(
            f"{name} has no *.safetensors, and no other weights are read: convert it, or take another"
        )
    _require_causal(name, config)
    if is_folder:
        return Checkpoint(local.resolve().name, folder, _fingerprint(folder), config)
    return Checkpoint(name, folder, folder.name[:12], config)


def _downloaded(name: str) -> Path:
    """The folder of a model in the hub's cache; the network is never asked."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError) as error:  # not there, or a name that no model can have
        download = "" if name.startswith((".", "/", "~")) else f", or download it first: hf download {name}"
        raise MissingExtraError(
            f"no model {name!r} on this machine: give a folder with config.json and *.safetensors{download}"
        ) from error


def _config(name: str, folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        orjson.loads((folder / "config.json").read_bytes())
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, orjson.JSONDecodeError) as error:
        raise MissingExtraError(
            f"{name} has no readable config.json: give the folder of a Hugging Face model"
        ) from error
    except (ValueError, KeyError) as error:  # a kind of model that this transformers does not know, or its own code
        raise MissingExtraError(
            f"{name} is of a kind that this version of transformers cannot load without the model's own code, "
            "which is never run: take another --lm"
        ) from error


def _require_causal(name: str, config: Any) -> None:
    """Refuse encoders, sequence-to-sequence models, and checkpoints without a language-model head."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    causal = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    built = config.architectures or []
    if config.is_encoder_decoder or not causal.intersection(built):
        kind = ", ".join(built) or config.model_type
        raise MissingExtraError(f"{name} is no causal language model but {kind}: take another --lm")


def _fingerprint(folder: Path) -> str:
    """Of names, sizes and bytes: the whole of small files, and of big ones a megabyte at each of 64 places."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted({path for pattern in _IDENTITY for path in folder.glob(pattern)}):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _WHOLE:
                digest.update(file.read())
            else:
                for place in range(_SAMPLES):
                    file.seek(place * (size - (1 << 20)) // (_SAMPLES - 1))
                    digest.update(file.read(1 << 20))
    return digest.hexdigest()
