//! Every page that people of a made-up city come to by its links, each by itself at 64 connections.
//!
//! The city is the demonstration's, with its people's records, its organisation's history and its rules;
//! as many other people as are asked for live in it too. Whoever is worth looking at there signs in and
//! follows every link they are shown, a few of each kind; then each kind of page is asked for by the one
//! for whom it weighs most, by itself as fast as it goes, and all mixed as 64 people open them, one a second
//! each; at last they also type names between these pages.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use mimamori_city::PASSWORD;
use mimamori_web::{Authorisation, ROUTES, Route, Surface};

use super::child::Server;
use super::disk::Beside;
use super::http::TURNS;
use super::load::{self, Samples, Work};
use super::pages::{PEOPLE, at_work};
use super::report::{Measured, Report};
use super::typing;
use super::world::World;
use super::{Arguments, broken, filled};
use crate::command::demo;
use crate::exit::Result;

/// The mixed measurement takes so many times as long as another one: each page is only a small part of it, and
/// the slowest hundredth shall be more than one answer that waited for the disk.
const LONGER: u32 = 30;
/// Addresses of one kind of page that one person looks at, with and without a question mark.
const MOST_ALIKE: usize = 6;
/// Pages of one kind that nothing links to and one person tries.
const MOST_TRIED: usize = 12;
/// Pages that one person looks at.
const MOST_PAGES: usize = 1_500;
/// Where everybody begins.
const STARTS: [&str; 10] = [
    "/",
    "/account",
    "/rules",
    "/review",
    "/review/counts",
    "/admin/accounts",
    "/admin/emergency",
    "/step-up",
    "/unlock",
    "/design",
];
/// What a page may take, in milliseconds, ninety-nine times of a hundred.
const MOST_MS: f64 = 50.0;
/// What an answer to a name half typed may take, in milliseconds.
const MOST_TYPING_MS: f64 = 100.0;

/// Fills the others into a city, and measures every page.
///
/// # Errors
/// When the city cannot be made, or a page is answered otherwise than when it was found.
pub async fn measure(world: &World, arguments: &Arguments, report: &mut Report) -> Result<()> {
    filled::add_others(world, arguments).await?;
    tokio::time::sleep(std::time::Duration::from_secs(arguments.rest)).await;
    let listen = world.config().listen.clone();
    let (server, _) = Server::mimamori(world.home(), listen.fhir).await?;
    let mut found: BTreeMap<usize, Vec<Visit>> = BTreeMap::new();
    let mut typists = Vec::new();
    for login in demo::sign_in_names(world.home())? {
        let cookie = sign_in(listen.staff, &login).await?;
        let asked = typing::request(listen.staff, &cookie, "見守");
        if load::fetch(listen.staff, asked).await?.status() == StatusCode::OK {
            typists.push((login.clone(), typing::work(listen.staff, &cookie)));
        }
        for (route, pages) in walk(listen.staff, &cookie).await? {
            found.entry(route).or_default().push(Visit {
                login: login.clone(),
                cookie: cookie.clone(),
                pages,
            });
        }
    }
    let pages: Vec<(&Route, Visit)> = found
        .into_iter()
        .filter_map(|(route, visits)| {
            // By whoever has the heaviest of them.
            Some((ROUTES.get(route)?, visits.into_iter().max_by_key(Visit::weight)?))
        })
        .collect();
    let (mut typed, time_at_work) = (Vec::new(), arguments.time() * LONGER);
    for (login, work) in &typists {
        let next = Arc::new(AtomicU64::new(0));
        let samples = load::round(work, 1, arguments.time() / TURNS, &next, u64::MAX).await?;
        typed.push(samples.within_ms(99));
        report.keep(answers(format!("typing ({login})"), 1, &samples));
    }
    let (mut alone, mut heaviest) = (Vec::new(), 0);
    for (route, visit) in &pages {
        let work = visit.work(listen.staff);
        let next = Arc::new(AtomicU64::new(0));
        let time = arguments.time() / TURNS;
        load::round_from_one_thread(&work, PEOPLE, time / 2, &next).await?;
        let disk = Beside::begin(world.folder())?;
        let samples = load::round_from_one_thread(&work, PEOPLE, time, &next).await?;
        let disk = disk.end()?;
        heaviest = visit.weight().max(heaviest);
        alone.push(samples.within_ms(99));
        report.keep(
            Measured::new(format!("{} ({})", route.path, visit.login), Some(PEOPLE))
                .with("per_second", samples.per_second())
                .with("median_ms", samples.within_ms(50))
                .with("p99_ms", samples.within_ms(99))
                .with("disk_slowest_ms", disk.within_ms(100))
                .with("heaviest_bytes", visit.weight() as f64)
                .with("addresses", visit.pages.len() as f64),
        );
    }
    let mut works: Vec<Work> = pages.iter().map(|(_, visit)| visit.work(listen.staff)).collect();
    let (mut mixed, mut typed_at_work) = (Vec::new(), Vec::new());
    let disk = Beside::begin(world.folder())?;
    let each = at_work(works.clone(), time_at_work).await?;
    report.keep(beside("disk_at_work", &disk.end()?));
    for ((route, _), samples) in pages.iter().zip(each) {
        mixed.push(samples.within_ms(99));
        report.keep(answers(format!("{} at work", route.path), PEOPLE, &samples));
    }
    // A round of its own, so that the pages' stays comparable: so many names are typed by nobody.
    works.extend(typists.iter().map(|(_, work)| work.clone()));
    let disk = Beside::begin(world.folder())?;
    let both = at_work(works, time_at_work).await?;
    report.keep(beside("disk_typing_at_work", &disk.end()?));
    for ((login, _), samples) in typists.iter().zip(both.into_iter().skip(pages.len())) {
        typed_at_work.push(samples.within_ms(99));
        report.keep(answers(format!("typing ({login}) at work"), PEOPLE, &samples));
    }
    for (name, times) in [("every_page", &alone), ("every_page_at_work", &mixed)] {
        report.keep(
            Measured::new(name, Some(PEOPLE))
                .with("pages", times.len() as f64)
                .with("within_50_ms", times.iter().filter(|p99| **p99 < MOST_MS).count() as f64)
                .with("slowest_p99_ms", times.iter().copied().fold(0.0, f64::max))
                .with("heaviest_bytes", heaviest as f64),
        );
    }
    for (name, connections, times) in [("typing", 1, &typed), ("typing_at_work", PEOPLE, &typed_at_work)] {
        report.keep(
            Measured::new(name, Some(connections))
                .with("people", times.len() as f64)
                .with("within_100_ms", times.iter().filter(|p99| **p99 < MOST_TYPING_MS).count() as f64)
                .with("slowest_p99_ms", times.iter().copied().fold(0.0, f64::max)),
        );
    }
    server.stop();
    Ok(())
}

