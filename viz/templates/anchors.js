// The anchors view: the reasoning of one step as text, each sentence tinted by what the outcome owes to it. Above it the
// same over position, beside it what else would have been written; one tab per method, and all of them side by side.
const ANCHOR_METHODS = {
  resample: { name: "Resampling", asks: "Write the rest anew, many times, from before and from after each sentence: how far does the chance of the outcome move?" },
  forced: { name: "Forced answer", asks: "Force the answer before and after each sentence: how far does the outcome’s probability move? Exact, nothing is drawn." },
  suppress: { name: "Suppression", asks: "Hide a sentence from all that follows: how much of what later sentences rest on is gone? It has a size, but no direction.", most: "Most rests on", ends: ["What rests on it", "What it rests on"] },
  receivers: { name: "Receiver heads", asks: "How much do the attention heads that single out sentences look back at this one? It has a size, but no direction.", most: "Most looked back at:", ends: ["What looks back at it", "What it looks back at"] },
  surprisal: { name: "Surprisal", asks: "How unexpected were its words to the model? It says nothing of what became of them.", most: "Least expected:" },
};
const SENTENCE_KINDS = {
  problem_setup: ["S", "setup of the problem"],
  plan_generation: ["P", "plan"],
  fact_retrieval: ["F", "fact"],
  active_computation: ["C", "computation"],
  uncertainty_management: ["U", "uncertainty"],
  result_consolidation: ["R", "result so far"],
  self_checking: ["K", "check"],
  final_answer_emission: ["A", "final answer"],
};
const SENTENCE_CLASSES = {
  towards: ["towards it", "it raises the chance of the outcome"],
  against: ["against it", "it lowers the chance of the outcome"],
  weighs: ["weighs", "the deeper the tint, the more rests on it; this method knows no direction"],
  undecided: ["undecided", "its interval is too wide to tell; more rollouts would"],
  fixed: ["always written", "the model hardly ever writes anything else here, so nothing can be told of it"],
  idle: ["no effect", "whatever it does is small: its interval lies within ±0.1, or an exact figure within ±0.05"],
  little: ["little", "less than a tenth of the largest weight"],
};
const SMALL_EFFECT = 0.05; // of a figure without an interval
const SMALL_SHARE = 0.1; // of the largest weight
const WHISKERS = 120; // sentences up to which every interval is drawn, above only those of anchors
const SIDE = "side";
const anchorsOpen = new WeakMap(); // a step's data -> its view, so that tab, toggles and scroll survive a choice
let anchorRepaint = () => {};

function anchorsView(step, view, chosen) {
  if (!anchorsOpen.has(view)) anchorsOpen.set(view, openAnchors(step, view));
  const open = anchorsOpen.get(view);
  open.choose(chosen ?? null);
  open.restore();
  return open.node;
}

function openAnchors(step, view) {
  const node = make("div", "anchors");
  if (!view.methods.length || !view.sentences.length) {
    node.append(make("p", "an-asks", "This reasoning holds no sentence."));
    return { node, choose() {}, restore() {} };
  }
  const state = { step, view, node, kinds: false, chosen: null, mark() {}, kept: null, sorted: null };
  [state.at] = byTrust(view.methods);
  const body = make("div", "an-told");
  body.id = `told-${step.index}`;
  body.setAttribute("role", "tabpanel");
  state.draw = () => {
    body.replaceChildren(...(state.at === SIDE ? sideBySide(state) : methodBody(state)));
    state.mark(state.chosen);
  };
  state.pick = (k, link) => pickSentence(state, k, link);
  const tabs = methodTabs(state, body);
  node.append(tabs.row, body);
  tabs.show(state.at);
  const choose = (k) => {
    state.chosen = k !== null && k < view.sentences.length ? k : null;
    state.mark(state.chosen);
  };
  return { node, choose, restore: () => restorePlace(state) };
}

// Choosing writes the address, and following the address may put the view back into the page: neither the place on the
// screen nor the keyboard's focus may be lost by that.
function pickSentence(state, k, link) {
  const top = (link?.isConnected ? link : state.node.querySelector(`.sentence[data-at="${k}"]`))?.getBoundingClientRect().top ?? null;
  state.chosen = k;
  state.mark(k);
  state.kept = { k, top, focus: state.node.contains(document.activeElement) };
  restorePlace(state);
  go({ step: state.step.index, sentence: k });
}

function restorePlace(state) {
  const kept = state.kept;
  if (!kept) return;
  requestAnimationFrame(() => {
    const link = state.node.querySelector(`.sentence[data-at="${kept.k}"]`);
    if (!link) return;
    const [top, height] = [link.getBoundingClientRect().top, innerHeight];
    if (kept.focus && !state.node.contains(document.activeElement)) link.focus({ preventScroll: true });
    if (kept.top === null) return;
    if (kept.top < 0 || kept.top > height - 60) link.scrollIntoView({ block: "center" });
    else scrollParent(link).scrollTop += top - kept.top;
  });
}

function scrollParent(node) {
  for (let at = node.parentElement; at; at = at.parentElement) {
    if (at.scrollHeight > at.clientHeight && /auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  }
  return document.scrollingElement;
}

// Which methods come first: those that intervene, the others, then those we do not know.
function byTrust(methods) {
  const order = Object.keys(ANCHOR_METHODS);
  const place = (k) => (order.includes(methods[k].method) ? order.indexOf(methods[k].method) : order.length);
  return [...methods.keys()].sort((a, b) => place(a) - place(b));
}

function methodTitle(method) {
  const known = ANCHOR_METHODS[method.method]?.name ?? oneLine(method.method, 30);
  const more = method.name.startsWith(method.method) ? method.name.slice(method.method.length).trim() : "";
  return more ? `${known} · ${more}` : known;
}

function methodTabs(state, body) {
  const { methods } = state.view;
  const choices = [...byTrust(methods), ...(methods.length > 1 ? [SIDE] : [])];
  const row = make("div", "an-tabs");
  row.setAttribute("role", "tablist");
  row.setAttribute("aria-label", "Methods");
  const tabs = choices.map((at) => {
    const tab = button(at === SIDE ? "Side by side" : methodTitle(methods[at]), () => show(at), "an-tab");
    tab.setAttribute("role", "an-tab");
    tab.setAttribute("aria-controls", body.id);
    return at === SIDE ? tab : tip(tab, methods[at].score);
  });
  const show = (at) => {
    state.at = at;
    tabs.forEach((tab, k) => {
      tab.setAttribute("aria-selected", String(choices[k] === at));
      tab.tabIndex = choices[k] === at ? 0 : -1;
    });
    state.draw();
  };
  row.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
    tabs[next].focus();
    show(choices[next]);
  });
  row.append(...tabs);
  return { row, show };
}

