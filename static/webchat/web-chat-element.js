// <web-chat>: what a page view costs. What it needs after the click, it imports then.

/**
 * @import {Modules} from "#types"
 * @import {Panel} from "./panel.js"
 */

const FILE_TIMEOUT_MS = 30_000;
const PHONE = matchMedia("(max-width: 640px)");

/**
 * <web-chat data-webchat="slug" data-mode="launcher|inline|page" data-panel-url="…"> around server-rendered markup.
 * Fires web-chat:opened, web-chat:started, web-chat:message, web-chat:ended and web-chat:error; they bubble.
 */
export class WebChatElement extends HTMLElement {
  /** @type {Promise<Panel> | undefined} */
  #panel;
  #bound = false;
  #open = false;
  #unread = 0;
  #prefix = "";
  /** @type {Promise<Response> | undefined} */
  #early;
  /** @type {HTMLElement[]} */
  #inert = [];
  /** @type {AbortController | undefined} */
  #listening;
  /** @type {Map<string, Promise<string>>} */
  #fetched = new Map();

  static define() {
    if (!customElements.get("web-chat")) customElements.define("web-chat", this);
  }

  get slug() {
    return this.dataset.webchat ?? "";
  }

  get mode() {
    return this.dataset.mode ?? "launcher";
  }

  get isOpen() {
    return this.#open;
  }

  /** Whether the visitor can read the panel right now. */
  get isVisible() {
    return this.#open && document.visibilityState === "visible";
  }

