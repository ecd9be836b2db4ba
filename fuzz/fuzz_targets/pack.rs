//! The loader of policy packs under any bytes.
#![no_main]

#[path = "../../crates/policy/tests/it/any_pack.rs"]
mod any_pack;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| any_pack::exercise(bytes));
