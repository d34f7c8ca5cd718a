// The vendors' calls, and what their answers mean, for the peers that are written by hand.

const MAX_ANSWER = 65536;

// The accounts that env.VENDORS names.
export function vendors(env) {
  const accounts = new Map();
  for (const [name, settings] of Object.entries(env.VENDORS)) accounts.set(name, vendor(name, settings, env));
  return accounts;
}

// Makes one call. What the answer means is an outcome with its reason, and whether it is `about` the
// one identifier (`call`), the `account`, or neither for sure (`unclear`).
export async function ask(vendor, person) {
  let response, text;
  // Not `AbortSignal.timeout`, whose timer goes on after the answer: an object may have 10,000.
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), vendor.timeout);
  try {
    response = await vendor.send(person, controller.signal);
    text = await read(response);
  } catch {
    const detail = controller.signal.aborted ? "no answer in time" : "connection failed";
    return verdictOf("scheduled", detail, undefined, undefined, undefined);
  } finally {
    clearTimeout(timer);
  }
  const status = response.status;
  const headers = response.headers;
  const [outcome, detail] = everywhere(status) ?? vendor.judge(status, text);
  const trace = headers.get("cf-ray") ?? headers.get("x-request-id");
  const named = trace !== null && /^[\w.:=-]{1,64}$/.test(trace) ? trace : undefined;
  return verdictOf(outcome, detail, status, named, pause(headers.get("retry-after")));
}

function verdictOf(outcome, detail, status, trace, retryAfter) {
  return { outcome, detail, status, trace, retryAfter, about: about(outcome, status, retryAfter) };
}

function about(outcome, status, retryAfter) {
  if (outcome !== "scheduled" && outcome !== "blocked") return "call";
  if (retryAfter !== undefined) return "account";
  if (status === undefined || status === 408 || (status >= 502 && status <= 504) || status >= 520) return "unclear";
  return status < 400 || status === 401 || status === 403 || status === 429 ? "account" : "call";
}

// `Retry-After` in milliseconds, an hour at most.
function pause(value) {
  if (value === null) return undefined;
  const millis = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return millis >= 0 ? Math.min(millis, 3600000) : undefined;
}

function vendor(name, settings, env) {
  const pace = { calls: 1000, per_seconds: 60, ...settings.pace };
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
      pace,
      timeout,
      judge: judgeInsider,
      plan: planInsider,
      send: (person, signal) =>
        fetch(url, {
          method: "DELETE",
          headers,
          body: insiderBody(person),
          redirect: "manual",
          signal,
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
    pace,
    timeout,
    judge: judgeInstacart,
    plan: (people) => people.filter((one) => one.kind === "user_id" && one.value !== "." && one.value !== ".."),
    send: (person, signal) =>
      fetch(`${base}/v2/fulfillment/users/${segment(person.value)}/privacy_request`, {
        method: "POST",
        headers,
        redirect: "manual",
        signal,
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
    const missing = error?.code === 1001 && meta?.key === "user_id" && /^user not found$/i.test(error.message);
    return missing ? ["already_absent", "user not found"] : ["rejected", "the vendor refused the request"];
  }
  if (status === 401 || status === 403 || status === 404) return ["blocked", "refused"];
  return ["rejected", "the vendor refused the request"];
}
