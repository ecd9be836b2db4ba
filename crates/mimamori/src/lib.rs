//! The program `mimamori`: configuration, command line, listeners, wiring.
//!
//! Use cases live in `mimamori-app`, pages and interfaces in `mimamori-web`; here they are put
//! together and run. [`exit`] has the exit codes, [`config`] the settings, [`home`] the layout of
//! an installation's folder.

mod account;
mod bench;
pub mod cli;
mod clock_offset;
pub mod command;
pub mod config;
pub mod console;
pub mod exit;
pub mod home;
pub mod installation;
mod jobs;
pub mod logging;
pub mod mail;
pub mod net;
pub mod packs;
pub mod provider;
mod when;
