// The object of one vendor account: it stores each delivery once before anything is sent, sends it
// within the pace, and settles what came of it. One invocation does all of it; the alarm sends what
// waits, and what was under way when the process ended.

import { DurableObject } from "cloudflare:workers";
import { loggable, stateOf, time } from "../common/receipt.js";
import { ask, vendors } from "../common/vendor.js";
import { nextAttempt } from "./breaker.js";
import { Permit } from "./permit.js";
import { deliveryOf, placeOf, stored, waits } from "./record.js";
import * as store from "./schema.js";
import { close, keyring, open, pseudonym } from "./seal.js";
import { Waiters } from "./waiters.js";

// Calls at the same time, and deliveries that wait for one of them in memory.
const CONNECTIONS = 6;
const MOST_IN_MEMORY = 256;
// In milliseconds: how long the Worker waits for outcomes, within which time settlements share a
// transaction, how long a call is tried again, how long one alarm starts calls, and the longest pause
// that it waits out.
const ANSWER_WITHIN = 3500;
const SETTLE_WITHIN = 10;
const DEADLINE = 72 * 3_600_000;
const SHIFT = 20_000;
const SHORT = 2000;
// Nobody has confirmed, and a person may have it tried again: the identifiers are kept.
const REPLAYABLE = new Set(["rejected", "uncertain", "exhausted"]);

