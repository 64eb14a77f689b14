//! Validators in other processes: what a good adapter answers is what its validator answers, and what a bad one does is laid
//! at the right token and costs nobody else's answer.

#![cfg(feature = "remote")]

#[path = "process/command_line.rs"]
mod command_line;
mod common;
#[path = "process/faults.rs"]
mod faults;
#[path = "process/key_texts.rs"]
mod key_texts;
#[path = "process/leaks.rs"]
mod leaks;
#[path = "process/schema.rs"]
mod schema;
#[path = "process/support.rs"]
mod support;
#[path = "process/virtual.rs"]
mod virtual_;
