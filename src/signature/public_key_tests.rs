//! Public keys in the forms that issuers and libraries write.

use std::path::Path;

use send::PrivateKey;
use serde_json::{Value, json};

use super::*;

#[test]
fn symmetric_and_foreign_keys_of_a_set_are_left_out() {
    let key = PrivateKey::generate("ES256").unwrap();
    let mut jwk = key.jwk();
    for (member, value) in [("use", "enc"), ("alg", "ES384"), ("crv", "P-384"), ("x", "AAAA")] {
        let mut changed = jwk.clone();
        changed[member] = json!(value);
        let keys = PublicKey::parse_document(changed.to_string().as_bytes());
        assert_eq!(keys, [], "{member}");
    }
    jwk["alg"] = json!("ES256");
    let document = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, { "kty": "EC" }, 7, jwk] });
    assert_eq!(PublicKey::parse_document(document.to_string().as_bytes()).len(), 1);
    let document = json!({ "publicKey": [jwk], "endpoint": "https://x.example" });
    assert_eq!(PublicKey::parse_document(document.to_string().as_bytes()).len(), 1);
    for nothing in ["", "<html>", "[]", r#"{"keys":7}"#, "-----BEGIN CERTIFICATE-----", "\u{0}"] {
        assert_eq!(PublicKey::parse_document(nothing.as_bytes()), []);
    }
}

fn parse(document: &Value) -> Vec<PublicKey> {
    PublicKey::parse_document(document.to_string().as_bytes())
}

fn base64url(bytes: &[u8]) -> String {
    Encoding::Base64Url.encode(bytes)
}

fn rsa_jwk(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({ "kty": "RSA", "n": base64url(modulus), "e": base64url(exponent) })
}

/// An RSA key as PEM, whose integers are written as they are given.
fn rsa_pem(modulus: &[u8], exponent: &[u8]) -> String {
    let numbers = [der(0x02, modulus), der(0x02, exponent)].concat();
    let bits = [&b"\x00"[..], &der(0x30, &numbers)].concat();
    pem(&der(0x30, &[RSA_ALGORITHM, &der(0x03, &bits)].concat()))
}

fn pem(der: &[u8]) -> String {
    let lines = Encoding::Base64.encode(der);
    let lines: Vec<&str> =
        lines.as_bytes().chunks(64).map(|l| str::from_utf8(l).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// A number of so many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut bytes = vec![0xa5; bits.div_ceil(8)];
    let top = (bits - 1) % 8;
    bytes[0] = 1 << top;
    bytes
}

#[test]
fn an_rsa_key_has_2048_bits_or_more_however_it_is_padded() {
    let e: &[u8] = &[1, 0, 1];
    for bits in [512, 1023, 1024, 1536, 1984, 2040, 2047, 8193] {
        for zeros in [0, 1, 2, 128, 160] {
            let n = [vec![0; zeros], modulus(bits)].concat();
            assert_eq!(parse(&rsa_jwk(&n, e)), [], "{bits} bits after {zeros} zeros");
            assert_eq!(PublicKey::parse_all(&rsa_pem(&n, e)), None, "{bits} bits, {zeros} zeros");
        }
    }
    for bits in [2048, 2049, 3072, 4096, 8192] {
        let plain = parse(&rsa_jwk(&modulus(bits), e));
        assert_eq!(plain.len(), 1, "{bits} bits");
        for (n, e) in [
            ([vec![0], modulus(bits)].concat(), e.to_vec()),
            ([vec![0; 9], modulus(bits)].concat(), vec![0, 0, 1, 0, 1]),
        ] {
            assert_eq!(parse(&rsa_jwk(&n, &e)), plain, "{bits} bits");
            assert_eq!(PublicKey::parse_all(&rsa_pem(&n, &e)), Some(plain.clone()), "{bits} bits");
        }
    }
    for (n, e) in [
        (vec![], vec![1]),
        (vec![0; 256], vec![1, 0, 1]),
        (modulus(2048), vec![0]),
        (modulus(2048), vec![0, 1]),
        (modulus(2048), vec![2]),
    ] {
        assert_eq!(parse(&rsa_jwk(&n, &e)), []);
    }
}

#[test]
fn a_weak_key_does_not_spoil_a_set() {
    let good = PrivateKey::generate("ES256").unwrap().named("good");
    let weak = rsa_jwk(&modulus(1024), &[1, 0, 1]);
    let set = json!({ "keys": [weak, good.jwk()] });
    assert_eq!(parse(&set)[0].id.as_deref(), Some("good"));
    assert_eq!(PublicKey::parse_all(&set.to_string()), None, "in the configuration");
}

#[test]
fn a_real_rsa_key_is_the_same_in_pem_and_jwk() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys/rsa-2048.pem");
    let key = PrivateKey::parse(&std::fs::read_to_string(file).unwrap()).unwrap();
    let keys = parse(&key.jwk());
    assert_eq!(PublicKey::parse_all(&pem(&keys[0].spki)), Some(keys));
}

