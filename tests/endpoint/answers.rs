//! One token, one request: where the token stands, and what each answer means.

use super::server::{Asked, Reply, Server};
use super::{Shared, accept, ask, ask_all, broken, policy, policy_of, reject, validator};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use wrongkey::clock;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::validator::http::{Endpoint, NotReady, Settings, curl};
use wrongkey::validator::{Configured, Fault, Identity, Verdict};

fn recording(asked: &Shared<Asked>) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let asked = Arc::clone(asked);
    move |one| {
        asked.lock().unwrap().push(one.clone());
        Reply::status(200)
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn the_token_stands_where_the_templates_say() {
    let asked: Shared<Asked> = Arc::default();
    let server = Server::start(recording(&asked));
    let settings = Settings::new(server.url("/me?v=1"));
    let header = Settings { headers: texts(&["X-Api: a {token} b", "X-Api: c"]), ..settings.clone() };
    let cookie = Settings { cookies: texts(&["lang=en", "session={token}"]), ..settings.clone() };
    let query = Settings { query: texts(&["t={token}", "u=a b"]), ..settings.clone() };
    let form = Settings { form: texts(&["grant=x", "token={token}"]), ..settings.clone() };
    let json = Settings {
        json: Some(r#"{"a":["{token}",1],"t":"<{token}>"}"#.to_owned()),
        method: Some("put".to_owned()),
        ..settings.clone()
    };
    for settings in [settings, header] {
        assert_eq!(ask(&mut *validator(settings), "x.y+z=&\""), accept());
    }
    assert_eq!(ask(&mut *validator(cookie), "x.y+z=&"), accept());
    for settings in [query, form, json] {
        assert_eq!(ask(&mut *validator(settings), "x.y+z=&\"é"), accept());
    }
    let asked = asked.lock().unwrap();
    let text = |at: usize, name: &str| String::from_utf8(asked[at].header(name).unwrap().to_vec()).unwrap();
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("GET", "/me?v=1"));
    assert_eq!(text(0, "authorization"), "Bearer x.y+z=&\"");
    assert_eq!(text(1, "x-api"), "a x.y+z=&\" b");
    assert!(asked[1].header("authorization").is_none());
    assert_eq!(asked[1].headers.iter().filter(|(name, _)| name == "x-api").count(), 2);
    assert_eq!(text(2, "cookie"), "lang=en; session=x.y+z=&");
    assert_eq!(asked[3].path, "/me?v=1&t=x.y%2Bz%3D%26%22%C3%A9&u=a%20b");
    assert_eq!(
        (asked[4].method.as_str(), text(4, "content-type").as_str()),
        ("POST", "application/x-www-form-urlencoded")
    );
    assert_eq!(asked[4].body, b"grant=x&token=x.y%2Bz%3D%26%22%C3%A9");
    assert_eq!((asked[5].method.as_str(), text(5, "content-type").as_str()), ("PUT", "application/json"));
    let body: serde_json::Value = serde_json::from_slice(&asked[5].body).unwrap();
    assert_eq!(body, serde_json::json!({ "a": ["x.y+z=&\"é", 1], "t": "<x.y+z=&\"é>" }));
}

#[test]
fn what_a_place_cannot_carry_is_said_and_what_it_can_is_not() {
    let settings = Settings::new("http://127.0.0.1:1/");
    let cookie = Settings { cookies: texts(&["t={token}"]), ..settings.clone() };
    let query = Settings { query: texts(&["t={token}"]), ..settings.clone() };
    let json = Settings { json: Some(r#""{token}""#.to_owned()), ..settings.clone() };
    let long = "x".repeat(65_537);
    let table: [(&[u8], [bool; 4]); 10] = [
        (b"a.b-c_d=", [true, true, true, true]),
        (b"a\0b", [false, false, true, true]),
        (b"a\nb", [false, false, true, true]),
        (b"a\rb", [false, false, true, true]),
        (b"a b", [true, false, true, true]),
        (b" ab", [false, false, true, true]),
        (b"{\"a\":1}", [true, false, true, true]),
        ("aé".as_bytes(), [false, false, true, true]),
        (b"a\xffb", [false, false, true, false]),
        (long.as_bytes(), [false, false, false, true]),
    ];
    let validators = [settings, cookie, query, json].map(validator);
    for (token, carried) in table {
        let said = validators.each_ref().map(|validator| validator.cannot_carry(&Token::new(token)).is_none());
        assert_eq!(said, carried, "{:?}", String::from_utf8_lossy(&token[..token.len().min(20)]));
    }
}

#[test]
fn a_status_means_yes_or_no_or_is_a_fault() {
    let server = Server::start(|asked| {
        let status = asked.header("authorization").unwrap()[7..].iter().map(|&c| char::from(c)).collect::<String>();
        Reply::Say(status.parse().unwrap(), "www-authenticate: Bearer error=\"invalid_token\"\r\n", b"<b>why".to_vec())
    });
    let mut usual = validator(Settings::new(server.url("/")));
    assert_eq!(ask(&mut *usual, "200"), accept());
    assert_eq!(ask(&mut *usual, "204"), accept());
    assert_eq!(ask(&mut *usual, "401"), reject("HTTP 401: Bearer error=\"invalid_token\""));
    for status in ["302", "404", "429", "500"] {
        assert!(broken(&ask(&mut *usual, status)).contains("neither an accept status nor a reject status"), "{status}");
    }
    let other = Settings {
        accept_status: "204,302".to_owned(),
        reject_status: "200-203, 404-599".to_owned(),
        ..Settings::new(server.url("/"))
    };
    let mut other = validator(other);
    assert_eq!(ask(&mut *other, "302"), accept());
    assert!(matches!(ask(&mut *other, "200"), Ok(Verdict::Reject(_))));
    assert!(matches!(ask(&mut *other, "500"), Ok(Verdict::Reject(_))));
    broken(&ask(&mut *other, "401"));
}

#[test]
fn redirects_are_not_followed() {
    let reached: Arc<AtomicUsize> = Arc::default();
    let server = {
        let reached = Arc::clone(&reached);
        Server::start(move |asked| {
            if asked.path == "/elsewhere" {
                reached.fetch_add(1, Ordering::Relaxed);
                return Reply::status(200);
            }
            let status = asked.header("authorization").unwrap()[7..].iter().map(|&c| char::from(c)).collect::<String>();
            Reply::Say(status.parse().unwrap(), "location: /elsewhere\r\n", Vec::new())
        })
    };
    let mut validator = validator(Settings::new(server.url("/")));
    for status in ["301", "302", "303", "307", "308"] {
        broken(&ask(&mut *validator, status));
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}

#[test]
fn an_accepting_answer_says_who_it_is() {
    let server = Server::start(|asked| {
        let said = match asked.path.as_str() {
            "/all" => r#"{"user":{"sub":"alice","iss":"https://a.example","t":"t1"}}"#,
            "/none" => r#"{"user":{"sub":null}}"#,
            "/number" => r#"{"user":{"sub":["alice"]}}"#,
            _ => "hello alice",
        };
        Reply::Say(200, "", said.as_bytes().to_vec())
    });
    let said = |path: &str, identity: &[&str]| {
        let mut validator = validator(Settings { identity: texts(identity), ..Settings::new(server.url(path)) });
        let issuer = validator.describe().says_issuer;
        (ask(&mut *validator, "x"), issuer)
    };
    let accepts = |iss: Option<&str>, sub: Option<&str>, tenant: Option<&str>| {
        let [iss, sub, tenant] = [iss, sub, tenant].map(|text| text.map(str::to_owned));
        Ok(Verdict::accept(Identity { iss, sub, tenant, audience: None }))
    };
    let all = ["/user/sub", "iss=/user/iss", "tid=/user/t"];
    assert_eq!(said("/all", &all), (accepts(Some("https://a.example"), Some("alice"), Some("t1")), true));
    assert_eq!(said("/all", &["sub=/user/sub"]), (accepts(None, Some("alice"), None), false));
    assert_eq!(said("/none", &["/user/sub"]).0, accepts(None, None, None));
    assert_eq!(said("/number", &["/user/sub"]).0, accepts(None, Some("[\"alice\"]"), None));
    assert!(broken(&said("/text", &["/user/sub"]).0).contains("no JSON"));
    assert_eq!(said("/text", &[]).0, accept());
}

#[test]
fn no_more_of_an_answer_is_read_than_is_looked_at() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/401" => Reply::Endless(401),
        _ => Reply::Endless(200),
    });
    assert!(matches!(ask(&mut *validator(Settings::new(server.url("/401"))), "x"), Ok(Verdict::Reject(_))));
    assert_eq!(ask(&mut *validator(Settings::new(server.url("/200"))), "x"), accept());
    let identity = Settings { identity: texts(&["/sub"]), ..Settings::new(server.url("/200")) };
    assert!(broken(&ask(&mut *validator(identity), "x")).contains("65536"));
    // What stands in the buffers of two sockets and of the client comes on top.
    assert!(server.written.load(Ordering::Relaxed) < 64 << 20);
}

#[test]
fn silence_is_a_fault_of_the_token_that_caused_it_and_of_no_other() {
    let server = Server::start(|asked| match asked.header("authorization") {
        Some(b"Bearer resets") => Reply::Raw(Vec::new()),
        Some(b"Bearer hangs") => Reply::Nothing,
        Some(b"Bearer babbles") => Reply::Raw(b"220 smtp ready\r\n\r\n".to_vec()),
        Some(b"Bearer short") => Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec()),
        _ => Reply::status(401),
    });
    let settings = Settings { timeout: Duration::from_secs(2), ..Settings::new(server.url("/")) };
    let mut validator = validator(settings);
    let answers = ask_all(&mut *validator, &["a", "resets", "b", "hangs", "c", "babbles", "short", "d"]);
    for index in [0, 2, 4, 7] {
        assert_eq!(answers[index], reject("HTTP 401"), "{index}");
    }
    for index in [1, 5, 6] {
        broken(&answers[index]);
    }
    assert_eq!(answers[3], Err(Fault::Hang(2_000)));
    assert_eq!(validator.mishaps(), []);
}

