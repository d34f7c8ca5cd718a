// Who waits for outcomes. One timer serves all who wait: the time is the same for each.

export class Waiters {
  // `outlasts` is told of each job under way that somebody no longer waits for.
  constructor(within, outlasts) {
    this.within = within;
    this.outlasts = outlasts;
    // The longest waiting first.
    this.all = new Set();
    this.watching = false;
  }

  // Waits until every job has told its outcome, or for the time that was set.
  wait(jobs) {
    return new Promise((resolve) => {
      const waiter = { jobs, left: jobs.length, resolve, until: Date.now() + this.within };
      for (const job of jobs) job.waiters.push(waiter);
      this.all.add(waiter);
      if (!this.watching) this.watch();
    });
  }

  // A job has come to something.
  tell(job) {
    for (const waiter of job.waiters) {
      waiter.left -= 1;
      if (waiter.left > 0) continue;
      this.all.delete(waiter);
      waiter.resolve();
    }
    job.waiters.length = 0;
  }

  async watch() {
    this.watching = true;
    for (const waiter of this.all) {
      const rest = waiter.until - Date.now();
      if (rest > 0) await scheduler.wait(rest);
      // It may have been told meanwhile.
      if (!this.all.delete(waiter)) continue;
      for (const job of waiter.jobs) if (job.verdict === undefined) this.outlasts(job);
      waiter.resolve();
    }
    this.watching = false;
  }
}
