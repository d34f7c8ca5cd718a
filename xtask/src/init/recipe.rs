//! What each platform needs: one recipe for each, as docs/platforms.md describes it.

use serde_json::Value as Json;
use toml_edit::{Array, InlineTable, Table, Value};

use super::source::Source;

/// What a platform needs.
pub struct Recipe {
    /// The platform's name in the configuration.
    pub platform: &'static str,
    /// What must be asked about it.
    pub asks: &'static [Ask],
    /// Its secrets.
    pub secrets: &'static [SecretRecipe],
    /// Writes its settings, all but `platform`, `vendors` and `secrets`.
    pub write: fn(&Source, &mut Table),
}

/// A setting to ask for.
pub struct Ask {
    /// Its name on the command line: `--set SOURCE.KEY=VALUE`.
    pub key: &'static str,
    /// What is asked.
    pub text: &'static str,
    /// What an empty answer means.
    pub default: Option<&'static str>,
    /// The answer that a source's table holds already; `None` where it does not say it.
    pub read: fn(&Json) -> Option<String>,
    /// Says what the answer must be where it is wrong.
    pub check: fn(&str) -> Result<(), String>,
}

/// A secret of a source.
pub struct SecretRecipe {
    /// Its name begins with the source's, and ends so.
    pub suffix: &'static str,
    /// Whether the source's setting `secrets` names it, with a previous one for rotations.
    pub is_listed: bool,
    /// How it is written.
    pub form: Form,
    /// Who makes it.
    pub maker: Maker,
    /// Where it comes from, or is to be entered.
    pub place: &'static str,
    /// Its name in the table of a source that is there already.
    pub read: fn(&Json) -> Option<String>,
    /// Whether this source needs it.
    pub is_needed: fn(&Source) -> bool,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `whsec_` and base64, as Standard Webhooks has it.
    Whsec,
    /// `whsk_` and base64: the seed of an Ed25519 key, as Standard Webhooks has it.
    Whsk,
    /// Base64 for URLs: letters, digits, `-` and `_`.
    Token,
}

/// Who makes a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// The operator, who enters it at the platform.
    Operator,
    /// The platform, which shows it.
    Platform,
    /// The answer to `secret_from` says it.
    Asked,
}

const WORD: fn(&str) -> Result<(), String> = super::interview::visible;
const ALWAYS: fn(&Source) -> bool = |_| true;

/// The host whose keys need an API key.
const HOSTED_SOMBRA: &str =
    "https://multi-tenant.sombra.transcend.io/public-keys/sombra-general-signing-key";

const SECRET_FROM: Ask = Ask {
    key: "secret_from",
    text: "Who makes the signing secret: `relay` (it is made now, and you enter it at the sender) or \
           `platform` (the sender shows it)?",
    default: Some("relay"),
    read: |_| None,
    check: |answer| one_of(answer, &["relay", "platform"]),
};

const ERASURE: Ask = Ask {
    key: "erasure",
    text: "Which events erase: `always`, or a JSON Pointer and the value there, such as \
           /event=customer.deleted",
    default: None,
    read: |source| match &source["erasure"] {
        Json::String(always) => Some(always.clone()),
        condition => Some(format!("{}={}", text(&condition["at"])?, text(&condition["is"][0])?)),
    },
    check: |answer| {
        let is_condition = answer.starts_with('/') && answer.contains('=');
        if answer == "always" || is_condition {
            Ok(())
        } else {
            Err("must be `always`, or a JSON Pointer, `=` and a value".to_owned())
        }
    },
};

const USER_IDS: Ask = Ask {
    read: |source| text(&source["identifiers"]["user_ids"]),
    ..pointer("user_ids", "JSON Pointer to the user id of Instacart, or empty")
};
const EMAIL: Ask = Ask {
    read: |source| text(&source["identifiers"]["email"]),
    ..pointer("email", "JSON Pointer to the email address, or empty")
};

const fn pointer(key: &'static str, text: &'static str) -> Ask {
    Ask { key, text, default: Some(""), read: |_| None, check: is_pointer }
}

