//! An installation under one of the packs that come with the program, with people in its roles: for tests
//! of what an organisation's own rules demand.

use std::sync::Arc;

use mimamori_app::{Act, App, Caller, CaseView, ErrorKind, Result};
use mimamori_domain::{ActorId, InstitutionId, ObjectId};
use mimamori_policy::Pack;

use crate::procedures::{form, site_under};
use crate::support::{On, Site};

/// Somebody: sign-in name, occupation, role; empty: none.
pub type Somebody<'a> = (&'a str, &'a str, &'a str);

/// What is typed into a form, by field.
pub type Form<'a> = [(&'a str, &'a str)];

pub struct Rules {
    pub site: Site,
    pub pack: Arc<Pack>,
    pub home: InstitutionId,
}

impl Rules {
    /// Under a pack as it comes, but that people sign in by password only.
    pub async fn eased(pack: &str, people: &[Somebody<'_>]) -> Self {
        Self::of(Arc::new(by_password_only(&Pack::embedded(pack).unwrap())), people).await
    }

    pub async fn of(pack: Arc<Pack>, people: &[Somebody<'_>]) -> Self {
        let site = site_under(On::Sqlite, Arc::clone(&pack)).await;
        let home = site.institution("見守り病院").await;
        let rules = Self { site, pack, home };
        for somebody in people {
            rules.add(*somebody).await;
        }
        rules
    }

    pub async fn add(&self, (login, occupation, role): Somebody<'_>) -> ActorId {
        let occupation = Some(occupation).filter(|code| !code.is_empty());
        let roles: Vec<&str> = Some(role).filter(|code| !code.is_empty()).into_iter().collect();
        self.site.staff(login, occupation, self.home, &roles).await
    }

    pub fn app(&self) -> &Arc<App> {
        &self.site.app
    }

    pub async fn actor(&self, login: &str) -> Result<ActorId> {
        self.app().actor_named(&self.site.operator(), login).await
    }

    pub async fn call(&self, login: &str) -> Caller {
        self.site.sign_in(login).await
    }

    /// Somebody at operating work.
    pub async fn working(&self, login: &str) -> Caller {
        self.app().for_operations(&self.call(login).await).await.unwrap()
    }

    pub async fn begin(&self, login: &str, procedure: &str, typed: &Form<'_>) -> Result<ObjectId> {
        self.app().begin_case(&self.call(login).await, procedure, &form(typed), false).await
    }

    pub async fn view(&self, login: &str, case: ObjectId) -> CaseView {
        self.app().case(&self.call(login).await, case).await.unwrap()
    }

    /// What somebody does with a case as it is now.
    pub async fn act(&self, login: &str, case: ObjectId, act: Act, typed: &Form<'_>) -> Result<()> {
        // Two things never happen at the same moment here.
        self.site.clock.advance(std::time::Duration::from_secs(1));
        let caller = self.call(login).await;
        let seen = match self.app().case(&caller, case).await {
            Ok(view) => view.version,
            // Whoever may not even see it acts on a guess.
            Err(_) => 1,
        };
        self.app().act_on_case(&caller, case, seen, &act, &form(typed)).await
    }

    pub async fn pass(&self, login: &str, case: ObjectId, typed: &Form<'_>) {
        self.act(login, case, Act::Pass, typed).await.unwrap();
    }

    pub async fn done(&self, login: &str, case: ObjectId, typed: &Form<'_>) {
        self.act(login, case, Act::Done, typed).await.unwrap();
    }

    /// Nothing of what was done is missing from the ledger.
    pub async fn clean(&self) {
        assert_eq!(self.app().verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    }
}

pub fn kind<T>(done: Result<T>) -> ErrorKind {
    done.err().unwrap().kind()
}

/// The pack, but that nobody must have a second factor.
fn by_password_only(pack: &Pack) -> Pack {
    const ASKED: &str = "- key: second-factor.required-of";
    let mut files = pack.files().clone();
    for (_, bytes) in files.iter_mut().filter(|(path, _)| path.ends_with("pack.yaml")) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((before, after)) = text.split_once(ASKED) else { continue };
        let (_, rest) = after.split_once("value:").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        *bytes = format!("{before}{ASKED}\n    value: nobody\n{rest}").into_bytes();
    }
    Pack::from_files(files).unwrap()
}
