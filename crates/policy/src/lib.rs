//! Policy packs (an organisation's rules as data) and access decisions.
//!
//! - [`Pack`]: a folder of YAML and Cedar files, checked as a whole when it is loaded.
//! - [`Authorizer`]: decides, names the policies and the legal basis that decided, and explains.
//!
//! A decision is a pure function of the pack and of the facts handed in. Nothing here does I/O,
//! except that [`Pack::load`] reads a folder. `docs/policy.md` tells how to change the rules.

mod access;
mod authorizer;
mod explain;
mod fact;
mod pack;
mod question;
mod request;
mod text;
mod words;

pub use authorizer::{Authorizer, Decision, PolicyName};
pub use explain::{ConditionFinding, Effect, Explanation, PolicyFinding};
pub use fact::{Fact, FactSet};
pub use pack::diff::{Change, ChangeKind, KeyChange, PackDiff};
pub use pack::model;
pub use pack::recurrence::Recurrence;
pub use pack::{
    Class, Occupation, Pack, PackProblem, Parameter, ParameterValue, Role, RoleScope, Thing, Zone,
    ZoneCaller, ZoneTerminals, parameters,
};
pub use request::{
    BreakGlass, CallerFacts, CallerKind, ConsentEffect, ConsentFact, GeneralTarget, ProxyFact, RoleGrant,
    Scope, SubjectFacts, TeamMembership,
};
pub use text::{Language, Text};
