// What a canonical webhook says, for the peers that are written by hand: Standard Webhooks by
// WebCrypto, and the event `privacy.erasure.requested`.

import { problem } from "./receipt.js";
import { vendors } from "./vendor.js";

const EVENT_TYPE = "privacy.erasure.requested";
const MAX_BODY = 262144;
const HMAC = { name: "HMAC", hash: "SHA-256" };
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

// Read at the first request: what it holds changes only with a deployment.
let sources;

// The verified erasure: its source, id, identifiers and time of arrival. Where there is none,
// `answer` is what the sender is told.
export async function receive(request, env) {
  sources ??= await configure(env);
  const url = request.url;
  const path = url.indexOf("/", url.indexOf("://") + 3);
  if (!url.startsWith("/webhooks/", path)) return { answer: problem(404, "not-found") };
  if (request.method !== "POST") return { answer: problem(405, "method-not-allowed") };
  const source = sources.get(url.slice(path + 10));
  if (source === undefined) return { answer: problem(404, "unknown-source") };

  const headers = request.headers;
  if (Number(headers.get("content-length")) > MAX_BODY) return { answer: problem(413, "too-large") };
  const body = new Uint8Array(await request.arrayBuffer());
  if (body.length > MAX_BODY) return { answer: problem(413, "too-large") };
  const now = Date.now();
  const refusal = await verify(source, headers, body, now);
  if (refusal !== undefined) {
    console.warn(JSON.stringify({ event: "refused", source: source.name, reason: refusal }));
    return { answer: problem(401, "not-authentic") };
  }
  let message;
  try {
    message = JSON.parse(decoder.decode(body));
  } catch {
    return malformed();
  }
  if (typeof message?.type !== "string") return malformed();
  if (message.type !== EVENT_TYPE) return { answer: new Response(null, { status: 204 }) };
  const id = message.data?.request_id;
  const subject = message.data?.subject;
  if (typeof id !== "string" || id.length === 0 || id.length > 256) return malformed();
  if (typeof subject !== "object" || subject === null) return malformed();
  const people = identifiers(subject);
  if (people === undefined) return malformed();
  return { answer: undefined, source, id, people, now };
}

function malformed() {
  return { answer: problem(400, "malformed") };
}

async function configure(env) {
  const accounts = vendors(env);
  const configured = new Map();
  for (const [name, settings] of Object.entries(env.SOURCES)) {
    const keys = [];
    for (const secret of settings.secrets) {
      if (env[secret] === undefined) continue;
      const raw = Uint8Array.fromBase64(env[secret].trim().replace("whsec_", ""));
      keys.push(await crypto.subtle.importKey("raw", raw, HMAC, false, ["verify"]));
    }
    configured.set(name, {
      name,
      keys,
      tolerance: settings.tolerance_seconds ?? 300,
      vendors: (settings.vendors ?? [...accounts.keys()]).map((vendor) => accounts.get(vendor)),
    });
  }
  return configured;
}

// Standard Webhooks 1.0: why the message is refused, or undefined.
async function verify(source, headers, body, now) {
  const prefix = headers.has("webhook-id") ? "webhook-" : "svix-";
  const id = headers.get(prefix + "id");
  const timestamp = headers.get(prefix + "timestamp");
  const presented = headers.get(prefix + "signature");
  if (!id || !timestamp || !presented) return "a header is missing";
  if (!/^\d{1,15}$/.test(timestamp)) return "the timestamp is not a number";
  if (Math.abs(now / 1000 - Number(timestamp)) > source.tolerance) return "the timestamp is out of tolerance";
  const head = encoder.encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  let matched = false;
  for (const entry of presented.split(" ")) {
    if (!entry.startsWith("v1,")) continue;
    let signature;
    try {
      signature = Uint8Array.fromBase64(entry.slice(3));
    } catch {
      return "the signature is malformed";
    }
    for (const key of source.keys) {
      if (await crypto.subtle.verify("HMAC", key, signature, signed)) matched = true;
    }
  }
  return matched ? undefined : "no signature matches";
}

// Kind and value of each identifier, or undefined where a field has a wrong type.
function identifiers(subject) {
  const people = [];
  const add = (kind, value) => {
    if (value === null || value === undefined) return true;
    if (typeof value !== "string") return false;
    if (value.trim() === "") return true;
    if (!people.some((one) => one.kind === kind && one.value === value)) people.push({ kind, value });
    return true;
  };
  const { user_ids: users, custom } = subject;
  if (!add("user_id", subject.user_id)) return undefined;
  if (users !== null && users !== undefined) {
    if (!Array.isArray(users) || users.length > 100) return undefined;
    for (const user of users) if (!add("user_id", user)) return undefined;
  }
  const { email, phone_number: phone } = subject;
  if (!add("email", typeof email === "string" ? email.trim() : email)) return undefined;
  if (!add("phone_number", typeof phone === "string" ? phone.trim() : phone)) return undefined;
  if (!add("uuid", subject.uuid)) return undefined;
  if (!add("insider_id", subject.insider_id)) return undefined;
  if (custom !== null && custom !== undefined) {
    if (typeof custom !== "object") return undefined;
    for (const name in custom) {
      if (!/^[\w-]{1,64}$/.test(name) || !add("custom." + name, custom[name])) return undefined;
    }
  }
  return people;
}
