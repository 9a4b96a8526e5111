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
  if (told) link.append(make("span", "an-figure", valueWords(r.method, k)));
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
  if (value === null) return make("span", "an-row an-soft", k < r.first ? "Given, not written: this method does not weigh it." : method.signed ? "Not drawn: the answers before and after this stretch are alike, so the rollouts were spent elsewhere." : "This method cannot tell: nothing stands far enough behind it.");
  const words = make("b", r.kind(k), valueWords(method, k));
  const rank = r.ranked.indexOf(k);
  const place = rank < 0 ? "" : `, ${rank + 1}. of ${r.count}`;
  const along = method.signed && method.distribution[k - r.first] ? beforeAfter(method, method.distribution[k - r.first][0], method.distribution[k - r.first + 1][0], "exact", "exact") : null;
  return make("span", "an-block", make("span", "an-row", words, make("span", "an-soft", method.signed ? ` on P(forced ${method.answers[0]})${place}` : ` ${method.score}${place}`)), along);
}

function resampledNote(r, told) {
  const { method } = r;
  const kind = told.verdict === "anchor" ? (told.effect > 0 ? "towards" : "against") : ({ undecided: "undecided", overdetermined: "fixed" }[told.verdict] ?? "idle");
  const effect = make("span", "an-row", make("b", kind, effectWords(told.effect)), " ", tip(make("span", "", intervalWords(told.low, told.high)), "95 % interval of the change of P(outcome)"), " ", make("span", `an-swatch-word ${kind}`, verdictOf(kind)), tip(make("span", "an-soft", ` q ${pOf(told.q)}`), "p-value after Benjamini-Hochberg over the sentences"));
  const other = told.counterfactual;
  const counter = other ? tip(make("span", "an-row an-soft an-counter", `${effectWords(other[0])} ${intervalWords(other[1], other[2])} against rollouts that say something else there`), "counterfactual effect: only rollouts whose replacement means something else count as without it") : null;
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

const LIKENESS = "by the similarity of the sentences (cosine below or from 0.8 on): two that differ in a number only may count as alike, and their answers tell";

function alternativeLists(method, told) {
  if (!told.alternatives.length) return [];
  const different = told.alternatives.filter((each) => !each.similar);
  const similar = told.alternatives.filter((each) => each.similar);
  const block = (title, some, total) => {
    const rows = some.map((each) => alternativeRow(method, each));
    const left = total - some.reduce((sum, each) => sum + each.count, 0);
    const rest = left > 0 ? [make("span", "an-soft an-more", `and ${counted(left, "rollout")} with others`)] : [];
    return total ? [tip(make("span", "an-head", title, make("span", "an-soft", ` ${total} of ${told.n_before}`)), LIKENESS), ...rows, ...rest] : [];
  };
  return [
    make("span", "an-block an-others", ...block("Something else is written here", different, told.different)),
    make("span", "an-block an-others", ...block("The same, or much like it", similar, told.n_before - told.different)),
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
  const shares = ranked.map((k) => `${oneLine(names[k], 40)} (${each.answers[k]}×)`);
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
  const rows = byTrust(r.view.methods).flatMap((at) => {
    const method = r.view.methods[at];
    if (method === r.method || method.values[k] === null) return [];
    const other = methodReading({ ...r.state, at });
    const rank = other.ranked.indexOf(k);
    return [make("span", "an-other", make("span", "an-times", valueWords(method, k)), make("span", "an-words", methodTitle(method), make("span", "an-soft", rank < 0 ? "" : `, ${rank + 1}. of ${other.count}`)))];
  });
  return rows.length ? make("span", "an-block", make("span", "an-head", "By the other methods"), ...rows) : null;
}
