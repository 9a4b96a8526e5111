"""Fixtures that every test module may use."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tracer.lm.local import LocalLM

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Demo(NamedTuple):
    """What `tracer demo` left behind."""

    folder: Path
    out: str
    err: str


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, once for all who look at it."""
    from tracer.cli import main

    folder, out, err = tmp_path_factory.mktemp("demo") / "here", io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["demo", "--folder", str(folder)]) == 0
    return Demo(folder, out.getvalue(), err.getvalue())


TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {}),
    "qwen2": ("Qwen2Config", {}),
    "qwen3": ("Qwen3Config", {}),
    "mixtral": ("MixtralConfig", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2_moe": (
        "Qwen2MoeConfig",
        {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 16,
        },
    ),
    "gpt_neox": ("GPTNeoXConfig", {}),
    "gpt_oss": (
        "GptOssConfig",
        {"num_local_experts": 4, "num_experts_per_tok": 2, "layer_types": ["full_attention"] * 3},
    ),
    "gpt_oss_sliding": (
        "GptOssConfig",
        {
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "sliding_window": 6,
        },
    ),
    "gemma2": ("Gemma2Config", {"sliding_window": 6, "query_pre_attn_scalar": 8}),
    "gemma3": (
        "Gemma3TextConfig",
        {
            "sliding_window": 6,
            "query_pre_attn_scalar": 8,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    "mistral": ("MistralConfig", {"sliding_window": 6}),
}
"""Families of causal LMs and what is special about each; windows are shorter than any text that a test feeds them."""

COMMON: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,  # large, so that the distributions are far from uniform
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
}

TinyModel = Callable[..., Any]


class Result(NamedTuple):
    """What a call of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`call("blame", "--json")`: the command line in this process, in a folder and on a database of the test's own."""
    from tracer.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACER_DB", str(tmp_path / "t.duckdb"))

    def run(*arguments: object) -> Result:
        return Result(main([str(argument) for argument in arguments]), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real logs and labelled runs, which are not part of the repository."""
    folder = os.environ.get("TRACER_REAL_LOGS")
    if not folder:
        pytest.skip("TRACER_REAL_LOGS is unset: no real logs to read")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_model() -> TinyModel:
    """`tiny_model(family, seed=0, **config)`: a random causal LM of a family of TINY, the same for the same arguments.

    Three layers, 32 wide, four heads, 96 tokens of which 0 to 2 are pad, begin and end; float32, on the CPU.
    """
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.set_num_threads(1)

    def build(family: str, seed: int = 0, **config: Any) -> Any:
        name, special = TINY[family]
        common = COMMON
        if family == "gpt_neox":  # no grouped heads, and it derives the heads' width
            common = {key: value for key, value in COMMON.items() if key not in {"num_key_value_heads", "head_dim"}}
        if family == "gemma3":  # two rotary bases, one per kind of layer
            common = {key: value for key, value in COMMON.items() if key != "rope_parameters"}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            settings = deepcopy({**common, **special, **config})  # configs write into what they are given
            made = transformers.AutoModelForCausalLM.from_config(getattr(transformers, name)(**settings))
        return made.eval().requires_grad_(False)

    return build


CORPUS = "Hello world. The end is near. 3.14 and x = y + 4, then we check it. Kim: Leo +4. What is Kim? "
WORDS = r" ?[A-Z][a-z]+:| ?[A-Z]?[a-z]+| ?[+-]?\d+|\s|[^\w\s]|\w"
"""A word with the blank before it, a name with its colon, a number with its sign, or one other character."""


def _byte_level() -> Any:
    """As GPT-2's and Llama 3's: bytes, blanks inside the words, offsets that leave the blanks out; no begin token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True)])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<begin>", "<end>"]
    made.train_from_iterator(
        [CORPUS, ".\n\n  Then"] * 3,
        trainers.BpeTrainer(vocab_size=340, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    return made


def _metaspace() -> Any:
    """As Llama 2's (SentencePiece): blanks become part of the words, rare characters fall back to bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<pad>", "<begin>", "<end>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    made.train_from_iterator(
        [CORPUS] * 3, trainers.BpeTrainer(vocab_size=350, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>", special_tokens=[("<begin>", 1), ("<end>", 2)]
    )
    return made


def _word_level() -> Any:
    """As the pocket model's: one token for each word with its blank, and one for every unknown word."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), behavior="isolated")
    made.decoder = decoders.Fuse()
    special = ["<pad>", "<begin>", "<end>", "<unk>"]
    made.train_from_iterator([CORPUS], trainers.WordLevelTrainer(special_tokens=special, show_progress=False))
    return made


TOKENIZERS: dict[str, Callable[[], Any]] = {"bytes": _byte_level, "metaspace": _metaspace, "words": _word_level}


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Callable[[str], Any]:
    """`tiny_tokenizer(kind)`: a transformers tokenizer of a kind of TOKENIZERS, trained on a few words."""
    transformers = pytest.importorskip("transformers")

    def build(kind: str) -> Any:
        unknown = {} if kind == "bytes" else {"unk_token": "<unk>"}
        return transformers.PreTrainedTokenizerFast(
            tokenizer_object=TOKENIZERS[kind](), pad_token="<pad>", bos_token="<begin>", eos_token="<end>", **unknown
        )

    return build


@pytest.fixture(scope="session")
def tiny_lm(tiny_model: TinyModel, tiny_tokenizer: Callable[[str], Any]) -> Callable[..., LocalLM]:
    """`tiny_lm(family="llama", kind="words", **config)`: a random model and a tokenizer that fit each other."""

    def build(family: str = "llama", kind: str = "words", **config: Any) -> LocalLM:
        from tracer.lm.local import LocalLM

        tokenizer = tiny_tokenizer(kind)
        model = tiny_model(family, **{"vocab_size": len(tokenizer), **config})
        return LocalLM(model, tokenizer, name=f"tiny {family}", revision="0")

    return build


@pytest.fixture(scope="session")
def published() -> Any:
    """`published.context_cite(reading)`, `published.ablation(reading)`: see `published.py`."""
    nltk = pytest.importorskip("nltk", reason="context-cite is not installed")
    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
        patched.setattr(nltk, "download", lambda *_, **__: True)  # context-cite asks for it on import
        warnings.simplefilter("ignore")
        pytest.importorskip("context_cite", reason="context-cite is not installed")
        pytest.importorskip("captum", reason="captum is not installed")
        return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("published.py"))))


