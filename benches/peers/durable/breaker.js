// Whether the account may be called at all: the relay's rules with the figures that it ships. Times
// are in milliseconds.

const FAILURES = 5;
const PROBE = 300_000;
const FIRST_PAUSE = 30_000;
const LONGEST_PAUSE = 3_600_000;

export const CLOSED = { failures: 0, blocked: null, restsUntil: 0, open: false };

// The pause after so many failures: exponential, with full jitter.
export function pause(failures, longest = LONGEST_PAUSE) {
  return Math.floor(Math.min(FIRST_PAUSE * 2 ** (failures - 1), longest) * Math.random());
}

// How many calls may go now.
export function leave({ restsUntil, open }, now) {
  if (now < restsUntil) return 0;
  return open ? 1 : Infinity;
}

// The breaker after one more verdict; the same object where nothing has changed.
export function noted(breaker, { about, outcome, detail, retryAfter }, now) {
  const refused = outcome === "blocked";
  const asked = breaker.open ? 0 : breaker.restsUntil;
  if (about === "call") {
    if (refused) return breaker;
    if (outcome !== "scheduled") {
      const clean = breaker.failures === 0 && breaker.blocked === null && !breaker.open;
      return clean ? breaker : { ...CLOSED, restsUntil: asked };
    }
  }
  if (about === "account") {
    return refused
      ? { ...breaker, blocked: detail ?? "refused", restsUntil: Math.max(now + PROBE, asked), open: true }
      : { ...CLOSED, restsUntil: Math.max(now + (retryAfter ?? FIRST_PAUSE), asked) };
  }
  const failures = breaker.failures + 1;
  if (failures < FAILURES) return { ...breaker, failures };
  const restsUntil = Math.max(now + pause(failures - FAILURES + 1, PROBE), asked);
  return { ...breaker, failures, restsUntil, open: true };
}

// When a call that is not final is made again.
export function nextAttempt({ about, outcome, retryAfter }, failures, now) {
  // The breaker holds what waits for the account.
  if (outcome === "blocked") return about === "account" ? now : now + LONGEST_PAUSE;
  return now + Math.max(pause(failures), retryAfter ?? 0);
}
