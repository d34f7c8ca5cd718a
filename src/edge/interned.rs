//! Texts that JavaScript is told again and again, such as the names of headers: each is made a
//! JavaScript string once for an isolate. Decoding one costs more than most of what is done with it.

use std::cell::RefCell;

use js_sys::JsString;

thread_local! {
    static KNOWN: RefCell<Vec<(String, JsString)>> = RefCell::default();
}

/// `text` as a JavaScript string, which is kept: for constants and what the configuration names,
/// never for what a message says.
pub fn interned(text: &str) -> JsString {
    KNOWN.with_borrow_mut(|known| {
        // A few dozen at most.
        if let Some((_, made)) = known.iter().find(|(one, _)| one == text) {
            return made.clone();
        }
        let made = JsString::from(text);
        known.push((text.to_owned(), made.clone()));
        made
    })
}
