//! Settings: one TOML file, overridden by `MIMAMORI_*` environment variables.
//!
//! Everything is checked before anything is opened. An error names file, line, column and what to
//! do; a key that is not known is refused, with the nearest known one.

mod keys;
mod mail;
mod network;
mod sign_in;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use keys::{Form, KEYS, Key, example_file, nearest};
pub use mail::{Mail, MailTls, PASSWORD_VARIABLE, Password};
pub use network::{AddressHeader, Network, OUTSIDE};
pub use sign_in::SignIn;

use crate::exit::{Exit, Failure, Result};

/// The settings, complete and checked. Paths are absolute or relative to the working folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Name of this installation.
    pub name: String,
    /// Where people open the pages: what passkeys are for. `None` without TLS: this machine's own name.
    pub address: Option<String>,
    pub database: Database,
    pub listen: Listen,
    pub network: Network,
    /// `None`: plain HTTP, which only loopback addresses may speak.
    pub tls: Option<Tls>,
    pub root_key: PathBuf,
    /// `None`: the built-in base pack.
    pub pack: Option<PathBuf>,
    pub log: Log,
    /// `None`: no mail is sent.
    pub mail: Option<Mail>,
    /// `None`: people sign in here only.
    pub sign_in: Option<SignIn>,
    pub jobs: Jobs,
}

/// What runs by itself, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jobs {
    /// How often the whole database is verified; `None`: never by itself.
    pub verify: Option<Duration>,
}

/// Where records and ledger are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    /// The URL may hold a password.
    Postgres(String),
}

/// A URL may hold a password: only its kind is shown.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

/// Addresses and limits of the listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub staff: SocketAddr,
    pub fhir: SocketAddr,
    /// Where FHIR is reached from outside, ending in `/fhir`; `None`: at the listener's own address.
    pub fhir_url: Option<String>,
    /// Pages for registered terminals, with client certificates.
    pub terminals: Option<SocketAddr>,
    /// FHIR for holders of client certificates.
    pub programs: Option<SocketAddr>,
    pub client_certificates: ClientCertificates,
    /// Most connections at a time, per listener.
    pub connections: usize,
    /// Most connections at a time from one address.
    pub connections_per_address: usize,
}

/// Whether the listeners for certificates insist on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    #[default]
    Required,
    Asked,
}

/// Files of the server certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub level: Level,
    pub format: LogFormat,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// Reads `file` and the environment. `home` is what relative paths count from.
    ///
    /// # Errors
    /// [`Exit::Configuration`] with file, line and what to do; [`Exit::Unavailable`] when the file
    /// cannot be read.
    pub fn load(file: &Path, home: &Path, environment: &BTreeMap<String, String>) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::io(Exit::Unavailable, file, &error)
                .next("`mimamori init` makes a new installation; `--home` names where an existing one is.")
        })?;
        Self::parse(&text, &file.display().to_string(), home, environment)
    }

    /// The same from text; `place` names it in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        text: &str,
        place: &str,
        home: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let at = |span: Option<std::ops::Range<usize>>| match span {
            Some(span) => {
                let (line, column) = line_and_column(text, span.start);
                format!("{place}:{line}:{column}")
            }
            None => place.to_owned(),
        };
        refuse_unknown_keys(text, &at)?;
        let wrong = |error: &toml::de::Error| wrong(format!("{}: {}", at(error.span()), error.message()));
        toml::from_str::<File>(text).map_err(|error| wrong(&error))?;
        let mut table: toml::Table = toml::from_str(text).map_err(|error| wrong(&error))?;
        let file = override_from_environment(&mut table, environment)?;
        file.checked(home, environment)
    }

    /// What people type to reach a listener.
    #[must_use]
    pub fn url(&self, address: SocketAddr) -> String {
        url_of(self.tls.is_some(), address)
    }
}

/// The file as written: everything may be left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    name: String,
    address: Option<String>,
    database: String,
    listen: ListenSection,
    network: network::NetworkSection,
    tls: TlsSection,
    root_key: RootKeySection,
    policy: PolicySection,
    log: LogSection,
    mail: mail::MailSection,
    sign_in: sign_in::SignInSection,
    jobs: JobsSection,
}

