//! Measures (測定): live checks that the running program makes of itself. Each looks at what is there
//! now, and each can fail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{
    AccessLabel, Action, ActorId, Error, InstitutionId, ObjectId, Purpose, RecordState, Result, SubjectId,
};
use mimamori_policy::model::Measure;
use mimamori_policy::{CallerFacts, CallerKind, SubjectFacts, Text};
use mimamori_store::{DurableSetting, Question};
use tokio::sync::OnceCell;

use super::controls::THING;
use super::documents::Standing;
use super::object::Look;
use super::sample::Sample;
use super::who::{Reach, in_force, target};
use super::{People, purpose};
use crate::body::{AccountKind, BreakGlass, kind};
use crate::caller::Caller;
use crate::context::{object_from_row, open_with};
use crate::together::each;
use crate::{App, Origin, body, sql};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    Kept,
    NotKept,
    /// It cannot be told from inside the program now.
    Unknown,
}

/// A check's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    pub finding: Finding,
    /// What was seen, in words.
    pub seen: Text,
}

impl Measured {
    pub(super) fn new(kept: bool, ja: impl Into<String>, en: impl Into<String>) -> Self {
        let finding = if kept { Finding::Kept } else { Finding::NotKept };
        Self { finding, seen: Text::new(ja, en) }
    }

    pub(super) fn unknown(ja: &str, en: &str) -> Self {
        Self { finding: Finding::Unknown, seen: Text::new(ja, en) }
    }
}

/// What several checks look at, read once for all of them.
pub(crate) struct Looked {
    pub(crate) people: People,
    sample: OnceCell<Sample>,
}

/// How people reach the program, as its server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Every listener speaks TLS, or is bound to this machine alone.
    Encrypted,
    /// Some listener is open to a network without TLS.
    Plain,
}

/// A checkpoint is at most so old while the program runs: once a minute, and some time to spare.
const CHECKPOINT_AGE: Duration = Duration::from_secs(180);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// The least characters that the ministries' later editions ask of a password.
const LEAST_ALONE: u64 = 13;
const LEAST_WITH_SECOND_FACTOR: u64 = 8;
/// How often somebody may fail before a lock-out that deserves the name.
const MOST_FAILURES: u64 = 10;

/// The parameters that checks compare with.
const NEEDED: &[(&str, &str)] = &[
    ("accounts-unused", "accounts.unused-days"),
    ("administrators-limit", "accounts.most-administrators"),
    ("break-glass-reviewed", "break-glass.review-days"),
    ("ledger-retention", "retention.ledger-years"),
    ("lock-out", "sign-in.lock-after-failures"),
    ("lock-out", "sign-in.lock-minutes"),
    ("password-rules", "password.least-characters"),
    ("password-rules", "password.least-characters-with-second-factor"),
    ("records-retention", "retention.records-years"),
    ("second-factors", "second-factor.required-of"),
    ("session-limits", "session.absolute-hours"),
    ("session-limits", "session.idle-minutes"),
];

/// What is said where a parameter that the rules leave open has no value yet.
pub(crate) fn unset(key: &str) -> Text {
    Text::new(
        format!(
            "パラメーター {key} の値が定められていないため、判定できない（規程パックの site.yaml の parameters に値を書く）"
        ),
        format!(
            "cannot be computed: parameter {key} is not set (give it a value under parameters in the pack's site.yaml)"
        ),
    )
}

impl App {
    /// Whether the pack leaves a parameter without a value.
    fn is_unset(&self, key: &str) -> bool {
        self.pack.parameter(key).is_none_or(|parameter| parameter.value.is_none())
    }

    /// Tells how people reach the program: the server says so when it opens its listeners.
    pub fn set_transport(&self, transport: Transport) {
        // Set once: listeners do not change while the program runs.
        let _ = self.transport.set(transport);
    }

    /// What the checks of one answer look at.
    ///
    /// # Errors
    /// Unavailable.
    pub(crate) async fn looked(&self) -> Result<Looked> {
        Ok(Looked { people: self.everybody().await?, sample: OnceCell::new() })
    }

