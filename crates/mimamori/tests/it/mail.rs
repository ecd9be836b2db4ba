//! Mail through a server that speaks SMTP over a socket, in clear and encrypted, as it should and not.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use mimamori::config::{Mail, MailTls, Password, Tls};
use mimamori::mail::Smtp;
use mimamori::net::{Certificates, server_config};
use mimamori_app::{MailFailure, Mailer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::certificate;

const PASSWORD: &str = "hana-no-iro-wa";

/// How a server of the tests behaves.
#[derive(Clone, Default)]
struct Behaviour {
    /// Encrypts with this: after STARTTLS, or from the first byte.
    tls: Option<TlsAcceptor>,
    implicit: bool,
    /// Wants a password.
    signs_in: bool,
    /// Answers so to the recipient.
    recipient: Option<&'static str>,
}

/// What a server saw: the lines that came encrypted, and those in clear.
#[derive(Default)]
struct Seen {
    clear: Vec<String>,
    encrypted: Vec<String>,
}

type Log = Arc<Mutex<Seen>>;

/// A server on a port of its own.
async fn server(behaviour: Behaviour) -> (SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let log = Log::default();
    let seen = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (behaviour, seen) = (behaviour.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                if behaviour.implicit {
                    let Some(tls) = behaviour.tls.clone() else { return };
                    if let Ok(stream) = tls.accept(stream).await {
                        talk(stream, &behaviour, &seen, true, true).await;
                    }
                } else if let Some(stream) = talk(stream, &behaviour, &seen, false, true).await
                    && let Some(tls) = &behaviour.tls
                    && let Ok(stream) = tls.accept(stream).await
                {
                    talk(stream, &behaviour, &seen, true, false).await;
                }
            });
        }
    });
    (address, log)
}

/// Talks SMTP (RFC 5321) until QUIT, the end, or STARTTLS, after which the stream is given back.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    behaviour: &Behaviour,
    seen: &Log,
    encrypted: bool,
    greet: bool,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(b"220 mail.test ESMTP\r\n").await.ok()?;
        stream.flush().await.ok()?;
    }
    let mut in_message = false;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let said = line.trim_end_matches(['\r', '\n']).to_owned();
        {
            let mut seen = seen.lock().unwrap();
            let part = if encrypted { &mut seen.encrypted } else { &mut seen.clear };
            part.push(said.clone());
        }
        let word = said.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match word.as_str() {
            _ if in_message => {
                if said != "." {
                    continue;
                }
                in_message = false;
                "250 taken".to_owned()
            }
            "EHLO" | "HELO" => {
                let mut lines = vec!["mail.test"];
                if behaviour.tls.is_some() && !encrypted {
                    lines.push("STARTTLS");
                }
                if behaviour.signs_in {
                    lines.push("AUTH PLAIN");
                }
                let last = lines.len() - 1;
                let mark = |at: usize| if at == last { ' ' } else { '-' };
                let lines = lines.iter().enumerate().map(|(at, text)| format!("250{}{text}", mark(at)));
                lines.collect::<Vec<_>>().join("\r\n")
            }
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n").await.ok()?;
                stream.flush().await.ok()?;
                return Some(stream.into_inner());
            }
            "AUTH" => {
                // `\0mimamori\0hana-no-iro-wa` in Base64.
                let right = said.ends_with("AG1pbWFtb3JpAGhhbmEtbm8taXJvLXdh");
                if right { "235 welcome" } else { "535 no" }.to_owned()
            }
            "RCPT" => behaviour.recipient.unwrap_or("250 ok").to_owned(),
            "DATA" => {
                in_message = true;
                "354 go on".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                stream.flush().await.ok()?;
                return None;
            }
            _ => "250 ok".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
}

fn settings(address: SocketAddr, tls: MailTls) -> Mail {
    Mail {
        server: if tls == MailTls::None { "127.0.0.1" } else { "localhost" }.to_owned(),
        port: address.port(),
        tls,
        authority: None,
        from: "Mimamori <mimamori@example.jp>".to_owned(),
        credentials: None,
        link: "https://mimamori.example/".to_owned(),
        hour: 8,
    }
}

fn acceptor(files: &Tls) -> TlsAcceptor {
    TlsAcceptor::from(server_config(Certificates::load(files).unwrap()).unwrap())
}

async fn send(mail: &Mail) -> Result<(), MailFailure> {
    Smtp::new(mail)
        .unwrap()
        .send("hana@example.jp", "【見守り】お知らせ", "実施待ち: 3件\nhttps://m.example/")
        .await
}

