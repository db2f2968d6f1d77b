/** The order of a form's fields in the page: by buttons (fields.js) and by a grip (grip.js). A save keeps it. */

const STEP = 10;

export const group = document.getElementById("fields-group");

/** The rows that are shown, in their order. The last one is the pattern of a new row. @returns {HTMLElement[]} */
export function rows() {
  return [...(group?.querySelectorAll(".inline-related:not(.empty-form)") ?? [])].map(
    (row) => /** @type {HTMLElement} */ (row),
  );
}

/** @param {Element} row @param {string} name */
export function input(row, name) {
  return /** @type {HTMLInputElement | HTMLSelectElement | null} */ (row.querySelector(`[name$="-${name}"]`));
}

// Django numbers the rows that are left as they stand in the page, and the saved ones have to come first wherever they were
// moved: meanwhile all stand by their numbers.
document.addEventListener("formset:removed", () => {
  const shown = rows();
  const end = group?.querySelector(".empty-form");
  const number = (/** @type {Element} */ row) => Number(row.id.split("-").at(-1));
  end?.before(...[...shown].sort((one, other) => number(one) - number(other)));
  queueMicrotask(() => end?.before(...shown));
});

/** Numbers the rows as they stand, and says where the one that was moved stands now. @param {HTMLElement} moved */
export function settle(moved) {
  const all = rows();
  for (const [index, row] of all.entries()) {
    const position = input(row, "position");
    if (position) position.value = String((index + 1) * STEP);
    const shown = row.querySelector(".webchat-row-position");
    if (shown) shown.textContent = position?.value ?? "";
  }
  const status = group?.querySelector("[data-place-words]");
  if (!(status instanceof HTMLElement)) return;
  const words = /** @type {Record<string, string | number>} */ ({
    label: moved.querySelector(".webchat-row-summary strong")?.textContent?.trim() ?? "",
    place: all.indexOf(moved) + 1,
    count: all.length,
  });
  status.textContent = (status.dataset.placeWords ?? "").replace(/\{(\w+)\}/g, (_whole, name) => String(words[name]));
}
