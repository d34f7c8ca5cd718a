// Pseudonyms, and identifiers sealed while they wait. Unlike the relay, which seals by
// XChaCha20-Poly1305, this seals by AES-GCM, which WebCrypto has: with 12 random bytes as the nonce
// one key is good for 2^32 messages, and beyond that it would have to be changed.

const NONCE_BYTES = 12;
const HMAC = { name: "HMAC", hash: "SHA-256" };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

// The keys derived from PSEUDONYM_KEY.
export async function keyring(env) {
  const raw = encoder.encode(env.PSEUDONYM_KEY.trim());
  const names = await crypto.subtle.importKey("raw", raw, HMAC, false, ["sign"]);
  const derived = await crypto.subtle.sign("HMAC", names, encoder.encode("erasure-relay: identifiers at rest, v1"));
  const seal = await crypto.subtle.importKey("raw", derived, "AES-GCM", false, ["encrypt", "decrypt"]);
  return { names, seal };
}

// `k1:` and 48 bits of HMAC-SHA256 over the kind and the value, as hex.
export async function pseudonym({ names }, { kind, value }) {
  const mac = await crypto.subtle.sign("HMAC", names, encoder.encode(`${kind}\0${value}`));
  return "k1:" + new Uint8Array(mac, 0, 6).toHex();
}

// Seals whom a call is about; it opens in its place alone.
export async function close({ seal }, { kind, value }, place) {
  const iv = nonce();
  const additionalData = encoder.encode(place);
  const text = encoder.encode(JSON.stringify([kind, value]));
  const closed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, seal, text);
  const sealed = new Uint8Array(NONCE_BYTES + closed.byteLength);
  sealed.set(iv);
  sealed.set(new Uint8Array(closed), NONCE_BYTES);
  return sealed;
}

// Throws where the key is another, or the text was changed.
export async function open({ seal }, sealed, place) {
  const iv = new Uint8Array(sealed, 0, NONCE_BYTES);
  const additionalData = encoder.encode(place);
  const closed = new Uint8Array(sealed, NONCE_BYTES);
  const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, seal, closed);
  const [kind, value] = JSON.parse(decoder.decode(text));
  return { kind, value };
}

// Randomness is asked for many nonces at a time.
const pool = new Uint8Array(NONCE_BYTES * 256);
let used = pool.length;
function nonce() {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  return pool.slice(used, (used += NONCE_BYTES));
}
