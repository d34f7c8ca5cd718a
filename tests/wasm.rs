//! The glue, in Wasm on Node: JavaScript's requests, headers, streams and bindings as they come,
//! with a `fetch` that plays both vendors. What workerd adds is in `e2e`.

#![cfg(target_arch = "wasm32")]

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use erasure_relay::signature::presets::standard_webhooks;
use erasure_relay::signature::sign::Outgoing;
use js_sys::{Array, Date, Function, JSON, Object, Reflect, global};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{Headers, Request, RequestInit};
use worker::{Context, Env};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const CONFIGURATION: &str = r#"{
    "DELIVERY": "direct",
    "SOURCES": {
        "consent": { "platform": "standard-webhooks", "secrets": ["WEBHOOK_SECRET"],
                     "vendors": ["insider", "instacart"], "shared_secrets": "accept" },
        "minting": { "platform": "standard-webhooks", "secrets": ["WEBHOOK_SECRET"],
                     "vendors": ["minting"], "shared_secrets": "accept" },
        "renewing": { "platform": "standard-webhooks", "secrets": ["WEBHOOK_SECRET"],
                     "vendors": ["renewing"], "shared_secrets": "accept" }
    },
    "VENDORS": {
        "minting": { "api": "instacart-connect", "timeout_seconds": 1,
                     "auth": { "client_id": "INSTACART_TOKEN", "client_secret": "INSTACART_TOKEN" } },
        "renewing": { "api": "instacart-connect", "timeout_seconds": 1,
                     "auth": { "client_id": "INSTACART_TOKEN", "client_secret": "INSTACART_TOKEN" } },
        "instacart": { "api": "instacart-connect", "auth": { "token": "INSTACART_TOKEN" } },
        "insider": { "api": "insider", "partner_name": "mybrand", "erase": "identity", "auth": { "token": "STORED" } }
    }
}"#;

/// An environment with Worker secrets, and with one secret in a Secrets Store.
fn environment() -> Env {
    let env = JSON::parse(CONFIGURATION).unwrap();
    let set = |name: &str, value: JsValue| {
        Reflect::set(&env, &name.into(), &value).unwrap();
    };
    set("WEBHOOK_SECRET", SECRET.into());
    set("INSTACART_TOKEN", "instacart-token".into());
    let stored = Object::new();
    let get = Function::new_no_args("return Promise.resolve('insider-token')");
    Reflect::set(&stored, &"get".into(), &get).unwrap();
    set("STORED", stored.into());
    env.unchecked_into()
}

/// Has Node's timers be numbers, as the runtime's are, and callable as those of a Worker are.
fn number_timers() {
    let script = "
        if (globalThis.timers) return;
        globalThis.timers = { set: setTimeout, clear: clearTimeout };
        globalThis.setTimeout = (step, millis) => Number(timers.set.call(undefined, step, millis));
        globalThis.clearTimeout = (id) => timers.clear.call(undefined, id);";
    Function::new_no_args(script).call0(&JsValue::NULL).unwrap();
}

/// Makes `fetch` answer with `answer`, a JavaScript expression, and keep what it was asked.
fn vendors_answer(answer: &str) -> Array {
    number_timers();
    let asked = Array::new();
    let body = format!(
        "return (url, init) => {{
            asked.push([url, init.method, init.redirect, Object.fromEntries(init.headers),
                init.body ? new TextDecoder().decode(init.body) : null]);
            return {answer};
        }}"
    );
    let fetch = Function::new_with_args("asked", &body).call1(&JsValue::NULL, &asked).unwrap();
    Reflect::set(&global(), &"fetch".into(), &fetch).unwrap();
    asked
}

fn webhook(signature_of: &str, body: &str) -> Request {
    webhook_to("consent", signature_of, body)
}

fn webhook_to(source: &str, signature_of: &str, body: &str) -> Request {
    let now = (Date::now() / 1000.0) as i64;
    let signed = signature_of.as_bytes();
    let message = Outgoing { id: "msg_1", timestamp: now, method: "POST", url: "", body: signed };
    let headers = Headers::new().unwrap();
    for (name, value) in standard_webhooks().sign(&SECRET.into(), &message).unwrap() {
        headers.set(&name, &value).unwrap();
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&body.into());
    let url = format!("https://relay.example/webhooks/{source}");
    Request::new_with_str_and_init(&url, &init).unwrap()
}

/// A request's context, which keeps what is to go on.
fn context() -> Context {
    let context = JSON::parse("{}").unwrap();
    let wait_until = Function::new_with_args("promise", "");
    Reflect::set(&context, &"waitUntil".into(), &wait_until).unwrap();
    Context::new(context.unchecked_into())
}

async fn handle(request: Request) -> (u16, String) {
    let response = erasure_relay::edge::handle(request, environment(), context()).await.unwrap();
    let text = JsFuture::from(response.text().unwrap()).await.unwrap();
    (response.status(), text.as_string().unwrap())
}

const ERASURE: &str = r#"{"type":"privacy.erasure.requested","data":{"request_id":"r-1",
    "subject":{"user_id":"a/b é","email":"sample@useinsider.com"}}}"#;

