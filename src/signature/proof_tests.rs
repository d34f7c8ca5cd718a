use super::*;
use crate::json::Json;
use crate::settings::{Findings, Misconfiguration};
use crate::signature::layout::Part;
use crate::signature::scheme::{Hash, Scheme, SecretEncoding};

pub(in crate::signature) fn configure(
    settings: &str,
    default: DefaultSignature,
) -> Result<Proof, Vec<String>> {
    let json = Json::parse(settings.as_bytes()).unwrap();
    let findings = Findings::default();
    let mut settings = Settings::new("S".into(), &json, &findings).unwrap();
    let proof = Proof::configure(&mut settings, default);
    Proof::configure_second(&mut settings);
    settings.finish();
    let problems: Vec<_> =
        findings.into_problems().iter().map(Misconfiguration::to_string).collect();
    if problems.is_empty() { Ok(proof.unwrap()) } else { Err(problems) }
}

fn scheme(table: &str) -> Result<Scheme, Vec<String>> {
    let settings = format!(r#"{{"secrets":["A"],"signature":{table}}}"#);
    match configure(&settings, DefaultSignature::None)?.mechanism {
        Mechanism::Hmac(scheme) => Ok(scheme),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_preset_is_the_default_or_chosen() {
    let github = Mechanism::preset("github").unwrap();
    let default =
        configure(r#"{"secrets":["A","B"]}"#, DefaultSignature::Preset("github")).unwrap();
    assert_eq!(default.secrets.len(), 2);
    let chosen = r#"{"secrets":["A","B"],"signature":"github"}"#;
    let proofs = [DefaultSignature::None, DefaultSignature::Preset("shopify")]
        .map(|default| configure(chosen, default));
    for proof in [Ok(default)].into_iter().chain(proofs) {
        assert_eq!(format!("{:?}", proof.unwrap().mechanism), format!("{github:?}"));
    }
    let problems = configure(r#"{"secrets":["A"]}"#, DefaultSignature::None).err().unwrap();
    assert_eq!(problems, ["S.signature: must be set"]);
    let unknown = configure(r#"{"secrets":["A"],"signature":"fax"}"#, DefaultSignature::None);
    assert!(unknown.unwrap_err()[0].starts_with("S.signature: must be one of: datagrail, "));
}

#[test]
fn a_scheme_of_ones_own_is_written_as_a_template() {
    let own = scheme(
        r#"{"hmac":"sha512","header":"X-Sig","prefix":"s=","separator":",","encoding":"base64",
            "id":"X-Id","timestamp":"X-Time","unit":"ms","secret":"base64",
            "signed":"{method} {url}:{id}.{timestamp}.{body}"}"#,
    )
    .unwrap();
    assert_eq!((own.hash, own.secret), (Hash::Sha512, SecretEncoding::Base64));
    assert_eq!(own.layout.names.signature, "x-sig");
    assert_eq!(own.layout.signed.len(), 9);
    assert_eq!(own.layout.signed.last(), Some(&Part::Body));
    let github = r#"{"hmac":"sha256","header":"X-Hub-Signature-256","prefix":"sha256="}"#;
    let Some(Mechanism::Hmac(preset)) = Mechanism::preset("github") else { panic!("github") };
    assert_eq!(scheme(github), Ok(preset));
    let stripe = r#"{"hmac":"sha256","header":"Stripe-Signature","prefix":"v1=",
        "separator":",","timestamp_entry":"t=","signed":"{timestamp}.{body}"}"#;
    let Some(Mechanism::Hmac(preset)) = Mechanism::preset("stripe") else { panic!("stripe") };
    assert_eq!(scheme(stripe), Ok(preset));
}

#[test]
fn a_template_must_cover_the_body_and_all_that_is_read() {
    for table in [
        r#"{"hmac":"sha256","header":"x","signed":"{timestamp}","timestamp":"t"}"#,
        r#"{"hmac":"sha256","header":"x","signed":"{body}{body}"}"#,
        r#"{"hmac":"sha256","header":"x","signed":"{timestamp}.{body}"}"#,
        r#"{"hmac":"sha256","header":"x","timestamp":"t"}"#,
        r#"{"hmac":"sha256","header":"x","id":"i"}"#,
        r#"{"hmac":"sha256","header":"x","signed":"{id}.{body}"}"#,
        r#"{"hmac":"sha256","header":"x","signed":"{host}.{body}"}"#,
        r#"{"hmac":"sha256","header":"x","signed":"{body"}"#,
    ] {
        let problems = scheme(table).unwrap_err();
        assert!(problems[0].starts_with("S.signature.signed: must be a template"), "{table}");
    }
    assert_eq!(
        scheme(r#"{"hmac":"md5","header":"x y","separator":"|","typo":1}"#).unwrap_err(),
        [
            "S.signature.hmac: must be one of: sha1, sha256, sha512, not \"md5\"",
            "S.signature.header: must be the name of a header",
            "S.signature.separator: must be one of:  , ,, ;",
            "S.signature.typo: is not a known setting",
        ]
    );
    assert_eq!(scheme(r#"{"hmac":"sha256"}"#).unwrap_err(), ["S.signature.header: must be set"]);
}

#[test]
fn a_token_is_opted_into_by_name_and_may_be_a_second_proof() {
    let proof = configure(
        r#"{"secrets":["A"],"signature":{"token":"Authorization","prefix":"Bearer "}}"#,
        DefaultSignature::None,
    )
    .unwrap();
    let Mechanism::Token(place) = proof.mechanism else { panic!("a token") };
    assert_eq!((place.header.as_ref(), place.prefix.as_str()), ("authorization", "Bearer "));
    let both = r#"{"secrets":["A"],"also":{"token":"x-key","secrets":["B"]}}"#;
    assert!(configure(both, DefaultSignature::Preset("shopify")).is_ok());
    let wrong = r#"{"secrets":["A"],"also":{"header":"x-key"}}"#;
    assert_eq!(
        configure(wrong, DefaultSignature::Preset("shopify")).unwrap_err(),
        [
            "S.also.token: must be set (or `hmac`)",
            "S.also.secrets: must be set",
            "S.also.header: is not a known setting",
        ]
    );
}
