// A page of a signed-in user is read by nobody after them, neither by Back nor in another tab.

import { reload, watchVisitor } from "../webchat/whose-page.js";

watchVisitor(document.body.dataset, document.documentElement, reload);