    /// Makes one check.
    ///
    /// # Errors
    /// Unavailable. An unknown check is [`Finding::Unknown`]: a newer pack may know more of them.
    pub(crate) async fn measure(&self, check: &str, looked: &Looked) -> Result<Measured> {
        let mut needed = NEEDED.iter().filter(|(of, _)| *of == check).map(|(_, key)| *key);
        if let Some(key) = needed.find(|key| self.is_unset(key)) {
            return Ok(Measured { finding: Finding::Unknown, seen: unset(key) });
        }
        let Looked { people, sample } = looked;
        match check {
            "access-decisions" => self.check_access_decisions(),
            "accounts-unused" => self.check_accounts_unused(people).await,
            "administrators-limit" => self.check_administrators_limit(people),
            "appointments-separate" => self.check_appointments_separate(people),
            "break-glass-reviewed" => self.check_break_glass_reviewed().await,
            "database-durable" => self.check_database_durable().await,
            "encryption-at-rest" => self.check_encryption_at_rest(sample).await,
            "individual-accounts" => self.check_individual_accounts(people),
            "ledger-checkpoint" => self.check_ledger_checkpoint().await,
            "ledger-complete" => self.check_ledger_complete().await,
            "ledger-retention" => self.check_ledger_retention().await,
            "lock-out" => self.check_lock_out(),
            "password-rules" => self.check_password_rules(people),
            "record-versions" => self.check_record_versions(sample).await,
            "records-retention" => self.check_records_retention().await,
            "second-factors" => self.check_second_factors(people),
            "session-limits" => self.check_session_limits().await,
            "sign-in-notice" => self.check_sign_in_notice().await,
            "transport-encryption" => Ok(self.check_transport()),
            _ => Ok(Measured::unknown("この測定はまだできない", "this check is not known here")),
        }
    }

    /// Somebody of whom nothing is known may see no class of anybody's record.
    fn check_access_decisions(&self) -> Result<Measured> {
        let now = self.clock.now();
        let mut stranger = CallerFacts::new(ActorId::random(), CallerKind::Staff, Purpose::Care);
        stranger.institution = Some(InstitutionId::random());
        // Who is not signed in is shut out anyway: this one is, as well as can be.
        stranger.authentication_strength = 2;
        let subject = SubjectFacts::new(SubjectId::random());
        let mut open = Vec::new();
        for class in self.pack.classes() {
            let label = AccessLabel {
                class: class.code.clone(),
                state: RecordState::Confirmed,
                institution: InstitutionId::random(),
            };
            // Without an occupation everything is closed anyway: each of them is tried.
            let seen_by_any = self.pack.occupations().iter().any(|occupation| {
                stranger.occupation = Some(occupation.code.clone());
                self.authorizer.decide(&stranger, Action::Read, &subject, &label, None, now).allowed
            });
            if seen_by_any {
                open.push(class.code.to_string());
            }
        }
        let count = self.pack.classes().len();
        Ok(if open.is_empty() {
            Measured::new(
                true,
                format!("関わりのない職員には{count}の情報区分すべてが閉じている"),
                format!("all {count} classes are closed to staff without a tie to the person"),
            )
        } else {
            Measured::new(
                false,
                format!("関わりのない職員に開いている区分がある：{}", open.join("、")),
                format!("open to staff without a tie: {}", open.join(", ")),
            )
        })
    }

    async fn check_accounts_unused(&self, people: &People) -> Result<Measured> {
        let days = self.pack.parameter_u64("accounts.unused-days")?;
        let limit = self.clock.now().minus(DAY * u32::try_from(days).unwrap_or(u32::MAX));
        let staff = people.iter().filter(|one| one.account.active && one.account.kind == AccountKind::Staff);
        let staff = staff.map(|one| one.actor.into()).collect();
        let rows = self.store.query_many(&sql::UNUSED_AMONG, vec![limit.into()], staff).await?;
        let counts = rows.iter().map(|row| row.unsigned(0).map_err(Error::unavailable));
        let unused = counts.sum::<Result<u64>>()?;
        Ok(Measured::new(
            unused == 0,
            format!("{days}日使われていない有効なアカウント：{unused}件"),
            format!("active accounts unused for {days} days: {unused}"),
        ))
    }

    fn check_administrators_limit(&self, people: &People) -> Result<Measured> {
        let most = self.pack.parameter_u64("accounts.most-administrators")?;
        let count = people.iter().filter(|context| self.is_administrator(context)).count() as u64;
        Ok(Measured::new(
            count <= most,
            format!("特権を持つ人は{count}人（上限{most}人）"),
            format!("{count} people hold privileges (at most {most})"),
        ))
    }

