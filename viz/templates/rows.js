// The rows of text beside the lanes: only those near the window exist, so a run of any length opens at once.
const AHEAD = 8; // rows kept ready above and below the window
const OPENS = { plan: "plan", replan: "new plan", instruction: "order", "hand-off": "hand-off", user: "user" };

function rowKeeper(view, list, acts) {
  const live = new Map(); // item key -> its node

  function keep(first, last) {
    const wanted = view.items.slice(Math.max(0, first - AHEAD), last + AHEAD);
    const keys = new Set(wanted.map((item) => item.key));
    for (const [key, node] of live) {
      if (keys.has(key) || node.contains(document.activeElement)) continue;
      node.remove();
      live.delete(key);
    }
    for (const item of wanted) if (!live.has(item.key)) add(item);
  }

  // In the order of the run, for those who read with the keyboard or a screen reader.
  function add(item) {
    const node = item.step !== undefined ? stepRow(view, view.steps[item.step]) : item.fold ? foldRow(view, item, acts) : phaseRow(view, item, acts);
    node.style.setProperty("top", `${item.top}px`);
    node.style.setProperty("height", `${item.height}px`);
    node.dataset.at = item.top;
    list.insertBefore(node, [...list.children].find((other) => Number(other.dataset.at) > item.top) ?? null);
    live.set(item.key, node);
  }

  function clear() {
    for (const node of live.values()) node.remove();
    live.clear();
  }

  // After another step was chosen, or other words were searched.
  function mark() {
    for (const node of live.values()) {
      const link = node.firstElementChild;
      const index = Number(link.dataset.step ?? NaN);
      setCurrent(link, index === view.chosen);
      node.classList.toggle("hit", Boolean(view.hits?.has(index)));
    }
  }

  return { keep, clear, mark };
}

function gist(step) {
  const call = step.tool || step.arguments ? `${step.tool || "call"}(${step.arguments})` : "";
  return oneLine(step.content || call || step.reasoning, 240) || "(no text)";
}

function stepRow(view, step) {
  const tags = [
    step.part && make("span", "tag", PARTS[step.part]),
    step.status && make("span", "tag status", step.status),
    step.index in view.run.anchors && tip(make("span", "tag measured", "sentences"), "its reasoning was explained sentence by sentence"),
  ];
  const words = make("span", "line", make("bdi", "agent", oneLine(step.agent, 48)), ...tags.filter(Boolean), make("bdi", "said", gist(step)));
  const link = make("a", "", make("span", "index", String(step.index)), words);
  setCurrent(link, step.index === view.chosen);
  link.href = `#step=${step.index}`;
  link.dataset.step = step.index;
  const node = make("li", `row ${step.part}${step.part ? " tall" : ""}${view.hits?.has(step.index) ? " hit" : ""}`, link);
  node.setAttribute("aria-posinset", step.index + 1);
  node.setAttribute("aria-setsize", view.steps.length);
  return node;
}

function foldRow(view, item, acts) {
  const lanes = [...new Set(item.fold.map((k) => view.steps[k].lane))];
  const names = lanes.map((lane) => laneName(view, lane)).join(", ");
  return make("li", "row folded", button(`${counted(item.fold.length, "step")} of ${names} folded`, () => acts.unfold(lanes), ""));
}

function phaseRow(view, item, acts) {
  const phase = view.run.phases[item.phase];
  const shut = view.phases.has(item.phase);
  const range = phase.first === phase.last ? `step ${phase.first}` : `steps ${phase.first}–${phase.last}`;
  const opens = OPENS[phase.opens] ? ` · ${OPENS[phase.opens]}` : "";
  const head = button(`${shut ? "▸" : "▾"} Phase ${item.phase + 1} · ${range}${opens}`, () => acts.turn(view.phases, item.phase), "");
  head.setAttribute("aria-expanded", String(!shut));
  return make("li", "row heading", head);
}
