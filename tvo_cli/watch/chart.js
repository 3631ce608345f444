"use strict";
// A chart on a canvas: curves with their envelopes, marks of rules that fired, a crosshair with values.

const LEFT = 54, RIGHT = 10, TOP = 8, BOTTOM = 22, MOST_IN_TIP = 12, FEW = 8;

/** A number in four significant digits, short. */
function shortNumber(value) {
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace("e+", "e").replace("-", "−").replace("e-", "e−");
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** Round ticks between two numbers; on a log axis the powers of ten, or 1, 2, 5 of them where those are few. */
function ticksBetween(low, high, count, log) {
  if (log) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9), ticks = [];
    const stride = Math.max(1, Math.ceil((last - first + 1) / count));
    for (let power = first; power <= last; power += stride) ticks.push(10 ** power);
    if (ticks.length >= 2) return ticks;
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const digit of [1, 2, 5]) { const tick = digit * 10 ** power; if (tick >= low && tick <= high) found.push(tick); }
    return found.length >= 2 ? found : [low, high];
  }
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const stride = [1, 2, 2.5, 5, 10].map(digit => digit * power).find(size => size >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / stride - 1e-9) * stride; tick <= high + stride * 1e-9; tick += stride) ticks.push(Math.abs(tick) < stride * 1e-9 ? 0 : tick);
  return ticks;
}

/** The exponential moving average of the values, corrected for its start at none. */
function smooth(values, weight) {
  if (!weight) return values;
  let sum = 0, total = 0;
  return values.map(value => { sum = weight * sum + (1 - weight) * value; total = weight * total + (1 - weight); return sum / total; });
}

class Chart {
  constructor(canvas, tip) {
    this.canvas = canvas; this.tip = tip; this.curves = []; this.marks = []; this.options = {}; this.at = null;
    canvas.addEventListener("pointermove", event => this.point(event));
    canvas.addEventListener("pointerdown", event => this.point(event));
    canvas.addEventListener("pointerleave", () => { this.at = null; this.tip.hidden = true; this.draw(); });
  }

  /** curves: [{name, colour, dash, data}], marks: [{step, rule, collapse, colour, name}]; returns what cannot be shown. */
  show(curves, marks, options) {
    this.curves = curves.map(curve => ({...curve, line: smooth(curve.data.mean, options.smoothing)}));
    this.marks = marks; this.options = options;
    this.draw();
    const hidden = options.log ? this.curves.reduce((sum, curve) => sum + curve.line.filter(value => value <= 0).length, 0) : 0;
    const breaks = curves.reduce((sum, curve) => sum + curve.data.breaks, 0);
    return {hidden, breaks, thinned: curves.some(curve => curve.data.last)};
  }

  /** Lowest and highest of what is drawn. */
  range() {
    const log = this.options.log; let low = Infinity, high = -Infinity, end = 1;
    for (const {data, line} of this.curves) {
      end = Math.max(end, (data.last || data.first).at(-1) || 1);
      for (const values of [line, data.low || [], data.high || [], data.mean])
        for (const value of values) if (!log || value > 0) { if (value < low) low = value; if (value > high) high = value; }
    }
    if (low > high) [low, high] = log ? [0.1, 1] : [0, 1];
    if (log) return {low: low / 1.15, high: high * 1.15 === low / 1.15 ? low * 10 : high * 1.15, end};
    const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
    return {low: low - pad, high: high + pad, end};
  }

