// The whole run in a strip beside the board: what matters, what broke, what was found; drag to go there.
const STRIP = 56; // its width in CSS pixels

function minimap(board) {
  const canvas = make("canvas", "minimap");
  canvas.setAttribute("aria-hidden", "true");
  const pen = canvas.getContext("2d");

  function draw(view) {
    const height = canvas.clientHeight;
    const scale = devicePixelRatio || 1;
    if (canvas.height !== Math.round(height * scale)) {
      canvas.width = STRIP * scale;
      canvas.height = Math.round(height * scale);
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, STRIP, height);
    const unit = height / Math.max(1, view.total);
    pen.fillStyle = view.ink.rule;
    pen.fillRect(0, view.top * unit, STRIP, Math.max(6, view.height * unit));
    const thin = Math.max(1, Math.min(3, unit * 20));
    for (const item of view.items) {
      if (item.step === undefined) continue;
      const step = view.steps[item.step];
      const x = 5 + ((STRIP - 14) * (step.lane + 0.5)) / view.lanes;
      const y = (item.top + item.height / 2) * unit;
      pen.fillStyle = step.part ? view.ink.accent : view.hits?.has(item.step) || step.status ? view.ink.ink : view.ink.faint;
      if (step.part) pen.fillRect(x - 4, y - 2, 9, 4);
      else if (view.hits?.has(item.step)) pen.fillRect(1, y - 1, 5, 2);
      else pen.fillRect(x, y, step.status ? 4 : 2, thin);
    }
  }

  function seek(event) {
    if (event.buttons !== 1) return;
    const box = canvas.getBoundingClientRect();
    board.seek((event.clientY - box.top) / box.height);
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    seek(event);
  });
  canvas.addEventListener("pointermove", seek);
  return { canvas, draw };
}
