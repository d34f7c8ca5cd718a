//! IAB's acknowledgement: the answer to a request as a signed token, verified by a library that is not
//! the relay's.

use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use libtest_mimic::Trial;
use send::PrivateKey;
use serde_json::{Value, json};
use standin::platform::Acknowledged;
use standin::{Answer, KeyServer, Resource};
use xtask::demo::Vendors;
use xtask::webhook::{Reply, now, send};
use xtask::workerd::{Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![world.trial("iab: the answer is an acknowledgement with the operator's key", answers)]
}

/// The issuer of the requests.
const REQUESTER: &str = "first.example";

/// The issuer of the acknowledgements.
const RECIPIENT: &str = "relay.example";

struct Relay {
    vendors: Vendors,
    requester: PrivateKey,
    /// What the recipient publishes.
    dsrdelete: Value,
    worker: Workerd,
    _keys: KeyServer,
    _storage: Storage,
}

impl Relay {
    /// Three sources: their acknowledgements are signed with an RSA key, with a P-256 key, and not.
    async fn start(world: &World) -> Result<Self> {
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let (server, requester) = (KeyServer::start().await?, PrivateKey::generate("ES256")?);
        let document = json!({ "publicKey": [requester.jwk()] }).to_string();
        server.put("/dsrdelete.json", Resource::Public(document));
        let p256 = PrivateKey::generate_pem("ES256")?;
        let rsa = include_str!("../keys/rsa-2048.pem");
        let published = [("ec", p256.as_str()), ("rsa", rsa)]
            .map(|(id, pem)| PrivateKey::parse(pem).map(|key| key.named(id).jwk()));
        let dsrdelete = json!({ "publicKey": published.into_iter().collect::<Result<Vec<_>>>()? });
        let one_line = |pem: &str| pem.trim().replace('\n', "\\n");
        let mut deployment = vendors
            .deployment()?
            .secret("ADMIN_TOKEN", ADMIN_TOKEN)
            .secret("EC_KEY", &one_line(&p256))
            .secret("RSA_KEY", &one_line(rsa));
        let acknowledgement =
            |key: &str, id: &str| json!({ "issuer": RECIPIENT, "key": key, "key_id": id });
        deployment.vars["SOURCES"] = json!({});
        for (name, acknowledgement) in [
            ("rsa", Some(acknowledgement("RSA_KEY", "rsa"))),
            ("ec", Some(acknowledgement("EC_KEY", "ec"))),
            ("unsigned", None),
        ] {
            let mut source = json!({
                "platform": "iab-ddrf",
                "issuers": { REQUESTER: server.url("/dsrdelete.json") },
                "vendors": ["insider"],
            });
            if let Some(acknowledgement) = acknowledgement {
                source["acknowledgement"] = acknowledgement;
            }
            deployment.vars["SOURCES"][name] = source;
        }
        let World { toolchain, bundle, .. } = world;
        let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
        Ok(Self { vendors, requester, dsrdelete, worker, _keys: server, _storage: storage })
    }

    /// A request about this identifier, issued at a time, signed with `key`.
    fn request(&self, id: &str, sub: &Value, issued_at: i64, key: &PrivateKey) -> Result<String> {
        let claims = json!({ "version": "1.0", "iss": REQUESTER, "sub": sub, "iat": issued_at });
        let mut inner = claims.clone();
        inner["jti"] = json!(format!("{id}-inner"));
        let mut outer = claims;
        outer["jti"] = json!(id);
        outer["idJWT"] = json!(key.jwt(&inner)?);
        key.jwt(&outer)
    }

    async fn post(&self, source: &str, body: &str) -> Result<Reply> {
        let url = self.worker.url(&format!("/webhooks/{source}"));
        let headers = [("content-type".to_owned(), "application/jwt".to_owned())];
        send("POST", &url, &headers, body.to_owned()).await
    }

    /// The claims of the acknowledgement of a request, verified.
    fn claims(&self, request: &str, reply: &Reply) -> Result<Value> {
        let status = reply.status.as_u16();
        let content_type = reply.header("content-type");
        let answer = Acknowledged { status, content_type, body: &reply.text };
        let claims = answer.claims(request, RECIPIENT, &self.dsrdelete);
        claims.map_err(|what| anyhow!("{what}: {reply:?} {}", self.worker.log()))
    }
}

async fn answers(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let stranger = PrivateKey::generate("ES256")?;
    let mut ids = Vec::new();
    for source in ["rsa", "ec", "unsigned"] {
        let sub = |kind: &str, format: &str, value: &str| json!({ "identifierType": kind, "identifierFormat": format, "identifierValue": value });
        let person = |name: &str| Person::new(&format!("iab-{source}-{name}"));
        let (taken, rejected) = (person("taken"), person("rejected"));
        relay.vendors.insider.script(&rejected.email, [Answer::status(422)]);
        let hash = "28f6dc889e5b4f0a9d1c2b3a4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2";
        let fresh = now();
        for (name, id, sub, issued_at, code) in [
            ("taken", &taken.request_id, sub("email", "raw", &taken.email), fresh, 0),
            // What became of it is nothing that the framework has a word for.
            ("rejected", &rejected.request_id, sub("email", "raw", &rejected.email), fresh, 0),
            ("type", &person("type").request_id, sub("idfa", "raw", "1"), fresh, 4),
            ("hashed", &person("hashed").request_id, sub("email", "sha256", hash), fresh, 5),
            ("malformed", &person("malformed").request_id, sub("phone", "raw", "+1"), fresh, 5),
            ("old", &person("old").request_id, sub("email", "raw", &taken.email), fresh - 900, 6),
            ("new", &person("new").request_id, sub("email", "raw", &taken.email), fresh + 900, 6),
        ] {
            let request = relay.request(id, &sub, issued_at, &relay.requester)?;
            for body in [request.clone(), json!({ "rqJWT": request }).to_string()] {
                let reply = relay.post(source, &body).await?;
                if source == "unsigned" {
                    let expected = json!({ "version": "1.0", "raResultCode": code });
                    ensure!(reply.json() == expected, "{name}: {reply:?}");
                    let status = if code == 0 { 202 } else { 400 };
                    ensure!(reply.status == status, "{name}: {reply:?}");
                    continue;
                }
                let claims = relay.claims(&request, &reply)?;
                ensure!(claims["raResultCode"] == code, "{source} {name}: {claims}");
                let has_text = claims.get("raResultString").is_some();
                ensure!(has_text == (code != 0), "{source} {name}: {claims}");
                let age = now() - claims["iat"].as_i64().unwrap_or_default();
                ensure!((0..60).contains(&age), "{source} {name}: {claims}");
                ids.push(claims["jti"].to_string());
            }
            // Whatever a stranger signs is answered as everything that is nobody's.
            let request = relay.request(id, &sub, issued_at, &stranger)?;
            let reply = relay.post(source, &request).await?;
            ensure!(reply.status == 401, "{source} {name}: {reply:?}");
            ensure!(reply.json()["type"] == "not-authentic", "{source} {name}: {reply:?}");
        }
        let url = relay.worker.url(&format!("/erasures/{source}/{}", rejected.request_id));
        let receipt = send("GET", &url, &authorized(), "").await?.json();
        ensure!(receipt["deliveries"][0]["outcome"] == "rejected", "{receipt}");
    }
    let all = ids.len();
    ids.sort();
    ids.dedup();
    ensure!(ids.len() == all && all == 28, "an acknowledgement's id is used twice");
    Ok(())
}
