//! The use cases on a real database, with a real vault and the real rules.

mod core;
mod support;
