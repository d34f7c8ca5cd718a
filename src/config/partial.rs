//! Erasures that leave a person's profile at a vendor although the vendor accepted them, such as
//! Insider's `identity`.

use super::{Account, Source};
use crate::receipt::{Delivery, Outcome};
use crate::settings::{Misconfiguration, Notice};

/// Whether what the vendors accepted leaves a profile of the person at one of them.
///
/// A call of an account that the configuration does not name any more counts as the calls of this name
/// do that it knows.
pub fn leaves_profile<'a>(
    accounts: impl Iterator<Item = &'a Account> + Clone,
    deliveries: &[Delivery],
) -> bool {
    let any = |is: &dyn Fn(&Account) -> bool| accounts.clone().any(is);
    let partial = |call: &str| any(&|account| account.vendor.leaves_profile(call));
    let whole = |call: &str| {
        any(&|account| {
            account.vendor.calls().iter().any(|kind| kind.name == call && kind.reaches_person)
        })
    };
    let is_accepted = |one: &&Delivery, wanted: &dyn Fn(&str) -> bool| {
        one.outcome == Outcome::Accepted && one.call.as_deref().is_some_and(wanted)
    };
    let mut in_part = deliveries.iter().filter(|one| is_accepted(one, &partial));
    in_part.any(|one| {
        let mut own = deliveries.iter().filter(|other| other.vendor == one.vendor);
        !own.any(|other| is_accepted(&other, &whole))
    })
}

/// A notice for each account whose first call leaves the person's profile, and that a source asks which
/// does not accept that.
pub(super) fn notices(sources: &[Source], vendors: &[Account]) -> Vec<Notice> {
    let first = |account: &Account| account.vendor.calls().first().map(|kind| kind.name);
    let partial = vendors.iter().filter_map(|account| {
        first(account)
            .filter(|call| account.vendor.leaves_profile(call))
            .map(|call| (account, call))
    });
    let notice = |(account, call): (&Account, &str)| {
        let asks = |source: &&Source| {
            !source.accepts_partial_erasure && source.vendors.contains(&account.name)
        };
        let names: Vec<&str> =
            sources.iter().filter(asks).map(|source| source.name.as_str()).collect();
        let path = format!("VENDORS.{}.erase", account.name);
        let message = format!(
            "\"{call}\" leaves the profile of a person who asked for deletion; asked by the sources: \
             {}. Choose \"profile\" or \"anonymize\", or set partial_erasure = \"accept\" on these \
             sources",
            names.join(", ")
        );
        (!names.is_empty()).then(|| Notice::new(Misconfiguration::new(&path, message)))
    };
    partial.filter_map(notice).collect()
}