impl Default for File {
    fn default() -> Self {
        Self {
            name: "Mimamori".into(),
            address: None,
            database: "sqlite:data/mimamori.db".into(),
            listen: ListenSection::default(),
            network: network::NetworkSection::default(),
            tls: TlsSection::default(),
            root_key: RootKeySection::default(),
            policy: PolicySection::default(),
            log: LogSection::default(),
            mail: mail::MailSection::default(),
            sign_in: sign_in::SignInSection::default(),
            jobs: JobsSection::default(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct ListenSection {
    staff: SocketAddr,
    fhir: SocketAddr,
    fhir_url: Option<String>,
    terminals: Option<SocketAddr>,
    programs: Option<SocketAddr>,
    client_certificates: ClientCertificates,
    connections: usize,
    connections_per_address: usize,
}

impl Default for ListenSection {
    fn default() -> Self {
        Self {
            staff: SocketAddr::from(([127, 0, 0, 1], 8080)),
            fhir: SocketAddr::from(([127, 0, 0, 1], 8081)),
            fhir_url: None,
            terminals: None,
            programs: None,
            client_certificates: ClientCertificates::Required,
            connections: 1024,
            connections_per_address: 128,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsSection {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RootKeySection {
    file: PathBuf,
}

impl Default for RootKeySection {
    fn default() -> Self {
        Self { file: "keys/root.key".into() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicySection {
    folder: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogSection {
    level: Level,
    format: LogFormat,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: Level::Info, format: LogFormat::Text }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct JobsSection {
    verify_hours: u32,
}

impl Default for JobsSection {
    fn default() -> Self {
        Self { verify_hours: 24 }
    }
}

impl File {
    fn checked(self, home: &Path, environment: &BTreeMap<String, String>) -> Result<Config> {
        let tls = match (self.tls.certificate, self.tls.key) {
            (Some(certificate), Some(key)) => {
                Some(Tls { certificate: home.join(certificate), key: home.join(key) })
            }
            (None, None) => None,
            (Some(_), None) => return Err(wrong("tls.certificate is set but tls.key is not")),
            (None, Some(_)) => return Err(wrong("tls.key is set but tls.certificate is not")),
        };
        for (key, address) in [("listen.staff", self.listen.staff), ("listen.fhir", self.listen.fhir)] {
            if tls.is_none() && !address.ip().is_loopback() {
                return Err(wrong(format!(
                    "{key} = \"{address}\" can be reached from other machines, but no TLS certificate is set: \
                     people's records would cross the network in clear"
                ))
                .next(
                    "Set tls.certificate and tls.key, or listen on 127.0.0.1 or [::1] behind a TLS proxy on \
                     this machine.",
                ));
            }
        }
        let outside = self.listen.fhir_url.as_deref();
        let proper = |url: &str| {
            (url.starts_with("https://") || url.starts_with("http://127.0.0.1")) && url.ends_with("/fhir")
        };
        if !outside.is_none_or(proper) {
            return Err(wrong("listen.fhir-url must begin with https:// and end in /fhir"));
        }
        let certified =
            [("listen.terminals", self.listen.terminals), ("listen.programs", self.listen.programs)];
        let mut taken = vec![("listen.staff", self.listen.staff), ("listen.fhir", self.listen.fhir)];
        for (key, address) in certified {
            let Some(address) = address else { continue };
            if tls.is_none() {
                return Err(wrong(format!("{key} is set, but tls.certificate is not"))
                    .next("Client certificates are shown over TLS only: set tls.certificate and tls.key."));
            }
            taken.push((key, address));
        }
        for (at, (key, address)) in taken.iter().enumerate() {
            let same = taken.iter().skip(at + 1).find(|(_, other)| other == address && address.port() != 0);
            if let Some((other, _)) = same {
                return Err(wrong(format!("{key} and {other} are the same address: give each its own port")));
            }
        }
        if self.listen.connections == 0 || self.listen.connections_per_address == 0 {
            return Err(wrong("listen.connections and listen.connections-per-address must be at least 1"));
        }
        if self.name.trim().is_empty() {
            return Err(wrong("name is empty"));
        }
        if let Some(address) = &self.address {
            let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://localhost"));
            if host.is_none() || address.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err(wrong("address must be how people open the pages, https://...")
                    .next("For example address = \"https://mimamori.example.jp\"."));
            }
        }
        let mail = self.mail.checked(home, &url_of(tls.is_some(), self.listen.staff), environment)?;
        let hours = self.jobs.verify_hours;
        Ok(Config {
            name: self.name,
            address: self.address,
            database: Database::parse(&self.database, home)?,
            listen: Listen {
                staff: self.listen.staff,
                fhir: self.listen.fhir,
                fhir_url: self.listen.fhir_url,
                terminals: self.listen.terminals,
                programs: self.listen.programs,
                client_certificates: self.listen.client_certificates,
                connections: self.listen.connections,
                connections_per_address: self.listen.connections_per_address,
            },
            network: self.network.checked()?,
            tls,
            root_key: home.join(self.root_key.file),
            pack: self.policy.folder.map(|folder| home.join(folder)),
            log: Log { level: self.log.level, format: self.log.format },
            mail,
            sign_in: self.sign_in.checked(home)?,
            jobs: Jobs { verify: (hours > 0).then(|| Duration::from_secs(3_600) * hours) },
        })
    }
}

impl Database {
    /// Reads a database URL; a relative SQLite path counts from `home`.
    ///
    /// # Errors
    /// [`Exit::Configuration`] when the URL is of no known kind. The URL itself is not shown: it
    /// may hold a password.
    pub fn parse(url: &str, home: &Path) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains(['?', '#']) {
                return Err(wrong(
                    "database: `sqlite:` must be followed by the path of a file, without options",
                ));
            }
            return Ok(Self::Sqlite(home.join(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        Err(wrong(format!("database: `{scheme}:` is not a kind of database this program knows"))
            .next("Use sqlite:PATH or postgres://USER@HOST/NAME."))
    }
}

fn url_of(tls: bool, address: SocketAddr) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}/")
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Configuration, message)
}

/// Line and column, both from 1; columns count characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before.get(start..).map_or(0, |rest| rest.chars().count()) + 1)
}

fn refuse_unknown_keys(text: &str, at: &dyn Fn(Option<std::ops::Range<usize>>) -> String) -> Result<()> {
    let table = toml::de::DeTable::parse(text)
        .map_err(|error| wrong(format!("{}: {}", at(error.span()), error.message())))?;
    for (name, value) in table.get_ref() {
        let here: &str = name.get_ref();
        let tops: Vec<&str> = KEYS
            .iter()
            .map(|key| match key.parts() {
                ("", name) => name,
                (section, _) => section,
            })
            .collect();
        if !tops.contains(&here) {
            return Err(unknown(&at(Some(name.span())), here, &tops));
        }
        if let toml::de::DeValue::Table(section) = value.get_ref() {
            let known: Vec<&str> =
                KEYS.iter().map(Key::parts).filter(|(of, _)| *of == here).map(|(_, name)| name).collect();
            for name in section.keys() {
                if !known.contains(&name.get_ref().as_ref()) {
                    return Err(unknown(&at(Some(name.span())), name.get_ref(), &known));
                }
            }
        }
    }
    Ok(())
}

fn unknown(place: &str, name: &str, known: &[&str]) -> Failure {
    let mut words: Vec<&str> = known.to_vec();
    words.dedup();
    let next = match nearest(name, words.iter().copied()) {
        Some(word) => format!("Did you mean `{word}`?"),
        None => format!("Known here: {}.", words.join(", ")),
    };
    wrong(format!("{place}: unknown key `{name}`")).next(next)
}

/// Variables that are ours but not settings.
const OTHER_VARIABLES: &[&str] = &["MIMAMORI_HOME", "MIMAMORI_CONFIG", PASSWORD_VARIABLE];

fn override_from_environment(
    table: &mut toml::Table,
    environment: &BTreeMap<String, String>,
) -> Result<File> {
    let variables: Vec<(String, &Key)> = KEYS.iter().map(|key| (key.variable(), key)).collect();
    for name in environment.keys().filter(|name| name.starts_with("MIMAMORI_")) {
        let known = variables.iter().map(|(variable, _)| variable.as_str());
        let all = known.chain(OTHER_VARIABLES.iter().copied());
        if let Some(word) = nearest(name, all)
            && word != name
        {
            return Err(
                wrong(format!("environment: unknown variable {name}")).next(format!("Did you mean {word}?"))
            );
        }
    }
    for (variable, key) in &variables {
        let Some(text) = environment.get(variable) else {
            continue;
        };
        let value = match key.form {
            Form::Text => toml::Value::from(text.as_str()),
            Form::Number => text
                .parse::<i64>()
                .map(toml::Value::from)
                .map_err(|_| wrong(format!("environment: {variable} must be a number")))?,
        };
        let (section, name) = key.parts();
        let target = if section.is_empty() {
            &mut *table
        } else {
            let entry = table.entry(section).or_insert_with(|| toml::Table::new().into());
            match entry.as_table_mut() {
                Some(table) => table,
                None => return Err(wrong(format!("`{section}` must be a section"))),
            }
        };
        target.insert(name.to_owned(), value);
        File::deserialize(table.clone())
            .map_err(|error| wrong(format!("environment: {variable}: {}", error.message())))?;
    }
    File::deserialize(table.clone()).map_err(|error| wrong(error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::parse(text, "mimamori.toml", Path::new("/srv/home"), &environment)
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let config = parse("", &[]).unwrap();
        assert_eq!(config.database, Database::Sqlite("/srv/home/data/mimamori.db".into()));
        assert_eq!(config.listen.staff, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(config.root_key, Path::new("/srv/home/keys/root.key"));
        assert_eq!(config.tls, None);
    }

    #[test]
    fn the_example_file_is_valid_and_shows_every_key() {
        let text = example_file(&[("name", "小さな\"町\"")]);
        let config = parse(&text, &[]).unwrap();
        assert_eq!(config.name, "小さな\"町\"");
        assert_eq!(config, Config { name: config.name.clone(), ..parse("", &[]).unwrap() });
        // Every commented-out setting is as good as it looks.
        let all = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") && rest.is_ascii() => rest,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n");
        let config = parse(&all, &[]).unwrap();
        assert_eq!(config.tls.unwrap().key, Path::new("/srv/home/tls/key.pem"));
        assert_eq!(config.pack.unwrap(), Path::new("/srv/home/pack"));
        for key in KEYS {
            assert!(text.contains(&format!("{} = ", key.parts().1)), "{}", key.path);
        }
    }

    #[test]
    fn an_unknown_key_names_its_place_and_the_nearest_known_one() {
        let error = parse("name = \"x\"\n[listen]\n  staf = \"127.0.0.1:1\"\n", &[]).unwrap_err();
        assert_eq!(error.exit, Exit::Configuration);
        assert_eq!(error.to_string(), "mimamori.toml:3:3: unknown key `staf`\n  Did you mean `staff`?");
        let error = parse("colour = 1", &[]).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "mimamori.toml:1:1: unknown key `colour`\n  Known here: name, address, database"
            ),
            "{error}"
        );
        let error = parse("[lisen]\nstaff = \"127.0.0.1:1\"", &[]).unwrap_err().to_string();
        assert!(error.contains("`listen`"), "{error}");
    }

    #[test]
    fn a_wrong_value_names_its_place() {
        let error = parse("[listen]\nstaff = \"here\"", &[]).unwrap_err().to_string();
        assert!(error.starts_with("mimamori.toml:2:9: "), "{error}");
        let error = parse("[log]\nlevel = \"loud\"", &[]).unwrap_err().to_string();
        assert!(error.starts_with("mimamori.toml:2:9: ") && error.contains("debug"), "{error}");
        let error = parse("name = ", &[]).unwrap_err().to_string();
        assert!(error.starts_with("mimamori.toml:1:"), "{error}");
    }

    #[test]
    fn the_environment_wins_and_is_checked_alike() {
        let config = parse(
            "[listen]\nstaff = \"127.0.0.1:1\"",
            &[
                ("MIMAMORI_LISTEN_STAFF", "127.0.0.1:2"),
                ("MIMAMORI_LISTEN_CONNECTIONS", "5"),
                ("MIMAMORI_HOME", "/elsewhere"),
                ("PATH", "/bin"),
            ],
        )
        .unwrap();
        assert_eq!((config.listen.staff.port(), config.listen.connections), (2, 5));
        let error = parse("", &[("MIMAMORI_LISTEN_STAF", "127.0.0.1:2")]).unwrap_err().to_string();
        assert!(error.contains("Did you mean MIMAMORI_LISTEN_STAFF?"), "{error}");
        let error = parse("", &[("MIMAMORI_LOG_FORMAT", "xml")]).unwrap_err().to_string();
        assert!(error.starts_with("environment: MIMAMORI_LOG_FORMAT: "), "{error}");
        let error = parse("", &[("MIMAMORI_LISTEN_CONNECTIONS", "many")]).unwrap_err().to_string();
        assert!(error.contains("must be a number"), "{error}");
    }

    #[test]
    fn plain_http_is_refused_beyond_the_loopback_address() {
        let error = parse("[listen]\nstaff = \"0.0.0.0:8080\"", &[]).unwrap_err();
        assert_eq!(error.exit, Exit::Configuration);
        assert!(error.to_string().contains("tls.certificate"), "{error}");
        assert!(parse("[listen]\nfhir = \"[::1]:8081\"", &[]).is_ok());
        let tls = "[listen]\nstaff = \"0.0.0.0:8443\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"";
        assert!(parse(tls, &[]).is_ok());
        assert!(parse("[tls]\nkey = \"k\"", &[]).is_err());
    }

    #[test]
    fn a_database_url_is_never_shown() {
        let error = parse("database = \"mysql://u:secret@h/d\"", &[]).unwrap_err().to_string();
        assert!(error.contains("`mysql:`") && !error.contains("secret"), "{error}");
        let config = parse("database = \"postgres://u:secret@h/d\"", &[]).unwrap();
        assert!(!format!("{config:?}").contains("secret"));
    }
}
