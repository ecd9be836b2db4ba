//! `mimamori doctor`: looks at an installation, says what is wrong and what to do.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use mimamori_app::{App, MailFailure, Room, Space};
use mimamori_domain::{Clock, InstanceId, SystemClock, Timestamp};
use mimamori_policy::Pack;
use mimamori_vault::{Ring, RootKeyFile};
use serde::Serialize;
use serde_json::json;

use crate::cli::Context;
use crate::clock_offset;
use crate::config::{Config, Database, Mail, MailTls};
use crate::exit::{Exit, Failure, Result};
use crate::home::{self, Home};
use crate::installation::{self, Installation};
use crate::mail::Smtp;
use crate::net::Certificates;

/// How often the disk is asked to keep something.
const FSYNC_TRIES: usize = 9;
/// A disk that takes longer makes everybody wait.
const SLOW_FSYNC: Duration = Duration::from_millis(50);
/// No medium keeps anything so fast: something in between only says that it did.
const UNBELIEVABLE_FSYNC: Duration = Duration::from_micros(10);
/// Recorded times should be good to a second (the guideline's logs are compared across systems).
const MOST_CLOCK_ERROR: Duration = Duration::from_secs(1);

/// Below so many days until the certificate expires there is a warning.
const CERTIFICATE_DAYS: i64 = 30;

#[derive(Debug, Args)]
pub struct Arguments {}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    Warning,
    Problem,
    NotMeasured,
}

/// One check.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    detail: String,
    /// What to do about it.
    next: Option<String>,
}

/// Runs every check.
///
/// # Errors
/// Only when the command line names no folder; what is wrong with an installation is no failure
/// of this command but its result: [`Exit::Failed`] when there is a problem.
pub async fn run(context: &Context, _arguments: &Arguments) -> Result<Exit> {
    let home = context.home()?;
    let mut findings = vec![];
    match installation::load_config(context) {
        Err(failure) => findings.push(problem("settings", &failure)),
        Ok(config) => {
            findings.push(ok("settings", context.config_file()?.display()));
            findings.extend(permissions(&home, &config));
            findings.extend(keys(&home, &config));
            findings.extend(certificate(&config));
            findings.push(rules(&config));
            let folder = match &config.database {
                Database::Sqlite(path) => path.parent().map_or_else(|| home.data(), Path::to_owned),
                Database::Postgres(_) => home.state(),
            };
            findings.push(space(&folder));
            findings.push(fsync(&folder));
            findings.push(clock());
            findings.push(mail(&config).await);
            findings.extend(database(context, &config).await);
        }
    }
    let worst = findings.iter().any(|finding| finding.state == State::Problem);
    let lines: Vec<String> = findings.iter().map(line).collect();
    context.console.result(&json!(findings), lines.join("\n"));
    Ok(if worst { Exit::Failed } else { Exit::Done })
}

fn line(finding: &Finding) -> String {
    let mark = match finding.state {
        State::Ok => "ok          ",
        State::Warning => "warning     ",
        State::Problem => "PROBLEM     ",
        State::NotMeasured => "not measured",
    };
    let next = finding.next.as_ref().map(|next| format!("\n                -> {next}")).unwrap_or_default();
    format!("{mark}  {:<16} {}{next}", finding.check, finding.detail)
}

fn ok(check: &'static str, detail: impl ToString) -> Finding {
    Finding { check, state: State::Ok, detail: detail.to_string(), next: None }
}

fn problem(check: &'static str, failure: &Failure) -> Finding {
    Finding { check, state: State::Problem, detail: failure.message.clone(), next: failure.next.clone() }
}

fn permissions(home: &Home, config: &Config) -> Vec<Finding> {
    let mut paths = vec![home.path().to_owned(), home.keys(), home.data(), home.state()];
    paths.extend(config.tls.as_ref().map(|tls| tls.key.clone()));
    let wrong: Vec<Finding> = paths
        .iter()
        .filter_map(|path| {
            let detail = match home::permission_problem(path) {
                Ok(None) => return None,
                Ok(Some(problem)) => problem,
                Err(error) => error.to_string(),
            };
            Some(Finding {
                check: "permissions",
                state: State::Problem,
                detail: format!("{}: {detail}", path.display()),
                next: Some(format!(
                    "chmod go= {0}, and make it belong to the account that serves",
                    path.display()
                )),
            })
        })
        .collect();
    if wrong.is_empty() { vec![ok("permissions", "only this account gets at the folders")] } else { wrong }
}

