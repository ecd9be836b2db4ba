//! A socket between program and server that cuts the connection around a COMMIT.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Passes everything on.
pub const PASS: u8 = 0;
/// Cuts after the server has committed, before the program hears of it.
pub const CUT_AFTER_COMMIT: u8 = 1;
/// Cuts instead of handing the COMMIT on.
pub const CUT_BEFORE_COMMIT: u8 = 2;

/// What the simple query COMMIT looks like (PostgreSQL manual, "Message Formats", Query).
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Listens in `folder` and hands on to the server's socket there; `what` says what happens at the
/// next COMMIT, after which it passes everything on again.
pub fn listen(folder: &Path, server: &Path, what: Arc<AtomicU8>) {
    let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
    let server = server.join(".s.PGSQL.5432");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(upstream) = UnixStream::connect(&server).await else { continue };
            tokio::spawn(hand_on(client, upstream, Arc::clone(&what)));
        }
    });
}

async fn hand_on(mut client: UnixStream, mut server: UnixStream, what: Arc<AtomicU8>) {
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(length @ 1..) = read else { return };
                let sent = &from_client[..length];
                if sent.windows(COMMIT.len()).any(|window| window == COMMIT) {
                    match what.swap(PASS, Ordering::SeqCst) {
                        CUT_BEFORE_COMMIT => return,
                        CUT_AFTER_COMMIT => {
                            server.write_all(sent).await.unwrap();
                            // The answer comes, and nobody hears it.
                            let _ = server.read(&mut from_server).await;
                            return;
                        }
                        _ => {}
                    }
                }
                if server.write_all(sent).await.is_err() { return }
            }
            read = server.read(&mut from_server) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&from_server[..length]).await.is_err() { return }
            }
        }
    }
}
