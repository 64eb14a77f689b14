//! An endpoint behind TLS, with a certificate authority of its own.

use super::server::{Reply, Server};
use super::{accept, ask, policy};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::net::TcpListener;
use std::sync::Arc;
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::http::{Endpoint, NotReady, Settings};

/// A server for `localhost`, and the certificate of who vouches for it.
fn server() -> (Server, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::over(listener, Some(Arc::new(config)), |asked| {
        Reply::status(if asked.token().is_some() { 200 } else { 401 })
    });
    (server, ca.pem())
}

fn endpoint(url: String, ca: &str, policy: TrustPolicy) -> Endpoint {
    Endpoint::new(Settings { ca: Some(ca.to_owned()), ..Settings::new(url) }, policy).unwrap()
}

#[test]
fn a_server_is_believed_when_a_named_authority_vouches_for_it_and_not_otherwise() {
    let ((server, ca), (_other, others_ca)) = (super::tls::server(), super::tls::server());
    let url = format!("https://localhost:{}/", server.address.port());
    let good = endpoint(url.clone(), &ca, policy());
    assert_eq!(good.ready(), Ok(()));
    let mut validator = good.maker()();
    validator.configure(&policy()).unwrap();
    assert_eq!(ask(&mut *validator, "x"), accept());
    let refused = endpoint(url, &others_ca, policy()).ready();
    assert!(matches!(&refused, Err(NotReady::Unreachable(why)) if why.contains("certificate")), "{refused:?}");
    // The certificate is made out to a name.
    let elsewhere = format!("https://127.0.0.1:{}/", server.address.port());
    assert!(matches!(endpoint(elsewhere, &ca, policy()).ready(), Err(NotReady::Unreachable(_))));
    let plain = format!("http://localhost:{}/", server.address.port());
    assert!(matches!(endpoint(plain, &ca, policy()).ready(), Err(NotReady::Unreachable(_))));
}
