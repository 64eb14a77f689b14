//! A header or payload while it is written, and what is done to its members.

use super::At;
use crate::error::Error;
use crate::jose::{Json, Member, SpelledPart, Spelling, spell_part};
use crate::provenance::Part;
use crate::scenario::Place;
use std::cell::OnceCell;
use std::sync::Arc;

/// A header or payload while it is written.
#[derive(Clone)]
pub(super) enum Text {
    Written(Written),
    Raw(String),
}

/// Members and how they are to be spelled. They are shared with the events that signed them, and spelled once.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) members: Arc<Vec<Member>>,
    spellings: Vec<Spelling>,
    spelled: OnceCell<SpelledPart>,
}

impl Written {
    fn spelled(&self) -> &SpelledPart {
        self.spelled.get_or_init(|| spell_part(&self.members, &self.spellings))
    }

    /// To be changed: what was spelled counts no longer.
    fn members_mut(&mut self) -> &mut Vec<Member> {
        self.spelled.take();
        Arc::make_mut(&mut self.members)
    }
}

impl Text {
    pub(super) fn of(members: Vec<Member>) -> Self {
        Text::Written(Written { members: Arc::new(members), spellings: Vec::new(), spelled: OnceCell::new() })
    }

    pub(super) fn write(&self) -> &str {
        match self {
            Text::Written(written) => &written.spelled().text,
            Text::Raw(text) => text,
        }
    }

    pub(super) fn part(&self) -> Part {
        match self {
            Text::Written(written) => Part::Written {
                members: Arc::clone(&written.members),
                departures: written.spelled().departures.clone(),
            },
            Text::Raw(_) => Part::Opaque,
        }
    }
}

pub(super) fn members(text: &mut Text, place: At) -> Result<&mut Vec<Member>, Error> {
    match text {
        Text::Written(written) => Ok(written.members_mut()),
        Text::Raw(_) => Err(Error::Scenario {
            place: place.to_string(),
            problem: "raw octets have no members: put this act before `raw`".to_owned(),
        }),
    }
}

/// Sets the last member of that name where it stands, or adds it at the end.
pub(super) fn set(members: &mut Vec<Member>, name: &str, value: Json) {
    match members.iter_mut().rev().find(|member| member.name == name) {
        Some(member) => member.value = value,
        None => members.push(Member::new(name, value)),
    }
}

pub(super) fn add(members: &mut Vec<Member>, member: Member, at: Place) {
    match at {
        Place::First => members.insert(0, member),
        Place::Last => members.push(member),
    }
}

pub(super) fn spell(text: &mut Text, spelling: Spelling) {
    if let Text::Written(written) = text
        && !written.spellings.contains(&spelling)
    {
        written.spelled.take();
        written.spellings.push(spelling);
    }
}

/// Puts raw text in place of a part, unless it is the text that stands there.
pub(super) fn replace(text: &mut Text, raw: String) {
    if text.write() != raw {
        *text = Text::Raw(raw);
    }
}
