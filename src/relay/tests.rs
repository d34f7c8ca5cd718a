use super::*;
use secrecy::ExposeSecret;

use crate::delivery::alert::ACCOUNT;
use crate::json::Json;
use crate::keys::PSEUDONYM_KEY;

const SOURCES: &str = r#"{"consent":{"platform":"standard-webhooks","secrets":["A","B"]}}"#;
const VENDORS: &str = r#"{
    "insider": {"api":"insider","partner_name":"mybrand","erase":"identity","auth":{"token":"INSIDER_TOKEN"}}}"#;
const GOOD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn assemble(secrets: &[(&str, &str)]) -> Result<Relay, Vec<String>> {
    let [sources, vendors] = [SOURCES, VENDORS].map(|text| Json::parse(text.as_bytes()).unwrap());
    let config = Config::parse(&sources, &vendors).ok().unwrap();
    let names = Relay::secret_names(&config, false);
    assert_eq!(names, [Keys::names(false), &["A", "B", "INSIDER_TOKEN"]].concat());
    let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
    Relay::assemble(config, &secrets.collect(), false)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_first_secret_is_needed_and_a_previous_one_is_not() {
    let relay = assemble(&[("A", GOOD), ("INSIDER_TOKEN", "t0ken\n")]).ok().unwrap();
    assert_eq!(relay.unset, [&["B"], Keys::names(false)].concat());
    let (_, Credential::Token(token)) = &relay.accounts[0] else { panic!("a token") };
    assert_eq!(token.expose_secret(), "t0ken");
    let problems = assemble(&[("B", GOOD)]).err().unwrap();
    assert_eq!(
        problems,
        [
            "SOURCES.consent.secrets[0]: the secret A is not set",
            "VENDORS.insider.auth.token: the secret INSIDER_TOKEN is not set",
        ]
    );
}

#[test]
fn wrong_settings_do_not_hide_missing_secrets() {
    let sources = SOURCES.replace("}}", r#","tolerance":1}}"#);
    let vendors = VENDORS.replace("mybrand", "MyBrand");
    let json = [&sources, &vendors].map(|text| Json::parse(text.as_bytes()).unwrap());
    let (config, findings) = Config::read(&json[0], &json[1]);
    let problems = Relay::complete(config, findings, &Secrets::new(), true).err().unwrap();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let key = "PSEUDONYM_KEY: the secret must be set for durable delivery: identifiers are \
               stored sealed with it";
    assert_eq!(
        problems,
        [
            "VENDORS.insider.partner_name: must be lowercase",
            "SOURCES.consent.tolerance: is not a known setting",
            "VENDORS.insider.auth.token: the secret INSIDER_TOKEN is not set",
            "SOURCES.consent.secrets[0]: the secret A is not set",
            key,
        ]
    );
}

#[test]
fn unusable_secrets_are_named_and_never_shown() {
    let problems = assemble(&[
        ("A", "whsec_"),
        ("B", "not base64"),
        ("INSIDER_TOKEN", "two words"),
        (PSEUDONYM_KEY, "short"),
    ]);
    assert_eq!(
        problems.err().unwrap(),
        [
            "SOURCES.consent.secrets[0]: the secret A must hold at least 16 random bytes",
            "SOURCES.consent.secrets[1]: the secret B must be whsec_ followed by base64",
            "VENDORS.insider.auth.token: the secret INSIDER_TOKEN must be visible characters",
            "PSEUDONYM_KEY: must have at least 16 bytes",
        ]
    );
}

/// Two names do not make two secrets.
#[test]
fn two_sources_do_not_share_a_value_unless_both_say_so() {
    let assemble = |settings: &str, values: [&str; 2]| {
        let source = |secret: &str| {
            format!(r#"{{"platform":"standard-webhooks","secrets":["{secret}"]{settings}}}"#)
        };
        let sources = format!(r#"{{"one":{},"two":{}}}"#, source("A"), source("B"));
        let json = [sources.as_str(), VENDORS].map(|text| Json::parse(text.as_bytes()).unwrap());
        let config = Config::parse(&json[0], &json[1]).ok().unwrap();
        let [one, two] = values;
        let secrets = [("A", one), ("B", two), ("INSIDER_TOKEN", "t0ken")];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.into()));
        let relay = Relay::assemble(config, &secrets.into(), false);
        relay.map(drop).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    };
    let shared = "SOURCES.two.secrets[0]: the secret B is also A of the source one, so each \
                  would accept the messages of the other: use two secrets, or set \
                  shared_secrets = \"accept\" on both";
    let bare = GOOD.trim_start_matches("whsec_");
    for other in [GOOD.to_owned(), format!("{GOOD}\n"), bare.to_owned(), format!(" {bare}")] {
        let problems: Vec<String> = assemble("", [GOOD, &other]).unwrap_err();
        assert_eq!(problems, [shared], "{other}");
    }
    let padded = ["whsec_AAAAAAAAAAAAAAAAAAAAAA==", "whsec_AAAAAAAAAAAAAAAAAAAAAA"];
    assert_eq!(assemble("", padded).unwrap_err(), [shared]);
    assert_eq!(assemble(r#","shared_secrets":"accept""#, [GOOD, GOOD]), Ok(()));
    assert_eq!(assemble("", [GOOD, "whsec_AAAAAAAAAAAAAAAAAAAAAAAA"]), Ok(()));
}

#[test]
fn a_byte_order_mark_is_named_and_the_secret_is_not_shown() {
    let secret = format!("\u{feff}{GOOD}");
    let problems = assemble(&[("A", &secret), ("INSIDER_TOKEN", "t0ken")]).err().unwrap();
    assert_eq!(
        problems,
        ["SOURCES.consent.secrets[0]: the secret A has an invisible character, such as a byte \
         order mark, a zero-width space or a line's end within it: set it again without"]
    );
}

#[test]
fn alerts_need_a_url_that_may_be_called_and_a_secret_that_signs() {
    let assemble = |alerts: &str, secrets: &[(&str, &str)]| {
        let json = [SOURCES, VENDORS, alerts].map(|text| Json::parse(text.as_bytes()).unwrap());
        let (mut config, findings) = Config::read(&json[0], &json[1]);
        config.alerts = Alerts::read(&json[2], true, &findings);
        let names = Relay::secret_names(&config, false);
        assert!(names.ends_with(&["ALERTS_URL", "ALERTS_SECRET"]), "{names:?}");
        let all = [("A", GOOD), ("INSIDER_TOKEN", "t0ken")];
        let all = all.iter().chain(secrets);
        let all = all.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let relay = Relay::assemble(config, &all, false);
        relay.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let alerts = r#"{"url_secret":"ALERTS_URL","secret":"ALERTS_SECRET"}"#;
    let url = "https://hooks.example.com/services/a/b\n";
    let relay = assemble(alerts, &[("ALERTS_URL", url), ("ALERTS_SECRET", GOOD)]).ok().unwrap();
    let (account, Credential::Token(secret)) = relay.alerts.unwrap() else { panic!("a token") };
    assert_eq!((account.name.as_str(), secret.expose_secret()), (ACCOUNT, GOOD));
    let bad = [("ALERTS_URL", "https://10.0.0.1/secret-path"), ("ALERTS_SECRET", "no whsec")];
    let problems = assemble(alerts, &bad).err().unwrap().join(" ");
    assert!(problems.contains("ALERTS.url_secret: the secret ALERTS_URL must be an https URL"));
    assert!(problems.contains("ALERTS.secret: the secret ALERTS_SECRET must be "), "{problems}");
    assert!(!problems.contains("secret-path"), "{problems}");
    let problems = assemble(alerts, &[]).err().unwrap();
    assert_eq!(
        problems,
        [
            "ALERTS.url_secret: the secret ALERTS_URL is not set",
            "ALERTS.secret: the secret ALERTS_SECRET is not set",
        ]
    );
}

#[test]
fn a_private_key_is_the_certificates() {
    const KEY: &str = include_str!("../../tests/keys/rsa-2048.pem");
    let certificate = include_str!("../../standin/src/platform/opendsr/certificate.pem");
    let sources = serde_json::json!({
        "dsr": {
            "platform": "opendsr", "signature": { "token": "x-key" }, "secrets": ["A"],
            "callback": { "hosts": ["controller.example"], "domain": "opendsr.relay.example",
                          "key": "KEY", "certificate": certificate },
        },
        "ddrf": {
            "platform": "iab-ddrf",
            "issuers": { "a.example": "https://a.example/dsrdelete.json" },
            "acknowledgement": { "issuer": "b.example", "key": "KEY", "key_id": "k" },
        },
    });
    let sources = sources.to_string();
    let assemble = |key: Option<&str>| {
        let json = [sources.as_str(), VENDORS].map(|text| Json::parse(text.as_bytes()).unwrap());
        let config = Config::parse(&json[0], &json[1]).ok().unwrap();
        assert_eq!(
            Relay::secret_names(&config, false)[Keys::names(false).len()..],
            ["KEY", "A", "INSIDER_TOKEN", "KEY"]
        );
        let secrets = [("A", GOOD), ("INSIDER_TOKEN", "t0ken")].into_iter();
        let secrets = secrets.chain(key.map(|key| ("KEY", key)));
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.into()));
        let relay = Relay::assemble(config, &secrets.collect(), false);
        relay.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let relay = assemble(Some(KEY)).ok().unwrap();
    assert!(matches!(relay.callbacks[0].1, Credential::PrivateKey(_)));
    assert_eq!(relay.acknowledgement_keys.len(), 1);
    let problems = |key: Option<&str>| assemble(key).err().unwrap();
    let at = ["SOURCES.ddrf.acknowledgement.key", "SOURCES.dsr.callback.key"];
    let not_set = at.map(|path| format!("{path}: the secret KEY is not set"));
    assert_eq!(problems(None), not_set);
    let bad = problems(Some(GOOD));
    assert!(bad.iter().zip(at).all(|(problem, path)| {
        problem.starts_with(&format!("{path}: the secret KEY must be one private key"))
    }));
    let other = send::PrivateKey::generate_pem("ES256").unwrap();
    assert_eq!(
        problems(Some(&other)),
        ["SOURCES.dsr.callback.key: the secret KEY is not the key of the certificate"]
    );
}

#[test]
fn a_second_client_may_be_unset() {
    let vendors = r#"{"instacart":{"api":"instacart-connect","auth":{
        "client_id":"ID","client_secret":"SECRET",
        "second":{"client_id":"ID_2","client_secret":"SECRET_2"}}}}"#;
    let assemble = |secrets: &[&str]| {
        let json = [SOURCES, vendors].map(|text| Json::parse(text.as_bytes()).unwrap());
        let config = Config::parse(&json[0], &json[1]).ok().unwrap();
        let secrets = secrets.iter().map(|name| ((*name).to_owned(), GOOD.into()));
        Relay::assemble(config, &secrets.collect(), false)
    };
    let clients = |relay: &Relay| match &relay.accounts[0].1 {
        Credential::Clients(_, clients) => clients.len(),
        Credential::Token(_) | Credential::TokenAndHeader(..) | Credential::PrivateKey(_) => 0,
    };
    assert_eq!(clients(&assemble(&["A", "ID", "SECRET"]).ok().unwrap()), 1);
    let both = assemble(&["A", "ID", "SECRET", "ID_2", "SECRET_2"]).ok().unwrap();
    assert_eq!(clients(&both), 2);
    let problems = assemble(&["A", "ID"]).err().unwrap();
    let path = "VENDORS.instacart.auth.client_secret: the secret SECRET is not set";
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [path]);
}
