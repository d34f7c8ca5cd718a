//! Every preset by the same rules, and Standard Webhooks' own cases one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use secrecy::SecretString;

use super::layout::Part;
use super::scheme::Scheme;
use super::sign::Outgoing;
use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NOW: i64 = 1_795_325_400;
const URL: &str = "https://relay.example/webhooks/shop?a=b";

type Map = BTreeMap<String, String>;

fn sign_as(scheme: &Scheme, secret: &str, body: &[u8]) -> Map {
    let message = Outgoing { id: "msg_1", timestamp: NOW, method: "POST", url: URL, body };
    scheme.sign(&secret.into(), &message).unwrap().into_iter().collect()
}

fn verify_as(scheme: &Scheme, headers: &Map, body: &[u8], now: i64) -> Result<(), Refusal> {
    verify_at(scheme, headers, "POST", URL, body, now)
}

fn verify_at(
    scheme: &Scheme,
    headers: &Map,
    method: &str,
    url: &str,
    body: &[u8],
    now: i64,
) -> Result<(), Refusal> {
    let mechanism = Mechanism::Hmac(scheme.clone());
    let secrets = [OTHER, SECRET].map(SecretString::from);
    let verifier = Verifier::new(&mechanism, &secrets, DEFAULT_TOLERANCE);
    let get = |name: &str| headers.get(name).cloned();
    let message = Incoming { method, url, headers: &get, body };
    testing::now(verifier.verify(&message, now, &testing::Published::default())).map(drop)
}

fn all() -> impl Iterator<Item = (&'static str, Scheme)> {
    presets::ALL.iter().map(|(name, make)| (*name, make()))
}

#[test]
fn every_preset_accepts_what_was_signed_and_nothing_else() {
    for (name, scheme) in all() {
        let headers = sign_as(&scheme, SECRET, b"{}");
        assert_eq!(verify_as(&scheme, &headers, b"{}", NOW), Ok(()), "{name}");
        assert!(verify_as(&scheme, &headers, b"{} ", NOW).is_err(), "{name}");
        assert!(verify_as(&scheme, &headers, b"", NOW).is_err(), "{name}");
        let strange = sign_as(&scheme, "whsec_c29tZSBvdGhlciBzZWNyZXQgb2Ygc29tZW9uZQ==", b"{}");
        assert_eq!(verify_as(&scheme, &strange, b"{}", NOW), Err(Refusal::Mismatch), "{name}");
    }
}

#[test]
fn every_preset_refuses_a_header_that_is_missing_empty_or_repeated() {
    for (name, scheme) in all() {
        let good = sign_as(&scheme, SECRET, b"{}");
        for header in good.keys() {
            let mut headers = good.clone();
            headers.remove(header);
            let missing = Err(Refusal::MissingHeader(header.clone().into()));
            assert_eq!(verify_as(&scheme, &headers, b"{}", NOW), missing, "{name}");
            headers.insert(header.clone(), String::new());
            assert_eq!(verify_as(&scheme, &headers, b"{}", NOW), missing, "{name}");
            // As the runtime joins two headers of one name.
            let twice = format!("{0}, {0}", good[header]);
            headers.insert(header.clone(), twice);
            assert!(verify_as(&scheme, &headers, b"{}", NOW).is_err(), "{name}: {header} twice");
        }
    }
}

#[test]
fn every_preset_with_a_time_keeps_the_tolerance_to_the_second() {
    let mut timed = Vec::new();
    for (name, scheme) in all().filter(|(_, scheme)| scheme.layout.has_timestamp()) {
        timed.push(name);
        let headers = sign_as(&scheme, SECRET, b"{}");
        assert_eq!(verify_as(&scheme, &headers, b"{}", NOW + 300), Ok(()), "{name}");
        assert_eq!(verify_as(&scheme, &headers, b"{}", NOW - 300), Ok(()), "{name}");
        let late = verify_as(&scheme, &headers, b"{}", NOW + 301);
        assert_eq!(late, Err(Refusal::TooOld), "{name}");
        let early = verify_as(&scheme, &headers, b"{}", NOW - 301);
        assert_eq!(early, Err(Refusal::InTheFuture), "{name}");
    }
    assert_eq!(timed, ["datagrail", "hubspot", "slack", "standard-webhooks", "stripe", "svix"]);
}

