// The page: asks its server how the runs stand, and draws what has changed. Everything shown is set as text.

const SETTINGS = JSON.parse(document.body.dataset.settings);
const QUICK = 2000, SLOW = 10000; // milliseconds between two questions
const LIGHT = ["#0067a8", "#c2571a", "#00805c", "#a1428a", "#8a6d00", "#5b5f66", "#b3261e", "#4aa3df"];
const DARK = ["#5fb4ee", "#ff9a5c", "#3ecf9e", "#e29bd0", "#e0c04a", "#b4bac2", "#ff8b80", "#b3deff"];
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];
const get = id => document.getElementById(id);
const charts = new Map(), hidden = new Set();
let runs = [], curves = {}, version = "", metrics = [], others = 0, broken = {}, colours = new Map(), asked = "", timer = 0;

// ---------------------------------------------------------------- what is remembered of the page

function remembered(name, otherwise) {
  try { return JSON.parse(localStorage.getItem("tvo-watch-" + name)) ?? otherwise; } catch { return otherwise; }
}
function remember(name, value) {
  try { localStorage.setItem("tvo-watch-" + name, JSON.stringify(value)); } catch { /* a browser that keeps nothing */ }
}

// ---------------------------------------------------------------- charts

const shown = () => runs.filter(run => !hidden.has(run.name));
const isDark = () => document.documentElement.classList.contains("dark");

function addChart(metric, log, place) {
  if (charts.has(metric)) return;
  const [unit, meaning] = SETTINGS.about[metric] || ["", ""];
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  const tools = element("span", "tools", ""), logs = element("button", "", "log"), close = element("button", "", "✕");
  const canvas = document.createElement("canvas"), note = element("p", "note", "");
  logs.type = close.type = "button"; close.title = "remove this chart"; logs.title = "log axis";
  logs.setAttribute("aria-pressed", String(log));
  canvas.setAttribute("role", "img"); canvas.setAttribute("aria-label", metric);
  tools.append(logs, close);
  caption.append(element("b", "", metric), element("span", "unit", unit), tools);
  const about = element("p", "meaning", meaning); about.title = meaning;
  figure.append(caption, about, canvas, note);
  const kept = {figure, note, log, chart: new Chart(canvas, get("tip"))};
  logs.onclick = () => { kept.log = !kept.log; logs.setAttribute("aria-pressed", String(kept.log)); drawChart(metric); };
  close.onclick = () => { charts.delete(metric); figure.remove(); rememberCharts(); };
  kept.logs = logs;
  charts.set(metric, kept);
  place.append(figure);
}

function sectionOf(title) {
  for (const found of document.querySelectorAll("#charts > section")) if (found.dataset.title === title) return found.lastElementChild;
  const section = document.createElement("section"), grid = element("div", "section", "");
  section.dataset.title = title;
  section.append(element("h2", "", title), grid);
  get("charts").append(section);
  return grid;
}

function openCharts() {
  const wanted = remembered("charts", null);
  for (const {title, panels} of SETTINGS.sections)
    for (const {metrics: names, log} of panels)
      for (const name of names) if (!wanted || wanted.includes(name)) addChart(name, log, sectionOf(title));
  for (const name of wanted || []) addChart(name, false, sectionOf("More"));
}
const rememberCharts = () => remember("charts", [...charts.keys()]);

function marksOfRuns(drawn) {
  const alone = drawn.length === 1, marks = [];
  for (const run of drawn) {
    const steps = new Map();
    for (const {step, rule, collapse} of run.firings) if (alone || collapse) {
      const found = steps.get(step) || {step, rules: [], collapse: false};
      found.rules.push(rule); found.collapse ||= collapse; steps.set(step, found);
    }
    for (const {step, rules, collapse} of steps.values())
      marks.push({step, collapse, rule: rules.join(", "), colour: alone ? "" : look(run).colour, name: alone ? "" : run.name});
  }
  return marks;
}

function drawChart(metric) {
  const kept = charts.get(metric), found = curves[metric] || {}, drawn = shown().filter(run => found[run.name] && found[run.name].values);
  kept.figure.hidden = !metrics.includes(metric) && metrics.length > 0;
  const lines = drawn.map(run => ({name: run.name, ...look(run), data: found[run.name]}));
  const {hidden: left, breaks, thinned} = kept.chart.show(lines, marksOfRuns(drawn), {smoothing: metric.startsWith("eval/") ? 0 : Number(get("smoothing").value), log: kept.log});
  kept.note.textContent = [left ? `${left} points of 0 or less are not on a log axis` : "", breaks ? `${breaks} values are not finite` : "",
    thinned ? "band: least to largest of the steps that a point stands for" : ""].filter(Boolean).join(" · ");
}

function drawCharts() {
  for (const metric of charts.keys()) drawChart(metric);
  for (const section of document.querySelectorAll("#charts > section"))
    section.hidden = [...section.querySelectorAll("figure")].every(figure => figure.hidden);
}

