/** "Show only if": one list of the page is the select of each row. Without scripts browsers suggest from the list. */

const SELECTOR = 'input[name$="-shown_if"]';

/** The condition of a field is about others. @param {HTMLOptionElement} option @param {string} own */
function isOfAnother(option, own) {
  return !own || option.value.split("=", 1)[0] !== own;
}

/** @param {HTMLInputElement} input */
function makeSelect(input) {
  const name = input.closest(".inline-related")?.querySelector('input[name$="-name"]');
  const own = name instanceof HTMLInputElement ? name.value : "";
  const select = document.createElement("select");
  for (const attribute of ["name", "id", "aria-describedby", "aria-invalid"]) {
    const value = input.getAttribute(attribute);
    if (value !== null) select.setAttribute(attribute, value);
  }
  for (const option of /** @type {HTMLDataListElement} */ (input.list).options)
    if (isOfAnother(option, own)) select.append(option.cloneNode(true));
  select.value = input.value;
  // What is not offered any more stays, and the server says what is wrong.
  if (select.value !== input.value) select.append(new Option(input.value, input.value, true, true));
  input.replaceWith(select);
}

for (const input of document.querySelectorAll(SELECTOR)) makeSelect(/** @type {HTMLInputElement} */ (input));