fn keys(home: &Home, config: &Config) -> Vec<Finding> {
    let restore = "put it back from where its copy is kept; without it nothing can be read";
    let failed = |check, error: &dyn std::fmt::Display| Finding {
        check,
        state: State::Problem,
        detail: error.to_string(),
        next: Some(restore.to_owned()),
    };
    match RootKeyFile::open(&config.root_key) {
        Err(error) => vec![failed("root key", &error)],
        Ok(root) => match Ring::open(&installation::ring_file(home), &root) {
            Err(error) => vec![ok("root key", config.root_key.display()), failed("key ring", &error)],
            Ok(ring) => vec![
                ok("root key", config.root_key.display()),
                ok(
                    "key ring",
                    format!("change {}, current key since {}", ring.serial(), ring.current_since()),
                ),
            ],
        },
    }
}

fn certificate(config: &Config) -> Option<Finding> {
    let tls = config.tls.as_ref()?;
    Some(match Certificates::load(tls) {
        Ok(certificates) => expiry(&tls.certificate, certificates.expires(), SystemClock::default().now()),
        Err(failure) => problem("certificate", &failure),
    })
}

/// Until when a certificate may be used.
fn expiry(file: &Path, expires: Option<Timestamp>, now: Timestamp) -> Finding {
    let check = "certificate";
    let Some(expires) = expires else {
        let detail = format!("{}: until when it is valid cannot be read", file.display());
        return Finding { check, state: State::NotMeasured, detail, next: None };
    };
    let renew = "renew it, put it in its place, and send the program SIGHUP: it needs no restart";
    let left = expires.as_micros().saturating_sub(now.as_micros());
    let days = left.div_euclid(24 * 60 * 60 * 1_000_000);
    let (state, when) = match () {
        () if left <= 0 => (State::Problem, format!("expired at {expires}: browsers refuse it")),
        () if days < CERTIFICATE_DAYS => (State::Warning, format!("expires in {days} days, at {expires}")),
        () => (State::Ok, format!("valid until {expires}")),
    };
    let next = (state != State::Ok).then(|| renew.to_owned());
    Finding { check, state, detail: format!("{}: {when}", file.display()), next }
}

fn rules(config: &Config) -> Finding {
    match crate::packs::load(config.pack.as_deref()) {
        Ok(pack) => ok("policy pack", format!("{} {}", pack.id(), pack.hash_text())),
        Err(failure) => problem("policy pack", &failure),
    }
}

fn space(folder: &Path) -> Finding {
    let check = "disk space";
    let space = match Space::at(folder) {
        Ok(space) => space,
        Err(error) => {
            return Finding {
                check,
                state: State::NotMeasured,
                detail: format!("{}: {error}", folder.display()),
                next: None,
            };
        }
    };
    let state = match space.room() {
        Room::TooLittle => State::Problem,
        Room::Low => State::Warning,
        Room::Enough => State::Ok,
    };
    let next = (state != State::Ok).then(|| {
        "make room: when the disk is full, the system refuses every access until there is space again"
            .to_owned()
    });
    let detail = format!("{} MiB free ({}%) at {}", space.free >> 20, space.percent(), folder.display());
    Finding { check, state, detail, next }
}

fn fsync(folder: &Path) -> Finding {
    let check = "disk fsync";
    match median_fsync(folder) {
        Err(error) => Finding {
            check,
            state: State::Problem,
            detail: format!("{}: {error}", folder.display()),
            next: Some("the folder must be writable for the account that serves".to_owned()),
        },
        Ok(median) => {
            let (state, next) = match () {
                () if median < UNBELIEVABLE_FSYNC => (
                    State::Warning,
                    Some(
                        "no disk is that fast: is this a file system in memory, or a cache without a battery?",
                    ),
                ),
                () if median > SLOW_FSYNC => (
                    State::Warning,
                    Some("every change waits for this: a faster disk helps more than anything"),
                ),
                () => (State::Ok, None),
            };
            let detail = format!("{:.2} ms to keep a write", median.as_secs_f64() * 1e3);
            Finding { check, state, detail, next: next.map(str::to_owned) }
        }
    }
}

