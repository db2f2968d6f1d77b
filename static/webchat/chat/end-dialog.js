// The question whether to end the chat, and what stands in the composer's place afterwards.

import { part } from "../templates.js";

/** @import {Templates} from "../templates.js" */

export class EndDialog {
  /**
   * @param {HTMLElement} view
   * @param {Templates} templates
   * @param {object} on
   * @param {(asking: boolean) => void} on.asked the question is shown, or gone
   * @param {() => Promise<void>} on.confirmed
   */
  constructor(view, templates, on) {
    this.view = view;
    this.templates = templates;
    this.on = on;
    this.question = part(view, "confirm");
    this.problem = part(view, "confirm-problem");
    part(view, "confirm-end").addEventListener("click", () => this.#confirm());
    part(view, "confirm-keep").addEventListener("click", () => this.ask(false));
    this.question.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.ask(false);
    });
  }

  /** @param {boolean} asking */
  ask(asking) {
    this.question.hidden = !asking;
    this.problem.textContent = "";
    this.on.asked(asking);
    if (asking) part(this.view, "confirm-keep").focus();
  }

  /**
   * The chat is over.
   * @param {string} draft what the visitor had written and not sent
   * @param {{isNews: boolean}} options whether it has just ended
   */
  show(draft, { isNews }) {
    // Safari on a Mac gives a clicked button no focus: then the page has it.
    const { activeElement } = document;
    const had = isNews && (this.view.contains(activeElement) || activeElement === document.body);
    const text = part(this.view, "ended-text");
    // What has the focus is read out by that.
    if (had) text.removeAttribute("role");
    text.textContent = this.templates.text("ended");
    this.view.classList.add("webchat-over");
    this.question.hidden = true;
    part(this.view, "ended").hidden = false;
    part(this.view, "kept").hidden = !draft;
    part(this.view, "kept-text", HTMLTextAreaElement).value = draft;
    // Never to a button: the visitor may be typing, and the next space or Enter would press it.
    if (had) text.focus();
  }

  async #confirm() {
    const button = part(this.view, "confirm-end", HTMLButtonElement);
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      await this.on.confirmed();
    } catch (error) {
      this.problem.textContent = this.templates.problem(error);
    }
    button.removeAttribute("aria-disabled");
  }
}
