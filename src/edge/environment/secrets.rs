//! Reads secrets from the environment: Worker secrets, which are strings, and Secrets Store
//! bindings, which must be asked.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Error, SecretStore};

use crate::relay::Secrets;
use crate::settings::Misconfiguration;

/// The value of every secret of `names` that is set, and a problem for each that is bound to a store
/// and cannot be read there. That is not the same as one that is not set: the store may be out of reach
/// for a moment.
pub async fn read(
    env: &Env,
    names: impl IntoIterator<Item = &str>,
) -> (Secrets, Vec<Misconfiguration>) {
    let (mut secrets, mut problems) = (Secrets::new(), Vec::new());
    for name in names {
        match read_one(env, name).await {
            Ok(None) => {}
            Ok(Some(value)) => secrets.push((name.to_owned(), value.into())),
            Err(_) => problems.push(Misconfiguration::new(name, "cannot be read from its store")),
        }
    }
    (secrets, problems)
}

/// `Env::secret` and `Env::secret_store` each know one of the two, and an error where it is the other.
async fn read_one(env: &Env, name: &str) -> Result<Option<String>, Error> {
    let value = Reflect::get(env, &JsValue::from_str(name))?;
    if !value.is_object() {
        return Ok(value.as_string());
    }
    let stored = value.unchecked_into::<SecretStore>().get().await?;
    stored.map(Some).ok_or_else(|| Error::from("not set in its store"))
}
