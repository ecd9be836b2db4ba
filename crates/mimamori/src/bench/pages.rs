//! The pages that people open all day: each by itself as fast as it goes, and all mixed as 64 people open
//! them, one a second each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

use super::broken;
use super::http::{Asked, Both};
use super::load::{self, Samples, Work};
use super::random::Order;
use super::report::{Measured, Report};
use crate::exit::Result;

/// People at work at once.
pub(super) const PEOPLE: u16 = 64;
/// How often each of them opens a page.
const EVERY: Duration = Duration::from_secs(1);
/// The mixed measurement takes so many times as long as the others: each page is only a part of it.
const LONGER: u32 = 6;

/// A page: its names in the result, and its address; `{subject}` and `{record}` are filled in.
pub(super) struct PageOf {
    alone: &'static str,
    mixed: &'static str,
    path: &'static str,
}

const fn page(alone: &'static str, mixed: &'static str, path: &'static str) -> PageOf {
    PageOf { alone, mixed, path }
}

const PAGES: [PageOf; 12] = [
    page("page_home", "mixed_home", "/"),
    page("page_notebook", "mixed_notebook", "/people/{subject}"),
    page("page_unread", "mixed_unread", "/people/{subject}?unread=1"),
    page("page_summary", "mixed_summary", "/people/{subject}/summary"),
    page("page_vital_course", "mixed_vital_course", "/people/{subject}/vital-signs"),
    page("page_check_ups", "mixed_check_ups", "/people/{subject}/check-ups"),
    page("page_documents", "mixed_documents", "/people/{subject}/documents"),
    page("page_visits", "mixed_visits", "/people/{subject}/visits"),
    page("page_around", "mixed_around", "/people/{subject}/around"),
    page("page_note_form", "mixed_note_form", "/people/{subject}/notes/new"),
    page("page_record", "mixed_record", "/records/Observation/{record}"),
    page("page_rules", "mixed_rules", "/rules"),
];

/// Measures every page.
///
/// # Errors
/// When a page is answered other than with itself.
pub async fn measure(asked: &Asked, both: &Both<'_>, report: &mut Report) -> Result<()> {
    for page in &PAGES {
        let work = asked.pages(page.path);
        let next = Arc::new(AtomicU64::new(0));
        load::round_from_one_thread(&work, PEOPLE, both.time / 2, &next).await?;
        let samples = load::round_from_one_thread(&work, PEOPLE, both.time, &next).await?;
        report.keep(numbers(page.alone, &samples));
    }
    let works = PAGES.iter().map(|page| asked.pages(page.path)).collect();
    for (page, samples) in PAGES.iter().zip(at_work(works, both.time * LONGER).await?) {
        report.keep(numbers(page.mixed, &samples));
    }
    let search = asked.searches();
    let next = Arc::new(AtomicU64::new(0));
    load::round(&search, 1, both.time / 2, &next, u64::MAX).await?;
    report.keep(numbers("page_search_alone", &load::round(&search, 1, both.time, &next, u64::MAX).await?));
    Ok(())
}

fn numbers(name: &'static str, samples: &Samples) -> Measured {
    let connections = if name.ends_with("_alone") { 1 } else { PEOPLE };
    Measured::new(name, Some(connections))
        .with("per_second", samples.per_second())
        .with("median_ms", samples.within_ms(50))
        .with("p99_ms", samples.within_ms(99))
        .with("bytes_each", samples.bytes as f64 / samples.count().max(1) as f64)
}

/// Everybody opens a page a second, whichever comes next; gives the samples of each page. As where each is
/// asked for by itself, half as long goes by first without being counted.
pub(super) async fn at_work(works: Vec<Work>, time: Duration) -> Result<Vec<Samples>> {
    let unmeasured = time / 2;
    let works = Arc::new(works);
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for person in 0..u32::from(PEOPLE) {
        let (works, next) = (Arc::clone(&works), Arc::clone(&next));
        tasks.spawn(async move {
            let mut order: Vec<usize> = (0..works.len()).collect();
            let mut samples = vec![Samples::default(); works.len()];
            let first = tokio::time::Instant::now() + EVERY * person / u32::from(PEOPLE);
            let mut ticks = interval_at(first, EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            Order::new(u64::from(person)).shuffle(&mut order);
            for at in order.iter().copied().cycle() {
                ticks.tick().await;
                let counts = begun.elapsed() >= unmeasured;
                if begun.elapsed() >= unmeasured + time {
                    break;
                }
                let (Some(work), Some(kept)) = (works.get(at), samples.get_mut(at)) else { break };
                let number = next.fetch_add(1, Ordering::Relaxed);
                let request = (work.request)(number);
                let sent = Instant::now();
                let (status, body) = load::once(work.address, request).await?;
                let took = sent.elapsed();
                if status != StatusCode::OK {
                    return Err(broken(format!("a page was answered with {status}")));
                }
                let mut one = Samples::of(vec![took], Duration::ZERO);
                one.bytes = body.len() as u64;
                if counts {
                    kept.add(one);
                }
            }
            Ok(samples)
        });
    }
    let mut all = vec![Samples::default(); works.len()];
    while let Some(done) = tasks.join_next().await {
        for (whole, part) in all.iter_mut().zip(done.map_err(broken)??) {
            whole.add(part);
        }
    }
    for samples in &mut all {
        samples.elapsed = begun.elapsed().saturating_sub(unmeasured);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_a_name_of_its_own_and_an_address_that_is_served() {
        let names: std::collections::BTreeSet<&str> =
            PAGES.iter().flat_map(|page| [page.alone, page.mixed]).collect();
        assert_eq!(names.len(), 2 * PAGES.len());
        for page in &PAGES {
            let path = page.path.split('?').next().unwrap_or_default();
            let path = path.replace("/Observation/{record}", "/{kind}/{id}");
            assert!(mimamori_web::ROUTES.iter().any(|route| route.path == path), "{path}");
        }
    }
}
