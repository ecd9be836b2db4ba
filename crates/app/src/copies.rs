//! The key under which a browser may keep a copy of what was not sent yet: one for each session, so that a copy
//! is dead once its owner has signed out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mimamori_domain::Result;
use mimamori_vault::IndexField;

use crate::App;
use crate::caller::Caller;

impl App {
    /// 32 bytes as base64, the same as long as the session goes on, whatever its token. `None` where the rules
    /// want no copy (`drafts.no-copy-on`), and without a session.
    ///
    /// # Errors
    /// Internal when the pack lacks the parameter.
    pub fn copy_key(&self, caller: &Caller) -> Result<Option<String>> {
        let Some(session) = caller.session.filter(|session| !session.bearer) else { return Ok(None) };
        let words = self.pack.parameter_text("drafts.no-copy-on")?;
        // A word that is not known is one that forbids.
        let forbids = |word: &str| match word.strip_prefix("zone:") {
            Some(zone) => caller.origin.zone.as_ref().is_some_and(|at| at.as_str() == zone),
            None => word != "terminals" || caller.origin.terminal.is_some(),
        };
        if words.split_whitespace().any(forbids) {
            return Ok(None);
        }
        let mut key = Vec::with_capacity(32);
        for half in ["a", "b"] {
            let text = format!("mimamori:copy|{}|{}|{half}", caller.actor, session.began.as_micros());
            key.extend_from_slice(self.keys.fixed.token(IndexField::Identifier, &text).as_bytes());
        }
        Ok(Some(STANDARD.encode(key)))
    }
}
