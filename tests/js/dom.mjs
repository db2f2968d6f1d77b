// A document in Node with the page that the site renders, for the units that need one. It lays nothing out and loads
// nothing: sizes are 0, and what the element would import is imported from here.

import { readFileSync } from "node:fs";
import { Window } from "happy-dom";

const GLOBALS = [
  "CSS",
  "CustomEvent",
  "DOMParser",
  "Element",
  "Event",
  "FormData",
  "HTMLAnchorElement",
  "HTMLButtonElement",
  "HTMLDetailsElement",
  "HTMLElement",
  "HTMLFormElement",
  "HTMLImageElement",
  "HTMLInputElement",
  "HTMLLinkElement",
  "HTMLSelectElement",
  "HTMLTemplateElement",
  "HTMLTextAreaElement",
  "HTMLTimeElement",
  "IntersectionObserver",
  "KeyboardEvent",
  "MouseEvent",
  "MutationObserver",
  "ResizeObserver",
  "customElements",
  "document",
  "innerWidth",
  "localStorage",
  "location",
  "matchMedia",
  "navigator",
  "requestAnimationFrame",
  "sessionStorage",
];

const PAGE = new URL("../../.cache/markup.html", import.meta.url);
const window = new Window({ url: "http://127.0.0.1/webchat/support/", width: 1280, height: 800 });
for (const name of GLOBALS) Object.defineProperty(globalThis, name, { value: window[name], configurable: true });
globalThis.window = globalThis;
for (const type of ["addEventListener", "removeEventListener", "dispatchEvent"])
  globalThis[type] = window[type].bind(window);

const { WebChatElement } = await import("../../static/webchat/web-chat-element.js");
const { Templates } = await import("../../static/webchat/templates.js");

const page = new DOMParser().parseFromString(readFileSync(PAGE, "utf8"), "text/html");
document.documentElement.lang = "en";
// Nothing loads it here, and a chat would wait for it.
page.querySelector("template[data-webchat-chat-stylesheet]").remove();

/** The rendered page's <web-chat>, as HTML. */
export const markup = page.querySelector("web-chat").outerHTML;

/** A copy of the rendered page's <web-chat>, alone in the document. It is an element without a class until defined. */
export function freshElement() {
  const element = document.importNode(page.querySelector("web-chat"), true);
  document.body.replaceChildren(element);
  return element;
}

/** Finds templates in the page as the element does. */
export function templatesOf(element) {
  return new Templates({ template: (name) => WebChatElement.prototype.template.call(element, name) });
}

/** Resolves when all that is under way without a timer has happened. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
