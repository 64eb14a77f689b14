//! HMAC over the texts that a validator says it holds as keys. They are known only once it was asked, so this end of the
//! catalogue is another one for each validator.

use super::examine::Held;
use super::pool::{self, AfterHang, Pulse};
use super::stream::Stream;
use super::{Plan, Total, lock};
use crate::generate::{self, Site};
use crate::policy::{TrustPolicy, secret_forms};
use crate::scenario::Scenario;
use crate::validator::Maker;
use crate::world::Calendar;
use memchr::memmem;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// Most texts of one site that are tried.
const MAX_TEXTS: usize = 32;
/// Longest text that is tried, in octets: it stands in each scenario made of it.
const MAX_TEXT: usize = 16 << 10;

/// The plan for this validator: the same where it holds no text as a key, or does not say so.
pub(super) fn with_key_texts(plan: &Plan, maker: &Maker, total: &mut Total, stop: &AtomicBool) -> Plan {
    let mut asked: Vec<(Site<'_>, Arc<TrustPolicy>)> = Vec::new();
    for (world, party, key_source) in plan.stream.asks_for_key_texts_at() {
        let Some(world) = plan.worlds.iter().find(|known| known.name == *world) else { continue };
        let Some(party) = world.party(party).filter(|_| total.description.key_sources.contains(key_source)) else {
            continue;
        };
        let bench = total.workshop.bench(world, Calendar::At(plan.now));
        let Some(policy) = bench.forge.policy(&party.alias, *key_source) else { continue };
        let template = policy.issuers.iter().any(crate::policy::TrustedIssuer::is_template);
        if total.description.issuer_templates || !template {
            asked.push((Site { world, party, key_source: *key_source }, Arc::clone(policy)));
        }
    }
    if asked.is_empty() {
        return plan.clone();
    }
    let policies = asked.iter().map(|(_, policy)| Arc::clone(policy)).collect();
    let (said, mishaps): (Vec<_>, Vec<_>) =
        ask(policies, plan, maker, total.description.keeps_time, stop).into_iter().unzip();
    total.tally.mishaps(mishaps.concat());
    let mut tried: BTreeSet<(&str, &str, Vec<String>)> = BTreeSet::new();
    let mut scenarios: Vec<Scenario> = Vec::new();
    for ((site, policy), texts) in asked.iter().zip(said) {
        let texts = worth_trying(texts, policy);
        if !texts.is_empty() && tried.insert((&site.world.name, &site.party.alias, texts.clone())) {
            scenarios.extend(generate::over_key_texts(site, &texts));
        }
    }
    if scenarios.is_empty() {
        return plan.clone();
    }
    Plan { stream: Arc::new(Stream::with_key_texts(&plan.stream, scenarios)), ..plan.clone() }
}

/// Texts, and what went wrong meanwhile without a token being the cause.
type Said = (Vec<String>, Vec<String>);

/// What a fresh validator says under each policy, asked on a watched thread. Whoever breaks says nothing; that it does is seen
/// when it is shown tokens.
fn ask(policies: Vec<Arc<TrustPolicy>>, plan: &Plan, maker: &Maker, keeps_time: bool, stop: &AtomicBool) -> Vec<Said> {
    let count = policies.len();
    let said: Arc<Vec<Mutex<Said>>> = Arc::new((0..count).map(|_| Mutex::default()).collect());
    let work = {
        let (said, maker) = (Arc::clone(&said), Arc::clone(maker));
        let work = move |task: usize, pulse: &Pulse| {
            if !keeps_time {
                pulse.begins();
            }
            let texts = catch_unwind(AssertUnwindSafe(|| {
                let mut held = Held::new(maker());
                held.key_texts(&policies[task])
            }));
            if !keeps_time {
                pulse.ends();
            }
            *lock(&said[task]) = texts.unwrap_or_default();
        };
        Arc::new(work) as pool::Work
    };
    pool::run(count, 1, plan.timeout, stop, &work, &mut |_| AfterHang::Drop, &mut || {});
    said.iter().map(|texts| std::mem::take(&mut *lock(texts))).collect()
}

/// Those that can be tried, each once and in an order of their own: neither blank nor endless, and with no secret of the
/// policy in them, since a scenario is public.
fn worth_trying(texts: Vec<String>, policy: &TrustPolicy) -> Vec<String> {
    let secrets: Vec<Vec<u8>> = policy.secret_octets().flat_map(secret_forms).collect();
    let is_public = |text: &String| !secrets.iter().any(|form| memmem::find(text.as_bytes(), form).is_some());
    let texts: BTreeSet<String> =
        texts.into_iter().filter(|text| !text.trim().is_empty() && text.len() <= MAX_TEXT).filter(is_public).collect();
    texts.into_iter().take(MAX_TEXTS).collect()
}
