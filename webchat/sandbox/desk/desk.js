/**
 * The agent's side of the sandbox: a list of chats, kept current by server-sent events, and the chosen one.
 * Its words and markup are in index.html; whatever a visitor wrote goes into the page as text only.
 *
 * @typedef {{sid: string, filename: string|null, content_type: string, size: number, url: string}} Media
 * @typedef {{sid: string, index: number, author: string, author_name: string, from_customer: boolean, body: string|null,
 *   created_at: string, media: Media[]}} Message
 * @typedef {{identity: string, friendly_name: string|null}} Person
 * @typedef {{sid: string, api: string, friendly_name: string, state: "active"|"inactive"|"closed", waiting: boolean,
 *   ended_by: "agent"|"visitor"|"site"|null,
 *   customer: Person & {online: boolean}, agents: Person[], pre_engagement_data: unknown,
 *   facts: Record<string, unknown>|null,
 *   created_at: string, updated_at: string, unread: number, typing: string[], last_message: Message|null}} Chat
 * @typedef {{sid: string, attributes: Record<string, unknown>, created_at: string}} Task of a message: no chat
 * @typedef {{available: boolean, tasks: Task[]}} Queue
 */

const RECONNECT_MS = 2_000;
/** A typing signal is repeated while it goes on, and stands this long after the last one. */
const TYPING_REPEAT_MS = 4_000;
const TYPING_STANDS_MS = 7_000;
const AGENT_KEY = "desk.agent";
const LINK = /(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)])/;
const IMAGE = /^image\/(png|jpeg|gif|webp)$/;

/** @type {Map<string, Chat>} */
const chats = new Map();
/** @type {Map<string, HTMLElement>} */
const items = new Map();
/** @type {Map<string, number>} */
const typingTimers = new Map();
/** The SID of the chat that is open on the right, "" for none. */
let chosen = "";
let typingSentAt = 0;
/** What was written and not sent, by the SID of its chat. @type {Map<string, string>} */
const drafts = new Map();
/** What events told while an answer was on its way: it is newer than the answer. @type {Map<string, Chat>} */
let newer = new Map();
const plainTitle = document.title;
/** Whether there is room for the visitor's data beside the transcript; desk.css has the same width. */
const wide = matchMedia("(min-width: 64rem)");

/** @param {string} id @returns {HTMLElement} */
const by = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const agent = /** @type {HTMLInputElement} */ (by("agent"));
const reply = /** @type {HTMLFormElement} */ (by("reply"));
const body = /** @type {HTMLTextAreaElement} */ (by("body"));
const confirmation = /** @type {HTMLDialogElement} */ (by("confirm"));
const visitor = /** @type {HTMLDetailsElement} */ (by("visitor"));
const available = /** @type {HTMLInputElement} */ (by("available"));
const transcript = by("transcript");
const log = by("log");
const file = /** @type {HTMLInputElement} */ (by("file"));

/** @param {ParentNode} root @param {string} selector @returns {HTMLElement} */
const within = (root, selector) => /** @type {HTMLElement} */ (root.querySelector(selector));

/** @param {string} id @param {Record<string, string>} [texts] by selector @returns {HTMLElement} */
function clone(id, texts = {}) {
  const template = /** @type {HTMLTemplateElement} */ (by(id));
  const node = /** @type {HTMLElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
  for (const [selector, text] of Object.entries(texts)) within(node, selector).textContent = text;
  return node;
}

/** @param {string} path @param {object} [data] sent as JSON by POST @returns {Promise<any>} */
async function ask(path, data) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data) };
  const response = await fetch(`/desk/${path}`, data ? post : {});
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}

/** Does something to the chosen chat. @param {string} verb @param {object} [data] @returns {Promise<any>} the answer, false if it failed */
async function act(verb, data = {}) {
  try {
    const answer = await ask(`conversations/${chosen}/${verb}`, { author: agent.value.trim(), ...data });
    // That the agent types says nothing of what was not sent.
    if (verb !== "typing") by("failed").hidden = true;
    return answer ?? true;
  } catch (error) {
    console.error(error);
    by("failed").hidden = false;
    return false;
  }
}

/** @param {Chat} chat */
const nameOf = (chat) => chat.customer.friendly_name || chat.friendly_name || chat.sid;

/** One agent may be written "Zoë" and "zoe". */
const sameName = new Intl.Collator("en", { sensitivity: "base", ignorePunctuation: true });
/** Whether we take part. @param {Chat} chat */
const isMine = (chat) => chat.agents.some((person) => sameName.compare(person.friendly_name ?? "", agent.value) === 0);

