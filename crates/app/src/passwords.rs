//! Passwords: Argon2id on one thread of its own with one block of memory, so that a flood of sign-ins
//! neither slows the rest nor leaves memory behind on many threads.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use argon2::password_hash::{phc::Output, phc::PasswordHash, phc::Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use mimamori_domain::{Error, ErrorKind, Result};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// RFC 9106 section 4, second recommended option scaled to the guidance of OWASP: 19 MiB, 2 passes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// So many passwords wait in each of the two lines; more are told to come back.
const WAITING: usize = 64;

/// Who waits in which line: the first one is always served first, so that a flood from elsewhere keeps
/// nobody waiting who signs in from where they usually do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Somebody signed in, or whose account signed in from there lately.
    Known,
    Stranger,
}

/// No longer password is hashed, so that nobody can make it costly.
pub(crate) const MOST_BYTES: usize = 256;

/// Hashes and checks passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    known: SyncSender<Job>,
    strangers: SyncSender<Job>,
    /// Rung once for each job, after it was put into its line.
    bell: SyncSender<()>,
    /// The hash of nobody's password: checked for unknown names, so that they take as long.
    nobody: Arc<str>,
}

/// Work for the thread, and where its answer goes.
enum Job {
    Hash(Zeroizing<String>, oneshot::Sender<Result<String>>),
    Verify(Zeroizing<String>, String, oneshot::Sender<Result<bool>>),
    /// Hashes cost this much from here on: kibibytes and passes.
    Cost(u32, u32),
}

impl Passwords {
    pub(crate) fn new() -> Result<Self> {
        let hasher = Hasher::new()?;
        let nobody = hasher.nobody()?;
        let (known, first) = sync_channel(WAITING);
        let (strangers, second) = sync_channel(WAITING);
        let (bell, rung) = sync_channel(2 * WAITING);
        // It ends when the last sender is gone.
        std::thread::Builder::new()
            .name("passwords".to_owned())
            .spawn(move || hasher.run(&rung, &[first, second]))
            .map_err(Error::unavailable)?;
        Ok(Self { known, strangers, bell, nobody: nobody.into() })
    }

    /// The hash of a password in PHC string form.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Hash(Zeroizing::new(password.to_owned()), done), Line::Known)?;
        answer.await.map_err(Error::unavailable)?
    }

    /// Whether a password is the one of this hash; without a hash the same work is done in vain.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>, line: Line) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let (done, answer) = oneshot::channel();
        self.send(Job::Verify(Zeroizing::new(password.to_owned()), hash, done), line)?;
        Ok(answer.await.map_err(Error::unavailable)?? && known)
    }

    /// Makes hashes that cost nothing, or those of [`MEMORY_KIB`] again.
    pub(crate) fn light(&self, light: bool) -> Result<()> {
        let cost = if light { Job::Cost(Params::MIN_M_COST, 1) } else { Job::Cost(MEMORY_KIB, PASSES) };
        self.send(cost, Line::Known)
    }

    fn send(&self, job: Job, line: Line) -> Result<()> {
        let work = if line == Line::Known { &self.known } else { &self.strangers };
        work.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => {
                Error::new(ErrorKind::Unavailable, "too many sign-ins at once; please try again shortly")
                    .with_detail("the queue of passwords is full")
            }
            TrySendError::Disconnected(_) => Error::unavailable("the thread for passwords has ended"),
        })?;
        // A full bell is being heard: whoever hears it looks into both lines until they are empty.
        match self.bell.try_send(()) {
            Ok(()) | Err(TrySendError::Full(())) => Ok(()),
            Err(TrySendError::Disconnected(())) => {
                Err(Error::unavailable("the thread for passwords has ended"))
            }
        }
    }
}

/// How far the thread of passwords stands behind the others (`nice`): where processors are short, it gets
/// about a fifth of what each of them gets, enough for a password within a quarter of a second.
const NICE: i32 = 7;