// ---------------------------------------------------------------- runs

const groupOf = run => { const key = get("colour").value; return key && key !== "run" ? (run.differs[key] ?? "—") : run.name; };

function look(run) {
  const number = colours.get(groupOf(run)) ?? 0, palette = isDark() ? DARK : LIGHT;
  return {colour: palette[number % palette.length], dash: DASHES[Math.floor(number / palette.length) % DASHES.length]};
}

const shortKey = key => { const parts = key.split("."); return parts.at(-1) === "name" ? parts.at(-2) : parts.at(-1); };
const differences = run => Object.entries(run.differs).map(([key, value]) => `${shortKey(key)}=${value}`).join(" ");

function offerColours() {
  const select = get("colour"), before = select.value || remembered("colour", ""), keys = [...new Set(runs.flatMap(run => Object.keys(run.differs)))];
  const first = keys.find(key => key === "algorithm.name" && runs.length > 8);
  const options = ["run", ...keys].map(key => { const option = element("option", "", key === "run" ? "run" : shortKey(key)); option.value = key; return option; });
  select.replaceChildren(...options);
  select.value = keys.includes(before) || before === "run" ? before : first || "run";
  colours = new Map([...new Set(runs.map(groupOf))].map((group, number) => [group, number]));
}

function drawRuns() {
  const words = get("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = run => { const text = `${run.name} ${run.state} ${differences(run)} ${run.verdict}`.toLowerCase(); return words.every(word => text.includes(word)); };
  const found = runs.filter(fits), counts = {};
  for (const run of runs) counts[run.state] = (counts[run.state] || 0) + 1;
  const told = Object.entries(counts).map(([state, count]) => `${count} ${state}`).join(", ");
  get("count").textContent = runs.length ? `${runs.length} run${runs.length > 1 ? "s" : ""}: ${told}` + (others ? ` (and ${others} without curves)` : "") : "no runs yet";
  get("rows").replaceChildren(...found.map(rowOfRun));
  const visible = () => found;
  get("all").onclick = () => { for (const run of visible()) hidden.delete(run.name); changed(); };
  get("none").onclick = () => { for (const run of visible()) hidden.add(run.name); changed(); };
}

function rowOfRun(run) {
  const row = document.createElement("tr"), box = document.createElement("input"), swatch = element("span", "swatch", "");
  box.type = "checkbox"; box.checked = !hidden.has(run.name); box.setAttribute("aria-label", "draw " + run.name);
  box.onchange = () => { box.checked ? hidden.delete(run.name) : hidden.add(run.name); changed(); };
  const {colour, dash} = look(run);
  swatch.style.background = dash.length ? `repeating-linear-gradient(90deg, ${colour} 0 ${dash[0]}px, transparent ${dash[0]}px ${dash[0] + dash[1]}px)` : colour;
  swatch.style.height = "3px";
  const first = document.createElement("td"), why = element("td", "wide", [run.verdict, run.reason].filter(Boolean).join(" · "));
  first.append(box, swatch);
  for (const command of run.replay) why.append(document.createElement("br"), element("code", "why", command));
  const state = document.createElement("td");
  state.append(element("span", "state " + run.state, run.state));
  row.className = hidden.has(run.name) ? "off" : "";
  row.append(first, element("td", "", run.name), state, element("td", "number", run.step === null ? "" : `${run.step}${run.steps ? "/" + run.steps : ""}`),
    element("td", "number", run.reward === null ? "" : shortNumber(run.reward)), why, element("td", "wide", differences(run)));
  return row;
}

function changed() { version = ""; drawRuns(); drawCharts(); ask(); }

// ---------------------------------------------------------------- completions

async function showResponses() {
  const writer = get("writer"), before = writer.value, names = runs.map(run => run.name);
  if (names.join("\n") !== [...writer.options].map(option => option.value).join("\n")) {
    writer.replaceChildren(...names.map(name => { const option = element("option", "", name); option.value = name; return option; }));
    writer.value = names.includes(before) ? before : names[0] || "";
  }
  if (!writer.value) { get("responses").replaceChildren(element("p", "why", "nothing yet")); return; }
  const file = get("file").value, query = new URLSearchParams({run: writer.value});
  if (file) query.set("file", file);
  const found = await fetchJson("responses?" + query);
  const label = one => `${one.evaluation ? "evaluation after step" : "step"} ${one.step}`;
  const options = [["", "the newest step"], ...found.files.map(one => [one.file, label(one)])];
  get("file").replaceChildren(...options.map(([value, text]) => { const option = element("option", "", text); option.value = value; return option; }));
  get("file").value = found.files.some(one => one.file === file) ? file : "";
  const text = JSON.stringify([writer.value, found.file, found.rows]);
  if (text === asked) return;
  asked = text;
  const of = found.files.find(one => one.file === found.file);
  get("responses").replaceChildren(element("p", "why", of ? `${found.rows.length} completions, ${label(of)}` : "nothing yet"), ...found.rows.map(cardOfResponse));
}

function cardOfResponse(row) {
  const card = element("div", "response" + (row.correct === true ? " right" : row.correct === false ? " wrong" : ""), "");
  const facts = element("div", "facts", ""), fact = (name, value) => { if (value !== undefined) { const one = element("span", "", name + " "); one.append(element("b", name, typeof value === "number" ? shortNumber(value) : String(value))); facts.append(one); } };
  fact("correct", row.correct === undefined ? undefined : row.correct ? "yes" : "no");
  fact("reward", row.reward); fact("of", row.rewards); fact("answer", row.extracted); fact("gold", row.gold); fact("tokens", row.tokens); fact("because", row.reason); fact("problem", row.id);
  card.append(facts);
  if (row.question) card.append(element("pre", "question", row.question));
  card.append(element("pre", "", row.completion ?? ""));
  return card;
}

// ---------------------------------------------------------------- asking

async function fetchJson(address) {
  const reply = await fetch(address), found = await reply.json();
  if (!reply.ok) throw new Error(found.error || reply.statusText);
  return found;
}

async function refresh() {
  const told = await fetchJson("runs");
  runs = told.runs; others = told.others;
  get("root").textContent = told.root;
  offerColours(); drawRuns();
  const query = new URLSearchParams([...charts.keys()].map(metric => ["metric", metric]));
  if (hidden.size) for (const run of shown()) query.append("run", run.name);
  query.set("since", version);
  const found = hidden.size && !shown().length ? {version: "", unread: 0, curves: {}, broken: {}, metrics} : await fetchJson("curves?" + query);
  if (!found.unchanged) { curves = found.curves; broken = found.broken; metrics = found.metrics; offerMetrics(); drawCharts(); }
  else if (runs.some(run => run.firings.length)) drawCharts();
  version = found.version;
  await showResponses();
  return {told, found};
}

function offerMetrics() {
  get("metrics").replaceChildren(...metrics.filter(name => !charts.has(name)).map(name => { const option = document.createElement("option"); option.value = name; return option; }));
}

async function ask() {
  clearTimeout(timer);
  let wait = SLOW;
  try {
    const {told, found} = await refresh(), live = runs.some(run => run.state === "running");
    const torn = Object.entries(broken).map(([name, count]) => `${name}: ${count} lines of metrics.jsonl are no rows`);
    const notes = [told.exists ? "" : "this folder is not there yet; runs show up as they begin", found.unread ? `reading: ${found.unread} runs to go` : "",
      told.unreadable.length ? `cannot be read: ${told.unreadable.join(", ")} (tvo ls says why)` : "", ...torn].filter(Boolean);
    get("notice").hidden = !notes.length; get("notice").textContent = notes.join(" · ");
    get("health").className = live ? "live" : "";
    get("health").textContent = `${live ? "live" : "nothing is running"}, ${new Date().toLocaleTimeString()}`;
    wait = found.unread || live || !runs.length ? QUICK : SLOW;
  } catch (error) {
    get("health").className = "gone";
    get("health").textContent = error instanceof TypeError ? "no answer: has tvo watch ended?" : String(error.message);
  }
  clearTimeout(timer);
  timer = setTimeout(() => (document.hidden ? (timer = setTimeout(ask, SLOW)) : ask()), wait);
}

// ---------------------------------------------------------------- the beginning

function setTheme(dark) { document.documentElement.classList.toggle("dark", dark); if (runs.length) { drawRuns(); drawCharts(); } }

const system = matchMedia("(prefers-color-scheme: dark)");
setTheme(remembered("dark", system.matches));
system.addEventListener("change", event => { if (remembered("dark", null) === null) setTheme(event.matches); });
get("theme").onclick = () => { remember("dark", !isDark()); setTheme(!isDark()); };
get("smoothing").value = remembered("smoothing", 0); get("smoothed").textContent = get("smoothing").value;
get("smoothing").oninput = event => { get("smoothed").textContent = event.target.value; remember("smoothing", event.target.value); drawCharts(); };
get("logs").onchange = event => { for (const kept of charts.values()) { kept.log = event.target.checked; kept.logs.setAttribute("aria-pressed", String(kept.log)); } drawCharts(); };
get("colour").onchange = event => { remember("colour", event.target.value); offerColours(); drawRuns(); drawCharts(); };
get("filter").oninput = drawRuns;
get("add").onchange = event => { const name = event.target.value.trim(); if (metrics.includes(name)) { addChart(name, false, sectionOf("More")); rememberCharts(); event.target.value = ""; changed(); } };
get("writer").onchange = () => { get("file").value = ""; showResponses(); };
get("file").onchange = showResponses;
let resized = 0;
window.addEventListener("resize", () => { cancelAnimationFrame(resized); resized = requestAnimationFrame(drawCharts); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
openCharts();
ask();
