// How many wait, told to a visitor who does. Imported where the webchat has a queue.

import { markupOf } from "../api.js";
import { part } from "../templates.js";

/** @import {WebChatElement} from "../web-chat-element.js" */

// Our server's figures are hardly newer.
const AGAIN_MS = 30_000;

/**
 * Asks our server while the line that says so is in sight. Where it knows no figures, the line says nothing of them.
 * @param {WebChatElement} host
 * @param {HTMLElement} waiting the line
 * @param {AbortSignal} signal the chat has gone
 */
export function tellFigures(host, waiting, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let inSight = false;
  const tell = async () => {
    clearTimeout(timer);
    if (!inSight || signal.aborted) return;
    timer = setTimeout(tell, AGAIN_MS);
    const markup = await markupOf(host.takeRequest()).catch(() => "");
    const panel = new DOMParser().parseFromString(markup, "text/html");
    part(waiting, "figures").textContent = panel.querySelector(".webchat-availability")?.textContent?.trim() ?? "";
  };
  const observer = new IntersectionObserver((entries) => {
    inSight = entries.some(({ isIntersecting }) => isIntersecting);
    tell();
  });
  observer.observe(waiting);
  signal.addEventListener("abort", () => observer.disconnect());
}
