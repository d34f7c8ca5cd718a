//! Reads secrets from the environment: Worker secrets, which are strings, and Secrets Store
//! bindings, which must be asked.

use js_sys::{Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};

use super::runtime::Env;
use super::settled::settled;
use crate::relay::Secrets;
use crate::settings::Misconfiguration;

#[wasm_bindgen]
extern "C" {
    /// A Secrets Store binding.
    type StoredSecret;
    #[wasm_bindgen(method, catch)]
    fn get(this: &StoredSecret) -> Result<Promise, JsValue>;
}

/// The value of every secret of `names` that is set.
///
/// # Errors
/// Every secret that is bound to a store and cannot be read there. It is not the same as one that
/// is not set: the store may be out of reach for a moment.
pub async fn read(
    env: &Env,
    names: impl IntoIterator<Item = &str>,
) -> Result<Secrets, Vec<Misconfiguration>> {
    let (mut secrets, mut problems) = (Secrets::new(), Vec::new());
    for name in names {
        match read_one(env, name).await {
            Ok(None) => {}
            Ok(Some(value)) => secrets.push((name.to_owned(), value.into())),
            Err(_) => problems.push(Misconfiguration::new(name, "cannot be read from its store")),
        }
    }
    if problems.is_empty() { Ok(secrets) } else { Err(problems) }
}

async fn read_one(env: &Env, name: &str) -> Result<Option<String>, JsValue> {
    let value = Reflect::get(env, &JsValue::from_str(name))?;
    if !value.is_object() {
        return Ok(value.as_string());
    }
    let stored = settled(&value.unchecked_into::<StoredSecret>().get()?).await?;
    stored.as_string().map(Some).ok_or(JsValue::UNDEFINED)
}