#[test]
fn a_signature_of_another_length_or_version_is_refused() {
    for (name, scheme) in all() {
        let good = sign_as(&scheme, SECRET, b"{}");
        let header = scheme.layout.names.signature.to_string();
        let with = |value: String| {
            let mut headers = good.clone();
            headers.insert(header.clone(), value);
            verify_as(&scheme, &headers, b"{}", NOW)
        };
        let signature = &good[&header];
        for changed in [&signature[..signature.len() - 4], &format!("{signature}AAAA")] {
            assert_eq!(with(changed.to_owned()), Err(Refusal::Mismatch), "{name}");
        }
        let prefix = scheme.layout.prefix.as_ref();
        if !prefix.is_empty() && !scheme.layout.bare {
            let (version, mark) = prefix.split_at(prefix.len() - 1);
            let relabelled = signature.replace(prefix, &format!("x{version}{mark}"));
            assert_eq!(with(relabelled), Err(Refusal::UnknownVersion), "{name}");
            let unlabelled = with(signature.replace(prefix, mark));
            assert_eq!(unlabelled, Err(Refusal::MalformedSignature), "{name}");
        }
    }
}

#[test]
fn method_and_url_are_covered_where_they_are_signed() {
    let hubspot = all().find(|(name, _)| *name == "hubspot").unwrap().1;
    let headers = sign_as(&hubspot, SECRET, b"{}");
    let at = |method, url| verify_at(&hubspot, &headers, method, url, b"{}", NOW);
    assert_eq!(at("POST", URL), Ok(()));
    assert_eq!(at("PUT", URL), Err(Refusal::Mismatch));
    assert_eq!(at("POST", "https://relay.example/webhooks/shop?a=c"), Err(Refusal::Mismatch));
}

/// HubSpot's own list: "%3A" to "%3B" stand for these twelve characters.
#[test]
fn hubspot_signs_the_url_with_some_characters_decoded() {
    let hubspot = all().find(|(name, _)| *name == "hubspot").unwrap().1;
    let mut plain = hubspot.clone();
    plain.layout.signed = vec![Part::Method, Part::Url, Part::Body, Part::Timestamp].into();
    let verify = |called: &str, signed: &str| {
        let message = Outgoing { id: "", timestamp: NOW, method: "POST", url: signed, body: b"{}" };
        let headers = plain.sign(&SECRET.into(), &message).unwrap().into_iter().collect();
        verify_at(&hubspot, &headers, "POST", called, b"{}", NOW)
    };
    let start = "https://relay.example/webhooks/shop?q=";
    for (code, character) in [
        ("%3A", ':'),
        ("%2F", '/'),
        ("%3F", '?'),
        ("%40", '@'),
        ("%21", '!'),
        ("%24", '$'),
        ("%27", '\''),
        ("%28", '('),
        ("%29", ')'),
        ("%2A", '*'),
        ("%2C", ','),
        ("%3B", ';'),
    ] {
        let signed = format!("{start}a{character}b{character}");
        for called in [format!("{start}a{code}b{code}"), signed.clone()] {
            assert_eq!(verify(&called, &signed), Ok(()), "{called}");
            assert_eq!(verify(&called.to_lowercase(), &signed), Ok(()), "{called}");
        }
    }
    for kept in
        ["%20", "%26", "%3D", "%23", "%25", "%2B", "%5B", "%C3%A9", "%", "%2", "%zz", "%253A"]
    {
        let url = format!("{start}{kept}");
        assert_eq!(verify(&url, &url), Ok(()), "{url}");
    }
    assert_eq!(verify(&format!("{start}%20"), &format!("{start} ")), Err(Refusal::Mismatch));
    // What is decoded is not decoded again.
    assert_eq!(verify(&format!("{start}%253A"), &format!("{start}:")), Err(Refusal::Mismatch));
}

