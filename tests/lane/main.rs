//! A vendor account's lane on SQLite, through its public operations alone.
#![cfg(not(target_arch = "wasm32"))]

mod accept;
mod acknowledge;
mod alerts;
mod audit;
mod breaker;
mod claim;
mod database;
mod discard;
mod dispatcher;
mod fairness;
mod flush;
mod history;
mod ignored;
mod large;
mod measure;
mod migration;
mod names;
mod notices;
mod object;
mod operate;
mod orphans;
mod outbox;
mod pace;
mod records;
mod retention;
mod settle;
mod simulation;
mod storage;
mod tickets;
mod wake;
mod wire;
mod world;
