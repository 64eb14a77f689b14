//! The body of the target `token`: the first line of the input names a relying party, all after it is the token, any octets
//! at all. No validator may panic, and none may accept what nobody has signed.
//!
//! Whoever mutates octets cannot sign. What was signed is therefore known beforehand: the honest tokens of the world, of
//! which the corpus holds some. An accepted token is compared with these by what it decodes to.

use super::{NOW, Played, makers, sound, worlds};
use crate::config;
use crate::error::Error;
use crate::finding::tame;
use crate::forge::{Forge, Move};
use crate::generate::{self, Site};
use crate::jose::Token;
use crate::policy::{Replay, TrustPolicy};
use crate::validator::{Configured, Maker, Validator, Verdict};
use crate::waiver::{Waiver, Wrong};
use crate::world::{Calendar, World};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Longest part of a token that a message shows.
const MAX_SHOWN: usize = 4_096;

/// Reads what a lax reader would: with padding or without, whatever the unused bits are.
const LAX: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Shows octets as tokens to validators, and panics where one is accepted that nobody has signed.
pub struct TokenTarget {
    makers: Vec<(String, Maker)>,
    worlds: Vec<Known>,
    first_lines: Vec<String>,
    /// By first line.
    places: BTreeMap<String, Place>,
    counts: BTreeMap<String, Count>,
    inputs: u64,
    waivers: Vec<Waiver>,
}

/// What one validator did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tokens that it was shown.
    pub shown: u64,
    /// Of these, how many it accepted.
    pub accepted: u64,
}

/// A world and, once it was needed, what was signed in it.
struct Known {
    forge: Forge,
    signed: Option<HashSet<Content>>,
}

/// Header, payload and signature as octets.
type Content = [Vec<u8>; 3];

/// A relying party with one validator of each kind that can work for it.
struct Place {
    world: usize,
    policy: Arc<TrustPolicy>,
    validators: Vec<Ready>,
}

struct Ready {
    name: String,
    maker: Maker,
    instance: Box<dyn Validator>,
}

impl TokenTarget {
    /// A target for the validators of a list of names with commas between them, or for the reference and every recipe that
    /// binds keys to issuers, in the shipped worlds.
    ///
    /// # Errors
    /// Where there is no validator of a name.
    pub fn named(names: Option<&str>) -> Result<Self, Error> {
        let makers = match names {
            Some(names) => makers(names)?,
            None => sound(),
        };
        let known = |world: Arc<World>| Known { forge: Forge::new(world, Calendar::Timeless(NOW)), signed: None };
        let worlds = worlds();
        Ok(TokenTarget {
            counts: makers.iter().map(|(name, _)| (name.clone(), Count::default())).collect(),
            makers,
            first_lines: worlds.iter().flat_map(|world| Site::all(world)).map(|site| first_line(&site)).collect(),
            worlds: worlds.into_iter().map(known).collect(),
            places: BTreeMap::new(),
            inputs: 0,
            waivers: Vec::new(),
        })
    }

