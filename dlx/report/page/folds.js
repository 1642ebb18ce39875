// @ts-check
// Folded parts of the page: a link into one opens it.

/** Open the fold that a link leads into; some browsers do so themselves. */
function folds() {
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest('a[href^="#"]');
    if (link) reveal(document.getElementById(link.getAttribute("href")?.slice(1) ?? ""));
  });
  reveal(document.getElementById(location.hash.slice(1)));
}

/**
 * Open every fold around an element, and scroll to it.
 * @param {Element | null | undefined} inside
 */
function reveal(inside) {
  for (let fold = inside?.closest("details"); fold; fold = fold.parentElement?.closest("details")) fold.open = true;
  inside?.scrollIntoView();
}
