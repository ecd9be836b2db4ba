//! What people state, and what proves or excuses duties with it: of every code, read once for one answer.

use std::collections::HashMap;

use mimamori_domain::{ActorId, Error, RecordState, Result};
use tokio::sync::{Mutex, OnceCell};

use super::controls::AttestationBody;
use super::duties::DutyMark;
use super::object::Governed;
use super::registers::review::Review;
use super::show::Names;
use crate::App;
use crate::body::Body;

/// Objects of one kind by their code, newest first.
type ByCode<T> = HashMap<String, Vec<Governed<T>>>;

/// Read when it is first asked for.
#[derive(Default)]
pub(crate) struct Told {
    statements: OnceCell<ByCode<AttestationBody>>,
    reviews: OnceCell<ByCode<Review>>,
    marks: OnceCell<ByCode<DutyMark>>,
    names: Mutex<Names>,
}

impl Told {
    /// The statements of an attestation, newest first.
    pub(crate) async fn statements(&self, app: &App, code: &str) -> Result<&[Governed<AttestationBody>]> {
        of(&self.statements, app, code).await
    }

    /// The reviews of a register, newest first.
    pub(crate) async fn reviews(&self, app: &App, code: &str) -> Result<&[Governed<Review>]> {
        of(&self.reviews, app, code).await
    }

    /// The occurrences of a duty that were skipped.
    pub(crate) async fn marks(&self, app: &App, code: &str) -> Result<&[Governed<DutyMark>]> {
        of(&self.marks, app, code).await
    }

    /// A user's name.
    pub(crate) async fn name(&self, app: &App, actor: ActorId) -> Result<String> {
        app.name_among(&mut *self.names.lock().await, actor).await
    }
}

async fn of<'c, T: Body>(cell: &'c OnceCell<ByCode<T>>, app: &App, code: &str) -> Result<&'c [Governed<T>]> {
    let read = || async {
        let mut by_code = ByCode::<T>::new();
        for one in app.governed_in_state::<T>(RecordState::Confirmed).await?.0 {
            by_code.entry(one.code.as_str().to_owned()).or_default().push(one);
        }
        Ok::<_, Error>(by_code)
    };
    Ok(cell.get_or_try_init(read).await?.get(code).map_or(&[], Vec::as_slice))
}