fn answers(name: String, connections: u16, samples: &Samples) -> Measured {
    Measured::new(name, Some(connections))
        .with("median_ms", samples.within_ms(50))
        .with("p99_ms", samples.within_ms(99))
        .with("slowest_ms", samples.within_ms(100))
        .with("samples", samples.count() as f64)
}

/// How long the disk took meanwhile, and how often a page would have been late for it alone.
fn beside(name: &str, disk: &Samples) -> Measured {
    answers(name.to_owned(), PEOPLE, disk).with("late", disk.late(MOST_MS) as f64)
}

/// What one person was shown of one kind of page.
struct Visit {
    login: String,
    cookie: String,
    /// Addresses, and the bytes of their pages.
    pages: Vec<(String, u64)>,
}

impl Visit {
    fn weight(&self) -> u64 {
        self.pages.iter().map(|(_, bytes)| *bytes).max().unwrap_or_default()
    }

    /// One address after the other.
    fn work(&self, address: SocketAddr) -> Work {
        let paths: Vec<String> = self.pages.iter().map(|(path, _)| path.clone()).collect();
        let cookie = self.cookie.clone();
        let request = move |number: u64| {
            let at = usize::try_from(number).unwrap_or(0) % paths.len().max(1);
            get(address, paths.get(at).map_or("/", String::as_str), &cookie)
        };
        Work { address, request: Arc::new(request), expected: Arc::new(|status| status == StatusCode::OK) }
    }
}

fn get(address: SocketAddr, path: &str, cookie: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header(header::HOST, address.to_string()).header(header::COOKIE, cookie);
    request.body(Full::default()).unwrap_or_default()
}

