//! The connection to the mail server (SMTP, RFC 5321).

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters, TlsVersion};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use mimamori_app::{MailFailure, Mailer};

use crate::config::{Mail, MailTls, Password};
use crate::exit::{Exit, Failure, Result};
use crate::home;

/// Longest time that each step of the conversation may take.
const STEP: Duration = Duration::from_secs(20);
/// Longest time for one message.
const MESSAGE: Duration = Duration::from_secs(60);

/// Sends mail through the server that the settings name.
#[derive(Clone)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").finish_non_exhaustive()
    }
}

impl Smtp {
    /// Reads password and certificate authority; connects to nothing yet.
    ///
    /// # Errors
    /// [`Exit::Configuration`] for a file that cannot be used, with what to do.
    pub fn new(mail: &Mail) -> Result<Self> {
        let from = mail.from.parse().map_err(|_| wrong("mail.from is no mail address".to_owned()))?;
        let tls = match mail.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(parameters(mail)?),
            MailTls::Implicit => Tls::Wrapper(parameters(mail)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.server)
            .port(mail.port)
            .tls(tls)
            .timeout(Some(STEP));
        if let Some((user, password)) = &mail.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), read(password)?));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Connects, encrypts and signs in as for a message, and sends none.
    ///
    /// # Errors
    /// What is wrong, as the library says it: server names and reply codes, no password.
    pub async fn probe(&self) -> std::result::Result<(), (MailFailure, String)> {
        let tried = tokio::time::timeout(MESSAGE, self.transport.test_connection()).await;
        match tried {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err((MailFailure::Later, "the server does not answer as it should".to_owned())),
            Ok(Err(error)) => Err((of_server(&error), whole(&error))),
            Err(_) => Err((MailFailure::Unreachable, "the server takes too long".to_owned())),
        }
    }
}

impl Mailer for Smtp {
    async fn send(&self, to: &str, subject: &str, text: &str) -> std::result::Result<(), MailFailure> {
        let to: Mailbox = to.parse().map_err(|_| MailFailure::Refused)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())
            .map_err(|_| MailFailure::Refused)?;
        match tokio::time::timeout(MESSAGE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(MailFailure::Unreachable),
        }
    }
}

/// What the failure of one message means.
fn failure(error: &SmtpError) -> MailFailure {
    let failure = match error.status().map(|code| code.to_string()) {
        // RFC 4954 section 6: what concerns signing in, not this message.
        Some(code) if matches!(code.as_str(), "530" | "534" | "535" | "538" | "454" | "432") => {
            MailFailure::SignIn
        }
        Some(_) if error.is_permanent() => MailFailure::Refused,
        Some(_) => MailFailure::Later,
        None => of_server(error),
    };
    // The server's own words may hold the address.
    tracing::debug!(?failure, "a message was not sent");
    failure
}

/// The same where there is no message yet: whatever is refused concerns the program.
fn of_server(error: &SmtpError) -> MailFailure {
    match () {
        () if error.is_tls() || certificate_refused(error) => MailFailure::Tls,
        () if error.is_permanent() || error.is_client() => MailFailure::SignIn,
        () if error.is_transient() => MailFailure::Later,
        () => MailFailure::Unreachable,
    }
}

/// Whether the handshake failed: the library tells that as a failed connection.
fn certificate_refused(error: &SmtpError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let inside = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        if error.is::<rustls::Error>() || inside.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn whole(error: &SmtpError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn parameters(mail: &Mail) -> Result<TlsParameters> {
    let mut builder = TlsParameters::builder(mail.server.clone()).set_min_tls_version(TlsVersion::Tlsv12);
    if let Some(file) = &mail.authority {
        let pem = std::fs::read(file).map_err(|error| Failure::io(Exit::Configuration, file, &error))?;
        let authority = Certificate::from_pem(&pem)
            .map_err(|_| wrong(format!("mail.authority: {} holds no certificate (PEM)", file.display())))?;
        builder = builder.add_root_certificate(authority);
    }
    builder.build_rustls().map_err(|error| wrong(format!("mail.server: {error}")))
}

fn read(password: &Password) -> Result<String> {
    let file = match password {
        Password::Given(password) => return Ok(password.clone()),
        Password::File(file) => file,
    };
    let unreadable = |error: std::io::Error| {
        Failure::io(Exit::Configuration, file, &error)
            .next("mail.password-file holds the password of mail.user, and nothing else.")
    };
    if let Some(problem) = home::permission_problem(file).map_err(unreadable)? {
        return Err(wrong(format!("mail.password-file: {}: {problem}", file.display()))
            .next(format!("chmod 600 {0}, and make it belong to the account that serves", file.display())));
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Configuration, message)
}
