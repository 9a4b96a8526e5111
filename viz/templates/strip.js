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
