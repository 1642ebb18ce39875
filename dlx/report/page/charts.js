// @ts-check
// Live charts: each is drawn again when it comes near the window, follows the tables, and has tooltips.

/** @typedef {{name: string, box: HTMLElement, note: HTMLElement | null, view: any, data: string[]}} Live */

/** @type {Live[]} */
const live = [];

const PAUSE = 120; // milliseconds without a change, so that drawing does not slow down typing
const PHONE = 480; // pixels of a room, below which panels stand below each other
const NARROWEST = 140; // pixels of a panel
const AROUND = 90; // pixels of axis and padding around a panel
const NAMES = 0.3; // of the room for the names of rows; longer ones stand above their rows
const TALL = 34; // pixels of such a row
const MARGIN = 14; // pixels between the pointer and its tooltip

/** Draw every live chart as soon as it comes near the window, which folded ones never do. */
function charts() {
  /** @type {Map<Element, Live>} */
  const waiting = new Map();
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      near.unobserve(entry.target);
      const chart = waiting.get(entry.target);
      if (chart) void draw(chart);
    }
  }, { rootMargin: "600px" });
  for (const each of document.querySelectorAll("[data-chart]")) {
    const box = /** @type {HTMLElement} */ (each);
    const chart = { name: box.dataset.chart ?? "", box, note: box.parentElement?.querySelector("[data-shown]") ?? null, view: null, data: [] };
    live.push(chart);
    waiting.set(box, chart);
    near.observe(box);
  }
  let soon = 0;
  listeners.push(() => {
    clearTimeout(soon);
    soon = setTimeout(() => void Promise.all(live.filter(({ view }) => view).map(feed)), PAUSE);
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // a phone's address bar changes the height only
    width = innerWidth;
    for (const { box } of live) near.observe(box); // in a closed fold there is no width yet
  });
}

/**
 * Draw a chart again, as wide as its box.
 * @param {Live} chart
 */
async function draw(chart) {
  const specification = structuredClone(data.charts[chart.name]);
  chart.data = names(specification);
  const room = chart.box.clientWidth;
  const target = make("div");
  narrow(specification, room);
  for (const [name, rows] of filled(chart)) dataOf(specification, name, rows);
  for (const parameter of specification.params ?? []) {
    if (parameter.name in parameters()) parameter.value = parameters()[parameter.name];
  }
  const options = { ast: true, actions: false, renderer: "svg", tooltip, defaultStyle: false };
  // @ts-ignore: defined by the libraries
  const { view } = await window.vegaEmbed(target, specification, options);
  chart.view?.finalize();
  chart.view = view;
  chart.box.replaceChildren(target);
  chart.box.dataset.ready = "";
  note(chart);
}

/** Return the values of the charts' parameters, which are named in style.py. */
function parameters() {
  const { coloured, picked } = drawn();
  const left = seen().settings;
  const limited = picked || left.includes(false);
  const ranks = picked ? coloured : [...data.settings.keys()].filter((rank) => left[rank]);
  const label = (/** @type {number} */ rank) => data.settings[rank].label;
  return /** @type {Record<string, string[]>} */ ({
    shown: coloured.map(label),
    picked: limited ? ranks.map(label) : [],
  });
}

/**
 * Update a chart from the tables.
 * @param {Live} chart
 */
async function feed(chart) {
  const known = chart.view.getState({ signals: (/** @type {string} */ name) => name === "shown" || name === "picked", data: () => false }).signals;
  for (const [name, value] of Object.entries(parameters())) if (name in known) chart.view.signal(name, value);
  for (const [name, rows] of filled(chart)) chart.view.data(name, rows);
  await chart.view.runAsync();
  note(chart);
}

/**
 * Return the names of the data that a specification expects from the page.
 * @param {any} node
 * @returns {string[]}
 */
function names(node) {
  if (!node || typeof node !== "object") return [];
  const own = node.data?.name && !node.data.values ? [node.data.name] : [];
  return [...own, ...Object.values(node).flatMap(names)];
}

/**
 * Return the rows of those data by name.
 * @param {Live} chart
 * @returns {[string, any[]][]}
 */
