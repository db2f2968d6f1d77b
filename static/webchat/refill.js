// Answers of one form, put into another. Imported when there is another.

import { followDirection } from "./templates.js";

/**
 * Leaves alone what the visitor has begun to answer, as on a slow line, and the hidden fields.
 * @param {HTMLFormElement} form
 * @param {FormData} answers of another form
 */
export function fill(form, answers) {
  for (const field of form.elements) if (!isChanged(field)) put(field, answers);
  form.dispatchEvent(new Event("change"));
}

function isChanged(/** @type {Element} */ field) {
  // The value of a box says nothing: without one in the markup it is "on", and its default value is empty.
  if (isBox(field)) return field.checked !== field.defaultChecked;
  const isText = field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement;
  return isText && field.value !== field.defaultValue;
}

/** @param {Element} field @returns {field is HTMLInputElement} */
function isBox(field) {
  return field instanceof HTMLInputElement && /^(checkbox|radio)$/.test(field.type);
}

/**
 * Only what the visitor answered about themselves: what a browser would fill in, too. Asks nothing of consents, and
 * leaves alone what the visitor has begun to write.
 */
export function fillPersonal(/** @type {HTMLFormElement} */ form, /** @type {FormData} */ answers) {
  const personal = "[autocomplete]:not([autocomplete=off]):not([autocomplete=on])";
  for (const field of form.elements) {
    const isBegun = "value" in field && field.value !== "";
    if (field.matches(personal) && !isBegun) put(field, answers);
  }
  form.dispatchEvent(new Event("change"));
}

/** @param {Element} field @param {FormData} answers */
function put(field, answers) {
  if (isBox(field)) {
    field.checked = answers.getAll(field.name).includes(field.value);
  } else if (
    (field instanceof HTMLInputElement && field.type !== "hidden") ||
    field instanceof HTMLTextAreaElement ||
    field instanceof HTMLSelectElement
  ) {
    const value = answers.get(field.name);
    const isOffered = !(field instanceof HTMLSelectElement) || [...field.options].some((one) => one.value === value);
    if (typeof value === "string" && isOffered) field.value = value;
    followDirection(field);
  }
}