#[test]
fn what_happened_once_and_not_again_is_laid_at_nobodys_door() {
    // Whoever comes while the first one is on the way is cut off with it.
    let first = Arc::new(AtomicUsize::new(0));
    let server = {
        let first = Arc::clone(&first);
        Server::start(move |asked| {
            if asked.header("authorization") == Some(b"Bearer once") && first.fetch_add(1, Ordering::Relaxed) < 2 {
                return Reply::Raw(Vec::new());
            }
            Reply::status(200)
        })
    };
    let mut validator = validator(Settings::new(server.url("/")));
    assert_eq!(ask_all(&mut *validator, &["a", "once", "b"]), [accept(), accept(), accept()]);
    assert!(matches!(&validator.mishaps()[..], [Fault::Broken(words)] if words.contains("closed")));
    assert_eq!(validator.mishaps(), []);
}

#[test]
fn several_are_asked_at_a_time_over_connections_that_are_kept() {
    let waiting = Arc::new((Mutex::new(0), Condvar::new()));
    let server = {
        let waiting = Arc::clone(&waiting);
        Server::start(move |_| {
            let (count, all) = &*waiting;
            let mut count = count.lock().unwrap();
            *count += 1;
            all.notify_all();
            let (count, late) = all.wait_timeout_while(count, Duration::from_secs(20), |count| *count < 4).unwrap();
            drop(count);
            Reply::status(if late.timed_out() { 500 } else { 200 })
        })
    };
    let settings = Settings { connections: 4, timeout: Duration::from_secs(30), ..Settings::new(server.url("/")) };
    let mut validator = validator(settings);
    assert_eq!(validator.describe().at_once, 4);
    assert!(ask_all(&mut *validator, &["x"; 40]).iter().all(|answer| *answer == accept()));
    assert_eq!(server.requests.load(Ordering::Relaxed), 40);
    assert_eq!(server.connections.load(Ordering::Relaxed), 4);
}

