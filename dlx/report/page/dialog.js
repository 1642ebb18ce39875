// @ts-check
// Everything about one run, in a dialog that its name opens.

/** @param {Line[]} lines the rows of the table of runs */
function dialogs(lines) {
  const dialog = /** @type {HTMLDialogElement} */ (element("run"));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  for (const { row, place } of lines) {
    const cell = row.querySelector("th");
    if (!cell) continue;
    const button = make("button", { type: "button", class: "name", "aria-haspopup": "dialog" }, cell.textContent ?? "");
    button.addEventListener("click", () => {
      dialog.replaceChildren(...about(place, () => dialog.close()));
      dialog.showModal();
    });
    cell.replaceChildren(button);
  }
}

/**
 * @param {number} place
 * @param {() => void} close
 * @returns {Node[]}
 */
function about(place, close) {
  const run = data.runs[place];
  const button = make("button", { type: "button", class: "button close", "aria-label": "Close" }, "Close");
  button.addEventListener("click", close);
  const command = document.querySelectorAll("#repeat li code")[place]?.textContent ?? "";
  const files = run.files.map((file) =>
    make("li", {}, make("a", { href: `${run.address}/${encodeURIComponent(file)}` }, file)),
  );
  return [
    make("h2", { id: "run-name" }, run.run),
    make("p", { class: "facts" }, `${run.status} · ${data.settings[run.rank].label}`),
    button,
    ...titled("Diagnosis", run.findings.length ? make("ul", {}, ...run.findings.map((each) => make("li", {}, each))) : null),
    ...titled("Settings that vary", run.settings.length ? make("dl", {}, ...run.settings.map(pair)) : null),
    ...titled("To repeat it", command ? make("pre", {}, make("code", {}, command)) : null),
    ...titled("Files", files.length ? make("ul", {}, ...files) : null),
  ];
}

/**
 * @param {string} heading
 * @param {Node | null} content
 * @returns {Node[]}
 */
function titled(heading, content) {
  return content ? [make("h3", {}, heading), content] : [];
}

/** @param {[string, string]} item */
function pair([name, value]) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}
