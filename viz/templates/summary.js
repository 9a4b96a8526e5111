// The left column: what we conclude, the candidates with their evidence, the way to the symptom, what is not claimed.
const FIRST = 5; // candidates shown before "Show all"

function stepLink(index, ...words) {
  const link = make("a", "", ...words);
  link.href = `#step=${index}`;
  return link;
}

function bar(candidate) {
  if (candidate.probability === null) return null;
  const fill = make("span", "fill");
  fill.style.setProperty("width", `${100 * candidate.probability}%`);
  const node = make("span", "bar", fill);
  if (candidate.interval) {
    const [low, high] = candidate.interval;
    const range = make("span", "range");
    range.style.setProperty("left", `${100 * low}%`);
    range.style.setProperty("width", `${100 * (high - low)}%`);
    node.append(range);
  }
  node.setAttribute("aria-hidden", "true");
  return node;
}

function candidateRow(run, candidate, place) {
  const link = stepLink(
    candidate.step,
    make("span", "rank", String(candidate.rank)),
    make("span", "name", `Step ${candidate.step}`),
    tip(make("span", "share", candidate.figure), candidate.about),
    make("bdi", "agent", candidate.agent),
    bar(candidate),
    make("span", "cues", candidate.cues),
  );
  return make("li", `${run.steps[candidate.step]?.part ?? ""}${place >= FIRST ? " rest" : ""}`, link);
}

function candidateList(run) {
  if (!run.candidates.length || run.verdict === "no_failure") return null;
  const rows = make("ol", "candidates", run.candidates.map((each, place) => candidateRow(run, each, place)));
  const all = run.candidates.length > FIRST ? button(`Show all ${run.candidates.length}`, () => (rows.classList.add("all"), all.remove())) : null;
  return make("section", "", make("h2", "", "Candidates"), rows, all);
}

function symptomNote(run) {
  const step = run.steps[run.symptom];
  if (!step || run.verdict === "no_failure") return null;
  const said = oneLine(step.content || step.arguments || step.reasoning, 150) || "(no text)";
  const { expected } = run.ended;
  return make(
    "section",
    "shows",
    make("h2", "", "Where it shows"),
    stepLink(step.index, make("b", "", `Step ${step.index} · `, make("bdi", "", step.agent)), make("span", "said", said)),
    expected ? make("p", "meta", "expected: ", make("bdi", "", oneLine(expected, 120))) : null,
  );
}

function hops(run) {
  const [first] = run.candidates;
  if (!first || run.verdict === "no_failure" || (!first.path.length && run.symptom === null)) return null;
  const rows = first.path.map((hop, place) =>
    make(
      "li",
      "",
      place ? make("span", "carried", hop.carried) : null,
      stepLink(hop.step, `step ${hop.step} · `, make("bdi", "", hop.agent)),
      hop.step === run.symptom ? make("span", "tag", " symptom") : null,
    ),
  );
  const gap = run.unreached ? make("p", "carried", run.unreached) : null;
  return section(`From step ${first.step} to the symptom`, make("ol", "hops", rows), gap);
}

function verdict(run) {
  const [first] = run.candidates;
  if (run.verdict !== "root_cause" || !first) return [make("h1", "plain", run.headline)];
  return [
    make("p", "eyebrow", "Root cause"),
    make("h1", "", stepLink(first.step, `Step ${first.step}`)),
    make("p", "who", make("bdi", "", first.agent)),
    tip(make("p", "odds", first.figure), first.about),
  ];
}

function taskNote(run) {
  if (!run.task) return null;
  const text = make("p", "", run.task);
  text.dir = "auto";
  return make("details", "task", make("summary", "", make("h2", "", "Task"), make("span", "short", oneLine(run.task, 140))), text);
}

function claimsNote(run) {
  const body = [...run.claims, ...run.notes.map((note) => `Of the log: ${note}`)].map((line) => make("p", "", line));
  return make("details", "claims", make("summary", "", "What these numbers claim, and what not"), body);
}

function summaryView(run, about, back) {
  const page = make("header", "summary");
  page.id = "summary";
  const brand = make("p", "brand", make("b", "", "tracer"), ` run ${run.id}`);
  const made = `version ${about.version} · ${about.date} · method ${run.method}${run.models.map((model) => ` · model ${model}`).join("")}`;
  page.append(
    ...[
      back,
      brand,
      make("p", "made", made, run.source ? make("span", "", " · from ", make("bdi", "", run.source)) : null),
      ...verdict(run),
      run.reason ? make("p", "reason", run.reason) : null,
      make("p", "facts", run.facts.join(" · ")),
      symptomNote(run),
      candidateList(run),
      hops(run),
      taskNote(run),
      claimsNote(run),
    ].filter(Boolean),
  );
  return page;
}
