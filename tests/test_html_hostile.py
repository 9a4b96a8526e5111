"""Whatever a log holds, the report only shows it: no script runs, nothing loads, no foreign element comes to be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import quote

import pytest

from tracer.analyses.agreement import compare
from tracer.cli import main
from tracer.document import Kind, document
from tracer.records import (
    Alternative,
    Anchors,
    AnchorSentence,
    Candidate,
    Edge,
    EdgeOrigin,
    Finding,
    PathStep,
    Pointer,
    Resampled,
    Run,
    Step,
    TextSpan,
)
from tracer.reported import Reported
from tracer.viz.notebook import framed
from tracer.viz.wording import run_id

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Visit = Any
"""An open page with what it asked for and complained of: see the fixture."""

SCRIPTS: Final = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>",
    "</SCRIPT ><script>window.pwned=1</script>",
    "</script\t><script>window.pwned=1</script>",
    "</script\n><script>window.pwned=1</script>",
    "</script/><script>window.pwned=1</script>",
    "</script foo='>'><script>window.pwned=1</script>",
    "</scr</script>ipt><script>window.pwned=1</script>",
    "<scr<script>ipt>window.pwned=1</scr</script>ipt>",
    "<script/x>window.pwned=1</script/x>",
    "<script\x0c>window.pwned=1</script>",
    "<script type=module>window.pwned=1</script>",
    "<script type='text/javascript'>window.pwned=1</script>",
    "<script type=application/json id=data>{}</script>",
    "<script src=data:text/javascript,window.pwned=1></script>",
    "<script src=//example.com/x.js></script>",
    "<script>window.pwned=1//",
    "<SCRIPT>window.pwned=1</SCRIPT>",
    "<script>eval('window.pwned=1')</script>",
    "';window.pwned=1;//",
    '";window.pwned=1;//',
    '"}]};window.pwned=1;//',
    "\\';window.pwned=1;//",
    '\\";window.pwned=1;//',
    "`;window.pwned=1;`",
    "*/window.pwned=1/*",
    "\nwindow.pwned=1\n",
    "})();window.pwned=1;(async()=>{",
)
_CLOSED: Final = """
style title textarea noscript template svg math select iframe xmp noembed noframes plaintext option table body html div
pre button
"""
ENDS: Final = tuple(f"</{tag}><script>window.pwned=1</script>" for tag in _CLOSED.split())
COMMENTS: Final = (
    "<!--<script>window.pwned=1</script>",
    "--><script>window.pwned=1</script>",
    "--!><script>window.pwned=1</script>",
    "<!--><script>window.pwned=1</script>-->",
    "<!---><script>window.pwned=1</script>-->",
    "<!-- --!><img src=x onerror=window.pwned=1> -->",
    "<!--[if IE]><script>window.pwned=1</script><![endif]-->",
    "<![CDATA[<script>window.pwned=1</script>]]>",
    "]]><script>window.pwned=1</script>",
    "<!DOCTYPE x [<!ENTITY e '<script>window.pwned=1</script>'>]>&e;",
    "<?xml version='1.0'?><script>window.pwned=1</script>",
    "<?php echo 1 ?><% window.pwned=1 %>",
    "<!--<script></script>--><img src=x onerror=window.pwned=1>",
)
_HANDLED: Final = """
img src=x onerror|image src=x onerror|img src=x onload|audio src=x onerror|video src=x onerror|video autoplay onplay|
video><source onerror|audio><source onerror|body onload|body onpageshow|body onhashchange|body onscroll|svg onload|
svg/onload|iframe onload|object data=x onerror|embed src=x onload|input autofocus onfocus|select autofocus onfocus|
textarea autofocus onfocus|keygen autofocus onfocus|button autofocus onfocus|a href=# autofocus onfocus|
details open ontoggle|marquee onstart|marquee loop=1 onfinish|div onpointerenter|div onpointermove|div onmouseover|
p contenteditable autofocus onfocus|x style=animation-name:x onanimationstart|x onclick|x tabindex=1 onfocusin|
dialog open onclose|link rel=stylesheet href=x onerror|style onload|meter onclick|frameset onload|
isindex type=image onerror|div popover onbeforetoggle|input type=image src=x onerror|track src=x onerror|
portal onload|script src=x onerror|canvas onpointermove|mark onpointerenter|pre onpointerenter
"""
HANDLERS: Final = tuple(f"<{element.strip()}=window.pwned=1>" for element in _HANDLED.split("|"))
BREAKOUTS: Final = (
    '"><img src=x onerror=window.pwned=1>',
    "'><img src=x onerror=window.pwned=1>",
    "><img src=x onerror=window.pwned=1>",
    "` onmouseover=window.pwned=1 x=`",
    '" onfocus=window.pwned=1 autofocus x="',
    "' onpointerenter='window.pwned=1' x='",
    '" style="position:fixed;inset:0" onpointermove="window.pwned=1',
    "x onclick=window.pwned=1 ",
    "/onload=window.pwned=1//",
    '" srcdoc="<script>parent.pwned=1</script>',
    '" href="javascript:window.pwned=1',
    '" formaction="javascript:window.pwned=1',
    '"/><svg/onload=window.pwned=1>',
    "\"'--></style></script><svg onload=window.pwned=1>",
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */onerror=window.pwned=1 )//%0D%0A"
    "</stYle/</titLe/</scRipt/--!><sVg/onload=window.pwned=1>",
)
MARKUP: Final = (
    "<svg><script>window.pwned=1</script></svg>",
    "<svg><script href=data:text/javascript,window.pwned=1 /></svg>",
    "<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>",
    "<svg><set attributeName=href to=javascript:window.pwned=1 onend=window.pwned=1 dur=1s>",
    "<svg><a xlink:href=javascript:window.pwned=1><text y=20>step 0</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg onload=window.pwned=1>'/></svg>",
    "<svg><foreignObject><iframe src=javascript:parent.pwned=1></iframe></foreignObject></svg>",
    "<svg><style><img src=x onerror=window.pwned=1></style></svg>",
    "<svg><title><img src=x onerror=window.pwned=1></title></svg>",
    "<svg><desc><![CDATA[</desc><script>window.pwned=1</script>]]></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=window.pwned=1>'>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.pwned=1>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=1 onerror=window.pwned=1>'>",
    "<math href=javascript:window.pwned=1>x</math>",
    "<math><annotation-xml encoding=text/html><script>window.pwned=1</script></annotation-xml></math>",
    "<math><maction actiontype=statusline xlink:href=javascript:window.pwned=1>x</maction></math>",
    "<noscript><p title='</noscript><img src=x onerror=window.pwned=1>'>",
    "<noembed><img title='</noembed><img src=x onerror=window.pwned=1>'>",
    "<xmp><p title='</xmp><svg/onload=window.pwned=1>'>",
    "<template><script>window.pwned=1</script></template>",
    "<template shadowrootmode=open><img src=x onerror=window.pwned=1></template>",
    "<form><math><mtext></form><form><mglyph><svg><mtext><style><path id='</style><img onerror=window.pwned=1 src>'>",
    "<select><template><img src=x onerror=window.pwned=1></template></select>",
    "<table><td><script>window.pwned=1</script></table>",
    "<p><b><p><b><p><img src=x onerror=window.pwned=1>" + "<b>" * 600,
    "<plaintext><listing><img src=x onerror=window.pwned=1>",
    "<isindex prompt=x action=javascript:window.pwned=1>",
    "<custom-element is=x onclick=window.pwned=1></custom-element>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<iframe src=javascript:parent.pwned=1></iframe>",
    "<iframe src='data:text/html,<script>parent.pwned=1</script>'></iframe>",
    "<object data=javascript:window.pwned=1></object>",
    "<object type=text/html data='data:text/html,<script>top.pwned=1</script>'></object>",
    "<embed src=javascript:window.pwned=1>",
    "<applet code=javascript:window.pwned=1></applet>",
)
LINKS: Final = (
    "javascript:window.pwned=1",
    "JaVaScRiPt:window.pwned=1",
    " javascript:window.pwned=1",
    "\x01javascript:window.pwned=1",
    "java\tscript:window.pwned=1",
    "java\nscript:window.pwned=1",
    "javascript&colon;window.pwned=1",
    "&#106;avascript:window.pwned=1",
    "javascript://%0awindow.pwned=1",
    "javascript:void(window.pwned=1)#step=1",
    "#step=1&run=javascript:window.pwned=1",
    "vbscript:window.pwned=1",
    "data:text/html,<script>opener.pwned=1</script>",
    "data:text/html;base64,PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='window.pwned=1'/>",
    "blob:null/window.pwned=1",
    "<a href=javascript:window.pwned=1>step 0</a>",
    "<a href=https://example.com/ target=_blank>step 0</a>",
    "<a ping=https://example.com/ href=#>step 0</a>",
    "[step 0](javascript:window.pwned=1)",
    "![x](https://example.com/beacon.png)",
    "https://example.com/beacon.png",
    "//example.com/beacon.png",
    "file:///etc/passwd",
)
LOADS: Final = (
    "<img src=https://example.com/beacon.png>",
    "<img srcset='https://example.com/1 1x'>",
    "<picture><source srcset=https://example.com/2></picture>",
    "<video poster=https://example.com/3 src=https://example.com/4>",
    "<audio src=https://example.com/5 autoplay>",
    "<iframe src=https://example.com/6></iframe>",
    "<link rel=stylesheet href=https://example.com/x.css>",
    "<link rel=prefetch href=https://example.com/7>",
    "<link rel=dns-prefetch href=//example.com>",
    "<link rel=manifest href=https://example.com/8>",
    "<base href=https://example.com/>",
    "<meta http-equiv=refresh content='0;url=https://example.com/'>",
    "<meta http-equiv=refresh content='0;url=javascript:window.pwned=1'>",
    "<meta http-equiv=Content-Security-Policy content='script-src *'>",
    "<meta charset=utf-7>",
    "<form action=https://example.com/><input autofocus onfocus=window.pwned=1></form>",
    "<form action=javascript:window.pwned=1><button type=submit>Wide</button></form>",
    "<button formaction=javascript:window.pwned=1>Close</button>",
    "<table background=https://example.com/9>",
    "<svg><image href=https://example.com/10 /></svg>",
    "<svg><feImage href=https://example.com/11 /></svg>",
    "<html manifest=https://example.com/12>",
)
STYLES: Final = (
    "<style>@import 'https://example.com/x.css'; *{display:none}</style>",
    "<style>*{background:url(https://example.com/13)}</style>",
    "<div style='background:url(https://example.com/14)'>",
    "<div style='position:fixed;inset:0;z-index:99'>",
    "}*{display:none}",
    "*/ } body { background: url(https://example.com/15) } /*",
    "red;background:url(https://example.com/16)",
    "url(javascript:window.pwned=1)",
    "expression(window.pwned=1)",
    "-moz-binding:url(https://example.com/17)",
    "var(--accent);color:red",
    "100%;width:9999px",
    "@font-face{font-family:x;src:url(https://example.com/18)}",
    "\\3c style\\3e",
)
TEMPLATES: Final = (
    "{{ 7 * 7 }}{% for x in [1] %}{{ self.__init__ }}{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% raw %}{{ script }}{% endraw %}{# x #}",
    "{{ data | safe }}</script>",
    "${window.pwned=1}#{window.pwned=1}<%= window.pwned=1 %>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "[[${7*7}]]{{{window.pwned=1}}}",
    "<div v-html=window.pwned=1 ng-app ng-init=window.pwned=1 x-data x-init=window.pwned=1>",
    "%(pwned)s{pwned}%s%n{0.__class__}",
    "[bold red]x[/bold red][/x][link=javascript:window.pwned=1]y[/link]",
    "$(window.pwned=1)`window.pwned=1`",
    "'; DROP TABLE runs; --",
)
KEYS: Final = (
    "__proto__",
    "constructor",
    "prototype",
    "__defineGetter__",
    "__lookupSetter__",
    "hasOwnProperty",
    "toString",
    "valueOf",
    "toJSON",
    "then",
    "length",
    "undefined",
    "NaN",
    "-0",
    '{"__proto__": {"pwned": 1}}',
    '{"constructor": {"prototype": {"pwned": 1}}}',
    '[{"__proto__": [1]}]',
    "__proto__[pwned]=1",
    "constructor.prototype.pwned",
    "a.__proto__.pwned",
)
NAMES: Final = (
    "<input id=data><input id=evidence><input id=search>",
    "<form id=document name=body><input name=getElementById></form>",
    "<img name=cookie id=location>",
    "<a id=held></a><a id=held name=contents href=javascript:window.pwned=1></a>",
    "<form id=hovered><output id=parentNode></form>",
    "<script id=data type=application/json>{'contents':{}}</script>",
    "data",
    "page",
    "evidence",
    "tip",
    "body",
    "forms",
    "defaultView",
    "currentScript",
)
ENCODED: Final = (
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "&#60;script&#62;window.pwned=1&#60;/script&#62;",
    "&#x3C;img src=x onerror=window.pwned=1&#x3E;",
    "&LT;script&GT;window.pwned=1&LT;/script&GT;",
    "\\u003cscript\\u003ewindow.pwned=1\\u003c/script\\u003e",
    "\\x3cscript\\x3ewindow.pwned=1\\x3c/script\\x3e",
    "%3Cscript%3Ewindow.pwned=1%3C/script%3E",
    "%253Cscript%253Ewindow.pwned=1%253C/script%253E",
    "+ADw-script+AD4-window.pwned=1+ADw-/script+AD4-",
    "\xbcscript\xbewindow.pwned=1\xbc/script\xbe",
    "\uff1cscript\uff1ewindow.pwned=1\uff1c/script\uff1e",
    "\u2039script\u203awindow.pwned=1\u2039/script\u203a",
    "<\u0073cript>window.pwned=1</\u017fcript>",
    "PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg==",
    "\x1b$B<script>window.pwned=1</script>\x1b(B",
    "\ufeff<script>window.pwned=1</script>",
)
CHARACTERS: Final = (
    "<script>window.pwned=1</script>\u2028\u2029",
    "\u2028window.pwned=1\u2029",
    "//\u2028window.pwned=1",
    "\x00<script>window.pwned=1</script>\x1b[2J\x07",
    "<scr\x00ipt>window.pwned=1</script>",
    "<img\x00 src=x onerror=window.pwned=1>",
    "<img src=x\x0aonerror\x0b=\x0cwindow.pwned=1>",
    "\u202e<script>window.pwned=1</script>\u2066",
    "\u202egnp.exe\u202c \u2067abc\u2069 \u200f",
    "\ud800<script>window.pwned=1</script>",
    "<script>window.pwned=1</script>\udc00",
    "\ud83d",
    "\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;aGk=\x07\x9b31m\x85",
    "\ufffe\uffff\ufdd0",
    "Z" + "\u0300" * 300,
    "\U000e0001\U000e0041\u200b\u200d\u2060",
    "𝕊𝕔𝕣𝕚𝕡𝕥 🐋🏳️‍🌈",
    "   \n\t\r\n   ",
    "",
)
LONG: Final = ("W" * 3_000, "<script>" * 3_000, "<img src=x onerror=window.pwned=1>" * 600)
ATTACKS: Final = (
    *SCRIPTS, *ENDS, *COMMENTS, *HANDLERS, *BREAKOUTS, *MARKUP, *LINKS, *LOADS, *STYLES, *TEMPLATES, *KEYS, *NAMES,
    *ENCODED, *CHARACTERS, *LONG,
)  # fmt: skip
_TAGS: Final = """
html head meta title style body noscript script div span p b i em strong small a bdi button label input output select
option h1 h2 h3 header main aside nav section ol ul li dl dt dd details summary dialog pre code kbd mark figure
figcaption table caption colgroup col thead tbody tr th td footer sup sub canvas svg g path line polyline polygon rect
circle text tspan
"""
TAGS: Final = frozenset(_TAGS.split())
"""What the page makes. Nothing here loads, navigates or runs but the two scripts, which are counted."""
_ATTRIBUTES: Final = """
class id href dir role tabindex hidden open type value placeholder autocomplete spellcheck checked selected disabled for
scope colspan rowspan title lang charset name content http-equiv width height style d x y x1 x2 y1 y2 cx cy r rx ry
points viewBox transform preserveAspectRatio text-anchor dominant-baseline
"""
ATTRIBUTES: Final = frozenset(_ATTRIBUTES.split())
"""What they carry, beside aria-* and data-*. `style` is what the style sheet's object model leaves; see STYLE."""
STYLE: Final = re.compile(
    r"(?:(?:--[a-z-]+|left|right|top|bottom|width|height|color|background(?:-color)?|transform|opacity|order|"
    r"aspect-ratio|(?:min|max)-(?:width|height)|(?:grid|flex)-[a-z-]+): "
    r"(?!.*(?:url|image|expression|//))[\w #%().,+*/-]*; ?)*"
)
WATCH: Final = """
(() => {
  const own = (thing) => Object.getOwnPropertyNames(thing).sort().join();
  const kinds = [Object, Array, String, Function, Map, Promise, Node, Element].map((kind) => kind.prototype);
  const seen = { tags: new Set(), names: new Set(), values: {}, scripts: new Set() };
  const keep = (name, value) => (seen.values[name] ??= new Set()).add(value);
  const attribute = (node, name) => {
    seen.names.add(name);
    const value = node.getAttribute(name);
    if (value !== null && ["class", "id", "href"].includes(name)) keep(name, value);
    if (name === "style") keep(name, value.replace(/[\\d.]+/g, "1"));
  };
  const element = (node) => {
    seen.tags.add(node.localName);
    if (node.localName === "script") seen.scripts.add(node);
    for (const name of node.getAttributeNames()) attribute(node, name);
  };
  new MutationObserver((changes) => {
    for (const { target, attributeName, addedNodes } of changes) {
      if (attributeName) attribute(target, attributeName);
      for (const node of addedNodes) {
        if (node.nodeType !== 1) continue;
        element(node);
        node.querySelectorAll("*").forEach(element);
      }
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
  const before = { window: own(window), kinds: kinds.map(own).join("|") };
  window.report = () => {
    document.querySelectorAll("*").forEach(element);
    const { report, pwned, ...rest } = Object.getOwnPropertyDescriptors(window);
    return {
      tags: [...seen.tags], names: [...seen.names], scripts: seen.scripts.size,
      values: Object.fromEntries(Object.entries(seen.values).map(([name, values]) => [name, [...values]])),
      pwned: window.pwned ?? ({}).pwned ?? null,
      globals: Object.keys(rest).sort().join() === before.window,
      prototypes: kinds.map(own).join("|") === before.kinds,
    };
  };
})();
"""
"""Runs before the page does, and notes every element and attribute that ever comes to be."""
WALK: Final = """
async ([hashes, every]) => {
  const pass = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(0);
  });
  const at = (node, type) => node.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX: 9, clientY: 9 }));
  const all = (choice) => [...document.querySelectorAll(choice)];
  const shows = (hash) => {
    const run = /run=([^&]*)/.exec(hash)?.[1];
    const title = document.querySelector("#evidence .title")?.textContent;
    const brand = document.querySelector(".brand")?.textContent;
    return title === `Step ${/step=(\\d+)/.exec(hash)[1]}` && (!run || brand.includes(decodeURIComponent(run)));
  };
  const visit = async (hash) => {
    location.hash = hash;
    for (let tries = 0; !shows(hash); tries++) {
      if (tries > 5000) throw new Error(`not shown: ${hash}`);
      await pass();
    }
  };
  const told = new Set();
  let shown = 0;
  for (const hash of hashes) {
    await visit(hash);
    for (const link of all("#evidence .links button")) link.click();
    for (const link of all("#evidence .end a").slice(0, 1)) link.click();
    if (shown++ % every) continue;
    await visit(hash);
    for (const node of all("#evidence [role=tab], #evidence summary, #summary :is(summary, button)")) node.click();
    for (const node of all("#evidence button:not(.close)")) node.click();
    await new Promise(requestAnimationFrame);
    for (const node of all("[data-tip]")) {
      if (!told.has(node.dataset.tip)) at(node, "pointermove");
      told.add(node.dataset.tip);
    }
    for (const node of all("#page *")) at(node, "pointerenter");
  }
  return shown;
}
"""
"""Goes to every address and opens every edge there; at some also presses every button and points at everything."""