  draw() {
    const {canvas} = this, ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    const paint = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const colour = name => style.getPropertyValue("--" + name).trim();
    paint.scale(ratio, ratio); paint.font = "11px system-ui, sans-serif"; paint.lineJoin = "round";
    const {low, high, end} = this.range(), log = this.options.log;
    const scale = log ? Math.log10 : value => value;
    const x = step => LEFT + (width - LEFT - RIGHT) * (step / end);
    const y = value => TOP + (height - TOP - BOTTOM) * (1 - (scale(value) - scale(low)) / (scale(high) - scale(low)));
    this.x = x; this.end = end;
    this.axes(paint, {low, high, end, width, height, x, y, log, grid: colour("grid"), soft: colour("soft")});
    paint.save(); paint.beginPath(); paint.rect(LEFT - 3, TOP - 3, width - LEFT - RIGHT + 6, height - TOP - BOTTOM + 6); paint.clip();
    for (const curve of this.curves) this.band(paint, curve, x, y, log);
    for (const curve of this.curves) this.line(paint, curve, x, y, log);
    paint.restore();
    for (const mark of this.marks) this.mark(paint, mark, x(mark.step), height, colour(mark.collapse ? "red" : "soft"));
    if (this.at !== null) this.stroke(paint, x(this.at), TOP, height - BOTTOM, colour("soft"), []);
    if (!this.curves.length) { paint.fillStyle = colour("soft"); paint.textAlign = "left"; paint.textBaseline = "top"; paint.fillText("no values yet", LEFT + 8, TOP + 16); }
  }

  axes(paint, {low, high, end, width, height, x, y, log, grid, soft}) {
    paint.fillStyle = soft; paint.textBaseline = "middle"; paint.textAlign = "right";
    for (const tick of ticksBetween(low, high, 5, log)) {
      this.across(paint, y(tick), LEFT, width - RIGHT, grid);
      paint.fillText(shortNumber(tick), LEFT - 6, y(tick));
    }
    paint.textBaseline = "top"; paint.textAlign = "center";
    for (const tick of ticksBetween(0, end, Math.max(2, Math.min(6, width / 80)), false).filter(Number.isInteger)) {
      this.stroke(paint, x(tick), TOP, height - BOTTOM, grid, []);
      paint.textAlign = x(tick) > width - 24 ? "right" : "center";
      paint.fillText(String(tick), Math.min(x(tick), width - 2), height - BOTTOM + 6);
    }
  }

  across(paint, at, from, to, colour) {
    paint.strokeStyle = colour; paint.lineWidth = 1; paint.setLineDash([]); paint.beginPath(); paint.moveTo(from, Math.round(at) + 0.5); paint.lineTo(to, Math.round(at) + 0.5); paint.stroke();
  }

  stroke(paint, at, from, to, colour, dash) {
    paint.strokeStyle = colour; paint.lineWidth = 1; paint.setLineDash(dash); paint.beginPath(); paint.moveTo(at, from); paint.lineTo(at, to); paint.stroke(); paint.setLineDash([]);
  }

  mark(paint, mark, at, height, colour) {
    this.stroke(paint, at, TOP, height - BOTTOM, colour, mark.collapse ? [6, 3] : [1, 3]);
    if (!mark.collapse) return;
    paint.fillStyle = mark.colour || colour; paint.beginPath(); paint.moveTo(at - 5, TOP - 7); paint.lineTo(at + 5, TOP - 7); paint.lineTo(at, TOP + 2); paint.fill();
  }

  /** The least and largest values that a thinned curve's points stand for, or faintly the values that were smoothed. */
  band(paint, curve, x, y, log) {
    const {data} = curve, floor = value => (log && value <= 0 ? Number.MIN_VALUE : value);
    if (data.low) {
      paint.fillStyle = curve.colour; paint.globalAlpha = Math.min(0.18, 1.2 / this.curves.length); paint.beginPath();
      const middle = at => x((data.first[at] + data.last[at]) / 2), bottom = y(this.range().low);
      const place = value => (log && value <= 0 ? bottom : y(floor(value)));
      data.high.forEach((value, at) => paint.lineTo(middle(at), place(value)));
      for (let at = data.low.length - 1; at >= 0; at--) paint.lineTo(middle(at), place(data.low[at]));
      paint.fill(); paint.globalAlpha = 1;
    } else if (this.options.smoothing) {
      paint.globalAlpha = 0.3; this.line(paint, {...curve, line: data.mean}, x, y, log); paint.globalAlpha = 1;
    }
  }

