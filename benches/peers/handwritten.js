// A peer of `cargo xtask bench`: direct delivery as one hand-written Worker, as fast as WebCrypto
// and plain JavaScript allow. The same bindings, the same vendor requests, the same receipts and log
// lines as the relay's for canonical webhooks; the other platforms and signatures are left out.

import { conclude, problem, time } from "./common/receipt.js";
import { ask } from "./common/vendor.js";
import { receive } from "./common/webhook.js";

export default {
  async fetch(request, env) {
    const { answer, source, id, people, now } = await receive(request, env);
    if (answer !== undefined) return answer;
    const vendors = source.vendors;
    const deliveries =
      vendors.length === 1
        ? await deliver(vendors[0], people, now)
        : (await Promise.all(vendors.map((vendor) => deliver(vendor, people, now)))).flat();
    return conclude(source.name, id, now, deliveries, (receipt) => problem(503, "try-again", receipt));
  },
};

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
    } else {
      const { outcome, status, detail, trace, about } = await ask(vendor, person);
      delivery.outcome = outcome;
      if (status !== undefined) delivery.status = status;
      delivery.attempts = 1;
      if (detail !== undefined) delivery.detail = detail;
      if (trace !== undefined) delivery.trace = trace;
      if (about === "account") halted = outcome;
    }
    delivery.updated_at = time(Date.now());
  }
  return deliveries;
}
