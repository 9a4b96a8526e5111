// The panel: one step with its text, its sentences and its edges, or one edge with the words that were reused.
const PARTS = { cause: "root cause", lead: "best guess", symptom: "symptom", path: "on the path" };
const MARKS = 400; // highlighted passages per text
const AROUND = 220; // characters beside the words of an edge

function evidencePanel(run, hooks) {
  const panel = make("aside", "evidence");
  panel.id = "evidence";
  panel.setAttribute("aria-label", "Evidence");
  panel.tabIndex = -1;

  const onPath = (index) => Boolean(run.steps[index]?.part);
  const isKey = (edge) => onPath(edge.source) && onPath(edge.target);
  const pairs = (flat) => flat.flatMap((_, k) => (k % 2 ? [] : [[flat[k], flat[k + 1]]]));

  // The passages of a step that came in or went out; those on the way from cause to symptom are keys.
  function passages(index) {
    const found = [];
    for (const edge of run.touching(index)) {
      const spans = pairs(edge.target === index ? edge.to : edge.from);
      for (const [start, end] of spans) found.push({ start, end, key: isKey(edge) });
    }
    return found.sort((a, b) => b.key - a.key || a.start - b.start).slice(0, MARKS).sort((a, b) => a.start - b.start);
  }

  // Arguments count on from the content, after a line end.
  const shifted = (step, spans) => {
    const shift = (step.wide ?? step.content.length) + 1;
    return spans.map(({ start, end, key }) => ({ start: start - shift, end: end - shift, key }));
  };

  function head(title, step, ...more) {
    const wide = button("Wide", () => hooks.widen(), "quiet widen");
    wide.setAttribute("aria-pressed", String(document.body.classList.contains("wide")));
    const close = button("Close", () => hooks.close(), "quiet close");
    const tag = step?.part ? make("span", `part ${step.part}`, PARTS[step.part]) : null;
    return [make("div", "top", make("h2", "title", title), tag, make("span", "gap"), wide, close), ...more];
  }

  function words(edge) {
    const text = run.spoken(edge.target);
    const found = new Set(pairs(edge.to).map(([a, b]) => oneLine(text.slice(a, b).replace(/^["'`]+|["'`]+$/g, ""), 60)));
    const told = [...found].filter(Boolean).slice(0, 6).map((word) => `“${word}”`);
    return told.join(" · ") || edge.why;
  }

  function edgeLink(edge, end) {
    const other = run.steps[edge[end]];
    const link = make(
      "button",
      isKey(edge) ? "route" : "",
      make("b", "", `step ${other.index} · `, make("bdi", "", other.agent)),
      " ",
      tip(make("span", "how", `${edge.origin} ${edge.weight.toFixed(2)}`), `${run.origins[edge.origin]}; weight ${edge.weight.toFixed(2)} of 1`),
      make("span", "carry", words(edge)),
    );
    link.type = "button";
    link.addEventListener("click", () => hooks.edge(edge));
    return make("li", "", link);
  }

  const list = (title, edges, end) => (edges.length ? section(title, make("ul", "links", edges.map((edge) => edgeLink(edge, end)))) : null);

  function why(candidate) {
    const rows = candidate.tiers.map((tier) =>
      make("li", tier.asked ? "tier" : "tier unasked", make("b", "", tier.name), make("ul", "", tier.lines.map((line) => make("li", "", line)))),
    );
    const title = make("h2", "", "Why it is a candidate: ", tip(make("span", "odds", candidate.figure), candidate.about));
    return make("section", "", title, make("ul", "tiers", rows));
  }

  function reasoning(step, sentence) {
    const view = run.anchors[step.index];
    if (view) return make("section", "inside", make("h2", "", "Reasoning, sentence by sentence"), anchorsView(step, view, sentence));
    if (step.hidden) return section("Reasoning", make("p", "meta", "Present in the log, but encrypted or hidden by its provider."));
    if (!step.reasoning) return null;
    const ask = make("p", "meta ask", "Which of its sentences mattered? ", make("code", "", `tracer anchors ${run.id}:${step.index} --method resample`));
    return make("section", "", make("h2", "", "Reasoning"), ...textBlock(step.reasoning, { cut: step.cuts.reasoning }), ask);
  }

  function show(index, sentence) {
    const step = run.steps[index];
    const candidate = run.candidates.find((each) => each.step === index);
    const spans = passages(index);
    const heavy = (a, b) => b.weight - a.weight;
    const call = step.tool || step.arguments;
    const about = make("div", "about", make("bdi", "", step.agent), make("p", "meta", step.facts.join(" · ")));
    panel.replaceChildren(
      ...head(`Step ${index}`, step, about),
      ...[
        candidate && why(candidate),
        step.outcome && section("How the tool call ended", make("p", "", step.outcome)),
        step.content && section("Text", ...textBlock(step.content, { spans, cut: step.cuts.content })),
        call && section(`Call: ${step.tool}`, ...textBlock(step.arguments, { spans: shifted(step, spans), className: "code", cut: step.cuts.arguments })),
        reasoning(step, sentence),
        list("Came from", run.touching(index).filter((edge) => edge.target === index).sort(heavy), "source"),
        list("Went into", run.touching(index).filter((edge) => edge.source === index).sort(heavy), "target"),
      ].filter(Boolean),
    );
    panel.scrollTop = 0;
    if (sentence !== null && sentence !== undefined) panel.querySelector(".chosen")?.scrollIntoView({ block: "center" });
  }

  // One end of an edge: the words themselves, with what stands around them.
  function end(title, index, flat) {
    const step = run.steps[index];
    const text = run.spoken(index);
    const spans = pairs(flat).sort((a, b) => a[0] - b[0]);
    const from = Math.max(0, (spans[0]?.[0] ?? 0) - AROUND);
    const to = Math.min(text.length, from + AROUND * 2 + Math.min(2000, (spans.at(-1)?.[1] ?? 0) - from));
    const inside = spans.map(([start, stop]) => ({ start: start - from, end: stop - from, key: true }));
    const link = make("a", "", `step ${index} · `, make("bdi", "", step.agent));
    link.href = `#step=${index}`;
    const pre = make("pre", "", from ? "… " : "", marked(text.slice(from, to), inside), to < text.length ? " …" : "");
    pre.dir = "auto";
    return make("section", "end", make("h2", "", `${title} `, link), text ? pre : make("p", "meta", "(no text)"));
  }

  function showEdge(edge) {
    const meaning = tip(make("p", "meta", `${edge.origin}: ${run.origins[edge.origin]}; weight ${edge.weight.toFixed(2)}`), "weight: how strong the tie is, from 0 to 1; not a probability");
    const told = edge.to.length ? null : make("p", "", edge.why);
    panel.replaceChildren(
      ...head(`${edge.source} → ${edge.target}`, null, meaning),
      ...[told, end("From", edge.source, edge.from), end("Into", edge.target, edge.to)].filter(Boolean),
    );
    panel.scrollTop = 0;
  }

  return { panel, show, showEdge };
}
