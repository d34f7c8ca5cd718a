//! The keys of one place, and when it is asked for them.
//!
//! Keys are kept for an hour, and used for another while they are renewed: a place that is slow or
//! down holds up no message whose key is known. A message that fits no key has them renewed, at most
//! once a minute, and a place that gave none is not asked for ten seconds: strangers must not be able
//! to make the relay send requests there.

use std::rc::Rc;
use std::time::Duration;

use crate::receipt::Timestamp;
use crate::signature::keyring::Freshness;
use crate::signature::public_key::PublicKey;

/// How long fetched keys are good.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long they are used while they are renewed.
const USABLE: Duration = Duration::from_secs(2 * 60 * 60);
/// How long they are not fetched again where some are held.
const RENEWAL: Duration = Duration::from_secs(60);
/// How long a place that gave none is not asked where none are held.
const REST: Duration = Duration::from_secs(10);
/// How long one fetch may take.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Keys that were fetched together.
pub type Keys = Rc<Vec<PublicKey>>;

/// What is known of one place.
#[derive(Default)]
pub struct KeyCache {
    /// The keys, and when they were asked for.
    held: Option<(Keys, Timestamp)>,
    /// When they were last asked for, and what came of it.
    asked: Option<(Timestamp, Asked)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Nothing yet.
    Pending,
    /// Keys came.
    Answered,
    /// None came.
    Failed,
}

/// What a caller who needs keys does.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Uses these.
    Use(Keys),
    /// Uses these, and has others fetched meanwhile.
    UseAndRenew(Keys),
    /// Waits until they are fetched.
    Fetch,
    /// Goes without.
    Without,
}

impl KeyCache {
    /// What a caller does at `now`.
    pub fn turn(&self, freshness: Freshness, now: Timestamp) -> Turn {
        let held = self.held.as_ref().filter(|(_, at)| now < at.after(USABLE));
        if let (Some((keys, at)), Freshness::Cached) = (held, freshness) {
            let due = now >= at.after(LIFETIME) && self.may_ask(now, RENEWAL);
            return if due { Turn::UseAndRenew(keys.clone()) } else { Turn::Use(keys.clone()) };
        }
        let pause = if held.is_some() { RENEWAL } else { REST };
        match (held, self.asked) {
            (_, Some((_, Asked::Failed))) if !self.may_ask(now, pause) => Turn::Without,
            (Some((keys, _)), Some((_, Asked::Answered))) if !self.may_ask(now, pause) => {
                Turn::Use(keys.clone())
            }
            _ => Turn::Fetch,
        }
    }

    fn may_ask(&self, now: Timestamp, pause: Duration) -> bool {
        self.asked.is_none_or(|(at, _)| now >= at.after(pause))
    }

    /// How long no renewal is allowed at `now`, where the last one brought keys.
    pub fn held_back(&self, now: Timestamp) -> Option<Duration> {
        match self.asked {
            Some((at, Asked::Answered)) if now < at.after(RENEWAL) => {
                Some(at.after(RENEWAL).since(now))
            }
            _ => None,
        }
    }

    /// The place is asked. That counts even if nobody hears the answer.
    pub fn ask(&mut self, now: Timestamp) {
        self.asked = Some((now, Asked::Pending));
    }

    /// The place, asked at `asked_at`, gave these keys or none.
    pub fn answer(&mut self, asked_at: Timestamp, keys: Option<Keys>) {
        let answered = if keys.is_some() { Asked::Answered } else { Asked::Failed };
        if self.asked.is_none_or(|(at, _)| at <= asked_at) {
            self.asked = Some((asked_at, answered));
        }
        if let Some(keys) = keys
            && self.held.as_ref().is_none_or(|(_, at)| *at <= asked_at)
        {
            self.held = Some((keys, asked_at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_795_325_400_000);

    fn at(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    fn fetched() -> (KeyCache, Keys) {
        let (mut cache, keys) = (KeyCache::default(), Keys::default());
        cache.ask(START);
        cache.answer(START, Some(keys.clone()));
        (cache, keys)
    }

    #[test]
    fn keys_are_used_for_an_hour_and_renewed_in_the_next() {
        let (mut cache, keys) = fetched();
        let turn = |cache: &KeyCache, seconds| cache.turn(Freshness::Cached, at(seconds));
        assert_eq!(turn(&cache, 3599), Turn::Use(keys.clone()));
        assert_eq!(turn(&cache, 3600), Turn::UseAndRenew(keys.clone()));
        cache.ask(at(3600));
        assert_eq!(turn(&cache, 3601), Turn::Use(keys.clone()));
        cache.answer(at(3600), None);
        assert_eq!(turn(&cache, 3659), Turn::Use(keys.clone()));
        assert_eq!(turn(&cache, 3660), Turn::UseAndRenew(keys.clone()));
        assert_eq!(turn(&cache, 7199), Turn::UseAndRenew(keys));
        assert_eq!(turn(&cache, 7200), Turn::Fetch);
        let renewed = Keys::default();
        cache.ask(at(7200));
        cache.answer(at(7200), Some(renewed.clone()));
        assert!(matches!(turn(&cache, 7201), Turn::Use(keys) if Rc::ptr_eq(&keys, &renewed)));
    }

    #[test]
    fn a_message_that_fits_no_key_has_them_renewed_once_a_minute() {
        let (mut cache, keys) = fetched();
        let turn = |cache: &KeyCache, seconds| cache.turn(Freshness::Renewed, at(seconds));
        assert_eq!(turn(&cache, 59), Turn::Use(keys.clone()));
        assert_eq!(cache.held_back(at(59)), Some(Duration::from_secs(1)));
        assert_eq!((turn(&cache, 60), cache.held_back(at(60))), (Turn::Fetch, None));
        cache.ask(at(60));
        assert_eq!(turn(&cache, 61), Turn::Fetch, "it waits for the same fetch");
        assert_eq!(cache.turn(Freshness::Cached, at(61)), Turn::Use(keys.clone()));
        cache.answer(at(60), None);
        assert_eq!((turn(&cache, 119), cache.held_back(at(119))), (Turn::Without, None));
        assert_eq!(cache.turn(Freshness::Cached, at(119)), Turn::Use(keys));
        assert_eq!(turn(&cache, 120), Turn::Fetch);
    }

    #[test]
    fn a_place_that_gives_none_rests() {
        let mut cache = KeyCache::default();
        for freshness in [Freshness::Cached, Freshness::Renewed] {
            assert_eq!(cache.turn(freshness, at(0)), Turn::Fetch);
        }
        cache.ask(at(0));
        cache.answer(at(0), None);
        assert_eq!(cache.turn(Freshness::Cached, at(9)), Turn::Without);
        assert_eq!(cache.turn(Freshness::Cached, at(10)), Turn::Fetch);
        cache.ask(at(10));
        assert_eq!(cache.turn(Freshness::Cached, at(30)), Turn::Fetch, "nobody heard the answer");
    }

    #[test]
    fn an_older_fetch_does_not_undo_a_newer_one() {
        let mut cache = KeyCache::default();
        let (old, new) = (Keys::default(), Keys::default());
        cache.ask(at(0));
        cache.ask(at(1));
        cache.answer(at(1), Some(new.clone()));
        cache.answer(at(0), Some(old));
        let turn = cache.turn(Freshness::Cached, at(2));
        assert!(matches!(turn, Turn::Use(keys) if Rc::ptr_eq(&keys, &new)));
        cache.answer(at(0), None);
        assert_eq!(cache.held_back(at(2)), Some(Duration::from_secs(59)));
    }
}
