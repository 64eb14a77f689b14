//! Encoding: one token, spelled in ways that base64url and JSON do not have.

use super::Class;
use crate::generate::acts::{raw, sign_now, spell, strip};
use crate::generate::site::Site;
use crate::jose::Spelling;
use crate::rule::Rule;
use crate::scenario::{Act, Raw, Scenario, Segment};

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "EN-01",
        title: "Parts of a good token are padded with `=`, which JWS leaves out.",
        aims: Some(Rule::WellFormed),
        source: "RFC 7515 section 2 (base64url without padding)",
        build: padded,
    },
    Class {
        id: "EN-04",
        title: "White space or a line break stands inside or around a good token.",
        aims: Some(Rule::WellFormed),
        source: "RFC 7515 section 2 (no line breaks, white space or other characters)",
        build: |site| {
            let broken = [Segment::Header, Segment::Payload, Segment::Signature]
                .map(|part| vec![spell(part, Spelling::LineBreak)]);
            let around = ["\n"].map(|text| vec![raw(Raw::After(text.to_owned()))]);
            let before = vec![raw(Raw::Before(" ".to_owned()))];
            tokens(site, broken.into_iter().chain(around).chain([before]))
        },
    },
    Class {
        id: "EN-05",
        title: "A good token is followed by characters that are none of base64url's, or by more parts than three.",
        aims: Some(Rule::WellFormed),
        source: "RFC 7515 sections 2 and 7.1",
        build: |site| tokens(site, [".", ".e30", "..", "?"].map(|text| vec![raw(Raw::After(text.to_owned()))])),
    },
    Class {
        id: "EN-20",
        title: "There is nothing at all, only dots, or too few parts or too many: nothing that anybody signed.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 7.1; RFC 7519 section 7.2",
        build: wrong_parts,
    },
    Class {
        id: "EN-26",
        title: "The token says the same in another legal spelling than the one that was signed.",
        aims: Some(Rule::ReceivedBytesVerified),
        source: "RFC 7515 section 5.2 (the octets as received are verified)",
        build: |site| {
            let spellings = [
                (Segment::Payload, Spelling::JsonEscapes),
                (Segment::Payload, Spelling::JsonWhitespace),
                (Segment::Header, Spelling::JsonEscapes),
                (Segment::Header, Spelling::JsonWhitespace),
            ];
            tokens(site, spellings.map(|(part, spelling)| vec![sign_now(), spell(part, spelling)]))
        },
    },
];

fn tokens(site: Site<'_>, lists: impl IntoIterator<Item = Vec<Act>>) -> Vec<Scenario> {
    let lists: Vec<_> = lists.into_iter().collect();
    site.first().flat_map(|trust| trust.tokens(lists.clone())).collect()
}

/// The length of a header or payload decides whether there is anything to pad; no signature's length is a multiple of
/// three, so that one padded part is always among them.
fn padded(site: Site<'_>) -> Vec<Scenario> {
    let pad = |part| spell(part, Spelling::Padding);
    tokens(
        site,
        [
            vec![pad(Segment::Signature)],
            vec![pad(Segment::Header), pad(Segment::Signature)],
            vec![pad(Segment::Payload), pad(Segment::Signature)],
        ],
    )
}

fn wrong_parts(site: Site<'_>) -> Vec<Scenario> {
    let mut lists: Vec<Vec<Act>> =
        ["", "..", "...", "a.b.c.d"].map(|text| vec![raw(Raw::Token(text.to_owned()))]).into();
    lists.extend([1, 2].map(|count| vec![raw(Raw::Segments(count))]));
    lists.extend(["..", "..."].map(|text| vec![strip(), raw(Raw::After(text.to_owned()))]));
    tokens(site, lists)
}
