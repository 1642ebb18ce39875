// @ts-check
// The details of one run, in a dialog that opens by its name.

/** @param {Line[]} lines the rows of the table of runs */
function dialogs(lines) {
  const dialog = /** @type {HTMLDialogElement} */ (element("run"));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // outside it
  });
  for (const { row, index } of lines) {
    const cell = row.querySelector("th");
    if (!cell) continue;
    const button = make("button", { type: "button", class: "name", "aria-haspopup": "dialog" }, cell.textContent ?? "");
    button.addEventListener("click", () => {
      dialog.replaceChildren(...about(index, () => dialog.close()));
      dialog.showModal();
    });
    cell.replaceChildren(button);
  }
}

/**
 * @param {number} index
 * @param {() => void} close
 * @returns {Node[]}
 */
function about(index, close) {
  const run = data.runs[index];
  const button = make("button", { type: "button", class: "button close", "aria-label": "Close" }, "Close");
  button.addEventListener("click", close);
  const command = document.querySelectorAll("#reproduce li code")[index]?.textContent ?? "";
  const files = run.files.map((file) =>
    make("li", {}, make("a", { href: `${run.address}/${encodeURIComponent(file)}` }, file)),
  );
  return [
    make("h2", { id: "run-name" }, run.run),
    make("p", { class: "facts" }, `${run.status} · ${data.settings[run.rank].label}`),
    button,
    ...titled("Diagnosis", run.findings.length ? make("ul", {}, ...run.findings.map((each) => make("li", {}, each))) : null),
    ...titled("Settings that vary", run.settings.length ? make("dl", {}, ...run.settings.map(pair)) : null),
    ...titled("How to reproduce it", command ? make("pre", {}, make("code", {}, command)) : null),
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
