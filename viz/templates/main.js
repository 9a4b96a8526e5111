// The page: reads its data, follows the address, hands keys on. The address is the only state that outlives a reload.
const held = JSON.parse(document.getElementById("data").textContent);
const place = document.getElementById("page");
const opened = new Map(); // run id -> its data, once inflated
let screen = null; // what is on view: { id, follow, keys, stop }

function route() {
  const found = {};
  for (const [, name, value] of location.hash.slice(1).matchAll(/([a-z]+)=([^&]*)/g)) {
    if (name === "step" || name === "sentence") found[name] = /^\d{1,9}$/.test(value) ? Number(value) : null;
    if (name === "run") found.run = decode(value);
  }
  return found;
}

function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function address({ run, step, sentence }) {
  const parts = [];
  if (run !== undefined && held.contents.kind !== "run") parts.push(`run=${encodeURIComponent(run)}`);
  if (step !== undefined && step !== null) parts.push(`step=${step}`);
  if (sentence !== undefined && sentence !== null) parts.push(`sentence=${sentence}`);
  return `#${parts.join("&")}`;
}

// Steps and sentences belong to the run on view unless another is named; each one chosen is a place to come back to.
function go(where) {
  const run = where.run ?? screen?.id;
  const hash = address({ ...where, run });
  if (hash === location.hash) follow();
  else location.hash = hash;
}

function parsed(run) {
  const blank = { content: "", reasoning: "", arguments: "", tool: "", part: "", status: "", outcome: "", agent: "", facts: [], hidden: false };
  run.steps = run.steps.map((step) => ({ ...blank, ...step, cuts: step.cuts ?? {} }));
  run.edges = run.edges.map(([source, target, origin, weight, why, from, to, main]) => ({ source, target, origin, weight, why, from, to, main }));
  run.phases = run.phases.map(([first, last, opens]) => ({ first, last, opens }));
  const touching = new Map();
  for (const edge of run.edges) for (const end of [edge.source, edge.target]) touching.set(end, [...(touching.get(end) ?? []), edge]);
  run.touching = (index) => [...(touching.get(index) ?? [])];
  run.spoken = (index) => {
    const step = run.steps[index];
    return step.arguments ? `${step.content.padEnd(step.wide ?? 0)}\n${step.arguments}` : step.content;
  };
  run.searchable = (step) => `${step.agent}\n${step.content}\n${step.reasoning}\n${step.tool}\n${step.arguments}`.toLowerCase();
  const hops = run.verdict === "no_failure" ? [] : (run.candidates[0]?.path ?? []).filter((hop) => hop.step in run.steps);
  run.route = hops.slice(1).map((hop, k) => ({ source: hops[k].step, target: hop.step, tied: hop.tied }));
  return run;
}

async function runOf(id) {
  const number = held.contents.ids.indexOf(id);
  if (number < 0) return null;
  if (!opened.has(id)) opened.set(id, parsed(await inflate(held.runs[number])));
  return opened.get(id);
}

function theme() {
  const root = document.documentElement;
  const dark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  screen?.redraw?.();
}

const KEYS_TOLD = [
  ["j  k", "next and previous step"],
  ["/", "search; Enter goes to the next hit"],
  ["c  s", "to the cause, to the symptom"],
  ["f", "the whole run at a glance, and back"],
  ["+  −", "nearer, farther"],
  ["w", "the evidence wide, and back"],
  ["Esc", "close"],
  ["?", "this list"],
];

function help() {
  const rows = KEYS_TOLD.flatMap(([key, meaning]) => [make("dt", "", make("kbd", "", key)), make("dd", "", meaning)]);
  const dialog = make("dialog", "help", make("h2", "", "Keys"), make("dl", "", rows), button("Close", () => dialog.close()));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function toolbar(run, board) {
  const swatch = (origin) => svg("svg", { width: 26, height: 8, "aria-hidden": "true" }, svg("path", { class: `swatch ${origin}`, d: "M1 4H25" }));
  const origins = Object.keys(run.origins).map((origin) => {
    const node = button("", () => {
      board.switchOrigin(origin);
      node.setAttribute("aria-pressed", String(board.shows(origin)));
    }, "origin");
    node.append(swatch(origin), origin);
    node.setAttribute("aria-pressed", "true");
    return tip(node, `${origin}: ${run.origins[origin]}. Click to hide or show.`);
  });
  const path = run.route.length ? make("span", "origin", swatch("route"), "path") : null;
  const input = make("input");
  Object.assign(input, { type: "search", id: "search", placeholder: "Search", autocomplete: "off", spellcheck: false });
  input.setAttribute("aria-label", "Search the steps");
  const found = make("output");
  found.id = "found";
  let hits = [];
  input.addEventListener("input", () => {
    hits = board.search(input.value);
    found.textContent = input.value.trim() ? `${hits.length} of ${run.steps.length}` : "";
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && hits.length) go({ step: hits.find((index) => index > (route().step ?? -1)) ?? hits[0] });
    if (event.key === "Escape") input.blur();
  });
  const fit = button("Whole run", () => board.fit());
  const fold = run.phases.length > 1 ? button("Fold phases", () => board.foldPhases()) : null;
  const changed = () => {
    fit.setAttribute("aria-pressed", String(board.isFar()));
    fold?.setAttribute("aria-pressed", String(board.isFolded()));
  };
  const zooms = [button("−", () => board.zoom(1 / 1.3)), button("+", () => board.zoom(1.3))];
  zooms[0].setAttribute("aria-label", "Zoom out");
  zooms[1].setAttribute("aria-label", "Zoom in");
  const right = make("div", "buttons", ...zooms, fit, fold, button("Light or dark", theme), button("?", help));
  right.lastChild.setAttribute("aria-label", "Keys");
  const legend = make("div", "legend", origins, path);
  const bar = make("div", "tools", make("h2", "", "The run"), legend, make("label", "search", input, found), right);
  return { bar, changed, input };
}