fn text(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The key of a table's entry that has this value.
fn key_of(table: &Json, value: &str) -> Option<String> {
    let mut entries = table.as_object()?.iter();
    entries.find(|(_, own)| *own == value).map(|(key, _)| key.clone())
}

fn is_pointer(answer: &str) -> Result<(), String> {
    let fits = answer.is_empty() || answer.starts_with('/');
    if fits { Ok(()) } else { Err("must be a JSON Pointer, which starts with /".to_owned()) }
}

fn one_of(answer: &str, words: &[&str]) -> Result<(), String> {
    let known = words.contains(&answer);
    if known { Ok(()) } else { Err(format!("must be one of: {}", words.join(", "))) }
}

const fn secret(suffix: &'static str, maker: Maker, place: &'static str) -> SecretRecipe {
    let read = |source: &Json| text(&source["secrets"][0]);
    SecretRecipe {
        suffix,
        is_listed: true,
        form: Form::Token,
        maker,
        place,
        read,
        is_needed: ALWAYS,
    }
}

/// The signing secret of a sender of Standard Webhooks.
const SIGNING_SECRET: SecretRecipe = SecretRecipe {
    form: Form::Whsec,
    ..secret("WEBHOOK_SECRET", Maker::Asked, "the signing secret of the sender's endpoint")
};

/// Every platform, by its name.
pub const ALL: &[Recipe] = &[
    Recipe {
        platform: "standard-webhooks",
        asks: &[SECRET_FROM],
        secrets: &[SIGNING_SECRET],
        write: |_, _| {},
    },
    Recipe {
        platform: "transcend",
        asks: &[
            Ask {
                key: "audience",
                text: "Your Sombra audience",
                default: None,
                read: |source| text(&source["signature"]["audience"]),
                check: WORD,
            },
            Ask {
                key: "keys_url",
                text: "Where Sombra publishes its signing key",
                default: Some(HOSTED_SOMBRA),
                read: |source| text(&source["keys"]["url"]),
                check: WORD,
            },
            Ask {
                key: "user_id_type",
                text: "The identifier that is the user id of Instacart",
                default: Some("userId"),
                read: |source| key_of(&source["identity_types"], "user_id"),
                check: WORD,
            },
        ],
        secrets: &[
            SecretRecipe {
                is_listed: false,
                read: |source| text(&source["also"]["secrets"][0]),
                ..secret(
                    "RELAY_KEY",
                    Maker::Operator,
                    "in Transcend, the value of the server webhook's custom header x-relay-key",
                )
            },
            SecretRecipe {
                is_listed: false,
                read: |source| text(&source["keys"]["secret"]),
                is_needed: |source| source.setting("keys_url") == HOSTED_SOMBRA,
                ..secret("API_KEY", Maker::Platform, "an API key of Transcend")
            },
        ],
        write: |source, table| {
            put(table, "signature", inline([("audience", source.setting("audience").into())]));
            let mut keys = InlineTable::new();
            keys.insert("url", source.setting("keys_url").into());
            if source.setting("keys_url") == HOSTED_SOMBRA {
                keys.insert("secret", source.secret_name("API_KEY").into());
            }
            put(table, "keys", keys.into());
            let secrets = Value::from(Array::from_iter([source.secret_name("RELAY_KEY")]));
            put(table, "also", inline([("token", "x-relay-key".into()), ("secrets", secrets)]));
            put(table, "tolerance_seconds", 600.into());
            put(table, "identity_types", user_id(source));
        },
    },
    Recipe {
        platform: "shopify",
        asks: &[],
        secrets: &[secret("CLIENT_SECRET", Maker::Platform, "the Shopify app's client secret")],
        write: |_, _| {},
    },
    Recipe {
        platform: "ketch",
        asks: &[Ask {
            key: "user_id_type",
            text: "The identity space that is the user id of Instacart",
            default: Some("account_id"),
            read: |source| key_of(&source["identity_types"], "user_id"),
            check: WORD,
        }],
        secrets: &[secret(
            "TOKEN",
            Maker::Operator,
            "in Ketch, the header Authorization of the webhook: `Bearer `, then this value",
        )],
        write: |source, table| {
            put(table, "signature", bearer());
            put(table, "identity_types", user_id(source));
        },
    },
    Recipe {
        platform: "datagrail-drop",
        asks: &[],
        secrets: &[secret("SECRET", Maker::Platform, "DataGrail, the webhook's shared secret")],
        write: |_, _| {},
    },
    Recipe {
        platform: "datagrail-dsr",
        asks: &[ERASURE, USER_IDS, EMAIL],
        secrets: &[secret("SECRET", Maker::Platform, "DataGrail, the webhook's shared secret")],
        write: described,
    },
    Recipe {
        platform: "segment",
        asks: &[],
        secrets: &[secret(
            "SECRET",
            Maker::Operator,
            "in Segment, the shared secret of the Webhooks destination",
        )],
        write: |_, _| {},
    },
    Recipe {
        platform: "fides",
        asks: &[Ask {
            key: "erasure",
            text: "Is the webhook one of an erasure policy alone (`always`), or does its \
                   policy_action say so (`policy_action`)?",
            default: None,
            read: |source| {
                let is_always = source["erasure"] == "always";
                Some(if is_always { "always" } else { "policy_action" }.to_owned())
            },
            check: |answer| one_of(answer, &["always", "policy_action"]),
        }],
        secrets: &[secret(
            "TOKEN",
            Maker::Operator,
            "in Fides, the header Authorization of the webhook's connection, as it is",
        )],
        write: |source, table| {
            put(table, "signature", inline([("token", "authorization".into())]));
            if source.setting("erasure") == "always" {
                put(table, "erasure", "always".into());
            }
        },
    },
    Recipe {
        platform: "kertos",
        asks: &[Ask {
            key: "identified_by",
            text: "What data_subject_identifier is: `email` or `user_id`",
            default: Some("email"),
            read: |source| {
                let is_user_id = source["identifiers"]["user_ids"].is_string();
                Some(if is_user_id { "user_id" } else { "email" }.to_owned())
            },
            check: |answer| one_of(answer, &["email", "user_id"]),
        }],
        secrets: &[secret(
            "API_KEY",
            Maker::Operator,
            "in Kertos, the API key of the custom integration",
        )],
        write: |source, table| {
            put(table, "signature", inline([("token", "x-api-key".into())]));
            if source.setting("identified_by") == "user_id" {
                let own = "/data_subject_identifier";
                let places = [("email", false.into()), ("user_ids", own.into())];
                put(table, "identifiers", inline(places));
            }
        },
    },
    Recipe {
        platform: "meta",
        asks: &[
            Ask {
                key: "status_url",
                text: "Your page where a person sees the state of a deletion, {code} being its id; \
                       or relay, for the relay's own page",
                default: Some("relay"),
                read: |source| text(&source["status_url"]),
                check: WORD,
            },
            Ask {
                key: "identifier",
                text: "The custom identifier that is Meta's user id at your vendors",
                default: Some("facebook_id"),
                read: |source| key_of(&source["identifiers"]["custom"], "/user_id"),
                check: WORD,
            },
        ],
        secrets: &[secret("APP_SECRET", Maker::Platform, "the Meta app's secret")],
        write: |source, table| {
            let mut custom = InlineTable::new();
            custom.insert(source.setting("identifier"), "/user_id".into());
            put(table, "identifiers", inline([("custom", custom.into())]));
            let page = source.setting("status_url");
            if page != "relay" {
                put(table, "status_url", page.into());
            }
        },
    },
    Recipe {
        platform: "iab-ddrf",
        asks: &[Ask {
            key: "issuers",
            text: "The domains that sign and where their keys are, such as \
                   acme.com=https://acme.com/dsrdelete.json, separated by spaces",
            default: None,
            read: |source| {
                let issuers = source["issuers"].as_object()?;
                let pairs =
                    issuers.iter().map(|(domain, url)| Some(format!("{domain}={}", text(url)?)));
                Some(pairs.collect::<Option<Vec<_>>>()?.join(" "))
            },
            check: |answer| {
                let fits = !answer.is_empty() && answer.split(' ').all(|one| one.contains('='));
                if fits { Ok(()) } else { Err("must be DOMAIN=URL, one or several".to_owned()) }
            },
        }],
        secrets: &[],
        write: |source, table| {
            let mut issuers = InlineTable::new();
            for (domain, url) in
                source.setting("issuers").split(' ').filter_map(|one| one.split_once('='))
            {
                issuers.insert(domain, url.into());
            }
            put(table, "issuers", issuers.into());
        },
    },
    Recipe {
        platform: "opendsr",
        asks: &[],
        secrets: &[secret(
            "TOKEN",
            Maker::Operator,
            "at the controller, the header Authorization: `Bearer `, then this value",
        )],
        write: |_, table| put(table, "signature", bearer()),
    },
    Recipe {
        platform: "custom",
        asks: &[
            Ask {
                key: "signature",
                text: "How the sender signs: standard-webhooks, svix, github, stripe, slack, shopify, \
                       segment, datagrail or hubspot",
                default: Some("standard-webhooks"),
                read: |source| text(&source["signature"]),
                check: WORD,
            },
            SECRET_FROM,
            ERASURE,
            USER_IDS,
            EMAIL,
            Ask {
                read: |source| text(&source["request_id"]),
                ..pointer("request_id", "JSON Pointer to the request's id, or empty to make one")
            },
        ],
        secrets: &[SIGNING_SECRET],
        write: |source, table| {
            put(table, "signature", source.setting("signature").into());
            if !source.setting("request_id").is_empty() {
                put(table, "request_id", source.setting("request_id").into());
            }
            described(source, table);
        },
    },
];

/// What erases, and where the identifiers are, of a platform whose messages are described.
fn described(source: &Source, table: &mut Table) {
    let erasure = match source.setting("erasure").split_once('=') {
        None => Value::from("always"),
        Some((at, is)) => {
            inline([("at", at.into()), ("is", Array::from_iter([is.to_owned()]).into())])
        }
    };
    put(table, "erasure", erasure);
    let mut identifiers = InlineTable::new();
    for key in ["user_ids", "email"] {
        if !source.setting(key).is_empty() {
            identifiers.insert(key, source.setting(key).into());
        }
    }
    put(table, "identifiers", identifiers.into());
}

/// A token in `Authorization`.
fn bearer() -> Value {
    inline([("token", "authorization".into()), ("prefix", "Bearer ".into())])
}

/// The identifier type of the platform that is a user id.
fn user_id(source: &Source) -> Value {
    inline([(source.setting("user_id_type"), "user_id".into())])
}

/// An inline table.
pub fn inline<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::from(InlineTable::from_iter(entries))
}

/// Sets a value, and keeps the comments around the one before; one that says the same stays as it is.
pub fn put(table: &mut Table, key: &str, mut value: Value) {
    match table.get_mut(key) {
        None => drop(table.insert(key, value.into())),
        Some(old) => {
            let known = old.as_value();
            if known.is_some_and(|known| known.to_string().trim() == value.to_string().trim()) {
                return;
            }
            if let Some(known) = known {
                *value.decor_mut() = known.decor().clone();
            }
            *old = value.into();
        }
    }
}
