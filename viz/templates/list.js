// Many runs in one table: what broke each, how sure we are, and what it cost. A row opens its run.
const VERDICTS = { root_cause: ["●", "root cause"], inconclusive: ["◐", "inconclusive"], no_failure: ["○", "no failure"] };
const VERDICT_ORDER = Object.keys(VERDICTS);
const AT_ONCE = 150; // rows laid out at first, and again whenever the end comes near; before printing all are
const MOST_AGENTS = 6; // agents offered as filters

// What a column sorts by; `low` begins with the smallest. Without `low` the largest comes first.
const COLUMNS = [
  { name: "asked", label: "Run", low: true, by: (row) => (row.task || row.run).toLowerCase() },
  { name: "verdict", label: "Verdict", low: true, by: (row) => VERDICT_ORDER.indexOf(row.verdict) },
  { name: "where", label: "Leading step", low: true, by: (row) => (row.agent ? `${row.agent.toLowerCase()} ${String(row.step).padStart(9, "0")}` : null) },
  { name: "chance", label: "Probability", by: (row) => row.probability },
  { name: "outcome", label: "Outcome", low: true, by: (row) => row.outcome },
  { name: "steps", label: "Steps", by: (row) => row.steps },
  { name: "agents", label: "Agents", by: (row) => row.agents },
  { name: "tokens", label: "Tokens", by: (row) => row.tokens },
  { name: "took", label: "Took", by: (row) => row.duration },
  { name: "started", label: "Started", by: (row) => row.started || null },
];

// Outlives a visit to a run: who comes back finds the list as it was left.
const listing = { sort: "", down: false, verdict: "", agent: "", words: "", top: 0, rows: AT_ONCE };