// What is needed to show one method: which sentences are the reasoning's, and how figures become classes and tints.
function methodReading(state) {
  const { view } = state;
  const method = view.methods[state.at];
  const first = Math.max(0, view.sentences.findIndex((each) => each.part === "chain"));
  const inside = method.values.slice(first);
  const largest = Math.max(1e-12, ...inside.map((value) => Math.abs(value ?? 0)));
  const full = method.signed ? Math.max(largest, 0.3) : largest;
  const strength = (k) => Math.min(1, Math.abs(method.values[k] ?? 0) / full);
  const kind = (k) => {
    const told = method.resampled[k];
    const value = method.values[k];
    if (told && told.verdict !== "anchor") return { undecided: "undecided", overdetermined: "fixed" }[told.verdict] ?? "idle";
    if (method.signed) return !told && Math.abs(value ?? 0) < SMALL_EFFECT ? "idle" : value > 0 ? "towards" : "against";
    return strength(k) < SMALL_SHARE ? "little" : "weighs";
  };
  const ranked = [...inside.keys()].map((k) => k + first).filter((k) => method.values[k] !== null && ["towards", "against", "weighs"].includes(kind(k)));
  ranked.sort((a, b) => sureness(method, b) - sureness(method, a));
  return { ...state, state, method, first, count: inside.length, strength, kind, ranked };
}

// By what sentences are ranked: the near end of the interval where there is one.
function sureness(method, k) {
  const told = method.resampled[k];
  return told ? Math.max(told.low, -told.high) : Math.abs(method.values[k] ?? 0);
}

const threeDigits = (value) => (value === 0 ? "0" : value < 0.0005 ? "<0.001" : value < 1 ? value.toFixed(3) : String(Number(value.toPrecision(3))));
const twoDigits = (value) => value.toFixed(2);
const intervalWords = (low, high) => `[${signed(low)}, ${signed(high)}]`;
const verdictOf = (kind) => SENTENCE_CLASSES[kind][0];
const pOf = (q) => (q < 0.001 ? "<0.001" : q.toFixed(3));

function answerNames(method) {
  return [...method.answers, "any other answer"];
}

function outcomeName(method) {
  return make("bdi", "an-outcome", method.answers.length ? `“${oneLine(method.answers[0], 40)}”` : "the outcome");
}

// All figures of one sentence in words: what a tooltip says, and what a screen reader is told.
function figureWords(r, k) {
  const { method } = r;
  const told = method.resampled[k];
  const value = method.values[k];
  if (value === null) return "no figure by this method";
  if (told) return `${verdictOf(r.kind(k))}: ${signed(value)} ${intervalWords(told.low, told.high)} on P(outcome), q ${pOf(told.q)}\nP ${twoDigits(told.before)} → ${twoDigits(told.after)}, from ${told.n_before} and ${told.n_after} rollouts`;
  if (method.signed) return `${verdictOf(r.kind(k))}: ${signed(value)} on the outcome’s probability when it is forced; exact, so without an interval`;
  return `${threeDigits(value)}: ${method.score}`;
}

function sentenceRef(r, k) {
  const link = make("a", "an-ref", String(k));
  link.href = address({ ...route(), step: r.step.index, sentence: k });
  link.addEventListener("click", (event) => {
    event.preventDefault();
    r.state.pick(k, null);
    r.state.node.querySelector(`.sentence[data-at="${k}"]`)?.scrollIntoView({ block: "center" });
  });
  return tip(link, oneLine(r.view.sentences[k].text, 200));
}

function listedRefs(r, some) {
  return some.flatMap((k, place) => [place === 0 ? "" : place === some.length - 1 ? " and " : ", ", sentenceRef(r, k)]);
}

function methodHeadline(r) {
  const { method, ranked } = r;
  const [k] = ranked;
  const told = k === undefined ? null : method.resampled[k];
  if (k === undefined) return make("p", "an-lead", method.signed ? "No sentence moves the outcome for certain." : "No sentence stands out.");
  if (told) {
    const verb = told.effect > 0 ? " turned it." : " worked against it most.";
    const moved = make("b", told.effect > 0 ? "towards" : "against", `${percent(told.before)} → ${percent(told.after)}`);
    const sure = make("span", "an-soft", ` ${signed(told.effect)} ${intervalWords(told.low, told.high)}`);
    return make("p", `an-lead ${r.kind(k)}`, "Sentence ", sentenceRef(r, k), verb, quoted(r, k), make("small", "", "Chance of ", outcomeName(method), " ", tip(moved, figureWords(r, k)), sure));
  }
  if (method.signed) {
    const moved = make("b", r.kind(k), signed(method.values[k]));
    return make("p", `an-lead ${r.kind(k)}`, "Sentence ", sentenceRef(r, k), " moves it most.", quoted(r, k), make("small", "", "Probability of a forced ", outcomeName(method), " ", tip(moved, figureWords(r, k))));
  }
  const most = ranked.slice(0, 3);
  const opening = ANCHOR_METHODS[method.method]?.most ?? "Most weight:";
  return make("p", "an-lead", `${opening} sentence${most.length > 1 ? "s" : ""} `, ...listedRefs(r, most), ".");
}

function quoted(r, k) {
  return make("small", "an-quote", "“", make("bdi", "", oneLine(r.view.sentences[k].text, 160)), "”");
}

