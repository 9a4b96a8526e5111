// The lanes on their canvas: edges by origin, the way from the cause to the symptom, a shape for each step in view.
const LIT = 12; // edges of the chosen step that are drawn strongly; the panel lists all
const DASHES = { declared: [], reused: [5, 3], similar: [1, 3], measured: [] };
const RADII = { cause: 10, lead: 9, symptom: 8, path: 5.5 };

// From row to row: between lanes it leaves and arrives vertically, within one it bulges so as not to cover its steps.
function trace(view, edge) {
  const [x1, y1] = [laneX(view, view.steps[edge.source].lane), middle(view, edge.source) - view.top];
  const [x2, y2] = [laneX(view, view.steps[edge.target].lane), middle(view, edge.target) - view.top];
  const drop = y2 - y1;
  const bend = Math.max(-60, Math.min(60, drop / 2));
  const bulge = x1 === x2 ? (0.9 * Math.min(40, view.gap) * Math.abs(drop)) / (Math.abs(drop) + 300) + 3 : 0;
  return [x1, y1, x1 + bulge, y1 + bend, x2 + bulge, y2 - bend, x2, y2];
}

// How far a point of the window is from the curve.
function distance([x1, y1, a1, b1, a2, b2, x2, y2], x, y) {
  let least = Infinity;
  for (let t = 0; t <= 1; t += 0.04) {
    const u = 1 - t;
    const weights = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
    const px = weights[0] * x1 + weights[1] * a1 + weights[2] * a2 + weights[3] * x2;
    const py = weights[0] * y1 + weights[1] * b1 + weights[2] * b2 + weights[3] * y2;
    least = Math.min(least, Math.hypot(px - x, py - y));
  }
  return least;
}

function inWindow(view, edge) {
  if (view.place[edge.source] === view.place[edge.target]) return false;
  const [from, to] = [middle(view, edge.source), middle(view, edge.target)];
  return Math.max(from, to) >= view.top && Math.min(from, to) <= view.top + view.height;
}

// The edges on view: the main ones, and the strongest of the chosen step.
function edgesShown(view) {
  const shown = (edge) => !view.hidden.has(edge.origin);
  const near = view.run.touching(view.chosen).filter(shown).sort((a, b) => b.weight - a.weight);
  const lit = new Set(near.slice(0, LIT));
  return view.run.edges
    .filter((edge) => (edge.main || lit.has(edge)) && shown(edge) && inWindow(view, edge))
    .map((edge) => ({ edge, lit: lit.has(edge) }));
}

function drawRun(pen, view) {
  const scale = devicePixelRatio || 1;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  for (let lane = 0; lane < view.lanes; lane++) {
    stroke(pen, view.ink.rule, 1, () => {
      pen.moveTo(laneX(view, lane), 0);
      pen.lineTo(laneX(view, lane), view.height);
    });
  }
  drawEdges(pen, view);
  drawRoute(pen, view);
  const first = itemAt(view, view.top);
  const last = Math.min(view.items.length, itemAt(view, view.top + view.height) + 1);
  // From afar many steps share a pixel: of those that do not matter one for each pixel is drawn.
  const every = Math.max(1, Math.floor(1 / Math.max(0.05, SHORT * view.zoom)));
  const drawn = (item, k) => item.step !== undefined && (k % every === 0 || keeps(view, view.steps[item.step]) || view.steps[item.step].status);
  const items = view.items.slice(first, last).filter(drawn);
  for (const item of items) if (!view.steps[item.step].part) drawStep(pen, view, item);
  for (const item of items) if (view.steps[item.step].part) drawStep(pen, view, item);
  if (!readable(view)) drawNames(pen, view, items);
  return [first, last];
}

function stroke(pen, colour, width, path) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  path();
  pen.stroke();
}

function curve(pen, view, edge, colour, width) {
  const [x, y, ...rest] = trace(view, edge);
  stroke(pen, colour, width, () => {
    pen.moveTo(x, y);
    pen.bezierCurveTo(...rest);
  });
}

function drawEdges(pen, view) {
  for (const { edge, lit } of edgesShown(view)) {
    pen.setLineDash(DASHES[edge.origin] ?? []);
    pen.globalAlpha = lit ? 0.75 : readable(view) ? 0.3 : 0.12;
    curve(pen, view, edge, lit ? view.ink.ink : view.ink.soft, edge.origin === "measured" ? 2.5 : 1);
  }
  pen.globalAlpha = 1;
}

function drawRoute(pen, view) {
  for (const hop of view.run.route.filter((each) => inWindow(view, each))) {
    pen.setLineDash(hop.tied ? [] : [2, 6]); // where no words went along, the way is a guess
    curve(pen, view, hop, view.ink.accent, 2.5);
  }
  pen.setLineDash([]);
  if (view.edge && inWindow(view, view.edge)) curve(pen, view, view.edge, view.ink.ink, 3);
}

function disc(pen, colour, x, y, radius) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}

// Shapes, not only colours: the cause is a large disc with a cross, the symptom a ring, the path small discs.
function drawStep(pen, view, item) {
  const step = view.steps[item.step];
  const [x, y] = [laneX(view, step.lane), item.top + item.height / 2 - view.top];
  const small = Math.max(1.2, Math.min(3.5, item.height / 3));
  const on = step.index === view.chosen;
  const { accent, ink, faint, paper } = view.ink;
  if (step.part) disc(pen, accent, x, y, RADII[step.part]);
  else if (step.status) {
    pen.fillStyle = ink;
    pen.fillRect(x - small, y - small, 2 * small, 2 * small);
  } else disc(pen, on ? ink : faint, x, y, on ? 5 : small);
  if (step.part === "symptom" || step.part === "lead") disc(pen, paper, x, y, 4.5);
  if (step.part === "cause") drawCross(pen, paper, x, y);
  if (on) stroke(pen, ink, 1.5, () => pen.arc(x, y, step.part ? 13.5 : 9, 0, 7));
}

function drawCross(pen, colour, x, y) {
  stroke(pen, colour, 2, () => {
    pen.moveTo(x - 4, y - 4);
    pen.lineTo(x + 4, y + 4);
    pen.moveTo(x + 4, y - 4);
    pen.lineTo(x - 4, y + 4);
  });
}

// From afar there is no room for text, so only what matters is named, where it does not cover another name.
function drawNames(pen, view, items) {
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const order = (item) => ({ cause: 0, lead: 0, symptom: 1 })[view.steps[item.step].part] ?? 2;
  const taken = [];
  for (const item of items.filter((each) => keeps(view, view.steps[each.step])).sort((a, b) => order(a) - order(b))) {
    const y = item.top + item.height / 2 - view.top;
    if (taken.some((other) => Math.abs(other - y) < 18)) continue;
    taken.push(y);
    drawName(pen, view, view.steps[item.step], y);
  }
}

function drawName(pen, view, step, y) {
  const words = `step ${step.index}${step.part ? ` · ${PARTS[step.part]}` : ""}`;
  const across = pen.measureText(words).width;
  const x = Math.min(laneX(view, step.lane) + 18, pen.canvas.clientWidth - across - 6);
  pen.fillStyle = view.ink.paper;
  pen.fillRect(x - 3, y - 9, across + 6, 18);
  pen.fillStyle = step.part ? view.ink.accent : view.ink.ink;
  pen.fillText(words, x, y);
}