#[test]
fn what_a_server_says_to_nobody_is_no_answer_to_the_next_token() {
    // As HAProxy and Apache end a connection on which nothing was asked for long.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let ((idle, told), (said, heard)) = (channel(), channel());
    let server = std::thread::spawn(move || {
        for stream in listener.incoming().take(3) {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            while !request.next().unwrap().unwrap().is_empty() {}
            stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n").unwrap();
            told.recv().unwrap();
            stream.write_all(b"HTTP/1.1 408 x\r\ncontent-length: 0\r\n\r\n").unwrap();
            drop((stream, request));
            said.send(()).unwrap();
        }
    });
    let mut validator = validator(Settings::new(url));
    for _ in 0..3 {
        assert_eq!(ask(&mut *validator, "x"), accept());
        idle.send(()).unwrap();
        heard.recv().unwrap();
    }
    server.join().unwrap();
}

#[test]
fn a_server_that_is_silent_to_every_token_is_given_up_in_the_end() {
    // It is there: what is no token it answers.
    let server = Server::start(|asked| match asked.header("authorization") {
        Some(_) => Reply::Raw(Vec::new()),
        None => Reply::status(401),
    });
    let mut validator = validator(Settings::new(server.url("/")));
    let answers: Vec<_> = (0..70).map(|_| ask(&mut *validator, "x")).collect();
    assert!(matches!(&answers[0], Err(Fault::Broken(_))), "{:?}", answers[0]);
    let last = &answers[69];
    assert!(matches!(last, Err(Fault::Gone(why)) if why.contains("in a row were not answered")), "{last:?}");
}