function methodBody(state) {
  const r = methodReading(state);
  const { method } = r;
  const reader = sentenceText(r);
  const strip = importanceStrip(r);
  state.mark = (k) => {
    strip.mark(k);
    reader.mark(k);
    anchorRepaint();
  };
  const asks = make("p", "an-asks", ANCHOR_METHODS[method.method]?.asks ?? method.score);
  const legends = make("div", "an-legends", classLegend(r), kindSwitch(r));
  return [asks, methodHeadline(r), strip.node, legends, reader.node, ...sentenceToSentence(r), ...receiverHeads(method), ...smallPrint(method)].filter(Boolean);
}

function classLegend(r) {
  const counts = new Map();
  for (let k = r.first; k < r.first + r.count; k += 1) if (r.method.values[k] !== null) counts.set(r.kind(k), (counts.get(r.kind(k)) ?? 0) + 1);
  const found = Object.keys(SENTENCE_CLASSES).filter((name) => counts.has(name));
  const items = found.map((name) => tip(make("li", "", make("span", `an-swatch-word ${name}`, verdictOf(name)), ` ${counts.get(name)}`), SENTENCE_CLASSES[name][1]));
  return make("ul", "an-classes", items);
}

function kindChip(kind) {
  const [letter, words] = SENTENCE_KINDS[kind] ?? ["?", "unknown"];
  const place = Object.keys(SENTENCE_KINDS).indexOf(kind);
  return tip(make("span", `an-chip kind-${place}`, letter), `${words} (guessed)`);
}

function kindSwitch(r) {
  const inside = r.view.sentences.filter((each) => each.kind);
  if (!inside.length) return null;
  const shown = Object.keys(SENTENCE_KINDS).filter((kind) => inside.some((each) => each.kind === kind));
  const counted = (kind) => inside.filter((each) => each.kind === kind).length;
  const items = shown.map((kind) => make("li", "", kindChip(kind), ` ${SENTENCE_KINDS[kind][1]} ${counted(kind)}`));
  const toggle = button("Sentence kinds (guessed)", () => set(!r.state.kinds), "quiet");
  const set = (on) => {
    r.state.kinds = on;
    r.state.node.classList.toggle("with-kinds", on);
    toggle.setAttribute("aria-pressed", String(on));
  };
  set(r.state.kinds);
  return make("div", "an-kinds", toggle, make("ul", "", items));
}

// The reasoning as text. What a sentence does is in its tint, its underline and its figure; arrows walk along it.
function sentenceText(r) {
  const { view, method } = r;
  const links = [];
  const told = r.ranked.slice(0, method.resampled.some(Boolean) ? r.ranked.length : 3);
  const flow = (from, to) => view.sentences.slice(from, to).flatMap((each, k) => sentenceLink(r, from + k, links, told.includes(from + k)));
  const node = make("div", "an-reader");
  const prompt = make("details", "an-given", make("summary", "", `What it was given: ${counted(r.first, "sentence")}`), make("p", "an-flow", flow(0, r.first)));
  const chain = make("p", "an-flow", flow(r.first, view.sentences.length));
  node.append(...(r.first ? [prompt] : []), chain);
  node.addEventListener("click", (event) => {
    const link = event.target.closest(".sentence");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    r.state.pick(Number(link.dataset.at), link);
  });
  node.addEventListener("keydown", (event) => walkSentences(event, links));
  let note = null;
  const mark = (chosen) => {
    note?.remove();
    for (const link of node.querySelectorAll(".chosen")) {
      link.classList.remove("chosen");
      link.removeAttribute("aria-current");
    }
    const at = chosen ?? r.ranked[0] ?? null;
    links.forEach((link, k) => (link.tabIndex = k === (at ?? r.first) ? 0 : -1));
    if (at === null) return;
    if (chosen !== null) {
      links[at].classList.add("chosen");
      links[at].setAttribute("aria-current", "true");
      if (chosen < r.first) prompt.open = true;
    }
    note = sentenceNote(r, at, chosen === null);
    links[at].after(note);
  };
  return { node, mark };
}

function sentenceLink(r, k, links, told) {
  const { text, gap, cut, kind } = r.view.sentences[k];
  const core = text.trim();
  const [before, after] = [text.slice(0, text.indexOf(core)), text.slice(text.indexOf(core) + core.length)];
  const name = r.method.values[k] === null ? "idle" : r.kind(k);
  const link = make("a", `sentence ${name}`, make("sup", "", String(k)), kind ? kindChip(kind) : null, make("bdi", "", core));
  link.href = address({ ...route(), step: r.step.index, sentence: k });
  link.dataset.at = k;
  link.style.setProperty("--strength", (r.method.signed ? r.strength(k) : r.strength(k) ** 1.7).toFixed(3));
  link.setAttribute("aria-description", `sentence ${k}, ${figureWords(r, k)}`);
  if (told) link.append(make("span", "an-figure", r.method.signed ? signed(r.method.values[k]) : threeDigits(r.method.values[k])));
  links[k] = tip(link, figureWords(r, k));
  const notice = cut ? make("span", "an-cut", `(the first ${core.length.toLocaleString("en")} of ${cut.toLocaleString("en")} characters)`) : "";
  return [gap ? "\n" : "", before, link, notice, after];
}

function walkSentences(event, links) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const at = links.indexOf(document.activeElement);
  if (!step || at < 0) return;
  event.preventDefault();
  const next = links[Math.min(links.length - 1, Math.max(0, at + step))];
  next.closest("details")?.setAttribute("open", "");
  next.focus();
}

// What is known of one sentence; it stands in the text, right behind it, and in the margin where there is one.
function sentenceNote(r, k, first) {
  const { method, view } = r;
  const told = method.resampled[k];
  const { kind } = view.sentences[k];
  const title = make("div", "an-top", make("b", "", `Sentence ${k}`), kind ? make("span", "an-guess", kindChip(kind), ` ${SENTENCE_KINDS[kind]?.[1] ?? ""}, guessed`) : null);
  const parts = told ? resampledNote(r, told) : [plainFigure(r, k)];
  const note = make("span", `an-note ${first ? "an-first" : ""}`, title, ...parts, ...linkLists(r, k), otherMethods(r, k));
  note.setAttribute("role", "note");
  return note;
}

