// A peer of `cargo xtask bench`: direct delivery as one hand-written Worker, as fast as WebCrypto
// and plain JavaScript allow. The same bindings, the same vendor requests, the same receipts and log
// lines as the relay's for canonical webhooks; the other platforms and signatures are left out.

const EVENT_TYPE = "privacy.erasure.requested";
const MAX_BODY = 262144;
const MAX_ANSWER = 65536;
const HMAC = { name: "HMAC", hash: "SHA-256" };
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const JSON_HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store" };
const JSON_OK = { status: 200, headers: JSON_HEADERS };

// Read at the first request: what it holds changes only with a deployment.
let isolate;

export default {
  async fetch(request, env) {
    const { sources } = (isolate ??= await configure(env));
    const url = request.url;
    const path = url.indexOf("/", url.indexOf("://") + 3);
    if (!url.startsWith("/webhooks/", path)) return problem(404, "not-found");
    if (request.method !== "POST") return problem(405, "method-not-allowed");
    const source = sources.get(url.slice(path + 10));
    if (source === undefined) return problem(404, "unknown-source");

    const headers = request.headers;
    if (Number(headers.get("content-length")) > MAX_BODY) return problem(413, "too-large");
    const body = new Uint8Array(await request.arrayBuffer());
    if (body.length > MAX_BODY) return problem(413, "too-large");
    const now = Date.now();
    const refusal = await verify(source, headers, body, now);
    if (refusal !== undefined) {
      console.warn(JSON.stringify({ event: "refused", source: source.name, reason: refusal }));
      return problem(401, "not-authentic");
    }
    let message;
    try {
      message = JSON.parse(decoder.decode(body));
    } catch {
      return problem(400, "malformed");
    }
    if (typeof message?.type !== "string") return problem(400, "malformed");
    if (message.type !== EVENT_TYPE) return new Response(null, { status: 204 });
    const id = message.data?.request_id;
    const subject = message.data?.subject;
    if (typeof id !== "string" || id.length === 0 || id.length > 256) return problem(400, "malformed");
    if (typeof subject !== "object" || subject === null) return problem(400, "malformed");
    const people = identifiers(subject);
    if (people === undefined) return problem(400, "malformed");

    const vendors = source.vendors;
    const deliveries =
      vendors.length === 1
        ? await deliver(vendors[0], people, now)
        : (await Promise.all(vendors.map((vendor) => deliver(vendor, people, now)))).flat();
    let state = "done";
    let waits = false;
    let usable = false;
    for (const { outcome } of deliveries) {
      if (outcome !== "insufficient_identification") usable = true;
      if (outcome === "scheduled" || outcome === "blocked") waits = true;
      if (outcome === "scheduled") state = state === "done" ? "pending" : state;
      else if (outcome !== "accepted" && outcome !== "already_absent") state = "attention";
    }
    const receipt = {
      request_id: id,
      source: source.name,
      state,
      received_at: time(now),
      deliveries,
    };
    const line = JSON.stringify({
      event: "erasure",
      source: source.name,
      request_id: isOpaque(id) ? id : "(withheld)",
      state,
      deliveries,
    });
    if (state === "done") console.log(line);
    else console.warn(line);
    if (!usable) return problem(422, "insufficient-identification", receipt);
    if (waits) return problem(503, "try-again", receipt);
    return new Response(JSON.stringify(receipt), JSON_OK);
  },
};