#[test]
fn a_secret_with_an_invisible_character_is_rejected() {
    let tokens = token::Place { header: "x-key".into(), prefix: String::new() };
    let mechanisms = all().map(|(_, scheme)| Mechanism::Hmac(scheme));
    for mechanism in mechanisms.chain([Mechanism::SignedRequest, Mechanism::Token(tokens)]) {
        assert_eq!(mechanism.check(&SECRET.into()), Ok(()));
        for around in ["\n", "\r\n", " ", "\t"] {
            assert_eq!(mechanism.check(&format!("{around}{SECRET}{around}").into()), Ok(()));
        }
        let (start, end) = SECRET.split_at(9);
        for character in [
            '\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{ad}', '\u{a0}',
            '\u{2028}', '\u{3000}', '\u{202e}', '\u{85}', '\0', '\u{7f}', '\u{1b}',
        ] {
            for secret in [
                format!("{character}{SECRET}"),
                format!("{SECRET}{character}"),
                format!("{SECRET}{character}\n"),
                format!("{start}{character}{end}"),
            ] {
                let refused = mechanism.check(&secret.into());
                assert_eq!(refused, Err(hmac::BadSecret::Invisible), "{mechanism:?} {character:?}");
            }
        }
        let broken = format!("{start}\n{end}");
        assert_eq!(mechanism.check(&broken.into()), Err(hmac::BadSecret::Invisible));
    }
    let github = Mechanism::preset("github").unwrap();
    assert_eq!(github.check(&"It's a Secret to Évérybody".into()), Ok(()));
}

#[test]
fn datagrails_signature_may_lack_its_version() {
    let datagrail = all().find(|(name, _)| *name == "datagrail").unwrap().1;
    let mut headers = sign_as(&datagrail, SECRET, b"{}");
    let bare = headers["x-webhook-signature"].replace("v1=", "");
    headers.insert("x-webhook-signature".to_owned(), bare);
    assert_eq!(verify_as(&datagrail, &headers, b"{}", NOW), Ok(()));
}

#[test]
fn stripes_header_has_one_time_and_any_number_of_signatures() {
    let stripe = all().find(|(name, _)| *name == "stripe").unwrap().1;
    let good = sign_as(&stripe, SECRET, b"{}")["stripe-signature"].clone();
    let verify = |value: &str| {
        let headers = Map::from([("stripe-signature".to_owned(), value.to_owned())]);
        verify_as(&stripe, &headers, b"{}", NOW)
    };
    let (time, signature) = good.split_once(',').unwrap();
    for malformed in ["v1=00,v0=ab", "v1", "v1=", "v1=zz", "", "=", "nothing", "v1=0"] {
        assert_eq!(verify(&format!("{time},{malformed},{signature}")), Ok(()), "{malformed}");
    }
    assert_eq!(verify(&format!("{signature},{time}")), Ok(()));
    assert_eq!(verify(signature), Err(Refusal::MalformedTimestamp));
    assert_eq!(verify(&format!("{time},{time},{signature}")), Err(Refusal::MalformedSignature));
    assert_eq!(verify(&format!("{time}, {time},{signature}")), Err(Refusal::MalformedSignature));
    assert_eq!(verify(&format!("{time}, {signature}")), Err(Refusal::UnknownVersion));
    assert_eq!(verify(time), Err(Refusal::UnknownVersion));
}

/// The cases of Standard Webhooks' reference libraries.
mod standard_webhooks {
    use super::*;

    const WEBHOOK: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

    fn signed(set: &str, body: &[u8]) -> Map {
        let headers = sign_as(&presets::standard_webhooks(), SECRET, body);
        headers.into_iter().map(|(name, value)| (name.replace("webhook", set), value)).collect()
    }

    fn verify(headers: &Map, body: &[u8]) -> Result<(), Refusal> {
        verify_as(&presets::standard_webhooks(), headers, body, NOW)
    }