    /// The same, where the waivers of a `wrongkey.toml` excuse validators that are known to give no answer to some octets.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn waiving(mut self, waivers: &str) -> Result<Self, Error> {
        self.waivers = config::parse(waivers, config::FILE)?.waivers;
        Ok(self)
    }

    /// First lines that name a relying party: its world, its alias and where its keys come from.
    #[must_use]
    pub fn first_lines(&self) -> &[String] {
        &self.first_lines
    }

    /// Judges one input. Returns whether it has a first line that names a relying party: a fuzzer keeps no other.
    ///
    /// # Panics
    /// At a wrong answer: the first line of the message begins with the rule, and what the token says follows.
    pub fn run(&mut self, input: &[u8]) -> bool {
        self.inputs += 1;
        if self.inputs.is_power_of_two() && self.inputs >= 1024 {
            eprintln!("after {} inputs: {}", self.inputs, self.told());
        }
        match self.play(input) {
            Played::Unplayable(_) => false,
            Played::Lawful(_) => true,
            Played::Wrong(message) => panic!("{message}"),
        }
    }

    /// Judges one input and says what came of it.
    pub fn play(&mut self, input: &[u8]) -> Played {
        let end = input.iter().position(|&octet| octet == b'\n');
        let Some((line, token)) = end.map(|end| (String::from_utf8_lossy(&input[..end]), &input[end + 1..])) else {
            return Played::Unplayable("no first line that names a relying party".to_owned());
        };
        let mut place = match self.places.remove(&*line) {
            Some(place) => place,
            None => match self.place(&line) {
                Ok(place) => place,
                Err(why) => return Played::Unplayable(why),
            },
        };
        let played = self.judge(&mut place, &Token::new(token));
        self.places.insert(line.into_owned(), place);
        played
    }

    fn judge(&mut self, place: &mut Place, token: &Token) -> Played {
        let content = content(token.as_bytes());
        let mut answers = Vec::new();
        for at in 0..place.validators.len() {
            // What was accepted before is refused: a crash would not reproduce.
            if place.policy.replay == Some(Replay::Refuse) {
                place.renew(at);
            }
            let answer = place.validators[at].answer(token);
            let name = place.validators[at].name.clone();
            let count = self.counts.entry(name.clone()).or_default();
            count.shown += 1;
            count.accepted += u64::from(answer == Answer::Accepts);
            if self.is_wrong(place.world, &name, &answer, content.as_ref()) {
                // Once more on a fresh instance: what only the inputs before it explain would not reproduce.
                place.renew(at);
                let again = place.validators[at].answer(token);
                if self.is_wrong(place.world, &name, &again, content.as_ref()) {
                    return Played::Wrong(told(&name, &again, token, content.as_ref()));
                }
            }
            answers.push(format!("{name} {}", answer.word()));
        }
        Played::Lawful(answers.join("; "))
    }

    fn is_wrong(&mut self, world: usize, name: &str, answer: &Answer, content: Option<&Content>) -> bool {
        match answer {
            Answer::Rejects => false,
            Answer::Accepts => content.is_none_or(|content| !self.worlds[world].signed().contains(content)),
            Answer::Breaks(_) => !self.is_known_to_break(name),
        }
    }

    /// Whether a waiver excuses faults of that validator, whatever brings them about.
    fn is_known_to_break(&self, name: &str) -> bool {
        let (rules, classes) = (BTreeSet::new(), BTreeSet::new());
        let origin = format!("{name}.fault.none.raw.nobody");
        let wrong = Wrong { validator: name, rules: &rules, classes: &classes, origin: &origin };
        self.waivers.iter().any(|waiver| waiver.excuses(&wrong, NOW))
    }

    fn place(&self, line: &str) -> Result<Place, String> {
        if !self.first_lines.iter().any(|known| known == line) {
            return Err(format!("its first line is none of these: {}", self.first_lines.join(", ")));
        }
        let found = self.worlds.iter().enumerate().find_map(|(world, known)| {
            let site = Site::all(known.forge.world()).into_iter().find(|site| first_line(site) == line)?;
            Some((world, Arc::clone(known.forge.policy(&site.party.alias, site.key_source)?)))
        });
        let (world, policy) = found.ok_or_else(|| format!("nobody tells {line} a policy"))?;
        let ready = |(name, maker): &(String, Maker)| {
            let instance = configured(maker, &policy)?;
            Some(Ready { name: name.clone(), maker: Arc::clone(maker), instance })
        };
        let validators = self.makers.iter().filter_map(ready).collect();
        Ok(Place { world, policy, validators })
    }

    /// What each validator did so far.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, Count> {
        &self.counts
    }

    /// The same in words.
    #[must_use]
    pub fn told(&self) -> String {
        let told = |(name, count): (&String, &Count)| format!("{name} accepted {} of {}", count.accepted, count.shown);
        self.counts.iter().map(told).collect::<Vec<_>>().join(", ")
    }

    /// Validators that have accepted nothing: of them nothing was shown.
    #[must_use]
    pub fn never_accepted(&self) -> Vec<&str> {
        let never = self.counts.iter().filter(|(_, count)| count.accepted == 0);
        never.map(|(name, _)| name.as_str()).collect()
    }

    /// Changes the first line, or the token as it stands, or what one of its parts decodes to, in the first `size` octets of
    /// `data`; the octets themselves are changed by the fuzzer. Returns the new size.
    pub fn mutate(
        &self,
        data: &mut [u8],
        size: usize,
        max_size: usize,
        seed: u32,
        octets: &mut dyn FnMut(&mut [u8], usize, usize) -> usize,
    ) -> usize {
        generate::mutate_token(data, size, max_size, seed, &self.first_lines, octets)
    }
}