@pytest.fixture(name="lm")
def _lm(tiny_lm: Callable[..., LocalLM]) -> LocalLM:
    """A random model with a context of its own; what it says is noise, but it says it in the right form."""
    return tiny_lm("llama", "bytes")


@pytest.fixture(name="folder")
def _folder(lm: LocalLM, tmp_path: Path) -> Path:
    """The same model as files, as a user has one."""
    folder = tmp_path / "model"
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


class Loopback:
    """An ASGI application on a free port of this machine, in a thread."""

    def __init__(self, app: Any) -> None:
        import uvicorn

        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"

    def stop(self) -> None:
        """Hang up on everyone."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=30)


@pytest.fixture
def served() -> Iterator[Callable[[Any], str]]:
    """`served(app)`: the base URL of an ASGI application, which lives as long as the test."""
    running: list[Loopback] = []

    def start(app: Any) -> str:
        running.append(Loopback(app))
        return running[-1].url

    yield start
    for each in running:
        each.stop()


class OpenServer:
    """A model of this process behind the OpenAI routes, with all that a server may offer, but for what it ignores.

    What it is told to ignore it accepts with 200, as real servers do.
    """

    def __init__(self, lm: LocalLM, *ignores: str, window: int | None = None) -> None:
        from starlette.applications import Starlette
        from starlette.routing import Route

        self.lm, self.ignores, self.window = lm, ignores, window
        self.heard: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        routes = {"completions": self._complete, "chat/completions": self._chat}
        self.app = Starlette(
            routes=[
                Route("/v1/models", self._models),
                *(Route(f"/v1/{path}", route, methods=["POST"]) for path, route in routes.items()),
            ]
        )

    def asked(self, **having: Any) -> list[dict[str, Any]]:
        """The requests that had these fields."""
        return [each for each in self.heard if having.items() <= each.items()]

    async def _models(self, request: Any) -> Any:
        from starlette.responses import JSONResponse

        return JSONResponse({"data": [{"id": "tiny", "max_model_len": self.window}]})

    async def _complete(self, request: Any) -> Any:
        body = await self._body(request)
        prompt = self.lm.prompt(body["prompt"])
        if self.window and len(prompt) + body["max_tokens"] > self.window:
            return _refused(f"maximum context length is {self.window} tokens")
        drawn = self._drawn(prompt, body)
        choices = [self._choice(k, prompt, each, body) for k, each in enumerate(drawn)]
        usage = {"prompt_tokens": len(prompt), "completion_tokens": sum(len(each.ids) for each in drawn)}
        return _answered(choices, usage)

    async def _chat(self, request: Any) -> Any:
        body = await self._body(request)
        prompt = self.lm.prompt(" ".join(each["content"] for each in body["messages"]))
        drawn = self._drawn(prompt, body)
        texts = [self._text(prompt, each.ids) for each in drawn]
        if "response_format" in body:
            wanted = body["response_format"]["json_schema"]["schema"]["properties"]
            texts = [json.dumps({name: each["enum"][0] for name, each in wanted.items()}) for _ in texts]
        choices = [{"index": k, "message": {"content": text}, "finish_reason": "stop"} for k, text in enumerate(texts)]
        return _answered(choices, {"completion_tokens": sum(len(each.ids) for each in drawn)})

    async def _body(self, request: Any) -> dict[str, Any]:
        body = await request.json()
        self.heard.append(body)
        self.keys.append(request.headers.get("authorization"))
        return {key: value for key, value in body.items() if key not in self.ignores}

    def _drawn(self, prompt: tuple[int, ...], body: dict[str, Any]) -> list[Any]:
        from tracer.lm.sampling import Row, Rules, key

        seed = body.get("seed", len(self.heard))  # without a seed of the caller's always another one
        rows = [Row(prompt, key(seed, "", k), body.get("max_tokens", 64)) for k in range(body.get("n", 1))]
        temperature = 0.0 if body.get("top_k") == 1 else body.get("temperature", 1.0)
        stop = body.get("stop", ())
        rules = Rules(temperature, body.get("top_p", 1.0), self.lm.ends, self.lm._stops(stop))
        return self.lm.continue_rows(rows, rules)

    def _text(self, prompt: tuple[int, ...], ids: list[int]) -> str:
        return self.lm._continuation(prompt, [each for each in ids if each not in self.lm.ends])

    def _choice(self, index: int, prompt: tuple[int, ...], drawn: Any, body: dict[str, Any]) -> dict[str, Any]:
        text = self._text(prompt, drawn.ids)
        cut = min((at for each in body.get("stop", ()) if (at := text.find(each)) >= 0), default=None)
        ended = cut is not None or drawn.ids[-1] in self.lm.ends
        choice = {"index": index, "text": text[:cut], "finish_reason": "stop" if ended else "length"}
        ids = [*prompt, *drawn.ids] if body.get("echo") else drawn.ids
        if body.get("echo"):
            choice["text"] = body["prompt"] + text
        if body.get("logprobs"):
            values = [*self._scores(prompt, body["logprobs"])] if body.get("echo") else []
            values += [(value, {}) for value in drawn.logprobs]
            choice["logprobs"] = {
                "tokens": [self.lm._text([each]) for each in ids],
                "token_logprobs": [value for value, _ in values],
                "top_logprobs": [top for _, top in values],
            }
        return choice

    def _scores(self, prompt: tuple[int, ...], count: int) -> Iterator[tuple[float | None, dict[str, float]]]:
        import torch

        with torch.inference_mode():
            logits = self.lm.model(torch.tensor([prompt])).logits[0].double().log_softmax(-1)
        yield None, {}
        for place, token in enumerate(prompt[1:]):
            values, ids = logits[place].topk(count)
            named = zip([self.lm._text([each]) for each in ids.tolist()], values.tolist(), strict=True)
            yield float(logits[place, token]), dict(named)


def _answered(choices: list[dict[str, Any]], usage: dict[str, int]) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"choices": choices, "usage": usage})


def _refused(words: str) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": {"message": words}}, 400)


@pytest.fixture(scope="session")
def open_server() -> type[OpenServer]:
    """`open_server(lm, "n", "echo")`: see OpenServer; its `app` is to be `served`."""
    return OpenServer


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium; Playwright downloads none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the report is not opened in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """An open page and everything it tried to do behind our back."""

    def __init__(self, browser: Browser, width: int, height: int, scheme: Any) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page.set_default_timeout(20_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    def open(self, path: Path, fragment: str = "") -> Page:
        """Go there, and wait until the page has drawn itself."""
        self.page.goto(path.as_uri() + fragment)
        self.page.wait_for_selector("html[data-ready]", state="attached")
        return self.page


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """`window(width=1280, height=800, scheme="light")`: a fresh window, closed after the test."""
    opened: list[Visit] = []

    def build(width: int = 1280, height: int = 800, scheme: str = "light") -> Visit:
        opened.append(Visit(browser, width, height, scheme))
        return opened[-1]

    yield build
    for visit in opened:
        visit.page.close()


@pytest.fixture
def visit(window: Callable[..., Visit]) -> Visit:
    """A desktop window."""
    return window()


@pytest.fixture
def office(tmp_path: Path) -> Callable[..., Path]:
    """`office(seed, count=200, faults=True)`: a file of generated runs with two planted faults; see `planted_runs`."""
    script = runpy.run_path(str(Path(__file__).with_name("planted_runs.py")))

    def build(seed: int, count: int = 200, faults: bool = True, name: str = "office") -> Path:
        path: Path = script["write"](tmp_path / name, script["planted_runs"](seed, count, faults))
        return path

    return build


class Scripted:
    """A chat server whose answers a test writes: it shows mechanics, and no accuracy."""

    def __init__(self, reply: Callable[[dict[str, Any]], str], window: int, guided: bool) -> None:
        self.reply, self.window, self.guided = reply, window, guided
        self.bodies: list[dict[str, Any]] = []
        """Every question of a judge, in the order of arrival."""
        self.url = ""
        """As `--lm` takes it."""
        self.lm: Any = None
        """A client of it."""

    def app(self) -> Any:
        """The routes of an OpenAI-compatible server that a judge needs."""
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import JSONResponse
        from starlette.routing import Route

        async def models(_: Request) -> JSONResponse:
            return JSONResponse({"data": [{"id": "scripted", "max_model_len": self.window}]})

        async def chat(request: Request) -> JSONResponse:
            text = self.said(await request.json())
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            used = {"prompt_tokens": 7, "completion_tokens": len(text.split())}
            return JSONResponse({"choices": [choice], "usage": used})

        return Starlette(
            routes=[Route("/v1/models", models), Route("/v1/chat/completions", chat, methods=["POST"])],
        )

    def said(self, body: dict[str, Any]) -> str:
        """The answer; a probe of what the server can do is answered, and not written down."""
        asked = body.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties", {})
        if "code" in asked:
            return json.dumps({"code": asked["code"]["enum"][0]}) if self.guided else "no"
        self.bodies.append(body)
        return self.reply(body)


@pytest.fixture
def scripted(served: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scripted]]:
    """`scripted(reply, window=16384)`: a server whose answer to each request body is `reply(body)`, and its client."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("httpx2")
    from tracer.lm import load

    monkeypatch.setenv("TRACER_LM_REVISION", "r1")
    monkeypatch.setenv("TRACER_LM_PATIENCE", "0")
    opened = []

    def serve(reply: Callable[[dict[str, Any]], str], window: int = 16_384, guided: bool = True) -> Scripted:
        server = Scripted(reply, window, guided)
        server.url = f"{served(server.app())}#scripted"
        server.lm = load(server.url)
        opened.append(server.lm)
        return server

    yield serve
    for lm in opened:
        lm.close()
