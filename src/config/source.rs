//! One sender of webhooks: `[vars.SOURCES.<name>]`.

use std::rc::Rc;
use std::time::Duration;

use super::Account;
use crate::callback;
use crate::delivery::policy::Policy;
use crate::json::Json;
use crate::receipt::Outcome;
use crate::settings::{Settings, shown};
use crate::signature::{DEFAULT_TOLERANCE, DefaultSignature, Mechanism, Proof};
use crate::source::{self, Acknowledgement, Platform};

const DAY: Duration = Duration::from_secs(86_400);

/// One sender of webhooks.
pub struct Source {
    /// The last segment of `POST /webhooks/{source}`.
    pub name: String,
    /// How its messages are read.
    pub platform: Platform,
    /// How its messages prove who sent them.
    pub proof: Proof,
    /// A second proof that they must have, if any.
    pub also: Option<Proof>,
    /// Whether another source may have the same secrets.
    pub shared_secrets: bool,
    /// Whether an erasure counts as fulfilled that leaves a profile of the person at a vendor.
    pub accepts_partial_erasure: bool,
    /// The vendor accounts that its requests go to; never empty.
    pub vendors: Vec<String>,
    /// How far a signed timestamp may be from now, on either side.
    pub tolerance: Duration,
    /// The maximum length of a body, in bytes.
    pub max_body_bytes: u32,
    /// How its platform is told what became of an erasure, if it is.
    pub callback: Option<Callback>,
    /// What signs the answers to its requests, where its platform wants that and the operator has a key.
    pub acknowledgement: Option<Acknowledgement>,
    /// Until when a request must be answered, from when it came in.
    pub answer_within: Duration,
    /// For how many days a request without an id of its own is the same as one that says the same.
    pub repeat_days: u32,
}

/// How a platform is told.
pub struct Callback {
    /// The account whose lane sends the messages.
    pub account: Account,
    /// What the messages say.
    pub callback: Rc<dyn callback::Callback>,
}

impl Callback {
    /// Reads the table `callback` of the source `name`.
    fn configure(name: &str, platform: &str, settings: &mut Settings<'_>) -> Option<Self> {
        let timeout = settings.number("timeout_seconds", 10, 1..=60);
        let timeout = Duration::from_secs(timeout.into());
        if settings.has("shards") {
            settings.problem("shards", "is not for callbacks");
        }
        let policy = Policy::configure(settings, timeout);
        let (callback, vendor) = callback::configure(platform, settings)?;
        let name = callback::account_name(name);
        let without_identifier = Outcome::InsufficientIdentification;
        let account = Account { name, vendor, timeout, policy, without_identifier };
        Some(Self { account, callback })
    }
}

impl Source {
    /// The secrets that prove its messages, each with its path in the configuration.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (String, &str)> {
        let proofs = [Some(&self.proof), self.also.as_ref()].into_iter().flatten();
        let proofs = proofs.filter(|proof| proof.mechanism.has_secrets());
        proofs.flat_map(|proof| {
            let path = |index| format!("SOURCES.{}.{}", self.name, proof.path(index));
            let secrets = proof.secrets.iter().enumerate();
            secrets.map(move |(index, secret)| (path(index), secret.as_str()))
        })
    }

    /// Reads the table of the source `name`; `accounts` are the vendors' names.
    pub(super) fn configure(
        name: &str,
        settings: &mut Settings<'_>,
        accounts: &[&str],
    ) -> Option<Self> {
        let platform = settings.required_choice("platform", source::ALL);
        let default =
            platform.map_or(DefaultSignature::Preset("standard-webhooks"), |spec| spec.signature);
        let proof = Proof::configure(settings, default);
        let also = Proof::configure_second(settings);
        let choices = [("refuse", false), ("accept", true)];
        let is_jwt = match &proof {
            Some(proof) => matches!(proof.mechanism, Mechanism::Jwt(..)),
            None => {
                matches!(default, DefaultSignature::Jwt(_)) || settings.has_in("signature", "jwt")
            }
        };
        if is_jwt || proof.is_none() {
            let accepted = settings.choice("unsigned_body", false, &choices);
            if is_jwt && !settings.has("also") && accepted == Some(false) {
                let message = "must be set, since the token does not cover the body (or \
                               unsigned_body = \"accept\")";
                settings.problem("also", message);
            }
        }
        let shared_secrets = settings.choice("shared_secrets", false, &choices);
        let partial_erasure = settings.choice("partial_erasure", false, &choices);
        let vendors = settings.texts("vendors").unwrap_or_else(|| accounts.to_vec());
        for (index, name) in vendors.iter().enumerate() {
            if accounts.contains(name) || vendors.iter().take(index).any(|other| other == name) {
                continue;
            }
            let found = shown(&Json::Text((*name).into())).unwrap_or_default();
            let known = accounts.join(", ");
            let message = format!("must be names of vendor accounts ({known}){found}");
            settings.problem("vendors", message);
        }
        let repeated = |name| vendors.iter().filter(|other| *other == name).count() > 1;
        if vendors.iter().any(repeated) {
            settings.problem("vendors", "must name each account once");
        }
        let default_tolerance = u32::try_from(DEFAULT_TOLERANCE.as_secs()).unwrap_or(u32::MAX);
        let ages = |proof: &Proof| proof.mechanism.has_tolerance();
        if settings.has("tolerance_seconds")
            && proof.as_ref().is_some_and(|proof| !ages(proof))
            && !also.as_ref().is_some_and(ages)
        {
            let message =
                "has no effect: this signature has no timestamp, or has a lifetime of its own";
            settings.problem("tolerance_seconds", message);
        }
        let tolerance = settings.number("tolerance_seconds", default_tolerance, 1..=86_400);
        let max_body_bytes = settings.number("max_body_bytes", 256 * 1024, 1..=1024 * 1024);
        let has_repeat_days = settings.has("repeat_days");
        let repeat_days = settings.number("repeat_days", 30, 1..=730);
        let answer_days = settings.number("answer_days", 30, 1..=365);
        let Some(spec) = platform else {
            settings.leave_open();
            return None;
        };
        let named = settings.text("platform").unwrap_or_default();
        let has_callback = settings.has("callback");
        let callback = settings.table("callback").and_then(|mut table| {
            let callback = Callback::configure(name, named, &mut table);
            if callback.is_none() {
                table.leave_open();
            }
            table.finish();
            callback
        });
        if callback.as_ref().is_some_and(|one| one.callback.is_about_one())
            && settings.has("events")
        {
            let message =
                "must not be set beside this kind of callback, which is about one erasure";
            settings.problem("events", message);
        }
        if has_callback && callback.is_none() {
            return None;
        }
        let has_acknowledgement =
            Platform::is_acknowledged(spec) && settings.has("acknowledgement");
        let acknowledgement =
            has_acknowledgement.then(|| Acknowledgement::configure(settings)).flatten();
        let platform = Platform::configure(spec, settings);
        if has_repeat_days && platform.as_ref().is_some_and(|platform| !platform.derives_ids()) {
            settings.problem("repeat_days", "has no effect: the requests have ids of their own");
        }
        Some(Self {
            name: name.to_owned(),
            platform: platform?,
            proof: proof?,
            also,
            vendors: vendors.into_iter().map(str::to_owned).collect(),
            shared_secrets: shared_secrets?,
            accepts_partial_erasure: partial_erasure?,
            tolerance: Duration::from_secs(tolerance.into()),
            max_body_bytes,
            callback,
            acknowledgement,
            answer_within: DAY.saturating_mul(answer_days),
            repeat_days,
        })
    }
}
