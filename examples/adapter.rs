//! One of our own validators over protocol version 1, and everything that an adapter can do wrong: `adapter NAME [MODE…]`.
//!
//! `NAME` is `sound`, `reference` or a flaw (`flawed-…`). Most modes misbehave at a token with `trigger` in it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use wrongkey::jose::{Jwk, JwkSet, Layout, Material, NumericDate, Token, encode_base64};
use wrongkey::key::public_text;
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::validator::{Clock, Configured, Maker, Validator, Verdict, reference};

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "sound".to_owned());
    let maker = match name.strip_prefix("flawed-") {
        Some(flaw) => flawed::maker(Flaw::ALL.iter().copied().find(|known| known.name() == flaw)),
        None if name == "reference" => reference::maker(),
        None => flawed::maker(None),
    };
    let modes: Vec<String> = args.collect();
    Adapter { name, modes, maker, validator: None, policy: None, answered: 0, configured: 0 }.serve();
}

struct Adapter {
    name: String,
    modes: Vec<String>,
    maker: Maker,
    validator: Option<Box<dyn Validator>>,
    policy: Option<TrustPolicy>,
    answered: u64,
    configured: u64,
}

impl Adapter {
    fn is(&self, mode: &str) -> bool {
        self.modes.iter().any(|known| known == mode)
    }

    /// What follows `MODE=`.
    fn value(&self, mode: &str) -> Option<&str> {
        self.modes.iter().find_map(|known| known.strip_prefix(mode)?.strip_prefix('='))
    }

