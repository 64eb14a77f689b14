//! Connections that are kept from one token to the next, and what a server may do to them.

use super::server::{Asked, Reply, Server};
use super::{Shared, accept, ask, ask_all, policy, reject, validator};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::time::Duration;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::Replay;
use wrongkey::validator::http::{Endpoint, Settings};
use wrongkey::validator::{Configured, Fault, Validator};

const ANOTHER: &[u8] = b"HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n";

/// A token that is good is accepted and all others are refused, each with what `more` says behind it.
fn strict(more: fn(u16) -> Reply) -> Server {
    Server::start(move |asked| match asked.header("authorization") {
        Some(b"Bearer good") => Reply::status(200),
        _ => more(401),
    })
}

#[test]
fn what_stands_behind_an_answer_is_nobodys_answer() {
    for more in [(|status| Reply::More(status, ANOTHER.to_vec())) as fn(u16) -> Reply, |status| {
        Reply::Later(status, ANOTHER.to_vec())
    }] {
        let server = strict(more);
        let settings = Settings { connections: 2, ..Settings::new(server.url("/")) };
        let mut validator = validator(settings);
        let tokens: Vec<&str> = (0..60).map(|number| if number % 7 == 3 { "good" } else { "bad" }).collect();
        let answers = ask_all(&mut *validator, &tokens);
        for (at, (answer, token)) in answers.iter().zip(&tokens).enumerate() {
            assert_eq!(*answer, if *token == "good" { accept() } else { reject("HTTP 401") }, "{at}");
        }
        let mishaps = validator.mishaps();
        assert!(
            matches!(&mishaps[..], [Fault::Broken(words)] if words.contains("octets that nobody asked for")),
            "{mishaps:?}"
        );
        // It is said once, and nothing is kept from now on.
        let before = server.connections.load(Ordering::Relaxed);
        assert_eq!(
            [ask(&mut *validator, "bad"), ask(&mut *validator, "bad")],
            [reject("HTTP 401"), reject("HTTP 401")]
        );
        assert_eq!(server.connections.load(Ordering::Relaxed), before + 2);
        assert_eq!(validator.mishaps(), []);
    }
}

/// RFC 9110 section 15.5.9: that a connection was idle for too long may be said unasked.
#[test]
fn a_server_that_says_that_a_connection_was_idle_is_no_fault() {
    let server = Server::start(|_| Reply::Later(401, b"HTTP/1.1 408 x\r\nconnection: close\r\n\r\n".to_vec()));
    let mut validator = validator(Settings::new(server.url("/")));
    for _ in 0..4 {
        assert_eq!(ask(&mut *validator, "x"), reject("HTTP 401"));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(validator.mishaps(), []);
    assert_eq!(server.connections.load(Ordering::Relaxed), 4);
}

/// An endpoint whose policy refuses a token that was seen before; the server refuses it as well.
fn once_only(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Server, Box<dyn Validator>) {
    let seen: Shared<Vec<u8>> = Arc::default();
    let server = Server::start(move |asked| {
        let token = asked.header("authorization").unwrap_or_default().to_vec();
        let mut seen = seen.lock().unwrap();
        let is_replay = seen.contains(&token);
        seen.push(token);
        drop(seen);
        if is_replay { Reply::status(401) } else { handler(asked) }
    });
    let mut policy = policy();
    policy.replay = Some(Replay::Refuse);
    let settings = Settings { timeout: Duration::from_secs(20), ..Settings::new(server.url("/")) };
    let mut validator = Endpoint::new(settings, policy.clone()).unwrap().maker()();
    assert_eq!(validator.configure(&policy), Ok(Configured::Ready));
    (server, validator)
}

#[test]
fn a_token_that_may_have_been_seen_is_not_shown_again_where_replays_are_refused() {
    let both = Arc::new(Barrier::new(2));
    let (server, mut validator) = once_only(move |asked| {
        if asked.header("authorization").is_some_and(|value| value.starts_with(b"Bearer cut")) {
            // Both are on the way when it breaks.
            both.wait();
            return Reply::Raw(Vec::new());
        }
        Reply::status(200)
    });
    let answers = ask_all(&mut *validator, &["a", "cut-1", "b", "cut-2", "c"]);
    for at in [0, 2, 4] {
        assert_eq!(answers[at], accept());
    }
    for at in [1, 3] {
        assert!(matches!(&answers[at], Err(Fault::Unjudged(why)) if why.contains("closed")), "{:?}", answers[at]);
    }
    assert_eq!(validator.mishaps().len(), 2);
    assert_eq!(server.requests.load(Ordering::Relaxed), 5);
    // Who is asked alone is answered.
    assert_eq!(ask(&mut *validator, "a"), reject("HTTP 401"));
}

/// A kept connection is closed at any time, and that is no fault: where no token may be shown twice none is kept.
#[test]
fn where_replays_are_refused_each_token_has_its_own_connection() {
    let (server, mut validator) = once_only(|_| Reply::status(200));
    let tokens: Vec<_> = (0..6).map(|number| (Token::new(format!("t{number}")), NumericDate(0))).collect();
    for (token, now) in &tokens[..3] {
        assert_eq!(validator.validate(token, *now), accept());
    }
    assert_eq!(validator.validate_all(&tokens[3..]), [accept(), accept(), accept()]);
    assert_eq!(server.connections.load(Ordering::Relaxed), 6);
}

#[test]
fn what_comes_before_an_answer_is_none_and_a_head_without_end_is_a_fault() {
    let server = Server::start(|asked| match asked.header("authorization") {
        Some(b"Bearer early") => {
            let informs = "HTTP/1.1 103 x\r\nlink: </x>\r\n\r\nHTTP/1.1 100 x\r\n\r\n".repeat(20);
            Reply::Raw(format!("{informs}HTTP/1.1 401 x\r\ncontent-length: 0\r\n\r\n").into_bytes())
        }
        Some(b"Bearer flood") => {
            let fields: String = (0..10_000).map(|number| format!("x-{number}: {}\r\n", "y".repeat(100))).collect();
            Reply::Raw(format!("HTTP/1.1 200 x\r\n{fields}content-length: 0\r\n\r\n").into_bytes())
        }
        _ => Reply::status(401),
    });
    let settings = Settings { timeout: Duration::from_secs(20), ..Settings::new(server.url("/")) };
    let mut validator = validator(settings);
    assert_eq!(ask(&mut *validator, "early"), reject("HTTP 401"));
    super::broken(&ask(&mut *validator, "flood"));
    assert_eq!(ask(&mut *validator, "other"), reject("HTTP 401"));
    assert_eq!(validator.mishaps(), []);
}
