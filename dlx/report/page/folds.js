// @ts-check
// Folded parts of the page: a link into one opens it, and a page that reloads itself keeps them open.

const OPEN = `open folds of ${location.pathname}`;

/** Open the folds that were open before a reload, and the fold that a link leads into. */
function folds() {
  for (const id of remembered()) document.getElementById(id)?.closest("details")?.setAttribute("open", "");
  for (const fold of document.querySelectorAll("details.fold")) fold.addEventListener("toggle", remember);
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest('a[href^="#"]');
    if (link) reveal(document.getElementById(link.getAttribute("href")?.slice(1) ?? ""));
  });
  if (location.hash) reveal(document.getElementById(location.hash.slice(1)));
}

/**
 * Open every fold around an element, and scroll to it.
 * @param {Element | null | undefined} inside
 */
function reveal(inside) {
  for (let fold = inside?.closest("details"); fold; fold = fold.parentElement?.closest("details")) fold.open = true;
  inside?.scrollIntoView();
}

/** @returns {string[]} the ids in open folds; none if the browser stores nothing for this page */
function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(OPEN) ?? "[]");
  } catch {
    return [];
  }
}

function remember() {
  const ids = [...document.querySelectorAll("details.fold[open] > .content")].map((content) => content.id);
  try {
    sessionStorage.setItem(OPEN, JSON.stringify(ids));
  } catch {
    // a browser may forbid it
  }
}
