import assert from "node:assert/strict";
import { test } from "node:test";
import { freshElement, settled, templatesOf } from "./dom.mjs";

const { ApiError } = await import("../../static/webchat/api.js");
const { StartForm } = await import("../../static/webchat/start-form.js");
const { fill, fillPersonal } = await import("../../static/webchat/refill.js");

/** A form on a fresh page; `answer` is what the server says to each start, `calls` what was asked of whom. */
function formWith(answer = async () => ({ session_id: "s" }), overrides = {}) {
  const element = freshElement();
  const form = document.querySelector("[data-webchat-form]");
  const calls = [];
  const note = (name, result) => async (value) => {
    calls.push([name, value]);
    return result;
  };
  const on = {
    preload: () => calls.push(["preload"]),
    ready: note("ready"),
    prove: note("prove", "solved"),
    send: async (body, key, waits) => {
      calls.push(["start", Object.fromEntries(body), key]);
      calls.push(["started", await answer(calls.filter(([name]) => name === "start").length, waits)]);
    },
    stale: note("stale"),
    failed: (error) => calls.push(["failed", error.code]),
    ...overrides,
  };
  const startForm = new StartForm(form, templatesOf(element), on);
  const field = (name) => form.elements.namedItem(name);
  const errors = form.querySelector("[data-webchat-errors]");
  return { form, startForm, calls, field, errors, asked: (name) => calls.filter(([one]) => one === name) };
}

const refused =
  (status, answer = {}) =>
  async () => {
    throw new ApiError("invalid", { status, detail: "Please check your answers.", ...answer });
  };

test("a submit sends the answers, where it was made, and the form's key", async () => {
  const { form, field, calls, asked } = formWith();
  field("name").value = "José Müller";
  form.dispatchEvent(new Event("submit", { cancelable: true }));
  await settled();
  const [[, body, key]] = asked("start");
  assert.equal(body.name, "José Müller");
  assert.equal(body.location, location.href);
  assert.equal(body.referrer, "");
  assert.equal(key, field("idempotency_key").value);
  assert.deepEqual(
    calls.map(([name]) => name),
    ["ready", "start", "started"],
  );
});

test("the form knows its question by the field's role, and a form without one has none", () => {
  const { form, startForm, field } = formWith();
  field("question").value = "  Where is my parcel?\n";
  assert.equal(startForm.question, "Where is my parcel?");
  delete form.dataset.webchatQuestion;
  assert.equal(startForm.question, "");
});

test("while a start waits for its turn the form says so to everybody, and no more when it has started", async () => {
  let resolve;
  const promise = new Promise((done) => {
    resolve = done;
  });
  const { form, startForm, errors } = formWith((_count, waits) => {
    waits(new ApiError("busy", { status: 503, detail: "Yours starts in a moment." }));
    return promise;
  });
  const progress = form.querySelector("[data-webchat-progress]");
  const submitted = startForm.submit();
  await settled();
  assert.equal(progress.textContent, "Yours starts in a moment.");
  assert.equal(progress.classList.contains("webchat-hidden"), false);
  assert.equal(form.getAttribute("aria-busy"), "true");
  assert.equal(errors.hidden, true);
  resolve({ session_id: "s" });
  await submitted;
  assert.equal(progress.textContent, "");
  assert.equal(progress.classList.contains("webchat-hidden"), true);
});

test("nothing is started before all is there that shows a chat", async () => {
  const ready = async () => {
    throw new TypeError("Failed to fetch");
  };
  const { startForm, errors, asked } = formWith(undefined, { ready });
  await startForm.submit();
  assert.deepEqual(asked("start"), []);
  assert.equal(errors.hidden, false);
  assert.match(errors.textContent, /We could not be reached/);
  assert.equal(errors.querySelector("[data-webchat-again]").hidden, false);
  assert.deepEqual(asked("failed"), [["failed", "network"]]);
});

