// The run: agents as lanes, time downwards. A canvas draws what is in view; rows of text exist only where they show.
const SHORT = 26; // height of a row that recedes, at zoom 1
const TALL = 54; // of one that matters
const READABLE = 17; // under this row height there is no text beside the lanes
const FOLD = 24; // of a folded stretch, and of a phase's heading
const AHEAD = 8; // rows kept ready above and below the window
const MARGIN = 14; // above the first row and below the last
const LIT = 12; // edges of the chosen step that are drawn strongly; the panel lists all
const DASHES = { declared: [], reused: [5, 3], similar: [1, 3], measured: [] };
const OPENS = { plan: "plan", replan: "new plan", instruction: "order", "hand-off": "hand-off", user: "user" };

function boardView(run, hooks) {
  const { steps, edges } = run;
  const state = { steps, lanes: run.lanes.length, items: [], total: 0, top: 0, height: 0, zoom: 1, hits: null, ink: {} };
  const folded = { agents: new Set(), phases: new Set() };
  const hidden = new Set();
  let chosen = null;
  let inPhases = false; // phases have headings, by which each is opened and folded
  let markedEdge = null;
  let place = []; // item of each step
  let queued = false;
  const live = new Map(); // item key -> row node

  const canvas = make("canvas", "lanes");
  canvas.setAttribute("aria-hidden", "true");
  const pen = canvas.getContext("2d");
  const rows = make("ol", "rows");
  rows.setAttribute("aria-label", "Steps in order of time");
  const space = make("div", "space", canvas, rows);
  const scroller = make("div", "scroller", space);
  scroller.tabIndex = -1;
  const heads = make("div", "heads");
  const strip = minimap({ seek });
  const body = make("div", steps.length * SHORT > 700 ? "board" : "board brief", make("div", "column", heads, scroller), strip.canvas);

  // ---- places: which rows there are, and how high ----
  const keeps = (step) => Boolean(step.part) || step.index === chosen;
  const text = () => SHORT * state.zoom >= READABLE;

  function heightOf(step) {
    if (!text()) return SHORT * state.zoom;
    return step.part ? TALL : SHORT * state.zoom;
  }

  function arrange() {
    const items = [];
    place = new Array(steps.length);
    for (const [number, phase] of run.phases.entries()) {
      const shut = folded.phases.has(number);
      if (inPhases) items.push({ key: `p${number}`, phase: number, height: FOLD });
      for (let k = phase.first; k <= phase.last; k++) {
        const step = steps[k];
        const away = !keeps(step) && (shut || folded.agents.has(step.lane));
        if (!away) items.push({ key: `s${k}`, step: k, height: heightOf(step) });
        else if (!shut) {
          const last = items.at(-1);
          if (last?.fold) last.fold.push(k);
          else items.push({ key: `f${k}`, fold: [k], height: FOLD });
        }
        place[k] = items.length - 1;
      }
    }
    let top = MARGIN;
    for (const item of items) {
      item.top = top;
      top += item.height;
    }
    state.items = items;
    state.total = top + MARGIN;
    space.style.setProperty("height", `${state.total}px`);
    for (const node of live.values()) node.remove();
    live.clear();
    paint();
  }

  const middle = (index) => {
    const item = state.items[place[index]];
    return item ? item.top + item.height / 2 : 0;
  };

  // ---- lanes ----
  function spacing() {
    const width = scroller.clientWidth;
    if (!text()) return Math.max(14, Math.min(150, (width - 150) / state.lanes));
    const room = width < 420 ? 92 : 190;
    return Math.max(width < 420 ? 8 : 18, Math.min(44, room / state.lanes));
  }

  const laneX = (lane) => 26 + (lane + 0.5) * state.gap - state.gap / 2 + 8;
  const width = () => laneX(state.lanes - 1) + Math.max(20, state.gap / 2);

  function name(lane) {
    const [agent, others] = run.lanes[lane];
    return others ? counted(others, "other") : agent;
  }

  function label() {
    heads.replaceChildren(
      ...run.lanes.map((_, lane) => {
        const said = name(lane);
        const head = button(oneLine(said, 22), () => toggle(folded.agents, lane), "head");
        head.setAttribute("aria-pressed", String(folded.agents.has(lane)));
        tip(head, `${said}: ${folded.agents.has(lane) ? "show its steps" : "fold its steps"}`);
        head.style.setProperty("left", `${laneX(lane)}px`);
        return head;
      }),
    );
    heads.classList.toggle("flat", state.gap >= 90);
  }

  function toggle(set, value) {
    if (set.has(value)) set.delete(value);
    else set.add(value);
    arrange();
    label();
    hooks.changed();
  }

  // ---- drawing ----
  function ink() {
    for (const key of ["paper", "card", "ink", "soft", "faint", "rule", "accent", "counter"]) state.ink[key] = colour(`--${key}`);
  }

  function size() {
    state.height = scroller.clientHeight;
    state.gap = spacing();
    const scale = devicePixelRatio || 1;
    const across = text() ? width() : scroller.clientWidth;
    canvas.style.setProperty("width", `${across}px`);
    canvas.style.setProperty("height", `${state.height}px`);
    canvas.width = Math.round(across * scale);
    canvas.height = Math.round(state.height * scale);
    rows.style.setProperty("--lanes", `${width()}px`);
    body.classList.toggle("far", !text());
  }

  // From row to row: between lanes it leaves and arrives vertically, within one it bulges so as not to cover its steps.
  function trace(edge) {
    const [x1, y1] = [laneX(steps[edge.source].lane), middle(edge.source) - state.top];
    const [x2, y2] = [laneX(steps[edge.target].lane), middle(edge.target) - state.top];
    const drop = y2 - y1;
    const bend = Math.max(-60, Math.min(60, drop / 2));
    const bulge = x1 === x2 ? (0.9 * Math.min(40, state.gap) * Math.abs(drop)) / (Math.abs(drop) + 300) + 3 : 0;
    return [x1, y1, x1 + bulge, y1 + bend, x2 + bulge, y2 - bend, x2, y2];
  }

  function curve([x1, y1, ...rest]) {
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.bezierCurveTo(...rest);
    pen.stroke();
  }

  const inView = (edge) => {
    const [from, to] = [middle(edge.source), middle(edge.target)];
    return Math.max(from, to) >= state.top && Math.min(from, to) <= state.top + state.height && place[edge.source] !== place[edge.target];
  };

  function drawn() {
    const lit = new Set(run.touching(chosen).filter((edge) => !hidden.has(edge.origin)).sort((a, b) => b.weight - a.weight).slice(0, LIT));
    return edges.filter((edge) => !hidden.has(edge.origin) && (edge.main || lit.has(edge)) && inView(edge)).map((edge) => ({ edge, lit: lit.has(edge) }));
  }

  function drawEdges() {
    for (const { edge, lit } of drawn()) {
      pen.setLineDash(DASHES[edge.origin] ?? []);
      pen.strokeStyle = lit ? state.ink.ink : state.ink.soft;
      pen.globalAlpha = lit ? 0.75 : text() ? 0.3 : 0.12;
      pen.lineWidth = edge.origin === "measured" ? 2.5 : 1;
      curve(trace(edge));
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
    pen.strokeStyle = state.ink.accent;
    pen.lineWidth = 2.5;
    for (const hop of run.route.filter(inView)) {
      pen.setLineDash(hop.tied ? [] : [2, 6]); // where no words went along, the way is a guess
      curve(trace(hop));
    }
    pen.setLineDash([]);
    if (!markedEdge || !inView(markedEdge)) return;
    pen.strokeStyle = state.ink.ink;
    pen.lineWidth = 3;
    curve(trace(markedEdge));
  }

  // Shapes, not only colours: the cause is a large disc with a cross, the symptom a ring, the path small discs.
  function dot(item) {
    const step = steps[item.step];
    const x = laneX(step.lane);
    const y = item.top + item.height / 2 - state.top;
    const small = Math.max(1.2, Math.min(3.5, item.height / 3));
    const on = step.index === chosen;
    pen.fillStyle = step.part ? state.ink.accent : step.status || on ? state.ink.ink : state.ink.faint;
    pen.beginPath();
    if (step.status && !step.part) pen.rect(x - small, y - small, 2 * small, 2 * small);
    else pen.arc(x, y, { cause: 10, lead: 9, symptom: 8, path: 5.5 }[step.part] ?? (on ? 5 : small), 0, 7);
    pen.fill();
    if (step.part === "symptom" || step.part === "lead") {
      pen.fillStyle = state.ink.paper;
      pen.beginPath();
      pen.arc(x, y, 4.5, 0, 7);
      pen.fill();
    }
    if (step.part === "cause") cross(x, y);
    if (!on) return;
    pen.strokeStyle = state.ink.ink;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(x, y, step.part ? 13.5 : 9, 0, 7);
    pen.stroke();
  }

  function cross(x, y) {
    pen.strokeStyle = state.ink.paper;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x - 4, y - 4);
    pen.lineTo(x + 4, y + 4);
    pen.moveTo(x + 4, y - 4);
    pen.lineTo(x - 4, y + 4);
    pen.stroke();
  }

  // From afar there is no room for text, so only what matters is named, where it does not cover another name.
  function drawNames(first, last) {
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const taken = [];
    const named = state.items.slice(first, last).filter((item) => item.step !== undefined && keeps(steps[item.step]));
    const weight = { cause: 0, lead: 0, symptom: 1 };
    for (const item of named.sort((a, b) => (weight[steps[a.step].part] ?? 2) - (weight[steps[b.step].part] ?? 2))) {
      const step = steps[item.step];
      const y = item.top + item.height / 2 - state.top;
      if (taken.some((other) => Math.abs(other - y) < 15)) continue;
      taken.push(y);
      const words = `step ${step.index}${step.part ? ` · ${PARTS[step.part]}` : ""}`;
      const across = pen.measureText(words).width;
      const x = Math.min(laneX(step.lane) + 18, canvas.clientWidth - across - 6);
      pen.fillStyle = state.ink.paper;
      pen.fillRect(x - 3, y - 9, across + 6, 18);
      pen.fillStyle = step.part ? state.ink.accent : state.ink.ink;
      pen.fillText(words, x, y);
    }
  }

  const at = (y) => {
    let [low, high] = [0, state.items.length];
    while (low < high) {
      const half = (low + high) >> 1;
      if (state.items[half].top + state.items[half].height <= y) low = half + 1;
      else high = half;
    }
    return low;
  };

  function draw() {
    queued = false;
    state.top = scroller.scrollTop;
    const scale = devicePixelRatio || 1;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.strokeStyle = state.ink.rule;
    pen.lineWidth = 1;
    for (let lane = 0; lane < state.lanes; lane++) {
      pen.beginPath();
      pen.moveTo(laneX(lane), 0);
      pen.lineTo(laneX(lane), state.height);
      pen.stroke();
    }
    const [first, last] = [at(state.top), Math.min(state.items.length, at(state.top + state.height) + 1)];
    drawEdges();
    const shown = state.items.slice(first, last).filter((item) => item.step !== undefined);
    for (const item of shown) if (!steps[item.step].part) dot(item);
    for (const item of shown) if (steps[item.step].part) dot(item);
    if (text()) keepRows(first, last);
    else drawNames(first, last);
    strip.draw(state);
  }

  function paint() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(draw);
  }

  // ---- rows of text ----
  function keepRows(first, last) {
    const wanted = state.items.slice(Math.max(0, first - AHEAD), last + AHEAD);
    const keys = new Set(wanted.map((item) => item.key));
    for (const [key, node] of live) {
      if (keys.has(key) || node.contains(document.activeElement)) continue;
      node.remove();
      live.delete(key);
    }
    for (const item of wanted) {
      if (live.has(item.key)) continue;
      const node = item.step !== undefined ? stepRow(steps[item.step]) : item.fold ? foldRow(item) : phaseRow(item);
      node.style.setProperty("top", `${item.top}px`);
      node.style.setProperty("height", `${item.height}px`);
      live.set(item.key, node);
      const after = [...rows.children].find((other) => Number(other.dataset.at) > item.top);
      node.dataset.at = item.top;
      rows.insertBefore(node, after ?? null);
    }
  }

  function stepRow(step) {
    const said = oneLine(step.content || (step.tool || step.arguments ? `${step.tool || "call"}(${step.arguments})` : step.reasoning), 240) || "(no text)";
    const link = make(
      "a",
      step.index === chosen ? "on" : "",
      make("span", "index", String(step.index)),
      make(
        "span",
        "line",
        make("bdi", "agent", oneLine(step.agent, 48)),
        step.part ? make("span", "tag", PARTS[step.part]) : null,
        step.status ? make("span", "tag status", step.status) : null,
        step.index in run.anchors ? make("span", "tag measured", "sentences") : null,
        make("bdi", "said", said),
      ),
    );
    link.href = `#step=${step.index}`;
    link.dataset.step = step.index;
    const node = make("li", `row ${step.part}${step.part ? " tall" : ""}${state.hits?.has(step.index) ? " hit" : ""}`, link);
    node.setAttribute("aria-posinset", step.index + 1);
    node.setAttribute("aria-setsize", steps.length);
    return node;
  }

  function foldRow(item) {
    const lanes = [...new Set(item.fold.map((k) => steps[k].lane))];
    const open = () => {
      for (const lane of lanes) folded.agents.delete(lane);
      arrange();
      label();
    };
    return make("li", "row folded", button(`${counted(item.fold.length, "step")} of ${lanes.map(name).join(", ")} folded`, open));
  }

  function phaseRow(item) {
    const phase = run.phases[item.phase];
    const shut = folded.phases.has(item.phase);
    const range = phase.first === phase.last ? `step ${phase.first}` : `steps ${phase.first}–${phase.last}`;
    const opens = OPENS[phase.opens] ? ` · ${OPENS[phase.opens]}` : "";
    const head = button(`${shut ? "▸" : "▾"} Phase ${item.phase + 1} · ${range}${opens}`, () => toggle(folded.phases, item.phase), "phase");
    head.setAttribute("aria-expanded", String(!shut));
    return make("li", "row heading", head);
  }

  // ---- what one does with it ----
  function choose(index, { scroll = true } = {}) {
    const before = place[index];
    chosen = index;
    markedEdge = null;
    if (before === undefined || state.items[before]?.step !== index) arrange();
    for (const node of live.values()) node.firstElementChild?.classList.toggle("on", Number(node.firstElementChild.dataset.step) === index);
    if (scroll) reveal(index);
    paint();
  }

  function reveal(index, far = 90) {
    const item = state.items[place[index]];
    if (!item) return;
    const view = [scroller.scrollTop + far, scroller.scrollTop + scroller.clientHeight - far - item.height];
    if (item.top < view[0] || item.top > view[1]) scroller.scrollTop = item.top - scroller.clientHeight / 2 + item.height / 2;
  }

  function zoom(factor, y = state.height / 2) {
    const item = state.items[at(scroller.scrollTop + y)];
    const anchor = item?.step ?? item?.fold?.[0] ?? run.phases[item?.phase]?.first ?? 0;
    const least = Math.min(1, (scroller.clientHeight - 2 * MARGIN) / (steps.length * SHORT));
    state.zoom = Math.max(least, Math.min(2, state.zoom * factor));
    if (factor < 1 && state.zoom * SHORT < READABLE && state.zoom / factor >= 1) state.zoom = Math.max(least, (READABLE - 6) / SHORT);
    resize();
    scroller.scrollTop = middle(anchor) - y;
  }

  function fit() {
    const least = (scroller.clientHeight - 2 * MARGIN) / (steps.length * SHORT);
    state.zoom = state.zoom < 1 || least >= 1 ? 1 : least;
    resize();
    if (state.zoom === 1 && chosen !== null) reveal(chosen, scroller.clientHeight / 3);
  }

  function seek(share) {
    scroller.scrollTop = share * state.total - scroller.clientHeight / 2;
  }

  function resize() {
    if (!scroller.clientHeight) return;
    ink();
    size();
    arrange();
    label();
    hooks.changed();
  }

  function search(wanted) {
    const word = wanted.trim().toLowerCase();
    state.hits = word ? new Set(steps.filter((step) => run.searchable(step).includes(word)).map((step) => step.index)) : null;
    rows.classList.toggle("searching", Boolean(word));
    for (const node of live.values()) node.classList.toggle("hit", Boolean(state.hits?.has(Number(node.firstElementChild.dataset.step))));
    paint();
    return state.hits ? [...state.hits] : [];
  }

  function visible(by) {
    const order = state.items.filter((item) => item.step !== undefined).map((item) => item.step);
    const now = order.indexOf(chosen);
    return order[Math.max(0, Math.min(order.length - 1, now + by))];
  }

  function foldPhases() {
    inPhases = !inPhases;
    folded.phases.clear();
    if (inPhases) for (const number of run.phases.keys()) folded.phases.add(number);
    arrange();
    hooks.changed();
  }

  // ---- pointing ----
  function near(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const item = state.items[at(state.top + y)];
    if (item?.step !== undefined && Math.abs(laneX(steps[item.step].lane) - x) < 12) return { step: item.step };
    let best = { gap: 6 };
    for (const { edge } of drawn()) {
      const [x1, y1, a1, b1, a2, b2, x2, y2] = trace(edge);
      for (let t = 0; t <= 1; t += 0.04) {
        const u = 1 - t;
        const px = u * u * u * x1 + 3 * u * u * t * a1 + 3 * u * t * t * a2 + t * t * t * x2;
        const py = u * u * u * y1 + 3 * u * u * t * b1 + 3 * u * t * t * b2 + t * t * t * y2;
        const gap = Math.hypot(px - x, py - y);
        if (gap < best.gap) best = { gap, edge };
      }
    }
    return best.edge ? best : item?.step !== undefined && !text() ? { step: item.step } : {};
  }

  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    drag = { y: event.clientY, top: scroller.scrollTop, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag && event.buttons === 1) {
      drag.moved ||= Math.abs(event.clientY - drag.y) > 4;
      if (drag.moved) scroller.scrollTop = drag.top - (event.clientY - drag.y);
      return;
    }
    const found = near(event);
    canvas.classList.toggle("over", Boolean(found.step !== undefined || found.edge));
    if (found.step !== undefined) showTip(`step ${found.step} · ${oneLine(steps[found.step].agent, 60)}`, event.clientX, event.clientY);
    else if (found.edge) showTip(`${found.edge.source} → ${found.edge.target} · ${found.edge.origin} ${found.edge.weight.toFixed(2)}: click to see the words`, event.clientX, event.clientY);
    else hideTip();
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("pointerup", (event) => {
    const click = drag && !drag.moved;
    drag = null;
    if (!click) return;
    const found = near(event);
    if (found.step !== undefined) go({ step: found.step });
    else if (found.edge) hooks.edge(found.edge);
  });
  scroller.addEventListener("scroll", paint, { passive: true });
  scroller.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientY - scroller.getBoundingClientRect().top);
    },
    { passive: false },
  );
  const watch = new ResizeObserver(resize);
  watch.observe(scroller);

  return {
    body,
    choose,
    zoom,
    fit,
    search,
    next: visible,
    foldPhases,
    redraw: resize,
    mark: (edge) => {
      markedEdge = edge;
      paint();
    },
    isFar: () => !text(),
    isFolded: () => inPhases,
    origins: { shown: (origin) => !hidden.has(origin), toggle: (origin) => toggle(hidden, origin) },
    everyRow: () => steps.map((step) => stepRow(step)),
    stop: () => watch.disconnect(),
  };
}
