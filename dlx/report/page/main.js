// @ts-check
// Starts the script; without it the page shows the same, but cannot be filtered or sorted.

function main() {
  theme();
  const settings = liven("settings", state.settings, (rank) => `Draw the runs of ${data.settings[rank].label}`);
  const runs = liven("runs", state.runs, (index) => `Draw ${data.runs[index].run}`);
  filter(settings, runs);
  picking(settings, runs, data.colours);
  dialogs(runs);
  folds();
  charts();
  changed();
  document.documentElement.dataset.ready = "";
}

/** Add the switch between the system's colours, light and dark. */
function theme() {
  const schemes = ["auto", "light", "dark"];
  let now = 0;
  const button = make("button", { type: "button", class: "button theme" });
  const write = () => {
    button.textContent = `Theme: ${schemes[now]}`;
    if (now) document.documentElement.dataset.theme = schemes[now];
    else delete document.documentElement.dataset.theme;
  };
  button.addEventListener("click", () => {
    now = (now + 1) % schemes.length;
    write();
  });
  write();
  document.querySelector("header")?.append(button);
}

main();
