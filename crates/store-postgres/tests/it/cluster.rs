//! Throw-away PostgreSQL servers. They end with the test process, however it ends.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The user and group that the server runs as when the tests run as root, which it refuses.
const NOBODY: u32 = 65_534;

/// A server with its files in a folder of its own, reached by a socket there.
pub struct Cluster {
    folder: PathBuf,
    settings: &'static str,
    guard: Option<Child>,
    databases: AtomicU32,
}

impl Cluster {
    /// Makes and starts a server. `settings` are further command-line options.
    pub fn start(settings: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("mimamori-pg").tempdir().unwrap().keep();
        if is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let made = command("initdb")
            .args(["-U", "app", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "-D"])
            .arg(folder.join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut cluster = Self { folder, settings, guard: None, databases: AtomicU32::new(0) };
        cluster.run();
        cluster
    }

    /// Starts the server (again) and waits until it answers.
    pub fn run(&mut self) {
        // A shell that outlives neither this process nor the server: when the pipe to it closes,
        // it ends the server by its process id and removes the folder.
        let script = r#"
            trap '' INT TERM
            "$@" >"$FOLDER/log" 2>&1 </dev/null &
            server=$!
            read -r word
            if [ "$word" = crash ]; then kill -QUIT $server; else kill -INT $server; fi
            wait $server
            [ "$word" ] || rm -rf "$FOLDER"
        "#;
        let postgres = command("postgres");
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(postgres.get_program()).args(postgres.get_args());
        shell.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        shell.args(["-c", "listen_addresses="]).args(self.settings.split_whitespace());
        shell.env("FOLDER", &self.folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.guard = Some(shell.spawn().unwrap());
        for _ in 0..600 {
            let ready = command("pg_isready").arg("-q").arg("-h").arg(&self.folder).status().unwrap();
            if ready.success() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{}", std::fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    /// Stops the server as a crash would, without a last checkpoint.
    pub fn crash(&mut self) {
        self.end("crash\n");
    }

    fn end(&mut self, word: &str) {
        if let Some(mut guard) = self.guard.take() {
            guard.stdin.take().unwrap().write_all(word.as_bytes()).unwrap();
            guard.wait().unwrap();
        }
    }

    /// A new empty database's name.
    pub async fn create(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        crate::run_sql(&self.url("postgres"), &format!("CREATE DATABASE {name}")).await.unwrap();
        name
    }

    pub fn url(&self, database: &str) -> String {
        url(&self.folder, "app", database)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end("");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn url(folder: &Path, user: &str, database: &str) -> String {
    format!("postgres://{user}@localhost/{database}?host={}", folder.display())
}

/// The server that tests share; it does not wait for the disk.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start("-c fsync=off -c max_connections=400"))
}

/// A program of PostgreSQL's, as a user it accepts.
fn command(program: &str) -> Command {
    let path = installed().join(program);
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(path);
        command
    } else {
        Command::new(path)
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Where PostgreSQL's programs are: `MIMAMORI_PG_BIN`, Debian's folders, or the search path.
fn installed() -> PathBuf {
    let named = std::env::var_os("MIMAMORI_PG_BIN").map(PathBuf::from);
    let debian = (15..30).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched: Vec<PathBuf> = std::env::split_paths(&path).collect();
    named
        .into_iter()
        .chain(debian)
        .chain(searched)
        .find(|folder| folder.join("initdb").exists())
        .expect("these tests need PostgreSQL 15 or newer (initdb was not found)")
}
