// A peer of `cargo xtask bench`: the job as most people would write it, with Hono and the reference
// library of Standard Webhooks.

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { Webhook } from "standardwebhooks";

const app = new Hono();

app.post("/webhooks/:source", async (c) => {
  const name = c.req.param("source");
  const source = c.env.SOURCES[name];
  if (!source) throw new HTTPException(404);

  const payload = await c.req.text();
  const headers = c.req.header();
  let event;
  for (const secret of source.secrets) {
    if (!c.env[secret]) continue;
    try {
      event = new Webhook(c.env[secret]).verify(payload, headers);
      break;
    } catch (error) {
      console.warn(JSON.stringify({ event: "refused", source: name, reason: error.message }));
    }
  }
  if (!event) throw new HTTPException(401);
  if (event.type !== "privacy.erasure.requested") return c.body(null, 204);

  const { request_id, subject } = event.data;
  const { partner_name, base_url, auth } = c.env.VENDORS.insider;
  const response = await fetch(`${base_url}/api/user/v1/identity`, {
    method: "DELETE",
    headers: {
      "X-PARTNER-NAME": partner_name,
      "X-REQUEST-TOKEN": c.env[auth.token],
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ identifiers: { email: subject.email } }),
    redirect: "manual",
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new HTTPException(503);
  await response.json();

  const now = new Date().toISOString();
  const deliveries = [
    {
      vendor: "insider",
      call: "identity",
      identifier: "email",
      outcome: "accepted",
      status: response.status,
      attempts: 1,
      detail: "this identifier only; the profile stays",
      updated_at: now,
    },
  ];
  const receipt = { request_id, source: name, state: "done", received_at: now, deliveries };
  console.log(JSON.stringify({ event: "erasure", ...receipt }));
  return c.json(receipt);
});

export default app;
