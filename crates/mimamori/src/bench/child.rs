//! Server processes: the same program, started on the loopback, ended by their process id.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use rustix::process::{Pid, Signal, kill_process};

use super::{broken, load};
use crate::exit::Result;
use crate::home::Home;

/// Longest wait for a server to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running process; ended when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Held open: the plain server ends when it closes, however this process ends.
    _lifeline: Option<ChildStdin>,
}

impl Server {
    /// Starts `mimamori serve` on an installation and waits until it answers. Gives how long that took.
    ///
    /// # Errors
    /// When it ends or does not answer in time; what it said is in `server.log` of the folder.
    pub async fn mimamori(home: &Home, fhir: SocketAddr) -> Result<(Self, Duration)> {
        let log = home.path().join("server.log");
        let begun = Instant::now();
        let mut command = program()?;
        command.arg("--home").arg(home.path()).arg("serve");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).map_err(broken)?);
        let mut server = Self { child: command.spawn().map_err(broken)?, _lifeline: None };
        loop {
            if let Some(status) = server.child.try_wait().map_err(broken)? {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(broken(format!("the server ended at once ({status}): {said}")));
            }
            let request = Request::get("/fhir/metadata")
                .header("host", fhir.to_string())
                .body(Full::<Bytes>::default());
            if let Ok((StatusCode::OK, _)) = load::once(fhir, request.map_err(broken)?).await {
                return Ok((server, begun.elapsed()));
            }
            if begun.elapsed() > PATIENCE {
                return Err(broken("the server does not answer"));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Starts the plain server on the same database; gives where it listens.
    ///
    /// # Errors
    /// When it does not tell its address.
    pub async fn plain(database: &str, folder: &Path) -> Result<(Self, SocketAddr)> {
        let mut command = program()?;
        // A database's address may hold a password, which has no place on a command line.
        command.arg("bench-peer").env(super::peer::DATABASE, database);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(folder.join("peer.log")).map_err(broken)?);
        let mut child = command.spawn().map_err(broken)?;
        let (lifeline, said) = (child.stdin.take(), child.stdout.take());
        let server = Self { child, _lifeline: lifeline };
        let said = said.ok_or_else(|| broken("the plain server has no output"))?;
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(said).read_line(&mut line).map(|_| line)
        });
        let line =
            tokio::time::timeout(PATIENCE, line).await.map_err(broken)?.map_err(broken)?.map_err(broken)?;
        let address = line.trim().parse().map_err(|_| {
            let said = std::fs::read_to_string(folder.join("peer.log")).unwrap_or_default();
            broken(format!("the plain server did not start: {said}"))
        })?;
        Ok((server, address))
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells the process to stop, and waits until it has.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// This program, without settings from this one's environment.
fn program() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(broken)?);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("MIMAMORI_")) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Loopback addresses that are free now.
///
/// # Errors
/// When there is none.
pub fn free_addresses() -> Result<(SocketAddr, SocketAddr)> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(broken);
    // Both are held until both are known: they differ.
    let (one, other) = (free()?, free()?);
    Ok((one.local_addr().map_err(broken)?, other.local_addr().map_err(broken)?))
}