function took(seconds) {
  if (seconds === null) return "";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${(seconds / 3600).toFixed(1)} h`;
}

const cell = (name, label, ...children) => {
  const node = make("td", name, ...children);
  node.setAttribute("role", "cell"); // on a narrow screen the table is laid out as cards and must stay a table
  node.dataset.label = label;
  return node;
};

function runLink(where, className, ...children) {
  const link = make("a", className, ...children);
  link.href = address(where);
  return link;
}

function shareBar(share) {
  if (share === null) return null;
  const fill = make("span", "odds-fill");
  fill.style.setProperty("width", `${100 * share}%`);
  return make("span", "odds-bar", fill);
}

function listedCells(row) {
  const [mark, verdict] = VERDICTS[row.verdict];
  const title = make("bdi", "run-title", row.task || "(no task)");
  if (row.task.length > 60) tip(title, row.task);
  const open = runLink({ run: row.run }, "run-link", title, make("span", "run-id", `${row.run} · `, make("bdi", "", row.format)));
  const sign = make("span", "sign", mark);
  sign.setAttribute("aria-hidden", "true");
  const leads = row.step === null ? null : runLink({ run: row.run, step: row.step }, "leads", `step ${row.step} · `, make("bdi", "", row.agent));
  if (leads && row.agent.length > 18) tip(leads, row.agent);
  const share = tip(make("span", "", row.probability === null ? row.figure : percent(row.probability), make("small", "", row.basis ? ` ${row.basis}` : "")), row.about);
  const told = make("span", "", row.outcome);
  return [
    cell("asked", "Run", open),
    cell(`verdict ${row.verdict}`, "Verdict", row.reason ? tip(make("span", "", sign, verdict), row.reason) : make("span", "", sign, verdict)),
    cell("where", "Leading step", leads),
    cell("chance", "Probability", row.step === null ? null : [share, shareBar(row.probability)]),
    cell("outcome", "Outcome", row.told === `outcome ${row.outcome}` ? told : tip(told, row.told)),
    cell("figure", "Steps", row.steps.toLocaleString("en")),
    cell("figure", "Agents", row.agents.toLocaleString("en")),
    cell("figure tokens", "Tokens", row.tokens === null ? null : row.tokens.toLocaleString("en")),
    cell("figure took", "Took", took(row.duration)),
    cell("started", "Started", row.started ? row.started.slice(0, 16) : null),
  ];
}

function listedRow(row) {
  const node = make("tr", row.verdict, listedCells(row));
  node.setAttribute("role", "row");
  return node;
}

// Rows without a value stand last whichever way; equal ones stay in the order in which they were loaded.
function ordered(rows, { name, down }) {
  const column = COLUMNS.find((each) => each.name === name);
  if (!column) return [...rows].sort((a, b) => VERDICT_ORDER.indexOf(a.verdict) - VERDICT_ORDER.indexOf(b.verdict) || (b.probability ?? -1) - (a.probability ?? -1));
  const way = down ? -1 : 1;
  const keyed = rows.map((row, place) => [column.by(row), place, row]);
  keyed.sort(([a, i], [b, j]) => (a === b ? i - j : a === null ? 1 : b === null ? -1 : a < b ? -way : way));
  return keyed.map(([, , row]) => row);
}

function tallied(rows, of) {
  const counts = new Map();
  for (const row of rows) if (of(row)) counts.set(of(row), (counts.get(of(row)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

// Buttons of which one is pressed; pressing it again shows all.
function choices(label, options, chosen, choose) {
  const group = make("div", "choices");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", label);
  for (const [value, words, count] of options) {
    const node = button("", () => {
      const next = node.getAttribute("aria-pressed") === "true" ? "" : value;
      for (const each of group.children) each.setAttribute("aria-pressed", String(each === node && next === value));
      if (next === "" && group.firstChild.dataset.all) group.firstChild.setAttribute("aria-pressed", "true");
      choose(next);
    }, "choice");
    if (value === "") node.dataset.all = "yes";
    node.append(make("bdi", "", words), make("span", "count", count.toLocaleString("en")));
    node.setAttribute("aria-pressed", String(value === chosen));
    group.append(node);
  }
  return group;
}

function listHead(sorted) {
  const heads = COLUMNS.map((column) => {
    const node = make("th", column.name, button(column.label, () => sorted(column), "sorter"));
    node.scope = "col";
    node.setAttribute("role", "columnheader");
    return node;
  });
  const row = make("tr", "", heads);
  row.setAttribute("role", "row");
  return { head: make("thead", "", row), heads };
}

function sortMenu(sorted) {
  const menu = make("select", "", make("option", "", "what failed, surest first"), ...COLUMNS.map((column) => make("option", "", column.label.toLowerCase())));
  menu.addEventListener("change", () => sorted(COLUMNS[menu.selectedIndex - 1] ?? null));
  return { menu, label: make("label", "order", "Sort by ", menu) };
}

function listView(contents) {
  const rows = contents.list;
  const nodes = new Map(); // row -> its <tr>, built when first needed
  const node = (row) => nodes.get(row) ?? nodes.set(row, listedRow(row)).get(row);
  const searchable = new Map(rows.map((row) => [row, `${row.run} ${row.task} ${row.agent} ${row.format} ${row.outcome} ${row.verdict.replace("_", " ")}`.toLowerCase()]));
  const body = make("tbody");
  const shown = make("output", "shown");
  const rest = make("p", "rest");
  let found = [];

  function fill() {
    const words = listing.words.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = rows.filter((row) => (!listing.verdict || row.verdict === listing.verdict) && (!listing.agent || row.agent === listing.agent) && words.every((word) => searchable.get(row).includes(word)));
    found = ordered(kept, { name: listing.sort, down: listing.down });
    shown.textContent = found.length === rows.length ? `${rows.length.toLocaleString("en")} runs` : `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} runs`;
    body.replaceChildren();
    more(listing.rows);
  }

  function more(count) {
    const from = body.children.length;
    body.append(...found.slice(from, from + count).map(node));
    const left = found.length - body.children.length;
    rest.textContent = left ? `${counted(left, "more run")} below` : found.length ? "" : "no run like that";
    table.setAttribute("aria-rowcount", String(found.length + 1));
  }

  function sorted(column) {
    listing.down = column === null ? false : listing.sort === column.name ? !listing.down : !column.low;
    listing.sort = column?.name ?? "";
    told();
    refill();
  }

  function refill() {
    listing.rows = AT_ONCE;
    fill();
  }

  function told() {
    COLUMNS.forEach(({ name }, place) => {
      if (name === listing.sort) heads[place].setAttribute("aria-sort", listing.down ? "descending" : "ascending");
      else heads[place].removeAttribute("aria-sort");
    });
    order.menu.selectedIndex = COLUMNS.findIndex(({ name }) => name === listing.sort) + 1;
  }

  const { head, heads } = listHead(sorted);
  const order = sortMenu(sorted);
  const table = make("table", "runs", make("caption", "", "Runs, with what most likely broke each"), head, body);
  table.setAttribute("role", "table");
  for (const [name, known] of [["tokens", (row) => row.tokens !== null], ["took", (row) => row.duration !== null], ["started", (row) => row.started !== ""]]) {
    if (!rows.some(known)) table.classList.add(`no-${name}`);
  }
  told();
  fill();
  new IntersectionObserver(([end]) => end.isIntersecting && found.length > body.children.length && more(AT_ONCE), { rootMargin: "1500px" }).observe(rest);
  addEventListener("beforeprint", () => body.isConnected && more(found.length));
  table.addEventListener("click", () => Object.assign(listing, { top: scrollY, rows: body.children.length }));
  if (listing.top) setTimeout(() => scrollTo(0, listing.top), 30);
  return make("main", "overview", listTop(contents, rows), listTools(rows, shown, order.label, refill), table, rest, listFoot(contents));
}

function listTop(contents, rows) {
  const named = tallied(rows.filter((row) => row.verdict === "root_cause"), (row) => row.agent);
  const [most] = named;
  return make(
    "header",
    "top",
    make("p", "brand", make("b", "", "tracer"), contents.about ? ` ${contents.about.version} · ${contents.about.date}` : ""),
    make("h1", "plain", counted(rows.length, "run")),
    most && most[1] > 1 ? make("p", "reason", "Named as the cause most often: ", make("bdi", "", most[0]), `, in ${most[1]} of ${named.reduce((sum, [, count]) => sum + count, 0)} runs with a root cause.`) : null,
  );
}

function listTools(rows, shown, order, fill) {
  const verdicts = VERDICT_ORDER.map((verdict) => [verdict, VERDICTS[verdict].join(" "), rows.filter((row) => row.verdict === verdict).length]).filter(([, , count]) => count);
  const agents = tallied(rows, (row) => row.agent).slice(0, MOST_AGENTS).map(([agent, count]) => [agent, agent, count]);
  const input = make("input");
  Object.assign(input, { type: "search", id: "search", placeholder: "Task, agent, run …", value: listing.words, autocomplete: "off", spellcheck: false });
  input.setAttribute("aria-label", "Filter the runs");
  input.addEventListener("input", () => { listing.words = input.value; fill(); });
  const set = (name) => (value) => { listing[name] = value; fill(); };
  return make(
    "div",
    "filters",
    choices("By verdict", [["", "All", rows.length], ...verdicts], listing.verdict, set("verdict")),
    make("div", "finding", make("label", "search", input), shown, order, button("Light or dark", theme)),
    agents.length > 1 ? make("div", "by", make("span", "", "Leading agent"), choices("By leading agent", agents, listing.agent, set("agent"))) : null,
  );
}

function listFoot(contents) {
  const lines = [
    "A probability is the estimated chance that the leading step is the decisive one, given that the run failed. Point at it to see what it rests on.",
    "A run without a failure is one of which nothing in its log says that it failed. That is no proof that its answer is right.",
    "Nothing was replayed or changed: a step that is not named is not thereby proven innocent.",
  ];
  const note = make("details", "claims", make("summary", "", "What these numbers claim, and what not"), lines.map((line) => make("p", "", line)));
  return make("footer", "foot", note);
}
