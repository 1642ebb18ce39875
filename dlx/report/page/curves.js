// @ts-check
// The rows that a panel of curves draws: means and bands by setting, and the single runs that are picked.

/** @typedef {{label: string, run?: string, epoch: number, value: number, true: number, low?: number,
 *    high?: number, n?: number}} Point `value` is clipped to the axis, `true` is not */

const RUNS = 60; // single runs drawn at most
const BEHIND = 50; // points of a grey curve

/**
 * Return the rows to draw, by part of the panel (the parts are named in the plots' panels).
 * @param {string} name "<metric> <split>"
 */
function parts(name) {
  const axis = data.curves.axes[name];
  const { coloured, grey } = drawn();
  const named = coloured.map((rank) => mean(name, rank, axis));
  const runs = singles(coloured).map((run) => ({ run, points: single(name, run, axis) }));
  const lost = grey.flatMap(divergedOf).slice(0, RUNS);
  const others = lost.map((run) => ({ run, points: single(name, run, axis) }));
  return {
    bands: named.flat().filter((row) => (row.n ?? 0) > 1),
    named_means: named.flat().map(asMean),
    other_means: grey.flatMap((rank) => thin(mean(name, rank, axis))).map(asMean),
    named_runs: runs.flatMap(({ points }) => points),
    named_ends: runs.flatMap(({ run, points }) => end(run, points)),
    other_runs: others.flatMap(({ points }) => points),
    other_ends: others.flatMap(({ run, points }) => end(run, points)),
    points: [...named.flat(), ...runs.flatMap(({ points }) => points)],
  };
}

/**
 * Keep about BEHIND points of a grey curve, and its last one.
 * @param {Point[]} points
 */
function thin(points) {
  const step = Math.ceil(points.length / BEHIND);
  return points.filter((_, index) => index % step === 0 || index === points.length - 1);
}

/** @param {Point} point */
function asMean(point) {
  return { ...point, mean: point.value };
}

/**
 * Return the runs to draw singly: picked runs, all runs of picked settings, and diverged runs.
 * @param {number[]} coloured
 */
function singles(coloured) {
  const of = coloured.flatMap((rank) => (state.settings.has(rank) ? runsOf[rank] : divergedOf(rank)));
  const picked = [...state.runs].filter((run) => coloured.includes(data.runs[run].rank));
  return [...new Set([...picked, ...of])].slice(0, RUNS);
}

/** @type {number[][]} the runs of each setting */
const runsOf = data.settings.map(() => []);
data.runs.forEach((run, index) => runsOf[run.rank].push(index));

/** @param {number} rank */
function divergedOf(rank) {
  return runsOf[rank].filter((run) => data.runs[run].status === "diverged");
}

/**
 * @param {string} name
 * @param {number} rank
 * @param {[number, number]} axis
 * @returns {Point[]}
 */
function mean(name, rank, axis) {
  const { label } = data.settings[rank];
  const { n, mean, low, high } = data.curves.means[name];
  const [lows, highs] = [unpack(low), unpack(high)];
  const from = rank * data.curves.epochs.length;
  return inside(unpack(mean), from, axis).map((point) => ({
    ...point,
    label,
    low: hold(lows[from + point.index], axis),
    high: hold(highs[from + point.index], axis),
    n: n[rank],
  }));
}

/**
 * @param {string} name
 * @param {number} run
 * @param {[number, number]} axis
 * @returns {Point[]}
 */
function single(name, run, axis) {
  const packed = data.curves.runs[name];
  if (!packed) return [];
  const label = data.settings[data.runs[run].rank].label;
  const points = inside(unpack(packed), run * data.curves.epochs.length, axis);
  return points.map((point) => ({ ...point, label, run: data.runs[run].run }));
}

/**
 * Return the points of a curve, clipped to the axis; a curve that starts outside starts where it comes in.
 * @param {Float32Array} values
 * @param {number} from
 * @param {[number, number]} axis
 */
function inside(values, from, axis) {
  const points = data.curves.epochs
    .map((epoch, index) => ({ epoch, index, value: hold(values[from + index], axis), true: values[from + index] }))
    .filter((point) => Number.isFinite(point.true));
  const first = points.findIndex((point) => point.value === point.true);
  return first > 0 ? points.slice(first - 1) : points;
}

/**
 * @param {number} value
 * @param {[number, number]} axis
 */
function hold(value, [low, high]) {
  return Math.min(high, Math.max(low, value));
}

/**
 * Return the last point of a diverged run, for its cross.
 * @param {number} run
 * @param {Point[]} points
 */
function end(run, points) {
  return data.runs[run].status === "diverged" ? points.slice(-1) : [];
}