/// Lets the threads that answer readers go first. Where that is refused, all are served alike.
fn step_back() {
    // Linux alone takes the id of a thread here; elsewhere it would be some process's.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}

/// Argon2id with memory that is used again and again. It is asked of the system with the first password:
/// most commands see none.
struct Hasher {
    argon2: Argon2<'static>,
    memory: Vec<Block>,
    /// The memory grows to so many blocks, enough for the greatest cost of today's hashes.
    most: usize,
}

impl Hasher {
    fn new() -> Result<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(Error::internal)?;
        let most = params.block_count();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self { argon2, memory: Vec::new(), most })
    }

    /// A hash that looks like any other and is of no password: nothing was hashed for it.
    fn nobody(&self) -> Result<String> {
        let random = || mimamori_vault::random_token().map_err(Error::unavailable);
        self.phc(&random()?, &random()?)
    }

    /// A hash of today's costs in PHC string form.
    fn phc(&self, salt: &[u8], hash: &[u8]) -> Result<String> {
        let failed = || Error::internal("a hash could not be written");
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: self.argon2.params().try_into().map_err(|_| failed())?,
            salt: Some(Salt::new(salt).map_err(|_| failed())?),
            hash: Some(Output::new(hash).map_err(|_| failed())?),
        };
        Ok(hash.to_string())
    }

    /// Sees to so many blocks of memory, as far as it grows.
    fn grow(&mut self, blocks: usize) {
        let wanted = blocks.min(self.most);
        if self.memory.len() < wanted {
            self.memory.resize(wanted, Block::new());
        }
    }

    fn run(mut self, bell: &Receiver<()>, lines: &[Receiver<Job>; 2]) {
        step_back();
        while let Ok(()) = bell.recv() {
            while let Some(job) = lines.iter().find_map(|line| line.try_recv().ok()) {
                self.work(job);
            }
        }
    }

    fn work(&mut self, job: Job) {
        // Whoever gave up waiting is passed over: nothing is worked out for nobody.
        match job {
            Job::Hash(password, done) if !done.is_closed() => {
                let _ = done.send(self.hash(&password));
            }
            Job::Verify(password, hash, done) if !done.is_closed() => {
                let _ = done.send(self.verify(&password, &hash));
            }
            Job::Cost(memory, passes) => self.cost(memory, passes),
            Job::Hash(..) | Job::Verify(..) => {}
        }
    }

    fn cost(&mut self, memory: u32, passes: u32) {
        if let Ok(params) = Params::new(memory, passes, 1, None) {
            self.argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        }
    }

    fn hash(&mut self, password: &str) -> Result<String> {
        let salt = mimamori_vault::random_token().map_err(Error::unavailable)?;
        let blocks = self.argon2.params().block_count();
        self.grow(blocks);
        let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
        self.argon2
            .hash_password_into_with_memory(password.as_bytes(), &salt, &mut out, &mut self.memory[..])
            .map_err(|_| Error::internal("a password could not be hashed"))?;
        self.forget(blocks);
        self.phc(&salt, &out)
    }

    /// A hash made with other costs than today's is checked with those it names; with greater ones in
    /// memory of its own.
    fn verify(&mut self, password: &str, hash: &str) -> Result<bool> {
        let unreadable = || Error::internal("a stored password hash is unreadable");
        let hash = PasswordHash::new(hash).map_err(|_| unreadable())?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Err(unreadable()) };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| unreadable())?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from);
        let params = Params::try_from(&hash).map_err(|_| unreadable())?;
        let blocks = params.block_count();
        let argon2 = Argon2::new(algorithm, version.map_err(|_| unreadable())?, params);
        self.grow(blocks);
        let mut out = vec![0; expected.len()];
        let done = match self.memory.get_mut(..blocks) {
            Some(memory) => {
                argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut out, memory)
            }
            None => argon2.hash_password_into(password.as_bytes(), salt, &mut out),
        };
        done.map_err(|_| unreadable())?;
        self.forget(blocks);
        // `Output` compares in constant time.
        Ok(Output::new(&out).is_ok_and(|out| out == *expected))
    }

    /// What was derived from a password does not stay in memory until the next one: it lies in so many
    /// blocks from the first.
    fn forget(&mut self, blocks: usize) {
        let used = blocks.min(self.memory.len());
        self.memory.iter_mut().take(used).for_each(|block| *block = Block::new());
    }
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_accepted() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("natsu-no-yoru-2026").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify("natsu-no-yoru-2026", Some(hash.clone()), Line::Stranger).await.unwrap());
        assert!(!passwords.verify("natsu-no-yoru-2027", Some(hash.clone()), Line::Stranger).await.unwrap());
        assert!(!passwords.verify("natsu-no-yoru-2026", None, Line::Stranger).await.unwrap());
        assert_eq!(
            passwords.verify("x", Some("no hash".to_owned()), Line::Stranger).await.unwrap_err().kind(),
            ErrorKind::Internal
        );
        // The library's own way agrees, in both directions.
        let library = Argon2::default();
        assert!(library.verify_password(b"natsu-no-yoru-2026", hash.as_str()).is_ok());
        let other = library.hash_password(b"natsu-no-yoru-2026").unwrap().to_string();
        assert!(passwords.verify("natsu-no-yoru-2026", Some(other.clone()), Line::Stranger).await.unwrap());
        assert!(!passwords.verify("natsu-no-yoru-2027", Some(other), Line::Stranger).await.unwrap());
        // Two salts, and costs of another day.
        assert_ne!(hash, passwords.hash("natsu-no-yoru-2026").await.unwrap());
        let costs = Params::new(32 * 1024, 1, 1, None).unwrap();
        let other = Argon2::new(Algorithm::Argon2id, Version::V0x13, costs);
        let other = other.hash_password(b"natsu-no-yoru-2026").unwrap().to_string();
        assert!(passwords.verify("natsu-no-yoru-2026", Some(other), Line::Stranger).await.unwrap());
    }

    /// Proves: an unknown name costs what a known one does, and its check is of no use to anybody.
    #[test]
    fn nobodys_hash_looks_like_any_other() {
        let mut hasher = Hasher::new().unwrap();
        let (nobody, somebody) = (hasher.nobody().unwrap(), hasher.hash("natsu-no-yoru-2026").unwrap());
        let parts = |hash: &str| hash.split('$').map(str::to_owned).collect::<Vec<_>>();
        let (ours, theirs) = (parts(&nobody), parts(&somebody));
        assert_eq!(ours[..4], theirs[..4]);
        assert_eq!(
            ours.iter().map(String::len).collect::<Vec<_>>(),
            theirs.iter().map(String::len).collect::<Vec<_>>()
        );
        assert_ne!(ours[4..], theirs[4..]);
        assert_ne!(nobody, hasher.nobody().unwrap());
        assert!(!hasher.verify("natsu-no-yoru-2026", &nobody).unwrap());
    }

    #[test]
    fn nothing_derived_from_a_password_stays_in_memory() {
        let mut hasher = Hasher::new().unwrap();
        let hash = hasher.hash("natsu-no-yoru-2026").unwrap();
        assert!(hasher.verify("natsu-no-yoru-2026", &hash).unwrap());
        assert!(hasher.memory.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_to_come_back_and_the_others_are_answered() {
        let passwords = Passwords::new().unwrap();
        let all = (0..WAITING + 20).map(|_| passwords.verify("natsu-no-yoru", None, Line::Stranger));
        let answers = futures::future::join_all(all).await;
        let (done, busy): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert!(done.len() >= WAITING, "{}", done.len());
        assert!(!busy.is_empty());
        assert!(busy.iter().all(|answer| answer.as_ref().unwrap_err().kind() == ErrorKind::Unavailable));
        assert!(passwords.hash("natsu-no-yoru-2026").await.is_ok());
    }

    /// Proves: whoever signs in from where they usually do is served before a flood of strangers.
    #[tokio::test]
    async fn a_flood_of_strangers_keeps_nobody_known_waiting() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("natsu-no-yoru-2026").await.unwrap();
        let order = std::sync::Mutex::new(Vec::new());
        let strangers = (0..WAITING).map(|_| async {
            let _ = passwords.verify("natsu-no-yoru", None, Line::Stranger).await;
            order.lock().unwrap().push(Line::Stranger);
        });
        let known = async {
            assert!(passwords.verify("natsu-no-yoru-2026", Some(hash), Line::Known).await.unwrap());
            order.lock().unwrap().push(Line::Known);
        };
        futures::join!(futures::future::join_all(strangers), known);
        let order = order.into_inner().unwrap();
        let at = order.iter().position(|line| *line == Line::Known).unwrap();
        assert!(order.len() == WAITING + 1 && at < WAITING / 2, "{at} of {}", order.len());
    }
}
