// @ts-check
// Brings the page to life; without a script it is the same page, standing still.

function main() {
  theme();
  const settings = liven("settings", state.settings, (rank) => `Draw the runs of ${data.settings[rank].label}`);
  const runs = liven("runs", state.runs, (place) => `Draw ${data.runs[place].run}`);
  filter(settings, runs);
  picking(settings, runs, data.colours);
  dialogs(runs);
  charts();
  changed();
  document.documentElement.dataset.ready = "";
}

main();
