//! The webhooks of the demo. All that differs between configurations follows from these: which
//! sources there are, how they prove their messages, and what their vendors are asked.

use anyhow::Result;
use erasure_relay::config::{Account, Source};
use erasure_relay::erasure::{Kind, Subject};
use erasure_relay::signature::Mechanism;
use erasure_relay::vendor::Step;
use send::Person;
use send::configured::Platform;
use serde_json::{Value, json};

use crate::local::{Local, Vendor};
use crate::webhook::now;

/// One webhook.
pub struct Case<'a> {
    /// Who sends it.
    pub source: &'a Source,
    /// Its place in the demo. The same one is the same person and request.
    pub number: u32,
    /// What is special about it.
    pub twist: Twist<'a>,
}

/// What is special about a webhook.
#[derive(Clone, Copy)]
pub enum Twist<'a> {
    /// Nothing.
    None,
    /// It is signed with this secret, the one before a rotation.
    PreviousSecret(&'a str),
    /// It came before.
    Repeated,
    /// Its body was changed on the way.
    Changed,
    /// It is signed with secrets or keys that the relay does not know.
    OtherSecret,
    /// It was signed longer ago than the source's tolerance.
    Stale,
    /// It is authentic, and no erasure.
    OtherEvent,
    /// The vendor fails at first.
    FailsAtFirst(&'a Vendor),
    /// The vendor does not know the person.
    UnknownUser(&'a Vendor),
    /// The address is the only identifier of its profile.
    SoleIdentifier(&'a Vendor),
}

impl Case<'_> {
    /// Whose data is to be erased.
    pub fn person(&self) -> Person {
        Person {
            user_id: Some((700_100 + self.number).to_string()),
            email: Some(format!("person-{}@example.com", self.number)),
            phone_number: Some(format!("+1415555{:04}", 100 + self.number)),
            account_type: None,
        }
    }

    /// The request's id, where the platform sends one.
    pub fn request_id(&self) -> String {
        format!("d3a0c0de-0000-4000-8000-{:012x}", self.number)
    }

    /// When it is signed, in seconds since the Unix epoch.
    pub fn signed_at(&self) -> i64 {
        /// More than any leeway.
        const FAR: i64 = 3600;
        let tolerance = i64::try_from(self.source.tolerance.as_secs()).unwrap_or(i64::MAX);
        if matches!(self.twist, Twist::Stale) { now() - tolerance - FAR } else { now() }
    }

    /// What it shows.
    pub fn title(&self) -> String {
        match self.twist {
            Twist::None => "An erasure".to_owned(),
            Twist::PreviousSecret(_) => "Signed with the secret before the rotation".to_owned(),
            Twist::Repeated => "The same request again".to_owned(),
            Twist::Changed => "The body was changed on the way".to_owned(),
            Twist::OtherSecret => "Signed by somebody else".to_owned(),
            Twist::Stale => "Signed too long ago".to_owned(),
            Twist::OtherEvent => "Authentic, but not an erasure".to_owned(),
            Twist::FailsAtFirst(vendor) => format!("{} fails at first", vendor.name),
            Twist::UnknownUser(vendor) => format!("{} does not know the person", vendor.name),
            Twist::SoleIdentifier(vendor) => {
                format!("{} keeps a profile's only identifier", vendor.name)
            }
        }
    }
}

/// Everything that can be shown with this configuration: all of it for the first source, and the
/// least for each further one; each vendor's failures at the first source that reaches it.
pub fn cases(local: &Local) -> Result<Vec<Case<'_>>> {
    let mut cases = Vec::new();
    let mut shown: Vec<&str> = Vec::new();
    for (index, source) in local.config.sources.iter().enumerate() {
        let first = cases.len();
        let mut add = |twist| {
            let number = u32::try_from(cases.len() + 1).unwrap_or_default();
            cases.push(Case { source, number, twist });
        };
        add(Twist::None);
        let covers = covers_body(source);
        add(if covers { Twist::Changed } else { Twist::OtherSecret });
        if index == 0 {
            let previous = source.proof.secrets.get(1);
            if let Some(name) = previous.filter(|_| source.proof.mechanism.has_secrets()) {
                add(Twist::PreviousSecret(name.as_str()));
            }
            add(Twist::Stale);
            add(Twist::OtherEvent);
        }
        for account in reached(local, &cases[first])? {
            let fresh = local.vendors.iter().find(|vendor| vendor.name == account.name);
            let Some(vendor) = fresh.filter(|vendor| !shown.contains(&vendor.name.as_str())) else {
                continue;
            };
            shown.push(&vendor.name);
            let mut add = |twist| {
                let number = u32::try_from(cases.len() + 1).unwrap_or_default();
                cases.push(Case { source, number, twist });
            };
            if local.durable {
                add(Twist::FailsAtFirst(vendor));
            }
            match vendor.api.as_str() {
                "instacart-connect" => add(Twist::UnknownUser(vendor)),
                "insider" if keeps_sole_identifiers(local, vendor, account, &cases[first])? => {
                    let number = u32::try_from(cases.len() + 1).unwrap_or_default();
                    cases.push(Case { source, number, twist: Twist::SoleIdentifier(vendor) });
                }
                _ => {}
            }
        }
        let number = cases[first].number;
        cases.push(Case { source, number, twist: Twist::Repeated });
    }
    cases.retain(|case| case.can_be_shown(local));
    Ok(cases)
}

impl Case<'_> {
    /// Whether the source's messages have what the twist is about.
    fn can_be_shown(&self, local: &Local) -> bool {
        let ages = |mechanism: &Mechanism| {
            mechanism.has_tolerance() || matches!(mechanism, Mechanism::Jwt(..))
        };
        match self.twist {
            Twist::Stale => ages(&self.source.proof.mechanism),
            Twist::OtherEvent => {
                let table = &local.vars["SOURCES"][&self.source.name];
                other_event(table, &mut json!({}))
            }
            Twist::Repeated => local.durable,
            _ => true,
        }
    }
}

