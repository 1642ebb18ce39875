// @ts-check
// The state of the filter and the selection; tables and charts listen to it.

const state = {
  /** @type {string[]} words that must all occur, in lower case */
  words: [],
  /** @type {Map<number, string>} the wanted value of each facet */
  values: new Map(),
  status: "",
  /** @type {Set<number>} picked settings, by their index in the table */
  settings: new Set(),
  /** @type {Set<number>} picked runs */
  runs: new Set(),
};

/** @type {(() => void)[]} */
const listeners = [];

function changed() {
  for (const listen of listeners) listen();
}

// The texts to search: for a setting its label; for a run its own texts and its setting's label.
const labels = data.settings.map((setting) => setting.label.toLowerCase());
const runTexts = data.runs.map((run) =>
  [run.run, run.status, labels[run.rank], ...run.settings.flat()].join(" ").toLowerCase(),
);

/**
 * Return for each setting and each run whether the filter shows it. A setting is shown if one of its runs
 * is, or if its label matches and no status is chosen.
 */
function seen() {
  const asked = data.settings.map((setting) =>
    [...state.values].every(([facet, value]) => setting.values[facet] === value),
  );
  const has = (/** @type {string} */ text) => state.words.every((word) => text.includes(word));
  const runs = data.runs.map(
    (run, index) => asked[run.rank] && (!state.status || run.status === state.status) && has(runTexts[index]),
  );
  const settings = asked.map((wanted, rank) => wanted && !state.status && has(labels[rank]));
  runs.forEach((is, index) => (settings[data.runs[index].rank] ||= is));
  return { settings, runs };
}

/**
 * Return the settings to draw in colour, and those behind them in grey, in order. If none is picked, the
 * first that the filter shows are in colour.
 */
function drawn() {
  const left = seen().settings;
  const picked = new Set([...state.settings, ...[...state.runs].map((run) => data.runs[run].rank)]);
  const order = [...data.settings.keys()];
  const coloured = order.filter((rank) => (picked.size ? picked.has(rank) : left[rank])).slice(0, data.colours.length);
  const grey = order.filter((rank) => left[rank] && !coloured.includes(rank)).slice(0, data.greys);
  return { coloured, grey, picked: picked.size };
}