    fn with(name: &str, value: &str) -> Map {
        let mut headers = signed("webhook", b"{}");
        headers.insert(name.to_owned(), value.to_owned());
        headers
    }

    #[test]
    fn accepts_both_header_sets_and_any_of_the_secrets() {
        assert_eq!(verify(&signed("webhook", b"{}"), b"{}"), Ok(()));
        assert_eq!(verify(&signed("svix", b"{}"), b"{}"), Ok(()));
        let mut both = signed("webhook", b"{}");
        both.extend(signed("svix", b"{}"));
        assert_eq!(verify(&both, b"{}"), Ok(()));
        let svix = all().find(|(name, _)| *name == "svix").unwrap().1;
        assert_eq!(verify_as(&svix, &both, b"{}", NOW), Ok(()));
        assert_eq!(verify_as(&svix, &signed("webhook", b"{}"), b"{}", NOW), Ok(()));
    }

    #[test]
    fn never_mixes_the_two_sets() {
        let mut headers = signed("webhook", b"{}");
        headers.remove("webhook-signature");
        headers.extend(signed("svix", b"{}"));
        let missing = Err(Refusal::MissingHeader("webhook-signature".into()));
        assert_eq!(verify(&headers, b"{}"), missing);
        assert_eq!(verify(&with("svix-id", "msg_2"), b"{}"), Err(Refusal::ConflictingHeaders));
    }

    #[test]
    fn refuses_timestamps_that_are_not_plain_seconds() {
        for timestamp in
            ["abc", "+1795325400", "-1", "1795325400.0", "1e9", "1, 1", " ", &"9".repeat(40)]
        {
            let refused = verify(&with("webhook-timestamp", timestamp), b"{}");
            assert_eq!(refused, Err(Refusal::MalformedTimestamp), "{timestamp}");
        }
    }

    #[test]
    fn refuses_signatures_that_are_not_whole() {
        let good = signed("webhook", b"{}")["webhook-signature"].clone();
        let refused = |list: &str| verify(&with("webhook-signature", list), b"{}");
        assert_eq!(refused("v1,"), Err(Refusal::Mismatch));
        assert_eq!(refused(&good[..good.len() - 4]), Err(Refusal::Mismatch));
        assert_eq!(refused(&good.replace("v1,", "v2,")), Err(Refusal::UnknownVersion));
        assert_eq!(refused(&good.replace("v1,", "v1a,")), Err(Refusal::UnknownVersion));
        assert_eq!(refused(&good.replace("v1,", ",")), Err(Refusal::MalformedSignature));
        assert_eq!(refused(&good.replace("v1,", "v1")), Err(Refusal::MalformedSignature));
        assert_eq!(refused(&format!("{good}, {good}")), Err(Refusal::MalformedSignature));
        assert_eq!(refused(&format!("{good},{good}")), Err(Refusal::Mismatch));
        assert_eq!(refused(&format!("v2,x, {good}")), Err(Refusal::MalformedSignature));
        for malformed in
            ["v1,AAAA v2,x", "v1", "nothing", ",AAAA", "v1,", "v1,!!", "v1,A", "v1,a,b", "=", "é"]
        {
            for list in [format!("{malformed} {good}"), format!("{good} {malformed} v1a,y")] {
                assert_eq!(refused(&list), Ok(()), "{list}");
            }
        }
        assert_eq!(
            refused(&format!("v1,x, {good}")),
            Err(Refusal::MalformedSignature),
            "came twice"
        );
        assert_eq!(refused("nothing v2,x"), Err(Refusal::MalformedSignature));
    }

    #[test]
    fn padding_may_be_missing() {
        let good = signed("webhook", b"{}")["webhook-signature"].clone();
        assert!(good.ends_with('='));
        let verify = |list: &str| verify(&with("webhook-signature", list), b"{}");
        assert_eq!(verify(good.trim_end_matches('=')), Ok(()));
        assert_eq!(verify(&format!("{good}=")), Err(Refusal::Mismatch));
        let url_safe = good.replace('+', "-").replace('/', "_");
        assert!(url_safe == good || verify(&url_safe) == Err(Refusal::Mismatch));
    }

