// Fields that are shown only if another one has a certain answer. Imported where the form has some; the server decides.

/**
 * Shows and hides the fields of a form as its answers change. A hidden one keeps what was typed, and sends nothing.
 * @param {HTMLElement} form
 */
export function enhance(form) {
  if (!(form instanceof HTMLFormElement)) return;
  for (const words of form.querySelectorAll("[data-webchat-if-words]")) words.setAttribute("hidden", "");
  const update = () => {
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-webchat-if]")))
      show(form, row, isMet(form, row.dataset));
    showLinks(form);
  };
  // A form that is filled by a script says so by "change".
  for (const type of ["input", "change"]) form.addEventListener(type, update);
  update();
  form.classList.remove("webchat-conditional");
}

/** @param {HTMLFormElement} form @param {DOMStringMap} row its condition: as in webchat/fields/conditions.py */
function isMet(form, { webchatIf: name = "", webchatIfValue: wanted = "" }) {
  const answer = new FormData(form).get(name);
  return typeof answer === "string" && (wanted ? answer === wanted : answer.trim() !== "");
}

/** @param {HTMLFormElement} form @param {HTMLElement} row @param {boolean} isShown */
function show(form, row, isShown) {
  const hadFocus = row.contains(document.activeElement);
  row.hidden = !isShown;
  /** @type {NodeListOf<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>} */
  const inputs = row.querySelectorAll("input, select, textarea");
  for (const input of inputs) {
    input.disabled = !isShown;
    // The form checks nothing itself: this is what a screen reader says.
    if ("webchatRequired" in row.dataset) input.required = isShown;
  }
  if (hadFocus && !isShown) focusOn(form, row.dataset.webchatIf ?? "");
}

/** The field that has hidden another one. @param {HTMLFormElement} form @param {string} name */
function focusOn(form, name) {
  const inputs = form.querySelectorAll(`[name="${CSS.escape(name)}"]`);
  const input = [...inputs].find((one) => one.matches(":checked")) ?? inputs[0];
  if (input instanceof HTMLElement) input.focus();
}

/** What is wrong with a field that is not shown need not be corrected. @param {HTMLFormElement} form */
function showLinks(form) {
  /** @type {NodeListOf<HTMLAnchorElement>} */
  const links = form.querySelectorAll("[data-webchat-error-links] a");
  for (const link of links) {
    const row = document.getElementById(link.hash.slice(1))?.closest("[data-webchat-if]");
    link.closest("li")?.toggleAttribute("hidden", !!row?.hasAttribute("hidden"));
  }
}
