// @ts-check
// The data that data.py wrote into the page. Axes: S settings in the table's order, R runs, E epochs kept.

/** @typedef {{label: string, values: string[]}} Setting */
/** @typedef {{run: string, rank: number, status: string, settings: [string, string][], findings: string[],
 *    address: string, files: string[]}} Run */
/** @typedef {{n: number[], mean: string, low: string, high: string}} Means n by setting, the rest S x E packed */
/** @typedef {{epochs: number[], axes: Record<string, [number, number]>, means: Record<string, Means>,
 *    runs: Record<string, string>, ends: number[]}} Curves by "<metric> <split>"; runs are R x E packed */
/** @type {{settings: Setting[], facets: {name: string, choices: string[]}[], runs: Run[], curves: Curves,
 *    colours: string[], greys: number, charts: Record<string, any>}} */
const data = JSON.parse(element("data").textContent ?? "");

/** @type {Map<string, Float32Array>} */
const unpacked = new Map();

/**
 * Return the numbers of a packed array, with NaN for missing ones.
 * @param {string} packed base64 of float32, little-endian
 */
function unpack(packed) {
  let values = unpacked.get(packed);
  if (!values) {
    values = new Float32Array(Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0)).buffer);
    unpacked.set(packed, values);
  }
  return values;
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * Make an element. Text is always set as text, because names may contain HTML.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {any}
 */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * Write a count with its noun.
 * @param {number} count
 * @param {string} noun
 */
function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
