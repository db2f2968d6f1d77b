/** Opens the texts of one language everywhere on the page, without loading it again: what was typed stays. */

const lists = /** @type {NodeListOf<HTMLAnchorElement>} */ (
  document.querySelectorAll(".webchat-language-list a[data-language]")
);

/** @param {string} language "" for none */
function show(language) {
  for (const link of lists) {
    if (link.dataset.language === language) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  for (const part of document.querySelectorAll("details.webchat-language")) {
    const details = /** @type {HTMLDetailsElement} */ (part);
    details.open = details.dataset.language === language;
    const row = details.parentElement?.closest("details");
    if (row && details.open && "missing" in details.dataset) row.open = true;
  }
}

/** The preview beside the form is in that language too. @param {string} language */
function preview(language) {
  const choice = /** @type {HTMLSelectElement | null} */ (document.querySelector('select[name="builder-language"]'));
  if (!choice || !language) return;
  choice.value = language;
  choice.dispatchEvent(new Event("change", { bubbles: true }));
}

for (const link of lists)
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const language = link.hasAttribute("aria-current") ? "" : (link.dataset.language ?? "");
    const address = new URL(location.href);
    if (language) address.searchParams.set("language", language);
    else address.searchParams.delete("language");
    history.replaceState(history.state, "", address);
    show(language);
    preview(language);
  });
