// The question whether a chat goes on here that was begun elsewhere: the server's form, which is sent without leaving the page.

import { markupOf } from "./api.js";
import { part } from "./templates.js";

/**
 * @import {Panel} from "./panel.js"
 * @import {WebChatElement} from "./web-chat-element.js"
 */

const AGAIN_MS = 30_000;

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
      if (host.mode === "launcher") host.remember("open");
      show(answer);
      part(host, "title").focus();
    } catch (error) {
      part(form, "offer-problem").textContent = templates.problem(error);
    }
  });
  const asked = new AbortController();
  const { signal } = asked;
  const timer = setInterval(() => stillOffered(), AGAIN_MS);
  document.addEventListener("visibilitychange", () => stillOffered(), { signal });
  if (form.dataset.webchatOffer) return; // The form that it stands for opens for nobody either.
  host.hidden = false;
  openOnce(host, body.dataset.visitor ?? "");

  /** The chat may end where it goes on, and an offer lapses: the question goes then. */
  async function stillOffered() {
    if (!form.isConnected) {
      clearInterval(timer);
      return asked.abort();
    }
    if (document.visibilityState === "hidden") return;
    const markup = await markupOf(host.takeRequest()).catch(() => "");
    if (markup && form.isConnected && !markup.includes("data-webchat-offer")) show(markup);
  }
}

/**
 * Opens the panel by itself on the first page after the sign-in. On the next ones it is as the visitor left it, and on a
 * phone it is minimised, for there it would cover each page until it is answered.
 * @param {WebChatElement} host
 * @param {string} mark of this visitor, another after the next sign-in
 */
async function openOnce(host, mark) {
  if (host.recall("offer") === mark) return;
  host.remember(mark, "offer");
  await host.open({ focus: false });
  if (part(host, "panel").hasAttribute("aria-modal")) host.remember("minimised");
}
