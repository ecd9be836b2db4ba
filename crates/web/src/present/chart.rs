//! A course over time as a drawing (SVG): lines over a grid, with the usual range behind them.
//!
//! The drawing is for the eye alone; pages put the same numbers into a table beside it. Lengths are in
//! units of the drawing's own box, which the style scales.

use mimamori_domain::Timestamp;

/// The whole box, and the plot within it.
pub(crate) const WIDTH: f64 = 360.0;
pub(crate) const HEIGHT: f64 = 190.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// Grid lines at most.
const MOST_LINES: f64 = 5.0;
/// A line of more measurements than this has no dot for each: they would be one blot. Those beyond the usual
/// range keep theirs, so many of them at most.
const MOST_DOTS: usize = 120;

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) at: Timestamp,
    pub(crate) value: f64,
    /// What a pointer that rests on it is told.
    pub(crate) words: String,
    /// Beyond the usual range.
    pub(crate) beyond: bool,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Chart {
    /// The usual ranges.
    pub(crate) usual: Vec<Band>,
    pub(crate) lines: Vec<Level>,
    pub(crate) days: Vec<Day>,
    pub(crate) series: Vec<Series>,
}

/// A stretch of the value axis: its upper edge and its height.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Band {
    pub(crate) y: String,
    pub(crate) height: String,
}

/// A line of the grid with its number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Level {
    pub(crate) y: String,
    pub(crate) word: String,
}

/// A day that is named below the plot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Day {
    pub(crate) x: String,
    pub(crate) word: String,
    /// SVG's `text-anchor`.
    pub(crate) anchor: &'static str,
}

/// Measurements of one kind: lines that break where nothing was measured for long, and their points.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// SVG's `points` of each line.
    pub(crate) lines: Vec<String>,
    pub(crate) points: Vec<Dot>,
}

/// A point of the drawing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dot {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) words: String,
    pub(crate) beyond: bool,
}

impl Chart {
    /// Draws `series` (each by time) between two moments. `usual` are the usual ranges; `days` are moments
    /// to name below, with their words, in order. A line ends where nothing was measured for more than this
    /// share of the time drawn: `gap`, from 0 to 1.
    pub(crate) fn draw(
        from: Timestamp,
        until: Timestamp,
        usual: &[(f64, f64)],
        series: &[Vec<Point>],
        days: &[(Timestamp, String)],
        gap: f64,
    ) -> Self {
        let values = || series.iter().flatten().map(|point| point.value);
        let bounds = usual.iter().flat_map(|(low, high)| [*low, *high]);
        let (low, high) = values()
            .chain(bounds)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Self::default();
        }
        let (low, high, step) = levels(low, high);
        let length = micros(from, until).max(1.0);
        let x = |at: Timestamp| {
            let part = (micros(from, at) / length).clamp(0.0, 1.0);
            LEFT + part * (WIDTH - LEFT - RIGHT)
        };
        let y = |value: f64| {
            let part = ((value - low) / (high - low)).clamp(0.0, 1.0);
            HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
        };
        let decimals = usize::from(step < 1.0);
        let mut lines = Vec::new();
        let mut level = low;
        while level <= high + step / 2.0 {
            lines.push(Level { y: place(y(level)), word: format!("{level:.decimals$}") });
            level += step;
        }
        let last = days.len().saturating_sub(1);
        let anchor = |index: usize| match index {
            0 => "start",
            _ if index == last => "end",
            _ => "middle",
        };
        Self {
            usual: usual
                .iter()
                .map(|(low, high)| Band { y: place(y(*high)), height: place(y(*low) - y(*high)) })
                .collect(),
            lines,
            days: days
                .iter()
                .enumerate()
                .map(|(index, (at, word))| Day {
                    x: place(x(*at)),
                    word: word.clone(),
                    anchor: anchor(index),
                })
                .collect(),
            series: series.iter().map(|points| drawn(points, length * gap, x, y)).collect(),
        }
    }
}

/// Counts one after the other as columns over a grid.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Columns {
    pub(crate) lines: Vec<Level>,
    pub(crate) days: Vec<Day>,
    pub(crate) columns: Vec<Column>,
}

/// One count.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
    /// What a pointer that rests on it is told.
    pub(crate) words: String,
}

/// Columns that are named below, at most.
const MOST_NAMED: usize = 5;