    fn check_appointments_separate(&self, people: &People) -> Result<Measured> {
        let now = self.clock.now();
        let mut clashes = 0;
        for context in people.iter() {
            let held: Vec<_> = context
                .roles
                .iter()
                .filter(|role| in_force(role, now))
                .map(|role| role.role.clone())
                .collect();
            if held.iter().any(|role| !self.pack.incompatible(role, &held).is_empty()) {
                clashes += 1;
            }
        }
        Ok(Measured::new(
            clashes == 0,
            format!("兼ねてはならない役割を兼ねている人：{clashes}人"),
            format!("people who hold roles that may not be combined: {clashes}"),
        ))
    }

    /// Every declared emergency older than the pack's days was looked at in the ledger by somebody else.
    async fn check_break_glass_reviewed(&self) -> Result<Measured> {
        let days = self.pack.parameter_u64("break-glass.review-days")?;
        let limit = self.clock.now().minus(DAY * u32::try_from(days).unwrap_or(u32::MAX));
        let (mut late, mut all) = (0, 0);
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::BREAK_GLASS.as_str().to_owned().into(), after.into(), 500_i64.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            let last = rows.len() < 500;
            for mut row in rows {
                let version = object_from_row(&mut row)?;
                after = version.object;
                let Some(subject) = version.subject else { continue };
                let context = self.subject_context(subject).await?;
                let declared: BreakGlass = body::from_bytes(&open_with(&context.keys, &version)?)?;
                all += 1;
                if version.recorded > limit {
                    continue;
                }
                let args = vec![subject.into(), version.recorded.into(), declared.actor.into()];
                if self.store.query_one(&sql::REVIEWED_SINCE, args).await?.is_none() {
                    late += 1;
                }
            }
            if last {
                break;
            }
        }
        Ok(Measured::new(
            late == 0,
            format!("緊急時アクセス{all}件のうち、{days}日を過ぎて点検されていないもの：{late}件"),
            format!("of {all} emergency accesses, {late} were not reviewed within {days} days"),
        ))
    }

    async fn check_database_durable(&self) -> Result<Measured> {
        // A commit is acknowledged only when it is on the disk: a setting that gives that up is refused
        // at start, and an administrator may change it afterwards. The connection that commits is asked.
        let settings = self.store.durability().await?;
        let head = self.store.head().await?.is_some();
        let halted = self.halted.load(std::sync::atomic::Ordering::SeqCst);
        let database = self.store.database();
        let words = |wanted: &dyn Fn(&DurableSetting) -> bool| {
            let found = settings.iter().filter(|setting| wanted(setting));
            found.map(|setting| format!("{}={}", setting.name, setting.value)).collect::<Vec<_>>().join(", ")
        };
        let lossy = words(&|setting| !setting.holds);
        if settings.is_empty() || !lossy.is_empty() {
            return Ok(Measured::new(
                false,
                format!("{database}の設定では、応答した書き込みが失われることがある：{lossy}"),
                format!("with these settings {database} may lose what it has acknowledged: {lossy}"),
            ));
        }
        let all = words(&|_| true);
        Ok(Measured::new(
            head && !halted,
            format!("{database}は書き込みをディスクに届けてから応答する（{all}）"),
            format!("{database} forces writes to disk before it acknowledges them ({all})"),
        ))
    }

    /// One person, one account: no two active staff accounts carry the same name, kana, institution
    /// and occupation.
    fn check_individual_accounts(&self, people: &People) -> Result<Measured> {
        let mut seen = BTreeSet::new();
        let (mut doubles, mut nameless) = (0, 0);
        for context in people.iter() {
            let account = &context.account;
            if !account.active || account.kind != AccountKind::Staff {
                continue;
            }
            if account.name.trim().is_empty() {
                nameless += 1;
            }
            let occupation = account.occupation.as_ref().map(ToString::to_string);
            if !seen.insert((account.name.clone(), account.kana.clone(), account.institution, occupation)) {
                doubles += 1;
            }
        }
        Ok(Measured::new(
            doubles == 0 && nameless == 0,
            format!(
                "職員のアカウント{}件。同じ人とみられるもの{doubles}件、名前のないもの{nameless}件",
                seen.len()
            ),
            format!(
                "{} staff accounts; {doubles} look like the same person, {nameless} have no name",
                seen.len()
            ),
        ))
    }

    async fn check_ledger_checkpoint(&self) -> Result<Measured> {
        let row = self.store.query_one(&sql::NEWEST_CHECKPOINT, Vec::new()).await?;
        let Some(row) = row else {
            return Ok(Measured::new(false, "検査点がまだない", "there is no checkpoint yet"));
        };
        let signed = row.time(0).map_err(Error::unavailable)?;
        let age = self.clock.now().since(signed);
        Ok(Measured::new(
            age <= CHECKPOINT_AGE,
            format!("最後の検査点は{}秒前に署名された", age.as_secs()),
            format!("the newest checkpoint was signed {} seconds ago", age.as_secs()),
        ))
    }

    /// The head, the newest entry and the newest checkpoint tell the same story.
    async fn check_ledger_complete(&self) -> Result<Measured> {
        let Some(head) = self.store.head().await? else {
            return Ok(Measured::new(false, "証跡の先頭がない", "the ledger has no head"));
        };
        let newest = self.store.query_one(&sql::NEWEST_ENTRY, vec![i64::from(head.epoch).into()]).await?;
        let entries = match newest {
            Some(row) => row.unsigned(0).map_err(Error::unavailable)? + 1,
            None => 0,
        };
        let signed = match self.store.query_one(&sql::NEWEST_CHECKPOINT, Vec::new()).await? {
            // What was signed in an epoch before this one says nothing about its length.
            Some(row) if row.int(2).map_err(Error::unavailable)? == i64::from(head.epoch) => {
                row.unsigned(1).map_err(Error::unavailable)?
            }
            _ => 0,
        };
        Ok(Measured::new(
            entries >= head.size && signed <= entries,
            format!("記録{entries}件、署名済み{signed}件"),
            format!("{entries} entries, {signed} of them signed for"),
        ))
    }

    async fn check_ledger_retention(&self) -> Result<Measured> {
        let years = self.pack.parameter_u64("retention.ledger-years")?;
        let first = self.store.query_one(&sql::FIRST_ENTRY, Vec::new()).await?;
        Ok(match first {
            Some(_) => Measured::new(
                true,
                format!("最初の記録から残っている（{years}年保存）"),
                format!("kept from the first entry on ({years} years)"),
            ),
            None => Measured::new(false, "最初の記録がない", "the first entry is missing"),
        })
    }

    fn check_lock_out(&self) -> Result<Measured> {
        let failures = self.pack.parameter_u64("sign-in.lock-after-failures")?;
        let minutes = self.pack.parameter_u64("sign-in.lock-minutes")?;
        Ok(Measured::new(
            failures <= MOST_FAILURES && minutes > 0,
            format!("{failures}回続けて失敗すると{minutes}分止まる"),
            format!("locked for {minutes} minutes after {failures} failures in a row"),
        ))
    }

    /// The parameters, and that every password is kept as an Argon2id hash.
    fn check_password_rules(&self, people: &People) -> Result<Measured> {
        let alone = self.pack.parameter_u64("password.least-characters")?;
        let second = self.pack.parameter_u64("password.least-characters-with-second-factor")?;
        let mut weak = 0;
        for context in people.iter() {
            let hash = context.account.password.as_deref();
            if hash.is_some_and(|hash| !hash.starts_with("$argon2id$")) {
                weak += 1;
            }
        }
        Ok(Measured::new(
            alone >= LEAST_ALONE && second >= LEAST_WITH_SECOND_FACTOR && weak == 0,
            format!("最小{alone}文字。Argon2id以外で保存されたもの：{weak}件"),
            format!("at least {alone} characters; kept otherwise than as Argon2id: {weak}"),
        ))
    }

    /// Whoever holds a privileged role is asked for a second factor; without one nothing opens to them.
    fn check_second_factors(&self, people: &People) -> Result<Measured> {
        let now = self.clock.now();
        let (mut asked, mut enrolled, mut unasked) = (0, 0, 0);
        for context in people.iter() {
            if !context.account.active || context.account.kind == AccountKind::Program {
                continue;
            }
            if self.wants_second(context, &Origin::default(), now)? {
                asked += 1;
                enrolled += usize::from(!context.account.credential.factors.kept.is_empty());
            } else if self.holds_privileged(context, now) {
                unasked += 1;
            }
        }
        let required = self.pack.parameter_text("second-factor.required-of")?;
        let none = required.split_whitespace().all(|word| word == "nobody");
        Ok(Measured::new(
            unasked == 0 && !none,
            format!(
                "二要素を求める人：{asked}人（登録ずみ{enrolled}人、ほかは登録するまで何もひらけない）。特権を持つのに求めない人：{unasked}人"
            ),
            format!(
                "asked for a second factor: {asked} ({enrolled} have one, to the others nothing opens before); privileged and not asked: {unasked}"
            ),
        ))
    }

    /// No session lives beyond the pack's limit.
    async fn check_session_limits(&self) -> Result<Measured> {
        let hours = self.pack.parameter_u64("session.absolute-hours")?;
        let idle = self.pack.parameter_u64("session.idle-minutes")?;
        let now = self.clock.now();
        let limit = now.minus(Duration::from_secs(3_600) * u32::try_from(hours).unwrap_or(u32::MAX));
        let most = self.pack.parameter_u64("session.most-per-account")?;
        let since = now.minus(Duration::from_secs(60 * idle));
        let asked = [
            (&sql::SESSIONS_BEYOND, vec![limit.into(), now.into()]),
            (&sql::ACCOUNTS_WITH_MANY_SESSIONS, vec![now.into(), since.into(), most.into()]),
        ];
        let asked = asked.map(|(statement, args)| Question { statement, args, lists: Vec::new() });
        let found = self.store.query_together(asked.into()).await?;
        let counts = found.iter().flatten().map(|row| row.int(0).map_err(Error::unavailable));
        let [beyond, crowded] = <[i64; 2]>::try_from(counts.collect::<Result<Vec<_>>>()?)
            .map_err(|_| Error::unavailable("sessions were not counted"))?;
        Ok(Measured::new(
            beyond == 0 && crowded == 0,
            format!(
                "操作なし{idle}分・最長{hours}時間・同時に{most}つまで。超えて続く接続：{beyond}件、超えるアカウント：{crowded}件"
            ),
            format!(
                "idle {idle} minutes, at most {hours} hours, {most} at once; sessions beyond it: {beyond}, accounts with more: {crowded}"
            ),
        ))
    }

    async fn check_sign_in_notice(&self) -> Result<Measured> {
        let published = match self.pack.document("sign-in-notice") {
            Some(document) => {
                let standing = self.document_standing(document, self.clock.now()).await?;
                matches!(standing, Standing::InForce { .. })
            }
            None => false,
        };
        Ok(Measured::new(
            published,
            if published {
                "サインイン前の注意書きが定められている"
            } else {
                "サインイン前の注意書きがない"
            },
            if published {
                "a notice before sign-in is published"
            } else {
                "no notice before sign-in is published"
            },
        ))
    }

    fn check_transport(&self) -> Measured {
        match self.transport.get() {
            Some(Transport::Encrypted) => Measured::new(
                true,
                "網に開いた窓口はすべてTLSで守られている",
                "every listener on a network speaks TLS",
            ),
            Some(Transport::Plain) => Measured::new(
                false,
                "TLSのない窓口が網に開いている",
                "a listener is open to a network without TLS",
            ),
            None => Measured::unknown("窓口の設定が分からない", "the listeners are not known here"),
        }
    }

    /// Every measure of the pack with what it finds now: for who oversees controls, and for whom the
    /// pack names for one.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn measures(&self, caller: &Caller) -> Result<Arc<Vec<(Measure, Measured)>>> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let named = self
            .pack
            .attestations()
            .iter()
            .any(|attestation| caller.named(&attestation.owner, Reach::Anywhere, None, now).is_some());
        let decision = self.require_general(&caller, Action::Search, target(THING, named)).await?;
        let found = Box::pin(async { self.measured_now().await.map(Arc::new) });
        let found = self.asked.measures.ask(self.pack.hash(), found).await?;
        self.note_look(&caller, &decision, Look::at(Action::Search, THING).count(found.len())).await?;
        Ok(found)
    }

    async fn measured_now(&self) -> Result<Vec<(Measure, Measured)>> {
        let looked = self.looked().await?;
        let measures = self.pack.measures();
        let found = each(measures.iter().map(|one| self.measure(&one.check, &looked)).collect()).await?;
        Ok(measures.iter().cloned().zip(found).collect())
    }
}