/// World, relying party and key source with spaces between them.
fn first_line(site: &Site<'_>) -> String {
    format!("{} {} {}", site.world.name, site.party.alias, site.key_source.name())
}

impl Known {
    /// Everything that was signed for honest tokens of this world, made when it is first asked for.
    fn signed(&mut self) -> &HashSet<Content> {
        let forge = &self.forge;
        self.signed.get_or_insert_with(|| {
            let sites = Site::all(forge.world());
            let honest = sites.iter().flat_map(generate::baseline);
            let moves = honest.flat_map(|scenario| forge.play(&scenario, 0).unwrap_or_default());
            let events = moves.flat_map(|happening| match happening {
                Move::Present(presented) => presented.provenance.events,
                Move::Trust { .. } => Vec::new(),
            });
            // Anybody can compute the mirror of an ECDSA signature, and it matches too.
            let signed = events.flat_map(|event| {
                let token = |signature: Vec<u8>| {
                    let [header, payload, _] = content(&[event.input.as_slice(), b"."].concat())?;
                    Some([header, payload, signature])
                };
                [token(event.signature.clone()), event.mirror.clone().and_then(token)]
            });
            signed.flatten().collect()
        })
    }
}

impl Place {
    fn renew(&mut self, at: usize) {
        let ready = &mut self.validators[at];
        if let Some(fresh) = configured(&ready.maker, &self.policy) {
            ready.instance = fresh;
        }
    }
}

impl Ready {
    fn answer(&mut self, token: &Token) -> Answer {
        match catch_unwind(AssertUnwindSafe(|| self.instance.validate(token, NOW))) {
            Ok(Ok(Verdict::Accept { .. })) => Answer::Accepts,
            Ok(Ok(Verdict::Reject(_) | Verdict::Skip(_))) => Answer::Rejects,
            Ok(Err(fault)) => Answer::Breaks(fault.to_string()),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
                Answer::Breaks(format!("it panicked: {text}"))
            }
        }
    }
}

/// A validator's answer to a token, as far as it matters here.
#[derive(PartialEq, Eq)]
enum Answer {
    Accepts,
    Rejects,
    Breaks(String),
}

impl Answer {
    fn word(&self) -> &'static str {
        match self {
            Answer::Accepts => "accepts",
            Answer::Rejects => "rejects",
            Answer::Breaks(_) => "breaks",
        }
    }
}

/// A fresh validator, where it works under the policy.
fn configured(maker: &Maker, policy: &TrustPolicy) -> Option<Box<dyn Validator>> {
    let mut instance = maker();
    let can = instance.describe().key_sources.contains(&policy.key_source);
    (can && instance.configure(policy) == Ok(Configured::Ready)).then_some(instance)
}

/// What three parts decode to; `None` where it has no such form.
fn content(token: &[u8]) -> Option<Content> {
    let mut parts = token.split(|&octet| octet == b'.').map(|part| LAX.decode(part).ok());
    let content = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(content)
}

fn told(name: &str, answer: &Answer, token: &Token, content: Option<&Content>) -> String {
    let show = |octets: &[u8]| tame(&String::from_utf8_lossy(octets), MAX_SHOWN);
    let said = match content {
        Some([header, payload, _]) => format!("header {}\npayload {}", show(header), show(payload)),
        None => "it is not three parts of base64url".to_owned(),
    };
    let headline = match answer {
        Answer::Breaks(why) => format!("fault: {name}\n{}", tame(why, 300)),
        _ => format!("SignatureMatches: false-accept by {name}\naccepted, though nobody has signed what it decodes to"),
    };
    format!("{headline}\n{said}\ntoken {}", show(token.as_bytes()))
}
