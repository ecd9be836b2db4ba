//! `mimamori serve`: listeners and jobs, until told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use clap::Args;
use mimamori_app::{App, Transport};
use mimamori_web::{Settings, Web, fhir_router, staff_router};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::Context;
use crate::config::Config;
use crate::exit::{Exit, Failure, Result};
use crate::installation::{self, Installation};
use crate::mail::Smtp;
use crate::net::{
    Certificates, Limits, Listener, Stop, Stopper, Surroundings, server_config, stop_pair, terminal_config,
};
use crate::{jobs, logging, provider};

#[derive(Debug, Args)]
pub struct Arguments {}

/// Serves until SIGTERM or SIGINT. SIGHUP reads the certificate again.
///
/// # Errors
/// A failure of starting that says what to do.
pub async fn run(context: &Context, _arguments: &Arguments) -> Result<Exit> {
    let listeners = Listeners::bind(&installation::load_config(context)?).await?;
    let installation = Installation::open(context).await?;
    listeners.serve(installation).await?;
    Ok(Exit::Done)
}

/// Bound sockets: taken before anything slow, so that a taken address shows at once.
#[derive(Debug)]
pub struct Listeners {
    pub staff: Listener,
    pub fhir: Listener,
    /// Pages and FHIR for holders of client certificates. Their TLS settings need the installation's own
    /// authority, so they are completed once it is open.
    pub terminals: Option<Listener>,
    pub programs: Option<Listener>,
    certificates: Option<Arc<Certificates>>,
}

impl Listeners {
    /// Takes the addresses that the settings name.
    ///
    /// # Errors
    /// What is wrong with certificate or address.
    pub async fn bind(config: &Config) -> Result<Self> {
        logging::start(&config.log);
        let certificates = config.tls.as_ref().map(Certificates::load).transpose()?;
        let tls = certificates.clone().map(server_config).transpose()?;
        let surroundings = Surroundings::new(config.network.clone());
        let limits = Limits {
            connections: config.listen.connections,
            connections_per_address: config.listen.connections_per_address,
            ..Limits::default()
        };
        let certified = async |name, address: Option<SocketAddr>| match address {
            Some(address) => Ok::<_, Failure>(Some(
                Listener::bind(name, address, None, limits).await?.within(&surroundings),
            )),
            None => Ok(None),
        };
        Ok(Self {
            terminals: certified("terminals", config.listen.terminals).await?,
            programs: certified("programs", config.listen.programs).await?,
            staff: Listener::bind("staff", config.listen.staff, tls.clone(), limits)
                .await?
                .within(&surroundings),
            fhir: Listener::bind("fhir", config.listen.fhir, tls, limits).await?.within(&surroundings),
            certificates,
        })
    }