fn median_fsync(folder: &Path) -> std::io::Result<Duration> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    let measure = || -> std::io::Result<Vec<Duration>> {
        let mut file = File::options().write(true).create_new(true).open(&path)?;
        (0..FSYNC_TRIES)
            .map(|_| {
                file.write_all(&[0x5a; 4096])?;
                let begun = Instant::now();
                file.sync_data()?;
                Ok(begun.elapsed())
            })
            .collect()
    };
    let times = measure();
    // Whatever came out, the file must not stay.
    let removed = fs::remove_file(&path);
    let mut times = times?;
    removed?;
    times.sort_unstable();
    times.get(FSYNC_TRIES / 2).copied().ok_or_else(|| std::io::ErrorKind::Other.into())
}

fn clock() -> Finding {
    let check = "clock";
    let advice =
        "run chrony against a time server (apt install chrony); its offset is then recorded with every entry";
    match clock_offset::measure() {
        Some(measured) => {
            let right = measured.error <= MOST_CLOCK_ERROR;
            Finding {
                check,
                state: if right { State::Ok } else { State::Problem },
                detail: format!("at most {:.3} ms from standard time", measured.error.as_secs_f64() * 1e3),
                next: (!right)
                    .then(|| "find out why chrony cannot hold the clock: `chronyc tracking`".to_owned()),
            }
        }
        None => Finding {
            check,
            state: State::NotMeasured,
            detail: "chrony is not running or not synchronised".to_owned(),
            next: Some(advice.to_owned()),
        },
    }
}

/// Whether reminders can be sent: the server is reached, encrypts, and lets the program sign in.
async fn mail(config: &Config) -> Finding {
    let check = "mail";
    let Some(mail) = &config.mail else {
        return ok(check, "not set up: no reminders are sent ([mail] in the settings)");
    };
    let at = format!("{}:{}", mail.server, mail.port);
    let probed = match Smtp::new(mail) {
        Ok(smtp) => smtp.probe().await,
        Err(failure) => return problem(check, &failure),
    };
    match probed {
        Ok(()) => ok(check, format!("{at} answers ({})", mail_safety(mail))),
        Err((failure, told)) => Finding {
            check,
            state: State::Problem,
            detail: format!("{at}: {told}"),
            next: Some(mail_advice(failure).to_owned()),
        },
    }
}

fn mail_safety(mail: &Mail) -> String {
    let encrypted = match mail.tls {
        MailTls::None => "not encrypted, on this machine",
        MailTls::Starttls | MailTls::Implicit => "encrypted",
    };
    let signed = if mail.credentials.is_some() { "signed in" } else { "without signing in" };
    format!("{encrypted}, {signed}")
}

const fn mail_advice(failure: MailFailure) -> &'static str {
    match failure {
        MailFailure::Unreachable => {
            "check mail.server and mail.port, and that the firewall lets this machine through; \
             servers that encrypt from the first byte want mail.tls = \"implicit\""
        }
        MailFailure::Tls => {
            "the certificate must name mail.server and come from an authority this machine trusts; \
             name the organisation's own one in mail.authority"
        }
        MailFailure::SignIn => "check mail.user and the password; the server says what it refuses",
        MailFailure::Later | MailFailure::Refused => "the server refuses for now: ask who runs it",
    }
}

async fn database(context: &Context, config: &Config) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut findings = Vec::new();
    match installation::open_store(&config.database, &clock, InstanceId::random(), false).await {
        Err(failure) => findings.push(problem("database", &failure)),
        Ok(store) => {
            let detail = match store.head().await {
                Ok(Some(head)) => {
                    format!(
                        "{}, epoch {}, {} entries, last {}",
                        store.database(),
                        head.epoch,
                        head.size,
                        head.recorded
                    )
                }
                Ok(None) => format!("{}, empty", store.database()),
                Err(error) => {
                    store.close().await;
                    return vec![problem("database", &Failure::new(Exit::Unavailable, error.to_string()))];
                }
            };
            store.close().await;
            // Opening checked version, durability settings and schema, or refused.
            findings.push(ok("database", detail));
            match Installation::open(context).await {
                Err(failure) => findings.push(problem("ledger", &failure)),
                Ok(installation) => {
                    findings.push(ok("ledger", "the database is not older than what was signed"));
                    findings.push(in_force(installation.app.pack()));
                    findings.push(zones(config, installation.app.pack()));
                    findings.push(provider(config, &installation.app).await);
                    installation.close().await;
                }
            }
        }
    }
    findings
}