def shifted(attack: str, number: int) -> str:
    """The attack, told from the others by a number behind it: agents and runs are known by their names."""
    return f"{attack} {number}"


def attacked_steps(attack: str) -> Iterator[Step]:
    """Three steps; every text of theirs is the attack."""
    for index, kind in enumerate(("message", "tool_call", "tool_result")):
        yield Step(
            index=index,
            agent=shifted(attack, index) if index else attack,
            kind=kind,  # type: ignore[arg-type]
            role=attack,
            content=attack,
            reasoning=attack,
            reasoning_state="present",
            reasoning_origin=attack,
            recipient=attack,
            tool=attack,
            arguments=json.dumps({attack: [attack, {attack: None}]}) if index == 1 else attack,
            call_id=attack,
            tool_status="error" if index == 2 else None,
            tool_rule=attack,
            marks=("instruction",) if index == 1 else (),
            model=attack,
            raw_time=attack,
            span_id=attack,
            pointer=Pointer(file=attack, member=attack, path=attack),
        )


def attacked_edges(attack: str, steps: Sequence[Step]) -> Iterator[Edge]:
    """One of each origin; the spans reach beyond the text and into each other."""
    span = (TextSpan(start=0, end=len(attack), text=attack), TextSpan(start=1, end=9**6, text=attack))
    for target in range(1, len(steps)):
        yield Edge(source=0, target=target, origin="declared", weight=1, reason=attack)
        yield Edge(
            source=target - 1,
            target=target,
            origin="reused",
            weight=0.5,
            reason=attack,
            source_spans=span,
            target_spans=span,
        )
    yield Edge(source=0, target=2, origin="similar", weight=0.25, reason=attack)
    yield Edge(source=1, target=2, origin="measured", weight=0.75, reason=attack)


