// The anchors view: the reasoning of one step as text, each sentence tinted by what the outcome owes to it. Above it the
// same over position, beside it what else would have been written; one tab per method, and all of them side by side.
const ANCHOR_METHODS = {
  __proto__: null,
  resample: { name: "Resampling", asks: "Write the rest anew, many times, from before and from after each sentence: how far does the chance of the outcome move?" },
  forced: { name: "Forced answer", asks: "Force the answer before and after each sentence: how far does the outcome’s probability move? Exact, nothing is drawn." },
  suppress: { name: "Suppression", asks: "Hide a sentence from all that follows: how much of what later sentences rest on is gone? It has a size, but no direction.", most: "Most rests on", ends: ["What rests on it", "What it rests on"] },
  receivers: { name: "Receiver heads", asks: "How much do the attention heads that single out sentences look back at this one? It has a size, but no direction.", most: "Most looked back at:", ends: ["What looks back at it", "What it looks back at"] },
  surprisal: { name: "Surprisal", asks: "How unexpected were its words to the model? It says nothing of what became of them.", most: "Least expected:" },
};
const SENTENCE_KINDS = {
  __proto__: null,
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
  const from = link?.isConnected ? link : placeOf(state, k);
  state.chosen = k;
  state.kept = { k, top: from?.getBoundingClientRect().top ?? null, focus: state.node.contains(document.activeElement), since: performance.now() };
  state.mark(k);
  restorePlace(state);
  go({ step: state.step.index, sentence: k });
}

const placeOf = (state, k) => state.node.querySelector(`[data-at="${k}"]`);
const KEPT = 1000; // milliseconds after a choice within which the view may come back

function restorePlace(state) {
  const kept = state.kept;
  if (!kept || performance.now() - kept.since > KEPT) return;
  requestAnimationFrame(() => {
    const link = placeOf(state, kept.k);
    if (!link) return;
    if (kept.focus && !state.node.contains(document.activeElement)) link.focus({ preventScroll: true });
    const parent = scrollParent(link);
    const box = parent === document.scrollingElement ? { top: 0, bottom: innerHeight } : parent.getBoundingClientRect();
    if (kept.top === null || kept.top < box.top || kept.top > box.bottom - 60) link.scrollIntoView({ block: "center" });
    else parent.scrollTop += link.getBoundingClientRect().top - kept.top;
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
  const tabs = choices.map((at, k) => {
    const tab = button(at === SIDE ? "Side by side" : methodTitle(methods[at]), () => show(at), "an-tab");
    tab.id = `${body.id}-${k}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", body.id);
    return at === SIDE ? tab : tip(tab, methods[at].score);
  });
  const show = (at) => {
    state.at = at;
    body.setAttribute("aria-labelledby", tabs[choices.indexOf(at)].id);
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
const effectWords = (value) => (Math.abs(value) < 0.005 ? "0.00" : signed(value));
const valueWords = (method, k) => (method.signed ? effectWords : threeDigits)(method.values[k]);
const twoDigits = (value) => value.toFixed(2);
const intervalWords = (low, high) => `[${effectWords(low)}, ${effectWords(high)}]`;
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
  if (told) return `${verdictOf(r.kind(k))}: ${effectWords(value)} ${intervalWords(told.low, told.high)} on P(outcome), q ${pOf(told.q)}\nP ${twoDigits(told.before)} → ${twoDigits(told.after)}, from ${told.n_before} and ${told.n_after} rollouts`;
  if (method.signed) return `${verdictOf(r.kind(k))}: ${effectWords(value)} on the outcome’s probability when it is forced; exact, so without an interval`;
  return `${threeDigits(value)}: ${method.score}`;
}

function sentenceRef(r, k) {
  const link = make("a", "an-ref", String(k));
  link.href = address({ ...route(), step: r.step.index, sentence: k });
  link.addEventListener("click", (event) => {
    event.preventDefault();
    r.state.pick(k, null);
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
  if (k === undefined) {
    const open = method.resampled.filter((each) => each?.verdict === "undecided").length;
    const more = open ? make("small", "an-soft", `${open} of ${r.count} are undecided: more rollouts would tell.`) : null;
    return make("p", "an-lead", method.signed ? "No sentence moves the outcome for certain." : "No sentence stands out.", more);
  }
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
  const strip = method.values.slice(r.first).some((value) => value !== null) ? importanceStrip(r) : null;
  state.mark = (k) => {
    strip?.mark(k);
    reader.mark(k);
    anchorRepaint();
  };
  const asks = make("p", "an-asks", ANCHOR_METHODS[method.method]?.asks ?? method.score);
  const legends = make("div", "an-legends", classLegend(r), kindSwitch(r));
  return [asks, methodHeadline(r), strip?.node, legends, reader.node, ...sentenceToSentence(r), ...receiverHeads(method), ...smallPrint(method)].filter(Boolean);
}

function classLegend(r) {
  const counts = new Map();
  for (let k = r.first; k < r.first + r.count; k += 1) if (r.method.values[k] !== null) counts.set(r.kind(k), (counts.get(r.kind(k)) ?? 0) + 1);
  const found = Object.keys(SENTENCE_CLASSES).filter((name) => counts.has(name));
  const items = found.map((name) => tip(make("li", "", make("span", `an-swatch-word ${name}`, verdictOf(name)), ` ${counts.get(name)}`), SENTENCE_CLASSES[name][1]));
  return make("ul", "an-classes", items);
}

function kindChip(kind) {
  const [letter, words] = Object.hasOwn(SENTENCE_KINDS, kind) ? SENTENCE_KINDS[kind] : ["?", "unknown"];
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

function receiverHeads(method) {
  const some = method.heads.filter((each) => each.heads.length);
  if (!some.length) return [];
  const rows = some.flatMap(({ gap, heads }) => heads.map(([layerAt, head, kurtosis]) => make("tr", "", make("td", "", String(layerAt)), make("td", "", String(head)), tip(make("td", "", kurtosis.toFixed(2)), "excess kurtosis of the attention that the head pays to each sentence: high where it singles out few; from 3 on it is a receiver head"), make("td", "", `${gap} sentences on`))));
  const head = make("tr", "", ["layer", "head", "kurtosis", "looking back from"].map((each) => make("th", "", each)));
  return [make("section", "", make("h2", "", "Receiver heads"), make("table", "an-figures", make("thead", "", head), make("tbody", "", rows)))];
}

function smallPrint(method) {
  const notes = method.notes.map((note) => make("p", "", oneLine(note, 300)));
  const set = method.parameters.map(([name, value]) => `${oneLine(name, 40)} ${oneLine(value, 60)}`).join(", ");
  const who = make("p", "", [`${oneLine(method.model, 80)} ${oneLine(method.revision, 12)}`, ...method.facts, set].filter(Boolean).join(" · "));
  return [make("footer", "an-small-print", ...notes, who)];
}