function plainFigure(r, k) {
  const { method } = r;
  const value = method.values[k];
  if (value === null) return make("span", "an-row an-soft", k < r.first ? "Given, not written: this method does not weigh it." : "This method cannot tell: nothing stands far enough behind it.");
  const words = method.signed ? make("b", r.kind(k), signed(value)) : make("b", "weighs", threeDigits(value));
  const rank = r.ranked.indexOf(k);
  const place = rank < 0 ? "" : `, ${rank + 1}. of ${r.count}`;
  const along = method.signed && method.distribution[k - r.first] ? beforeAfter(method, method.distribution[k - r.first][0], method.distribution[k - r.first + 1][0], "exact", "exact") : null;
  return make("span", "an-block", make("span", "an-row", words, make("span", "an-soft", method.signed ? ` on P(forced ${method.answers[0]})${place}` : ` ${method.score}${place}`)), along);
}

function resampledNote(r, told) {
  const { method } = r;
  const kind = told.verdict === "anchor" ? (told.effect > 0 ? "towards" : "against") : ({ undecided: "undecided", overdetermined: "fixed" }[told.verdict] ?? "idle");
  const effect = make("span", "an-row", make("b", kind, signed(told.effect)), " ", tip(make("span", "", intervalWords(told.low, told.high)), "95 % interval of the change of P(outcome)"), " ", make("span", `an-swatch-word ${kind}`, verdictOf(kind)), tip(make("span", "an-soft", ` q ${pOf(told.q)}`), "p-value after Benjamini-Hochberg over the sentences"));
  const other = told.counterfactual;
  const counter = other ? tip(make("span", "an-row an-soft", `${signed(other[0])} ${intervalWords(other[1], other[2])} against rollouts that say something else there`), "counterfactual effect: only rollouts whose replacement means something else count as without it") : null;
  return [effect, intervalBar(told), beforeAfter(method, told.before, told.after, counted(told.n_before, "rollout"), counted(told.n_after, "rollout")), counter, ...alternativeLists(method, told)].filter(Boolean);
}

// The interval on its axis from -1 to 1; the band around 0 is what counts as no effect.
function intervalBar(told) {
  const kind = told.verdict !== "anchor" ? "an-grey" : told.effect > 0 ? "towards" : "against";
  const x = (value) => 100 + 98 * Math.max(-1, Math.min(1, value));
  const picture = svg(
    "svg",
    { class: `an-interval ${kind}`, viewBox: "0 0 200 26", "aria-hidden": "true" },
    svg("rect", { class: "an-rope", x: x(-0.1), y: 1, width: x(0.1) - x(-0.1), height: 16 }),
    svg("path", { class: "an-axis", d: "M2 9H198M100 3V15" }),
    svg("path", { class: "an-whisker", d: `M${x(told.low)} 9H${x(told.high)}M${x(told.low)} 5V13M${x(told.high)} 5V13` }),
    svg("circle", { class: "an-value", cx: x(told.effect), cy: 9, r: 3.4 }),
  );
  for (const [at, label] of [[2, "−1"], [100, "0"], [198, "+1"]]) {
    const text = svg("text", { x: at, y: 25, "text-anchor": at === 2 ? "start" : at === 198 ? "end" : "middle" });
    text.append(label);
    picture.append(text);
  }
  return tip(picture, "dot: the effect; line: its 95 % interval; grey band: what counts as no effect");
}

function beforeAfter(method, before, after, nBefore, nAfter) {
  const row = (words, value, n) => {
    const bar = make("span", "an-pbar", make("span", "an-fill"));
    bar.firstChild.style.setProperty("width", `${100 * value}%`);
    return [make("span", "an-soft", words), bar, tip(make("span", "", percent(value)), `${n}`)];
  };
  const name = oneLine(method.answers[0] ?? "outcome", 24);
  return make("span", "an-pair", make("span", "an-head", "P(", make("bdi", "", name), ")"), ...row("without it", before, nBefore), ...row("with it", after, nAfter));
}

function alternativeLists(method, told) {
  if (!told.alternatives.length) return [];
  const different = told.alternatives.filter((each) => !each.similar);
  const similar = told.alternatives.filter((each) => each.similar);
  const block = (title, some, total) => {
    const rows = some.map((each) => alternativeRow(method, each));
    const left = total - some.reduce((sum, each) => sum + each.count, 0);
    const rest = left > 0 ? [make("span", "an-soft an-more", `and ${counted(left, "rollout")} with others`)] : [];
    return total ? [make("span", "an-head", title, make("span", "an-soft", ` ${total} of ${told.n_before}`)), ...rows, ...rest] : [];
  };
  return [
    make("span", "an-block an-others", ...block("Something else is written here", different, told.different)),
    make("span", "an-block an-others", ...block("The same, or nearly", similar, told.n_before - told.different)),
  ].filter((each) => each.childNodes.length);
}

function alternativeRow(method, each) {
  const names = answerNames(method);
  const total = Math.max(1, each.count);
  const bar = make("span", "an-abar", each.answers.flatMap((count, k) => {
    if (!count) return [];
    const part = make("span", `answer-${k === method.answers.length ? "rest" : k}`);
    part.style.setProperty("width", `${(100 * count) / total}%`);
    return [part];
  }));
  const ranked = [...each.answers.keys()].filter((k) => each.answers[k]).sort((a, b) => each.answers[b] - each.answers[a]);
  const shares = ranked.map((k) => `“${oneLine(names[k], 40)}” ${each.answers[k]}×`);
  tip(bar, `answers: ${shares.join(", ")}\nP(outcome) ${twoDigits(each.share)}, n ${each.count}; similarity ${each.similarity.toFixed(2)}`);
  const text = make("bdi", "", each.text || "(nothing)");
  const words = make("span", "an-ends an-soft", `→ ${shares.slice(0, 2).join(", ")}${shares.length > 2 ? ", …" : ""}`);
  return make("span", "an-other", make("span", "an-times", `${each.count}×`), make("span", "an-words", text, " ", words), bar);
}

