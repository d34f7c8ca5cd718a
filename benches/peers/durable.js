// A peer of `cargo xtask bench`: durable delivery as one hand-written Worker with a SQLite Durable
// Object, as fast as WebCrypto and plain JavaScript allow. The Worker verifies and reads; the object
// of each vendor account stores its part, sends it, and says what came of it. The same bindings,
// vendor requests, receipts and log lines as the relay's for canonical webhooks. Left out are the
// other platforms and vendor calls, shards, the operator's routes, and the end of retention.

import { accepted, conclude, problem } from "./common/receipt.js";
import { receive } from "./common/webhook.js";

export { Lane } from "./durable/lane.js";

export default {
  async fetch(request, env) {
    if (request.url.endsWith("/rows-written")) return rowsWritten(env);
    const { answer, source, id, people, now } = await receive(request, env);
    if (answer !== undefined) return answer;
    let parts;
    try {
      parts = await Promise.all(
        source.vendors.map((vendor) =>
          env.LANES.getByName(vendor.name).deliver(vendor.name, source.name, id, now, vendor.plan(people)),
        ),
      );
    } catch (error) {
      console.error(JSON.stringify({ event: "internal", place: "a lane could not store its part", error: error.name }));
      return problem(503, "not-stored");
    }
    const first = Math.min(...parts.map((part) => part.receivedAt));
    return conclude(source.name, id, first, parts.flatMap((part) => part.deliveries), accepted);
  },
};

// For the bench alone: how many rows the objects have written since they started.
async function rowsWritten(env) {
  const objects = env.SOURCES.consent.vendors.map((name) => env.LANES.getByName(name).rowsWritten());
  const rows = await Promise.all(objects);
  return new Response(String(rows.reduce((one, other) => one + other, 0)));
}
