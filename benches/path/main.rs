//! What the path of a webhook costs without network and runtime: each room, then all together.
//!
//! ```sh
//! cargo bench --no-default-features --bench path          # everything
//! cargo bench --no-default-features --bench path -- judge # what has "judge" in its name
//! ```
//!
//! The relay is compiled as the bundle is, for size, but into native code: the figures tell one
//! version of it from another, and not how long workerd takes. Every case is checked before it is
//! timed, since a refusal is quick and would pass for a gain.

mod world;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use erasure_relay::config::Account;
use erasure_relay::delivery::direct::{self, Conclusion, Sent};
use erasure_relay::receipt::{Receipt, Timestamp};
use erasure_relay::relay::Relay;
use erasure_relay::signature::{Proven, Verifier};
use erasure_relay::vendor::{Answer, Call, Step};
use futures_util::FutureExt;
use world::{Runtime, SECRETS, Signed, answers, body, many_members, one_text, shipped};

/// How long the bodies are.
const KIB: [usize; 3] = [1, 16, 256];

const NOW: Timestamp = Timestamp(1_795_325_400_000);

/// Times `work`, once its result `holds`.
fn time<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    work: impl Fn() -> T,
    holds: impl Fn(T) -> bool,
) {
    assert!(holds(work()), "{name}");
    group.bench_function(name, |bencher| bencher.iter(&work));
}

/// Both keys of a rotation are tried on every message.
fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    let source = &shipped().senders[0].source;
    let verifier =
        Verifier::new(&source.proof.mechanism, &SECRETS.map(Into::into), source.tolerance);
    for kib in KIB {
        let webhook = Signed::new(body(kib, one_text));
        let work = || verifier.verify(&webhook.incoming(), webhook.sent(), &Runtime).now_or_never();
        group.throughput(Throughput::Bytes(webhook.body().len() as u64));
        time(&mut group, &format!("{kib} KiB"), work, |proven| matches!(proven, Some(Ok(_))));
    }
}

/// What the relay does not know in a body is ignored, and must be read all the same.
fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let platform = &shipped().senders[0].source.platform;
    for kib in KIB {
        for (padding, body) in
            [("one text", body(kib, one_text)), ("many members", body(kib, many_members))]
        {
            let work = || platform.read(body.as_bytes(), &Proven::default());
            group.throughput(Throughput::Bytes(body.len() as u64));
            time(&mut group, &format!("{kib} KiB, {padding}"), work, |read| {
                read.as_ref().is_ok_and(|received| received.erasures.len() == 1)
            });
        }
    }
}

/// Each vendor's part, and the whole path where it is the only one.
fn vendors(criterion: &mut Criterion) {
    let relay = shipped();
    let webhook = Signed::new(body(1, one_text));
    let platform = &relay.senders[0].source.platform;
    let mut received = platform.read(webhook.body(), &Proven::default()).expect("an erasure");
    let request = received.erasures.remove(0);
    for (account, _) in &relay.accounts {
        let mut group = criterion.benchmark_group(&account.name);
        let vendor = account.vendor.as_ref();
        let answers = answers(&account.name);
        let plan = || vendor.plan(&request.subject);
        let calls: Vec<Call> = plan().into_iter().map(call).collect();
        time(&mut group, "plan", plan, |steps| steps.len() == calls.len());
        let requests = || calls.iter().map(|call| vendor.request(call)).collect::<Vec<_>>();
        time(&mut group, "requests", requests, |all| {
            all.iter().all(|request| request.url.starts_with("https://"))
        });
        for (answer, outcome) in &answers {
            let judge = || vendor.judge(&calls[0], answer);
            let name = format!("judge {}", outcome.name());
            time(&mut group, &name, judge, |verdict| verdict.outcome == *outcome);
        }
        let delivered =
            || deliver(&relay, account, &answers[0].0, &webhook).expect("a genuine erasure");
        let (receipt, conclusion) = delivered();
        assert_eq!((conclusion, receipt.deliveries.len()), (Conclusion::Final, calls.len()));
        let done = |text: String| text.contains(r#""state":"done""#);
        time(&mut group, "receipt", || written(&receipt), done);
        time(&mut group, "whole path", || written(&delivered().0), done);
    }
}

fn call(step: Step) -> Call {
    match step {
        Step::Call(call) => call,
        Step::Unusable { detail, .. } => panic!("{detail}"),
    }
}

/// All that direct delivery does with a webhook and one vendor, but for the exchanges.
fn deliver(
    relay: &Relay,
    account: &Account,
    answer: &Answer,
    webhook: &Signed,
) -> Option<(Receipt, Conclusion)> {
    let sender = &relay.senders[0];
    let message = webhook.incoming();
    let received = sender.receive(&message, webhook.sent(), &Runtime);
    let received = received.now_or_never()?.ok()?;
    let request = received.erasures.first()?;
    let (vendor, names) = (account.vendor.as_ref(), relay.keys.pseudonyms.as_ref());
    let send = async |call: &Call| {
        black_box(vendor.request(call));
        Sent { verdict: vendor.judge(call, answer), attempts: 1, at: NOW }
    };
    let run = direct::run(&account.name, vendor, &request.subject, names, send, NOW);
    let runs = vec![run.now_or_never()?];
    Some(direct::conclude(request.id.as_str(), &sender.source.name, NOW, runs))
}

fn written(receipt: &Receipt) -> String {
    serde_json::to_string(receipt).expect("JSON")
}

criterion_group! {
    name = path;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = verify, parse, vendors
}
criterion_main!(path);
