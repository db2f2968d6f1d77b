import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import "./dom.mjs";

const { enhance } = await import("../../static/webchat/conditions.js");
const { fill } = await import("../../static/webchat/refill.js");

const MARKUP = `
<form>
  <ul data-webchat-error-links><li><a href="#order">Order</a></li><li><a href="#topic">Topic</a></li></ul>
  <dl><div id="number" data-webchat-if="topic" data-webchat-if-value=""><dt>Number</dt></div></dl>
  <div><select name="topic" id="topic"><option value=""></option><option>delivery</option><option>bill</option></select></div>
  <div data-webchat-if="topic" data-webchat-if-value="delivery" data-webchat-required>
    <p data-webchat-if-words>Only if</p><input name="order" id="order">
  </div>
  <label><input type="checkbox" name="call" id="call"></label>
  <div data-webchat-if="call" data-webchat-if-value=""><input name="when" id="when"></div>
  <input type="radio" name="plan" value="a" id="plan-a"><input type="radio" name="plan" value="b" id="plan-b">
  <fieldset data-webchat-if="plan" data-webchat-if-value="b">
    <input type="radio" name="why" value="x" id="why"><input type="radio" name="why" value="y">
  </fieldset>
  <input name="company" id="company">
  <div data-webchat-if="company" data-webchat-if-value=""><input name="size" id="size"></div>
</form>`;

let form;
const by = (id) => document.getElementById(id);
const isShown = (id) => !by(id).closest("[hidden]") && !by(id).disabled;
const sent = () => Object.fromEntries(new FormData(form));

function answer(id, value) {
  const field = by(id);
  if (/^(checkbox|radio)$/.test(field.type)) field.checked = value;
  else field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

beforeEach(() => {
  document.body.innerHTML = MARKUP;
  form = document.querySelector("form");
  enhance(form);
});

test("a field is shown with the answer that it depends on, and sends nothing without it", () => {
  assert.deepEqual(["order", "when", "why", "size"].map(isShown), [false, false, false, false]);
  assert.deepEqual(Object.keys(sent()), ["topic", "company"]);
  answer("topic", "bill");
  assert.equal(isShown("order"), false);
  answer("topic", "delivery");
  assert.equal(isShown("order"), true);
  answer("call", true);
  answer("plan-a", true);
  assert.deepEqual([isShown("when"), isShown("why")], [true, false]);
  answer("plan-b", true);
  assert.equal(isShown("why"), true);
  answer("company", "  ");
  assert.equal(isShown("size"), false);
  answer("company", "Example");
  assert.deepEqual(Object.keys(sent()), ["topic", "order", "call", "when", "plan", "company", "size"]);
});

test("what was typed comes back when the field is shown again", () => {
  answer("topic", "delivery");
  answer("order", "A-1234");
  answer("topic", "bill");
  assert.equal("order" in sent(), false);
  answer("topic", "delivery");
  assert.equal(sent().order, "A-1234");
});

test("a field that is hidden with the focus in it hands it to the one that hid it", () => {
  answer("plan-b", true);
  by("why").focus();
  answer("plan-a", true);
  assert.equal(document.activeElement, by("plan-a"));
  answer("company", "Example");
  by("size").focus();
  answer("company", "");
  assert.equal(document.activeElement, by("company"));
});

test("a screen reader hears that it is required while it is, and the words for browsers without scripts are gone", () => {
  assert.equal(document.querySelector("[data-webchat-if-words]").hidden, true);
  assert.equal(by("order").required, false);
  answer("topic", "delivery");
  answer("call", true);
  assert.deepEqual([by("order").required, by("when").required], [true, false]);
});

test("a mistake in a field that is no longer shown is no longer listed", () => {
  const listed = () => [...form.querySelectorAll("li:not([hidden])")].map((line) => line.textContent);
  answer("topic", "delivery");
  assert.deepEqual(listed(), ["Order", "Topic"]);
  answer("topic", "bill");
  assert.deepEqual(listed(), ["Topic"]);
});

test("what the account answers is shown with its condition, too", () => {
  assert.equal(by("number").hidden, true);
  answer("topic", "bill");
  assert.equal(by("number").hidden, false);
});

test("answers that are put into the form show what they ask for", () => {
  const answers = new FormData();
  answers.append("topic", "delivery");
  answers.append("order", "A-1234");
  fill(form, answers);
  assert.equal(isShown("order"), true);
  assert.equal(sent().order, "A-1234");
});