    #[test]
    fn refuses_every_message_without_a_key() {
        let headers = signed("webhook", b"{}");
        let get = |name: &str| headers.get(name).cloned();
        let message = Incoming { method: "POST", url: URL, headers: &get, body: b"{}" };
        let mechanism = Mechanism::Hmac(presets::standard_webhooks());
        for secrets in [vec![], vec![OTHER.into()]] {
            let verifier = Verifier::new(&mechanism, &secrets, DEFAULT_TOLERANCE);
            let keyring = testing::Published::default();
            let refused = testing::now(verifier.verify(&message, NOW, &keyring));
            assert_eq!(refused, Err(Refusal::Mismatch));
        }
    }

    #[test]
    fn secrets_may_lack_prefix_and_padding_but_not_bytes() {
        let mechanism = Mechanism::Hmac(presets::standard_webhooks());
        let check = |secret: &str| mechanism.check(&secret.into()).err();
        assert_eq!(check("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), None);
        assert_eq!(check("whsec_AAAAAAAAAAAAAAAAAAAAAA=="), None);
        assert_eq!(check("whsec_AAAAAAAAAAAAAAAAAAAAAA"), None);
        assert_eq!(check("whsec_AAAAAAAAAAAAAAAAAAAA"), Some(hmac::BadSecret::TooShort));
        assert_eq!(check(""), Some(hmac::BadSecret::TooShort));
        assert_eq!(check("whsec_"), Some(hmac::BadSecret::TooShort));
        assert_eq!(check("whsec_not base64"), Some(hmac::BadSecret::NotWhsec));
    }

    proptest! {
        #[test]
        fn only_what_was_signed_verifies(
            name in prop::sample::select(&WEBHOOK[..]), value: String, body: Vec<u8>,
        ) {
            let mut headers = signed("webhook", &body);
            prop_assume!(headers[name].trim() != value.trim());
            headers.insert(name.to_owned(), value);
            prop_assert!(verify(&headers, &body).is_err());
        }
    }
}

proptest! {
    #[test]
    fn every_preset_refuses_any_changed_byte(
        body: Vec<u8>, at: prop::sample::Index, flip in 1u8..,
    ) {
        for (name, scheme) in all() {
            let headers = sign_as(&scheme, SECRET, &body);
            prop_assert_eq!(verify_as(&scheme, &headers, &body, NOW), Ok(()));
            let mut changed = body.clone();
            if changed.is_empty() { changed.push(flip) } else {
                let index = at.index(changed.len());
                changed[index] ^= flip;
            }
            let refused = verify_as(&scheme, &headers, &changed, NOW);
            prop_assert_eq!(refused, Err(Refusal::Mismatch), "{}", name);
        }
    }

    #[test]
    fn every_preset_refuses_a_changed_id_or_time(move_by in 1i64..300, id in "[a-z]{1,9}") {
        for (name, scheme) in all() {
            let headers = sign_as(&scheme, SECRET, b"{}");
            let message = Outgoing {
                id: &id, timestamp: NOW - move_by, method: "POST", url: URL, body: b"{}",
            };
            let moved: Map = scheme.sign(&SECRET.into(), &message).unwrap().into_iter().collect();
            let signature = scheme.layout.names.signature.as_ref();
            for (header, value) in moved.iter().filter(|(header, _)| *header != signature) {
                let mut changed = headers.clone();
                changed.insert(header.clone(), value.clone());
                let refused = verify_as(&scheme, &changed, b"{}", NOW);
                prop_assert_eq!(refused, Err(Refusal::Mismatch), "{}: {}", name, header);
            }
        }
    }

    #[test]
    fn no_header_panics(value: String, body: Vec<u8>) {
        for (_, scheme) in all() {
            let headers = sign_as(&scheme, SECRET, &body);
            for header in headers.keys() {
                let mut changed = headers.clone();
                changed.insert(header.clone(), value.clone());
                let _ = verify_as(&scheme, &changed, &body, NOW);
            }
        }
    }
}
