// Markup and words for the visitor, cloned from the <template>s that the server rendered.

/** @import {Slots} from "#types" */

export class Templates {
  /** @param {{template(name: string): DocumentFragment}} source */
  constructor(source) {
    this.source = source;
  }

  /** @param {string} name @param {Slots} [slots] @returns {DocumentFragment} */
  clone(name, slots = {}) {
    const fragment = this.source.template(name);
    for (const [slot, value] of Object.entries(slots)) {
      for (const place of fragment.querySelectorAll(`[data-slot="${slot}"]`)) place.textContent = String(value);
    }
    return fragment;
  }

  /** @param {string} name @param {Slots} [slots] @returns {HTMLElement} */
  element(name, slots) {
    return /** @type {HTMLElement} */ (this.clone(name, slots).firstElementChild);
  }

  /** @param {string} name @param {Slots} [slots] */
  text(name, slots) {
    return (this.clone(name, slots).textContent ?? "").trim();
  }

  /** The sentence for an error: the server's own, or ours for what never reached it. @param {unknown} error */
  problem(error) {
    const { code = "", detail = "" } = /** @type {{code?: string, detail?: string}} */ (error ?? {});
    return detail || this.text(code === "network" || code === "timeout" ? code : "unexpected");
  }
}

/**
 * The part of the markup that carries data-webchat-<name>.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} name
 * @param {new () => T} [type]
 * @returns {T | null} null where the page has none
 */
export function find(root, name, type = /** @type {any} */ (HTMLElement)) {
  const found = root.querySelector(`[data-webchat-${name}]`);
  return found instanceof type ? found : null;
}

/**
 * The same, of what each page has.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} name
 * @param {new () => T} [type]
 * @returns {T}
 */
export function part(root, name, type) {
  const found = find(root, name, type);
  if (!found) throw new Error(`No part ${name}`);
  return found;
}

/**
 * Lets what is typed read in its own direction: else an English text ends with its full stop on the wrong side of an
 * Arabic page. An empty field, and thus its placeholder, keeps the direction of the page.
 * @param {Element | EventTarget | null} field
 */
export function followDirection(field) {
  const input = /** @type {HTMLInputElement | HTMLTextAreaElement} */ (field);
  if (input.matches("textarea,[type=text]")) input.dir = input.value && "auto";
}

/**
 * The page's language, in the visitor's own variety of it if they have one: the page says "en", they write dates the
 * British way.
 * @param {Element} element
 * @returns {string | undefined}
 */
export function languageOf(element) {
  const language = element.closest("[lang]")?.getAttribute("lang") || undefined;
  return navigator.languages.find((own) => own.split("-")[0] === language) ?? language;
}
