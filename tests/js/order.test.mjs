import assert from "node:assert/strict";
import { test } from "node:test";
import "./dom.mjs";

const row = (number, kind = "") => `<div class="inline-related ${kind}" id="fields-${number}"></div>`;
// A new row that was moved to the top, two that are saved, and the pattern of the next one.
document.body.innerHTML = `<div id="fields-group">${row(2)}${row(0)}${row(1)}${row("empty", "empty-form")}</div>`;
const { rows } = await import("../../static/webchat/admin/order.js");

test("Django numbers the rows that are left with the saved ones first, and the page keeps its order", async () => {
  const order = () => rows().map(({ id }) => id);
  document.dispatchEvent(new CustomEvent("formset:removed"));
  assert.deepEqual(order(), ["fields-0", "fields-1", "fields-2"]); // as Django's script finds them right after the event
  await Promise.resolve();
  assert.deepEqual(order(), ["fields-2", "fields-0", "fields-1"]);
  assert.equal(document.querySelector("#fields-group").lastElementChild.id, "fields-empty");
});
