//! Listeners: sockets, TLS, limits, graceful end. What is served is a router somebody else made.

mod expiry;
mod idle;
mod limit;
mod listener;
mod place;
mod tls;

pub use idle::Idle;
pub use limit::{Limit, Seat};
pub use listener::{Limits, Listener, Stop, Stopper, stop_pair};
pub use place::Surroundings;
pub use tls::{CIPHER_SUITES, Certificates, server_config, terminal_config};
