//! What every Rust adapter shares: the lines of protocol version 1, and a policy as an application writes it down. An adapter's
//! own program says how its crate is used.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A token's claims as the crate gave them out.
pub type Claims = Map<String, Value>;

/// Why a token is refused.
pub type Refusal = String;

/// The crate at work for one realm: a good token's `typ` and claims.
pub type Door = Box<dyn Fn(&str) -> Result<(Option<String>, Claims), Refusal>>;

/// Issuers and keys that are trusted together, and what they may sign. Audiences and subjects: absent where nobody asks.
#[derive(Default)]
pub struct Realm {
    pub issuers: Vec<String>,
    pub keys: Vec<Value>,
    pub algorithms: Vec<String>,
    pub audiences: Option<Vec<String>>,
    pub subjects: Option<Vec<String>>,
}

/// A policy as an application writes it down: one realm for each issuer, or one for all where keys are pooled.
#[derive(Default)]
pub struct Terms {
    pub realms: Vec<Realm>,
    pub required: Vec<String>,
    pub leeway: u64,
    token_types: Vec<String>,
    /// By issuer: the claim that names the tenant, and the tenant, where the name came from a template.
    tenants: HashMap<String, (String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Hello {},
    Configure { id: u64, policy: Policy },
    Validate { id: u64, token: Option<String> },
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Policy {
    key_source: String,
    audiences: Option<Vec<String>>,
    algorithms: Option<Vec<String>>,
    token_types: Vec<String>,
    required_claims: Vec<String>,
    leeway: u64,
    serializations: Option<Vec<String>>,
    crit_understood: Vec<String>,
    cloud_instance: Option<String>,
    enforce_key_lifetime: bool,
    replay: String,
    issuers: Vec<Issuer>,
    converged_jwks: KeySet,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Issuer {
    issuer: String,
    tenant_claim: Option<String>,
    tenants: Option<Vec<String>>,
    algorithms: Option<Vec<String>>,
    audiences: Option<Vec<String>>,
    subjects: Option<Vec<String>>,
    signer: Option<String>,
    jwks: KeySet,
    secrets: KeySet,
}

#[derive(Clone, Default, Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Terms {
    fn new(policy: Policy, known: &[&str], pooled: bool) -> Result<Terms, String> {
        let skipped = [
            (policy.key_source == "fetched", "it fetches no keys"),
            (policy.key_source == "converged" && !pooled, "a key set for each issuer only"),
            (policy.serializations.is_some_and(|list| list != ["compact"]), "only the compact serialization"),
            (policy.replay == "refuse", "no replay store"),
            (!policy.crit_understood.is_empty(), "it understands no extension of the header"),
            (i32::try_from(policy.leeway).is_err(), "no leeway of decades"),
            // Whoever pools the keys of all issuers asks nothing further of a key.
            (policy.enforce_key_lifetime && !pooled, "no setting for the lifetime of a key"),
            (policy.cloud_instance.is_some() && !pooled, "no setting for the cloud of a key"),
            (policy.issuers.iter().any(|one| one.signer.is_some()), "no setting for the header member signer"),
        ];
        if let Some((_, why)) = skipped.iter().find(|(applies, _)| *applies) {
            return Err((*why).to_owned());
        }
        let mut terms = Terms {
            required: policy.required_claims,
            leeway: policy.leeway,
            token_types: policy.token_types,
            ..Terms::default()
        };
        let literal: Vec<String> = policy.issuers.iter().map(|one| one.issuer.clone()).collect();
        for one in policy.issuers {
            let names = terms.names(&one, &literal)?;
            let allowed = narrowed(&policy.algorithms, one.algorithms);
            let may = |name: &&str| allowed.as_ref().is_none_or(|list| list.iter().any(|one| one == name));
            let algorithms = known.iter().copied().filter(may).map(str::to_owned).collect();
            terms.realms.push(Realm {
                issuers: names,
                keys: [one.jwks.keys, one.secrets.keys].concat(),
                algorithms,
                audiences: narrowed(&policy.audiences, one.audiences),
                subjects: one.subjects,
            });
        }
        if pooled {
            terms.pool(policy.converged_jwks.keys)?;
        }
        Ok(terms)
    }

    /// Libraries compare whole names, so a template becomes one name for each tenant; a literal name wins over it.
    fn names(&mut self, one: &Issuer, literal: &[String]) -> Result<Vec<String>, String> {
        if !one.issuer.contains("{tenantid}") {
            return Ok(vec![one.issuer.clone()]);
        }
        let tenants = one.tenants.as_ref().ok_or("no issuer templates without a list of tenants")?;
        let claim = one.tenant_claim.as_deref().unwrap_or("tid");
        let mut names = Vec::new();
        for tenant in tenants {
            let name = one.issuer.replace("{tenantid}", tenant);
            if !literal.contains(&name) {
                self.tenants.insert(name.clone(), (claim.to_owned(), tenant.clone()));
                names.push(name);
            }
        }
        Ok(names)
    }

    /// One realm of everything that any issuer may do: the mistake that a pooled adapter is there to show.
    fn pool(&mut self, converged: Vec<Value>) -> Result<(), String> {
        let mut all = Realm { keys: converged, audiences: Some(Vec::new()), ..Realm::default() };
        for (number, realm) in std::mem::take(&mut self.realms).into_iter().enumerate() {
            if number > 0 && realm.subjects != all.subjects {
                return Err("the same subjects for all issuers only".to_owned());
            }
            all.subjects = realm.subjects;
            all.issuers.extend(realm.issuers);
            all.keys.extend(realm.keys);
            all.algorithms.extend(realm.algorithms);
            all.audiences = all.audiences.zip(realm.audiences).map(|(all, more)| [all, more].concat());
        }
        self.realms = vec![all];
        Ok(())
    }

    /// What is left to the application once the crate is content: `typ`, required claims that the crate has no setting for, the
    /// subject and the tenant.
    fn own_checks(&self, realm: &Realm, typ: Option<&str>, claims: &Claims) -> Result<(), Refusal> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let permitted = |typ: &str| self.token_types.iter().any(|one| short(one) == short(typ));
        let absent = |name: &&String| claims.get(*name).is_none_or(|value| value.is_null() || value == "");
        let tenant = text("iss").and_then(|name| self.tenants.get(name));
        if !self.token_types.is_empty() && !typ.is_some_and(permitted) {
            return Err("another typ".to_owned());
        }
        if let Some(name) = self.required.iter().find(absent) {
            return Err(format!("no {name}"));
        }
        if realm.subjects.as_ref().is_some_and(|all| !text("sub").is_some_and(|sub| all.iter().any(|one| one == sub))) {
            return Err("another subject".to_owned());
        }
        if tenant.is_some_and(|(claim, tenant)| text(claim) != Some(tenant)) {
            return Err("another tenant".to_owned());
        }
        Ok(())
    }

    /// Who the application takes it to be: the crate's own claims.
    fn identity(&self, claims: &Claims) -> Value {
        let mut who = json!({ "iss": claims.get("iss"), "sub": claims.get("sub") });
        if let Some(aud) = claims.get("aud") {
            who["aud"] = aud.clone();
        }
        if let Some((claim, _)) = claims.get("iss").and_then(Value::as_str).and_then(|name| self.tenants.get(name)) {
            who["tid"] = claims[claim].clone();
        }
        who
    }
}

/// A media type as RFC 7515 section 4.1.9 compares it.
fn short(typ: &str) -> String {
    let typ = typ.to_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ).to_owned()
}

