//! What the edge is given at start.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use mimamori_app::App;
use mimamori_domain::{Clock, Timestamp};
use tokio::sync::Semaphore;

use crate::changes::Changes;
use crate::present::Occupations;
use crate::routes::Surface;
use crate::waiting::Waiting;

/// How the edge behaves; fixed while the program runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether listeners speak TLS: cookies become `Secure` with the `__Host-` prefix, and
    /// Strict-Transport-Security is sent.
    pub tls: bool,
    /// Whether reminders are sent by mail.
    pub mail: bool,
    /// What this installation is called, shown on every page.
    pub name: String,
    /// The notice beside the sign-in form (who may use this, that use is recorded); empty for the
    /// built-in text.
    pub sign_in_notice: String,
    /// Where FHIR clients reach this server, without a trailing `/`, ending in `/fhir`: the base of
    /// `Location` and of links. Relative addresses are given when it is empty.
    pub fhir_base: String,
    /// The largest form, in bytes.
    pub form_limit: usize,
    /// The largest form that may bring files, in bytes: a few attachments with their form.
    pub upload_limit: usize,
    /// The largest FHIR body, in bytes.
    pub fhir_limit: usize,
    /// How long a body may take to arrive before the answer is 408.
    pub body_timeout: Duration,
    /// How long an answer may take before it is 503.
    pub answer_timeout: Duration,
    /// How many requests a surface works on at once; more are answered 503.
    pub concurrent: usize,
    /// How many open pages may wait for news at once, each on a connection of its own; and from one address.
    pub listeners: usize,
    pub listeners_per_address: usize,
    /// How often it is asked, for all of them together, whether something changed.
    pub changes_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tls: true,
            mail: false,
            name: "見守り".to_owned(),
            sign_in_notice: String::new(),
            fhir_base: String::new(),
            form_limit: 256 * 1024,
            upload_limit: 20 * 1024 * 1024,
            fhir_limit: 10 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            concurrent: 512,
            listeners: 512,
            listeners_per_address: 64,
            changes_every: Duration::from_secs(2),
        }
    }
}

/// The edge over one application. Cheap to clone: every layer of every request holds one.
#[derive(Debug, Clone)]
pub struct Web(Arc<Parts>);

/// What the edge is made of.
#[derive(Debug)]
pub struct Parts {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    /// One for each surface, so that a flood from programs leaves room at the bedside.
    pub(crate) staff_places: Arc<Semaphore>,
    pub(crate) fhir_places: Arc<Semaphore>,
    /// Words of the policy pack.
    pub(crate) occupations: Occupations,
    /// How much waits for whom.
    pub(crate) waiting: Arc<Waiting>,
    /// Pages that wait for news.
    pub(crate) changes: Arc<Changes>,
    /// When this edge began to serve, UTC.
    pub(crate) started: Timestamp,
}

impl Web {
    /// The edge over `app`. `clock` is the application's own.
    #[must_use]
    pub fn new(app: Arc<App>, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let places = || Arc::new(Semaphore::new(settings.concurrent.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Parts {
            occupations: Occupations::of(&app),
            app,
            staff_places: places(),
            fhir_places: places(),
            waiting: Arc::default(),
            changes: Arc::default(),
            started: clock.now(),
            settings,
            clock,
        }))
    }

    /// The same edge over the application under other rules.
    pub(crate) fn under(&self, app: Arc<App>) -> Self {
        Self(Arc::new(Parts {
            occupations: Occupations::of(&app),
            app,
            clock: Arc::clone(&self.clock),
            settings: self.settings.clone(),
            staff_places: Arc::clone(&self.staff_places),
            fhir_places: Arc::clone(&self.fhir_places),
            waiting: Arc::clone(&self.waiting),
            changes: Arc::clone(&self.changes),
            started: self.started,
        }))
    }

    /// Lets go of the pages that wait for news: the program is about to stop.
    pub fn close_listeners(&self) {
        self.changes.close();
    }

    /// How many open pages wait for news.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.changes.count()
    }

    /// Places for requests that a surface works on at once.
    pub(crate) fn places(&self, surface: Surface) -> &Semaphore {
        match surface {
            Surface::Staff => &self.staff_places,
            Surface::Fhir => &self.fhir_places,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Deref for Web {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
