//! What the rest of the program relies on.

mod examples;
mod validation;
