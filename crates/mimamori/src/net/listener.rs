//! The accept loop: seats connections, shakes hands, serves, and ends gracefully.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use mimamori_app::Origin;
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::idle::Idle;
use super::limit::{Limit, Seat};
use super::place::Surroundings;
use crate::exit::{Exit, Failure, Result};

/// How long and how much a listener bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at a time.
    pub connections: usize,
    /// Most connections at a time from one address.
    pub connections_per_address: usize,
    /// Longest TLS handshake.
    pub handshake: Duration,
    /// Longest wait for a request's complete head.
    pub head: Duration,
    /// Longest time without a byte moving either way.
    pub idle: Duration,
    /// How long requests under way may take to finish after the program was told to stop.
    pub finish: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 128,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            idle: Duration::from_secs(120),
            finish: Duration::from_secs(30),
        }
    }
}

/// Longest head of a request, all lines together.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Tells every listener and job that it is time to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Waits for the time to stop. Clones wait for the same.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// A pair: who tells, and who waits.
#[must_use]
pub fn stop_pair() -> (Stopper, Stop) {
    let (tell, wait) = watch::channel(false);
    (Stopper(tell), Stop(wait))
}

impl Stopper {
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns once it is time to stop, also when nobody is left to tell.
    pub async fn wait(&mut self) {
        let _nobody_left_to_tell = self.0.wait_for(|stop| *stop).await;
    }
}

/// A bound socket that will serve one router.
#[derive(Debug)]
pub struct Listener {
    name: &'static str,
    socket: TcpListener,
    address: SocketAddr,
    /// The settings for connections to come.
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    limits: Limits,
    surroundings: Surroundings,
}

impl Listener {
    /// Takes the address. Nothing is answered until [`Listener::serve`].
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the address is taken or not ours.
    pub async fn bind(
        name: &'static str,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        limits: Limits,
    ) -> Result<Self> {
        let taken = |error: std::io::Error| {
            Failure::new(Exit::Unavailable, format!("cannot listen on {address} ({name}): {error}"))
                .next(format!("Another program may use it; set listen.{name} to a free address."))
        };
        let socket = TcpListener::bind(address).await.map_err(taken)?;
        let address = socket.local_addr().map_err(taken)?;
        Ok(Self {
            name,
            socket,
            address,
            tls: tls.map(|tls| watch::channel(tls).1),
            limits,
            surroundings: Surroundings::default(),
        })
    }

    /// Tells zones, proxies and certificates apart by these settings.
    #[must_use]
    pub fn within(mut self, surroundings: &Surroundings) -> Self {
        self.surroundings = surroundings.clone();
        self
    }

    /// Speaks TLS by these settings from now on, and by those that follow them for connections to come.
    #[must_use]
    pub fn with_tls(mut self, tls: watch::Receiver<Arc<ServerConfig>>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The address in use; tells the port when the configured one was 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop, then lets requests under way finish.
    pub async fn serve(self, router: Router, mut stop: Stop) {
        let Self { name, socket, tls, limits, surroundings, .. } = self;
        let limit = Limit::new(limits.connections, limits.connections_per_address);
        let graceful = Arc::new(GracefulShutdown::new());
        loop {
            let accepted = tokio::select! {
                () = stop.wait() => break,
                accepted = accept(&socket, &limit) => accepted,
            };
            let (stream, peer, seat) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(listener = name, %error, "a connection could not be accepted");
                    // Out of file descriptors, most likely: trying at once would only spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(seat) = seat else {
                tracing::debug!(listener = name, %peer, reason = "too-many-connections", "connection refused");
                continue;
            };
            let tls = tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.borrow())));
            let (router, watcher) = (router.clone(), graceful.watcher());
            let client = Client { peer, shown: None, surroundings: surroundings.clone() };
            tokio::spawn(async move {
                let _seat = seat;
                let served = match tls {
                    None => serve_one(stream, client, router, limits, watcher).await,
                    Some(tls) => match tokio::time::timeout(limits.handshake, tls.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let client = client.showing(stream.get_ref().1);
                            serve_one(stream, client, router, limits, watcher).await
                        }
                        Ok(Err(_)) => Err("handshake-failed"),
                        Err(_) => Err("handshake-too-slow"),
                    },
                };
                if let Err(reason) = served {
                    tracing::debug!(listener = name, %peer, reason, "connection ended early");
                }
            });
        }
        drop(socket);
        let Some(graceful) = Arc::into_inner(graceful) else {
            return;
        };
        if tokio::time::timeout(limits.finish, graceful.shutdown()).await.is_err() {
            tracing::warn!(listener = name, reason = "finish-too-slow", "requests under way were cut off");
        }
    }
}

async fn accept(
    socket: &TcpListener,
    limit: &Limit,
) -> std::io::Result<(TcpStream, SocketAddr, Option<Seat>)> {
    // The seat comes first: beyond the limit, connections wait in the kernel's queue.
    let permit = limit.permit().await.ok_or(std::io::ErrorKind::BrokenPipe)?;
    let (stream, peer) = socket.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, limit.seat(permit, peer.ip())))
}

/// The other end of a connection.
struct Client {
    peer: SocketAddr,
    /// The certificate it proved to hold, in DER.
    shown: Option<CertificateDer<'static>>,
    surroundings: Surroundings,
}

impl Client {
    /// The same, with the certificate that the handshake verified.
    fn showing(self, connection: &ServerConnection) -> Self {
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        Self { shown: shown.map(|shown| shown.clone().into_owned()), ..self }
    }

    fn origin(&self, headers: &mut HeaderMap) -> Origin {
        self.surroundings.origin(self.peer.ip(), self.shown.as_deref(), headers)
    }
}

async fn serve_one<S>(
    stream: S,
    client: Client,
    router: Router,
    limits: Limits,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), &'static str>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(client.peer));
        let origin = client.origin(request.headers_mut());
        request.extensions_mut().insert(origin);
        // A router is always ready; each request gets its own clone.
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Idle::new(stream, limits.idle)), service);
    watcher
        .watch(connection)
        .await
        .map_err(|error| if error.is_timeout() { "request-too-slow" } else { "connection-broken" })
}
