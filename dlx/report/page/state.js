// @ts-check
// What is filtered and what is picked; the tables and the charts listen.

const state = {
  /** @type {string[]} words that must all occur, in lower case */
  words: [],
  /** @type {Map<number, string>} by facet, the value that is asked for */
  values: new Map(),
  status: "",
  /** @type {Set<number>} settings picked, by their place in the table */
  settings: new Set(),
  /** @type {Set<number>} runs picked */
  runs: new Set(),
};

/** @type {(() => void)[]} */
const listeners = [];

function changed() {
  for (const listen of listeners) listen();
}

// What is searched: a run by its own words and its setting's, a setting by its label.
const labels = data.settings.map((setting) => setting.label.toLowerCase());
const runTexts = data.runs.map((run) =>
  [run.run, run.status, labels[run.rank], ...run.settings.flat()].join(" ").toLowerCase(),
);

/**
 * Return what the filter leaves: for each setting and each run whether it is seen.
 * A setting is seen with any of its runs, or by its own words where no status is asked for.
 */
function seen() {
  const asked = data.settings.map((setting) =>
    [...state.values].every(([facet, value]) => setting.values[facet] === value),
  );
  const has = (/** @type {string} */ text) => state.words.every((word) => text.includes(word));
  const runs = data.runs.map(
    (run, place) => asked[run.rank] && (!state.status || run.status === state.status) && has(runTexts[place]),
  );
  const settings = asked.map((wanted, rank) => wanted && !state.status && has(labels[rank]));
  runs.forEach((is, place) => (settings[data.runs[place].rank] ||= is));
  return { settings, runs };
}

/**
 * Return the settings to draw: those in colour, in order, and those behind them in grey.
 * With nothing picked the first that the filter leaves are in colour.
 */
function drawn() {
  const left = seen().settings;
  const picked = new Set([...state.settings, ...[...state.runs].map((run) => data.runs[run].rank)]);
  const order = [...data.settings.keys()];
  const coloured = order.filter((rank) => (picked.size ? picked.has(rank) : left[rank])).slice(0, data.colours.length);
  const grey = order.filter((rank) => left[rank] && !coloured.includes(rank)).slice(0, data.greys);
  return { coloured, grey, picked: picked.size };
}
