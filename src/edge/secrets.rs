//! Reads secrets from the environment: Worker secrets, which are strings, and Secrets Store
//! bindings, which must be asked.

use worker::js_sys::{Promise, Reflect};
use worker::wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::wasm_bindgen_futures::JsFuture;
use worker::{Env, console_error};

use crate::relay::Secrets;

#[wasm_bindgen]
extern "C" {
    /// A Secrets Store binding.
    type StoredSecret;
    #[wasm_bindgen(method, catch)]
    fn get(this: &StoredSecret) -> Result<Promise, JsValue>;
}

/// The value of every secret of `names` that is set.
pub async fn read(env: &Env, names: impl IntoIterator<Item = &str>) -> Secrets {
    let mut secrets = Secrets::new();
    for name in names {
        if let Some(value) = read_one(env, name).await {
            secrets.push((name.to_owned(), value.into()));
        }
    }
    secrets
}

async fn read_one(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if !value.is_object() {
        return value.as_string();
    }
    // The store throws where a secret is missing, and may be out of reach.
    let promise = value.unchecked_into::<StoredSecret>().get().ok();
    let stored = match promise {
        Some(promise) => JsFuture::from(promise).await.ok().and_then(|value| value.as_string()),
        None => None,
    };
    if stored.is_none() {
        console_error!(r#"{{"event":"secret_unreadable","secret":"{name}"}}"#);
    }
    stored
}
