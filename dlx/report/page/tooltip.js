// @ts-check
// The tooltip of live charts: plain text beside the pointer.

const MARGIN = 14; // pixels between the pointer and the text

/**
 * Show the text of the point under the pointer, if any. Vega's own handler would write HTML.
 * @param {unknown} _handler
 * @param {MouseEvent} event
 * @param {any} item
 * @param {any} value
 */
function tooltip(_handler, event, item, value) {
  const tip = element("tip");
  const text = value === null || value === undefined || value === "" ? "" : tell(item?.datum?.datum ?? item?.datum, value);
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const { width, height } = tip.getBoundingClientRect();
  const right = event.clientX + MARGIN + width < innerWidth;
  tip.style.left = `${Math.max(4, right ? event.clientX + MARGIN : event.clientX - MARGIN - width)}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + MARGIN, innerHeight - height - 4))}px`;
}

/**
 * @param {any} point a Point of a curve, or any chart's row
 * @param {any} value what the specification gives: title and text by title
 */
function tell(point, value) {
  if (typeof point?.true !== "number") {
    return typeof value === "object" ? Object.entries(value).map(([title, text]) => `${title} ${text}`.trim()).join("\n") : String(value);
  }
  const lines = [point.run ?? point.label, `epoch ${point.epoch}: ${written(point.true)}`];
  if (point.run !== undefined) lines.push(point.label);
  else if (point.n > 1) lines.push(`mean of ${point.n} runs, ${written(point.low)} to ${written(point.high)}`);
  return lines.join("\n");
}

/** @param {number} value */
function written(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(3) : value.toPrecision(4);
}
