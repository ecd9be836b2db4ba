//! One file per command: what it takes, what it does, how it ends.

pub mod demo;
pub mod doctor;
pub mod import;
pub mod init;
pub mod institution;
pub mod key;
pub mod ledger;
pub mod pack;
pub mod pack_status;
pub mod policy;
pub mod program;
pub mod serve;
pub mod terminal;
pub mod token;
pub mod user;
