// Proof of work: Altcha's puzzle, solved by the browser while many chats are being started. See webchat/proof.py.

/** @param {string} hex */
const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** @param {ArrayBuffer} buffer */
const hexOf = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Tries keys until one starts with the wanted prefix. The browser derives them beside the page, which stays usable.
 * @param {string} puzzle as JSON
 * @returns {Promise<string>} the solution, as the server takes it
 */
export async function solve(puzzle) {
  const challenge = JSON.parse(puzzle);
  const { nonce, salt, cost, keyLength, keyPrefix } = challenge.parameters;
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytesOf(salt), iterations: cost };
  const start = bytesOf(nonce);
  const password = new Uint8Array(start.length + 4);
  password.set(start);
  const end = new DataView(password.buffer, start.length);
  for (let counter = 0; ; counter += 1) {
    end.setUint32(0, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const derivedKey = hexOf(await crypto.subtle.deriveBits(how, key, keyLength * 8));
    if (derivedKey.startsWith(keyPrefix)) return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
  }
}