function runScreen(run, back) {
  document.title = `${run.headline} · tracer`;
  let tools = null;
  const panel = evidencePanel(run, { edge, close, widen });
  const board = boardView(run, { edge, changed: () => tools?.changed() });
  tools = toolbar(run, board);
  const note = make("p", "note", make("kbd", "", "j"), " ", make("kbd", "", "k"), " step by step · ", make("kbd", "", "/"), " search · ", make("kbd", "", "f"), " whole run · ", make("kbd", "", "?"), " all keys");
  const main = make("main", "run", tools.bar, board.body, note);
  place.className = "page";
  place.replaceChildren(summaryView(run, held.contents.about, back), main, panel.panel);
  const first = run.candidates[0]?.step ?? run.symptom ?? 0;
  let current = null;

  function edge(chosen) {
    panel.showEdge(chosen);
    board.mark(chosen);
    panel.panel.classList.add("open");
  }

  function close() {
    panel.panel.classList.remove("open");
    if (document.body.classList.contains("wide")) widen();
  }

  function widen() {
    const wide = document.body.classList.toggle("wide");
    panel.panel.querySelector(".widen")?.setAttribute("aria-pressed", String(wide));
    board.redraw();
  }

  function follow(asked) {
    const known = asked.step in run.steps;
    if (!known && current !== null) return;
    const index = known ? asked.step : Math.min(first, run.steps.length - 1);
    const moved = index !== current;
    current = index;
    if (index < 0) return;
    panel.show(index, known ? asked.sentence : null);
    if (moved) board.choose(index);
    for (const link of place.querySelectorAll(".candidates a, .hops a, .shows a")) setCurrent(link, link.getAttribute("href") === `#step=${index}`);
    if (known) panel.panel.classList.add("open");
  }

  const keys = {
    j: () => go({ step: board.next(1) }),
    k: () => go({ step: board.next(-1) }),
    c: () => go({ step: first }),
    s: () => run.symptom !== null && go({ step: run.symptom }),
    f: () => board.fit(),
    w: () => widen(),
    "+": () => board.zoom(1.3),
    "=": () => board.zoom(1.3),
    "-": () => board.zoom(1 / 1.3),
    "/": () => tools.input.focus(),
    Escape: () => close(),
  };
  const print = () => main.append(make("ol", "printed", board.everyRow()));
  const printed = () => main.querySelector(".printed")?.remove();
  addEventListener("beforeprint", print);
  addEventListener("afterprint", printed);
  const stop = () => {
    board.stop();
    removeEventListener("beforeprint", print);
    removeEventListener("afterprint", printed);
  };
  board.redraw();
  return { id: run.id, follow, keys, stop, redraw: board.redraw };
}

async function follow() {
  const asked = route();
  const { kind, ids } = held.contents;
  // A step without its run belongs to the run on view; then the address says so, for it may be sent to others.
  if (kind !== "run" && screen?.id && asked.run === undefined && asked.step !== undefined) {
    location.replace(address({ ...asked, run: screen.id }));
    return undefined;
  }
  const id = kind === "run" ? ids[0] : asked.run;
  const run = id === undefined ? null : await runOf(id);
  if (!run) return overview(kind);
  if (screen?.id !== run.id) {
    screen?.stop?.();
    const back = kind === "run" ? null : make("p", "back", overviewLink(kind));
    screen = runScreen(run, back);
  }
  return screen.follow(asked);
}

function overviewLink(kind) {
  const link = make("a", "", kind === "list" ? "← all runs" : "← both runs");
  link.href = "#";
  return link;
}

async function overview(kind) {
  if (screen?.id === "") return;
  screen?.stop?.();
  screen = { id: "", keys: { "/": () => document.getElementById("search")?.focus() }, follow() {} };
  place.className = "sheet";
  document.title = kind === "list" ? "runs · tracer" : "two runs · tracer";
  const view = kind === "list" ? listView(held.contents) : compareView(held.contents, await Promise.all(held.contents.ids.map(runOf)));
  place.replaceChildren(view);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea, dialog *")) return;
  const keys = { ...screen?.keys, "?": help };
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});
addEventListener("hashchange", follow);
// A click on what is already in the address changes no hash, so it says so itself.
document.addEventListener("click", (event) => {
  if (event.target.closest?.("a")?.getAttribute("href") === location.hash) follow();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => screen?.redraw?.());
watchTips();
await follow();
document.documentElement.dataset.ready = "yes";