test("a problem is told at its field, in the summary, and to assistive technology", async () => {
  const { form, startForm, field, errors } = formWith(
    refused(400, {
      fields: { name: ["No."], email: ["No e-mail address.", "<b>Really</b>."], question: ["Too short."] },
    }),
  );
  form.querySelector("[data-webchat-field=question]").dataset.webchatName = "What is it about?";
  await startForm.submit();
  assert.equal(document.activeElement, errors);
  const links = [...errors.querySelectorAll("[data-webchat-error-links] a")];
  assert.deepEqual(
    links.map((link) => [link.textContent, link.getAttribute("href")]),
    [
      ["Name: No.", `#${field("name").id}`],
      ["Email: No e-mail address. <b>Really</b>.", `#${field("email").id}`],
      ["What is it about? Too short.", `#${field("question").id}`],
    ],
  );
  assert.equal(errors.querySelector("b"), null);
  // Each in its own direction: an English question in an Arabic page ends with its own "?".
  const isolated = [...links[2].querySelectorAll("bdi")].map((one) => one.textContent);
  assert.deepEqual(isolated, ["What is it about?", "Too short."]);
  assert.equal(errors.querySelector("[data-webchat-detail]").hidden, true);
  assert.equal(field("email").getAttribute("aria-invalid"), "true");
  const described = field("email").getAttribute("aria-describedby").split(" ");
  const told = described.map((id) => document.getElementById(id).textContent).join(" ");
  assert.match(told, /No e-mail address\. <b>Really<\/b>\./);
  links[1].dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
  assert.equal(document.activeElement, field("email"));
  assert.equal(form.getAttribute("aria-busy"), "false");
});

test("up to two problems stand at their fields alone, and the first field has the focus", async () => {
  const fields = { email: ["No e-mail address."], question: ["Too short."] };
  const { startForm, field, errors } = formWith((count) =>
    refused(400, { fields: count === 1 ? fields : { ...fields, __all__: ["We do not know you."] } })(),
  );
  await startForm.submit();
  assert.equal(document.activeElement, field("email"));
  assert.equal(errors.hidden, true);
  assert.equal(field("question").getAttribute("aria-invalid"), "true");
  await startForm.submit(); // what has no field is told above the form
  assert.equal(errors.hidden, false);
  assert.equal(document.activeElement, errors);
});

test("the next problem takes the place of the one before", async () => {
  const { startForm, field, errors } = formWith((count) =>
    refused(400, { fields: count === 1 ? { email: ["No."] } : { name: ["No."] } })(),
  );
  await startForm.submit();
  await startForm.submit();
  assert.equal(field("email").hasAttribute("aria-invalid"), false);
  assert.equal(field("name").getAttribute("aria-invalid"), "true");
  assert.equal(errors.querySelectorAll("[data-webchat-error-links] li").length, 1);
  assert.doesNotMatch(field("email").getAttribute("aria-describedby") ?? "", /error/);
});

test("a field that was put in order is marked no more, the others are", async () => {
  const fields = { name: ["No."], email: ["No e-mail address."], question: ["Too short."] };
  const { startForm, form, field, errors } = formWith(refused(400, { fields }));
  await startForm.submit();
  const change = (name, value) => {
    field(name).value = value;
    field(name).dispatchEvent(new Event("input", { bubbles: true }));
  };
  change("email", "");
  assert.equal(field("email").getAttribute("aria-invalid"), "true");
  change("email", "jose@example.com");
  assert.equal(field("email").hasAttribute("aria-invalid"), false);
  const slot = form.querySelector("[data-webchat-field=email] [data-webchat-error]");
  assert.deepEqual([slot.hidden, slot.textContent], [true, ""]);
  assert.doesNotMatch(field("email").getAttribute("aria-describedby") ?? "", /error/);
  assert.equal(field("question").getAttribute("aria-invalid"), "true");
  assert.equal(errors.hidden, false, "what stands below does not jump");
});

test("what is written beside the fields, and what a script says of the whole form, is an answer as any other", async () => {
  let typed = 0;
  const { form } = formWith(undefined, { typed: () => (typed += 1) });
  const own = form.appendChild(document.createElement("input")); // of a template of the site's
  for (const place of [own, form]) place.dispatchEvent(new Event("input", { bubbles: true }));
  assert.equal(typed, 2);
});

test("a problem of no field is a line without a link", async () => {
  const { startForm, errors } = formWith(refused(400, { fields: { __all__: ["We do not know you."] } }));
  await startForm.submit();
  const [line] = errors.querySelectorAll("[data-webchat-error-links] li");
  assert.equal(line.textContent, "We do not know you.");
  assert.equal(line.querySelector("a"), null);
});

test("only what may succeed later offers to try again", async () => {
  for (const [status, again] of [
    [0, true],
    [400, false],
    [409, true],
    [429, true],
    [503, true],
  ]) {
    const { startForm, errors } = formWith(refused(status));
    await startForm.submit();
    assert.equal(!errors.querySelector("[data-webchat-again]").hidden, again, String(status));
    assert.equal(errors.querySelector("[data-webchat-detail]").textContent, "Please check your answers.");
  }
});