export class Lane extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    // Rows written so far, those of indexes included; the bench asks for it.
    this.rows = 0;
    // Deliveries by their place, from their lease to their settlement; those that wait for a
    // connection; how many calls are under way; outcomes that the table does not know yet.
    this.live = new Map();
    this.queue = [];
    this.calling = 0;
    this.outcomes = [];
    this.settling = false;
    // What outlasts the answer keeps the object alive. Until then the answer does, and each promise that
    // the runtime is handed costs.
    this.waiters = new Waiters(ANSWER_WITHIN, (job) => this.outlast(job));
    ctx.blockConcurrencyWhile(() => this.open());
  }

  async open() {
    this.sql.exec(store.SCHEMA);
    this.keys = await keyring(this.env);
    this.armed = await this.ctx.storage.getAlarm();
    const [lane] = this.sql.exec("SELECT * FROM lane").toArray();
    if (lane !== undefined) this.load(lane.account, lane);
  }

  load(name, lane) {
    this.account = vendors(this.env).get(name);
    this.lease = 6 * this.account.timeout + 5000;
    const read = (...query) => this.sql.exec(...query).toArray();
    this.permit = new Permit(this.account, lane, read, (...query) => this.write(...query));
  }

  // For the bench.
  rowsWritten() {
    return this.rows;
  }

  // Stores the account's part of an erasure and sends it. Tells what is known once all that could go
  // at once is final, or ANSWER_WITHIN is over.
  async deliver(vendor, source, id, arrivedAt, people) {
    if (this.account === undefined) this.load(vendor);
    const parts =
      people.length === 1
        ? [await this.prepare(source, id, people[0])]
        : await Promise.all(people.map((person) => this.prepare(source, id, person)));
    // From here to the next `await` is one transaction.
    if (this.outcomes.length > 0) this.settle();
    const now = Date.now();
    const known = this.sql.exec(store.FIND, source, id).toArray();
    const receivedAt = known.length > 0 ? known[0].received_at : arrivedAt;
    const deliveries = [];
    const pending = [];
    for (const row of known) {
      if (row.slot === "" && parts.length > 0) {
        this.write(store.FORGET_NOBODY, source, id);
        continue;
      }
      const job = this.live.get(placeOf(source, id, row.slot));
      deliveries.push(job === undefined ? stored(this.account.name, row, this.permit) : job.delivery);
      if (job !== undefined && job.verdict === undefined) pending.push(job);
    }
    let position = known.length > 0 ? known[known.length - 1].position + 1 : 0;
    for (const part of parts) {
      if (known.length > 0 && known.some((row) => row.slot === part.slot)) continue;
      const job = this.store(part, source, id, position++, receivedAt, now);
      deliveries.push(job.delivery);
      if (job.lease === 1) pending.push(job);
    }
    if (deliveries.length === 0) deliveries.push(this.storeNobody(source, id, receivedAt, now));
    this.start();
    if (pending.length > 0) await this.waiters.wait(pending);
    return { receivedAt, deliveries };
  }

  async prepare(source, id, person) {
    const subject = await pseudonym(this.keys, person);
    const slot = `${this.account.call}:${subject}`;
    const place = placeOf(source, id, slot);
    return { slot, place, person, subject, sealed: await close(this.keys, person, place) };
  }

  // Stores a delivery, under a lease where it may go at once.
  store({ slot, place, person, subject, sealed }, source, id, position, receivedAt, now) {
    const free = this.live.size < MOST_IN_MEMORY && this.permit.leave(now) === Infinity;
    const lease = free && this.permit.take(now) ? 1 : 0;
    const until = lease === 1 ? now + this.lease : null;
    const due = lease === 1 ? null : now;
    const deadlineAt = now + DEADLINE;
    const { name: vendor, call } = this.account;
    this.write(
      store.INSERT,
      ...[source, id, slot, position, receivedAt, call, person.kind, subject, subject, sealed],
      ...["scheduled", null, now, deadlineAt, lease, until, due],
    );
    const delivery = deliveryOf(vendor, call, person.kind, subject, "scheduled", 0, now);
    const job = this.job({ place, source, id, slot, person, delivery, deadlineAt, lease, failures: 0 }, now);
    if (lease === 1) {
      this.live.set(place, job);
      this.queue.push(job);
      this.arm(until);
    } else {
      waits(delivery, now, this.permit);
      this.arm(this.permit.readyAt(now));
    }
    return job;
  }

  job(fields, now) {
    return { ...fields, takenAt: now, waiters: [], sent: undefined, outlasts: false, verdict: undefined, dueAt: null };
  }

  storeNobody(source, id, receivedAt, now) {
    const outcome = "insufficient_identification";
    const detail = "the request names no identifier that this call takes";
    const nobody = [null, null, null, null, null];
    this.write(store.INSERT, source, id, "", 0, receivedAt, ...nobody, outcome, detail, now, now, 0, null, null);
    return { ...deliveryOf(this.account.name, undefined, undefined, undefined, outcome, 0, now), detail };
  }

  // Starts what waits for a connection.
  start() {
    while (this.calling < CONNECTIONS && this.queue.length > 0) {
      const job = this.queue.shift();
      const now = Date.now();
      // The pace has moved on meanwhile: it takes its turn again.
      if (now - job.takenAt > this.permit.slack) this.giveBack(job, now);
      else {
        job.sent = this.send(job);
        if (job.outlasts) this.ctx.waitUntil(job.sent);
      }
    }
  }

  outlast(job) {
    job.outlasts = true;
    if (job.sent !== undefined) this.ctx.waitUntil(job.sent);
  }

  async send(job) {
    this.calling += 1;
    const verdict = await ask(this.account, job.person);
    this.calling -= 1;
    this.conclude(job, verdict);
    this.start();
  }

  giveBack(job, now) {
    this.live.delete(job.place);
    this.write(store.GIVE_BACK, now, job.source, job.id, job.slot, job.lease);
    this.arm(this.permit.readyAt(now));
    this.waiters.tell(job);
  }

  // Whoever waits knows the outcome at once; the table within SETTLE_WITHIN. Where that is lost, the
  // lease runs out, and the call is made again.
  conclude(job, verdict, attempts = 1) {
    const now = Date.now();
    const { delivery } = job;
    this.permit.note(verdict, now);
    job.verdict = verdict;
    job.failures += 1;
    delivery.outcome = verdict.outcome;
    if (verdict.outcome === "scheduled" || verdict.outcome === "blocked") {
      job.dueAt = nextAttempt(verdict, job.failures, now);
      if (verdict.outcome === "scheduled" && job.dueAt > job.deadlineAt) {
        delivery.outcome = "exhausted";
        job.dueAt = null;
      }
    }
    delivery.status = verdict.status;
    delivery.attempts += attempts;
    delivery.detail = verdict.detail;
    delivery.trace = verdict.trace;
    delivery.next_attempt_at = job.dueAt === null ? undefined : time(this.permit.rested(job.dueAt));
    delivery.updated_at = time(now);
    job.updatedAt = now;
    this.outcomes.push(job);
    if (!this.settling) {
      this.settling = true;
      this.ctx.waitUntil(this.settleSoon());
    }
    this.waiters.tell(job);
  }

  async settleSoon() {
    await scheduler.wait(SETTLE_WITHIN);
    this.settling = false;
    this.settle();
  }

  // Stores all outcomes that the table does not know yet, and logs them.
  settle() {
    for (const { place, source, id, slot, lease, delivery, failures, dueAt, updatedAt } of this.outcomes) {
      const { outcome, status, attempts, detail, trace } = delivery;
      const keep = dueAt !== null || REPLAYABLE.has(outcome);
      this.write(
        keep ? store.SETTLE_AND_KEEP : store.SETTLE_AND_ERASE,
        ...[outcome, status ?? null, attempts, detail ?? null, trace ?? null, updatedAt, failures, dueAt],
        ...[source, id, slot, lease],
      );
      if (dueAt !== null) this.arm(this.permit.rested(dueAt));
      this.live.delete(place);
      const state = stateOf(outcome);
      const line = JSON.stringify({ event: "delivery", source, request_id: loggable(id), state, ...delivery });
      if (state === "attention") console.warn(line);
      else console.log(line);
    }
    this.outcomes.length = 0;
  }

  // Sends what is due, and what was leased to a process that is gone.
  async alarm() {
    this.armed = null;
    if (this.account === undefined) return;
    const endsAt = Date.now() + SHIFT;
    this.write(store.EXPIRE, Date.now(), Date.now());
    while (Date.now() < endsAt) {
      const claimed = await this.claim(Date.now());
      const pending = claimed.filter((job) => job.verdict === undefined);
      if (pending.length > 0) await this.waiters.wait(pending);
      this.settle();
      const next = this.nextDue();
      const rest = next === null ? Infinity : next - Date.now();
      if (rest > SHORT) break;
      // With all connections taken nothing is claimed, though it may go.
      if (claimed.length === 0) await scheduler.wait(Math.max(rest, SETTLE_WITHIN));
    }
    const [{ at: lease }] = this.sql.exec(store.FIRST_LEASE).toArray();
    for (const at of [this.nextDue(), lease]) if (at !== null) this.arm(at);
  }

  // Leases what is due and may go now, and queues it.
  async claim(now) {
    const most = Math.min(this.permit.leave(now), CONNECTIONS - this.calling - this.queue.length);
    const claimed = [];
    for (const row of most > 0 ? this.sql.exec(store.DUE, this.account.call, now, most).toArray() : []) {
      if (!this.permit.take(now)) break;
      const until = now + this.lease;
      this.write(store.LEASE, row.lease + 1, until, row.source, row.request_id, row.slot);
      this.permit.probing(until);
      this.arm(until);
      claimed.push(row);
    }
    return Promise.all(claimed.map((row) => this.resume(row, now)));
  }

  async resume(row, now) {
    const { source, request_id: id, slot, identifier, subject, person, attempts, failures } = row;
    const place = placeOf(source, id, slot);
    const delivery = deliveryOf(this.account.name, this.account.call, identifier, subject, "scheduled", attempts, now);
    const fields = { place, source, id, slot, delivery, deadlineAt: row.deadline_at, lease: row.lease + 1, failures };
    const job = this.job(fields, now);
    this.live.set(place, job);
    try {
      job.person = await open(this.keys, person, place);
      this.queue.push(job);
      this.start();
    } catch {
      const detail = "the stored identifiers do not open with this PSEUDONYM_KEY";
      this.conclude(job, { outcome: "blocked", detail, about: "account" }, 0);
    }
    return job;
  }

  // When something that is due may go; null where nothing is.
  nextDue() {
    const [{ at }] = this.sql.exec(store.FIRST_DUE, this.account.call).toArray();
    return at === null ? null : this.permit.readyAt(at);
  }

  // The alarm rings by `at`.
  arm(at) {
    if (this.armed !== null && this.armed <= at) return;
    this.armed = at;
    this.ctx.storage.setAlarm(at);
  }

  write(statement, ...bindings) {
    this.rows += this.sql.exec(statement, ...bindings).rowsWritten;
  }
}
