//! How far this machine's clock is from standard time, as its time daemon knows.
//!
//! The kernel's own answer (`adjtimex`) needs unsafe code; `chronyc` gives more and is asked
//! instead. Without it the offset is "not measured", which is recorded as such.

use std::process::{Command, Stdio};
use std::time::Duration;

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// The greatest distance from standard time that is to be reckoned with.
    pub error: Duration,
}

/// Asks chrony; `None` when it is not there or not synchronised. Blocks for some milliseconds.
#[must_use]
pub fn measure() -> Option<Measured> {
    let output = Command::new("chronyc")
        .args(["-n", "-c", "tracking"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| read(&String::from_utf8_lossy(&output.stdout)))?
}

/// Reads one line of `chronyc -c tracking`: reference, address, stratum, time, system offset, last
/// offset, RMS offset, frequency, residual, skew, root delay, root dispersion, interval, leap state.
/// The bound is that of chrony's manual: offset + root dispersion + half the root delay.
fn read(line: &str) -> Option<Measured> {
    let fields: Vec<&str> = line.trim().split(',').collect();
    let seconds = |index: usize| {
        fields.get(index)?.parse::<f64>().ok().filter(|value| value.is_finite() && value.abs() < 1e6)
    };
    if *fields.get(13)? == "Not synchronised" {
        return None;
    }
    let bound = seconds(4)?.abs() + seconds(11)?.abs() + seconds(10)?.abs() / 2.0;
    Some(Measured { error: Duration::from_secs_f64(bound) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_adds_offset_dispersion_and_half_the_delay() {
        let line = "C0A80001,192.168.0.1,2,1700000000.1,-0.000200000,0.0,0.0,1.0,0.0,0.1,0.004000000,0.001000000,64.0,Normal\n";
        assert_eq!(read(line), Some(Measured { error: Duration::from_micros(3200) }));
        assert_eq!(read(&line.replace("Normal", "Not synchronised")), None);
        assert_eq!(read("506 Cannot talk to daemon"), None);
    }
}