fn narrowed(everyone: &Option<Vec<String>>, own: Option<Vec<String>>) -> Option<Vec<String>> {
    match (everyone, own) {
        (Some(everyone), Some(own)) => Some(own.into_iter().filter(|name| everyone.contains(name)).collect()),
        (everyone, own) => own.or_else(|| everyone.clone()),
    }
}

/// A crate as an adapter: what it is called, what it has, who a token claims as issuer before anything is checked, and how a
/// realm is put into its settings.
pub struct Library {
    pub name: &'static str,
    pub version: &'static str,
    pub algorithms: &'static [&'static str],
    pub issuer: fn(&str) -> Result<Option<Value>, Refusal>,
    pub open: fn(&Terms, &Realm) -> Door,
}

/// A policy at work.
#[derive(Default)]
struct Service {
    terms: Terms,
    doors: Vec<Door>,
}

impl Service {
    fn judge(&self, library: &Library, token: &str) -> Value {
        let answer = (library.issuer)(token).map(Option::unwrap_or_default).and_then(|issuer| {
            let name = issuer.as_str().unwrap_or_default();
            let number = self.terms.realms.iter().position(|realm| realm.issuers.iter().any(|one| one == name));
            let number = number.ok_or("the issuer is not trusted")?;
            let (typ, claims) = self.doors[number](token)?;
            self.terms.own_checks(&self.terms.realms[number], typ.as_deref(), &claims)?;
            Ok(claims)
        });
        match answer {
            Ok(claims) => json!({ "accept": self.terms.identity(&claims) }),
            Err(why) => json!({ "reject": why }),
        }
    }
}

