// Small tools for the page. Log text only ever becomes a text node or an attribute's value, so nothing in it can run.
const SHOWN = 4000; // characters of a text before "Show all"
const TICKS = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function button(label, action, className = "quiet") {
  const node = make("button", className, label);
  node.type = "button";
  node.addEventListener("click", action);
  return node;
}

function section(title, ...children) {
  return make("section", "", make("h2", "", title), ...children);
}

// A foreign name or text on one line: white space collapsed, control and reordering characters dropped.
function oneLine(text, width) {
  const head = text.slice(0, width * 8 + 400).replace(TICKS, "").replace(/\s+/g, " ").trim();
  return head.length <= width && text.length <= width * 8 + 400 ? head : `${head.slice(0, width - 1).trimEnd()}…`;
}

const percent = (share) => (share < 0.01 ? "<1 %" : share > 0.99 ? ">99 %" : `${Math.round(100 * share)} %`);
const signed = (value, digits = 2) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// The text with the given slices ({start, end, key}, in order) marked.
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

// A text as it stands; a long one waits behind a button, one that was cut for the report says so.
function textBlock(text, { spans = [], className = "", cut = 0 } = {}) {
  const pre = make("pre", className, marked(text.slice(0, SHOWN), spans));
  pre.dir = "auto";
  const parts = [pre];
  if (text.length > SHOWN) {
    const more = button(`Show all ${text.length.toLocaleString("en")} characters`, () => {
      pre.replaceChildren(marked(text, spans));
      more.remove();
    });
    parts.push(more);
  }
  if (cut) parts.push(make("p", "cut", `Cut for this report: the first ${text.length.toLocaleString("en")} of ${cut.toLocaleString("en")} characters.`));
  return parts;
}

// Of several links, the one to what is on view.
function setCurrent(link, is) {
  link.classList.toggle("on", is);
  if (is) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

// One tooltip for the page: what a figure rests on, at hover and at keyboard focus.
const hovered = make("div", "tip");
hovered.id = "tip";
hovered.setAttribute("role", "tooltip");
hovered.hidden = true;

function showTip(words, x, y) {
  hovered.textContent = words;
  hovered.hidden = false;
  const { width, height } = hovered.getBoundingClientRect();
  hovered.style.setProperty("left", `${Math.max(8, Math.min(x + 12, innerWidth - width - 8))}px`);
  hovered.style.setProperty("top", `${y + 20 + height > innerHeight ? Math.max(8, y - height - 12) : y + 20}px`);
}

function hideTip() {
  hovered.hidden = true;
}

// A figure that stands outside of links, buttons and tables takes the focus itself, so that the keyboard reaches its tip.
function tip(node, words) {
  node.dataset.tip = words;
  node.setAttribute("aria-description", words);
  queueMicrotask(() => node.closest("a, button, summary, td, th, svg, [tabindex], [aria-hidden=true]") || (node.tabIndex = 0));
  return node;
}

// The tip of what has the keyboard's focus; none where that has none.
function tipAt(target) {
  const node = target.closest?.("[data-tip]") ?? (target.matches("a, button") && target.querySelector("[data-tip]"));
  if (!node || !target.matches(":focus-visible")) return hideTip();
  const box = target.getBoundingClientRect();
  return showTip(node.dataset.tip, box.left, box.bottom - 12);
}

function watchTips() {
  document.body.append(hovered);
  const from = (event) => event.target.closest?.("[data-tip]");
  let rests = "";
  document.addEventListener("pointermove", (event) => {
    const at = `${event.clientX} ${event.clientY}`;
    if (at === rests) return; // the page moved under a pointer that rests
    rests = at;
    const node = from(event);
    if (node) showTip(node.dataset.tip, event.clientX, event.clientY);
    else if (!event.target.closest?.("canvas")) hideTip();
  });
  document.addEventListener("focusin", (event) => tipAt(event.target));
  for (const end of ["pointerdown", "keydown"]) document.addEventListener(end, hideTip);
  // The focus itself scrolls what it comes to into view: that moves its tip, and hides any other.
  document.addEventListener("scroll", () => hovered.hidden || tipAt(document.activeElement), { passive: true, capture: true });
}

// A colour of the style sheet as the browser resolves it now, for canvases.
const probe = make("span", "probe");
probe.hidden = true;

function colour(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.setProperty("color", `var(${name})`);
  return getComputedStyle(probe).color;
}

// What Python deflated, back as an object. Bytes never leave the page: there is no request in this.
async function inflate(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}
