// The question whether a chat goes on here that was begun elsewhere: the server's form, which is sent without leaving the page.

import { markupOf } from "./api.js";
import { part } from "./templates.js";

/** @import {Panel} from "./panel.js" */

/**
 * Asks while the server would take a yes.
 * @param {Panel} panel
 * @param {HTMLElement} body that the question stands in
 * @param {(markup: string) => void} show the panel after the answer
 */
export function ask({ host, templates, tabs }, body, show) {
  const form = part(body, "offer", HTMLFormElement);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { value } = /** @type {HTMLButtonElement} */ (event.submitter);
    const sent = new URLSearchParams(/** @type {any} */ (new FormData(form)));
    sent.set("answer", value);
    sent.set("panel", "1");
    try {
      const answer = await markupOf(fetch(form.action, { method: "POST", body: sent }));
      tabs.postMessage({ answered: true });
      show(answer);
      part(host, "title").focus();
    } catch (error) {
      part(form, "offer-problem").textContent = templates.problem(error);
    }
  });
  if (form.dataset.webchatOffer) return; // The form that it stands for opens for nobody either.
  host.hidden = false;
  host.open({ focus: false });
}
