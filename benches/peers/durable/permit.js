// Whether and when the account may be called: its pace and its breaker, stored as far as they must
// outlive the process.

import { CLOSED, leave, noted } from "./breaker.js";
import { Pace } from "./pace.js";
import * as store from "./schema.js";

// How far the stored pace runs ahead of that in memory: a second's calls, in microseconds. So most
// calls need not store it, and a process that ends loses no more than this.
const RESERVE = 1_000_000;

export class Permit {
  // `read` and `write` execute a statement; `lane` is the account's stored row, if there is one.
  constructor({ name, call, pace }, lane, read, write) {
    this.name = name;
    this.call = call;
    this.write = write;
    this.reserved = read("SELECT steady_at FROM pace WHERE call = ?", call)[0]?.steady_at ?? 0;
    this.pace = new Pace(pace, this.reserved);
    this.breaker = CLOSED;
    if (lane === undefined) {
      this.keep(CLOSED);
    } else {
      const { failures, blocked, rests_until: restsUntil, open } = lane;
      this.breaker = { failures, blocked, restsUntil, open: open === 1 };
    }
  }

  // Why the account is blocked, or null.
  get blocked() {
    return this.breaker.blocked;
  }

  // How far a call may be behind its turn, in milliseconds.
  get slack() {
    return this.pace.slack;
  }

  // How many calls the breaker lets go now.
  leave(now) {
    return leave(this.breaker, now);
  }

  // Takes one call's part of the pace, where it may be made at `now`.
  take(now) {
    if (!this.pace.take(now)) return false;
    if (this.pace.steadyAt > this.reserved) {
      this.reserved = this.pace.steadyAt + RESERVE;
      this.write(store.STORE_PACE, this.call, this.reserved);
    }
    return true;
  }

  // Where a call is a probe there is no other until `until`.
  probing(until) {
    if (this.breaker.open) this.keep({ ...this.breaker, restsUntil: until });
  }

  // Takes in what a call came to. What was blocked waits no longer once the account is not.
  note(verdict, now) {
    const breaker = noted(this.breaker, verdict, now);
    if (breaker === this.breaker) return;
    const released = this.blocked !== null && breaker.blocked === null;
    this.keep(breaker);
    if (released) this.write(store.RELEASE, now);
  }

  // When what is due at `due` may go, as far as the breaker, or the pace as well, can tell.
  rested(due) {
    return Math.max(due, this.breaker.restsUntil);
  }
  readyAt(due) {
    return Math.max(this.rested(due), this.pace.readyAt());
  }

  keep(breaker) {
    this.breaker = breaker;
    const { failures, blocked, restsUntil, open } = breaker;
    this.write(store.STORE_LANE, this.name, failures, blocked, restsUntil, open ? 1 : 0);
  }
}
