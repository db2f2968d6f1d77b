import assert from "node:assert/strict";
import { test } from "node:test";
import { solve } from "../../static/webchat/proof-of-work.js";

// Made by altcha.create_challenge("PBKDF2/SHA-256", 10, counter=37, …) of the Python library.
const challenge = {
  parameters: {
    algorithm: "PBKDF2/SHA-256",
    cost: 10,
    keyLength: 32,
    keyPrefix: "a28b69eed845aa33b8d7c2ecd4a863ba",
    nonce: "744c1cb6b3f35b83c34fb23059bc280a",
    salt: "07e5e43262b6bb88172467fc1588a190",
    expiresAt: 4102444800,
    data: { key: "a-key" },
  },
  signature: "5b75b57cc6cc049d089163865e0be3c9907c6e6ba3c1a79a2167d98817825e00",
};

test("a puzzle of the server is solved by the counter that it hides", async () => {
  const solved = JSON.parse(atob(await solve(JSON.stringify(challenge))));
  assert.deepEqual(solved, {
    challenge,
    solution: { counter: 37, derivedKey: "a28b69eed845aa33b8d7c2ecd4a863bad1dc261b8faa7128ac1941ac0dba3431" },
  });
});
