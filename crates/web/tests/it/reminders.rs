//! Calendar and mail: the page, and the calendar as calendar programs get it.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use icalendar::{Calendar, CalendarComponent, Component, DatePerhapsTime};
use mimamori_web::Settings;

use crate::rules::{check, look};
use crate::world::World;

const PAGE: &str = "/rules/reminders";

/// The address that a page of a new one tells.
fn address(html: &str) -> String {
    let value = html.split("id=\"address\" value=\"").nth(1).expect("an address");
    value.split('"').next().unwrap().to_owned()
}

/// What comes after the host.
fn path(address: &str) -> &str {
    &address[address.find("/calendar/").unwrap()..]
}

async fn operator() -> (World, String) {
    let world = World::new().await;
    world.staff("unyo", "試験 運用", &["system-manager", "operations-manager"]).await;
    let cookie = world.sign_in("unyo").await;
    (world, cookie)
}

/// One property of a component: name, parameters, value.
struct Property(String, String, String);

/// Reads a calendar as RFC 5545 says, and refuses what it does not: CRLF after each line, at most 75
/// octets, folded lines (3.1), components that open and close (3.6), escapes of TEXT (3.3.11).
fn parsed(text: &str) -> Vec<Vec<Property>> {
    assert!(text.ends_with("\r\n"));
    let lines: Vec<&str> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
    let mut whole: Vec<String> = Vec::new();
    for line in lines {
        assert!(line.len() <= 75 && !line.is_empty(), "{line:?}");
        assert!(!line.chars().any(|c| c.is_control()), "{line:?}");
        match line.strip_prefix(' ') {
            Some(rest) => whole.last_mut().expect("a line to go on").push_str(rest),
            None => whole.push(line.to_owned()),
        }
    }
    let mut open: Vec<String> = Vec::new();
    let mut events: Vec<Vec<Property>> = Vec::new();
    for line in whole {
        let (head, value) = line.split_once(':').expect("a name and a value");
        let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
        assert!(name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-'), "{name}");
        match name {
            "BEGIN" => {
                open.push(value.to_owned());
                if value == "VEVENT" {
                    events.push(Vec::new());
                }
            }
            "END" => assert_eq!(open.pop().as_deref(), Some(value)),
            _ if open == ["VCALENDAR", "VEVENT"] => {
                let property = Property(name.to_owned(), parameters.to_owned(), unescaped(name, value));
                events.last_mut().unwrap().push(property);
            }
            _ => assert_eq!(open, ["VCALENDAR"], "{name}"),
        }
    }
    assert!(open.is_empty());
    events
}

fn unescaped(name: &str, value: &str) -> String {
    if name != "SUMMARY" {
        return value.to_owned();
    }
    let (mut text, mut rest) = (String::new(), value.chars());
    while let Some(c) = rest.next() {
        assert!(!matches!(c, ',' | ';'), "{value}");
        text.push(if c == '\\' {
            match rest.next() {
                Some('n' | 'N') => '\n',
                Some(c @ ('\\' | ';' | ',')) => c,
                other => panic!("{other:?} after a backslash in {value}"),
            }
        } else {
            c
        });
    }
    text
}

/// The same calendar as a library that others wrote reads it: id, summary and day of each event.
fn as_others_read_it(text: &str) -> Vec<(String, String, jiff::civil::Date)> {
    let calendar: Calendar = text.parse().expect("a calendar that others can read");
    let event = |component: &CalendarComponent| match component {
        CalendarComponent::Event(event) => {
            let Some(DatePerhapsTime::Date(day)) = event.get_start() else {
                panic!("a whole day: {event:?}")
            };
            (
                event.get_uid().expect("an id").to_owned(),
                event.get_summary().expect("a summary").to_owned(),
                day.to_string().parse().expect("a day"),
            )
        }
        other => panic!("only events stand in it: {other:?}"),
    };
    calendar.components.iter().map(event).collect()
}

#[tokio::test]
async fn a_calendar_is_subscribed_to_and_ended() {
    let (world, cookie) = operator().await;
    let page = look(&world, PAGE, &cookie, "reminders").await;
    assert!(page.body.contains("アドレスは、まだありません") && page.body.contains("メールは送られません"));
    assert_eq!(world.get("/rules/reminders/calendar/end", &cookie).await.status, StatusCode::NOT_FOUND);

    let made = world.post_to("mimamori.example:8443", "/rules/reminders/calendar", &cookie, &[]).await;
    check(&made, "a new address");
    let first = address(&made.body);
    assert!(first.starts_with("http://mimamori.example:8443/calendar/") && first.ends_with(".ics"));
    assert_eq!(made.header("cache-control"), "no-store");
    let page = look(&world, PAGE, &cookie, "reminders with an address").await;
    assert!(!page.body.contains(path(&first)) && page.body.contains("まだ、どの予定表アプリからも"));

    world.pass(20);
    let answer = world.get(path(&first), "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert!(answer.header("set-cookie").is_empty());
    for personal in ["試験", "unyo", "みほん", path(&first).trim_start_matches("/calendar/")] {
        assert!(!answer.body.contains(personal), "{personal}");
    }
    let events = parsed(&answer.body);
    assert!(!events.is_empty());
    let read = as_others_read_it(&answer.body);
    assert_eq!(read.len(), events.len());
    let mut ids = HashSet::new();
    for (event, (id, summary, day)) in events.iter().zip(&read) {
        let of = |name: &str| {
            let mut found = event.iter().filter(|property| property.0 == name);
            let one = found.next().unwrap_or_else(|| panic!("{name} is missing"));
            assert!(found.next().is_none(), "{name} stands twice");
            one
        };
        assert!(ids.insert(of("UID").2.clone()) && of("UID").2.contains('@'));
        assert_eq!((id, summary), (&of("UID").2, &of("SUMMARY").2));
        let stamp = &of("DTSTAMP").2;
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).unwrap();
        assert_eq!(of("DTSTART").1, "VALUE=DATE");
        assert_eq!(jiff::civil::Date::strptime("%Y%m%d", &of("DTSTART").2).unwrap(), *day);
        assert!(of("SUMMARY").2.starts_with("期限: "));
    }
    let cookie = world.sign_in("unyo").await;
    let page = look(&world, PAGE, &cookie, "reminders once read").await;
    assert!(page.body.contains("最後に読み込まれた日"));

    // A new one ends the one before, and says so first.
    let unsure = world.post_to("m.example", "/rules/reminders/calendar", &cookie, &[]).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.get(path(&first), "").await.status, StatusCode::OK);
    let english = format!("{cookie}; lang=en");
    let made = world.post_to("m.example", "/rules/reminders/calendar", &english, &[("again", "yes")]).await;
    let second = address(&made.body);
    assert!(second.ends_with(".ics?lang=en"));
    assert!(world.get(path(&second), "").await.body.contains("SUMMARY:Due: "));

    // One that was taken back is told from one that never was by nothing.
    look(&world, "/rules/reminders/calendar/end", &cookie, "end of a calendar").await;
    let ended = world.post("/rules/reminders/calendar/end", &cookie, &[]).await;
    assert_eq!(ended.header("location"), "/rules/reminders?done=calendar-ended");
    let never = format!("/calendar/{}.ics", "00".repeat(32));
    let other = path(&second).replace(".ics?lang=en", ".txt");
    let gone = world.get(&never, "").await;
    assert_eq!((gone.status, gone.body.as_str()), (StatusCode::NOT_FOUND, ""));
    for wrong in [path(&first), path(&second), other.as_str(), "/calendar/x.ics", "/calendar/%E3%81%82"] {
        let answer = world.get(wrong, "").await;
        assert_eq!(answer.status, gone.status, "{wrong}");
        assert_eq!((answer.body, answer.headers), (gone.body.clone(), gone.headers.clone()), "{wrong}");
    }
}

