// The run: agents as lanes, time downwards. Here is what one does with it; places.js, drawing.js and rows.js show it.
const INKS = ["paper", "ink", "soft", "faint", "rule", "accent"];
const REACH = 6; // pixels beside an edge that still hit it

function boardView(run, hooks) {
  const view = viewOf(run);
  const canvas = make("canvas", "lanes");
  canvas.setAttribute("aria-hidden", "true");
  const pen = canvas.getContext("2d");
  const list = make("ol", "rows");
  list.setAttribute("aria-label", "Steps in order of time");
  const space = make("div", "space", canvas, list);
  const scroller = make("div", "scroller", space);
  scroller.tabIndex = -1;
  const heads = make("div", "heads");
  const strip = minimap({ seek });
  const brief = view.steps.length * SHORT <= 700; // too short to need a map
  const body = make("div", brief ? "board brief" : "board", make("div", "column", heads, scroller), strip.canvas);
  const rows = rowKeeper(view, list, { turn, unfold });
  let queued = false;

  function paint() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      view.top = scroller.scrollTop;
      const [first, last] = drawRun(pen, view);
      if (readable(view)) rows.keep(first, last);
      if (!brief) strip.draw(view);
    });
  }

  function settle() {
    arrange(view);
    space.style.setProperty("height", `${view.total}px`);
    rows.clear();
    paint();
    hooks.changed();
  }

  function resize() {
    if (!scroller.clientHeight) return;
    for (const name of INKS) view.ink[name] = colour(`--${name}`);
    view.height = scroller.clientHeight;
    view.width = scroller.clientWidth;
    view.gap = spacing(view);
    const across = readable(view) ? lanesWidth(view) : view.width;
    const scale = devicePixelRatio || 1;
    for (const [name, length] of [["width", across], ["height", view.height]]) {
      canvas.style.setProperty(name, `${length}px`);
      canvas[name] = Math.round(length * scale);
    }
    list.style.setProperty("--lanes", `${lanesWidth(view)}px`);
    body.classList.toggle("far", !readable(view));
    settle();
    label();
  }

  function label() {
    heads.replaceChildren(
      ...run.lanes.map((_, lane) => {
        const name = laneName(view, lane);
        const shut = view.agents.has(lane);
        const head = button(oneLine(name, 22), () => (turn(view.agents, lane), label()), "head");
        head.setAttribute("aria-pressed", String(shut));
        head.style.setProperty("left", `${laneX(view, lane)}px`);
        return tip(head, `${name}: ${shut ? "show" : "fold"} its steps`);
      }),
    );
    heads.classList.toggle("flat", view.gap >= 90);
    heads.classList.toggle("tight", view.gap < 24);
  }

  function turn(set, value) {
    if (!set.delete(value)) set.add(value);
    settle();
  }

  function unfold(lanes) {
    for (const lane of lanes) view.agents.delete(lane);
    settle();
    label();
  }

  function foldPhases() {
    view.inPhases = !view.inPhases;
    view.phases = new Set(view.inPhases ? run.phases.keys() : []);
    settle();
  }

  function choose(index) {
    view.chosen = index;
    view.edge = null;
    if (view.items[view.place[index]]?.step !== index || view.agents.size || view.phases.size) settle();
    rows.mark();
    reveal(index, 90);
    paint();
  }

  function reveal(index, margin) {
    const item = view.items[view.place[index]];
    if (!item) return;
    const [from, to] = [scroller.scrollTop + margin, scroller.scrollTop + scroller.clientHeight - margin - item.height];
    if (item.top < from || item.top > to) scroller.scrollTop = item.top + item.height / 2 - scroller.clientHeight / 2;
  }

  // The zoom at which the whole run fits; never nearer than 1.
  const whole = () => Math.min(1, (scroller.clientHeight - 2 * MARGIN) / (view.steps.length * SHORT));

  function zoom(factor, y = view.height / 2) {
    const item = view.items[itemAt(view, scroller.scrollTop + y)];
    const anchor = item?.step ?? item?.fold?.[0] ?? run.phases[item?.phase]?.first ?? 0;
    view.zoom = Math.max(whole(), Math.min(2, view.zoom * factor));
    resize();
    scroller.scrollTop = middle(view, anchor) - y;
  }

  function fit() {
    view.zoom = view.zoom < 1 ? 1 : whole();
    resize();
    if (view.zoom === 1 && view.chosen !== null) reveal(view.chosen, scroller.clientHeight / 3);
  }

  function seek(share) {
    scroller.scrollTop = share * view.total - scroller.clientHeight / 2;
  }

  function search(wanted) {
    const word = wanted.trim().toLowerCase();
    const hits = word ? view.steps.filter((step) => run.searchable(step).includes(word)).map((step) => step.index) : [];
    view.hits = word ? new Set(hits) : null;
    list.classList.toggle("searching", Boolean(word));
    rows.mark();
    paint();
    return hits;
  }

  // The step before or after the chosen one, of those that are not folded.
  function next(by) {
    const order = view.items.filter((item) => item.step !== undefined).map((item) => item.step);
    return order[Math.max(0, Math.min(order.length - 1, order.indexOf(view.chosen) + by))];
  }

  function under(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const item = view.items[itemAt(view, view.top + y)];
    const step = item?.step;
    if (step !== undefined && Math.abs(laneX(view, view.steps[step].lane) - x) < 12) return { step };
    const near = edgesShown(view).map(({ edge }) => ({ edge, apart: distance(trace(view, edge), x, y) }));
    const [edge] = near.filter(({ apart }) => apart < REACH).sort((a, b) => a.apart - b.apart);
    return edge ?? (step !== undefined && !readable(view) ? { step } : {});
  }

  function hover(event) {
    const { step, edge } = under(event);
    canvas.classList.toggle("over", step !== undefined || edge !== undefined);
    const words =
      step !== undefined
        ? `step ${step} · ${oneLine(view.steps[step].agent, 60)}`
        : edge && `${edge.source} → ${edge.target} · ${edge.origin} ${edge.weight.toFixed(2)}: click to see the words`;
    if (words) showTip(words, event.clientX, event.clientY);
    else hideTip();
  }

  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    drag = { y: event.clientY, top: scroller.scrollTop, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag || event.buttons !== 1) return hover(event);
    drag.moved ||= Math.abs(event.clientY - drag.y) > 4;
    if (drag.moved) scroller.scrollTop = drag.top - (event.clientY - drag.y);
    return undefined;
  });
  canvas.addEventListener("pointerup", (event) => {
    const click = drag && !drag.moved;
    drag = null;
    const { step, edge } = click ? under(event) : {};
    if (step !== undefined) go({ step });
    else if (edge) hooks.edge(edge);
  });
  canvas.addEventListener("pointerleave", hideTip);
  scroller.addEventListener("scroll", paint, { passive: true });
  const wheel = (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientY - scroller.getBoundingClientRect().top);
  };
  scroller.addEventListener("wheel", wheel, { passive: false });
  const watch = new ResizeObserver(resize);
  watch.observe(scroller);

  return {
    body,
    choose,
    zoom,
    fit,
    search,
    next,
    foldPhases,
    redraw: resize,
    mark: (edge) => ((view.edge = edge), paint()),
    isFar: () => !readable(view),
    isFolded: () => view.inPhases,
    shows: (origin) => !view.hidden.has(origin),
    switchOrigin: (origin) => turn(view.hidden, origin),
    everyRow: () => view.steps.map((step) => stepRow(view, step)),
    stop: () => watch.disconnect(),
  };
}