  line(paint, {data, line, colour, dash}, x, y, log) {
    paint.strokeStyle = colour; paint.fillStyle = colour; paint.lineWidth = 1.6; paint.setLineDash(dash); paint.beginPath();
    let drawing = 0; const lone = [];
    line.forEach((value, at) => {
      const left = x(data.last ? (data.first[at] + data.last[at]) / 2 : data.first[at]);
      if (log && value <= 0) { if (drawing === 1) lone.push(this.last); drawing = 0; return; }
      drawing ? paint.lineTo(left, y(value)) : paint.moveTo(left, y(value));
      drawing++; this.last = [left, y(value)];
    });
    paint.stroke(); paint.setLineDash([]);
    if (drawing === 1) lone.push(this.last);
    if (line.length < FEW) line.forEach((value, at) => { if (!log || value > 0) lone.push([x(data.first[at]), y(value)]); });
    for (const [left, top] of lone) { paint.beginPath(); paint.arc(left, top, 2.5, 0, 7); paint.fill(); }
  }

  /** Set the crosshair, and tell the values at it. */
  point(event) {
    const box = this.canvas.getBoundingClientRect(), share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    if (!this.curves.length || !this.end) return;
    this.at = Math.round(Math.min(Math.max(share, 0), 1) * this.end);
    this.draw();
    this.tell(event, box);
  }

  tell(event, box) {
    const near = this.curves.map(curve => ({curve, ...valueAt(curve, this.at)})).filter(one => one.text).sort((a, b) => b.value - a.value);
    const slack = this.end / Math.max(box.width, 1) * 6;
    const fired = this.marks.filter(mark => Math.abs(mark.step - this.at) <= Math.max(slack, 0.5));
    this.tip.replaceChildren(element("b", "", `step ${this.at}${this.options.smoothing ? ", smoothed" : ""}`), ...near.slice(0, MOST_IN_TIP).map(tipLine),
      ...(near.length > MOST_IN_TIP ? [element("div", "", `and ${near.length - MOST_IN_TIP} more`)] : []),
      ...fired.slice(0, 6).map(mark => element("div", mark.collapse ? "mark" : "", `${mark.collapse ? "collapse" : "warning"} at step ${mark.step}: ${mark.rule}${mark.name ? " · " + mark.name : ""}`)));
    this.tip.hidden = false;
    const wide = this.tip.offsetWidth, right = event.clientX + 16 + wide > window.innerWidth;
    this.tip.style.left = Math.max(4, right ? event.clientX - wide - 16 : event.clientX + 16) + "px";
    this.tip.style.top = Math.max(4, Math.min(event.clientY + 12, window.innerHeight - this.tip.offsetHeight - 4)) + "px";
  }
}

/** What a curve says at a step: its nearest point that is not after, and the range that it stands for. */
function valueAt({data, line}, step) {
  let at = -1;
  for (let low = 0, high = data.first.length - 1; low <= high;) { const middle = (low + high) >> 1; data.first[middle] <= step ? (at = middle, low = middle + 1) : (high = middle - 1); }
  if (at < 0) return {text: ""};
  const range = data.low && data.low[at] !== data.high[at] ? ` (${shortNumber(data.low[at])} to ${shortNumber(data.high[at])})` : "";
  const place = data.last && data.last[at] !== data.first[at] ? ` · steps ${data.first[at]} to ${data.last[at]}` : data.first[at] !== step ? ` · step ${data.first[at]}` : "";
  return {value: line[at], text: shortNumber(line[at]) + range + place};
}

function tipLine({curve, text}) {
  const line = document.createElement("div"), swatch = element("span", "swatch", "");
  swatch.style.background = curve.colour;
  line.append(swatch, element("span", "name", curve.name), element("span", "value", text));
  return line;
}

function element(tag, kind, text) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.textContent = text;
  return made;
}