#[test]
fn a_coordinate_may_lack_its_leading_zeros_or_have_one_too_many() {
    for (algorithm, length) in [("ES256", 32), ("ES384", 48)] {
        let short = std::iter::repeat_with(|| PrivateKey::generate(algorithm).unwrap().jwk());
        let decoded = |jwk: &Value, name: &str| {
            Encoding::Base64Url.decode(jwk[name].as_str().unwrap()).unwrap()
        };
        let jwk = short.take(100_000).find(|jwk| decoded(jwk, "y")[0] == 0).unwrap();
        let whole = parse(&jwk);
        assert_eq!(whole.len(), 1);
        let with = |name: &str, number: &[u8]| {
            let mut changed = jwk.clone();
            changed[name] = json!(base64url(number));
            parse(&changed)
        };
        let (x, y) = (decoded(&jwk, "x"), decoded(&jwk, "y"));
        assert_eq!((x.len(), y.len()), (length, length));
        let bare = y.iter().position(|byte| *byte != 0).unwrap();
        assert_eq!(with("y", &y[bare..]), whole);
        assert_eq!(with("x", &[&[0], &x[..]].concat()), whole);
        assert_eq!(with("x", &[&[1], &x[..]].concat()), []);
        assert_eq!(with("x", &[]), []);
        assert_eq!(with("x", &[0; 32]), []);
    }
    // An Ed25519 key is a string of bytes and no number.
    let mut jwk = PrivateKey::generate("EdDSA").unwrap().jwk();
    let x = Encoding::Base64Url.decode(jwk["x"].as_str().unwrap()).unwrap();
    jwk["x"] = json!(base64url(&x[1..]));
    assert_eq!(parse(&jwk), []);
}

#[test]
fn an_ed25519_key_has_two_names() {
    let mut jwk = PrivateKey::generate("EdDSA").unwrap().jwk();
    for (alg, count) in [("EdDSA", 1), ("Ed25519", 1), ("ES256", 0), ("Ed448", 0), ("ed25519", 0)] {
        jwk["alg"] = json!(alg);
        jwk["key_ops"] = json!(["verify"]);
        jwk["ext"] = json!(true);
        assert_eq!(parse(&jwk).len(), count, "{alg}");
    }
}

#[test]
fn a_set_may_be_long() {
    let keys: Vec<PrivateKey> =
        (0..150).map(|n| PrivateKey::generate("EdDSA").unwrap().named(&n.to_string())).collect();
    let set = json!({ "keys": keys.iter().map(PrivateKey::jwk).collect::<Vec<_>>() });
    let parsed = parse(&set);
    assert_eq!(parsed.len(), 150);
    assert_eq!(parsed[149].id.as_deref(), Some("149"));
}

#[test]
fn a_pem_text_may_hold_several_keys() {
    let keys = ["EdDSA", "ES256", "ES384"].map(|name| PrivateKey::generate(name).unwrap());
    let pems: Vec<String> = keys.iter().map(|key| key.public_pem().unwrap()).collect();
    let each: Vec<PublicKey> = keys.iter().flat_map(|key| parse(&key.jwk())).collect();
    for text in [
        pems.concat(),
        pems.join("\n# the key before\n"),
        pems.concat().replace('\n', "\r\n"),
        format!("\u{feff}Keys of the sender:\n{}", pems.concat()),
        format!("  {}  ", pems.concat()),
    ] {
        assert_eq!(PublicKey::parse_all(&text).as_ref(), Some(&each), "{text}");
        assert_eq!(PublicKey::parse_document(text.as_bytes()), each, "{text}");
    }
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let private = pems[0].replace("PUBLIC", "PRIVATE");
    let cut_off = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOC";
    let weak = rsa_pem(&modulus(1024), &[1, 0, 1]);
    for other in [certificate, &private, &weak, cut_off] {
        let text = format!("{}{other}", pems[0]);
        assert_eq!(PublicKey::parse_all(&text), None, "{other}");
        assert_eq!(PublicKey::parse_document(text.as_bytes()), each[..1], "{other}");
    }
    assert_eq!(PublicKey::parse_all(""), None);
    let jwks = json!({ "keys": [keys[0].jwk(), keys[1].jwk()] }).to_string();
    assert_eq!(PublicKey::parse_all(&jwks).unwrap(), each[..2]);
    assert_eq!(PublicKey::parse_all(&keys[2].jwk().to_string()).unwrap(), each[2..]);
}

const X: &str = "11qYAyLgFxnvOEaOJ5cJN5Mjc1rLJ5jMJ0zLz3yYzZo";

fn keys(document: &[u8]) -> Vec<Option<String>> {
    PublicKey::parse_document(document).into_iter().map(|key| key.id).collect()
}

#[test]
fn an_odd_member_loses_no_key() {
    let jwk = |id: &str, more: &str| {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"{id}"{more}}}"#)
    };
    let deep = format!(r#","x5c":{}{}"#, "[".repeat(200), "]".repeat(200));
    for odd in [r#","note":"\ud800""#, r#","n":1e999"#, r#","y":1,"y":2"#, &deep] {
        let set = format!(r#"{{"keys":[{},{}],"z":1{odd}}}"#, jwk("a", odd), jwk("b", ""));
        let both = [Some("a".to_owned()), Some("b".to_owned())];
        assert_eq!(keys(set.as_bytes()), both, "{odd}");
        assert_eq!(keys(format!("\u{feff}{set}").as_bytes()), both);
    }
    // What restricts a key and cannot be read leaves it out.
    for odd in [
        r#","use":"\ud800""#,
        r#","use":7"#,
        r#","use":"enc","use":"sig""#,
        r#","alg":"\ud800""#,
        r#","alg":"EdDSA","alg":"EdDSA""#,
        r#","x":"AAAA""#,
    ] {
        assert!(keys(jwk("a", odd).as_bytes()).is_empty(), "{odd}");
    }
}
