// What the platform and the log are told, for the peers that are written by hand.

const JSON_HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store" };
const OK = { status: 200, headers: JSON_HEADERS };
const ACCEPTED = { status: 202, headers: JSON_HEADERS };

// `done`, `pending` or `attention`: what one outcome asks for.
export function stateOf(outcome) {
  if (outcome === "accepted" || outcome === "already_absent") return "done";
  return outcome === "scheduled" ? "pending" : "attention";
}

// Logs the erasure, and answers with its receipt: `waiting` makes the answer where a delivery is not
// final yet.
export function conclude(source, id, receivedAt, deliveries, waiting) {
  let state = "done";
  let waits = false;
  let usable = false;
  for (const { outcome } of deliveries) {
    if (outcome !== "insufficient_identification") usable = true;
    if (outcome === "scheduled" || outcome === "blocked") waits = true;
    const one = stateOf(outcome);
    if (one === "attention" || (one === "pending" && state === "done")) state = one;
  }
  const received_at = time(receivedAt);
  const receipt = { request_id: id, source, state, received_at, deliveries };
  const request_id = loggable(id);
  const line = JSON.stringify({ event: "erasure", source, request_id, state, deliveries });
  if (state === "done") console.log(line);
  else console.warn(line);
  if (!usable) return problem(422, "insufficient-identification", receipt);
  return waits ? waiting(receipt) : new Response(JSON.stringify(receipt), OK);
}

// 202: what waits is stored, and will be sent.
export function accepted(receipt) {
  return new Response(JSON.stringify(receipt), ACCEPTED);
}

// An id as a log may show it: one that may be personal is withheld.
export function loggable(id) {
  return id.length >= 16 && /^[0-9a-fA-F-]+$/.test(id) ? id : "(withheld)";
}

// RFC 3339, in whole seconds. The clock moves seldom, and dates are slow to print.
let lastSecond, lastTime;
export function time(millis) {
  const second = Math.floor(millis / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastTime = new Date(second * 1000).toISOString().replace(".000", "");
  }
  return lastTime;
}

export function problem(status, type, members) {
  const headers = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" };
  return new Response(JSON.stringify({ type, status, ...members }), { status, headers });
}
