// Two runs side by side: what both did first, where they part, and which words differ from there on.
const HOW = { same: ["=", "the same"], changed: ["≠", "changed"], left: ["←", "only here"], right: ["→", "only here"] };
const MANY = 300; // rows from which on those out of sight are not laid out
const FOLDED = 3; // as many equal steps in a row are folded, and all that both begin with but the last

function sideHead(side, place) {
  const verdict = VERDICTS[side.verdict];
  const sign = make("span", "sign", verdict[0]);
  sign.setAttribute("aria-hidden", "true");
  const found = side.step === null
    ? make("p", "side-verdict", sign, verdict[1])
    : make("p", "side-verdict", sign, `${verdict[1]}: `, runLink({ run: side.run, step: side.step }, "", `step ${side.step} · `, make("bdi", "", side.agent)), " ", tip(make("span", "side-share", side.figure), side.about));
  return make(
    "section",
    `side ${place}`,
    make("h2", "", side.name),
    make("p", "id", runLink({ run: side.run }, "", `Open run ${side.run}`)),
    found,
    make("p", "facts", side.facts.join(" · ")),
    side.answer ? make("p", "answer", "Answer: ", make("bdi", "", side.answer)) : null,
  );
}

function sideStep(side, step, place, how) {
  const name = make("span", "sr", `${side.name}: `);
  if (step === null) return make("div", `half ${place} none`, name, `not in the ${side.name}`);
  const head = make(
    "p",
    "duo-who",
    name,
    runLink({ run: side.run, step: step.step }, "", `step ${step.step} · `, make("bdi", "", step.agent)),
    make("span", "tag", ` ${step.kind}`),
    step.part ? make("span", `tag part-${step.part}`, PARTS[step.part]) : null,
    step.status ? make("span", "tag status", step.status) : null,
  );
  const [before, behind] = step.cut;
  const text = make("pre", step.tool ? "code" : "", step.tool ? make("span", "tool", `${step.tool} `) : null, before ? "… " : null, marked(step.text, step.spans.map(([start, end]) => ({ start, end, key: true }))), behind ? " …" : null);
  text.dir = "auto";
  return make("div", `half ${place}`, head, step.text || step.tool ? text : make("p", "empty", "(no text)"), how === "same" && step.spans.length ? make("p", "side-note", "times and identifiers differ") : null);
}

function pairRow(row, sides, isFirst) {
  const [sign, words] = HOW[row.how];
  const how = make("span", "relation", sign);
  how.setAttribute("aria-label", words);
  how.setAttribute("role", "img");
  const node = make("li", `duo ${row.how}${isFirst ? " parting" : ""}`, isFirst ? make("p", "here", "Here they part") : null, sideStep(sides[0], row.left, "left", row.how), how, sideStep(sides[1], row.right, "right", row.how));
  if (isFirst) node.tabIndex = -1;
  return node;
}

// Stretches of equal rows that are folded, as [from, to).
function equalStretches(rows, first) {
  const found = [];
  let from = 0;
  for (let at = 0; at <= rows.length; at += 1) {
    if (at < rows.length && rows[at].how === "same") continue;
    const to = from === 0 && at === first ? at - 1 : at; // the last step in common stays in sight
    if (to - from >= (from === 0 ? 1 : FOLDED)) found.push([from, to]);
    from = at + 1;
  }
  return found;
}

function pairRows(pair, rows) {
  const list = make("ol", rows.length > MANY ? "duos many" : "duos");
  const folded = new Map(equalStretches(rows, pair.first));
  for (let at = 0; at < rows.length; at += 1) {
    const end = folded.get(at);
    if (end === undefined) {
      list.append(pairRow(rows[at], pair.sides, at === pair.first));
      continue;
    }
    const stretch = rows.slice(at, end);
    const fold = make("li", "fold");
    const open = button(`${counted(end - at, "equal step")}: ${stretch[0].left.step} to ${stretch.at(-1).left.step}`, () => {
      fold.replaceWith(...stretch.map((row) => pairRow(row, pair.sides, false)));
    });
    if (end - at === 1) open.textContent = `1 equal step: ${stretch[0].left.step}`;
    open.setAttribute("aria-expanded", "false");
    fold.append(open);
    list.append(fold);
    at = end - 1;
  }
  return list;
}

// Down to the next row that differs, and round again.
function nextDifference(list) {
  const rows = [...list.querySelectorAll(".duo:not(.same)")];
  const next = rows.find((row) => row.getBoundingClientRect().top > 130) ?? rows[0];
  next?.scrollIntoView({ block: "start" });
}

function compareTop(contents, pair, list) {
  const again = pair.first === null ? null : button("Where they part", () => list().querySelector(".parting")?.scrollIntoView({ block: "center" }));
  const next = pair.first === null ? null : button("Next difference", () => nextDifference(list()));
  const all = button("Show equal steps", () => {
    for (const fold of list().querySelectorAll(".fold button")) fold.click();
    all.remove();
  });
  const about = contents.about ? ` ${contents.about.version} · ${contents.about.date}` : "";
  const tasks = pair.sides[0].task === pair.sides[1].task ? [pair.sides[0].task] : pair.sides.map((side) => `${side.name}: ${side.task || "(no task)"}`);
  return {
    head: make(
      "header",
      "top",
      make("p", "brand", make("b", "", "tracer"), about),
      make("h1", "plain", pair.sum),
      pair.parting.length ? make("p", "reason", pair.parting.join(" · ")) : null,
      tasks.filter(Boolean).map((task) => make("p", "facts", "Task: ", make("bdi", "", task))),
    ),
    tools: make("div", "pair-tools", again, next, all, button("Light or dark", theme)),
  };
}

function compareView(contents) {
  const { pair } = contents;
  const rows = make("div", "duo-rows");
  const { head, tools } = compareTop(contents, pair, () => rows);
  const sides = make("div", "sides", sideHead(pair.sides[0], "left"), sideHead(pair.sides[1], "right"));
  const names = make("div", "names", make("b", "left", pair.sides[0].name), make("b", "right", pair.sides[1].name), tools);
  const notes = make("details", "claims", make("summary", "", "What this comparison claims, and what not"), pair.notes.map((note) => make("p", "", note)));
  inflate(pair.rows).then((told) => {
    rows.replaceChildren(pairRows(pair, told.rows));
    if (!rows.querySelector(".fold")) tools.querySelectorAll("button").forEach((each) => each.textContent === "Show equal steps" && each.remove());
    rows.dataset.ready = "yes";
    rows.querySelector(".parting")?.scrollIntoView({ block: "nearest" });
  });
  return make("main", "overview compare", head, sides, names, rows, notes);
}
