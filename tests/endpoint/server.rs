//! A small HTTP/1.1 server on loopback that says what a test wants said, and sees what arrives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wrongkey::clock;
use wrongkey::jose::Token;
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::{Maker, Validator, Verdict};

/// What arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// The bearer token.
    pub(crate) fn token(&self) -> Option<Token> {
        let value = self.header("authorization")?.strip_prefix(b"Bearer ")?;
        Some(Token::new(value))
    }
}

/// What is said to it.
pub(crate) enum Reply {
    /// A status, further header lines and a body.
    Say(u16, &'static str, Vec<u8>),
    /// These octets and nothing else; then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing at all, until the server ends.
    Nothing,
    /// An answer with this status, and these octets behind it that nobody asked for.
    More(u16, Vec<u8>),
    /// The same, some milliseconds later.
    Later(u16, Vec<u8>),
    /// A body without an end.
    Endless(u16),
}

impl Reply {
    pub(crate) fn status(status: u16) -> Reply {
        Reply::Say(status, "", Vec::new())
    }

    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Reply {
        Reply::Say(status, "content-type: application/json\r\n", value.to_string().into_bytes())
    }
}

type Handler = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A server at work; it ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<AtomicUsize>,
    /// Octets of endless bodies that could be written.
    pub(crate) written: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
        Server::over(TcpListener::bind("127.0.0.1:0").unwrap(), None, handler)
    }

    pub(crate) fn over(
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Server {
        let handler: Handler = Arc::new(handler);
        let mut server = Server {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
            written: Arc::default(),
            over: Arc::default(),
            open: Arc::default(),
            thread: None,
        };
        let (connections, requests, written) =
            (Arc::clone(&server.connections), Arc::clone(&server.requests), Arc::clone(&server.written));
        let (over, open) = (Arc::clone(&server.over), Arc::clone(&server.open));
        server.thread = Some(std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                if over.load(Ordering::Acquire) {
                    return;
                }
                connections.fetch_add(1, Ordering::Relaxed);
                open.lock().unwrap().push(stream.try_clone().unwrap());
                let (handler, requests, over) = (Arc::clone(&handler), Arc::clone(&requests), Arc::clone(&over));
                let (tls, written) = (tls.clone(), Arc::clone(&written));
                let end = stream.try_clone().unwrap();
                std::thread::spawn(move || {
                    let _ = match tls {
                        None => serve(stream, &handler, &requests, &written, &over),
                        Some(config) => {
                            let connection = rustls::ServerConnection::new(config).unwrap();
                            serve(rustls::StreamOwned::new(connection, stream), &handler, &requests, &written, &over)
                        }
                    };
                    let _ = end.shutdown(Shutdown::Both);
                });
            }
        }));
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Wakes the thread that accepts, so that the port is free once this returns.
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    stream: impl Read + Write,
    handler: &Handler,
    requests: &AtomicUsize,
    written: &AtomicUsize,
    over: &AtomicBool,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader)? {
        requests.fetch_add(1, Ordering::Relaxed);
        let reply = handler(&asked);
        let stream = reader.get_mut();
        match reply {
            Reply::Say(status, headers, body) => {
                let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n", body.len());
                stream.write_all(&[head.as_bytes(), &body].concat())?;
                stream.flush()?;
            }
            Reply::Raw(octets) => {
                stream.write_all(&octets)?;
                return stream.flush();
            }
            Reply::More(status, more) => {
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(&[head.as_bytes(), &more].concat())?;
                stream.flush()?;
            }
            Reply::Later(status, more) => {
                write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n")?;
                stream.flush()?;
                std::thread::sleep(Duration::from_millis(5));
                stream.write_all(&more)?;
                stream.flush()?;
            }
            Reply::Nothing => {
                while !over.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return Ok(());
            }
            Reply::Endless(status) => {
                write!(stream, "HTTP/1.1 {status} x\r\ntransfer-encoding: chunked\r\n\r\n")?;
                loop {
                    write!(stream, "1000\r\n{}\r\n", "x".repeat(0x1000))?;
                    written.fetch_add(0x1000, Ordering::Relaxed);
                }
            }
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    let mut line = |asked: &mut Vec<u8>| {
        asked.clear();
        let read = reader.read_until(b'\n', asked)?;
        while asked.last().is_some_and(|octet| b"\r\n".contains(octet)) {
            asked.pop();
        }
        std::io::Result::Ok(read > 0)
    };
    let mut text = Vec::new();
    if !line(&mut text)? {
        return Ok(None);
    }
    let first = String::from_utf8_lossy(&text).into_owned();
    let mut words = first.split(' ').map(str::to_owned);
    let mut asked =
        Asked { method: words.next().unwrap_or_default(), path: words.next().unwrap_or_default(), ..Asked::default() };
    loop {
        if !line(&mut text)? || text.is_empty() {
            break;
        }
        let colon = text.iter().position(|&octet| octet == b':').unwrap();
        let name = String::from_utf8_lossy(&text[..colon]).to_lowercase();
        asked.headers.push((name, text[colon + 1..].trim_ascii().to_vec()));
    }
    let length = asked.header("content-length").map_or(0, |text| String::from_utf8_lossy(text).parse().unwrap());
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body)?;
    Ok(Some(asked))
}

/// Says what this validator says under this policy: 200 with its identity, 401 with its reason.
pub(crate) fn judging(maker: &Maker, policy: &TrustPolicy) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let mut validator = maker();
    validator.configure(policy).unwrap();
    let validator: Mutex<Box<dyn Validator>> = Mutex::new(validator);
    move |asked: &Asked| {
        let Some(token) = asked.token() else { return Reply::Say(401, "", b"no token".to_vec()) };
        match validator.lock().unwrap().validate(&token, clock::now()) {
            Ok(Verdict::Accept { identity, .. }) => Reply::json(200, &serde_json::to_value(identity).unwrap()),
            Ok(Verdict::Reject(why)) => Reply::Say(401, "", why.into_bytes()),
            answer => Reply::Say(500, "", format!("{answer:?}").into_bytes()),
        }
    }
}
