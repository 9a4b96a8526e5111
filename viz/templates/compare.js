// Two runs side by side: what both did first, where they part, and which words differ from there on.
const HOW = { same: ["=", "the same"], changed: ["≠", "changed"], left: ["←", "only here"], right: ["→", "only here"], apart: ["≠", "each on its own"] };
const MANY = 300; // rows from which on those out of sight are not laid out
const IN_SIGHT = 120; // pixels of the row where they part that must be in view at first
const FOLDED = 3; // as many equal steps in a row are folded, and all that both begin with but the last

function sideHead(side, place) {
  const verdict = VERDICTS[side.verdict];
  const sign = make("span", "sign", verdict[0]);
  sign.setAttribute("aria-hidden", "true");
  const found = side.step === null
    ? make("p", `side-verdict ${side.verdict}`, sign, verdict[1])
    : make("p", `side-verdict ${side.verdict}`, sign, `${verdict[1]}: `, runLink({ run: side.run, step: side.step }, "", `step ${side.step} · `, make("bdi", "", side.agent)), " ", tip(make("span", "side-share", side.figure), side.about));
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

function sideStep(side, step, how) {
  const head = make(
    "p",
    "duo-who",
    runLink({ run: side.run, step: step.step }, "", `step ${step.step} · `, make("bdi", "", step.agent)),
    make("span", "tag", ` ${step.kind}`),
    step.part ? make("span", `tag part-${step.part}`, PARTS[step.part]) : null,
    step.status ? make("span", "tag status", step.status) : null,
  );
  const [before, behind] = step.cut;
  const text = make("pre", step.tool ? "code" : "", step.tool ? make("span", "tool", `${step.tool} `) : null, before ? "… " : null, marked(step.text, step.spans.map(([start, end]) => ({ start, end, key: true }))), behind ? " …" : null);
  text.dir = "auto";
  return make("div", "said", head, step.text || step.tool ? text : make("p", "empty", "(no text)"), how === "same" && step.spans.length ? make("p", "side-note", "times and identifiers differ") : null);
}

function half(side, place, steps, how) {
  const name = make("span", "sr", `${side.name}: `);
  if (!steps.length) return make("div", `half ${place} none`, name, `not in the ${side.name}`);
  return make("div", `half ${place}`, name, steps.map((step) => sideStep(side, step, how)));
}

// One row; or what only one run has and then what only the other has, next to each other, for they fill the same gap.
function pairRow(rows, sides, isFirst) {
  const lefts = rows.map((row) => row.left).filter(Boolean);
  const rights = rows.map((row) => row.right).filter(Boolean);
  const how = rows[0].how === "left" && rights.length ? "apart" : rows[0].how;
  const [sign, words] = HOW[how];
  const relation = make("span", "relation", sign);
  relation.setAttribute("aria-label", words);
  relation.setAttribute("role", "img");
  const node = make("li", `duo ${how}${isFirst ? " parting" : ""}`, isFirst ? make("p", "here", "Here they part") : null, half(sides[0], "left", lefts, how), relation, half(sides[1], "right", rights, how));
  if (isFirst) node.tabIndex = -1;
  return node;
}

// A gap that the runs fill each on its own; where they part, the first step of each stands apart from the rest.
function gap(rows, pair, isFirst) {
  const right = rows.findIndex((row) => row.how === "right");
  const heads = isFirst && rows.length > 1 ? [0, ...(right > 0 ? [right] : [])] : rows.map((_, at) => at);
  const rest = rows.filter((_, at) => !heads.includes(at));
  return [pairRow(heads.map((at) => rows[at]), pair.sides, isFirst), ...(rest.length ? [pairRow(rest, pair.sides, false)] : [])];
}

const isAlone = (row) => row?.how === "left" || row?.how === "right";

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
      let to = at + 1;
      while (isAlone(rows[at]) && isAlone(rows[to])) to += 1;
      list.append(...gap(rows.slice(at, to), pair, at === pair.first));
      at = to - 1;
      continue;
    }
    const stretch = rows.slice(at, end);
    const fold = make("li", "fold");
    const open = button(`${counted(end - at, "equal step")}: ${stretch[0].left.step} to ${stretch.at(-1).left.step}`, () => {
      fold.replaceWith(...stretch.map((row) => pairRow([row], pair.sides, false)));
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
  const tasks = pair.sides[0].task === pair.sides[1].task ? [pair.sides[0].task] : pair.sides.map((side) => side.task || "(no task)");
  return {
    head: make(
      "header",
      "top",
      make("p", "brand", make("b", "", "tracer"), about),
      make("h1", "plain", pair.sum),
      pair.parting.length ? make("p", "reason", pair.parting.join(" · ")) : null,
      tasks.filter(Boolean).map((task, place) => make("p", "facts", tasks.length === 1 ? "Task: " : `Task of the ${pair.sides[place].name}: `, make("bdi", "", task))),
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
    const parting = rows.querySelector(".parting");
    if (parting?.getBoundingClientRect().top > innerHeight - IN_SIGHT) parting.scrollIntoView({ block: "center" });
  });
  return make("main", `overview compare${pair.sides[0].name === "good run" ? " swapped" : ""}`, head, sides, names, rows, notes);
}
