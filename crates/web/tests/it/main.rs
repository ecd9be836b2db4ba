//! The edge over a real application on SQLite.

mod fhir;
mod pages;
mod routes;
mod world;
