// Shapes that the browser modules share, for `@import … from "#types"`. A visitor's browser has no use for them.

import type * as Sdk from "@twilio/conversations";
import type * as Afterwards from "../../static/webchat/chat/afterwards.js";
import type * as Alerts from "../../static/webchat/chat/alerts.js";
import type * as Chat from "../../static/webchat/chat/chat.js";
import type * as Conditions from "../../static/webchat/conditions.js";
import type * as Download from "../../static/webchat/chat/download.js";
import type * as Hours from "../../static/webchat/hours.js";
import type * as Offer from "../../static/webchat/offer.js";
import type * as OpeningTime from "../../static/webchat/opening-time.js";
import type * as OutgoingFiles from "../../static/webchat/chat/outgoing-files.js";
import type * as ReceivedFiles from "../../static/webchat/chat/received-files.js";
import type * as RichText from "../../static/webchat/chat/rich-text.js";
import type * as Panel from "../../static/webchat/panel.js";
import type * as ProofOfWork from "../../static/webchat/proof-of-work.js";
import type * as Refill from "../../static/webchat/refill.js";
import type * as Waiting from "../../static/webchat/chat/waiting.js";

/** What comes after the page view, by the names of the templates that list the files. */
export interface Modules {
  hours: typeof Hours;
  panel: typeof Panel;
  offer: typeof Offer;
  "opening-time": typeof OpeningTime;
  refill: typeof Refill;
  conditions: typeof Conditions;
  "proof-of-work": typeof ProofOfWork;
  chat: typeof Chat;
  sdk: typeof Sdk;
  "outgoing-files": typeof OutgoingFiles;
  "received-files": typeof ReceivedFiles;
  "rich-text": typeof RichText;
  alerts: typeof Alerts;
  download: typeof Download;
  afterwards: typeof Afterwards;
  waiting: typeof Waiting;
}

/** What our API answers to start, renew and current. */
export interface Credentials {
  session_id: string;
  api: "conversations" | "web_channels";
  channel_sid: string;
  identity: string;
  /** When the visitor asked for the chat, in UTC, as ISO 8601. */
  began_at: string;
  token: string;
  /** In UTC, as ISO 8601: the later one is the greater text. */
  expires_at: string;
  /** Seconds. */
  expires_in: number;
  region: string;
  /** Goes to the SDK's constructor as it is. */
  sdk_options: Record<string, any>;
}

/** Of a message that was left. */
export interface Receipt {
  message_id: string;
  /** In UTC, as ISO 8601. */
  received_at: string;
}

export interface Urls {
  sessions: string;
  messages: string;
  current: string;
  /** With a UUID of zeros where the session's id goes, like `end`. */
  token: string;
  end: string;
}

/** One item of the transcript. */
export interface Entry {
  kind: "message" | "event";
  /** Twilio's index of the message; null while it is only ours, and for events of our own making. */
  index: number | null;
  /** Our own id, carried in the message's attributes. */
  clientId: string | null;
  /** An identity. */
  author: string;
  own: boolean;
  at: Date;
  text: string;
  status: "sent" | "sending" | "failed";
  files?: Attachment[];
  /** Calls off the sending. */
  cancel?(): void;
  /** The template of an event. */
  event?: "joined" | "left" | "signed-in" | "moved";
}

/** What a tab remembers of a chat that has ended. */
export interface Past {
  /** Its id on our server. */
  session: string;
  entries: Entry[];
  /** Whether all that was said is among them. */
  isWhole: boolean;
  /** What the visitor had written and not sent. */
  draft: string;
}

/** A message of a chat that is over, as our server reads it from Twilio. */
export interface Written {
  index: number;
  author: string;
  own: boolean;
  client_id: string;
  at: string | null;
  text: string;
  /** Their names. */
  files: string[];
}

export interface Attachment {
  name: string;
  /** A media type. */
  type: string;
  /** Asks Twilio for an address that works for some minutes. */
  url(): Promise<string | null>;
  /** The visitor's own, until it is sent. */
  file?: File;
  /** Of the visitor's own, in words. */
  size?: string;
}

export type Status = "connecting" | "connected" | "reconnecting" | "offline" | "unreachable";

/** What a conversation tells, and what it takes. */
export interface ConversationHandlers {
  loadFiles(): Promise<Modules["outgoing-files"]>;
  /** New or changed messages; live ones have just happened. */
  messages(messages: Entry[], live: boolean): void;
  removed(index: number): void;
  /** The visitor may have read on, in another tab. */
  read(): void;
  /** An agent has read up to this index. */
  seen(index: number): void;
  /** An agent came, or went; `at` is null for now. */
  presence(identity: string, joined: boolean, at: Date | null): void;
  typing(identity: string, isTyping: boolean): void;
  /** A display name became known. */
  named(): void;
  /** Twilio closed it, or knows it no more. */
  closed(): void;
}

/** Fills <template>s: slot → text. */
export type Slots = Record<string, string | number>;
