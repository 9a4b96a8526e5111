// Which rows a run has at this zoom and with this much folded, and where they stand. Heights in CSS pixels.
const SHORT = 26; // of a row that recedes, at zoom 1
const TALL = 54; // of one that matters
const READABLE = 17; // under this row height there is no text beside the lanes
const FOLD = 24; // of a folded stretch, and of a phase's heading
const MARGIN = 14; // above the first row and below the last

function viewOf(run) {
  return {
    run,
    steps: run.steps,
    lanes: run.lanes.length,
    items: [], // { key, top, height } and one of { step }, { fold: [steps] }, { phase }
    place: [], // item of each step
    total: 0,
    top: 0, // of the window
    height: 0,
    width: 0,
    gap: 0, // between lanes
    zoom: 1,
    chosen: null,
    edge: null, // the chosen edge
    hits: null, // steps that hold the searched words
    inPhases: false, // phases have headings, by which each is opened and folded
    agents: new Set(), // folded lanes
    phases: new Set(), // folded phases
    hidden: new Set(), // origins that are switched off
    ink: {},
  };
}

const readable = (view) => SHORT * view.zoom >= READABLE;
const keeps = (view, step) => Boolean(step.part) || step.index === view.chosen;

function rowHeight(view, step) {
  return readable(view) && step.part ? TALL : SHORT * view.zoom;
}

function arrange(view) {
  const items = [];
  view.place = new Array(view.steps.length);
  for (const [number, phase] of view.run.phases.entries()) {
    const shut = view.phases.has(number);
    if (view.inPhases) items.push({ key: `p${number}`, phase: number, height: FOLD });
    for (let k = phase.first; k <= phase.last; k++) {
      addStep(view, items, k, shut);
      view.place[k] = items.length - 1;
    }
  }
  let top = MARGIN;
  for (const item of items) {
    item.top = top;
    top += item.height;
  }
  view.items = items;
  view.total = top + MARGIN;
}

function addStep(view, items, k, shut) {
  const step = view.steps[k];
  const away = !keeps(view, step) && (shut || view.agents.has(step.lane));
  if (!away) items.push({ key: `s${k}`, step: k, height: rowHeight(view, step) });
  else if (!shut && items.at(-1)?.fold) items.at(-1).fold.push(k);
  else if (!shut) items.push({ key: `f${k}`, fold: [k], height: FOLD });
}

function spacing(view) {
  if (!readable(view)) return Math.max(14, Math.min(150, (view.width - 150) / view.lanes));
  const narrow = view.width < 420;
  return Math.max(narrow ? 8 : 18, Math.min(44, (narrow ? 92 : 190) / view.lanes));
}

const laneX = (view, lane) => 34 + lane * view.gap;
const lanesWidth = (view) => laneX(view, view.lanes - 1) + Math.max(20, view.gap / 2);

// The middle of a step's row, or of the row that it is folded into, from the top of the run.
function middle(view, index) {
  const item = view.items[view.place[index]];
  return item ? item.top + item.height / 2 : 0;
}

// The first item that ends below y.
function itemAt(view, y) {
  let [low, high] = [0, view.items.length];
  while (low < high) {
    const half = (low + high) >> 1;
    if (view.items[half].top + view.items[half].height <= y) low = half + 1;
    else high = half;
  }
  return low;
}

function laneName(view, lane) {
  const [agent, others] = view.run.lanes[lane];
  return others ? counted(others, "other") : agent;
}
