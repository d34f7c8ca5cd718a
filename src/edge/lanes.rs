//! The way from the Worker to the lanes.

use js_sys::{Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{RequestInit, Response};

use super::runtime::Env;
use super::settled::settled;
use crate::config::Account;

/// The binding in `wrangler.toml` that makes delivery durable.
const BINDING: &str = "LANES";

#[wasm_bindgen]
extern "C" {
    type Namespace;
    #[wasm_bindgen(method, catch, js_name = getByName)]
    fn get_by_name(this: &Namespace, name: &str) -> Result<Stub, JsValue>;

    type Stub;
    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Stub, url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

/// The lanes of all accounts.
pub struct Lanes(Namespace);

/// The way to one lane, for one request of the Worker.
pub struct Lane {
    stub: Stub,
    account: String,
}

/// A lane did not answer, or not with a success. What it was asked may have been done or not.
pub struct Unreachable;

impl Lanes {
    /// `None` where delivery is direct.
    pub fn bound(env: &Env) -> Option<Self> {
        let binding = Reflect::get(env, &JsValue::from_str(BINDING)).ok()?;
        binding.is_object().then(|| Self(binding.unchecked_into()))
    }

    /// The lane that an erasure's deliveries to `account` are in.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn of(
        &self,
        account: &Account,
        source: &str,
        request_id: &str,
    ) -> Result<Lane, Unreachable> {
        let hash = fnv1a(source.bytes().chain([0]).chain(request_id.bytes()));
        let shard = hash.checked_rem(account.policy.shards).unwrap_or_default();
        self.get(&account.name, shard)
    }

    /// Every lane of `account`.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn all(&self, account: &Account) -> Result<Vec<Lane>, Unreachable> {
        (0..account.policy.shards).map(|shard| self.get(&account.name, shard)).collect()
    }

    fn get(&self, account: &str, shard: u32) -> Result<Lane, Unreachable> {
        // `.` is not in the names of accounts, so no two lanes share a name.
        let numbered = || format!("{account}.{shard}");
        let name = if shard == 0 { account.to_owned() } else { numbered() };
        let stub = self.0.get_by_name(&name).map_err(|_| Unreachable)?;
        Ok(Lane { stub, account: account.to_owned() })
    }
}

impl Lane {
    /// Begins to ask the lane, so that the question is on its way when this returns.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn begin(&self, operation: &str, message: &str) -> Result<Promise, Unreachable> {
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&JsValue::from_str(message));
        let url = format!("https://lane/{}/{operation}", self.account);
        self.stub.fetch(&url, &init).map_err(|_| Unreachable)
    }

    /// The answer to what was begun.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub async fn finish(begun: Promise) -> Result<String, Unreachable> {
        let answer = async {
            let response: Response = settled(&begun).await?.unchecked_into();
            let text = settled(&response.text()?).await?;
            Ok::<_, JsValue>((response.status(), text.as_string()))
        };
        match answer.await {
            Ok((200, Some(text))) => Ok(text),
            _ => Err(Unreachable),
        }
    }

    /// Asks the lane.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub async fn ask(&self, operation: &str, message: &str) -> Result<String, Unreachable> {
        Self::finish(self.begin(operation, message)?).await
    }
}

/// FNV-1a, 32 bits: which shard an erasure belongs to must never change.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b"".iter().copied()), 0x811c_9dc5);
        assert_eq!(fnv1a(b"foobar".iter().copied()), 0xbf9c_f968);
    }
}