test("a form that the server no longer takes is replaced, once", async () => {
  for (const status of [403, 410, 422]) {
    const { startForm, asked, errors } = formWith(refused(status));
    await startForm.submit();
    assert.deepEqual(asked("stale"), [["stale", startForm]]);
    assert.equal(errors.hidden, true);
    await startForm.submit({ repeated: true });
    assert.equal(asked("stale").length, 1);
    assert.equal(errors.hidden, false);
  }
});

test("while it is under way, it is not sent again, and says so", async () => {
  let answer;
  const { form, startForm, asked } = formWith(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  const first = startForm.submit();
  await settled();
  assert.equal(startForm.isBusy, true);
  await startForm.submit();
  const button = form.querySelector("[data-webchat-submit]");
  assert.equal(button.getAttribute("aria-disabled"), "true");
  assert.equal(form.querySelector("[data-webchat-progress]").textContent, "Starting your chat…");
  answer({ session_id: "s" });
  await first;
  assert.equal(button.getAttribute("aria-disabled"), "false");
  assert.equal(asked("start").length, 1);
});

test("the first letter asks for what a chat takes, once", () => {
  const { field, asked } = formWith();
  for (const name of ["name", "email"]) field(name).dispatchEvent(new Event("input", { bubbles: true }));
  assert.equal(asked("preload").length, 1);
});

test("a puzzle is solved before the start, and only once", async () => {
  const { form, startForm, asked } = formWith(refused(503));
  const puzzle = document.createElement("input");
  puzzle.type = "hidden";
  puzzle.name = "proof_of_work";
  puzzle.setAttribute("data-webchat-puzzle", "{}");
  form.append(puzzle);
  await startForm.submit();
  await startForm.submit();
  assert.deepEqual(asked("prove"), [["prove", "{}"]]);
  assert.equal(asked("start")[1][1].proof_of_work, "solved");
});

test("answers go from one form into the next, its own hidden fields aside", () => {
  const { form, field } = formWith();
  const answers = new FormData();
  for (const [name, value] of [
    ["name", "José"],
    ["question", "Where?"],
    ["idempotency_key", "stale"],
  ])
    answers.set(name, value);
  const key = field("idempotency_key").value;
  fill(form, answers);
  assert.deepEqual(
    [field("name").value, field("question").value, field("idempotency_key").value],
    ["José", "Where?", key],
  );
});

test("what comes late on a slow line leaves alone what the visitor has begun", () => {
  const { form, field } = formWith();
  field("question").value = "Another question";
  const answers = new FormData();
  answers.set("name", "José");
  answers.set("question", "Where?");
  fill(form, answers);
  assert.deepEqual([field("name").value, field("question").value], ["José", "Another question"]);
});

test("a choice that is no longer offered is none, and a tick beside another text is none", () => {
  const { form } = formWith();
  form.insertAdjacentHTML(
    "beforeend",
    `<select name="topic"><option value="">Please choose</option><option value="parcel">Parcel</option></select>
     <input type="checkbox" name="consent" value="text:new">`,
  );
  const answers = new FormData();
  answers.set("topic", "bill");
  answers.set("consent", "text:old");
  fill(form, answers);
  const [topic, consent] = ["topic", "consent"].map((name) => form.querySelector(`[name=${name}]`));
  assert.deepEqual([topic.value, consent.checked], ["", false]);
  answers.set("topic", "parcel");
  answers.set("consent", "text:new");
  fill(form, answers);
  assert.deepEqual([topic.value, consent.checked], ["parcel", true]);
});

test("the next chat's form keeps who the visitor is, and what they have begun to write", () => {
  const { form, field } = formWith();
  field("email").value = "new@example.com";
  const answers = new FormData();
  for (const [name, value] of [
    ["name", "José"],
    ["email", "old@example.com"],
    ["question", "Where?"],
  ])
    answers.set(name, value);
  fillPersonal(form, answers);
  assert.deepEqual(
    [field("name").value, field("email").value, field("question").value.trim()],
    ["José", "new@example.com", ""],
  );
});

test("a box that was ticked or not by the visitor is so in another form", () => {
  document.body.innerHTML = `<form>
    <input type="checkbox" name="news" checked><input type="checkbox" name="call"><input type="checkbox" name="begun">
  </form>`;
  const form = document.querySelector("form");
  form.elements.begun.checked = true;
  const answers = new FormData();
  answers.append("call", "on");
  fill(form, answers);
  assert.deepEqual(
    [...form.elements].map((box) => box.checked),
    [false, true, true],
  );
});
