// From sentence to sentence: the matrix as a picture, and the largest links as a list that says the same in words.
function sentenceToSentence(r) {
  const { method } = r;
  const held = method.matrix?.some((row) => row.some((value) => value !== 0));
  const links = method.links.slice(0, 8).map((each) => make("li", "", sentenceRef(r, each.source), " → ", sentenceRef(r, each.target), " ", tip(make("b", each.low === undefined ? "weighs" : each.value > 0 ? "towards" : "against", each.low === undefined ? threeDigits(each.value) : signed(each.value)), each.low === undefined ? method.score : `${intervalWords(each.low, each.high)}, q ${pOf(each.q)}`), " ", make("bdi", "an-soft", oneLine(r.view.sentences[each.target].text, 70))));
  const groups = method.redundant.slice(0, 5).map((each) => make("li", "", ...listedRefs(r, each.sentences), " for ", sentenceRef(r, each.target), tip(make("span", "an-soft", `: ${each.joint.toFixed(2)} together, ${each.single.toFixed(2)} at most alone`), "KL in nats when hidden together, and one by one")));
  const map = held ? matrixPicture(r) : null;
  const list = make("div", "", links.length ? [make("h3", "", "Strongest links"), make("ul", "an-pairs", links)] : [], groups.length ? [make("h3", "", "Either of these suffices"), make("ul", "an-pairs", groups)] : []);
  if (!map && !links.length && !groups.length) return [];
  return [make("section", "an-between", make("h2", "", "From sentence to sentence"), make("div", "an-halves", map, list))];
}

const HEAT_SIZE = 900; // pixels of the canvas' longer side, at least

// One canvas, whatever the number of sentences. Rows are the reasoning's sentences, columns all that stand before them.
function matrixPicture(r) {
  const { matrix } = r.method;
  const last = matrix.length - 1;
  const from = matrix.some((row) => row.slice(0, r.first).some((value) => value !== 0)) ? 0 : r.first;
  const [columns, rows] = [last + 1 - from, last + 1 - r.first];
  const cell = Math.ceil(HEAT_SIZE / columns);
  const canvas = make("canvas", "an-heat");
  [canvas.width, canvas.height] = [columns * cell, rows * cell];
  canvas.style.setProperty("aspect-ratio", String(Math.min(columns / rows, 5)));
  canvas.setAttribute("aria-hidden", "true");
  const largest = matrix.flat().reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  const minus = matrix.some((row) => row.some((value) => value < 0));
  const paint = (chosen) => paintMatrix(canvas, r, { from, columns, rows, cell, largest, chosen });
  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    const target = r.first + Math.floor((rows * (event.clientY - box.top)) / box.height);
    const source = from + Math.floor((columns * (event.clientX - box.left)) / box.width);
    return source >= from && target > source && target <= last ? [target, source] : null;
  };
  canvas.addEventListener("pointermove", (event) => {
    const found = spot(event);
    if (!found) return hideTip();
    const words = (k) => `${k}: ${oneLine(r.view.sentences[k].text, 90)}`;
    const value = matrix[found[0]][found[1]];
    return showTip(`${r.method.signed ? signed(value) : threeDigits(value)}\n${words(found[1])}\n→ ${words(found[0])}`, event.clientX, event.clientY);
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("click", (event) => {
    const found = spot(event);
    if (found) r.state.pick(found[1], null);
  });
  anchorRepaint = () => canvas.isConnected && paint(r.state.chosen);
  requestAnimationFrame(() => anchorRepaint());
  const words = r.method.signed ? "How far a sentence (column) moves the chance that a later one (row) is written." : "How much a sentence (column) weighs for a later one (row).";
  const ramp = make("span", `an-ramp${minus ? " an-both" : r.method.signed ? " an-plus" : ""}`);
  const scale = make("span", "an-scale", minus ? `−${threeDigits(largest)}` : "0", ramp, threeDigits(largest));
  const unsure = r.method.signed && !r.method.links.length ? " None of these changes is certain." : "";
  canvas.style.setProperty("--columns", columns);
  const dashed = from < r.first ? " Left of the dashes: what it was given." : "";
  return make("figure", "an-heat-map", canvas, make("figcaption", "an-soft", `${words} Columns ${from} to ${last}, rows ${r.first} to ${last}.${dashed}${unsure} `, scale));
}

// Each cell in its hue, with the square root of its share as opacity, so that small effects show, too.
function paintMatrix(canvas, r, { from, columns, rows, cell, largest, chosen }) {
  const { matrix, signed: direction } = r.method;
  const pen = canvas.getContext("2d");
  const hues = { plus: colour(direction ? "--accent" : "--weight"), minus: colour("--counter"), ink: colour("--ink"), faint: colour("--faint") };
  const box = (source, target) => [(source - from) * cell, (target - r.first) * cell, cell, cell];
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (let target = r.first; target < r.first + rows; target += 1) {
    pen.globalAlpha = 0.35;
    pen.fillStyle = hues.faint;
    pen.fillRect(...box(target, target));
    matrix[target].forEach((value, source) => {
      if (value === 0 || source < from) return;
      pen.globalAlpha = Math.sqrt(Math.abs(value) / largest);
      pen.fillStyle = value > 0 ? hues.plus : hues.minus;
      pen.fillRect(...box(source, target));
    });
  }
  pen.globalAlpha = 1;
  pen.lineWidth = canvas.width / 300;
  if (from < r.first) {
    pen.strokeStyle = hues.faint;
    pen.setLineDash([8, 8]);
    pen.strokeRect((r.first - from) * cell, -9, columns * cell, rows * cell + 18);
    pen.setLineDash([]);
  }
  if (chosen === null || chosen < from) return;
  pen.fillStyle = hues.ink;
  pen.globalAlpha = 0.12;
  pen.fillRect((chosen - from) * cell, Math.max(0, chosen - r.first + 1) * cell, cell, rows * cell);
  if (chosen >= r.first) pen.fillRect(0, (chosen - r.first) * cell, (chosen - from) * cell, cell);
}

new MutationObserver(() => anchorRepaint()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => anchorRepaint());