async function configure(env) {
  const vendors = new Map();
  for (const [name, settings] of Object.entries(env.VENDORS)) vendors.set(name, vendor(name, settings, env));
  const sources = new Map();
  for (const [name, settings] of Object.entries(env.SOURCES)) {
    const keys = [];
    for (const secret of settings.secrets) {
      if (env[secret] === undefined) continue;
      const raw = Uint8Array.fromBase64(env[secret].trim().replace("whsec_", ""));
      keys.push(await crypto.subtle.importKey("raw", raw, HMAC, false, ["verify"]));
    }
    sources.set(name, {
      name,
      keys,
      tolerance: settings.tolerance_seconds ?? 300,
      vendors: (settings.vendors ?? [...vendors.keys()]).map((vendor) => vendors.get(vendor)),
    });
  }
  return { sources };
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

function vendor(name, settings, env) {
  const token = env[settings.auth.token].trim();
  const timeout = (settings.timeout_seconds ?? 10) * 1000;
  const base = settings.base_url.replace(/\/$/, "");
  if (settings.api === "insider") {
    const url = base + "/api/user/v1/identity";
    const headers = new Headers({
      "X-PARTNER-NAME": settings.partner_name,
      "X-REQUEST-TOKEN": token,
      "Content-Type": "application/json",
    });
    return {
      name,
      call: "identity",
      judge: judgeInsider,
      plan: planInsider,
      send: (person) =>
        fetch(url, {
          method: "DELETE",
          headers,
          body: insiderBody(person),
          redirect: "manual",
          signal: AbortSignal.timeout(timeout),
        }),
    };
  }
  const headers = new Headers({
    Accept: "application/json",
    Authorization: "Bearer " + token,
    "Content-Type": "application/json",
  });
  return {
    name,
    call: "privacy_request",
    judge: judgeInstacart,
    plan: (people) => people.filter((one) => one.kind === "user_id" && one.value !== "." && one.value !== ".."),
    send: (person) =>
      fetch(`${base}/v2/fulfillment/users/${segment(person.value)}/privacy_request`, {
        method: "POST",
        headers,
        redirect: "manual",
        signal: AbortSignal.timeout(timeout),
      }),
  };
}

function segment(value) {
  return encodeURIComponent(value).replace(/[!'()*]/g, (one) => "%" + one.charCodeAt(0).toString(16).toUpperCase());
}

const RANKS = ["email", "phone_number", "custom.", "uuid"];

function planInsider(people) {
  if (people.length === 1 && people[0].kind === "email") return people;
  const plan = [];
  for (const rank of RANKS) {
    for (const one of people) {
      if (!one.kind.startsWith(rank)) continue;
      if (rank === "phone_number" && !/^\+[1-9]\d{6,14}$/.test(one.value)) continue;
      plan.push(one);
    }
  }
  return plan;
}

function insiderBody({ kind, value }) {
  return kind.startsWith("custom.")
    ? JSON.stringify({ identifiers: { custom: { [kind.slice(7)]: value } } })
    : JSON.stringify({ identifiers: { [kind]: value } });
}

// One vendor's calls, one after the other.
async function deliver(vendor, people, now) {
  const plan = vendor.plan(people);
  if (plan.length === 0) {
    const outcome = "insufficient_identification";
    return [{ vendor: vendor.name, outcome, attempts: 0, updated_at: time(now) }];
  }
  const deliveries = [];
  let halted;
  for (const person of plan) {
    const delivery = { vendor: vendor.name, call: vendor.call, identifier: person.kind, outcome: "scheduled" };
    deliveries.push(delivery);
    if (halted !== undefined) {
      delivery.outcome = halted;
      delivery.attempts = 0;
      delivery.detail = "not sent after the answer before";
      delivery.updated_at = time(Date.now());
      continue;
    }
    let response, text;
    try {
      response = await vendor.send(person);
      text = await read(response);
    } catch (error) {
      delivery.attempts = 1;
      delivery.detail = error.name === "TimeoutError" ? "no answer in time" : "connection failed";
      delivery.updated_at = time(Date.now());
      continue;
    }
    const status = response.status;
    const verdict = everywhere(status) ?? vendor.judge(status, text);
    delivery.outcome = verdict[0];
    delivery.status = status;
    delivery.attempts = 1;
    if (verdict[1] !== undefined) delivery.detail = verdict[1];
    const trace = response.headers.get("cf-ray") ?? response.headers.get("x-request-id");
    if (trace !== null && /^[\w.:=-]{1,64}$/.test(trace)) delivery.trace = trace;
    if (delivery.outcome === "blocked" || status === 429) halted = delivery.outcome;
    if (response.headers.get("retry-after") !== null) halted = delivery.outcome;
    delivery.updated_at = time(Date.now());
  }
  return deliveries;
}

// The answer as text, undefined where it is longer than what is read.
async function read(response) {
  const headers = response.headers;
  const length = headers.get("content-length");
  if (length !== null && Number(length) <= MAX_ANSWER && headers.get("content-encoding") === null) {
    return response.text();
  }
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const parts = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new TextDecoder().decode(await new Blob(parts).arrayBuffer());
    total += value.length;
    if (total > MAX_ANSWER) {
      await reader.cancel();
      return undefined;
    }
    parts.push(value);
  }
}

function everywhere(status) {
  if (status >= 300 && status < 400) return ["blocked", "redirect refused"];
  if (status === 408) return ["scheduled", "the vendor timed out"];
  if (status === 429) return ["scheduled", "rate limited"];
  if (status >= 500) return ["scheduled", "the vendor failed"];
  return undefined;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function judgeInsider(status, text) {
  const json = text ? parsed(text) : undefined;
  if (status === 200 || status === 204) {
    const empty = text === "" || (json && Object.keys(json).length === 0);
    if (empty || (json?.success === true && !("error" in json))) {
      return ["accepted", "this identifier only; the profile stays"];
    }
  }
  if (status < 300) return ["uncertain", "2xx without a confirmation"];
  const reason = String(json?.error ?? json?.message ?? "").toLowerCase();
  if (status === 400 && reason.includes("sole identifier")) {
    return ["not_erased", "the profile's sole identifier cannot be removed"];
  }
  if (status === 401) return ["blocked", "the token was refused"];
  if (status === 403 || status === 404) return ["blocked", "refused"];
  return ["rejected", "the vendor refused the request"];
}

function judgeInstacart(status, text) {
  const json = text ? parsed(text) : undefined;
  if (status === 200 && json?.success === true) return ["accepted", undefined];
  if (status < 300) return ["uncertain", "2xx without a confirmation"];
  if (status === 400) {
    const { error, meta } = json ?? {};
    const missing = error?.code === 1001 && meta?.key === "user_id" && /not found/i.test(error.message);
    return missing ? ["already_absent", "user not found"] : ["rejected", "the vendor refused the request"];
  }
  if (status === 401 || status === 403 || status === 404) return ["blocked", "refused"];
  return ["rejected", "the vendor refused the request"];
}

function isOpaque(id) {
  return id.length >= 16 && /^[0-9a-fA-F-]+$/.test(id);
}

// RFC 3339, in whole seconds. The clock moves seldom, and dates are slow to print.
let lastSecond, lastTime;
function time(millis) {
  const second = Math.floor(millis / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastTime = new Date(second * 1000).toISOString().replace(".000", "");
  }
  return lastTime;
}

function problem(status, type, members) {
  const headers = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" };
  return new Response(JSON.stringify({ type, status, ...members }), { status, headers });
}
