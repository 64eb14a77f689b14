//! Short ways to write acts down, so that a class reads as the list of what its forger does.

use crate::jose::{Layout, Spelling};
use crate::scenario::{
    Act, Donor, KeyHeader, Kid, Mangle, Named, PublicForm, PublicText, Raw, Segment, SetMember, SignWith, Splice, Value,
};
use crate::world::Key;

pub(super) fn set_claim(name: &str, value: Value) -> Act {
    Act::SetClaim(SetMember { name: name.to_owned(), value })
}

pub(super) fn drop_claim(name: &str) -> Act {
    Act::DropClaim(Named { name: name.to_owned() })
}

pub(super) fn set_header(name: &str, value: Value) -> Act {
    Act::SetHeader(SetMember { name: name.to_owned(), value })
}

pub(super) fn drop_header(name: &str) -> Act {
    Act::DropHeader(Named { name: name.to_owned() })
}

/// The honest key signs now, so that what follows is not signed.
pub(super) fn sign_now() -> Act {
    Act::SignWith(SignWith::default())
}

pub(super) fn sign_public_text(key: &Key, layout: Layout, alg: Option<&str>) -> Act {
    sign_secret(key, PublicForm::Layout(layout), alg, Kid::Own)
}

/// HMAC keyed with something that everybody knows.
pub(super) fn sign_secret(key: &Key, form: PublicForm, alg: Option<&str>, kid: Kid) -> Act {
    let secret = Some(PublicText { of: key.alias.clone(), form });
    Act::SignWith(SignWith { key: None, secret, alg: alg.map(str::to_owned), kid })
}

pub(super) fn strip() -> Act {
    Act::StripSignature {}
}

pub(super) fn spell(part: Segment, spelling: Spelling) -> Act {
    Act::Spell { part, r#as: spelling }
}

pub(super) fn embed_jwk(key: &Key) -> Act {
    embed_key(KeyHeader::Jwk, key)
}

pub(super) fn embed_key(r#as: KeyHeader, key: &Key) -> Act {
    Act::EmbedKey { r#as, key: key.alias.clone() }
}

pub(super) fn mangle(how: Mangle) -> Act {
    Act::MangleSignature(how)
}

pub(super) fn raw(what: Raw) -> Act {
    Act::Raw(what)
}

pub(super) fn splice(part: Segment, donor: Donor) -> Act {
    Act::Splice(Splice { part, from: None, of: Some(Box::new(donor)) })
}

/// Any JSON, by its text.
pub(super) fn json(text: &str) -> Value {
    Value::Json(text.to_owned())
}

/// The token that an earlier step presents under that name, octet by octet.
pub(super) fn the_same_again(name: &str) -> Vec<Act> {
    let take = |part| Act::Splice(Splice { part, from: Some(name.to_owned()), of: None });
    [Segment::Header, Segment::Payload, Segment::Signature].map(take).to_vec()
}