// What a sentence leads to and rests on: links with an interval where there are some, else the largest cells.
function linkLists(r, k) {
  const { method } = r;
  const sure = method.resampled.some(Boolean); // then only links that are certain are told
  const cells = sure || !method.matrix ? method.links : matrixLinks(method.matrix, k);
  const later = cells.filter((each) => each.source === k && each.target >= r.first).slice(0, 4);
  const earlier = cells.filter((each) => each.target === k).slice(0, 4);
  const list = (title, some, end) => (some.length ? make("span", "an-block", make("span", "an-head", title), ...some.map((each) => linkRow(r, each, end))) : null);
  const group = r.method.redundant.filter((each) => each.sentences.includes(k)).slice(0, 2);
  const either = group.map((each) => make("span", "an-row an-soft", "Says the same as ", ...listedRefs(r, each.sentences.filter((other) => other !== k)), " for sentence ", sentenceRef(r, each.target), ": either suffices"));
  const words = ANCHOR_METHODS[method.method]?.ends ?? ["What is written because of it", "Because of what it is written"];
  return [list(words[0], later, "target"), list(words[1], earlier, "source"), ...either].filter(Boolean);
}

function matrixLinks(matrix, k) {
  const column = matrix.map((row, target) => ({ source: k, target, value: row[k] ?? 0 })).slice(k + 1);
  const row = matrix[k].map((value, source) => ({ source, target: k, value }));
  const rank = (some) => some.filter((each) => each.value !== 0).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 4);
  return [...rank(column), ...rank(row)];
}

function linkRow(r, each, end) {
  const value = each.low === undefined ? threeDigits(each.value) : signed(each.value);
  const figure = make("span", "an-times", value);
  tip(figure, each.low === undefined ? `${r.method.score}\nthis pair: ${value}` : `change of P(sentence ${each.target} is written): ${value} ${intervalWords(each.low, each.high)}, q ${pOf(each.q)}\n${twoDigits(each.before)} → ${twoDigits(each.after)}`);
  return make("span", "an-other", figure, make("span", "an-words", sentenceRef(r, each[end]), " ", make("bdi", "", oneLine(r.view.sentences[each[end]].text, 90))));
}

function otherMethods(r, k) {
  const rows = r.view.methods.flatMap((method, at) => {
    if (method === r.method || method.values[k] === null) return [];
    const other = methodReading({ ...r.state, at });
    const rank = other.ranked.indexOf(k);
    return [make("span", "an-other", make("span", "an-times", method.signed ? signed(method.values[k]) : threeDigits(method.values[k])), make("span", "an-words", methodTitle(method), make("span", "an-soft", rank < 0 ? "" : `, ${rank + 1}. of ${other.count}`)))];
  });
  return rows.length ? make("span", "an-block", make("span", "an-head", "By the other methods"), ...rows) : null;
}

// Importance over position, with links above and the answers below, on one axis.
function importanceStrip(r) {
  const { first, count } = r;
  const layers = make("div", "an-layers");
  const node = make("div", "an-strip", layers);
  node.setAttribute("aria-hidden", "true");
  node.style.setProperty("--columns", count);
  const arcs = linkArcs(r);
  if (arcs) layers.append(arcs.node);
  layers.append(barLayer(r), kindBand(r), ...answerLayer(r));
  const cursor = svg("rect", { class: "an-cursor", x: -1, y: 0, width: 1, height: 1 });
  const hits = svg("svg", { class: "an-hits", viewBox: `0 0 ${count} 1`, preserveAspectRatio: "none" }, cursor);
  for (let k = 0; k < count; k += 1) {
    const hit = svg("rect", { x: k, y: 0, width: 1, height: 1 });
    hit.dataset.tip = stripWords(r, first + k);
    hit.dataset.k = first + k;
    hits.append(hit);
  }
  hits.addEventListener("click", (event) => {
    const k = event.target.dataset.k;
    if (k !== undefined) r.state.pick(Number(k), null);
  });
  layers.append(hits);
  node.append(stripAxis(r), ...answerLegend(r));
  const mark = (k) => {
    cursor.setAttribute("x", k === null || k < first ? -1 : k - first);
    arcs?.mark(k);
  };
  return { node, mark };
}

function stripWords(r, k) {
  const row = r.method.distribution[k - r.first + 1];
  const names = answerNames(r.method);
  const shares = row?.map((share, a) => [share, names[a]]).filter(([share]) => share > 0.005).sort((a, b) => b[0] - a[0]).slice(0, 4);
  const answers = shares ? `\nanswers after it: ${shares.map(([share, name]) => `${oneLine(name, 30)} ${percent(share)}`).join(", ")}` : "";
  return `Sentence ${k}: “${oneLine(r.view.sentences[k].text, 120)}”\n${figureWords(r, k)}${answers}`;
}

function stripLayer(label, height, count, name) {
  const picture = svg("svg", { class: `an-${name}`, viewBox: `0 0 ${count} ${height}`, preserveAspectRatio: "none" });
  picture.style.setProperty("height", `${height}px`);
  return { picture, node: make("div", `an-layer an-${name}-layer`, make("span", `an-side${label.length > 2 ? " an-three" : ""}`, ...label), picture) };
}