impl Columns {
    /// Draws counts, each with what it is called below and what a pointer is told. `word` writes a number of
    /// the axis.
    #[expect(clippy::cast_precision_loss, reason = "a drawing's places are rounded to tenths of a unit")]
    pub(crate) fn draw(counts: &[(u64, String, String)], word: impl Fn(u64) -> String) -> Self {
        let greatest = counts.iter().map(|(count, ..)| *count).max().unwrap_or_default();
        if greatest == 0 {
            return Self::default();
        }
        let (_, high, step) = levels(0.0, greatest as f64);
        // Nobody counts half an access.
        let step = step.max(1.0);
        let y = |value: f64| HEIGHT - BOTTOM - value / high * (HEIGHT - TOP - BOTTOM);
        let room = (WIDTH - LEFT - RIGHT) / counts.len() as f64;
        let left = |index: usize| LEFT + room * index as f64;
        let mut lines = Vec::new();
        let mut level = 0.0;
        while level <= high + step / 2.0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are whole")]
            lines.push(Level { y: place(y(level)), word: word(level as u64) });
            level += step;
        }
        let every = counts.len().div_ceil(MOST_NAMED).max(1);
        Self {
            lines,
            days: counts
                .iter()
                .enumerate()
                .step_by(every)
                .map(|(index, (_, word, _))| Day {
                    x: place(left(index) + room / 2.0),
                    word: word.clone(),
                    anchor: if index == 0 { "start" } else { "middle" },
                })
                .collect(),
            columns: counts
                .iter()
                .enumerate()
                .map(|(index, (count, _, words))| Column {
                    x: place(left(index) + room * 0.1),
                    y: place(y(*count as f64)),
                    width: place(room * 0.8),
                    height: place(HEIGHT - BOTTOM - y(*count as f64)),
                    words: words.clone(),
                })
                .collect(),
        }
    }
}

/// One series: a line ends where the next measurement is further away than `gap` microseconds.
fn drawn(points: &[Point], gap: f64, x: impl Fn(Timestamp) -> f64, y: impl Fn(f64) -> f64) -> Series {
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut before: Option<Timestamp> = None;
    for point in points {
        let place = format!("{},{}", place(x(point.at)), place(y(point.value)));
        match (before.filter(|at| micros(*at, point.at) <= gap), lines.last_mut()) {
            (Some(_), Some(line)) => line.push(place),
            _ => lines.push(vec![place]),
        }
        before = Some(point.at);
    }
    Series {
        lines: lines.iter().filter(|line| line.len() > 1).map(|line| line.join(" ")).collect(),
        points: dotted(points)
            .map(|point| Dot {
                x: place(x(point.at)),
                y: place(y(point.value)),
                words: point.words.clone(),
                beyond: point.beyond,
            })
            .collect(),
    }
}

impl Series {
    /// Leaves at most so many dots: first those within the usual range go, then some of the others.
    pub(crate) fn thin(&mut self, most: usize) {
        if self.points.len() <= most {
            return;
        }
        self.points.retain(|dot| dot.beyond);
        let every = self.points.len().div_ceil(most.max(1)).max(1);
        let mut place = 0;
        self.points.retain(|_| {
            place += 1;
            (place - 1) % every == 0
        });
    }
}

/// The measurements that have a dot.
fn dotted(points: &[Point]) -> impl Iterator<Item = &Point> {
    let many = points.len() > MOST_DOTS;
    let wanted: Vec<&Point> = points.iter().filter(|point| !many || point.beyond).collect();
    let every = wanted.len().div_ceil(MOST_DOTS).max(1);
    wanted.into_iter().step_by(every)
}

/// The least and greatest level and the step between levels, such that everything from `low` to `high` is
/// within and levels are round numbers.
fn levels(low: f64, high: f64) -> (f64, f64, f64) {
    // A single value still gets room above and below.
    let span = (high - low).max(low.abs() * 0.02).max(0.5);
    let rough = span / (MOST_LINES - 1.0);
    let size = 10_f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * size).find(|step| *step >= rough);
    let step = round.unwrap_or(10.0 * size).max(0.1);
    let (least, greatest) = ((low / step).floor() * step, (high / step).ceil() * step);
    if greatest - least < step { (least, least + step, step) } else { (least, greatest, step) }
}

#[expect(clippy::cast_precision_loss, reason = "a drawing's places are rounded to tenths of a unit")]
fn micros(from: Timestamp, until: Timestamp) -> f64 {
    (until.as_micros() - from.as_micros()) as f64
}

