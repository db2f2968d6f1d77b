/** "Show only if" as a select of what the other rows of the page can be answered, saved or not. Without scripts browsers
 * suggest from the list of what is saved. */

import { group, input, rows } from "./order.js";

const SEPARATOR = "=";
const BOXES = ["checkbox", "consent"];
const WITH_CHOICES = ["select", "radio"];
const LONGEST = 60;
const saved = /** @type {HTMLDataListElement | null} */ (document.getElementById("fields-conditions"));

/** @param {Element} row @param {string} name */
const written = (row, name) => input(row, name)?.value.trim() ?? "";

/** @param {string} text */
const short = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

/** As the server makes names of labels, where a script is sure of the letters; else a number. @param {string} label */
function nameFrom(label, /** @type {Set<string>} */ taken) {
  const plain = label.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase().toLowerCase(); // ß becomes ss
  const words = /[^\p{ASCII}]/u.test(plain.replace(/[^\p{L}]/gu, "")) ? "" : plain;
  const name = words.replace(/[^a-z0-9]+/g, "_").replace(/^[_0-9]+|_+$/g, "");
  let number = 1;
  let found = name.slice(0, 40) || `field_${number}`;
  while (taken.has(found)) {
    number += 1;
    found = `${name.slice(0, 36) || "field"}_${number}`;
  }
  return found;
}

/** The rows on which `own` can depend, with the name of each: one that has none gets it when it is chosen. */
function others(/** @type {Element} */ own) {
  const sound = rows().filter((row) => input(row, "label") && !row.querySelector('input[name$="-DELETE"]:checked'));
  const taken = new Set(sound.map((row) => written(row, "name")));
  const found = [];
  for (const row of sound) {
    const name = written(row, "name") || (written(row, "label") && nameFrom(written(row, "label"), taken));
    taken.add(name);
    if (row !== own && name && written(row, "type") !== "hidden" && !written(row, "shown_if"))
      found.push({ row, name });
  }
  return found;
}

/** What a row can be answered, as the server offers it of rows that are saved. */
function answersOf(/** @type {Element} */ row, /** @type {string} */ name) {
  const type = written(row, "type");
  const label = short(written(row, "label"));
  const words = (BOXES.includes(type) ? saved?.dataset.ticked : saved?.dataset.any) ?? "";
  const found = [
    new Option(
      words.replace("{label}", () => label),
      name,
    ),
  ];
  if (!WITH_CHOICES.includes(type)) return found;
  for (const line of written(row, "choices").split("\n")) {
    const [value, ...rest] = line.split("|");
    if (!value?.trim()) continue;
    const answer = rest.join("|").trim() || value.trim();
    found.push(new Option(`${label}: ${short(answer)}`, `${name}${SEPARATOR}${value.trim()}`));
  }
  return found;
}

/** Offers what can be chosen now. @param {HTMLSelectElement} select */
function offer(select) {
  const row = select.closest(".inline-related");
  if (!row) return;
  const chosen = select.value;
  const names = new Set(rows().flatMap((each) => written(each, "name") || []));
  // Those of rows that this person may only read.
  const kept = [...(saved?.options ?? [])].filter(({ value }) => !names.has(value.split(SEPARATOR, 1)[0] ?? ""));
  const options = kept.map(({ value, text }) => new Option(text, value));
  for (const other of others(row)) {
    for (const option of answersOf(other.row, other.name)) {
      option.dataset.row = other.row.id;
      options.push(option);
    }
  }
  select.replaceChildren(...options);
  select.value = chosen;
  // What is not offered any more stays, and the server says what is wrong.
  if (select.value !== chosen) select.append(new Option(chosen, chosen, true, true));
}

/** @param {HTMLInputElement} field */
function makeSelect(field) {
  const select = document.createElement("select");
  for (const attribute of ["name", "id", "aria-describedby", "aria-invalid"]) {
    const value = field.getAttribute(attribute);
    if (value !== null) select.setAttribute(attribute, value);
  }
  const { value } = field;
  const words = [...(saved?.options ?? [])].find((option) => option.value === value)?.text;
  select.append(new Option(words ?? value, value, true, true));
  field.replaceWith(select);
  if (words === undefined) offer(select); // it depends on a row that is not saved
}

/** @param {Event} event */
function conditionOf(event) {
  const select = event.target;
  return select instanceof HTMLSelectElement && select.name.endsWith("-shown_if") ? select : null;
}

for (const field of document.querySelectorAll('input[name$="-shown_if"]'))
  makeSelect(/** @type {HTMLInputElement} */ (field));
// Before the list opens.
for (const type of ["pointerdown", "focusin"]) {
  group?.addEventListener(type, (event) => {
    const select = conditionOf(event);
    if (select) offer(select);
  });
}
group?.addEventListener("change", (event) => {
  const [option] = conditionOf(event)?.selectedOptions ?? [];
  const name =
    option?.dataset.row && input(/** @type {Element} */ (document.getElementById(option.dataset.row)), "name");
  if (name && !name.value) name.value = option.value.split(SEPARATOR, 1)[0] ?? "";
});