#[test]
fn a_command_for_curl_has_the_method_and_the_body() {
    let settings = Settings { form: texts(&["token={token}"]), ..Settings::new("http://127.0.0.1:1/me") };
    let words = curl(&settings, &Token::new("a.b c")).unwrap();
    let typed = "content-type: application/x-www-form-urlencoded";
    let sent = ["--request", "POST", "--header", typed, "--data-raw", "token=a.b%20c", "http://127.0.0.1:1/me"];
    assert_eq!(words[..3], ["curl", "--globoff", "--include"]);
    assert_eq!(words[3..], sent);
}

#[test]
fn a_server_that_goes_away_is_given_up() {
    let server = Server::start(|_| Reply::status(200));
    let settings = Settings { timeout: Duration::from_millis(100), ..Settings::new(server.url("/")) };
    let mut validator = validator(settings);
    assert_eq!(ask(&mut *validator, "x"), accept());
    drop(server);
    let answers = ask_all(&mut *validator, &["x"; 20]);
    assert!(answers.iter().all(|answer| matches!(answer, Err(Fault::Gone(_) | Fault::Broken(_)))), "{answers:?}");
    assert!(matches!(ask(&mut *validator, "x"), Err(Fault::Gone(why)) if why.contains("refused")));
}

#[test]
fn a_server_that_comes_back_in_time_costs_nothing() {
    let server = Server::start(|_| Reply::status(200));
    let address = server.address;
    let settings = Settings { timeout: Duration::from_secs(20), ..Settings::new(server.url("/")) };
    let mut validator = validator(settings);
    assert_eq!(ask(&mut *validator, "x"), accept());
    drop(server);
    let again = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        Server::over(TcpListener::bind(address).unwrap(), None, |_| Reply::status(200))
    });
    assert_eq!(ask(&mut *validator, "x"), accept());
    drop(again.join());
}

#[test]
fn a_server_that_answers_neither_yes_nor_no_is_given_up_in_the_end() {
    let server = Server::start(|_| Reply::status(500));
    let mut validator = validator(Settings::new(server.url("/")));
    let answers = ask_all(&mut *validator, &["x"; 700]);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(Fault::Broken(_)))).count(), 599);
    assert!(matches!(ask(&mut *validator, "x"), Err(Fault::Gone(why)) if why.contains("HTTP 500")));
}