/// A length as SVG takes it, to a tenth.
fn place(length: f64) -> String {
    format!("{length:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_micros(1_790_000_000_000_000 + day * DAY)
    }

    fn point(day: i64, value: f64) -> Point {
        Point { at: at(day), value, words: format!("{value}"), beyond: false }
    }

    #[test]
    fn levels_are_round_and_hold_every_value() {
        for (low, high) in
            [(36.0, 37.4), (96.0, 100.0), (58.0, 191.0), (50.0, 50.0), (0.4, 0.4), (2.0, 400.0)]
        {
            let (least, greatest, step) = levels(low, high);
            assert!(
                least <= low && greatest >= high && greatest > least,
                "{low}..{high}: {least}..{greatest}"
            );
            let count = (greatest - least) / step;
            assert!(
                (1.0..=6.0).contains(&count) && (count - count.round()).abs() < 1e-6,
                "{low}..{high}: {count}"
            );
        }
    }

    #[test]
    fn everything_stays_within_the_box_and_higher_is_further_up() {
        let points = vec![point(0, 36.2), point(1, 38.9), point(2, 36.5)];
        let chart =
            Chart::draw(at(0), at(7), &[(36.0, 37.4)], &[points], &[(at(0), "a".to_owned())], 1.0 / 3.0);
        let number = |text: &str| text.parse::<f64>().unwrap();
        let [series] = chart.series.as_slice() else { panic!("one series") };
        for dot in &series.points {
            assert!((LEFT..=WIDTH - RIGHT).contains(&number(&dot.x)), "{dot:?}");
            assert!((TOP..=HEIGHT - BOTTOM).contains(&number(&dot.y)), "{dot:?}");
        }
        assert!(number(&series.points[1].y) < number(&series.points[0].y));
        assert!(number(&series.points[0].x) < number(&series.points[2].x));
        let [usual] = chart.usual.as_slice() else { panic!("one range") };
        assert!(number(&usual.height) > 0.0 && number(&usual.y) > number(&series.points[1].y));
    }

    #[test]
    fn a_line_breaks_where_nothing_was_measured_for_long() {
        let points = vec![point(0, 60.0), point(1, 61.0), point(40, 62.0), point(41, 63.0), point(60, 64.0)];
        let chart = Chart::draw(at(0), at(60), &[], std::slice::from_ref(&points), &[], 1.0 / 3.0);
        let [series] = chart.series.as_slice() else { panic!("one series") };
        assert_eq!(series.lines.len(), 2, "{:?}", series.lines);
        assert_eq!(series.points.len(), 5);
        let whole = Chart::draw(at(0), at(60), &[], &[points], &[], 1.0);
        assert_eq!(whole.series.iter().map(|series| series.lines.len()).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_dense_line_keeps_the_dots_of_what_is_beyond() {
        let hour = |n: i64| Timestamp::from_micros(n * 3_600_000_000);
        let of = |beyond: fn(i64) -> bool| -> Vec<Point> {
            (0..1_000)
                .map(|n| Point { at: hour(n), value: 60.0, words: String::new(), beyond: beyond(n) })
                .collect()
        };
        let dots = |points: Vec<Point>| {
            let chart = Chart::draw(hour(0), hour(1_000), &[], &[points], &[], 1.0);
            let series = chart.series.into_iter().next().unwrap();
            assert_eq!(series.lines[0].split(' ').count(), 1_000);
            series.points
        };
        assert!(dots(of(|_| false)).is_empty());
        assert_eq!(dots(of(|n| n % 100 == 0)).len(), 10);
        assert!((60..=MOST_DOTS).contains(&dots(of(|_| true)).len()));
    }

    #[test]
    fn dots_are_thinned_from_within_the_usual_range_first() {
        let dot = |n: usize, beyond| Dot { x: n.to_string(), y: String::new(), words: String::new(), beyond };
        let of = |beyond: fn(usize) -> bool, most| {
            let mut series =
                Series { lines: Vec::new(), points: (0..90).map(|n| dot(n, beyond(n))).collect() };
            series.thin(most);
            series.points.iter().map(|dot| dot.x.parse::<usize>().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(of(|_| false, 90).len(), 90);
        assert_eq!(of(|n| n % 30 == 0, 25), [0, 30, 60]);
        assert_eq!(of(|_| true, 30), (0..90).step_by(3).collect::<Vec<_>>());
        assert!((20..=25).contains(&of(|_| true, 25).len()));
    }

    #[test]
    fn columns_stand_side_by_side_on_the_ground_and_more_is_higher() {
        let named = |count: u64| (count, format!("{count}"), format!("{count} times"));
        let counts: Vec<_> = [3, 0, 12, 7].into_iter().map(named).collect();
        let drawn = Columns::draw(&counts, |n| n.to_string());
        let number = |text: &str| text.parse::<f64>().unwrap();
        let edges = |column: &Column| {
            let (x, y) = (number(&column.x), number(&column.y));
            (x, x + number(&column.width), y, y + number(&column.height))
        };
        let edges: Vec<_> = drawn.columns.iter().map(edges).collect();
        assert!(edges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{edges:?}");
        assert!(edges.iter().all(|(left, right, top, bottom)| {
            *left >= LEFT
                && *right <= WIDTH - RIGHT
                && *top >= TOP
                && (bottom - (HEIGHT - BOTTOM)).abs() < 0.2
        }));
        assert!(edges[2].2 < edges[3].2 && edges[3].2 < edges[0].2 && edges[0].2 < edges[1].2, "{edges:?}");
        assert!(drawn.lines.iter().all(|line| line.word.parse::<u64>().is_ok()), "{:?}", drawn.lines);
        let many: Vec<_> = (0..100).map(named).collect();
        assert!(Columns::draw(&many, |n| n.to_string()).days.len() <= MOST_NAMED);
        assert_eq!(Columns::draw(&[named(0)], |n| n.to_string()), Columns::default());
    }

    #[test]
    fn without_measurements_nothing_is_drawn() {
        assert_eq!(Chart::draw(at(0), at(7), &[], &[Vec::new()], &[], 1.0), Chart::default());
    }
}