impl Library {
    /// Answers until standard input ends. `--pooled` puts the keys of all issuers into one set.
    pub fn serve(&self) -> std::io::Result<()> {
        let pooled = std::env::args().skip(1).any(|argument| argument == "--pooled");
        let mut input = BufReader::with_capacity(1 << 18, std::io::stdin().lock());
        let mut output = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        let mut service = Service::default();
        let mut line = Vec::new();
        loop {
            // What was answered is sent before there is nothing left to do.
            if !input.buffer().contains(&b'\n') {
                output.flush()?;
            }
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let answer = match serde_json::from_slice(&line) {
                Ok(Request::Hello {}) => self.hello(pooled),
                Ok(Request::Configure { id, policy }) => {
                    // The application reads its configuration anew; nothing is remembered of the former one.
                    service = Service::default();
                    match Terms::new(policy, self.algorithms, pooled) {
                        Ok(terms) => {
                            let doors = terms.realms.iter().map(|realm| (self.open)(&terms, realm)).collect();
                            service = Service { terms, doors };
                            json!({ "id": id, "ok": true })
                        }
                        Err(why) => json!({ "id": id, "skip": why }),
                    }
                }
                Ok(Request::Validate { id, token }) => {
                    // What panics ends as a refused request in a service. Text that is not UTF-8 is no token to a crate that
                    // takes `&str`.
                    let judged = token.map(|token| catch_unwind(AssertUnwindSafe(|| service.judge(self, &token))));
                    let judged = judged.unwrap_or_else(|| Ok(json!({ "reject": "not UTF-8" })));
                    let mut answer = judged.unwrap_or_else(|_| json!({ "reject": "it panicked" }));
                    answer["id"] = id.into();
                    answer
                }
                Err(error) => {
                    eprintln!("not understood: {error}");
                    continue;
                }
            };
            serde_json::to_writer(&mut output, &answer)?;
            output.write_all(b"\n")?;
        }
    }

    fn hello(&self, pooled: bool) -> Value {
        let name = format!("{}{}", self.name, if pooled { "-pooled" } else { "" });
        let sources: &[&str] = if pooled { &["per-issuer", "converged"] } else { &["per-issuer"] };
        json!({ "hello": { "protocol": 1, "name": name, "version": self.version, "clock": "system", "key_sources": sources,
            "features": ["live-update", "issuer-templates", "identity", "large"], "algorithms": self.algorithms } })
    }
}