#[test]
fn a_request_without_a_token_must_be_refused() {
    let asked: Shared<Asked> = Arc::default();
    let server = {
        let asked = Arc::clone(&asked);
        Server::start(move |one| {
            asked.lock().unwrap().push(one.clone());
            Reply::status(one.path.trim_start_matches('/').split('?').next().unwrap().parse().unwrap())
        })
    };
    let ready = |path: &str| {
        let settings = Settings {
            headers: texts(&["X-Static: yes", "Authorization: Bearer {token}"]),
            cookies: texts(&["t={token}"]),
            query: texts(&["t={token}"]),
            json: Some(r#"{"kept":1,"t":"{token}"}"#.to_owned()),
            ..Settings::new(server.url(path))
        };
        Endpoint::new(settings, policy()).unwrap().ready()
    };
    assert_eq!(ready("/401"), Ok(()));
    assert!(matches!(ready("/200"), Err(NotReady::NeedsNoToken(why)) if why.contains("HTTP 200")));
    assert!(matches!(ready("/404"), Err(NotReady::NeedsNoToken(why)) if why.contains("neither")));
    let asked = asked.lock().unwrap();
    assert_eq!((asked[0].path.as_str(), &asked[0].body[..]), ("/401", &br#"{"kept":1}"#[..]));
    assert!(asked[0].header("x-static").is_some());
    assert!(asked[0].header("authorization").or(asked[0].header("cookie")).is_none());
}

#[test]
fn it_is_waited_for_as_long_as_was_said() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let ready = |wait_for: Duration| {
        let settings = Settings { wait_for, ..Settings::new(format!("http://{address}/")) };
        Endpoint::new(settings, policy()).unwrap().ready()
    };
    assert_eq!(ready(Duration::ZERO), Err(NotReady::Unreachable("the connection was refused".to_owned())));
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        Server::over(TcpListener::bind(address).unwrap(), None, |_| Reply::status(401))
    });
    assert_eq!(ready(Duration::from_secs(30)), Ok(()));
    drop(late.join());
}

#[test]
fn requests_keep_the_pace() {
    let server = Server::start(|_| Reply::status(200));
    let mut validator = validator(Settings { rate: Some("50/s".to_owned()), ..Settings::new(server.url("/")) });
    let begun = clock::instant();
    assert!(ask_all(&mut *validator, &["x"; 11]).iter().all(|answer| *answer == accept()));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    // What is shown so slowly is not forged together.
    let slow = Settings { rate: Some("600/m".to_owned()), ..Settings::new(server.url("/")) };
    assert_eq!(super::validator(slow).describe().at_once, 1);
}

#[test]
fn only_its_own_policy_is_its_own_in_any_order_and_at_any_time() {
    let now = clock::now();
    let own = policy_of("rotation", "strict", now);
    let ends =
        own.issuers.iter().flat_map(wrongkey::policy::TrustedIssuer::own_keys).filter(|jwk| jwk.exp.is_some()).count();
    assert!(ends > 0, "a world in which keys have an end");
    let configured = |policy: &wrongkey::policy::TrustPolicy| {
        let settings = Settings::new("http://127.0.0.1:1/");
        let mut validator = Endpoint::new(settings, own.clone()).unwrap().maker()();
        matches!(validator.configure(policy), Ok(Configured::Ready))
    };
    for number in 0..8 {
        assert!(configured(&own.reordered(number)));
        assert!(configured(&policy_of("rotation", "strict", now.plus(3_600)).reordered(number)));
    }
    let changed = |change: &dyn Fn(&mut wrongkey::policy::TrustPolicy)| {
        let mut policy = own.clone();
        change(&mut policy);
        assert_ne!(policy, own);
        !configured(&policy)
    };
    assert!(changed(&|policy| policy.leeway = Some(61)));
    assert!(changed(&|policy| drop(policy.issuers.pop())));
    assert!(changed(&|policy| drop(policy.issuers[0].jwks.as_mut().unwrap().keys.pop())));
    // One key that lives longer is no matter of when the policy was written.
    assert!(changed(&|policy| {
        let keys = policy.issuers.iter_mut().flat_map(|issuer| &mut issuer.jwks.as_mut().unwrap().keys);
        let end = keys.filter_map(|jwk| jwk.exp.as_mut()).next().unwrap();
        *end = NumericDate(end.0 + 3_600);
    }));
    assert!(changed(&|policy| {
        for end in policy.issuers.iter_mut().flat_map(|issuer| &mut issuer.jwks.as_mut().unwrap().keys) {
            end.exp = end.exp.map(|end| end.plus(400 * 86_400));
        }
    }));
}

