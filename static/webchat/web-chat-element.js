// <web-chat>: what a page view needs of it. The rest comes with the click.

import { find, part } from "./templates.js";

/**
 * @import {Modules} from "#types"
 * @import {Panel} from "./panel.js"
 */

const FILE_TIMEOUT_MS = 20_000;
const PANEL_TIMEOUT_MS = 15_000;
// Turbo and htmx put an element back at once if the next page has it too.
const LEAVE_MS = 1000;
const MINUTE = 60_000;

/**
 * <web-chat slug="…" mode="launcher|inline|page" src="address of the panel"> around server-rendered markup.
 *
 * Fires web-chat:opening and web-chat:ending, which a listener may cancel, and web-chat:opened, web-chat:started,
 * web-chat:message, web-chat:ended, web-chat:left and web-chat:error. All of them bubble.
 */
export class WebChatElement extends HTMLElement {
  static observedAttributes = ["slug", "mode", "src"];

  /** @type {Promise<Panel> | undefined} */
  #loading;
  /** @type {Panel | undefined} once it is there */
  #panel;
  #unloaded = new AbortController();
  #bound = false;
  #open = false;
  /** @type {Promise<Response> | undefined} */
  #early;
  /** @type {AbortController | undefined} */
  #listening;
  /** @type {Map<string, Promise<string>>} */
  #fetched = new Map();

  static define(tag = "web-chat", registry = customElements) {
    if (!registry.get(tag)) registry.define(tag, this);
  }

  get slug() {
    return this.getAttribute("slug") ?? "";
  }

  set slug(slug) {
    this.setAttribute("slug", slug);
  }

  get mode() {
    return this.getAttribute("mode") ?? "launcher";
  }

  set mode(mode) {
    this.setAttribute("mode", mode);
  }

  get src() {
    return this.getAttribute("src") ?? "";
  }

  set src(address) {
    this.setAttribute("src", address);
  }