function barLayer(r) {
  const { method, first, count } = r;
  const height = 84;
  const inside = [...Array(count).keys()];
  const ends = inside.flatMap((k) => {
    const told = method.resampled[first + k];
    return [method.values[first + k] ?? 0, ...(told?.verdict === "anchor" ? [told.low, told.high] : [])];
  });
  const up = Math.max(1e-9, ...ends, method.signed ? 0.1 : 0);
  const least = Math.min(0, ...inside.filter((k) => r.kind(first + k) === "against").map((k) => method.values[first + k]));
  const down = method.signed ? Math.max(0.2 * up, ...ends.map((end) => -end)) : 0;
  const y = (value) => 2 + ((height - 4) * (up - Math.max(-down, Math.min(up, value)))) / (up + down);
  const scale = [make("b", "towards", `+${up.toFixed(2)}`), make("span", "", "0"), ...(least < 0 ? [make("b", "against", `−${down.toFixed(2)}`)] : [])];
  const label = method.signed ? scale : [make("b", "", threeDigits(up)), make("span", "", "0")];
  const { picture, node } = stripLayer(label, height, count, "bars");
  node.style.setProperty("--zero", `${y(0)}px`);
  for (const k of inside) {
    const value = method.values[first + k];
    const told = method.resampled[first + k];
    if (value === null) continue;
    const [top, bottom] = [Math.min(y(value), y(0)), Math.max(y(value), y(0))];
    picture.append(svg("rect", { class: r.kind(first + k), x: k + 0.14, y: top - 0.5, width: 0.72, height: Math.max(1, bottom - top + 0.5) }));
    if (told && (count <= WHISKERS || told.verdict === "anchor")) picture.append(svg("path", { class: "an-whisker", d: `M${k + 0.5} ${y(told.low)}V${y(told.high)}` }));
  }
  picture.append(svg("path", { class: "an-axis", d: `M0 ${y(0)}H${count}` }));
  return node;
}

function kindBand(r) {
  const { picture, node } = stripLayer(["kind"], 8, r.count, "band");
  const names = Object.keys(SENTENCE_KINDS);
  for (let k = 0; k < r.count; k += 1) {
    const kind = r.view.sentences[r.first + k].kind;
    if (kind) picture.append(svg("rect", { class: `kind-${names.indexOf(kind)}`, x: k + 0.06, y: 0, width: 0.88, height: 8 }));
  }
  return node;
}

// The shares of the answers when the rest is written from each border on, stacked; where nothing is known, the nearest
// two are joined.
function answerLayer(r) {
  const { method, count } = r;
  const known = method.distribution.flatMap((row, at) => (row ? [{ at, row }] : []));
  if (known.length < 2) return [];
  const height = 56;
  const { picture, node } = stripLayer(["100 %", make("span", "", "answers"), "0"], height, count, "answers");
  const bottoms = known.map(() => 0);
  for (let a = 0; a < known[0].row.length; a += 1) {
    const tops = known.map(({ row }, k) => bottoms[k] + row[a]);
    const line = (levels) => known.map(({ at }, k) => `${at} ${(height * (1 - levels[k])).toFixed(2)}`);
    const path = `M${[...line(tops), ...line(bottoms).reverse()].join("L")}Z`;
    if (tops.some((top, k) => top > bottoms[k])) picture.append(svg("path", { class: `answer-${a === method.answers.length ? "rest" : a}`, d: path }));
    tops.forEach((top, k) => (bottoms[k] = top));
  }
  return [node];
}

function answerLegend(r) {
  const { method } = r;
  const used = answerNames(method).map((name, a) => [name, a, Math.max(0, ...method.distribution.map((row) => row?.[a] ?? 0))]);
  const items = used.filter(([, , most]) => most > 0).map(([name, a]) => make("li", "", make("span", `an-box answer-${a === method.answers.length ? "rest" : a}`), make("bdi", "", oneLine(name, 40)), a === 0 ? make("span", "an-soft", " the outcome") : null));
  return items.length ? [make("ul", "an-answer-legend", make("li", "an-soft", "Answers, from each sentence on"), items)] : [];
}

function stripAxis(r) {
  const axis = make("div", "an-axis");
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((each) => r.count / each <= 12) ?? 2000;
  for (let k = 0; k < r.count; k += 1) {
    if ((r.first + k) % step && k) continue;
    if (k && k < step / 2 && (r.first + k) % step === 0 && r.first % step) continue;
    const label = make("span", "", String(r.first + k));
    label.style.setProperty("left", `${(100 * (k + 0.5)) / r.count}%`);
    axis.append(label);
  }
  return axis;
}

function linkArcs(r) {
  const { method, first, count } = r;
  const height = 46;
  const inside = (k) => k >= first;
  const links = method.links.filter((each) => inside(each.source) && inside(each.target));
  const groups = method.redundant.map((each) => each.sentences.filter(inside)).filter((some) => some.length > 1);
  if (!links.length && !groups.length) return null;
  const { picture, node } = stripLayer([make("span", "", "links")], height, count, "arcs");
  const largest = Math.max(...links.map((each) => Math.abs(each.value)), 1e-9);
  const arc = (source, target) => {
    const [from, to] = [source - first + 0.5, target - first + 0.5];
    const top = height - 3 - (height - 6) * 1.3 * Math.sqrt((target - source) / Math.max(4, count));
    return `M${from} ${height}C${from} ${top} ${to} ${top} ${to} ${height}`;
  };
  const drawn = [...links].reverse().map((each) => {
    const share = Math.abs(each.value) / largest;
    const path = svg("path", { class: `an-arc ${each.low === undefined ? "weighs" : each.value > 0 ? "towards" : "against"}`, d: arc(each.source, each.target) });
    path.style.setProperty("--share", share.toFixed(3));
    picture.append(path);
    return { path, ends: [each.source, each.target] };
  });
  for (const some of groups) for (let k = 1; k < some.length; k += 1) picture.append(svg("path", { class: "an-arc an-either", d: arc(some[k - 1], some[k]) }));
  const mark = (k) => {
    const some = drawn.filter((each) => each.ends.includes(k));
    picture.classList.toggle("an-marked", some.length > 0);
    for (const each of drawn) each.path.classList.toggle("an-on", each.ends.includes(k));
  };
  return { node, mark };
}