async fn sign_in(address: SocketAddr, login: &str) -> Result<String> {
    let body = format!("login={login}&password={PASSWORD}");
    let request = Request::post("/sign-in")
        .header(header::HOST, address.to_string())
        .header(header::ORIGIN, format!("http://{address}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from(body))
        .map_err(broken)?;
    let answer = load::fetch(address, request).await?;
    let cookies = answer.headers().get_all(header::SET_COOKIE);
    let session = cookies.iter().filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let session = session.into_iter().find(|cookie| cookie.contains("session="));
    session
        .map(str::to_owned)
        .ok_or_else(|| broken(format!("{login} could not sign in: {}", answer.status())))
}

/// The pages that somebody comes to, by the place of their route.
async fn walk(address: SocketAddr, cookie: &str) -> Result<HashMap<usize, Vec<(String, u64)>>> {
    let mut pages: HashMap<usize, Vec<(String, u64)>> = HashMap::new();
    let mut alike: HashMap<(usize, bool), usize> = HashMap::new();
    let mut tried: HashMap<usize, usize> = HashMap::new();
    let mut seen = HashSet::new();
    let mut next: VecDeque<String> = STARTS.into_iter().map(str::to_owned).collect();
    // What is linked to comes first: below a page there is also what depends on its state.
    let mut below = VecDeque::new();
    while let Some(path) = next.pop_front().or_else(|| below.pop_front()) {
        let Some(route) = route_of(&path) else { continue };
        let count = alike.entry((route, path.contains('?'))).or_default();
        if seen.len() >= MOST_PAGES || *count >= MOST_ALIKE || !seen.insert(path.clone()) {
            continue;
        }
        let answer = load::fetch(address, get(address, &path, cookie)).await?;
        if answer.status().is_server_error() {
            return Err(broken(format!("{path} was answered with {}", answer.status())));
        }
        let header =
            |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if answer.status().is_redirection() {
            next.push_back(header(header::LOCATION).to_owned());
        }
        if answer.status() != StatusCode::OK || !header(header::CONTENT_TYPE).starts_with("text/html") {
            continue;
        }
        *count += 1;
        next.extend(links(&String::from_utf8_lossy(answer.body())));
        for (child, address) in pages_below(route, &path) {
            let tried = tried.entry(child).or_default();
            if *tried < MOST_TRIED {
                *tried += 1;
                below.push_back(address);
            }
        }
        pages.entry(route).or_default().push((path, answer.body().len() as u64));
    }
    Ok(pages)
}

/// The addresses that a page links to, without the place within them.
fn links(page: &str) -> Vec<String> {
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split(['"', '#']).next());
    links.filter(|link| link.starts_with('/')).map(|link| link.replace("&amp;", "&")).collect()
}

/// The pages whose addresses begin with that of a page and go on with words alone: by the places of their routes.
fn pages_below(route: usize, path: &str) -> Vec<(usize, String)> {
    let (Some(above), Some(path)) = (ROUTES.get(route), path.split('?').next()) else { return Vec::new() };
    let below = ROUTES.iter().enumerate().filter(|(_, route)| is_page(route)).filter_map(|(at, route)| {
        let rest = route.path.strip_prefix(above.path)?;
        (rest.starts_with('/') && rest.len() > 1 && !rest.contains('{'))
            .then(|| (at, format!("{path}{rest}")))
    });
    if above.path == "/" { Vec::new() } else { below.collect() }
}

fn is_page(route: &Route) -> bool {
    route.method == "GET"
        && route.surface == Surface::Staff
        && route.authorisation == Authorisation::Session
        // An open stream never ends.
        && route.path != "/changes"
}

/// The place of the page's route: of those that fit, the one that says most. Nothing for what is no page.
fn route_of(path: &str) -> Option<usize> {
    let path: Vec<&str> = path.split('?').next()?.split('/').collect();
    let fixed = |part: &&str| !part.starts_with('{');
    let fits = |route: &Route| {
        let parts: Vec<&str> = route.path.split('/').collect();
        let same = parts.len() == path.len()
            && parts.iter().zip(&path).all(|(part, given)| !fixed(part) || part == given);
        same.then(|| parts.iter().filter(|part| fixed(part)).count())
    };
    let pages = ROUTES.iter().enumerate().filter(|(_, route)| is_page(route));
    let best = pages.filter_map(|(at, route)| Some((fits(route)?, at))).max();
    best.map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_those_of_this_program_and_routes_those_that_say_most() {
        let page =
            r##"<a href="/a?b=1&amp;c=2#d">x</a><a href="https://example.org/">y</a><a href="#e">z</a>"##;
        assert_eq!(links(page), ["/a?b=1&c=2"]);
        let path = |address| route_of(address).map(|at| ROUTES[at].path);
        assert_eq!(path("/people/search?x=1"), Some("/people/search"));
        assert_eq!(path("/people/1b"), Some("/people/{subject}"));
        assert_eq!(path("/rules/controls/measures"), Some("/rules/controls/measures"));
        assert_eq!(path("/changes"), None);
        assert_eq!(path("/assets/a.css"), None);
        assert_eq!(path("/nowhere"), None);
        let below = |address: &str| -> Vec<String> {
            pages_below(route_of(address).unwrap(), address).into_iter().map(|(_, address)| address).collect()
        };
        assert!(below("/people/1b?days=7").contains(&"/people/1b/emergency".to_owned()));
        assert!(!below("/people/1b").iter().any(|address| address.contains('{')));
        assert!(below("/").is_empty());
        assert!(STARTS.iter().all(|start| route_of(start).is_some()));
    }
}
