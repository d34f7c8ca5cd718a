// The generic cell rate algorithm with the relay's figures: no window of the pace's length holds more
// calls than it allows. Times are in microseconds.

export class Pace {
  constructor({ calls, per_seconds: seconds }, steadyAt) {
    const burst = Math.floor((calls * 16) / 1000) + 1;
    this.interval = Math.floor((seconds * 1.03e6) / (calls - burst + 1)) + 1;
    this.burst = (burst - 1) * this.interval;
    this.slack = seconds * 30;
    // When the flow would be steady again: all that must be remembered.
    this.steadyAt = steadyAt;
  }

  // When the next call may be made, in milliseconds.
  readyAt() {
    return Math.ceil((this.steadyAt - this.burst) / 1000);
  }

  // Takes one call's part, where it may be made at `now`.
  take(now) {
    const micros = now * 1000;
    // After a clock that went backwards the bucket is at most empty.
    this.steadyAt = Math.min(this.steadyAt, micros + this.burst + this.interval);
    if (this.readyAt() > now) return false;
    this.steadyAt = Math.max(this.steadyAt, micros) + this.interval;
    return true;
  }
}
