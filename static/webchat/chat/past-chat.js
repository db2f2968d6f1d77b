// A chat that has ended, as this tab remembers it for a while: to be read, and to be taken along.

import { persistently } from "../api.js";
import { part } from "../templates.js";
import { EndDialog } from "./end-dialog.js";
import { Transcript } from "./transcript.js";

/**
 * @import {Past} from "#types"
 * @import {Templates} from "../templates.js"
 * @import {Panel} from "../panel.js"
 * @import {WebChatElement} from "../web-chat-element.js"
 */

export class PastChat {
  /**
   * @param {Panel} panel
   * @param {HTMLElement} view
   * @param {Past} past
   * @param {() => void} startAnother
   */
  constructor({ host, templates }, view, past, startAnother) {
    this.transcript = new Transcript(view, templates, {
      now: () => new Date(),
      nameOf: (name) => name || null,
      resend() {},
      older: () => null,
      loadFiles: () => host.load("received-files"),
      loadRichText: () => host.load("rich-text"),
    });
    this.transcript.fill(past.entries.map((entry) => ({ ...entry, at: new Date(entry.at) })));
    part(view, "composer").hidden = true;
    const endDialog = new EndDialog(view, templates, { asked() {}, confirmed: () => Promise.resolve() });
    endDialog.show(past.draft, { isNews: false });
    part(view, "new").addEventListener("click", startAnother);
    part(view, "download").addEventListener("click", () => saveConversation(host, this.transcript));
    offerAfterwards(host, view, past, this.transcript);
  }
}

/**
 * What a tab can remember: people by their names, and files as words, for nobody can fetch them any more.
 * @param {string} session
 * @param {Transcript} transcript
 * @param {Templates} templates
 * @param {string} draft
 * @param {boolean} isWhole whether all that was said is in the transcript
 * @returns {Past}
 */
export function pastOf(session, transcript, templates, draft, isWhole) {
  const entries = transcript.timeline.entries.map(({ files = [], cancel: _, ...entry }) => ({
    ...entry,
    author: entry.own ? "" : transcript.nameOf(entry.author),
    text: [transcript.wordsOf({ ...entry, files }), ...files.map(({ name }) => templates.text("attached", { name }))]
      .filter(Boolean)
      .join("\n"),
    status: entry.status === "sent" ? entry.status : /** @type {const} */ ("failed"),
  }));
  return { session, entries, isWhole, draft };
}

/**
 * A rating, the conversation by mail, and what is missing of it, as long as the conversation is to be seen.
 * @param {WebChatElement} host
 * @param {HTMLElement} view
 * @param {Past} past
 * @param {Transcript} transcript
 */
export async function offerAfterwards(host, view, past, transcript) {
  const isSeen = () => transcript.log.isConnected;
  const module = isSeen() && (await persistently(() => host.load("afterwards"), isSeen));
  if (module)
    await module
      .offerAfterwards(host, view, past, transcript)
      .catch(() => isSeen() && host.emit("error", { code: "load_failed" }));
}

/**
 * @param {WebChatElement} host
 * @param {Transcript} transcript
 */
export function saveConversation(host, transcript) {
  host.load("download").then(
    ({ save }) => save(host, transcript),
    () => host.emit("error", { code: "load_failed" }),
  );
}
