//! The program `mimamori`: configuration, command line, listeners, wiring.
//!
//! Use cases live in `mimamori-app`, pages and interfaces in `mimamori-web`; here they are put
//! together and run. [`exit`] has the exit codes, [`config`] the settings, [`home`] the layout of
//! an installation's folder.

pub mod config;
pub mod exit;
pub mod home;
pub mod logging;
pub mod net;
