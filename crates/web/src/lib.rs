//! The edge: pages for people and FHIR REST for programs, over the use cases of `mimamori-app`.
//!
//! - Every address is a row of [`ROUTES`]; the routers are built from that table, and the row's
//!   [`Authorisation`] is what is enforced before the handler runs.
//! - Handlers translate: a request into a use case's arguments, its answer into HTML or FHIR JSON.
//!   They decide nothing about who may do what.
//! - Whatever goes wrong becomes a page ([`pages`]) or an `OperationOutcome` ([`fhir`]) in one
//!   place each, from one table of error kinds ([`error`]).
//! - Nothing here logs a path, a query, a body or a name (invariant 9).
//!
//! The listener may put a [`mimamori_app::Origin`] into each request's extensions; without one the
//! origin is the other end of the connection ([`axum::extract::ConnectInfo`]), or unknown.

mod assets;
mod carried;
mod changes;
mod dates;
mod diff;
mod error;
mod fhir;
mod following;
mod forms;
mod language;
mod layers;
mod layout;
mod messages;
mod navigation;
mod pages;
mod present;
mod routes;
mod session;
mod settings;
mod terminals;
mod uploads;
mod waiting;

pub use routes::{Authorisation, ROUTES, Route, RoutePurpose, Surface, fhir_router, staff_router};
pub use settings::{Settings, Web};
