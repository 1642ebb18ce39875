// @ts-check
// Starts the script; without it the page shows the same, but cannot be filtered or sorted.

function main() {
  theme();
  const settings = liven("settings", state.settings, (rank) => `Draw the runs of ${data.settings[rank].label}`);
  const runs = liven("runs", state.runs, (index) => `Draw ${data.runs[index].run}`);
  filter(settings, runs);
  picking(settings, runs, data.colours);
  dialogs(runs);
  charts();
  changed();
  document.documentElement.dataset.ready = "";
}

main();
