// The files that the visitor is about to send. Imported only where the webchat allows them.

import { languageOf, part } from "../templates.js";

/**
 * @import {Attachment, Entry} from "#types"
 * @import {Templates} from "../templates.js"
 * @import {Conversation} from "@twilio/conversations"
 */

// Of one message, by the SDK's own limit.
const MAX_FILES = 10;
const KILOBYTE = 1000;
const MEGABYTE = 1_000_000;
// A longer one is refused. Its end says more than its beginning: the type.
const NAME_LONGEST = 200;

export class OutgoingFiles {
  /** @type {Map<File, HTMLElement>} */
  #chosen = new Map();

  /** @param {HTMLElement} view @param {Templates} templates */
  constructor(view, templates) {
    this.view = view;
    this.templates = templates;
    this.list = part(view, "chosen");
    this.button = part(view, "attach");
    this.problem = part(view, "file-problem");
    const input = part(view, "file-input", HTMLInputElement);
    const { types = "", maxMegabytes = "" } = input.dataset;
    /** @type {Map<string, string>} extension → media type */
    this.types = new Map(types.split(" ").map((pair) => /** @type {[string, string]} */ (pair.split("="))));
    this.maxBytes = Number(maxMegabytes) * MEGABYTE;
    // Both: phones offer the camera by the type, and name a file without its extension.
    input.accept = [...[...this.types.keys()].map((extension) => `.${extension}`), ...this.types.values()].join();
    this.button.addEventListener("click", () => input.click());
    part(view, "dismiss").addEventListener("click", () => {
      this.#say([]);
      part(view, "message").focus();
    });
    input.addEventListener("change", () => {
      this.add([...(input.files ?? [])]);
      input.value = "";
    });
    part(view, "composer").addEventListener("paste", (event) => this.#pasted(event));
    for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
      view.addEventListener(type, (event) => this.#dragged(/** @type {DragEvent} */ (event)));
    }
    this.button.hidden = false;
  }

  get files() {
    return [...this.#chosen.keys()];
  }

  /** Takes those that may be sent, and says why the others may not. @param {File[]} files */
  add(files) {
    const lines = [];
    let areLimits = false;
    for (const file of files) {
      const problem = this.#problemOf(file);
      if (!problem) {
        this.#choose(file);
        continue;
      }
      const line = this.templates.clone("file-refused");
      line.firstElementChild?.append(this.templates.clone(problem, { name: file.name, size: this.#sizeOf(file) }));
      lines.push(line);
      areLimits ||= problem === "file-type" || problem === "file-size";
    }
    if (areLimits) lines.push(this.templates.clone("file-limits"));
    this.#say(lines);
  }

  /** @returns {Attachment[]} those to send, which are no longer here */
  take() {
    const files = this.files.map((file) => {
      const url = URL.createObjectURL(file);
      return { name: file.name, type: file.type, url: async () => url, file, size: this.#sizeOf(file) };
    });
    this.clear();
    return files;
  }

  clear() {
    for (const file of this.files) this.#drop(file);
    this.#say([]);
  }

  /** The name of the template that says what is wrong. @param {File} file */
  #problemOf(file) {
    const total = this.files.reduce((sum, { size }) => sum + size, file.size);
    if (!this.#typeOf(file)) return "file-type";
    if (!file.size) return "file-empty";
    if (this.files.length === MAX_FILES) return "file-count";
    return total > this.maxBytes ? "file-size" : null;
  }

  /** By the extension: what browsers make of office documents differs. @param {File} file */
  #typeOf({ name, type }) {
    const extension = /\.(\w+)$/.exec(name)?.[1].toLowerCase();
    if (extension) return this.types.get(extension);
    return [...this.types.values()].find((known) => known === type);
  }

  /** @param {File} given */
  #choose(given) {
    // Its type is ours from here on: the browser may open it in this site's name.
    const name = [...given.name].slice(-NAME_LONGEST).join("");
    const file = new File([given], name, { type: this.#typeOf(given) });
    const item = this.templates.element("chosen", { name: file.name, size: this.#sizeOf(file) });
    const preview = part(item, "preview", HTMLImageElement);
    if (file.type.startsWith("image/")) {
      preview.src = URL.createObjectURL(file);
      preview.hidden = false;
    }
    part(item, "remove").addEventListener("click", () => {
      const beside = item.nextElementSibling ?? item.previousElementSibling;
      this.#drop(file);
      this.#say([]);
      if (beside instanceof HTMLElement) part(beside, "remove").focus();
      else this.button.focus();
    });
    this.#chosen.set(file, item);
    this.list.append(item);
    this.list.hidden = false;
  }

  /** @param {File} file */
  #drop(file) {
    const item = this.#chosen.get(file);
    this.#chosen.delete(file);
    if (item) URL.revokeObjectURL(part(item, "preview", HTMLImageElement).src);
    item?.remove();
    this.list.hidden = !this.#chosen.size;
  }

  /** @param {DocumentFragment[]} problems a line each */
  #say(problems) {
    this.problem.replaceChildren(...problems);
    part(this.view, "dismiss").hidden = !problems.length;
    part(this.view, "files-status").textContent = this.#chosen.size
      ? this.templates.text("files-ready", { count: this.#chosen.size })
      : "";
  }

  /** @param {File} file */
  #sizeOf({ size }) {
    return sizeInWords(size, languageOf(this.view));
  }

  /** Office programs put a picture of the text beside it: then the text is meant. @param {ClipboardEvent} event */
  #pasted(event) {
    const pasted = event.clipboardData;
    if (!pasted?.files.length || pasted.types.includes("text/plain")) return;
    event.preventDefault();
    this.add([...pasted.files]);
  }

  /** @param {DragEvent} event */
  #dragged(event) {
    const { dataTransfer, relatedTarget } = event;
    if (!dataTransfer?.types.includes("Files") || part(this.view, "composer").hidden) return;
    event.preventDefault();
    const inside = event.type === "dragleave" ? this.view.contains(/** @type {Node | null} */ (relatedTarget)) : true;
    this.view.classList.toggle("webchat-dropping", inside && event.type !== "drop");
    if (event.type === "drop") this.add([...dataTransfer.files]);
  }
}

/** In kB, and in MB with a decimal. @param {number} bytes @param {string | undefined} language */
export function sizeInWords(bytes, language) {
  const isSmall = bytes < MEGABYTE;
  const digits = isSmall ? 0 : 1;
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit: isSmall ? "kilobyte" : "megabyte",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(Math.max(1, bytes / KILOBYTE) / (isSmall ? 1 : KILOBYTE));
}

/**
 * Sends a message with its files. As long as it takes: the line may be slow, and the visitor can call it off.
 * @param {Conversation} conversation
 * @param {Entry} entry
 * @param {Record<string, string | null>} attributes
 * @param {AbortSignal} signal
 */
export async function upload(conversation, { text, files = [] }, attributes, signal) {
  signal.throwIfAborted(); // while the line was opened, or this file loaded
  const message = conversation.prepareMessage().setAttributes(attributes);
  if (text) message.setBody(text);
  for (const { name, type, file } of files) {
    if (file) message.addMedia({ contentType: type, filename: name, media: file });
  }
  const sending = message.build().send();
  signal.addEventListener("abort", () => sending.cancel());
  await sending;
}