fn password_file(folder: &Path) -> Password {
    let file = folder.join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    Password::File(file)
}

#[tokio::test]
async fn a_message_reaches_a_server_on_this_machine() {
    let (address, seen) = server(Behaviour::default()).await;
    let mail = settings(address, MailTls::None);
    Smtp::new(&mail).unwrap().probe().await.unwrap();
    send(&mail).await.unwrap();
    let seen = seen.lock().unwrap();
    let has = |text: &str| seen.clear.iter().any(|line| line.contains(text));
    assert!(has("MAIL FROM:<mimamori@example.jp>") && has("RCPT TO:<hana@example.jp>"), "{:?}", seen.clear);
    // RFC 2047: what is not ASCII is encoded in a header, and declared for the text.
    assert!(has("Subject: =?utf-8?") && has("charset=utf-8"), "{:?}", seen.clear);
    assert!(seen.clear.iter().all(|line| line.is_ascii()));
}

#[tokio::test]
async fn a_message_and_the_password_go_encrypted_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "localhost");
    for (implicit, tls) in [(false, MailTls::Starttls), (true, MailTls::Implicit)] {
        let behaviour =
            Behaviour { tls: Some(acceptor(&files)), implicit, signs_in: true, ..Behaviour::default() };
        let (address, seen) = server(behaviour).await;
        let mut mail = settings(address, tls);
        mail.credentials = Some(("mimamori".to_owned(), password_file(folder.path())));
        // A certificate that nobody vouches for.
        assert_eq!(send(&mail).await, Err(MailFailure::Tls), "{tls:?}");
        let (failure, told) = Smtp::new(&mail).unwrap().probe().await.unwrap_err();
        assert_eq!(failure, MailFailure::Tls, "{told}");
        assert!(!told.contains(PASSWORD));
        mail.authority = Some(files.certificate.clone());
        Smtp::new(&mail).unwrap().probe().await.unwrap();
        send(&mail).await.unwrap();
        {
            let seen = seen.lock().unwrap();
            assert!(seen.encrypted.iter().any(|line| line.contains("RCPT TO:<hana@example.jp>")));
            assert!(!seen.clear.iter().any(|line| line.contains("AUTH") || line.contains("hana")));
        }
        // Another password, and a name the certificate does not have.
        mail.credentials = Some(("mimamori".to_owned(), Password::Given("wrong".to_owned())));
        assert_eq!(send(&mail).await, Err(MailFailure::SignIn), "{tls:?}");
        let (failure, told) = Smtp::new(&mail).unwrap().probe().await.unwrap_err();
        assert_eq!(failure, MailFailure::SignIn, "{told}");
        mail.server = "127.0.0.1".to_owned();
        assert_eq!(send(&mail).await, Err(MailFailure::Tls), "{tls:?}");
    }
    // A server that does not encrypt is told nothing.
    let (address, seen) = server(Behaviour::default()).await;
    assert!(send(&settings(address, MailTls::Starttls)).await.is_err());
    assert!(!seen.lock().unwrap().clear.iter().any(|line| line.contains("hana")));
}

#[tokio::test]
async fn what_a_server_says_to_one_recipient_is_understood() {
    for (answer, failure) in [
        ("550 no such user", MailFailure::Refused),
        ("450 try later", MailFailure::Later),
        ("530 sign in first", MailFailure::SignIn),
    ] {
        let (address, _) = server(Behaviour { recipient: Some(answer), ..Behaviour::default() }).await;
        assert_eq!(send(&settings(address, MailTls::None)).await, Err(failure), "{answer}");
    }
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    assert_eq!(send(&settings(address, MailTls::None)).await, Err(MailFailure::Unreachable));
}

#[tokio::test]
async fn a_password_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let password = password_file(folder.path());
    let file = folder.path().join("password");
    let mut mail = settings("127.0.0.1:25".parse().unwrap(), MailTls::None);
    mail.credentials = Some(("mimamori".to_owned(), password));
    Smtp::new(&mail).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Smtp::new(&mail).unwrap_err().to_string();
    assert!(error.contains("0644") && error.contains("chmod 600") && !error.contains(PASSWORD), "{error}");
    std::fs::remove_file(&file).unwrap();
    assert!(Smtp::new(&mail).unwrap_err().to_string().contains("mail.password-file"));
}
