//! What Linux tells about a process: memory and time on a processor.

use std::fs;
use std::time::Duration;

use super::broken;
use crate::exit::Result;

/// Memory that a process holds now, in bytes.
///
/// # Errors
/// When the process is gone.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(broken)?;
    resident(&status).ok_or_else(|| broken("the system does not tell a process's memory"))
}

/// `VmRSS` of `/proc/PID/status` (proc(5)); kibibytes there.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Time that all threads of a process have had a processor, in user space and in the kernel.
///
/// # Errors
/// When the process is gone.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(broken)?;
    ticks(&stat)
        .map(|ticks| {
            Duration::from_micros(
                ticks.saturating_mul(1_000_000 / rustix::param::clock_ticks_per_second().max(1)),
            )
        })
        .ok_or_else(|| broken("the system does not tell a process's time"))
}

/// `utime` and `stime` of `/proc/PID/stat`: the 12th and 13th field after the name in brackets.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, kernel): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + kernel)
}

/// Time that this thread has had a processor: other work on the machine does not count.
pub fn on_core() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t   1234 kB\n"), Some(1_263_616));
        assert_eq!(resident("Name:\tx\n"), None);
        assert_eq!(ticks("7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 100 23 0 0"), Some(123));
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        processor_time(std::process::id()).unwrap();
    }
}
