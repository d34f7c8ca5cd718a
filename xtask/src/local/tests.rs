use send::Person;
use send::configured::Platform;

use super::*;
use crate::configuration::tests::documented;
use crate::webhook::now;

fn person() -> Person {
    Person {
        user_id: Some("700101".into()),
        email: Some("person@example.com".into()),
        phone_number: Some("+14155550101".into()),
        account_type: None,
    }
}

/// Every source of `local` is played, and what it sends is an erasure of the person by its settings.
fn play(local: &Local) -> usize {
    for source in &local.config.sources {
        let platform = Platform::of(&local.config, &local.vars, &source.name).unwrap();
        let url = format!("http://127.0.0.1:1/webhooks/{}", source.name);
        let body = platform.sample("1f2e3d4c", &person(), now()).unwrap();
        let sent = platform
            .message(body.to_string().as_bytes(), "1f2e3d4c", &url, now(), None, &local.credentials)
            .unwrap_or_else(|error| panic!("{}: {error:#}", source.name));
        let erasure = sent.erasure.unwrap_or_else(|| panic!("{} reads no erasure", source.name));
        assert!(erasure.subject.identifiers().next().is_some(), "{}", source.name);
    }
    local.config.sources.len()
}

#[tokio::test]
async fn every_documented_source_can_be_played() {
    let mut played = 0;
    for vars in documented() {
        played += play(&Local::of(vars, true).await.unwrap());
    }
    assert!(played > 16, "{played}");
}

#[tokio::test]
async fn any_account_has_a_stand_in_with_its_own_settings() {
    let vars = json!({
        "SOURCES": { "shop": { "platform": "shopify", "secrets": ["SHOP", "SHOP_PREVIOUS"] } },
        "VENDORS": {
            "grocer": { "api": "instacart-connect", "jurisdiction": "eu", "retailer_id": "7",
                "auth": { "client_id": "ID", "client_secret": "SECRET",
                          "second": { "client_id": "ID_2", "client_secret": "SECRET_2" } } },
            "other-brand": { "api": "insider", "partner_name": "otherbrand", "erase": "profile",
                "base_url": "https://unification.useinsider.com", "auth": { "token": "OTHER" } },
        },
    });
    let local = Local::of(vars, true).await.unwrap();
    play(&local);
    let names: Vec<&str> = local.credentials.secrets.keys().map(String::as_str).collect();
    let expected = [
        "ADMIN_TOKEN",
        "ID",
        "ID_2",
        "OTHER",
        "PSEUDONYM_KEY",
        "RECEIPT_SECRET",
        "RECEIPT_SIGNING_KEY",
        "SECRET",
        "SECRET_2",
        "SHOP",
        "SHOP_PREVIOUS",
    ];
    assert_eq!(names, expected);
    for vendor in &local.vendors {
        let url = local.vars["VENDORS"][&vendor.name]["base_url"].as_str().unwrap();
        assert_eq!(url, vendor.stand_in.base_url(), "{}", vendor.name);
    }
    assert!(local.vars["VENDORS"]["grocer"].get("jurisdiction").is_none());
    assert!(local.notes[0].contains("jurisdiction"), "{:?}", local.notes);
    let different = local.credentials.secrets.values().collect::<std::collections::HashSet<_>>();
    assert_eq!(different.len(), expected.len());
}

#[tokio::test]
async fn a_secret_fits_every_source_that_names_it() {
    let source = |signature: Value| {
        json!({ "platform": "custom", "signature": signature, "secrets": ["ONE"], "erasure": "always",
            "identifiers": { "email": "/to/0/email" }, "shared_secrets": "accept" })
    };
    let mut base64 = json!({ "hmac": "sha256", "header": "x-signature", "secret": "base64" });
    base64["prefix"] = json!("v1=");
    let vendors = json!({ "insider": { "api": "insider", "partner_name": "b", "erase": "identity",
        "auth": { "token": "T" } } });
    let sources = json!({ "a": source(json!("svix")), "b": source(json!("github")),
        "c": source(base64) });
    let local = Local::of(json!({ "SOURCES": sources, "VENDORS": vendors }), true).await.unwrap();
    assert_eq!(play(&local), 3);
}

