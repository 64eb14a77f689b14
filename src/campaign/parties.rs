//! Who signed a token and whom it claims, by the world's aliases; and what an answer gives away.

use crate::finding::{Relation, tame};
use crate::jose::{Json, Material, last};
use crate::policy::{TrustPolicy, secret_forms, tenant_in};
use crate::provenance::{Presented, Provenance};
use crate::validator::Verdict;
use crate::world::World;
use memchr::memmem::Finder;
use std::collections::HashMap;

/// Who signed, and whom the token claims as issuer.
pub(super) fn parties(
    world: &World,
    policy: Option<&TrustPolicy>,
    provenance: &Provenance,
) -> (Relation, String, String) {
    let Presented::Jws(jws) = &provenance.presented else {
        return (Relation::Nobody, "nobody".to_owned(), "none".to_owned());
    };
    let iss = jws.payload.members().and_then(|payload| last(payload, "iss")).and_then(Json::as_str);
    let named = |name: &str, template: &str| name == template || tenant_in(template, name).is_some();
    let claimed = iss.map(|iss| world.issuers.iter().find(|issuer| named(iss, &issuer.name)));
    let claimed_alias = match &claimed {
        None => "none".to_owned(),
        Some(None) => "other".to_owned(),
        Some(Some(issuer)) => issuer.alias.clone(),
    };
    let made = |event: &&crate::provenance::SigningEvent| {
        event.input == jws.input && (event.signature == jws.signature || event.mirror.as_ref() == Some(&jws.signature))
    };
    let Some(event) = provenance.events.iter().find(made) else {
        return (Relation::Nobody, "nobody".to_owned(), claimed_alias);
    };
    // A key that two issuers list is the claimed one's, where that is one of them: it may sign for itself.
    let its = || world.keys.iter().filter(|key| key.jwk.material == event.key);
    let own = its().find(|key| key.owner.as_ref() == Some(&claimed_alias));
    let Some(key) = own.or_else(|| its().next()) else {
        let unknown = if matches!(event.key, Material::Oct { .. }) { "public text" } else { "unknown" };
        return (Relation::PublicText, unknown.to_owned(), claimed_alias);
    };
    let Some(owner) = &key.owner else {
        return (Relation::Attacker, "attacker".to_owned(), claimed_alias);
    };
    let trusted = world
        .issuer(owner)
        .zip(policy)
        .is_some_and(|(issuer, policy)| policy.issuers.iter().any(|told| told.issuer == issuer.name));
    let relation = if *owner == claimed_alias {
        Relation::Own
    } else if trusted {
        Relation::OtherTrusted
    } else {
        Relation::Untrusted
    };
    (relation, owner.clone(), claimed_alias)
}

/// An accept in words.
pub(super) fn describe_accept(verdict: &Verdict) -> String {
    let Verdict::Accept { identity: Some(identity), .. } = verdict else { return "accept".to_owned() };
    let shown = |text: &Option<String>| text.as_deref().map_or_else(|| "none".to_owned(), |t| tame(t, 120));
    let mut text = format!("accept, as iss {} sub {}", shown(&identity.iss), shown(&identity.sub));
    if identity.tenant.is_some() {
        text.push_str(&format!(" tenant {}", shown(&identity.tenant)));
    }
    if let Some(names) = &identity.audience {
        text.push_str(&format!(" aud {}", tame(&names.join(", "), 120)));
    }
    text
}

/// Looks for secrets in what validators say; every form in which one is looked for is made once.
#[derive(Debug, Default)]
pub(super) struct Leaks {
    forms: HashMap<Vec<u8>, Vec<Finder<'static>>>,
}

impl Leaks {
    /// The answer, where it holds a secret of the policy: as it is, in hex or in base64. The secret itself is left out.
    pub(super) fn in_answer(&mut self, policy: &TrustPolicy, verdict: &Verdict) -> Option<String> {
        let mut secrets = policy.secret_octets().peekable();
        secrets.peek()?;
        let described;
        let text = match verdict {
            Verdict::Reject(text) | Verdict::Skip(text) => text,
            Verdict::Accept { .. } => {
                described = describe_accept(verdict);
                &described
            }
        };
        let mut gives_away = |secret: &[u8]| {
            if !self.forms.contains_key(secret) {
                let forms = secret_forms(secret);
                let finders = forms.iter().map(|form| Finder::new(form).into_owned());
                self.forms.insert(secret.to_vec(), finders.collect());
            }
            self.forms[secret].iter().any(|form| form.find(text.as_bytes()).is_some())
        };
        let leaked = secrets.any(&mut gives_away);
        leaked.then(|| "an answer with a secret of its own policy in it (left out here)".to_owned())
    }
}