/// Whether a body that was changed is not authentic any more.
fn covers_body(source: &Source) -> bool {
    let covers =
        |mechanism: &Mechanism| !matches!(mechanism, Mechanism::Token(_) | Mechanism::Jwt(..));
    covers(&source.proof.mechanism)
        || source.also.as_ref().is_some_and(|also| covers(&also.mechanism))
}

/// The accounts that a case has calls for.
fn reached<'a>(local: &'a Local, case: &Case<'_>) -> Result<Vec<&'a Account>> {
    let subject = subject(local, case)?;
    let accounts = local.config.vendors.iter();
    let asked = accounts.filter(|account| case.source.vendors.contains(&account.name));
    let called = asked.filter(|account| {
        account.vendor.plan(&subject).iter().any(|step| matches!(step, Step::Call(_)))
    });
    Ok(called.collect())
}

/// Whether the vendor is asked to remove single identifiers, and a profile's last one is reported.
fn keeps_sole_identifiers(
    local: &Local,
    vendor: &Vendor,
    account: &Account,
    case: &Case<'_>,
) -> Result<bool> {
    let table = &local.vars["VENDORS"][&vendor.name];
    let plan = account.vendor.plan(&subject(local, case)?);
    let by_address = plan.iter().any(|step| {
        matches!(step, Step::Call(call)
            if call.name == "identity" && *call.identifier.kind() == Kind::Email)
    });
    Ok(by_address && table["sole_identifier"] != "erase_profile")
}

/// Whom the relay reads in a case's message.
fn subject(local: &Local, case: &Case<'_>) -> Result<Subject> {
    let platform = Platform::of(&local.config, &local.vars, &case.source.name)?;
    let body = platform.sample(&case.request_id(), &case.person(), now())?.to_string();
    let id = case.request_id();
    let url = "http://127.0.0.1/";
    let sent = platform.message(body.as_bytes(), &id, url, now(), None, &local.credentials)?;
    Ok(sent.erasure.map(|erasure| erasure.subject).unwrap_or_default())
}

/// Makes another event of the platform of a sample; `false` where none is known, or where the
/// settings say what an erasure is.
pub fn other_event(table: &Value, sample: &mut Value) -> bool {
    if !table["erasure"].is_null() {
        return false;
    }
    let (pointer, value) = match table["platform"].as_str().unwrap_or_default() {
        "standard-webhooks" => ("type", "privacy.access.requested"),
        "transcend" => ("type", "ACCESS"),
        "segment" => ("type", "identify"),
        "ketch" => ("kind", "AccessRequest"),
        "opendsr" => ("subject_request_type", "access"),
        "kertos" => ("operation", "access"),
        "datagrail-drop" => ("event", "drop.other"),
        "shopify" => {
            // customers/data_request
            sample["orders_requested"] = json!([]);
            return sample.as_object_mut().is_some_and(|body| {
                body.remove("orders_to_redact");
                true
            });
        }
        _ => return false,
    };
    sample[pointer] = json!(value);
    true
}