#[tokio::test]
async fn what_needs_a_key_of_the_operators_is_left_out() {
    let vendors = json!({ "insider": { "api": "insider", "partner_name": "b", "erase": "identity",
        "auth": { "token": "T" } } });
    let sources = json!({
        "ddrf": { "platform": "iab-ddrf", "issuers": { "a.example": "https://a.example/k.json" },
            "acknowledgement": { "issuer": "b.example", "key": "DDRF_KEY", "key_id": "k" } },
        "dsr": { "platform": "opendsr", "signature": { "token": "x-key" }, "secrets": ["DSR_TOKEN"],
            "callback": { "hosts": ["c.example"], "domain": "b.example", "key": "DSR_KEY",
                "certificate": "-----BEGIN CERTIFICATE-----" } },
    });
    let local = Local::of(json!({ "SOURCES": sources, "VENDORS": vendors }), true).await.unwrap();
    assert!(local.vars["SOURCES"]["ddrf"].get("acknowledgement").is_none());
    assert!(local.vars["SOURCES"]["dsr"].get("callback").is_none());
    assert!(local.notes.iter().any(|note| note.starts_with("ddrf: ")), "{:?}", local.notes);
    for name in ["DDRF_KEY", "DSR_KEY"] {
        assert!(!local.credentials.secrets.contains_key(name), "{name}");
    }
}

#[test]
fn delivery_is_durable_where_the_lanes_are_bound() {
    let bound = json!({ "durable_objects": { "bindings": [{ "name": "LANES" }] } });
    let mut direct = bound.clone();
    direct["vars"] = json!({ "DELIVERY": "direct" });
    let durable = delivers_durably;
    assert!(durable(&bound) && !durable(&direct) && !durable(&json!({})));
}

#[tokio::test]
async fn callbacks_and_alerts_go_to_stand_ins() {
    let vars = json!({
        "SOURCES": { "desk": { "platform": "custom", "secrets": ["DESK"], "request_id": "/id",
            "signature": { "token": "x-key" }, "erasure": "always",
            "identifiers": { "email": "/email" },
            "callback": { "kind": "osano", "secret": "OSANO", "action_item_id": "/item" } } },
        "VENDORS": { "insider": { "api": "insider", "partner_name": "b", "erase": "profile",
            "auth": { "token": "T" } } },
        "ALERTS": { "url": "https://hooks.example.com/relay", "secret": "ALERTS_SECRET" },
    });
    let local = Local::of(vars.clone(), true).await.unwrap();
    let [platform, operator] = &local.recipients[..] else { panic!("two") };
    let url = local.vars["SOURCES"]["desk"]["callback"]["base_url"].as_str().unwrap();
    assert_eq!(url, platform.stand_in.url(""));
    assert_eq!(local.vars["ALERTS"]["url"], operator.stand_in.url("/alerts"));
    assert!(local.credentials.secret("ALERTS_SECRET").unwrap().starts_with("whsec_"));
    assert_eq!(local.credentials.secret("OSANO").unwrap(), standin::platform::OSANO_KEY);
    let platform = Platform::of(&local.config, &local.vars, "desk").unwrap();
    let body = platform.sample("1f2e3d4c", &person(), now()).unwrap();
    assert_eq!(body["item"], send::configured::item_id("1f2e3d4c"));
    // Where the real platform is told, nothing is made up.
    let config = configured::read(&vars).unwrap();
    let real = Platform::of(&config, &vars, "desk").unwrap();
    assert!(real.sample("1f2e3d4c", &person(), now()).unwrap().get("item").is_none());
    let direct = Local::of(vars, false).await.unwrap();
    assert!(direct.recipients.is_empty() && direct.vars.get("ALERTS").is_none());
    assert!(direct.notes.iter().any(|note| note.contains("without its callback, in direct")));
}
