// @ts-check
// Tables whose columns sort and whose rows can be picked.

/** @typedef {{row: HTMLTableRowElement, index: number, box: HTMLInputElement}} Line */

/**
 * Make a table sortable and its rows pickable.
 * @param {string} kind "settings" or "runs"
 * @param {Set<number>} picked the indices of the picked rows
 * @param {(index: number) => string} describe what picking a row does, for screen readers
 * @returns {Line[]}
 */
function liven(kind, picked, describe) {
  const table = /** @type {HTMLTableElement} */ (document.querySelector(`[data-table="${kind}"]`));
  const body = table.tBodies[0];
  const lines = [...body.rows].map((row, index) => {
    const box = make("input", { type: "checkbox", "aria-label": describe(index) });
    box.addEventListener("change", () => pick(picked, index, box.checked));
    row.prepend(make("td", { class: "pick" }, box, make("i")));
    row.addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      if (target.closest("button, a, input") || String(getSelection())) return;
      pick(picked, index, !picked.has(index));
    });
    return { row, index, box };
  });
  body.dataset.live = "";
  body.rows[0]?.setAttribute("data-first", "");
  const head = table.tHead?.rows[0];
  [...(head?.cells ?? [])].forEach((heading, column) => sortable(heading, column + 1, body, lines));
  head?.prepend(make("th", { scope: "col", class: "pick" }, make("span", { class: "unseen" }, "Draw")));
  return lines;
}

/**
 * @param {Set<number>} picked
 * @param {number} index
 * @param {boolean} is
 */
function pick(picked, index, is) {
  if (is) picked.add(index);
  else picked.delete(index);
  changed();
}

/**
 * Turn a heading into a button that sorts by its column, ascending and descending in turn.
 * @param {HTMLTableCellElement} heading
 * @param {number} column
 * @param {HTMLTableSectionElement} body
 * @param {Line[]} lines
 */
function sortable(heading, column, body, lines) {
  const words = heading.querySelector("span");
  if (!words) return;
  const button = make("button", { type: "button", class: "sort" }, words.textContent ?? "");
  words.replaceWith(button);
  button.addEventListener("click", () => {
    const up = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentElement?.children ?? []) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keys = new Map(lines.map((line) => [line, key(line.row.cells[column].textContent ?? "")]));
    const numeric = [...keys.values()].every((value) => value === null || !Number.isNaN(Number.parseFloat(value)));
    const ordered = [...lines].sort((a, b) => compare(keys.get(a) ?? null, keys.get(b) ?? null, numeric, up));
    body.append(...ordered.map((line) => line.row));
  });
}

/**
 * Return the text to sort a cell by; null for a dash.
 * @param {string} text
 */
function key(text) {
  const plain = text.trim().replace(/(\d),(?=\d{3})/g, "$1"); // 1,234 seconds
  return plain === "\u2013" || plain === "" ? null : plain;
}

/**
 * Compare two cells; missing ones are last in both directions.
 * @param {string | null} a
 * @param {string | null} b
 * @param {boolean} numeric by the number at the start of each
 * @param {boolean} up
 */
function compare(a, b, numeric, up) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const order = numeric ? Number.parseFloat(a) - Number.parseFloat(b) : a.localeCompare(b, "en", { numeric: true });
  return up ? order : -order;
}
