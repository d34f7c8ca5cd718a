//! The contract, end to end: the release bundle in workerd, against stand-in vendors that refuse
//! whatever departs from their documentation.
//!
//! Two Workers, one with direct and one with durable delivery, serve all tests, which run side by
//! side; each names its own people. After the last, each Worker must still serve, every vendor request must have been as documented, and the whole
//! log must hold no secret and no person.

#[cfg(not(target_arch = "wasm32"))]
mod access;
#[cfg(not(target_arch = "wasm32"))]
mod acme;
#[cfg(not(target_arch = "wasm32"))]
mod alerts;
#[cfg(not(target_arch = "wasm32"))]
mod audit;
#[cfg(not(target_arch = "wasm32"))]
mod bodies;
#[cfg(not(target_arch = "wasm32"))]
mod callbacks;
#[cfg(not(target_arch = "wasm32"))]
mod callbacks_desk;
#[cfg(not(target_arch = "wasm32"))]
mod callbacks_event;
#[cfg(not(target_arch = "wasm32"))]
mod callbacks_onetrust;
#[cfg(not(target_arch = "wasm32"))]
mod callbacks_opendsr;
#[cfg(not(target_arch = "wasm32"))]
mod callbacks_osano;
#[cfg(not(target_arch = "wasm32"))]
mod callbacks_transcend;
#[cfg(not(target_arch = "wasm32"))]
mod configuration;
#[cfg(not(target_arch = "wasm32"))]
mod contract;
#[cfg(not(target_arch = "wasm32"))]
#[path = "../openapi/document.rs"]
#[allow(dead_code, reason = "some of it is for the tests of the document itself")]
mod document;
#[cfg(not(target_arch = "wasm32"))]
mod durable;
#[cfg(not(target_arch = "wasm32"))]
mod events;
#[cfg(not(target_arch = "wasm32"))]
mod evidence;
#[cfg(not(target_arch = "wasm32"))]
mod hangups;
#[cfg(not(target_arch = "wasm32"))]
mod history;
#[cfg(not(target_arch = "wasm32"))]
mod iab_answer;
#[cfg(not(target_arch = "wasm32"))]
mod insider;
#[cfg(not(target_arch = "wasm32"))]
mod jwks;
#[cfg(not(target_arch = "wasm32"))]
mod jwt;
#[cfg(not(target_arch = "wasm32"))]
mod lanes;
#[cfg(not(target_arch = "wasm32"))]
mod metrics;
#[cfg(not(target_arch = "wasm32"))]
mod namespace;
#[cfg(not(target_arch = "wasm32"))]
mod openapi;
#[cfg(not(target_arch = "wasm32"))]
mod operator;
#[cfg(not(target_arch = "wasm32"))]
mod orphans;
#[cfg(not(target_arch = "wasm32"))]
mod platforms;
#[cfg(not(target_arch = "wasm32"))]
mod public_keys;
#[cfg(not(target_arch = "wasm32"))]
mod receipts;
#[cfg(not(target_arch = "wasm32"))]
mod records;
#[cfg(not(target_arch = "wasm32"))]
mod records_stream;
#[cfg(not(target_arch = "wasm32"))]
mod recovery;
#[cfg(not(target_arch = "wasm32"))]
mod release;
#[cfg(not(target_arch = "wasm32"))]
mod sdk;
#[cfg(not(target_arch = "wasm32"))]
mod sending;
#[cfg(not(target_arch = "wasm32"))]
mod signatures;
#[cfg(not(target_arch = "wasm32"))]
mod status_page;
#[cfg(not(target_arch = "wasm32"))]
mod storage;
#[cfg(not(target_arch = "wasm32"))]
mod tokens;
#[cfg(not(target_arch = "wasm32"))]
mod unusable;
#[cfg(not(target_arch = "wasm32"))]
mod vendors;
#[cfg(not(target_arch = "wasm32"))]
mod wire;
#[cfg(not(target_arch = "wasm32"))]
mod world;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> anyhow::Result<std::process::ExitCode> {
    let arguments = libtest_mimic::Arguments::from_args();
    if arguments.list {
        let absent = world::Handle::absent();
        return Ok(libtest_mimic::run(&arguments, trials(&absent, &absent)).exit_code());
    }
    let direct = world::Handle::start(world::World::direct())?;
    let durable = world::Handle::start(durable::world())?;
    let conclusion = libtest_mimic::run(&arguments, trials(&direct, &durable));
    direct.finish()?;
    durable.finish()?;
    Ok(conclusion.exit_code())
}

#[cfg(not(target_arch = "wasm32"))]
fn trials(direct: &world::Handle, durable: &world::Handle) -> Vec<libtest_mimic::Trial> {
    let world = direct;
    let mut trials = contract::trials(world);
    trials.extend(signatures::trials(world));
    trials.extend(platforms::trials(world));
    trials.extend(public_keys::trials(world));
    trials.extend(jwt::trials(world));
    trials.extend(jwks::trials(world));
    trials.extend(sdk::trials(world));
    trials.extend(bodies::trials(world));
    trials.extend(hangups::trials(world));
    trials.extend(vendors::trials(world));
    trials.extend(wire::trials(world));
    trials.extend(insider::trials(world));
    trials.extend(acme::trials());
    trials.extend(tokens::trials(world));
    trials.extend(configuration::trials(world));
    trials.extend(evidence::trials(world));
    trials.extend(events::direct_trials(direct));
    trials.extend(events::durable_trials(durable));
    trials.extend(unusable::trials(durable));
    trials.extend(durable::trials(durable));
    trials.extend(lanes::trials(durable));
    trials.extend(operator::trials(durable));
    trials.extend(access::trials(durable));
    trials.extend(audit::trials(durable));
    trials.extend(history::trials(durable));
    trials.extend(receipts::trials(durable));
    trials.extend(receipts::direct_trials(direct));
    trials.extend(release::trials(direct));
    trials.extend(metrics::trials(durable));
    trials.extend(metrics::direct_trials(direct));
    trials.extend(openapi::trials(durable));
    trials.extend(openapi::direct_trials(direct));
    trials.extend(namespace::trials(durable));
    trials.extend(orphans::trials(durable));
    trials.extend(callbacks::trials(durable));
    trials.extend(callbacks_event::trials(durable));
    trials.extend(callbacks_onetrust::trials(durable));
    trials.extend(callbacks_opendsr::trials(durable));
    trials.extend(callbacks_osano::trials(durable));
    trials.extend(callbacks_transcend::trials(durable));
    trials.extend(records::trials(durable));
    trials.extend(records_stream::trials(durable));
    trials.extend(alerts::trials(durable));
    #[cfg(not(target_arch = "wasm32"))]
    trials.extend(iab_answer::trials(durable));
    trials.extend(recovery::trials(durable));
    trials.extend(sending::trials(durable));
    trials.extend(status_page::trials(durable));
    trials.extend(storage::trials(durable));
    trials
}

#[cfg(target_arch = "wasm32")]
fn main() {}