// From sentence to sentence: the matrix as a picture, and the largest links as a list that says the same in words.
function sentenceToSentence(r) {
  const { method } = r;
  const held = method.matrix?.some((row) => row.some((value) => value !== 0));
  const links = method.links.slice(0, 8).map((each) => make("li", "", sentenceRef(r, each.source), " → ", sentenceRef(r, each.target), " ", tip(make("b", each.low === undefined ? "weighs" : each.value > 0 ? "towards" : "against", each.low === undefined ? threeDigits(each.value) : signed(each.value)), each.low === undefined ? method.score : `${intervalWords(each.low, each.high)}, q ${pOf(each.q)}`), " ", make("bdi", "an-soft", oneLine(r.view.sentences[each.target].text, 70))));
  const groups = method.redundant.slice(0, 5).map((each) => make("li", "", ...listedRefs(r, each.sentences), " for ", sentenceRef(r, each.target), tip(make("span", "an-soft", `: ${each.joint.toFixed(2)} together, ${each.single.toFixed(2)} at most alone`), "KL in nats when hidden together, and one by one")));
  const map = held ? matrixPicture(r) : null;
  const list = make("div", "", links.length ? [make("h3", "", "Strongest links"), make("ul", "an-pairs", links)] : [], groups.length ? [make("h3", "", "Either of these suffices"), make("ul", "an-pairs", groups)] : []);
  if (!map && !links.length && !groups.length) return [];
  return [make("section", "an-between", make("h2", "", "From sentence to sentence"), make("div", "an-halves", map, list))];
}

const HEAT_SIZE = 900; // pixels of the canvas' longer side, at least