#[wasm_bindgen_test]
async fn a_webhook_becomes_both_vendor_requests() {
    let asked = vendors_answer(r#"Promise.resolve(new Response('{"success":true}'))"#);
    let (status, receipt) = handle(webhook(ERASURE, ERASURE)).await;
    assert_eq!(status, 200, "{receipt}");
    assert!(receipt.contains(r#""state":"done""#), "{receipt}");
    let asked = JSON::stringify(&asked).unwrap().as_string().unwrap();
    let expected = concat!(
        r#"[["https://unification.useinsider.com/api/user/v1/identity","DELETE","manual","#,
        r#"{"content-type":"application/json","x-partner-name":"mybrand","#,
        r#""x-request-token":"insider-token"},"#,
        r#""{\"identifiers\":{\"email\":\"sample@useinsider.com\"}}"],"#,
        r#"["https://connect.instacart.com/v2/fulfillment/users/a%2Fb%20%C3%A9/privacy_request","#,
        r#""POST","manual",{"accept":"application/json","authorization":"Bearer instacart-token","#,
        r#""content-type":"application/json"},null]]"#
    );
    assert_eq!(asked, expected);
}

#[wasm_bindgen_test]
async fn a_body_without_an_announced_length_is_read_to_its_end() {
    vendors_answer(r#"Promise.resolve(new Response('{"success":true}'))"#);
    // Node announces no length on a Request that it did not send, so this is the streamed path.
    let request = webhook(ERASURE, ERASURE);
    assert_eq!(request.headers().get("content-length").unwrap(), None);
    assert_eq!(handle(request).await.0, 200);
    let long = format!("{ERASURE}{}", " ".repeat(256 * 1024));
    assert_eq!(handle(webhook(&long, &long)).await.0, 413);
}

#[wasm_bindgen_test]
async fn a_changed_body_reaches_no_vendor() {
    let asked = vendors_answer("Promise.reject(new Error('no vendor may be asked'))");
    let changed = ERASURE.replace("sample@", "victim@");
    assert_eq!(handle(webhook(ERASURE, &changed)).await.0, 401);
    assert_eq!(asked.length(), 0);
}

#[wasm_bindgen_test]
async fn no_answer_is_tried_again() {
    for answer in [
        "Promise.reject(new TypeError('connection lost'))",
        "(() => { throw new TypeError('a bad URL') })()",
        "Promise.resolve(new Response(new ReadableStream({ pull(c) { c.error(new Error('x')) } })))",
    ] {
        vendors_answer(answer);
        let (status, problem) = handle(webhook(ERASURE, ERASURE)).await;
        assert_eq!(status, 503, "{problem}");
        assert!(problem.contains(r#""detail":"connection failed""#), "{problem}");
    }
}

/// A request that the runtime cancels stops where it is, and wakes nobody.
#[wasm_bindgen_test]
async fn a_mint_that_is_abandoned_is_taken_over() {
    let asked = vendors_answer(
        "url.endsWith('/token') && asked.length === 1 ? new Promise(() => {})
            : Promise.resolve(new Response(url.endsWith('/token')
                ? '{\"access_token\":\"t\",\"expires_in\":3600}' : '{\"success\":true}'))",
    );
    let mut abandoned = pin!(handle(webhook_to("minting", ERASURE, ERASURE)));
    poll_fn(|context| match abandoned.as_mut().poll(context) {
        Poll::Pending if asked.length() == 0 => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
    let (status, receipt) = handle(webhook_to("minting", ERASURE, ERASURE)).await;
    assert_eq!(status, 200, "{receipt}");
    assert_eq!(asked.length(), 3, "two token requests and one call");
}

#[wasm_bindgen_test]
async fn a_token_is_used_while_the_next_one_is_requested() {
    vendors_answer(
        "Promise.resolve(new Response(url.endsWith('/token')
            ? '{\"access_token\":\"t\",\"expires_in\":3600}' : '{\"success\":true}'))",
    );
    assert_eq!(handle(webhook_to("renewing", ERASURE, ERASURE)).await.0, 200);
    let later = Function::new_no_args(
        "const Clock = Date;
         const later = () => Clock.now() + 3500000;
         globalThis.Date = class extends Clock {
             constructor(...time) { super(...(time.length ? time : [later()])); }
             static now() { return later(); }
         };
         return () => { globalThis.Date = Clock; };",
    );
    let restore: Function = later.call0(&JsValue::NULL).unwrap().unchecked_into();
    let asked = vendors_answer(
        "url.endsWith('/token') ? new Promise(() => {})
            : Promise.resolve(new Response('{\"success\":true}'))",
    );
    for _ in 0..2 {
        let (status, receipt) = handle(webhook_to("renewing", ERASURE, ERASURE)).await;
        assert_eq!(status, 200, "{receipt}");
    }
    restore.call0(&JsValue::NULL).unwrap();
    assert_eq!(asked.length(), 3, "one token request and two calls");
}

#[wasm_bindgen_test]
async fn a_long_answer_is_cut_and_confirms_nothing() {
    vendors_answer(
        "Promise.resolve(new Response(new ReadableStream({
            pull(c) { c.enqueue(new TextEncoder().encode('{\"success\":true}' + ' '.repeat(40000))) }
        })))",
    );
    let (status, receipt) = handle(webhook(ERASURE, ERASURE)).await;
    assert_eq!(status, 200, "{receipt}");
    assert_eq!(receipt.matches(r#""outcome":"uncertain""#).count(), 2, "{receipt}");
}