  /** @param {string} name @returns {HTMLElement} */
  child(name) {
    const child = this.querySelector(`[data-webchat-${name}]`);
    if (!(child instanceof HTMLElement)) throw new Error(`web-chat has no ${name}`);
    return child;
  }

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("click", (event) => this.#clicked(event), { signal });
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    PHONE.addEventListener("change", () => this.#setModal(), { signal });
    window.visualViewport?.addEventListener("resize", () => this.#fitKeyboard(), { signal });
    this.#setModal();
    if (this.#bound) {
      this.#countAgain();
      return;
    }
    this.#bound = true;
    for (const type of ["pointerenter", "focusin"]) this.addEventListener(type, () => this.#prefetch(), { once: true });
    if (this.mode === "launcher") {
      this.child("link").hidden = true;
      this.child("launcher").hidden = false;
    }
    const state = this.recall();
    if (this.mode === "page" || state === "open") this.open({ focus: false });
    else if (state) this.#load();
  }

  disconnectedCallback() {
    this.#listening?.abort();
    this.#release();
    // Turbo and htmx put it back at once if the next page has it too.
    setTimeout(() => this.isConnected || this.#leave(), 1000);
  }

  /** The page has done with it. The chat goes on with the next element of its kind, or with this one put back. */
  #leave() {
    this.#panel?.then((panel) => panel.dispose()).catch(() => {});
    this.#panel = undefined;
    this.#bound = this.#open = false;
    this.child("panel").hidden = this.mode === "launcher";
    this.querySelector("[data-webchat-launcher]")?.setAttribute("aria-expanded", "false");
    this.unread = 0;
  }

  /**
   * What this tab remembers, written only after the visitor opened the chat. `panel` is "open", "minimised" over a
   * running chat, or nothing.
   */
  recall(name = "panel") {
    try {
      return sessionStorage.getItem(`webchat:${this.slug}:${name}`);
    } catch {
      return null; // A browser that forbids storage forgets.
    }
  }

  /** @param {string | null} value @param {string} [name] */
  remember(value, name = "panel") {
    try {
      if (value) sessionStorage.setItem(`webchat:${this.slug}:${name}`, value);
      else sessionStorage.removeItem(`webchat:${this.slug}:${name}`);
    } catch {
      // As above.
    }
  }

  /** @param {{focus?: boolean}} [options] */
  async open({ focus = true } = {}) {
    const panel = this.child("panel");
    if (!this.#open) {
      this.#open = true;
      panel.hidden = false;
      if (this.mode === "launcher") this.child("launcher").setAttribute("aria-expanded", "true");
      if (this.mode !== "page") this.remember("open");
      this.#setModal();
      this.emit("opened");
    }
    if (focus) this.child("title").focus();
    const loaded = await this.#load();
    if (this.#open) loaded?.shown({ focus });
  }

  /** Minimises the panel; a running chat goes on. Only in the launcher's mode. */
  async close() {
    if (!this.#open || this.mode !== "launcher") return;
    const panel = this.child("panel");
    const launcher = this.child("launcher");
    const had = panel.contains(document.activeElement) || document.activeElement === document.body;
    this.#open = false;
    panel.hidden = true;
    launcher.setAttribute("aria-expanded", "false");
    this.#setModal();
    if (had) launcher.focus();
    this.remember(null);
    const loaded = await this.#panel?.catch(() => undefined);
    if (loaded?.isRunning && !this.#open) this.remember("minimised");
  }

  /** Ends the running chat, if there is one. */
  async end() {
    await (await this.#panel)?.end();
  }

  /** @param {string} type @param {object} [detail] */
  emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(`web-chat:${type}`, { bubbles: true, detail }));
  }

  /** @param {string} text */
  announce(text) {
    this.child("announcer").textContent = text;
  }

  get unread() {
    return this.#unread;
  }

  set unread(count) {
    const more = count > this.#unread;
    this.#unread = count;
    const { title } = document;
    const plain = title.startsWith(this.#prefix) ? title.slice(this.#prefix.length) : title;
    this.#prefix = count ? `(${count}) ` : "";
    if (title !== this.#prefix + plain) document.title = this.#prefix + plain;
    const badge = this.querySelector("[data-webchat-badge]");
    if (!(badge instanceof HTMLElement)) return;
    const words = this.template("unread");
    for (const slot of words.querySelectorAll("[data-slot]")) slot.textContent = String(count);
    const text = words.textContent ?? "";
    badge.hidden = !count;
    this.child("count").textContent = count > 99 ? "99+" : String(count);
    this.child("unread").textContent = text;
    this.announce(more ? text : "");
  }

  /** The next page has a title of its own: Turbo's has come already, htmx's is about to. */
  #countAgain() {
    const again = () => (this.unread = this.#unread);
    again();
    const title = new MutationObserver(() => {
      title.disconnect();
      again();
    });
    title.observe(document.head, { childList: true, subtree: true, characterData: true });
  }

  /** @param {string} name @returns {DocumentFragment} */
  template(name) {
    const template = this.querySelector(`template[data-webchat-template="${name}"]`);
    if (!(template instanceof HTMLTemplateElement)) throw new Error(`web-chat has no template ${name}`);
    return document.importNode(template.content, true);
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
    const addresses = this.template(`${name}-modules`).textContent?.trim().split(/\s+/) ?? [];
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

  #prefetch() {
    const styles = this.querySelector("template[data-webchat-stylesheet]");
    if (styles instanceof HTMLTemplateElement) styles.replaceWith(styles.content);
    this.fetchModule("panel").catch(() => {}); // The click asks again, and says so.
  }

  /** The panel's markup, asked for beside the scripts that it takes, not after them. */
  #request() {
    this.#early = fetch(this.dataset.panelUrl ?? "", { signal: AbortSignal.timeout(15_000) });
    this.#early.catch(() => {});
  }

  /** @returns {Promise<Response> | undefined} the request that is under way, once */
  takeRequest() {
    const early = this.#early;
    this.#early = undefined;
    return early;
  }

  /** @returns {Promise<Panel | undefined>} */
  async #load() {
    if (!this.#panel) {
      // htmx would keep a copy of the page, with all that is written here, in the browser's storage.
      this.setAttribute("hx-history", "false");
      const content = this.child("content");
      if (this.mode !== "page") content.replaceChildren(this.template("loading"));
      if (this.mode !== "page") this.#request();
      const late = new Promise((_, reject) => setTimeout(reject, 20_000));
      this.#prefetch();
      const panel = this.load("panel").then(({ Panel }) => Panel.load(this));
      this.#panel = Promise.race([panel, /** @type {Promise<never>} */ (late)]);
      this.#panel.catch(() => {
        this.#panel = undefined;
        this.emit("error", { code: "load_failed" });
        // A page of its own came with its form, which works without us.
        if (this.mode === "page") return;
        content.replaceChildren(this.template("load-failed"));
        content.querySelector("[data-webchat-retry]")?.addEventListener("click", () => this.open());
      });
    }
    return this.#panel.catch(() => undefined);
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

  /** On a phone the open panel covers the page, so nothing behind it may take focus or scroll. */
  #setModal() {
    this.#release();
    if (!this.#open || !PHONE.matches || this.mode !== "launcher") return;
    const panel = this.child("panel");
    panel.setAttribute("aria-modal", "true");
    document.documentElement.classList.add("webchat-locked");
    this.#fitKeyboard();
    /** @type {HTMLElement} */
    let inside = panel;
    while (inside.parentElement && inside !== document.body) {
      for (const other of inside.parentElement.children) {
        if (other === inside || !(other instanceof HTMLElement) || other.inert || other.getAttribute("role") === "status") continue;
        other.inert = true;
        this.#inert.push(other);
      }
      inside = inside.parentElement;
    }
  }

  #release() {
    for (const element of this.#inert.splice(0)) element.inert = false;
    this.querySelector("[data-webchat-panel]")?.removeAttribute("aria-modal");
    document.documentElement.classList.remove("webchat-locked");
  }

  /** iOS lays the keyboard over the page: 100dvh does not shrink with it, the visual viewport does. */
  #fitKeyboard() {
    const viewport = window.visualViewport;
    if (!viewport || !this.#open || viewport.scale !== 1) return;
    this.style.setProperty("--webchat-viewport", `${viewport.height}px`);
  }
}

async function fetchFile(/** @type {string} */ address) {
  const response = await fetch(address, { signal: AbortSignal.timeout(FILE_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${response.status} for ${address}`);
  await response.arrayBuffer();
}
