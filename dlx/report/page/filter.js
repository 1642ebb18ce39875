// @ts-check
// The controls above the tables: they hide rows and say how many are left.

/**
 * Fill the form; it filters the rows of both tables.
 * @param {Line[]} settings
 * @param {Line[]} runs
 */
function filter(settings, runs) {
  const form = /** @type {HTMLFormElement} */ (document.querySelector("form.filter"));
  const words = make("input", { type: "search", placeholder: "words in settings or runs", autocomplete: "off" });
  words.addEventListener("input", () => {
    state.words = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    changed();
  });
  const statuses = [...new Set(data.runs.map((run) => run.status))];
  const selects = data.facets.map((facet, index) =>
    select(facet.name, facet.choices, (value) => {
      if (value === null) state.values.delete(index);
      else state.values.set(index, value);
    }),
  );
  if (statuses.length > 1) selects.push(select("status", statuses, (value) => (state.status = value ?? "")));
  const clear = make("button", { type: "reset", class: "button" }, "Clear filter");
  form.addEventListener("reset", () => {
    state.words = [];
    state.values.clear();
    state.status = "";
    changed();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  const count = make("output", { "aria-live": "polite" });
  form.append(field("Find", words), ...selects, clear, count);
  form.hidden = false;
  listeners.push(() => {
    const left = seen();
    for (const { row, index } of settings) row.hidden = !left.settings[index];
    for (const { row, index } of runs) row.hidden = !left.runs[index];
    const all = left.settings.every(Boolean) && left.runs.every(Boolean);
    clear.disabled = all && !state.words.length && !state.values.size && !state.status;
    count.textContent = all ? "" : `${some(left.settings)} of ${counted(settings.length, "setting")}, ${some(left.runs)} of ${counted(runs.length, "run")}`;
  });
}

/** @param {boolean[]} left */
function some(left) {
  return left.filter(Boolean).length;
}

/**
 * @param {string} name
 * @param {string[]} choices
 * @param {(value: string | null) => void} choose null for any
 */
function select(name, choices, choose) {
  const sorted = [...choices].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const options = sorted.map((choice, index) => make("option", { value: String(index) }, choice));
  const made = make("select", {}, make("option", { value: "" }, "any"), ...options);
  made.addEventListener("change", () => {
    choose(made.value === "" ? null : sorted[Number(made.value)]);
    changed();
  });
  return field(name, made);
}

let fields = 0;

/**
 * Put a control below its label.
 * @param {string} name
 * @param {HTMLElement} control
 */
function field(name, control) {
  control.id = `field-${++fields}`;
  return make("div", { class: control.tagName === "INPUT" ? "field text" : "field" }, make("label", { for: control.id }, name), control);
}

/**
 * Mark the picked rows, and show a bar that leads to the curves.
 * @param {Line[]} settings
 * @param {Line[]} runs
 * @param {string[]} colours
 */
function picking(settings, runs, colours) {
  const words = make("span", { role: "status" });
  const to = make("button", { type: "button", class: "button" }, "Show the curves");
  const clear = make("button", { type: "button", class: "button" }, "Clear selection");
  const bar = make("div", { class: "bar", hidden: "" }, words, to, clear);
  element("main").append(bar);
  to.addEventListener("click", () => reveal(document.querySelector("[data-shown]")?.closest("figure")));
  clear.addEventListener("click", () => {
    state.settings.clear();
    state.runs.clear();
    changed();
  });
  listeners.push(() => {
    const { coloured } = drawn();
    const paint = (/** @type {Line} */ line, /** @type {number} */ rank, /** @type {boolean} */ is) => {
      line.box.checked = is;
      line.row.toggleAttribute("data-picked", is);
      const colour = colours[coloured.indexOf(rank)];
      if (colour) line.row.style.setProperty("--colour", colour);
      else line.row.style.removeProperty("--colour");
    };
    for (const line of settings) paint(line, line.index, state.settings.has(line.index));
    for (const line of runs) paint(line, state.runs.has(line.index) ? data.runs[line.index].rank : -1, state.runs.has(line.index));
    bar.hidden = !state.settings.size && !state.runs.size;
    const parts = [
      ...(state.settings.size ? [counted(state.settings.size, "setting")] : []),
      ...(state.runs.size ? [counted(state.runs.size, "run")] : []),
    ];
    words.textContent = bar.hidden ? "" : `${parts.join(" and ")} selected`;
  });
}