/// Whether the identity provider is reached, is who the settings say, and signs as is accepted.
async fn provider(config: &Config, app: &App) -> Finding {
    let check = "sign-in";
    let Some(sign_in) = &config.sign_in else {
        return ok(check, "no identity provider: people sign in here ([sign-in] in the settings)");
    };
    if let Err(failure) = crate::provider::serve(app, config, config.listen.staff.port()) {
        return problem(check, &failure);
    }
    match app.probe_provider().await {
        Ok(keys) => ok(check, format!("{} answers, {keys} keys", sign_in.issuer)),
        Err(error) => Finding {
            check,
            state: State::Problem,
            detail: format!("{}: {}", sign_in.issuer, error.detail().unwrap_or(error.message())),
            next: Some(
                "check sign-in.issuer against \"issuer\" in the provider's \
                 /.well-known/openid-configuration, the network, and sign-in.authority; until then people \
                 sign in with their passwords"
                    .to_owned(),
            ),
        },
    }
}

/// Whether the rules in force know everything that this program asks of rules.
fn in_force(pack: &Pack) -> Finding {
    let taken: Vec<_> = pack.taken_from_program().collect();
    let (check, detail) = ("rules in force", format!("{} {}", pack.id(), pack.hash_text()));
    if taken.is_empty() {
        return ok(check, detail);
    }
    Finding {
        check,
        state: State::Warning,
        detail: format!("{detail}; the program's own values hold for {}", taken.join(", ")),
        next: Some(format!(
            "these rules are older than the program: `mimamori pack archive {} FILE`, add what site.yaml said, \
             and have it adopted by the procedure for rules",
            pack.id()
        )),
    }
}

/// Which networks are told apart, and whether the rules in force know them.
fn zones(config: &Config, pack: &Pack) -> Finding {
    let (check, network) = ("zones", &config.network);
    let unknown = network.unknown_zones(pack);
    if !unknown.is_empty() {
        return Finding {
            check,
            state: State::Problem,
            detail: format!("network.zones names what the rules do not know: {}", unknown.join(", ")),
            next: Some("nobody may come from there: name zones of the policy pack in force".to_owned()),
        };
    }
    let proxies = match network.proxies.len() {
        0 => "no proxy is believed".to_owned(),
        1 => "1 range of proxies is believed".to_owned(),
        more => format!("{more} ranges of proxies are believed"),
    };
    let certificates = if network.certificate_header { ", also about certificates" } else { "" };
    if network.zones.is_empty() {
        return ok(
            check,
            format!("none are told apart: whatever the address, the same is open; {proxies}{certificates}"),
        );
    }
    let listed: Vec<String> = network.zones.iter().map(|(range, zone)| format!("{zone} {range}")).collect();
    ok(check, format!("{}, all else outside; {proxies}{certificates}", listed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_a_month_before_it_expires() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let state = |days: i64, seconds: i64| {
            let expires = now.as_micros() + (days * 86_400 + seconds) * 1_000_000;
            expiry(Path::new("c.pem"), Some(Timestamp::from_micros(expires)), now).state
        };
        assert_eq!([state(400, 0), state(30, 0)], [State::Ok; 2]);
        assert_eq!([state(30, -1), state(1, 0), state(0, 1)], [State::Warning; 3]);
        assert_eq!([state(0, 0), state(-1, 0)], [State::Problem; 2]);
        assert_eq!(expiry(Path::new("c.pem"), None, now).state, State::NotMeasured);
    }

    #[test]
    fn a_disk_is_measured_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(median_fsync(folder.path()).unwrap() > Duration::ZERO);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(median_fsync(&folder.path().join("gone")).is_err());
        assert_ne!(space(folder.path()).state, State::NotMeasured);
    }
}
