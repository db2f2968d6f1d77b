/** The fields of a form: they are moved by buttons, and a new one begins as its type is mostly used. */

import { group, input, rows, settle } from "./order.js";

/** @param {HTMLButtonElement} button */
function moveRow(button) {
  const row = /** @type {HTMLElement} */ (button.closest(".inline-related"));
  const all = rows();
  const at = all.indexOf(row);
  const to = { top: 0, up: at - 1, down: at + 1 }[button.dataset.move ?? ""] ?? at;
  const other = all[to];
  if (!other || other === row) return;
  if (to > at) other.after(row);
  else other.before(row);
  settle(row);
  button.focus(); // a row that is moved in the page loses it
}

/** A role that no other row has. @param {Element} row @param {string} role */
function proposeRole(row, role) {
  const own = input(row, "role");
  const taken = rows().some((each) => each !== row && input(each, "role")?.value === role);
  if (own && !own.value && !taken) own.value = role;
}

const ROLES = new Map([
  ["name", "customer_name"],
  ["textarea", "question"],
]);

/** @param {Element} row @param {string} type */
function beginAs(row, type) {
  const required = /** @type {HTMLInputElement | null} */ (input(row, "required"));
  if (required && type === "checkbox") required.checked = false;
  const role = ROLES.get(type);
  if (role) proposeRole(row, role);
}

group?.addEventListener("click", (event) => {
  const button = /** @type {Element} */ (event.target).closest("button[data-move]");
  if (button) moveRow(/** @type {HTMLButtonElement} */ (button));
});
group?.addEventListener("change", (event) => {
  const changed = /** @type {HTMLSelectElement} */ (event.target);
  const row = changed.closest(".inline-related:not(.has_original)");
  if (row && changed.name.endsWith("-type")) beginAs(row, changed.value);
});
group?.addEventListener("formset:added", (event) => input(/** @type {Element} */ (event.target), "label")?.focus());
/** @type {HTMLElement} */ for (const moves of group?.querySelectorAll(".webchat-row-moves") ?? [])
  moves.removeAttribute("hidden");
