// Plays senders with the SDKs that they use. Standard input is a JSON array of requests; for each,
// one line of JSON is written. Keys are generated for one run.
import { sign } from "@octokit/webhooks-methods";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { createSign, generateKeyPairSync } from "node:crypto";
import { text } from "node:stream/consumers";
import * as standardWebhooks from "standardwebhooks";
import Stripe from "stripe";
import * as svix from "svix";

const names = (prefix) => ["id", "timestamp", "signature"].map((name) => `${prefix}-${name}`);

/** The headers of Standard Webhooks, signed by one of its two libraries. */
function standard(library, prefix, { secret, id, timestamp, body }) {
  const signature = new library.Webhook(secret).sign(id, new Date(timestamp * 1000), body);
  const [idName, timestampName, signatureName] = names(prefix);
  return { [idName]: id, [timestampName]: String(timestamp), [signatureName]: signature };
}

/** Whether a library accepts a message that the relay has signed. */
function verifies(library, { secret, headers, body }) {
  try {
    new library.Webhook(secret).verify(body, headers);
    return true;
  } catch (error) {
    if (error.constructor.name !== "WebhookVerificationError") throw error;
    return false;
  }
}

const kinds = {
  svix: (request) => ({ headers: standard(svix, "svix", request) }),
  "svix-unbranded": (request) => ({ headers: standard(svix, "webhook", request) }),
  standardwebhooks: (request) => ({ headers: standard(standardWebhooks, "webhook", request) }),

  stripe({ secret, timestamp, body }) {
    const value = { payload: body, secret, timestamp };
    return { headers: { "stripe-signature": Stripe.webhooks.generateTestHeaderString(value) } };
  },

  async octokit({ secret, body }) {
    return { headers: { "x-hub-signature-256": await sign(secret, body) } };
  },

  /** A token, and its key as jose, WebCrypto and OpenSSL write it. */
  async jose({ algorithm, kid, claims }) {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const header = { alg: algorithm, typ: "at+jwt", ...(kid && { kid }) };
    const token = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
    const exported = await crypto.subtle.exportKey("jwk", publicKey);
    const named = (jwk) => ({ ...jwk, ...(kid && { kid }) });
    return {
      token,
      jwk: named({ ...(await exportJWK(publicKey)), use: "sig", alg: algorithm }),
      webcrypto: named(exported),
      pem: await exportSPKI(publicKey),
    };
  },

  /** A token of an RSA key of any length, which jose does not make. */
  rsa({ bits, kid, claims }) {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const message = `${encode({ alg: "RS256", kid })}.${encode(claims)}`;
    const signature = createSign("sha256").update(message).sign(privateKey, "base64url");
    const jwk = { ...publicKey.export({ format: "jwk" }), kid };
    const padded = Buffer.concat([Buffer.alloc(160), Buffer.from(jwk.n, "base64url")]);
    const pem = publicKey.export({ type: "spki", format: "pem" });
    return { token: `${message}.${signature}`, jwk, pem, padded: padded.toString("base64url") };
  },

  "verify-svix": (request) => ({ verified: verifies(svix, request) }),
  "verify-standardwebhooks": (request) => ({ verified: verifies(standardWebhooks, request) }),
};

for (const request of JSON.parse(await text(process.stdin))) {
  console.log(JSON.stringify(await kinds[request.sdk](request)));
}
