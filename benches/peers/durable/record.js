// Deliveries as receipts show them, and the names of their rows.

import { time } from "../common/receipt.js";

// Names a row; what is sealed opens there alone.
export function placeOf(source, id, slot) {
  return `${source}\0${id}\0${slot}`;
}

// A delivery, its members in the order in which receipts have them.
export function deliveryOf(vendor, call, identifier, subject, outcome, attempts, at) {
  return {
    vendor,
    call,
    identifier,
    subject,
    outcome,
    status: undefined,
    attempts,
    detail: undefined,
    trace: undefined,
    next_attempt_at: undefined,
    updated_at: time(at),
  };
}

// What waits behind a blocked account is blocked with it.
export function waits(delivery, dueAt, permit) {
  delivery.next_attempt_at = time(permit.rested(dueAt));
  if (delivery.outcome === "scheduled" && permit.blocked !== null) {
    delivery.outcome = "blocked";
    delivery.detail = permit.blocked;
  }
}

// The delivery of a stored row.
export function stored(vendor, row, permit) {
  const { outcome, attempts, updated_at: at, due_at: dueAt } = row;
  const columns = [row.call, row.identifier, row.subject, row.status, row.detail, row.trace];
  const [call, identifier, subject, status, detail, trace] = columns.map((value) => value ?? undefined);
  const shown = { ...deliveryOf(vendor, call, identifier, subject, outcome, attempts, at), status, detail, trace };
  if (dueAt !== null) waits(shown, dueAt, permit);
  return shown;
}
