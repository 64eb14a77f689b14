//! An HTTP endpoint, asked by `wrongkey` and by `wrk`: the same server, the same token, as many connections, all kept.

use crate::{SIGNERS, met, root, tokens};
use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wrongkey::clock;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::endpoint::Settings;
use wrongkey::validator::http::Endpoint;
use wrongkey::validator::recipe::recipes;
use wrongkey::validator::{Configured, Verdict};

/// The argument that makes this program the server.
pub(crate) const SERVE: &str = "--serve";

/// How long each side asks in a round.
const ROUND: Duration = Duration::from_secs(3);
/// Rounds of either side, in turns.
const ROUNDS: usize = 5;
/// Tokens that a campaign hands over together: a chunk.
const TOGETHER: usize = 256;
/// The least part of what `wrk` gets.
const TARGET: f64 = 0.8;

pub(crate) fn measure() {
    let connections = Settings::new("").connections;
    println!("http: {connections} connections, {ROUNDS} rounds of {} s a side, in turns", ROUND.as_secs());
    for (index, signer) in SIGNERS.into_iter().enumerate() {
        match rounds(index, connections) {
            Ok([ours, wrk]) => {
                let ratio = ours.median / wrk.median;
                println!(
                    "  {:<6} {:>7.0} a second through wrongkey, {:>7.0} through wrk: {ratio:.2}, best of each {:.2} \
                     (target: at least {TARGET}): {}",
                    signer.2,
                    ours.median,
                    wrk.median,
                    ours.best / wrk.best,
                    met(ratio >= TARGET)
                );
            }
            Err(why) => println!("  {:<6} left out, {why}", signer.2),
        }
    }
}

/// Requests a second.
struct Rates {
    median: f64,
    best: f64,
}

impl Rates {
    fn of(mut rates: Vec<f64>) -> Rates {
        rates.sort_by(f64::total_cmp);
        Rates { median: rates[rates.len() / 2], best: rates[rates.len() - 1] }
    }
}

/// What `wrongkey` gets, and what `wrk` gets.
fn rounds(signer: usize, connections: usize) -> Result<[Rates; 2], String> {
    if Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return Err("there is no wrk here: scripts/packages.sh wrk".to_owned());
    }
    let (policy, tokens) = tokens(SIGNERS[signer], 1);
    let server = Server::start(signer)?;
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(wrongkey(&server.url, &policy, &tokens[0])?);
        others.push(wrk(&server.url, &tokens[0].0, connections)?);
    }
    Ok([ours, others].map(Rates::of))
}

/// Requests a second by `wrongkey`, as a campaign makes them.
fn wrongkey(url: &str, policy: &TrustPolicy, token: &(Token, NumericDate)) -> Result<f64, String> {
    let endpoint = Endpoint::new(Settings::new(url), policy.clone()).map_err(|error| error.to_string())?;
    endpoint.ready().map_err(|error| error.to_string())?;
    let mut validator = endpoint.maker()();
    match validator.configure(policy) {
        Ok(Configured::Ready) => {}
        other => return Err(format!("configure: {other:?}")),
    }
    let tokens = vec![token.clone(); TOGETHER];
    let start = clock::instant();
    let mut asked = 0;
    while start.elapsed() < ROUND {
        for answer in validator.validate_all(&tokens) {
            if !answer.as_ref().is_ok_and(Verdict::accepted) {
                return Err(format!("an honest token is refused: {answer:?}"));
            }
            asked += 1;
        }
    }
    Ok(f64::from(asked) / start.elapsed().as_secs_f64())
}

/// Requests a second by `wrk`.
fn wrk(url: &str, token: &Token, connections: usize) -> Result<f64, String> {
    let token = token.as_str().unwrap_or_default();
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{}s", ROUND.as_secs())])
        .args(["--header", &format!("Authorization: Bearer {token}"), url])
        .output()
        .map_err(|error| format!("wrk: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let of = |label: &str| said.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    if let Some(refused) = of("Non-2xx or 3xx responses:") {
        return Err(format!("wrk: an honest token is refused {refused} times"));
    }
    of("Requests/sec:").and_then(|rate| rate.parse().ok()).ok_or_else(|| format!("wrk says {said}"))
}

/// The server, in a process of its own.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(signer: usize) -> Result<Server, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args([SERVE, &signer.to_string()]).current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = Server { child: command.spawn().map_err(|error| error.to_string())?, url: String::new() };
        if let Some(output) = server.child.stdout.take() {
            BufReader::new(output).read_line(&mut server.url).map_err(|error| error.to_string())?;
        }
        server.url.truncate(server.url.trim_end().len());
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, or it ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service on one thread, as one in Node or Python is: it takes what the recipe over jsonwebtoken accepts. It says on standard
/// output where it is.
pub(crate) fn serve() {
    let signer = std::env::args().nth(2).and_then(|index| index.parse().ok()).unwrap_or(0);
    let (policy, _) = tokens(SIGNERS[signer], 0);
    let maker = recipes().into_iter().find(|recipe| recipe.name == "jsonwebtoken").map(|recipe| (recipe.maker)());
    let mut validator = maker.unwrap_or_else(|| unreachable!("the recipe is built in"))();
    if !matches!(validator.configure(&policy), Ok(Configured::Ready)) {
        return;
    }
    let validator = Arc::new(Mutex::new(validator));
    let answer = move |headers: HeaderMap| async move {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let Some(token) = token else { return StatusCode::UNAUTHORIZED };
        let mut validator = validator.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = validator.validate(&Token::new(token), clock::now());
        if verdict.is_ok_and(|verdict| verdict.accepted()) { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let served = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            println!("http://{}/", listener.local_addr()?);
            axum::serve(listener, axum::Router::new().route("/", axum::routing::get(answer))).await
        })
    });
    served.unwrap_or_else(|error| eprintln!("{error}"));
}
