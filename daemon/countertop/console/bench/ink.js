/** From what a pointer did on a canvas to ink in a pad's own units, and ink as lines on a canvas. */

const MOST_SECONDS = 110;

/** Where a pad's points lie, from the capabilities of its Device. */
export function spaceOf(device) {
  const pad = device.info?.signaturePad ?? {};
  const units = pad.unitsPerMm || 100;
  return {
    width: Math.max(2, Math.floor((pad.widthMm || 96) * units)),
    height: Math.max(2, Math.floor((pad.heightMm || 60) * units)),
    unitsPerMm: units,
    pressureLevels: pad.pressureLevels ?? 0,
    reportRate: pad.reportRate || 100,
  };
}

/**
 * One stroke as a SignRequest. A pad reports at its own rate, whatever the pointer's is: what lies between two events
 * is on the straight line between them. Ends after what the emulator takes at most.
 *
 * @param {{x: number, y: number, pressure: number, ms: number}[]} samples x and y are parts of the area, 0 to 1
 * @param {ReturnType<typeof spaceOf>} space
 */
export function strokeRequest(samples, space) {
  const step = 1000 / space.reportRate;
  const began = samples[0].ms;
  const last = Math.min(samples.at(-1).ms - began, MOST_SECONDS * 1000);
  const points = [];
  let at = 0;
  for (let ms = 0; ms <= last || points.length < 2; ms += step) {
    while (at + 1 < samples.length && samples[at + 1].ms - began <= ms) at++;
    points.push(pointAt(samples[at], samples[at + 1], ms + began, ms, space));
  }
  return { ink: { strokes: [{ points }] } };
}

function pointAt(from, to, now, ms, space) {
  const part = to && to.ms > from.ms ? Math.min(1, (now - from.ms) / (to.ms - from.ms)) : 0;
  const between = (name) => from[name] + ((to ?? from)[name] - from[name]) * part;
  const point = {
    x: unit(between("x"), space.width),
    y: unit(between("y"), space.height),
    timeUs: String(Math.round(ms * 1000)),
  };
  if (space.pressureLevels) point.pressure = Math.min(1, Math.max(0, between("pressure")));
  return point;
}

/** Two units short of the edge: the device's own width may be rounded from millimetres. */
function unit(part, size) {
  return Math.min(size - 2, Math.max(0, Math.round(part * size)));
}

/** Strokes on a canvas, in parts of its size. */
export class InkView {
  #strokes = [];
  #canvas;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  get empty() {
    return this.#strokes.length === 0;
  }

  clear() {
    this.#strokes = [];
    this.draw();
  }

  /** Begins a stroke; a pale one is what a person writes here and the pad has not told yet. */
  begin(pale = false) {
    const stroke = { pale, points: [] };
    this.#strokes.push(stroke);
    return stroke;
  }

  /** @param {{x: number, y: number, pressure: number}} point in parts of the area */
  add(stroke, point) {
    stroke.points.push(point);
    if (this.#strokes.includes(stroke)) this.#line(stroke, stroke.points.length - 1);
  }

  /** Takes one stroke away. */
  drop(stroke) {
    this.#strokes = this.#strokes.filter((other) => other !== stroke);
    this.draw();
  }

  /** The pad took it: it is pale no more. */
  settle(stroke) {
    stroke.pale = false;
    this.draw();
  }

  /** All of it anew, at the canvas's real resolution. */
  draw() {
    const { clientWidth, clientHeight } = this.#canvas;
    const ratio = globalThis.devicePixelRatio || 1;
    this.#canvas.width = Math.round(clientWidth * ratio);
    this.#canvas.height = Math.round(clientHeight * ratio);
    for (const stroke of this.#strokes) stroke.points.forEach((_, index) => this.#line(stroke, index));
  }

  #line({ points, pale }, index) {
    const { width, height } = this.#canvas;
    const pen = this.#canvas.getContext("2d");
    const to = points[index];
    const from = points[Math.max(0, index - 1)];
    pen.strokeStyle = pale ? "#5b78b8" : "#12275c";
    pen.lineCap = "round";
    pen.lineWidth = (0.6 + (to.pressure || 0.5) * 1.1) * (width / 320);
    pen.beginPath();
    pen.moveTo(from.x * width, from.y * height);
    pen.lineTo(to.x * width + (index ? 0 : 0.1), to.y * height);
    pen.stroke();
  }
}
