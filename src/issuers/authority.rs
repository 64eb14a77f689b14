//! A certification authority of our own, for servers on loopback: it is made when a server starts, and its key never leaves
//! memory.

use crate::clock;
use crate::error::Error;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_ecdsa_type};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most certificates that are kept: whoever asks for endless names makes us forget, and no more.
const MAX_CERTIFICATES: usize = 512;
/// For how long certificates are good.
const LIFETIME: Duration = Duration::from_secs(397 * 86_400);
/// How far a client's clock may be behind ours.
const BEFORE: Duration = Duration::from_secs(86_400);

/// Signs certificates for whatever host is asked for.
pub(super) struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    own: KeyPair,
    signing: Arc<dyn SigningKey>,
    made: Mutex<BTreeMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

/// Neither of them happens with the parameters below; the message says that it did.
fn failed(what: impl fmt::Display) -> Error {
    Error::Usage(format!("no certificates can be made: {what}"))
}

fn dated(mut params: CertificateParams, name: &str) -> CertificateParams {
    let now = Duration::from_secs(clock::now().0.try_into().unwrap_or(0));
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(BEFORE);
    params.not_after = epoch + now + LIFETIME;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params
}

impl Authority {
    pub(super) fn new() -> Result<Self, Error> {
        let mut params = dated(CertificateParams::default(), "wrongkey test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(failed)?).map_err(failed)?;
        let own = KeyPair::generate().map_err(failed)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
        let signing = any_ecdsa_type(&der).map_err(failed)?;
        Ok(Authority { root, own, signing, made: Mutex::default() })
    }

    /// The authority's certificate, for whoever is to trust it.
    pub(super) fn pem(&self) -> String {
        self.root.pem()
    }

    /// What a server needs to speak TLS with these certificates.
    pub(super) fn server(self: &Arc<Self>) -> Result<rustls::ServerConfig, Error> {
        let provider = Arc::new(default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().map_err(failed)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn certificate(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(host) {
            return Some(Arc::clone(known));
        }
        // Who connects to an address names no host (RFC 6066 section 3).
        let names = match host {
            "" => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
            host => vec![host.to_owned()],
        };
        let mut params = dated(CertificateParams::new(names).ok()?, "wrongkey test server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&self.own, &self.root).ok()?;
        let chain = vec![leaf.der().clone(), self.root.der().clone()];
        let key = Arc::new(CertifiedKey::new(chain, Arc::clone(&self.signing)));
        if made.len() >= MAX_CERTIFICATES {
            made.clear();
        }
        made.insert(host.to_owned(), Arc::clone(&key));
        Some(key)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(&hello.server_name().unwrap_or_default().to_ascii_lowercase())
    }
}