// One canvas, whatever the number of sentences. Rows are the reasoning's sentences, columns all that stand before them.
function matrixPicture(r) {
  const { matrix } = r.method;
  const last = matrix.length - 1;
  const from = matrix.some((row) => row.slice(0, r.first).some((value) => value !== 0)) ? 0 : r.first;
  const [columns, rows] = [last + 1 - from, last + 1 - r.first];
  const cell = Math.ceil(HEAT_SIZE / columns);
  const canvas = make("canvas", "an-heat");
  [canvas.width, canvas.height] = [columns * cell, rows * cell];
  canvas.style.setProperty("aspect-ratio", String(Math.min(columns / rows, 5)));
  canvas.setAttribute("aria-hidden", "true");
  const largest = matrix.flat().reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  const minus = matrix.some((row) => row.some((value) => value < 0));
  const paint = (chosen) => paintMatrix(canvas, r, { from, columns, rows, cell, largest, chosen });
  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    const target = r.first + Math.floor((rows * (event.clientY - box.top)) / box.height);
    const source = from + Math.floor((columns * (event.clientX - box.left)) / box.width);
    return source >= from && target > source && target <= last ? [target, source] : null;
  };
  canvas.addEventListener("pointermove", (event) => {
    const found = spot(event);
    if (!found) return hideTip();
    const words = (k) => `${k}: ${oneLine(r.view.sentences[k].text, 90)}`;
    const value = matrix[found[0]][found[1]];
    return showTip(`${r.method.signed ? signed(value) : threeDigits(value)}\n${words(found[1])}\n→ ${words(found[0])}`, event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("click", (event) => {
    const found = spot(event);
    if (found) r.state.pick(found[1], null);
  });
  anchorRepaint = () => canvas.isConnected && paint(r.state.chosen);
  requestAnimationFrame(() => anchorRepaint());
  const words = r.method.signed ? "How far a sentence (column) moves the chance that a later one (row) is written." : "How much a sentence (column) weighs for a later one (row).";
  const ramp = make("span", `an-ramp${minus ? " an-both" : r.method.signed ? " an-plus" : ""}`);
  const scale = make("span", "an-scale", minus ? `−${threeDigits(largest)}` : "0", ramp, threeDigits(largest));
  const unsure = r.method.signed && !r.method.links.length ? " None of these changes is certain." : "";
  canvas.style.setProperty("--columns", columns);
  const dashed = from < r.first ? " Left of the dashes: what it was given." : "";
  return make("figure", "an-heat-map", canvas, make("figcaption", "an-soft", `${words} Columns ${from} to ${last}, rows ${r.first} to ${last}.${dashed}${unsure} `, scale));
}

// Each cell in its hue, with the square root of its share as opacity, so that small effects show, too.
function paintMatrix(canvas, r, { from, columns, rows, cell, largest, chosen }) {
  const { matrix, signed: direction } = r.method;
  const pen = canvas.getContext("2d");
  const hues = { plus: colour(direction ? "--accent" : "--weight"), minus: colour("--counter"), ink: colour("--ink"), faint: colour("--faint") };
  const box = (source, target) => [(source - from) * cell, (target - r.first) * cell, cell, cell];
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (let target = r.first; target < r.first + rows; target += 1) {
    pen.globalAlpha = 0.35;
    pen.fillStyle = hues.faint;
    pen.fillRect(...box(target, target));
    matrix[target].forEach((value, source) => {
      if (value === 0 || source < from) return;
      pen.globalAlpha = Math.sqrt(Math.abs(value) / largest);
      pen.fillStyle = value > 0 ? hues.plus : hues.minus;
      pen.fillRect(...box(source, target));
    });
  }
  pen.globalAlpha = 1;
  pen.lineWidth = canvas.width / 300;
  if (from < r.first) {
    pen.strokeStyle = hues.faint;
    pen.setLineDash([8, 8]);
    pen.strokeRect((r.first - from) * cell, -9, columns * cell, rows * cell + 18);
    pen.setLineDash([]);
  }
  if (chosen === null || chosen < from) return;
  pen.fillStyle = hues.ink;
  pen.globalAlpha = 0.12;
  pen.fillRect((chosen - from) * cell, Math.max(0, chosen - r.first + 1) * cell, cell, rows * cell);
  if (chosen >= r.first) pen.fillRect(0, (chosen - r.first) * cell, (chosen - from) * cell, cell);
}

new MutationObserver(() => anchorRepaint()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => anchorRepaint());

function receiverHeads(method) {
  const some = method.heads.filter((each) => each.heads.length);
  if (!some.length) return [];
  const rows = some.flatMap(({ gap, heads }) => heads.map(([layerAt, head, kurtosis]) => make("tr", "", make("td", "", String(layerAt)), make("td", "", String(head)), tip(make("td", "", kurtosis.toFixed(2)), "excess kurtosis of the attention that the head pays to each sentence: high where it singles out few; from 3 on it is a receiver head"), make("td", "", `${gap} sentences on`))));
  const head = make("tr", "", ["layer", "head", "kurtosis", "looking back from"].map((each) => make("th", "", each)));
  return [make("section", "", make("h2", "", "Receiver heads"), make("table", "an-figures", make("thead", "", head), make("tbody", "", rows)))];
}

function smallPrint(method) {
  const notes = method.notes.map((note) => make("p", "", note));
  const set = method.parameters.map(([name, value]) => `${oneLine(name, 40)} ${oneLine(value, 60)}`).join(", ");
  const who = make("p", "", [`${method.model} ${method.revision.slice(0, 12)}`, ...method.facts, set].filter(Boolean).join(" · "));
  return [make("footer", "an-small-print", ...notes, who)];
}

// All methods: a bar for each sentence and method, then how far their orders agree.
function sideBySide(state) {
  const { view } = state;
  const every = byTrust(view.methods).map((at) => methodReading({ ...state, at }));
  const first = every[0].first;
  const body = make("tbody", "");
  const rows = view.sentences.slice(first).map((_, k) => sideRow(state, every, first + k));
  const heads = every.map((r, m) => {
    const sort = button(methodTitle(r.method), () => order(state.sorted === m ? null : m), "an-sort");
    return make("th", "", tip(sort, `${r.method.score}\nClick to sort by it, and again for the order of the text.`));
  });
  const order = (m) => {
    state.sorted = m;
    heads.forEach((head, k) => (k === m ? head.setAttribute("aria-sort", "descending") : head.removeAttribute("aria-sort")));
    const keyed = rows.map((row, k) => [row, m === null ? -k : Math.abs(every[m].method.values[first + k] ?? -1)]);
    body.replaceChildren(...keyed.sort((a, b) => b[1] - a[1]).map(([row]) => row));
  };
  order(state.sorted);
  state.mark = (k) => rows.forEach((row, at) => row.classList.toggle("chosen", at + first === k));
  const head = make("tr", "", make("th", "", ""), make("th", "an-text", "Sentence"), heads);
  const table = make("div", "an-across", make("table", "an-side-by-side", make("thead", "", head), body));
  return [make("p", "an-asks", "The same sentences by every method. Sizes are of each method’s own largest; a bar to the left works against the outcome."), table, ...agreementView(view)];
}

function sideRow(state, every, k) {
  const r = every[0];
  const cells = every.map((each) => {
    const value = each.method.values[k];
    if (value === null) return make("td", "", make("span", "an-soft", "–"));
    const told = each.method.signed ? signed(value) : threeDigits(value);
    const size = 49 * each.strength(k) * (each.method.signed ? 1 : 2);
    const x = each.method.signed ? (value < 0 ? 50 - size : 50) : 1;
    const bar = svg("svg", { viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: each.kind(k), x, y: 2, width: Math.max(1, size), height: 8 }));
    if (each.method.signed) bar.append(svg("path", { class: "an-axis", d: "M50 0V12" }));
    return tip(make("td", "", bar, make("span", "an-number", told)), `${methodTitle(each.method)}, sentence ${k}\n${figureWords(each, k)}`);
  });
  const text = make("td", "an-text", make("bdi", "", oneLine(state.view.sentences[k].text, 160)));
  return make("tr", "", make("td", "", sentenceRef(r, k)), text, cells);
}

function agreementView(view) {
  const found = view.agreement;
  if (!found) return [];
  const titles = new Map(view.methods.map((method) => [method.name, methodTitle(method)]));
  const names = (pair) => pair.methods.map((name) => titles.get(name) ?? oneLine(name, 40)).join(" and ");
  const rho = (each) => (each.rho === null ? make("td", "an-soft", "–") : tip(make("td", "an-rho", correlationBar(each), make("span", "", `${signed(each.rho)} `), make("small", "an-soft", intervalWords(each.low, each.high))), `Spearman’s rank correlation with its 95 % interval, n ${each.n}`));
  const top = (each) => (each.overlap === null ? make("td", "an-soft", "–") : tip(make("td", "", wholePercent(each.overlap), make("small", "an-soft", ` (${wholePercent(each.chance)})`)), `shared: ${wholePercent(each.overlap)}; by chance: ${wholePercent(each.chance)}`));
  const table = (head, rows) => make("div", "an-across", make("table", "an-figures", make("thead", "", make("tr", "", head.map((each) => make("th", "", each)))), make("tbody", "", rows)));
  const pairs = table(["", "rank correlation", "top 1", "top 3", "top 5"], found.pairs.map((pair) => make("tr", "", make("td", "", names(pair)), rho(pair), ["1", "3", "5"].map((k) => top(pair.top[k])))));
  const links = found.links.length ? [make("h3", "", "Links, by how far apart the two sentences are"), table(["", "all", "under 5 apart", "5 or more"], found.links.map((pair) => make("tr", "", make("td", "", names(pair)), rho(pair.all), rho(pair.near), rho(pair.far))))] : [];
  const w = found.concordance.w;
  const all = w === null ? null : make("p", "", `All together: Kendall’s W ${twoDigits(w)} on ${counted(found.concordance.n, "sentence")} (1 is one order, ${twoDigits(found.concordance.chance)} is chance).`);
  return [make("section", "an-agreement", make("h2", "", "How far they agree"), all, make("h3", "", "Sentences: their order, and how many of the top ones are the same (in brackets: by chance)"), pairs, ...links, found.notes.map((note) => make("p", "an-soft", note)))];
}

const wholePercent = (share) => `${Math.round(100 * share)} %`;

function correlationBar(each) {
  const x = (value) => 40 + 38 * value;
  return svg(
    "svg",
    { class: "an-interval an-grey", viewBox: "0 0 80 12", "aria-hidden": "true" },
    svg("path", { class: "an-axis", d: "M2 6H78M40 1V11" }),
    svg("path", { class: "an-whisker", d: `M${x(each.low)} 6H${x(each.high)}` }),
    svg("circle", { class: "an-value", cx: x(each.rho), cy: 6, r: 3 }),
  );
}
