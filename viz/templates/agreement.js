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
    const told = valueWords(each.method, k);
    const size = 49 * each.strength(k) * (each.method.signed ? 1 : 2);
    const x = each.method.signed ? (value < 0 ? 50 - size : 50) : 1;
    const bar = svg("svg", { viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: each.kind(k), x, y: 2, width: Math.max(1, size), height: 8 }));
    if (each.method.signed) bar.append(svg("path", { class: "an-axis", d: "M50 0V12" }));
    return tip(make("td", "", bar, make("span", "an-number", told)), `${methodTitle(each.method)}, sentence ${k}\n${figureWords(each, k)}`);
  });
  const text = make("td", "an-text", make("bdi", "", oneLine(state.view.sentences[k].text, 160)));
  const row = make("tr", "", make("td", "", sentenceRef(r, k)), text, cells);
  row.dataset.at = k;
  return row;
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