  get isOpen() {
    return this.#open;
  }

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("click", (event) => this.#clicked(event), { signal });
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    if (this.#holder !== this) return this.#leave();
    if (this.dataset.webchatHours) this.#followHours(signal);
    if (this.#bound) return this.#panel?.attached();
    this.#bound = true;
    for (const type of ["pointerenter", "focusin"]) this.addEventListener(type, () => this.#prefetch(), { once: true });
    this.#draw();
    const state = this.recall();
    if (this.mode === "page" || state === "open") this.open({ focus: false });
    else if (state) this.#load();
  }

  /** The launcher is right as it was rendered until its first change, in minutes since the epoch. */
  #followHours(/** @type {AbortSignal} */ signal) {
    if (signal.aborted) return;
    if (Number.parseFloat(/** @type {string} */ (this.dataset.webchatHours)) * MINUTE <= Date.now())
      this.load("hours").then(({ draw }) => draw(this), String);
    setTimeout(() => this.#followHours(signal), MINUTE - (Date.now() % MINUTE));
  }

  /**
   * The one that has the chat: it stands in the page, or is the first launcher. The others step back.
   * @returns {WebChatElement}
   */
  get #holder() {
    const same = `web-chat[slug="${this.slug}"]`;
    return document.querySelector(`${same}:not([mode=launcher])`) ?? document.querySelector(same) ?? this;
  }

  disconnectedCallback() {
    this.#listening?.abort();
    this.#panel?.detached();
    setTimeout(() => {
      const next = this.#holder;
      if (!this.isConnected) this.#leave();
      // htmx 2 puts the next page's element in before it takes this one out, and it stepped back.
      if (!next.#bound) next.before(next);
    }, LEAVE_MS);
  }

  /** @param {string} name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    if (!this.#bound || before === now) return;
    if (name !== "mode") {
      this.#unload();
      if (this.#open) this.#show({ focus: false });
      return;
    }
    this.#draw();
    this.#panel?.attached();
  }

  /** The page has done with it. The chat goes on with the next element of its kind, or with this one put back. */
  #leave() {
    this.#unload();
    this.#bound = this.#open = false;
    this.#draw();
  }

  #unload() {
    if (!this.#loading) return;
    this.#unloaded.abort();
    this.#panel?.dispose();
    this.#loading = this.#panel = this.#early = undefined;
    part(this, "content").replaceChildren();
  }

  /**
   * What this tab remembers, written only after the visitor opened the chat; else what this browser does, which is that a
   * chat runs. `panel` is "open", "minimised" over a running chat, or nothing.
   */
  recall(name = "panel") {
    try {
      const key = `webchat:${this.slug}:${name}`;
      return sessionStorage.getItem(key) ?? localStorage.getItem(key);
    } catch {
      return undefined; // A browser that forbids storage forgets.
    }
  }

  /** @param {string | null} value @param {string} [name] */
  remember(value, name = "panel") {
    try {
      const key = `webchat:${this.slug}:${name}`;
      if (value) sessionStorage.setItem(key, value);
      else sessionStorage.removeItem(key);
    } catch {
      // As above.
    }
  }

  /** @param {{focus?: boolean}} [options] @returns {Promise<void>} */
  async open({ focus = true } = {}) {
    if (this.#holder !== this) return this.#holder.open({ focus });
    if (!this.#open) {
      if (!this.emit("opening", {}, { cancelable: true })) return;
      this.#open = true;
      this.#draw();
      this.mode === "page" || this.remember("open");
      this.emit("opened");
    }
    if (focus) part(this, "title").focus();
    await this.#show({ focus });
  }

  /** @param {{focus: boolean}} options */
  async #show({ focus }) {
    const panel = await this.#load();
    if (this.#open) panel?.shown({ focus });
  }

  /** Minimises the panel; a running chat goes on. Only in the launcher's mode. */
  async close() {
    if (!this.#open || this.mode !== "launcher") return;
    const had = part(this, "panel").contains(document.activeElement) || document.activeElement === document.body;
    this.#open = false;
    this.#draw();
    this.#panel?.minimised();
    if (had) part(this, "launcher").focus();
    this.remember(null);
    const panel = await this.#loading?.catch(() => undefined);
    if (panel?.isKept && !this.#open) this.remember("minimised");
  }

  /** Ends the running chat, if there is one. */
  async end() {
    await (await this.#holder.#loading)?.end();
  }

  /**
   * @param {string} type
   * @param {object} [detail]
   * @param {{cancelable?: boolean}} [options]
   * @returns {boolean} false when a listener cancelled it
   */
  emit(type, detail = {}, { cancelable = false } = {}) {
    return this.dispatchEvent(new CustomEvent(`web-chat:${type}`, { bubbles: true, cancelable, detail }));
  }

  /** @param {string} name @returns {DocumentFragment} */
  template(name) {
    return document.importNode(part(this, `template="${name}"`, HTMLTemplateElement).content, true);
  }

  /**
   * Brings all files of a module into the browser's cache. A fetch() that failed can be repeated; an import() that
   * failed stays failed as long as the page lives (Firefox before 155, Chrome before 156, Safari), and what
   * modulepreload could not load, Safari does not ask for again even after a reload.
   * @param {keyof Modules} name of the template that lists them, without "-modules"
   * @returns {Promise<string>} the address of the module, the first of the list
   */
  fetchModule(name) {
    const known = this.#fetched.get(name);
    if (known) return known;
    const listed = /** @type {string} */ (this.template(`${name}-modules`).textContent);
    const addresses = listed.trim().split(/\s+/);
    const fetched = Promise.all(addresses.map(fetchFile)).then(() => addresses[0]);
    fetched.catch(() => this.#fetched.delete(name));
    this.#fetched.set(name, fetched);
    return fetched;
  }

  /**
   * @template {keyof Modules} Name
   * @param {Name} name
   * @returns {Promise<Modules[Name]>} rejects when a file does not come; asked again, it tries again
   */
  async load(name) {
    return import(await this.fetchModule(name));
  }

  /** @returns {Promise<Response>} the panel's markup, which may be under way already */
  takeRequest() {
    const request = this.#early ?? fetch(this.src, { signal: AbortSignal.timeout(PANEL_TIMEOUT_MS) });
    this.#early = undefined;
    return request;
  }

  /** What stands on the page follows the state. */
  #draw() {
    const isLauncher = this.mode === "launcher";
    part(this, "panel").hidden = isLauncher && !this.#open;
    const launcher = find(this, "launcher");
    if (!launcher) return;
    launcher.hidden = !isLauncher || this.#holder !== this;
    launcher.setAttribute("aria-expanded", String(this.#open));
    part(this, "link").hidden = true;
  }

  #prefetch() {
    const styles = find(this, "stylesheet", HTMLTemplateElement);
    styles?.replaceWith(styles.content);
    this.fetchModule("panel").catch(() => {}); // The click asks again, and says so.
  }

  /** @returns {Promise<Panel | undefined>} undefined when it could not be loaded, which the visitor was told */
  async #load() {
    if (!this.#loading) {
      // htmx would keep a copy of the page, with all that is written here, in the browser's storage.
      this.setAttribute("hx-history", "false");
      const content = part(this, "content");
      // A page of its own came with its form, which works without us. Any other finds there what Turbo kept.
      const isRendered = this.mode === "page" && find(content, "state");
      if (!isRendered) {
        content.replaceChildren(this.template("loading"));
        // Beside the scripts, not after them.
        this.#early = this.takeRequest();
        this.#early.catch(() => {});
      }
      this.#prefetch();
      this.#unloaded = new AbortController();
      const { signal } = this.#unloaded;
      const loading = this.load("panel").then(({ Panel }) => Panel.load(this, signal));
      this.#loading = loading;
      loading.then(
        (panel) => {
          if (signal.aborted) panel.dispose();
          else this.#panel = panel;
        },
        () => {
          if (signal.aborted) return;
          this.#loading = this.#early = undefined;
          this.emit("error", { code: "load_failed" });
          if (isRendered) return;
          content.replaceChildren(this.template("load-failed"));
          part(content, "retry").addEventListener("click", () => this.open());
        },
      );
    }
    return this.#loading.catch(() => undefined);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    if (!(event.target instanceof Element) || event.defaultPrevented || event.ctrlKey || event.metaKey) return;
    const opener = event.target.closest("[data-webchat-open]");
    const wanted = opener?.getAttribute("data-webchat-open");
    const mine = opener && (wanted ? wanted === this.slug : document.querySelector("web-chat") === this);
    const inside = this.contains(event.target) ? event.target : null;
    if (mine || inside?.closest("[data-webchat-link]")) {
      event.preventDefault();
      this.open();
    } else if (inside?.closest("[data-webchat-launcher]")) {
      if (this.#open) this.close();
      else this.open();
    } else if (inside?.closest("[data-webchat-close]")) {
      this.close();
    }
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key === "Escape" && !event.defaultPrevented && !event.isComposing) this.close();
  }
}

async function fetchFile(/** @type {string} */ address) {
  const response = await fetch(address, { signal: AbortSignal.timeout(FILE_TIMEOUT_MS) });
  if (!response.ok) throw new Error(address);
  await response.arrayBuffer();
}
