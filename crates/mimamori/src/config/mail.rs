//! The mail server that reminders go through.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::wrong;
use crate::exit::Result;

/// The variable that may hold the password instead of a file. It is no setting: a settings file is read
/// and copied by too many.
pub const PASSWORD_VARIABLE: &str = "MIMAMORI_MAIL_PASSWORD";

/// How reminders are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub server: String,
    pub port: u16,
    pub tls: MailTls,
    /// A further certificate authority (PEM) beside those that the machine trusts.
    pub authority: Option<PathBuf>,
    pub from: String,
    pub credentials: Option<(String, Password)>,
    /// What people open to reach the pages.
    pub link: String,
    /// From which hour in Japan on a day's reminders are sent.
    pub hour: u8,
}

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// STARTTLS, required (RFC 3207).
    Starttls,
    /// From the first byte (RFC 8314 section 3.3).
    Implicit,
    /// In clear: only to a server on this machine.
    None,
}

impl MailTls {
    /// The port that servers use for it.
    const fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// Where the password is.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    File(PathBuf),
    Given(String),
}

/// The password stays out of debug output.
impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.write_str("Given(..)"),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct MailSection {
    server: Option<String>,
    port: Option<u16>,
    tls: Option<MailTls>,
    authority: Option<PathBuf>,
    from: Option<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    link: Option<String>,
    hour: Option<u8>,
}

impl MailSection {
    /// The section as a whole; `None` when no server is named. `link` is where the pages are served.
    pub(super) fn checked(
        self,
        home: &Path,
        link: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<Mail>> {
        let Some(server) = self.server else {
            let others = [
                ("port", self.port.is_some()),
                ("tls", self.tls.is_some()),
                ("authority", self.authority.is_some()),
                ("from", self.from.is_some()),
                ("user", self.user.is_some()),
                ("password-file", self.password_file.is_some()),
                ("link", self.link.is_some()),
                ("hour", self.hour.is_some()),
            ];
            return match others.iter().find(|(_, set)| *set) {
                Some((name, _)) => Err(wrong(format!("mail.{name} is set but mail.server is not"))),
                None => Ok(None),
            };
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if server.is_empty() || !server.chars().all(plain) {
            return Err(wrong("mail.server must be the name or address of a host")
                .next("The port goes into mail.port, for example server = \"smtp.example.jp\"."));
        }
        let tls = self.tls.unwrap_or(MailTls::Starttls);
        let here = server == "localhost"
            || server.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if tls == MailTls::None && !here {
            return Err(wrong("mail.tls = \"none\" would send people's addresses in clear")
                .next("Use \"starttls\" or \"implicit\"; \"none\" is for a mail server on this machine."));
        }
        let from = self.from.ok_or_else(|| wrong("mail.server is set but mail.from is not"))?;
        if from.parse::<lettre::message::Mailbox>().is_err() {
            return Err(
                wrong("mail.from is no mail address").next("For example from = \"mimamori@example.jp\".")
            );
        }
        let hour = self.hour.unwrap_or(8);
        if hour > 23 {
            return Err(wrong("mail.hour is an hour of the day, 0 to 23"));
        }
        let link = self.link.unwrap_or_else(|| link.to_owned());
        let web = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
        if web.is_none_or(str::is_empty) || link.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(wrong("mail.link must be the address of the pages, https://..."));
        }
        let given = environment.get(PASSWORD_VARIABLE).cloned().map(Password::Given);
        let password = given.or(self.password_file.map(|file| Password::File(home.join(file))));
        let credentials = match (self.user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(wrong("mail.user is set but no password")
                    .next(format!("Set mail.password-file, or {PASSWORD_VARIABLE} in the environment.")));
            }
            (None, Some(_)) => return Err(wrong("a mail password is set but mail.user is not")),
        };
        let port = self.port.unwrap_or(tls.port());
        let authority = self.authority.map(|file| home.join(file));
        Ok(Some(Mail { server, port, tls, authority, from, credentials, link, hour }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::parse(text, "mimamori.toml", Path::new("/srv/home"), &environment)
    }

    const LEAST: &str = "[mail]\nserver = \"smtp.example.jp\"\nfrom = \"mimamori@example.jp\"\n";

    #[test]
    fn nothing_is_sent_without_a_server_and_little_is_needed_with_one() {
        assert_eq!(parse("", &[]).unwrap().mail, None);
        let mail = parse(LEAST, &[]).unwrap().mail.unwrap();
        assert_eq!((mail.port, mail.tls, mail.hour), (587, MailTls::Starttls, 8));
        assert_eq!((mail.link.as_str(), mail.credentials), ("http://127.0.0.1:8080/", None));
        let implicit = parse(&format!("{LEAST}tls = \"implicit\"\n"), &[]).unwrap().mail.unwrap();
        assert_eq!(implicit.port, 465);
    }

    #[test]
    fn what_does_not_go_together_is_refused_and_says_why() {
        for (text, why) in [
            ("[mail]\nfrom = \"a@example.jp\"", "mail.server is not"),
            ("[mail]\nserver = \"smtp.example.jp\"", "mail.from is not"),
            ("[mail]\nserver = \"smtp.example.jp:25\"\nfrom = \"me\"", "no mail address"),
            ("[mail]\nserver = \"a b\"\nfrom = \"a@example.jp\"", "name or address of a host"),
            (&format!("{LEAST}tls = \"none\""), "in clear"),
            (&format!("{LEAST}user = \"u\""), "MIMAMORI_MAIL_PASSWORD"),
            (&format!("{LEAST}password-file = \"p\""), "mail.user is not"),
            (&format!("{LEAST}hour = 24"), "0 to 23"),
            (&format!("{LEAST}link = \"mimamori\""), "https://"),
            (&format!("{LEAST}sever = \"x\""), "Did you mean `server`?"),
            (&format!("{LEAST}password = \"x\""), "unknown key `password`"),
        ] {
            let error = parse(text, &[]).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let here = "[mail]\nserver = \"127.0.0.1\"\nfrom = \"a@example.jp\"\ntls = \"none\"";
        assert_eq!(parse(here, &[]).unwrap().mail.unwrap().port, 25);
    }

    #[test]
    fn the_password_comes_from_a_file_or_the_environment_and_is_never_shown() {
        let text = format!("{LEAST}user = \"mimamori\"\npassword-file = \"keys/mail\"\n");
        let mail = parse(&text, &[]).unwrap().mail.unwrap();
        assert_eq!(mail.credentials.unwrap().1, Password::File("/srv/home/keys/mail".into()));
        let config = parse(&text, &[(PASSWORD_VARIABLE, "hushhush")]).unwrap();
        assert!(!format!("{config:?}").contains("hushhush"));
        assert_eq!(config.mail.unwrap().credentials.unwrap().1, Password::Given("hushhush".to_owned()));
    }
}
