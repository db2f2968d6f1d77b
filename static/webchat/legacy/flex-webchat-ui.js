// Puts Twilio's Flex Webchat UI 2.x on the page, and our own launcher in its place when it fails: by itself it would leave
// the visitor with nothing, or with a spinner for ever. What went wrong is told on the console, and in the site's log
// where a request was refused.

/**
 * @import {Credentials} from "#types"
 * @import {WebChatElement} from "../web-chat-element.js"
 */

import { reload, watchVisitor } from "../whose-page.js";

const STORAGE = "twilio-flex-cf";
const PATIENCE = 20_000;

/** @typedef {Record<string, any> & {createWebChat(config: object): Promise<{init(): void}>}} FlexWebChat */

/** @param {HTMLElement} host */
async function show(host) {
  const { ui, predefinedMessage } = JSON.parse(
    host.querySelector("script[type='application/json']")?.textContent ?? "",
  );
  try {
    keepInMemory();
    watchVisitor(host.dataset, document.documentElement, reload);
    if (await resume(host.dataset.currentUrl)) {
      const flex = await within(load(host.dataset.script ?? "", host.dataset.integrity ?? ""), "its script");
      guard(flex, host);
      Object.assign(flex.MessagingCanvas.defaultProps.predefinedMessage, predefinedMessage);
      const chat = await within(flex.createWebChat(ui), "its start");
      chat.init();
      host.dataset.state = "genuine";
    } else {
      showOwn(host, "the chat goes on by another API");
    }
  } catch (error) {
    showOwn(host, error);
  }
}

/** @type {string | null} what the UI keeps under its name */
let kept = null;

/**
 * The UI keeps its token in the browser's storage, once a second, and whoever sits here next could read the chat with it.
 * On this page that name leads to the page's own memory; a running chat is found again by our server.
 */
function keepInMemory() {
  /** @type {Storage} */
  let storage;
  try {
    localStorage.removeItem(STORAGE); // of an earlier version of this script
    storage = Object.getPrototypeOf(localStorage);
  } catch {
    return; // A browser that forbids storage keeps nothing.
  }
  const { getItem, setItem, removeItem } = storage;
  storage.getItem = function (name) {
    return name === STORAGE ? kept : getItem.call(this, name);
  };
  storage.setItem = function (name, value) {
    if (name === STORAGE) kept = value;
    else setItem.call(this, name, value);
  };
  storage.removeItem = function (name) {
    if (name === STORAGE) kept = null;
    else removeItem.call(this, name);
  };
}

/**
 * Leaves a running chat of this browser where the UI looks for it, with a token that is valid.
 * @param {string | undefined} url of the running chat, if there may be one
 * @returns {Promise<boolean>} whether the UI can go on with it
 */
async function resume(url) {
  const answer = url ? await within(fetch(url), "the running chat") : null;
  if (!answer?.ok) return true;
  /** @type {Credentials} */
  const { api, channel_sid: channelSid, token, identity, expires_at: expiration } = await answer.json();
  if (api !== "web_channels") return false;
  const session = { channelSid, tokenPayload: { token, identity, roles: [], expiration } };
  kept = JSON.stringify({ flex: { session } });
  return true;
}

/** @param {string} src @param {string} integrity @returns {Promise<FlexWebChat>} */
function load(src, integrity) {
  const script = document.createElement("script");
  Object.assign(script, { src, integrity, crossOrigin: "anonymous" });
  return new Promise((resolve, reject) => {
    script.addEventListener("load", () => {
      const flex = /** @type {any} */ (window).Twilio?.FlexWebChat;
      if (flex) resolve(flex);
      else reject(new Error(`${src} is not Flex Webchat UI`));
    });
    script.addEventListener("error", () =>
      reject(new Error(`${src} cannot be loaded, or is not the file it should be`)),
    );
    document.head.append(script);
  });
}

/**
 * A start that fails brings the visitor to our own widget, with what was typed.
 * @param {FlexWebChat} flex @param {HTMLElement} host
 */
function guard(flex, host) {
  flex.Actions.replaceAction(
    "StartEngagement",
    /** @param {{formData: Record<string, unknown>}} payload @param {(payload: object) => Promise<unknown>} original */
    async (payload, original) => {
      try {
        await within(original(payload), "the start of the chat");
      } catch (error) {
        const { friendlyName, ...answers } = payload.formData;
        await showOwn(host, error, { ...answers, [host.dataset.nameField ?? ""]: friendlyName });
      }
    },
  );
}

/**
 * @param {HTMLElement} host
 * @param {unknown} why for staff
 * @param {Record<string, unknown>} [answers] the visitor has begun: the panel opens, filled in
 */
async function showOwn(host, why, answers) {
  if (host.dataset.state === "own") return;
  // The error of a request carries its headers, and so a token.
  console.error("Flex Webchat UI is replaced by the site's own widget:", why instanceof Error ? why.message : why);
  host.dataset.state = "own";
  kept = null;
  document.getElementById("twilio-customer-frame")?.remove();
  const template = host.querySelector("template[data-flex-ui-own]");
  if (template instanceof HTMLTemplateElement) host.append(document.importNode(template.content, true));
  if (!answers) return;
  await customElements.whenDefined("web-chat");
  /** @type {WebChatElement | null} */
  const own = host.querySelector("web-chat");
  await own?.open();
  const form = own?.querySelector("form[data-webchat-form]");
  if (!(form instanceof HTMLFormElement)) return;
  fill(form, answers);
  const detail = /** @type {any} */ (why)?.response?.data?.detail;
  if (detail) explain(form, detail);
}

/** @param {HTMLFormElement} form @param {string} detail the server's words */
function explain(form, detail) {
  const errors = /** @type {HTMLElement} */ (form.querySelector("[data-webchat-errors]"));
  const line = /** @type {HTMLElement} */ (errors.querySelector("[data-webchat-detail]"));
  line.textContent = detail;
  errors.hidden = line.hidden = false;
  errors.focus();
}

/** @param {HTMLFormElement} form @param {Record<string, unknown>} answers */
function fill(form, answers) {
  for (const [name, value] of Object.entries(answers)) {
    const field = name && value != null ? form.elements.namedItem(name) : null;
    if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = value === true;
    else if (field && "value" in field) field.value = String(value);
  }
}

/**
 * @template T
 * @param {Promise<T>} promise @param {string} what
 * @returns {Promise<T>}
 */
function within(promise, what) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`${what} took too long`)), PATIENCE));
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]);
}

for (const host of document.querySelectorAll("[data-flex-ui]")) if (host instanceof HTMLElement) show(host);