/** @param {string} moment ISO 8601 */
function clockTime(moment) {
  const date = new Date(moment);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString([], today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

/** @param {HTMLElement} time @param {string} moment ISO 8601 */
function setTime(time, moment) {
  time.setAttribute("datetime", moment);
  time.textContent = clockTime(moment);
}

/** The people who type in a chat, without ourselves. @param {Chat} chat @returns {string[]} names */
function typists(chat) {
  const people = [chat.customer, ...chat.agents];
  const names = chat.typing.map((identity) => people.find((p) => p.identity === identity)?.friendly_name || identity);
  return names.filter((name) => sameName.compare(name, agent.value) !== 0);
}

// --- The list ---------------------------------------------------------------------------------------------------

/** @param {Chat} chat */
const groupOf = (chat) => (chat.state === "closed" ? "closed" : chat.waiting ? "waiting" : "open");

function showList() {
  for (const group of ["waiting", "open", "closed"]) {
    const section = within(document, `[data-group="${group}"]`);
    const members = [...chats.values()].filter((chat) => groupOf(chat) === group);
    // Who has waited longest comes first; elsewhere, what changed last.
    members.sort((a, b) =>
      group === "waiting" ? a.created_at.localeCompare(b.created_at) : b.updated_at.localeCompare(a.updated_at),
    );
    section.hidden = members.length === 0;
    within(section, ".count").textContent = String(members.length);
    place(within(section, "ol"), members.map(showItem));
  }
  by("no-chats").hidden = chats.size > 0;
  const calling = [...chats.values()].filter((chat) => chat.waiting || (isMine(chat) && chat.unread > 0));
  document.title = calling.length ? `(${calling.length}) ${plainTitle}` : plainTitle;
}

/** Puts the items in this order, and leaves alone what is in its place, with its focus. @param {HTMLElement} list @param {HTMLElement[]} wanted */
function place(list, wanted) {
  if (wanted.length === list.children.length && wanted.every((item, i) => item === list.children[i])) return;
  const focused = document.activeElement;
  list.replaceChildren(...wanted);
  if (focused instanceof HTMLElement && list.contains(focused)) focused.focus();
}

/** @param {Chat} chat @returns {HTMLElement} */
function showItem(chat) {
  const item = items.get(chat.sid) ?? clone("chat-item");
  items.set(chat.sid, item);
  const link = within(item, "a");
  link.setAttribute("href", `#${chat.sid}`);
  link.setAttribute("aria-current", String(chat.sid === chosen));
  within(item, ".name").textContent = nameOf(chat);
  setTime(within(item, "time"), chat.last_message?.created_at ?? chat.created_at);
  const typing = typists(chat).length > 0;
  within(item, ".preview").hidden = typing;
  within(item, ".preview").textContent = chat.last_message?.body || chat.last_message?.media[0]?.filename || "";
  within(item, ".typing-now").hidden = !typing;
  within(item, ".unread").hidden = chat.unread === 0;
  within(item, ".number").textContent = String(chat.unread);
  return item;
}

// --- The queue: whether we are there, and tasks without a chat ------------------------------------------------------

/** @param {Queue} queue */
function showQueue(queue) {
  available.checked = queue.available;
  by("tasks").hidden = queue.tasks.length === 0;
  within(by("tasks"), ".count").textContent = String(queue.tasks.length);
  within(by("tasks"), "ol").replaceChildren(...queue.tasks.map(showTask));
}

/** @param {Task} task @returns {HTMLElement} */
function showTask({ sid, attributes, created_at }) {
  const { name, email, text } = attributes;
  const item = clone("task", { ".name": String(name ?? sid), ".body": String(text ?? JSON.stringify(attributes)) });
  setTime(within(item, "time"), created_at);
  const answer = within(item, ".answer");
  answer.hidden = !email;
  answer.setAttribute("href", `mailto:${encodeURIComponent(String(email))}`);
  within(item, "button").addEventListener("click", () =>
    ask(`tasks/${sid}/complete`, {}).then(showQueue, console.error),
  );
  return item;
}

available.addEventListener("change", () =>
  ask("agent", { available: available.checked }).then(showQueue, (error) => {
    console.error(error);
    available.checked = !available.checked;
  }),
);

// --- The chosen chat --------------------------------------------------------------------------------------------

/** @param {Chat} chat */
function showHead(chat) {
  by("chat-name").textContent = nameOf(chat);
  by("chat-agents").textContent = chat.agents.map((person) => person.friendly_name || person.identity).join(", ");
  for (const presence of document.querySelectorAll(".presence")) {
    /** @type {HTMLElement} */ (presence).hidden =
      presence.getAttribute("data-online") !== String(chat.customer.online);
  }
  const closed = chat.state === "closed";
  const mine = isMine(chat);
  by("accept").hidden = by("accept-first").hidden = closed || mine;
  by("complete").hidden = closed;
  by("ended").hidden = !closed;
  for (const why of by("ended").querySelectorAll("[data-ended-by]")) {
    /** @type {HTMLElement} */ (why).hidden = why.getAttribute("data-ended-by") !== chat.ended_by;
  }
  reply.hidden = closed || !mine;
  by("typing").replaceChildren(...typists(chat).map((name) => clone("typist", { ".name": name })));
  by("chat-sid").textContent = chat.sid;
  by("chat-identity").textContent = chat.customer.identity;
  by("chat-api").textContent = chat.api;
  by("chat-state").textContent = chat.state;
  setTime(by("chat-since"), chat.created_at);
  const data = chat.pre_engagement_data;
  const { verified, ...answers } = /** @type {Record<string, unknown>} */ (
    typeof data === "object" && data ? data : {}
  );
  by("answers").replaceChildren(
    ...Object.entries(answers).map(([field, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      const answer = clone("answer", { ".field": field, dd: text });
      within(answer, ".verified").hidden = !(Array.isArray(verified) && verified.includes(field));
      const matching = chat.facts?.matches_account;
      within(answer, ".matches").hidden = !(Array.isArray(matching) && matching.includes(field));
      return answer;
    }),
  );
  by("no-answers").hidden = Object.keys(answers).length > 0;
  showFacts(chat.facts);
}

/** What the site told Studio for the agents. @param {Record<string, unknown>|null} facts */
function showFacts(facts) {
  by("facts").hidden = !facts?.session_url;
  by("earlier-chats").textContent = String(facts?.earlier_chats ?? "");
  by("session-page").setAttribute("href", String(facts?.session_url ?? ""));
  const more = Object.entries(facts?.site ?? {});
  by("site-facts").replaceChildren(
    ...more.map(([field, value]) =>
      clone("answer", { ".field": field, dd: typeof value === "string" ? value : JSON.stringify(value) }),
    ),
  );
}

/** @param {Message} message */
function showMessage(message) {
  if (transcript.querySelector(`[data-sid="${CSS.escape(message.sid)}"]`)) return;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const item = clone("message", { ".author": message.author_name || message.author });
  within(item, ".body").replaceChildren(...linked(message.body ?? ""));
  item.dataset.sid = message.sid;
  item.dataset.index = String(message.index);
  item.dataset.side = message.from_customer ? "visitor" : "agent";
  within(item, ".body").hidden = !message.body;
  setTime(within(item, "time"), message.created_at);
  item.append(...message.media.map(showMedia));
  const later = [...transcript.children].find((other) => Number(other.getAttribute("data-index")) > message.index);
  transcript.insertBefore(item, later ?? null);
  if (atEnd || !message.from_customer) log.scrollTop = log.scrollHeight;
}

/** The text, with its addresses as links. @param {string} text @returns {(string|HTMLElement)[]} */
function linked(text) {
  return text.split(LINK).map((part, i) => {
    if (i % 2 === 0) return part;
    const link = clone("link");
    link.setAttribute("href", part);
    within(link, ".address").textContent = part;
    return link;
  });
}

/** @param {Media} media @returns {HTMLElement} */
function showMedia(media) {
  const kilobytes = Math.max(1, Math.round(media.size / 1000));
  const size = kilobytes.toLocaleString([], { style: "unit", unit: "kilobyte" });
  const image = IMAGE.test(media.content_type);
  const link = clone(image ? "image" : "attachment", { ".filename": media.filename ?? media.sid, ".size": size });
  link.setAttribute("href", media.url);
  if (image) within(link, "img").setAttribute("src", media.url);
  return link;
}

/** Shows the chat that the address names, so that the browser's back button leads to the list. */
async function choose() {
  const sid = location.hash.slice(1);
  const other = sid !== chosen;
  if (other && chosen) drafts.set(chosen, body.value);
  chosen = chats.has(sid) ? sid : "";
  by("nothing-chosen").hidden = Boolean(chosen) || chats.size === 0;
  by("desk").classList.toggle("has-chosen", Boolean(chosen));
  if (other || !chosen) {
    by("chat").hidden = by("failed").hidden = true;
    transcript.replaceChildren();
  }
  if (!chosen) return showList();
  newer.delete(sid);
  /** @type {Chat & {messages: Message[]}} */
  const { messages, ...answer } = await ask(`conversations/${sid}`);
  if (sid !== chosen) return;
  const chat = newer.get(sid) ?? answer;
  chats.set(sid, chat);
  by("chat").hidden = false;
  showHead(chat);
  messages.forEach(showMessage);
  showList();
  if (other) {
    log.scrollTop = log.scrollHeight;
    visitor.open = wide.matches;
    body.value = drafts.get(sid) ?? "";
    (reply.hidden ? by("chat-name") : body).focus();
  }
  markRead();
}

/** What the agent has in front of them is read. To read is to take part, so a chat of other agents stays as it is. */
function markRead() {
  const chat = chats.get(chosen);
  if (chat && chat.unread > 0 && isMine(chat) && chat.state !== "closed" && !document.hidden) act("read");
}

// --- Events -----------------------------------------------------------------------------------------------------

function connect() {
  const events = new EventSource("/desk/events");
  events.addEventListener("open", () => load().catch(console.error));
  events.addEventListener("conversation", (event) => receive(JSON.parse(event.data)));
  events.addEventListener("queue", (event) => showQueue(JSON.parse(event.data)));
  events.addEventListener("removed", (event) => forget(JSON.parse(event.data).sid));
  events.addEventListener("error", () => {
    by("offline").hidden = false;
    // The browser tries again by itself, unless the answer was an error.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, RECONNECT_MS);
  });
}

/** Takes everything anew: events that fell into a gap come no second time. */
async function load() {
  newer = new Map();
  const { conversations } = await ask("conversations");
  chats.clear();
  for (const chat of [...conversations, ...newer.values()]) chats.set(chat.sid, chat);
  showQueue(await ask("queue"));
  by("offline").hidden = true;
  await choose();
}

/** @param {Chat & {message?: Message}} event */
function receive({ message, ...chat }) {
  const before = chats.get(chat.sid);
  chats.set(chat.sid, chat);
  newer.set(chat.sid, chat);
  const called = chat.waiting && !before?.waiting;
  if (called) by("news").replaceChildren(clone("new-chat", { ".name": nameOf(chat) }));
  else if (message?.from_customer && chat.sid !== chosen) {
    by("news").replaceChildren(clone("new-message", { ".name": nameOf(chat) }));
  }
  clearTimeout(typingTimers.get(chat.sid));
  if (chat.typing.length)
    typingTimers.set(
      chat.sid,
      setTimeout(() => receive({ ...chat, typing: [] }), TYPING_STANDS_MS),
    );
  if (chat.sid === chosen) {
    showHead(chat);
    if (message) showMessage(message);
    markRead();
  }
  by("nothing-chosen").hidden = Boolean(chosen);
  showList();
}

/** @param {string} sid of a chat that is no more */
function forget(sid) {
  chats.delete(sid);
  newer.delete(sid);
  items.delete(sid);
  if (sid === chosen) location.hash = "";
  showList();
}

// --- The agent's hands --------------------------------------------------------------------------------------------

reply.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = body.value.trim();
  if (!text || !agent.reportValidity()) return;
  const to = chosen;
  if (await act("messages", { body: text })) {
    drafts.delete(to);
    if (chosen === to) body.value = "";
  }
  typingSentAt = 0;
  body.focus();
});

file.addEventListener("change", async () => {
  const [chosenFile] = file.files ?? [];
  if (!chosenFile || !agent.reportValidity()) return;
  const about = new URLSearchParams({ author: agent.value.trim(), filename: chosenFile.name });
  const headers = { "Content-Type": chosenFile.type || "application/octet-stream" };
  const sent = fetch(`/desk/conversations/${chosen}/files?${about}`, { method: "POST", headers, body: chosenFile });
  by("failed").hidden = await sent.then(
    (response) => response.ok,
    () => false,
  );
  file.value = "";
});

body.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  reply.requestSubmit();
});

body.addEventListener("input", () => {
  if (!body.value.trim() || Date.now() - typingSentAt < TYPING_REPEAT_MS) return;
  typingSentAt = Date.now();
  act("typing");
});

by("accept").addEventListener("click", async () => {
  const chat = agent.reportValidity() && (await act("accept"));
  if (!chat || chat.sid !== chosen) return;
  // The event may come later than the answer, and what is hidden takes no focus.
  receive(chat);
  body.focus();
});

by("complete").addEventListener("click", () => {
  confirmation.returnValue = "";
  confirmation.showModal();
});
confirmation.addEventListener("close", () => confirmation.returnValue === "complete" && act("complete"));

by("agent-form").addEventListener("submit", (event) => event.preventDefault());
agent.addEventListener("change", () => {
  if (agent.value.trim()) localStorage.setItem(AGENT_KEY, agent.value.trim());
  const chat = chats.get(chosen);
  if (chat) showHead(chat);
  showList();
});
agent.value = localStorage.getItem(AGENT_KEY) ?? agent.value;

addEventListener("hashchange", () => choose().catch(console.error));
document.addEventListener("visibilitychange", markRead);
connect();