def attacked_finding(attack: str, run: str, steps: Sequence[Step]) -> Finding:
    """Up to thirty candidates, all steps on the path of the first; the keys of the evidence are attacks, too."""
    path = tuple(PathStep(step=s.index, agent=s.agent, text=s.content, origin="reused") for s in steps)
    return Finding(
        run=run,
        analysis=attack,
        version=1,
        parameters={attack: attack},
        verdict="root_cause",
        verdict_reason=attack,
        method=attack,
        probability_basis=attack,
        basis_reason=attack,
        outcome="failure",
        symptom=len(steps) - 1,
        candidates=tuple(
            Candidate(
                rank=s.index + 1,
                step=s.index,
                agent=s.agent,
                probability=0.1,
                cues=(s.content,),
                path=() if s.index else path,
            )
            for s in steps[:: len(steps) // 30 + 1]
        ),
        evidence={attack: {attack: attack}, "graph": [{"step": 0, "upstream_of_symptom": True, "impact": 0.5}]},
    )


def attacked_anchors(attack: str, method: str) -> Anchors:
    """Four sentences, their alternatives, answers, model, parameters, notes and evidence, all of them the attack."""
    other = Alternative(
        text=attack, count=3, similarity=0.1, similar=False, share=0.5, answers={attack: 2, shifted(attack, 1): 1}
    )
    resampled = Resampled(
        before=0.2, after=0.8, effect=0.6, low=0.3, high=0.8, n_before=20, n_after=20, q=0.01, verdict="anchor",
        different=12, counterfactual=(0.5, 0.2, 0.7), divergences={attack: (0.1, 0.0, 0.2)},
        instead=((attack, 3, 0.5),), alternatives=(other, other.model_copy(update={"similar": True})),
        paper={attack: 0.5},
    )  # fmt: skip
    sentences = tuple(
        AnchorSentence(
            index=k, start=10 * k, end=10 * k + 9, text=attack, part="chain" if k else "prompt",
            kind=attack if k else None, weight=0.4 / k if k else None,
            resampled=resampled if k and method == "resample" else None,
        )
        for k in range(4)
    )  # fmt: skip
    link = {"source": 1, "target": 3, "effect": 0.4, "before": 0.1, "after": 0.5, "low": 0.1, "high": 0.7, "q": 0.01}
    return Anchors(
        content=attack,
        target=attack,
        method=method,
        score=attack,
        model=attack,
        revision=attack,
        parameters={attack: attack},
        sentences=sentences,
        matrix=None if method == "resample" else tuple(tuple(0.5 * (s < t) for s in range(4)) for t in range(4)),
        redundant=({"sentences": [1, 2], "target": 3, "single": 0.1, "joint": 0.5, "interaction": 0.4},),
        evidence={
            "target": attack,
            "answers": [attack, shifted(attack, 1), attack + attack],
            "distribution": [[0.5, 0.3, 0.2]] * 4,
            "mass": [0.9] * 4,
            "encoder": attack,
            "rollouts": 10,
            "sweep": {"rollouts": 99},
            "receiver_heads": {attack: [{"layer": 0, "head": 1, "kurtosis": 9.5}]},
            attack: {attack: attack},
            **({"links": [link]} if method == "resample" else {}),
        },
        notes=(attack,),
    )


def attacked_run(number: int, attack: str, task: str | None = None) -> Run:
    words = shifted(attack[:12], number)
    return Run(
        id=words, content_hash=attack, source=f"logs/{attack}", format=attack, framework=attack, task=task or attack,
        outcome="failure", outcome_source=attack, answer=attack, expected=attack, group=attack, notes=(attack, attack),
    )  # fmt: skip


def attacked(number: int, attack: str) -> Reported:
    """A run of three steps in which the one attack stands wherever a text can stand."""
    run, steps = attacked_run(number, attack), tuple(attacked_steps(attack))
    found = [attacked_anchors(attack, method) for method in ("resample", "suppress", attack or "none")]
    finding = attacked_finding(attack, run.id, steps)
    edges = tuple(attacked_edges(attack, steps))
    return Reported(run, steps, edges, finding, {1: found}, {1: compare(found)})


def attacked_by_all(number: int = 0, attacks: Sequence[str] = ATTACKS) -> Reported:
    """One long run: each step says another attack, and the run itself says all of them."""
    kinds = ("message", "tool_call", "tool_result")
    steps = [
        next(attacked_steps(attack)).model_copy(update={"index": k, "kind": kinds[k % 3]})
        for k, attack in enumerate(attacks)
    ]
    everything = "".join(attacks)
    run = attacked_run(number, everything, everything)
    edges = [
        Edge(source=k, target=k + 1, origin="similar", weight=0.5, reason=attack) for k, attack in enumerate(attacks)
    ]
    return Reported(run, steps, edges[:-1], attacked_finding(everything, run.id, steps), {}, {})


def address(found: Reported, step: int, sentence: int | None = None, *, alone: bool = False) -> str:
    run = "" if alone else f"run={quote(run_id(found.run), safe='')}&"
    return f"#{run}step={step}" + ("" if sentence is None else f"&sentence={sentence}")


def written(folder: Path, found: Sequence[Reported], kind: Kind) -> Path:
    path = folder / "report.html"
    path.write_text(document(found, kind, "html"), encoding="utf-8")
    return path


@pytest.fixture(scope="module", name="runs")
def _runs() -> list[Reported]:
    """A run for each attack."""
    return [attacked(number, attack) for number, attack in enumerate(ATTACKS)]


def every_value(found: Mapping[str, Any], name: str) -> list[str]:
    return list(found["values"].get(name, []))


def watched(visit: Visit, report: Path, fragment: str = "") -> Page:
    visit.page.add_init_script(WATCH)
    page: Page = visit.open(report, fragment)
    return page


def untouched(visit: Visit, report: Path, scripts: int = 2) -> None:
    """Nothing of what is forbidden has happened since the page was opened."""
    found = visit.page.evaluate("report()")
    assert found["pwned"] is None
    assert (found["globals"], found["prototypes"]) == (True, True)
    assert set(found["tags"]) - TAGS == set()
    assert {name for name in found["names"] if not name.startswith(("aria-", "data-"))} - ATTRIBUTES == set()
    assert found["scripts"] == scripts
    assert [
        href for href in every_value(found, "href") if not re.fullmatch(r"#(?:[\w=&.~!*'()-]|%[0-9A-F]{2})*", href)
    ] == []
    assert [style for style in every_value(found, "style") if not STYLE.fullmatch(style)] == []
    assert named(found) - named_in_templates() == set()
    assert [url for url in visit.requests if url.partition("#")[0] != report.as_uri()] == []
    assert visit.complaints == []
    assert visit.page.url.partition("#")[0] == report.as_uri()
    assert len(visit.page.context.pages) == 1


def named(found: Mapping[str, Any]) -> set[str]:
    """The words of which classes and ids are made that came to be; numbers in them are the page's."""
    return {
        word
        for name in ("class", "id")
        for value in every_value(found, name)
        for word in re.split(r"[\s-]+", value)
        if word and not word.isdecimal()
    }


def named_in_templates() -> set[str]:
    """Every word of our own files: a class or an id that is not made of them is a log's."""
    texts = [path.read_text(encoding="utf-8") for path in (files("tracer.viz") / "templates").iterdir()]
    return {word for text in texts for word in re.findall(r"\w+", text)} | set(get_args(EdgeOrigin))


def test_the_attacks_are_many_and_different() -> None:
    """At least 200; some of each kind run where they are taken for markup, see the last test."""
    assert len(set(ATTACKS)) == len(ATTACKS) >= 200


def test_every_attack_in_every_field_of_a_run_is_only_text(visit: Visit, tmp_path: Path, runs: list[Reported]) -> None:
    """A run for each attack, in one list: each is opened, with its sentences and its edges, by every method."""
    report = written(tmp_path, runs, "list")
    page = watched(visit, report)
    page.evaluate("document.querySelectorAll('th button, [aria-pressed], summary').forEach((node) => node.click())")
    hashes = [address(run, 1, k % 4) for k, run in enumerate(runs)]
    assert page.evaluate(WALK, [hashes, 24]) == len(hashes)
    page.evaluate("location.hash = ''")
    page.wait_for_function("() => document.querySelector('#evidence') === null")
    untouched(visit, report)


def test_every_step_and_edge_of_a_hostile_run_is_only_text(visit: Visit, tmp_path: Path) -> None:
    """Each step says another attack, every second one; seen from afar, folded, printed, wide, and searched."""
    found = attacked_by_all(attacks=ATTACKS[::2])
    report = written(tmp_path, [found], "run")
    page = watched(visit, report)
    hashes = [address(found, step.index, alone=True) for step in found.steps]
    assert page.evaluate(WALK, [hashes, 30]) == len(hashes)
    for key in ("?", "Escape", "w", "w", "f", "f", "c", "s", "j", "k"):
        page.keyboard.press(key)
    page.evaluate("document.querySelectorAll('.tools button').forEach((node) => node.click())")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.evaluate("dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint'))")
    for attack in ATTACKS[:: len(ATTACKS) // 20]:
        page.locator("#search").fill(attack[:200].replace("\ud83d", ""))
    untouched(visit, report)


def test_two_hostile_runs_side_by_side_are_only_text(visit: Visit, tmp_path: Path) -> None:
    """The rows of the comparison, and a step of each run."""
    left, right = (attacked_by_all(number, ATTACKS[::2]) for number in (1, 2))
    changed = [step.model_copy(update={"content": f"{step.content} <b>else</b>"}) for step in right.steps]
    report = written(tmp_path, [left, right._replace(steps=changed)], "pair")
    page = watched(visit, report)
    page.evaluate("document.querySelectorAll('#page button, #page summary').forEach((node) => node.click())")
    page.evaluate("dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(WALK, [[address(left, 3), address(right, 5)], 1]) == 2
    untouched(visit, report)


def test_a_hostile_address_is_only_an_address(visit: Visit, tmp_path: Path, runs: list[Reported]) -> None:
    """What stands behind # chooses among what the page holds, and nothing else."""
    report = written(tmp_path, runs[:3], "list")
    page = watched(visit, report)
    page.evaluate(
        """async (attacks) => {
          for (const attack of attacks) for (const hash of ["", "run=", "step=0&run="]) {
            location.hash = hash + attack;
            await new Promise((done) => setTimeout(done));
          }
        }""",
        [attack[:300].encode("utf-8", "replace").decode() for attack in ATTACKS[::2]],
    )
    untouched(visit, report)


def test_attacks_are_shown_as_the_text_that_they_are(visit: Visit, tmp_path: Path) -> None:
    """Escaping hides nothing: the reader sees what the log holds, letter by letter."""
    found = attacked_by_all()
    page = visit.open(written(tmp_path, [found], "run"))
    for place in range(0, len(ATTACKS) - len(LONG), 9):
        if ATTACKS[place]:
            page.evaluate("hash => { location.hash = hash }", f"step={place}")
            page.wait_for_function("step => document.querySelector('.title').textContent === `Step ${step}`", arg=place)
            assert page.locator("#evidence pre").first.text_content() == ATTACKS[place]


@pytest.mark.parametrize(("kind", "count"), [("run", 1), ("list", len(ATTACKS)), ("pair", 2)])
def test_without_its_script_the_page_is_our_own_elements_and_text(
    browser: Browser, tmp_path: Path, runs: list[Reported], kind: Kind, count: int
) -> None:
    """The file as the browser reads it; the verdict stands there in plain lines, attacks and all."""
    report = written(tmp_path, runs[:count], kind)
    page = browser.new_page(java_script_enabled=False)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    tags = page.locator("*").evaluate_all("(nodes) => nodes.map((node) => node.localName)")
    assert set(tags) <= {"html", "head", "meta", "title", "style", "body", "div", "noscript", "script", "p", "b"}
    assert tags.count("script") == 2
    assert "<script>" in page.locator("noscript").inner_text()
    assert requests == [report.as_uri()]
    page.close()


def test_a_hostile_run_stays_in_its_frame_in_a_notebook(visit: Visit, tmp_path: Path) -> None:
    """The frame has an origin of its own: its page runs, and reaches nothing around it."""
    found = attacked_by_all()
    notebook = tmp_path / "notebook.html"
    notebook.write_text(framed(*found[:4]), encoding="utf-8")
    visit.page.add_init_script(WATCH)
    visit.page.goto(notebook.as_uri())
    frame = visit.page.frames[1]
    frame.wait_for_selector("html[data-ready]", state="attached")
    frame.evaluate("location.hash = '#step=7'")
    frame.wait_for_function("() => document.querySelector('.title').textContent === 'Step 7'")
    inside = frame.evaluate("report()")
    assert (inside["pwned"], inside["scripts"]) == (None, 2)
    assert set(inside["tags"]) - TAGS == {"base"}
    assert frame.locator("base").evaluate_all("(all) => all.map((base) => base.href)") == ["about:srcdoc"]
    assert frame.evaluate("origin") == "null"
    assert visit.page.evaluate("[window.pwned ?? null, document.querySelectorAll('*').length]") == [None, 4]
    assert visit.requests == [notebook.as_uri()]
    assert visit.complaints == []


def test_a_hostile_log_with_a_hostile_name_becomes_a_harmless_report(
    visit: Visit, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The whole way: file, database, command line, browser."""
    log = tmp_path / "'\"><img src=x onerror=window.pwned=1>.json"
    log.write_text(
        json.dumps(
            [
                {"role": "user", "name": attack, "content": attack, attack: {attack: attack}}
                for attack in ATTACKS[::2]
                if attack.isprintable() and len(attack) < 1_000
            ]
        )
    )
    db, report = tmp_path / "runs.duckdb", tmp_path / "report.html"
    assert main(["ingest", str(log), "--db", str(db)]) == 0
    assert main(["report", "--assume", "failed", "--html", str(report), "--db", str(db)]) == 0
    assert "\x1b" not in capfd.readouterr().out
    page = watched(visit, report)
    assert page.locator(".made bdi").inner_text() == log.name
    assert page.evaluate(WALK, [[f"#step={step}" for step in range(0, 100, 10)], 5]) == 10
    untouched(visit, report)


def test_what_runs_when_it_is_taken_for_markup_is_noticed(visit: Visit, tmp_path: Path) -> None:
    """The alarm works: in a page that escapes nothing, the same attacks run, load and make elements."""
    careless = tmp_path / "careless.html"
    careless.write_text("<!doctype html><body>" + "\n".join((*MARKUP[:3], *HANDLERS[:3], *LOADS[:3])), encoding="utf-8")
    visit.page.add_init_script(WATCH)
    visit.page.goto(careless.as_uri(), wait_until="commit")
    visit.page.wait_for_function("() => window.pwned === 1")
    with pytest.raises(AssertionError):
        untouched(visit, careless)
    found = visit.page.evaluate("report()")
    assert {"img", "animate"} <= set(found["tags"])
    assert "onerror" in found["names"]
    assert any("example.com" in url for url in visit.requests)