#[tokio::test]
async fn a_mail_address_is_set_and_removed() {
    let (world, cookie) = operator().await;
    let saved = world.post("/rules/reminders/mail", &cookie, &[("mail", "unyo@example.jp")]).await;
    assert_eq!(saved.header("location"), "/rules/reminders?done=mail-saved");
    let cookie = world.sign_in("unyo").await;
    assert!(look(&world, PAGE, &cookie, "reminders by mail").await.body.contains("unyo@example.jp"));
    let wrong = world.post("/rules/reminders/mail", &cookie, &[("mail", "unyo")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("name@example.jp") && wrong.body.contains("value=\"unyo\""));
    let removed = world.post("/rules/reminders/mail", &cookie, &[("mail", "")]).await;
    assert_eq!(removed.header("location"), "/rules/reminders?done=mail-removed");

    // For somebody else, by who administers accounts.
    let cookie = world.sign_in("unyo").await;
    let list = world.get("/admin/accounts", &cookie).await;
    let link = list.body.split("href=\"").find(|part| part.contains("/mail\"")).unwrap();
    let link = link.split('"').next().unwrap();
    look(&world, link, &cookie, "mail of an account").await;
    let wrong = world.post(link, &cookie, &[("mail", "a b")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let saved = world.post(link, &cookie, &[("mail", "someone@example.jp")]).await;
    assert!(saved.header("location").ends_with("done=mail-saved"), "{}", saved.body);
    assert!(world.get(link, &world.sign_in("unyo").await).await.body.contains("someone@example.jp"));
    let plain = world.sign_in("yoso").await;
    assert_eq!(world.get(link, &plain).await.status, StatusCode::FORBIDDEN);
    let with = World::with(Settings { tls: false, mail: true, ..Settings::default() }).await;
    let page = look(&with, PAGE, &with.sign_in("kango").await, "reminders where mail is sent").await;
    assert!(page.body.contains("1日に1回まで送ります") && !page.body.contains("メールは送られません"));
}

/// Everything that is logged at the levels that the settings offer.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_the_log_nor_a_database_file_holds_the_address() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    // For the whole process: what other tests log at the same time may be looked at, too.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let (world, cookie) = operator().await;
    let made = world.post_to("m.example", "/rules/reminders/calendar", &cookie, &[]).await;
    let address = address(&made.body);
    let secret = path(&address).trim_start_matches("/calendar/").trim_end_matches(".ics").to_owned();
    assert_eq!(world.get(path(&address), "").await.status, StatusCode::OK);
    assert_eq!(world.get(&format!("{}x", path(&address)), "").await.status, StatusCode::NOT_FOUND);
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("/calendar/{secret}"), "{logged}");
    assert!(!logged.contains(&secret));
    assert!(!world.kept(secret.as_bytes()) && !world.kept(&hex(&secret)));
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}
