//! `RUSTC_BOOTSTRAP=1 cargo fuzz run gate -s none` searches for a scenario that our gate answers wrongly.

#![no_main]

#[path = "../../tests/adapter/mod.rs"]
mod adapter;

wrongkey::fuzz_target!(|| Box::new(adapter::OurGate::default()));
