//! The command `wrongkey` as people and pipelines use it: every command, flag, exit code and error message.

mod artifacts;
mod bad_input;
mod exits;
mod hostile;
mod hunt;
mod options;
mod public_side;
mod serve;
mod single;
mod stored;
mod support;
mod texts;
mod worlds;