    fn serve(mut self) {
        self.begin();
        let lines = lines();
        let mut held: Vec<String> = Vec::new();
        loop {
            let line = if self.is("reversed") && !held.is_empty() {
                match lines.recv_timeout(Duration::from_millis(10)) {
                    Ok(line) => line,
                    Err(_) => {
                        held.iter().rev().for_each(|answer| say(answer));
                        held.clear();
                        continue;
                    }
                }
            } else {
                let Ok(line) = lines.recv() else { return };
                line
            };
            let Ok(request) = serde_json::from_str::<Value>(&line) else {
                eprintln!("not JSON: {line}");
                if self.is("answers-malformed") {
                    say(r#"{"error":"not JSON"}"#);
                }
                if self.is("dies-of-malformed") {
                    std::process::exit(9);
                }
                continue;
            };
            let Some(mut answer) = self.answer(&request) else { continue };
            if self.is("swaps-ids") && request.get("validate").is_some() {
                // Two and two: each gets the other's id.
                let Ok(next) = lines.recv_timeout(Duration::from_millis(50)) else {
                    say(&answer);
                    continue;
                };
                let next: Value = serde_json::from_str(&next).unwrap_or_default();
                let (one, other) = (request["validate"]["id"].as_u64(), next["validate"]["id"].as_u64());
                let second = self.answer(&next).unwrap_or_default();
                let id = |id: Option<u64>| format!("\"id\":{}", id.unwrap_or_default());
                say(&second.replacen(&id(other), &id(one), 1));
                answer = answer.replacen(&id(one), &id(other), 1);
            }
            if self.is("reversed") && request.get("validate").is_some() {
                held.push(answer);
            } else {
                say(&answer);
            }
            self.after(&request);
        }
    }

    /// What it does before it has read anything.
    fn begin(&self) {
        if self.is("dies") {
            eprintln!("no such module");
            std::process::exit(3);
        }
        if self.is("banner") {
            say("Welcome to the adapter!");
        }
        if let Some(path) = self.value("dies-after")
            && std::path::Path::new(path).exists()
        {
            std::process::exit(4);
        }
        if let Some(path) = self.value("child") {
            // It stays when its parent goes.
            let child = std::process::Command::new("sleep").arg("1000").stdin(std::process::Stdio::null()).spawn();
            let text = child.map(|child| child.id().to_string()).unwrap_or_default();
            let _ = std::fs::write(path, text);
        }
        if let Some(path) = self.value("counts") {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            let _ = file.and_then(|mut file| writeln!(file, "{}", std::process::id()));
        }
    }

    fn answer(&mut self, request: &Value) -> Option<String> {
        if request.get("hello").is_some() {
            return if self.is("silent") { None } else { Some(self.hello()) };
        }
        if let Some(configure) = request.get("configure") {
            return Some(self.configure(configure));
        }
        let validate = request.get("validate")?;
        let id = validate["id"].as_u64()?;
        let token = match (&validate["token"], &validate["token_b64"]) {
            (Value::String(text), _) => text.clone().into_bytes(),
            (_, Value::String(text)) => decode(text),
            _ => return None,
        };
        let unsigned = self.is("unsigned-triggers") && token.ends_with(b".");
        let triggered = unsigned || token.windows(7).any(|window| window == b"trigger");
        if triggered && let Some(answer) = self.misbehave(id) {
            return answer;
        }
        if self.is("prints-secret") || (triggered && self.is("prints-secret-at-trigger")) {
            self.print_secret();
        }
        if let Some(path) = self.value("replays")
            && Self::is_replay(path, &token)
        {
            return Some(json!({ "id": id, "reject": "replay" }).to_string());
        }
        if let Some(millis) = self.value("slow").and_then(|millis| millis.parse().ok()) {
            std::thread::sleep(Duration::from_millis(millis));
        }
        if self.is("floods") {
            eprint!("{}", "x".repeat(1 << 20));
        }
        if self.is("echoes") {
            return Some(json!({ "id": id, "reject": format!("{token:x?}") }).to_string());
        }
        if self.is("accepts-all") {
            return Some(json!({ "id": id, "accept": true }).to_string());
        }
        if self.is("rejects-all") {
            return Some(json!({ "id": id, "reject": "no" }).to_string());
        }
        if self.is("same-id") {
            return Some(json!({ "id": 4_000_000_000_u64, "reject": "no" }).to_string());
        }
        let now = NumericDate(validate["now"].as_i64()?);
        let verdict = self.validator.as_mut()?.validate(&Token::new(token), now);
        Some(self.spoken(id, verdict.ok()?).to_string())
    }

    /// Answers in another way than it should, or not at all; `None` where it goes on as usual.
    fn misbehave(&self, id: u64) -> Option<Option<String>> {
        if self.is("logs") {
            (0..400).for_each(|number| eprintln!("frame {number} of \u{1b}[31m{}", std::process::id()));
        }
        if self.is("hangs") {
            std::thread::sleep(Duration::from_secs(1_000));
        }
        if self.is("crashes") {
            eprintln!("segmentation fault, so to speak");
            std::process::exit(3);
        }
        if self.is("garbage") {
            say("Traceback (most recent call last):");
        }
        if self.is("twice") {
            say(&json!({ "id": id, "reject": "first" }).to_string());
        }
        if self.is("unknown-id") {
            return Some(Some(json!({ "id": id + 1_000_000, "reject": "x" }).to_string()));
        }
        if self.is("endless") {
            let mut out = std::io::stdout().lock();
            while out.write_all(&[b'x'; 4_096]).is_ok() {}
        }
        self.is("no-answer").then_some(None)
    }

    /// What it does after an answer.
    fn after(&mut self, request: &Value) {
        let Some(validate) = request.get("validate") else { return };
        self.answered += 1;
        if self.is("crashes-later") && self.answered == 40 {
            std::process::exit(5);
        }
        if let Some(path) = self.value("dies-after")
            && validate["token"].as_str().is_some_and(|token| token.contains("trigger"))
        {
            let _ = std::fs::write(path, "");
            std::process::exit(4);
        }
        if self.is("prints-secret-late") && validate["token"].as_str().is_some_and(|token| token.contains("trigger")) {
            self.print_secret();
        }
    }

    /// Whether a token stands among those of a file, in which it is kept from now on.
    fn is_replay(path: &str, token: &[u8]) -> bool {
        let line = format!("{:?}\n", String::from_utf8_lossy(token));
        let is_known = std::fs::read_to_string(path).unwrap_or_default().contains(&line);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
        is_known
    }

    /// Writes a secret of its policy into its log.
    fn print_secret(&self) {
        if let Some(secret) = self.policy.as_ref().and_then(|policy| policy.secret_octets().next()) {
            let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
            eprintln!("debug: key={hex}");
        }
    }

    fn hello(&self) -> String {
        let said = (self.maker)().describe();
        let mut features = vec!["live-update", "issuer-templates"];
        if !self.is("anonymous") {
            features.push("identity");
        }
        if self.is("large") {
            features.push("large");
        }
        let protocol = if self.is("next-protocol") { 2 } else { 1 };
        let clock = if said.clock == Clock::Settable { "settable" } else { "system" };
        let sources: Vec<&str> = said.key_sources.iter().map(|source| source.name()).collect();
        let name = self.value("called").unwrap_or(&self.name);
        json!({ "hello": { "protocol": protocol, "name": name, "version": said.version, "clock": clock,
            "key_sources": sources, "features": features, "algorithms": said.algorithms } })
        .to_string()
    }

    fn configure(&mut self, configure: &Value) -> String {
        let id = &configure["id"];
        self.configured += 1;
        if self.is("refuses-policies") {
            let why = format!("no such option, asked {} times", self.configured);
            return json!({ "id": id, "error": why }).to_string();
        }
        let policy = match serde_json::from_value::<TrustPolicy>(configure["policy"].clone()) {
            Ok(policy) => policy,
            Err(error) => return json!({ "id": id, "error": error.to_string() }).to_string(),
        };
        if configure["fresh"] == true || self.validator.is_none() {
            self.validator = Some((self.maker)());
        }
        let mut texts = texts_of(&policy);
        if self.is("says-secrets") {
            let secrets: String = policy.secret_octets().map(encode_base64).collect();
            texts.values_mut().for_each(|text| text.push_str(&format!("# beside it {secrets}\n")));
        }
        let kept = if self.is("keeps-texts") { with_secrets(policy.clone(), &texts) } else { policy.clone() };
        let answer = self.validator.as_mut().map(|validator| validator.configure(&kept));
        let said: Vec<String> = texts.into_values().collect();
        self.policy = Some(policy);
        if self.is("prints-secret-when-told") {
            self.print_secret();
        }
        match answer {
            Some(Ok(Configured::Ready)) if self.is("says-texts") || self.is("says-secrets") => {
                json!({ "id": id, "ok": true, "key_texts": said }).to_string()
            }
            Some(Ok(Configured::Ready)) => json!({ "id": id, "ok": true }).to_string(),
            Some(Ok(Configured::Skip(why))) => json!({ "id": id, "skip": why }).to_string(),
            Some(Err(fault)) => json!({ "id": id, "error": fault.to_string() }).to_string(),
            None => json!({ "id": id, "error": "none" }).to_string(),
        }
    }

    fn spoken(&self, id: u64, verdict: Verdict) -> Value {
        match verdict {
            Verdict::Accept { identity: Some(identity), key } => {
                let mut accept = json!({ "iss": identity.iss, "sub": identity.sub });
                if let Some(tenant) = identity.tenant {
                    accept["tid"] = json!(tenant);
                }
                if let Some(audience) = identity.audience {
                    accept["aud"] = self.spoken_audience(audience);
                }
                if let Some(key) = key {
                    accept["key"] = json!(key);
                }
                if self.is("number-as-subject") {
                    accept["sub"] = json!(7);
                }
                if self.is("other-subject") {
                    accept["sub"] = json!("somebody else");
                }
                if self.is("nameless") {
                    accept = json!(true);
                }
                json!({ "id": id, "accept": accept, "took": 1 })
            }
            Verdict::Accept { .. } => json!({ "id": id, "accept": true }),
            Verdict::Reject(why) => json!({ "id": id, "reject": why }),
            Verdict::Skip(why) => json!({ "id": id, "skip": why }),
        }
    }
}

impl Adapter {
    fn spoken_audience(&self, mut names: Vec<String>) -> Value {
        if self.is("other-audience") {
            return json!("somebody else");
        }
        if self.is("first-audience") {
            names.truncate(1);
        }
        if self.is("audience-in-disorder") {
            if let [one] = &names[..] {
                return json!(one);
            }
            names.reverse();
            names.extend_from_within(..);
        }
        json!(names)
    }
}

/// By `kid`, the public keys of a policy as files that somebody wrote a line into: in no form that anybody could guess.
fn texts_of(policy: &TrustPolicy) -> BTreeMap<String, String> {
    let sets = policy.issuers.iter().filter_map(|issuer| issuer.jwks.as_ref()).chain(&policy.converged_jwks);
    let of_key = |set: &JwkSet, jwk: &Jwk| {
        let pem = public_text(jwk, set, Layout::SpkiPem).ok()?;
        let kid = jwk.kid.clone()?;
        let text = format!("# {kid}, for {}\n{}", policy.relying_party, String::from_utf8(pem).ok()?);
        Some((kid, text))
    };
    sets.flat_map(|set| set.keys.iter().filter_map(move |jwk| of_key(set, jwk))).collect()
}

/// What an application comes to that looks up the text of a key by `kid` and lets the token say which algorithm it is for.
fn with_secrets(mut policy: TrustPolicy, texts: &BTreeMap<String, String>) -> TrustPolicy {
    for issuer in &mut policy.issuers {
        let kids: Vec<String> = issuer.own_keys().filter_map(|jwk| jwk.kid.clone()).collect();
        let secret = |kid: &String| {
            let k = texts.get(kid)?.clone().into_bytes();
            let mut jwk = Jwk::new(Material::Oct { k });
            jwk.kid = Some(kid.clone());
            Some(jwk)
        };
        let secrets = issuer.secrets.get_or_insert_with(|| JwkSet::of(Vec::new()));
        secrets.keys.extend(kids.iter().filter_map(secret));
    }
    policy
}

/// The lines that come in, read aside.
fn lines() -> Receiver<String> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if to.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Base64 with padding (RFC 4648 section 4).
fn decode(text: &str) -> Vec<u8> {
    let plain = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    wrongkey::jose::decode_base64url(&plain).unwrap_or_default()
}
