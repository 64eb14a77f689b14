//! Signature: changed, missing, or made for another token.

use super::Class;
use super::control::curve;
use crate::generate::acts::{mangle, raw, set_claim, set_header, sign_now, splice, strip};
use crate::generate::site::{Site, Trust};
use crate::rule::Rule;
use crate::scenario::{Act, Donor, EcdsaInteger, Mangle, Raw, Scenario, Segment, Span, Value};

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "SG-01",
        title: "One bit of the header, the payload or the signature is turned, or a claim is changed, after signing.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 5.2; RFC 8725 section 3.3",
        build: |site| tokens(site, |_| changed()),
    },
    Class {
        id: "SG-02",
        title: "The signature is empty or cut off with its dot, and `alg` still names an algorithm.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 5.2; RFC 8725 section 3.3",
        build: |site| tokens(site, |_| vec![vec![strip()], vec![raw(Raw::Segments(2))]]),
    },
    Class {
        id: "SG-07",
        title: "An ECDSA signature in another form than R and S at full length: DER, a zero octet left out that one of them begins \
                with, or one more before each.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7518 section 3.4; RFC 7515 section 5.2",
        build: other_forms,
    },
    Class {
        id: "SG-13",
        title: "Parts of two good tokens by one key are put together, so that each part was signed and the whole never.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 5.2; RFC 8725 section 3.3",
        build: |site| tokens(site, spliced),
    },
];

fn tokens(site: Site<'_>, lists: fn(Trust<'_>) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    site.trusts().flat_map(|trust| trust.tokens(lists(trust))).collect()
}

fn other_forms(site: Site<'_>) -> Vec<Scenario> {
    let Some((trust, key)) = curve(site) else { return Vec::new() };
    let seek = |of| Act::SeekLeadingZero { of };
    let lists = vec![
        vec![mangle(Mangle::Der)],
        vec![mangle(Mangle::PadZeros)],
        vec![seek(EcdsaInteger::R), mangle(Mangle::DropZeros)],
        vec![seek(EcdsaInteger::S), mangle(Mangle::DropZeros)],
    ];
    lists.into_iter().map(|acts| site.single(trust.honest_by(key), acts)).collect()
}

fn changed() -> Vec<Vec<Act>> {
    let part = |part, bit| vec![raw(Raw::FlipBit { part, bit })];
    let signature = |bit| vec![mangle(Mangle::FlipBit(bit))];
    vec![
        part(Segment::Header, 20),
        part(Segment::Payload, 63),
        signature(0),
        signature(511),
        vec![sign_now(), set_claim("exp", Value::Time(Span(7200)))],
        vec![sign_now(), set_claim("sub", Value::text("somebody-else"))],
    ]
}

fn spliced(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let donor = |acts| Donor { honest: trust.honest(), acts };
    // A donor's header would be this token's own but for something that tells them apart.
    let marked = vec![set_header("cty", Value::text("JWT"))];
    vec![
        vec![splice(Segment::Payload, donor(Vec::new()))],
        vec![splice(Segment::Signature, donor(Vec::new()))],
        vec![splice(Segment::Header, donor(marked.clone()))],
        vec![splice(Segment::Header, donor(marked)), splice(Segment::Signature, donor(Vec::new()))],
    ]
}