    /// Serves an installation until the process is told to stop, then closes it.
    ///
    /// # Errors
    /// When signals cannot be received.
    pub async fn serve(self, installation: Installation) -> Result<()> {
        let Installation { config, clock, store, app, instance, .. } = installation;
        let unknown = config.network.unknown_zones(app.pack());
        if !unknown.is_empty() {
            let message = format!("network.zones: the rules in force know no {}", unknown.join(", "));
            return Err(Failure::new(Exit::Configuration, message)
                .next("From there nobody could use anything: name zones of the policy pack."));
        }
        let (mut terminals, mut programs, mut following) = (self.terminals, self.programs, None);
        if let Some(certificates) =
            self.certificates.clone().filter(|_| terminals.is_some() || programs.is_some())
        {
            let believed = app.terminal_authority(&app.operator("mimamori serve")).await?;
            let insist = config.listen.client_certificates;
            let tls = terminal_config(Arc::clone(&certificates), &believed, insist)?;
            let (exchange, tls) = watch::channel(tls);
            terminals = terminals.map(|listener| listener.with_tls(tls.clone()));
            programs = programs.map(|listener| listener.with_tls(tls));
            following = Some((exchange, certificates, believed, insist));
        }
        let signals = Signals::listen()?;
        let alone = [&self.staff, &self.fhir].iter().all(|listener| listener.address().ip().is_loopback());
        let encrypted = config.tls.is_some() || alone;
        app.set_transport(if encrypted { Transport::Encrypted } else { Transport::Plain });
        passkeys(&app, &config, self.staff.address().port())?;
        provider::serve(&app, &config, self.staff.address().port())?;
        let smtp = config.mail.as_ref().map(Smtp::new).transpose()?;
        let settings = Settings {
            mail: smtp.is_some(),
            tls: config.tls.is_some(),
            name: config.name.clone(),
            fhir_base: config
                .listen
                .fhir_url
                .clone()
                .unwrap_or_else(|| format!("{}fhir", config.url(self.fhir.address()))),
            // Half of the connections stay free for those who do something.
            listeners: config.listen.connections / 2,
            listeners_per_address: config.listen.connections_per_address / 2,
            ..Settings::default()
        };
        let web = Web::new(Arc::clone(&app), Arc::clone(&clock) as _, settings);
        let (stopper, stop) = stop_pair();
        let (stop_jobs, jobs_stop) = stop_pair();
        let mut jobs = JoinSet::new();
        jobs.spawn(jobs::checkpoints(Arc::clone(&app), Arc::clone(&store), jobs_stop.clone()));
        jobs.spawn(jobs::refusals(Arc::clone(&app), jobs_stop.clone()));
        jobs.spawn(jobs::clock(Arc::clone(&app), clock, jobs_stop.clone()));
        jobs.spawn(jobs::accounts(Arc::clone(&app), jobs_stop.clone()));
        if let Some((exchange, certificates, believed, insist)) = following {
            let config = move |roots: &[Vec<u8>]| terminal_config(Arc::clone(&certificates), roots, insist);
            jobs.spawn(jobs::authorities(Arc::clone(&app), believed, exchange, config, jobs_stop.clone()));
        }
        if let Some(every) = config.jobs.verify {
            jobs.spawn(jobs::verify(Arc::clone(&app), every, jobs_stop.clone()));
        }
        if let (Some(settings), Some(smtp)) = (config.mail.clone(), smtp) {
            let (urgent, to) = (settings.clone(), smtp.clone());
            jobs.spawn(jobs::urgent_mail(Arc::clone(&app), urgent, to, jobs_stop.clone()));
            jobs.spawn(jobs::mail(Arc::clone(&app), settings, smtp, jobs_stop));
        }
        tracing::info!(
            staff = %self.staff.address(),
            fhir = %self.fhir.address(),
            terminals = terminals.as_ref().map(|listener| listener.address().to_string()),
            programs = programs.as_ref().map(|listener| listener.address().to_string()),
            tls = config.tls.is_some(),
            database = store.database(),
            %instance,
            version = env!("CARGO_PKG_VERSION"),
            "serving"
        );
        let staff = self.staff.serve(staff_router(&web), stop.clone());
        let fhir = self.fhir.serve(fhir_router(&web), stop.clone());
        let terminals = serve_maybe(terminals, staff_router(&web), stop.clone());
        let programs = serve_maybe(programs, fhir_router(&web), stop);
        let told = async {
            signals.act(self.certificates, stopper).await;
            web.close_listeners();
        };
        tokio::join!(staff, fhir, terminals, programs, told);
        // Jobs outlive the listeners, so that the last requests are covered by a checkpoint.
        jobs::write_refusals(&app).await;
        stop_jobs.stop();
        while jobs.join_next().await.is_some() {}
        installation::close_store(store.as_ref(), instance).await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Passkeys are for the address that the settings name; without TLS, for this machine's own.
fn passkeys(app: &App, config: &Config, port: u16) -> Result<()> {
    let here = config.tls.is_none().then(|| format!("http://localhost:{port}"));
    let Some(address) = config.address.clone().or(here) else { return Ok(()) };
    app.serve_passkeys(&address, &config.name).map_err(|error| {
        Failure::new(Exit::Configuration, format!("address: {}", error.message()))
            .next("Set address to how people open the pages, for example \"https://mimamori.example.jp\".")
    })
}

/// Serves a listener where there is one.
async fn serve_maybe(listener: Option<Listener>, router: Router, stop: Stop) {
    if let Some(listener) = listener {
        listener.serve(router, stop).await;
    }
}

/// The signals this program knows.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    reload: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let on = |kind| {
            signal(kind)
                .map_err(|error| Failure::new(Exit::Internal, format!("cannot receive signals: {error}")))
        };
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            reload: on(SignalKind::hangup())?,
        })
    }

    /// Acts on signals until one says stop; a second one ends the process at once.
    async fn act(mut self, certificates: Option<Arc<Certificates>>, stopper: Stopper) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.reload.recv() => reload(certificates.as_deref()),
            }
        }
        tracing::info!("stopping: requests under way may finish");
        stopper.stop();
        tokio::spawn(async move {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            tracing::warn!("told to stop twice: ending at once");
            std::process::exit(i32::from(Exit::Failed.code()));
        });
    }
}

fn reload(certificates: Option<&Certificates>) {
    match certificates.map(Certificates::reload) {
        None => tracing::info!("nothing to read again: no TLS certificate is set"),
        Some(Ok(())) => tracing::info!("the TLS certificate was exchanged"),
        Some(Err(error)) => {
            tracing::error!(%error, "the TLS certificate was not exchanged; the old one stays")
        }
    }
}