function filled(chart) {
  /** @type {Record<string, Record<string, any[]>>} */
  const panels = {};
  return chart.data.map((name) => {
    const [part, ...panel] = name.split(" ");
    panels[panel.join(" ")] ??= parts(panel.join(" "));
    return [name, panels[panel.join(" ")][part]];
  });
}

/**
 * @param {any} node
 * @param {string} name
 * @param {any[]} rows
 */
function dataOf(node, name, rows) {
  if (!node || typeof node !== "object") return;
  if (node.data?.name === name) node.data = { name, values: rows };
  for (const child of Object.values(node)) dataOf(child, name, rows);
}

/**
 * Limit panels, and the names beside them, to the width of the room, so that text keeps its size on a phone.
 * @param {any} specification
 * @param {number} room pixels
 */
function narrow(specification, room) {
  each(specification, (part) => {
    if (part.hconcat && room < PHONE) {
      part.vconcat = part.hconcat;
      delete part.hconcat;
    }
    if (part.width && (part.layer || part.mark)) fit(part, room);
    if (part.legend?.orient === "bottom" && room < PHONE) Object.assign(part.legend, { columns: 1, labelLimit: room - AROUND });
  });
}

/**
 * @param {any} panel
 * @param {number} room pixels
 */
function fit(panel, room) {
  let names = 0;
  each(panel, ({ axis }) => {
    if (!axis?.minExtent) return;
    if (axis.minExtent <= NAMES * room) names = axis.minExtent;
    else {
      Object.assign(axis, { minExtent: 0, labelAlign: "left", labelPadding: 0, labelOffset: -12, labelLimit: room - 60 });
      if (panel.height?.step) panel.height = { step: TALL };
    }
  });
  panel.width = Math.max(NARROWEST, Math.min(panel.width, room - names - AROUND));
}

/**
 * Do something with every part of a specification.
 * @param {any} node
 * @param {(node: any) => void} act
 */
function each(node, act) {
  if (!node || typeof node !== "object") return;
  act(node);
  for (const child of Object.values(node)) each(child, act);
}

/**
 * Write below a chart of curves what it shows.
 * @param {Live} chart
 */
function note(chart) {
  if (!chart.note || !chart.data.length) return;
  const { coloured, grey } = drawn();
  const runs = singles(coloured).length;
  const words = [`${counted(coloured.length, "setting")} in colour`];
  if (grey.length) words.push(`${grey.length} in grey`);
  if (runs) words.push(`${counted(runs, "single run")} as thin lines`);
  chart.note.textContent = `Shown: ${words.join(", ")}.`;
  chart.note.hidden = false;
}

/**
 * Show the text of the point under the pointer, if any. Vega's own handler would write HTML.
 * @param {unknown} _handler
 * @param {MouseEvent} event
 * @param {any} item
 * @param {any} value
 */
function tooltip(_handler, event, item, value) {
  const tip = element("tip");
  const text = value === null || value === undefined || value === "" ? "" : tell(item?.datum?.datum ?? item?.datum, value);
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const { width, height } = tip.getBoundingClientRect();
  const right = event.clientX + MARGIN + width < innerWidth;
  tip.style.left = `${Math.max(4, right ? event.clientX + MARGIN : event.clientX - MARGIN - width)}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + MARGIN, innerHeight - height - 4))}px`;
}

/**
 * @param {any} point a Point of a curve, or any chart's row
 * @param {any} value what the specification gives: title and text by title
 */
function tell(point, value) {
  if (typeof point?.true !== "number") {
    return typeof value === "object" ? Object.entries(value).map(([title, text]) => `${title} ${text}`.trim()).join("\n") : String(value);
  }
  const lines = [point.run ?? point.label, `epoch ${point.epoch}: ${written(point.true)}`];
  if (point.run !== undefined) lines.push(point.label);
  else if (point.n > 1) lines.push(`mean of ${point.n} runs, ${written(point.low)} to ${written(point.high)}`);
  return lines.join("\n");
}

/** @param {number} value */
function written(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(3) : value.toPrecision(4);
}