#[test]
fn a_setting_that_cannot_be_used_is_named_with_its_remedy() {
    let usual = Settings::new("http://127.0.0.1:1/");
    let json = |text: &str| Settings { json: Some(text.to_owned()), ..usual.clone() };
    let table = [
        (Settings::new("127.0.0.1:80/me"), "url", "http://"),
        (Settings::new("ftp://a/"), "url", "http://"),
        (Settings::new("http://u:p@a/"), "url", "--header"),
        (Settings::new("http://a/{token}"), "url", "--query"),
        (Settings::new("https://a/"), "ca", "PEM"),
        (Settings { headers: texts(&["Authorization {token}"]), ..usual.clone() }, "header", "colon"),
        (Settings { headers: texts(&["A b: {token}"]), ..usual.clone() }, "header", "invalid"),
        (Settings { headers: texts(&["Cookie: a={token}"]), ..usual.clone() }, "header", "--cookie"),
        (Settings { cookies: texts(&["{token}"]), ..usual.clone() }, "cookie", "access_token="),
        (Settings { cookies: texts(&["a=b;{token}"]), ..usual.clone() }, "cookie", "RFC 6265"),
        (Settings { query: texts(&["a b={token}"]), ..usual.clone() }, "query", "access_token="),
        (json("{token}"), "json", "JSON text"),
        (Settings { form: texts(&["a={token}"]), ..json("1") }, "json", "form or JSON"),
        (Settings { method: Some("BREW".to_owned()), ..usual.clone() }, "method", "GET"),
        (Settings { method: Some("GET".to_owned()), ..json("1") }, "method", "POST"),
        (Settings { accept_status: "2xx".to_owned(), ..usual.clone() }, "accept-status", "200-299"),
        (Settings { accept_status: "299-200".to_owned(), ..usual.clone() }, "accept-status", "200-299"),
        (Settings { reject_status: "99".to_owned(), ..usual.clone() }, "reject-status", "200-299"),
        (Settings { reject_status: "201,400".to_owned(), ..usual.clone() }, "reject-status", "201"),
        (Settings { identity: texts(&["sub"]), ..usual.clone() }, "identity", "/sub"),
        (Settings { identity: texts(&["name=/sub"]), ..usual.clone() }, "identity", "iss"),
        (Settings { identity: texts(&["iss=/iss"]), ..usual.clone() }, "identity", "/sub"),
        (Settings { identity: texts(&["/a", "sub=/b"]), ..usual.clone() }, "identity", "twice"),
        (Settings { ca: Some("no certificate".to_owned()), ..usual.clone() }, "ca", "PEM"),
        (Settings { rate: Some("0/s".to_owned()), ..usual.clone() }, "rate", "100/s"),
        (Settings { rate: Some("5".to_owned()), ..usual.clone() }, "rate", "100/s"),
        (
            Settings { algorithms: texts(&["RS256", "HS256"]), ..usual.clone() },
            "algorithms",
            "ES256, EdDSA, PS256, RS256",
        ),
        (Settings { connections: 0, ..usual.clone() }, "connections", "256"),
    ];
    for (settings, setting, remedy) in table {
        let bad = Endpoint::new(settings.clone(), policy()).err().unwrap_or_else(|| panic!("{settings:?}"));
        assert_eq!(bad.setting, setting, "{bad}");
        assert!(bad.problem.contains(remedy), "{bad}");
    }
}
