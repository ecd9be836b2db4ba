//! The base pack as it comes.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use mimamori_policy::{Authorizer, Pack, parameters};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/base")
}

/// Loading takes Cedar a while without optimisation, so the tests share one.
pub fn pack() -> &'static Pack {
    static PACK: LazyLock<Pack> = LazyLock::new(|| {
        Pack::embedded_base().unwrap_or_else(|problems| {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            panic!("the base pack does not load:\n{}", lines.join("\n"));
        })
    });
    &PACK
}

pub fn authorizer() -> &'static Authorizer {
    static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(|| Authorizer::new(pack()));
    &AUTHORIZER
}

#[test]
fn the_folder_and_the_program_hold_the_same_pack() {
    let read = Pack::load(&folder()).expect("the folder loads");
    assert_eq!(read.hash(), pack().hash());
    assert_eq!(read.files(), pack().files());
}

#[test]
fn parameters_are_there() {
    assert_eq!(pack().parameter_u64(parameters::SESSION_IDLE_MINUTES).unwrap(), 15);
    assert_eq!(pack().parameter_u64("session.absolute-hours").unwrap(), 12);
    assert!(pack().parameter_u64("no.such").is_err());
}
