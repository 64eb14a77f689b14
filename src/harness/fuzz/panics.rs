//! What a panic looks like in a fuzz target.
//!
//! A validator's own panic is an answer to be judged, and says nothing. One that leaves the target's body is reported in the
//! form by which services tell crashes apart: `thread '<unnamed>' panicked at '<rule>: …'`, the form that Rust's own
//! messages had before 1.73, and which ClusterFuzz still reads. By the stack alone every wrong answer would look the same.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics silent until it is clear whether they leave the body of a target. It takes the place of libFuzzer's hook,
/// which would end the process inside any of them.
pub fn hold_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let told = told(panic);
        // A thread that is ending has no such place any more, and no target to report from either.
        let _ = LAST.try_with(|last| last.replace(told));
    }));
}

/// Runs the body of a target. Where a panic leaves it, the answer is what to print.
///
/// # Errors
/// The panic's text, with a first line as services read it; empty where [`hold_panics`] was not called.
pub fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|_| LAST.take())
}

/// Runs the body of a target. A panic that leaves it is printed and ends the process, whose input libFuzzer then keeps.
pub fn abort_on_panic<T>(body: impl FnOnce() -> T) -> T {
    caught(body).unwrap_or_else(|report| {
        eprintln!("{report}");
        std::process::abort()
    })
}

fn told(panic: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    let message = text.unwrap_or("a panic with no text");
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    // The text ends, for those who read it, where the next such mark is.
    let first = first.replace('\'', "\"");
    let place = panic.location().map_or_else(String::new, |place| format!(", {place}"));
    format!("thread '{}' panicked at '{first}'{place}\n{rest}", thread.name().unwrap_or("<unnamed>"))
}
