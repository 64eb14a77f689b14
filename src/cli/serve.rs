//! `wrongkey serve`: a world's issuers over loopback, until interrupted.

use super::args::{Format, ServeArgs};
use super::store::write;
use super::validators::{naming, one_world};
use crate::clock;
use crate::error::Error;
use crate::finding::tame;
use crate::issuers::{Fetch, Issuers, Published};
use crate::jose::NumericDate;
use crate::judgement::Exit;
use crate::world::{Address, Calendar, Naming, Publication, World};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often we look whether we are to end.
const TICK: Duration = Duration::from_millis(100);
/// Longest text of a request that is shown.
const MAX_SHOWN: usize = 300;

pub(super) fn serve(args: &ServeArgs) -> Result<Exit, Error> {
    let naming = naming(args.world_seed, args.issuer_base.as_deref())?;
    let base = naming.issuer_base.as_deref().and_then(Address::of);
    let world = one_world(&args.world, &naming)?;
    let calendar = Calendar::At(args.now.map_or_else(clock::now, NumericDate));
    let wanted =
        Wanted { prefix: "--", listen: args.listen, tls: args.tls, ca: args.ca.as_deref(), base: base.as_ref() };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    ctrlc::set_handler(move || stopped.store(true, Ordering::Release))
        .map_err(|error| Error::Usage(format!("interrupts cannot be caught: {error}")))?;
    let issuers = wanted.started(&world, calendar)?;
    let opening = opening(&world, &issuers, &naming);
    match args.format {
        Format::Json => print_line(&opening),
        Format::Text => super::print(&readable(&opening)),
    }
    let mut mark = 0;
    while !stop.load(Ordering::Acquire) {
        for fetch in issuers.wait_for_fetches(mark, TICK) {
            mark = fetch.number + 1;
            match args.format {
                Format::Json => print_line(&json!({ "fetch": fetch })),
                Format::Text => super::print(&fetched(&fetch)),
            }
        }
    }
    Ok(Exit::Interrupted)
}

/// How the issuers of a world are to be served at a fixed place.
pub(super) struct Wanted<'a> {
    /// What the names of the flags begin with.
    pub(super) prefix: &'a str,
    pub(super) listen: Option<SocketAddr>,
    pub(super) tls: bool,
    pub(super) ca: Option<&'a Path>,
    pub(super) base: Option<&'a Address>,
}

impl Wanted<'_> {
    /// A server at work for the world as it is at the start; its authority is written down where that is wanted.
    pub(super) fn started(&self, world: &World, calendar: Calendar) -> Result<Issuers, Error> {
        let tls = self.tls || self.ca.is_some() || self.base.is_some_and(|base| base.scheme == "https");
        let usual = || SocketAddr::from((Ipv4Addr::LOCALHOST, self.base.map_or(0, port)));
        let listen = self.listen.unwrap_or_else(usual);
        let issuers = Issuers::start(listen, tls, Published::of(world, &Publication::of(world), calendar));
        let issuers = issuers.map_err(|error| Error::Usage(format!("{}listen: {error}", self.prefix)))?;
        if let (Some(path), Some(ca)) = (self.ca, issuers.ca()) {
            write(path, ca)?;
        }
        Ok(issuers)
    }
}

/// The port of a URL.
fn port(address: &Address) -> u16 {
    let written = address.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    written.unwrap_or(if address.scheme == "https" { 443 } else { 80 })
}

/// Who is served where.
fn opening(world: &World, issuers: &Issuers, naming: &Naming) -> Value {
    let address = issuers.address();
    let homes = world.issuers.iter().map(|issuer| {
        let home = issuer.address();
        json!({
            "alias": issuer.alias,
            "issuer": issuer.name,
            "discovery_url": home.as_ref().map(Address::discovery_url),
            "jwks_uri": home.as_ref().map(Address::jwks_uri),
            "converged_jwks_uri":
                home.as_ref().filter(|_| world.converged.contains(&issuer.alias)).map(Address::converged_uri),
        })
    });
    json!({
        "serving": world.name,
        "world_seed": world.seed,
        "issuer_base": naming.issuer_base,
        "http": format!("http://{address}"),
        "https": issuers.ca().map(|_| format!("https://{address}")),
        "ca": issuers.ca(),
        "issuers": homes.collect::<Vec<_>>(),
    })
}

fn readable(opening: &Value) -> String {
    let word = |value: &Value| super::tame_lines(value.as_str().unwrap_or_default());
    let mut out = String::new();
    for scheme in ["http", "https"] {
        if opening[scheme].is_string() {
            let _ = writeln!(out, "serving {} at {}", word(&opening["serving"]), word(&opening[scheme]));
        }
    }
    if opening["ca"].is_string() {
        let _ = writeln!(out, "certificates are by an authority of this run: --ca FILE writes its own");
    }
    for issuer in opening["issuers"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "issuer {}  {}", word(&issuer["alias"]), word(&issuer["issuer"]));
        for (name, url) in
            [("discovery", "discovery_url"), ("key set", "jwks_uri"), ("converged", "converged_jwks_uri")]
        {
            if issuer[url].is_string() {
                let _ = writeln!(out, "  {name:<9}  {}", word(&issuer[url]));
            }
        }
    }
    out
}

fn fetched(fetch: &Fetch) -> String {
    let shown = |text: &str| tame(text, MAX_SHOWN);
    let whose = match (&fetch.issuer, fetch.attacker) {
        (Some(issuer), _) => format!("of {}", shown(issuer)),
        (None, true) => "of the attacker".to_owned(),
        (None, false) => "of nobody".to_owned(),
    };
    let Fetch { at, scheme, status, .. } = fetch;
    let url = format!("{scheme}://{}{}", shown(&fetch.host), shown(&fetch.path));
    format!("{} {status} {} {url} {whose}\n", at.0, shown(&fetch.method))
}

fn print_line(value: &Value) {
    super::print(&format!("{value}\n"));
}
