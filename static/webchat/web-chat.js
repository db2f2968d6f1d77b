// Defines <web-chat>.

import { WebChatElement } from "./web-chat-element.js";

WebChatElement.define();
