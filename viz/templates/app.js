// Shows one step's evidence at a time. Log text only ever becomes a text node, so nothing in it can run.
"use strict";
(() => {
  const SHOWN = 4000; // characters of a text before "Show all"
  const LIT = 12; // edges of the chosen step that are drawn; the panel lists all
  const MARKS = 400; // highlighted passages per text
  const data = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("evidence");
  const steps = new Map(data.steps.map((step) => [step.index, step]));
  const PARTS = { cause: "root cause", lead: "best guess", symptom: "symptom", path: "on the path" };
  let current = null;

  function make(tag, className, ...children) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children); // strings become text nodes
    return node;
  }

  function section(title, ...children) {
    return make("section", "", make("h2", "", title), ...children);
  }

  const onPath = (index) => Boolean(steps.get(index)?.part);

  // The passages of a step that came in or went out; those on the way from cause to symptom are keys.
  function passages(index) {
    const found = [];
    for (const edge of data.edges) {
      const key = onPath(edge.source) && onPath(edge.target);
      const spans = edge.target === index ? edge.to : edge.source === index ? edge.from : [];
      for (const [start, end] of spans) found.push({ start, end, key });
    }
    return found.sort((a, b) => b.key - a.key || a.start - b.start).slice(0, MARKS).sort((a, b) => a.start - b.start);
  }

  function marked(text, spans) {
    const node = document.createDocumentFragment();
    let at = 0;
    for (const { start, end, key } of spans) {
      const from = Math.max(start, at);
      const to = Math.min(end, text.length);
      if (from >= to) continue;
      node.append(text.slice(at, from), make("mark", key ? "key" : "", text.slice(from, to)));
      at = to;
    }
    node.append(text.slice(at));
    return node;
  }

  function block(text, spans = [], className = "") {
    const pre = make("pre", className, marked(text.slice(0, SHOWN), spans));
    pre.dir = "auto";
    if (text.length <= SHOWN) return [pre];
    const more = make("button", "quiet", `Show all ${text.length.toLocaleString("en")} characters`);
    more.type = "button";
    more.addEventListener("click", () => {
      pre.replaceChildren(marked(text, spans));
      more.remove();
    });
    return [pre, more];
  }

  function links(title, edges, end) {
    if (!edges.length) return [];
    const list = make("ul", "links");
    for (const edge of edges) {
      const other = steps.get(edge[end]);
      const link = make(
        "a",
        onPath(edge.source) && onPath(edge.target) ? "route" : "",
        make("b", "", `step ${other.index} · `, make("bdi", "", other.agent)),
        " ",
        make("span", "how", `${edge.origin} ${edge.weight.toFixed(2)}`),
        make("span", "carry", edge.carried),
      );
      link.href = `#step=${other.index}`;
      list.append(make("li", "", link));
    }
    return [section(title, list)];
  }

  function head(step) {
    const close = make("button", "quiet close", "Close");
    close.type = "button";
    close.addEventListener("click", () => panel.classList.remove("open"));
    const part = step.part ? [make("span", "part", PARTS[step.part])] : [];
    return [
      make("div", "top", make("span", "title", `Step ${step.index}`), ...part, close),
      make("div", "", make("bdi", "", step.agent)),
      make("p", "meta", step.facts.join(" · ")),
    ];
  }

  function body(step) {
    const parts = [];
    if (step.figure) {
      const cues = step.cues.length ? step.cues : ["no cue fired"];
      parts.push(section(`Why it is a candidate: ${step.figure}`, make("ul", "why", ...cues.map((cue) => make("li", "", cue)))));
    }
    if (step.outcome) parts.push(section("How the tool call ended", make("p", "", step.outcome)));
    const spans = passages(step.index);
    const shift = step.content.length + 1; // arguments count on from the content, after a line end
    const called = spans.map(({ start, end, key }) => ({ start: start - shift, end: end - shift, key }));
    if (step.content) parts.push(section("Text", ...block(step.content, spans)));
    if (step.tool || step.arguments) parts.push(section(`Call: ${step.tool}`, ...block(step.arguments, called, "code")));
    if (step.reasoning) parts.push(section("Reasoning", ...block(step.reasoning)));
    if (step.reasoning_state === "unreadable") parts.push(section("Reasoning", make("p", "meta", "Present in the log, but encrypted or hidden.")));
    return parts;
  }

  function show(index) {
    const step = steps.get(index);
    if (!step) return false;
    current = index;
    const heavy = (a, b) => b.weight - a.weight;
    panel.replaceChildren(
      ...head(step),
      ...body(step),
      ...links("Came from", data.edges.filter((edge) => edge.target === index).sort(heavy), "source"),
      ...links("Went into", data.edges.filter((edge) => edge.source === index).sort(heavy), "target"),
    );
    panel.scrollTop = 0;
    light(index);
    return true;
  }

  function light(index) {
    document.querySelectorAll(".on, .lit").forEach((node) => node.classList.remove("on", "lit"));
    document.querySelectorAll(`a[href="#step=${index}"]`).forEach((node) => node.closest(".hops") || node.classList.add("on"));
    document.querySelector(`.dot[data-step="${index}"]`)?.classList.add("on");
    const edges = document.querySelectorAll(`.edge[data-source="${index}"], .edge[data-target="${index}"]`);
    [...edges].slice(0, LIT).forEach((node) => node.classList.add("lit")); // drawn strongest first
  }

  const row = (index) => document.querySelector(`.row a[data-step="${index}"]`);
  const linked = () => Number(/^#step=(\d{1,9})$/.exec(location.hash)?.[1] ?? NaN);
  const go = (index) => steps.has(index) && location.replace(`#step=${index}`);

  function move(by) {
    const order = data.steps.map((step) => step.index);
    go(order[Math.max(0, Math.min(order.length - 1, order.indexOf(current) + by))]);
  }

  function follow() {
    if (!show(linked())) return;
    panel.classList.add("open");
    row(current)?.scrollIntoView({ block: "nearest" });
  }

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    c: () => go(data.first),
    "/": () => document.getElementById("search").focus(),
    Escape: () => panel.classList.remove("open"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
    if (!Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  const rows = document.querySelector(".rows");
  document.getElementById("search").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let hits = 0;
    for (const step of data.steps) {
      const text = `${step.agent}\n${step.content}\n${step.reasoning}\n${step.tool}\n${step.arguments}`.toLowerCase();
      const hit = wanted !== "" && text.includes(wanted);
      hits += hit;
      row(step.index).parentElement.classList.toggle("hit", hit);
    }
    rows.classList.toggle("searching", wanted !== "");
    document.getElementById("found").textContent = wanted ? `${hits} of ${data.steps.length}` : "";
  });

  document.getElementById("more")?.addEventListener("click", (event) => {
    document.querySelector(".candidates").classList.add("all");
    event.target.remove();
  });

  window.addEventListener("hashchange", follow);
  // A click on the step that is already in the address changes no hash, so it says so itself.
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("a")?.getAttribute("href") === location.hash) follow();
  });
  if (steps.has(linked())) {
    follow();
  } else {
    show(data.first ?? data.steps[0]?.index);
    if (matchMedia("(min-width: 760px)").matches) row(current)?.scrollIntoView({ block: "center" });
  }
})();
