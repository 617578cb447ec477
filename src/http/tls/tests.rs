//! Tests of encryption with certificates made for them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

use super::*;
use crate::http::server::{Incoming, Server, ServerSettings};
use crate::http::{Bound, Client, ClientSettings, ListenAddress, Request, ServerResponse, Url};
use crate::system::RealClock;
use crate::system::Secret;

struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

fn certificate(name: &str, names: &[&str], issuer: Option<&Authority>) -> Authority {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(name.len() as u32 + 1).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    let issuer_name = issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name());
    builder.set_issuer_name(issuer_name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    if issuer.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    if !names.is_empty() {
        let mut alternatives = SubjectAlternativeName::new();
        for name in names {
            match name.parse::<std::net::IpAddr>() {
                Ok(_) => alternatives.ip(name),
                Err(_) => alternatives.dns(name),
            };
        }
        let extension = alternatives.build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(extension).unwrap();
    }
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256()).unwrap();
    Authority { certificate: builder.build(), key }
}

/// A folder with an authority, certificates of a server and of a client, and their keys.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    let authority = certificate("authority", &[], None);
    let server = certificate("server", &["server.example", "127.0.0.1"], Some(&authority));
    let client = certificate("client", &["client.example"], Some(&authority));
    let other = certificate("other authority", &[], None);
    write("ca.pem", authority.certificate.to_pem().unwrap());
    write("other.pem", other.certificate.to_pem().unwrap());
    write("server.pem", server.certificate.to_pem().unwrap());
    write("server.key", server.key.private_key_to_pem_pkcs8().unwrap());
    write("client.pem", client.certificate.to_pem().unwrap());
    let encrypted =
        client.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"hush").unwrap();
    write("client.key", encrypted);
    write("empty.pem", Vec::new());
    folder
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

fn server_settings(folder: &Path) -> ServerTlsSettings {
    ServerTlsSettings {
        key_pair: Some(KeyPair {
            cert: path(folder, "server.pem"),
            key: path(folder, "server.key"),
            key_password: Secret::default(),
        }),
        ..ServerTlsSettings::default()
    }
}

fn serve(settings: &ServerTlsSettings) -> (Server, String) {
    let listener = ListenAddress::Tcp("127.0.0.1:0".into()).listen().unwrap();
    let Ok(Bound::Tcp(address)) = listener.bound() else { unreachable!() };
    let tls = ServerTls::new(settings).unwrap();
    let handler = |_: &mut Incoming<'_>| ServerResponse::with_body(200, "text/plain", "secret");
    let clock = Arc::new(RealClock::new());
    let server =
        Server::start(listener, ServerSettings::default(), Some(tls), handler, clock).unwrap();
    (server, format!("https://{address}/"))
}

fn ask(address: &str, tls: ClientTlsSettings) -> Result<String, String> {
    let settings = ClientSettings { tls, ..ClientSettings::default() };
    let client = Client::new(settings, Arc::new(RealClock::new())).map_err(|e| e.to_string())?;
    let url = Url::parse(address).unwrap();
    let mut answer = String::new();
    // Twice, over the same connection.
    for _ in 0..2 {
        let response = client
            .send(&Request::new("GET", url.clone(), b""))
            .map_err(|error| error.failure.to_string())?;
        answer = String::from_utf8(response.body).unwrap();
    }
    Ok(answer)
}

#[test]
fn a_server_has_to_prove_who_it_is() {
    let folder = folder();
    let folder = folder.path();
    let (_server, address) = serve(&server_settings(folder));
    let with = |change: &dyn Fn(&mut ClientTlsSettings)| {
        let mut settings =
            ClientTlsSettings { ca: path(folder, "ca.pem"), ..ClientTlsSettings::default() };
        change(&mut settings);
        ask(&address, settings)
    };
    assert_eq!(with(&|_| {}).as_deref(), Ok("secret"));
    assert_eq!(with(&|s| s.server_name = "server.example".into()).as_deref(), Ok("secret"));
    // The certificate itself may be what is trusted.
    assert_eq!(with(&|s| s.ca = path(folder, "server.pem")).as_deref(), Ok("secret"));
    assert_eq!(
        with(&|s| s.server_name = "client.example".into()).unwrap_err(),
        "tls: failed to verify certificate: x509: certificate is valid for server.example, not \
         client.example"
    );
    for ca in [path(folder, "other.pem"), String::new()] {
        assert_eq!(
            with(&|s| s.ca.clone_from(&ca)).unwrap_err(),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        );
    }
    let anything = |s: &mut ClientTlsSettings| {
        (s.ca, s.verification) = (String::new(), Verification::None);
    };
    assert_eq!(with(&anything).as_deref(), Ok("secret"));
}

#[test]
fn versions_and_suites_have_to_meet() {
    let folder = folder();
    let folder = folder.path();
    let old = ServerTlsSettings {
        max_version: Some(TlsVersion::Tls12),
        cipher_suites: vec!["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".into()],
        ..server_settings(folder)
    };
    let (_server, address) = serve(&old);
    let client = |change: &dyn Fn(&mut ClientTlsSettings)| {
        let mut settings =
            ClientTlsSettings { ca: path(folder, "ca.pem"), ..ClientTlsSettings::default() };
        change(&mut settings);
        ask(&address, settings)
    };
    assert_eq!(client(&|_| {}).as_deref(), Ok("secret"));
    assert!(client(&|s| s.min_version = Some(TlsVersion::Tls13)).is_err());
    assert!(client(&|s| s.cipher_suites = vec!["TLS_RSA_WITH_AES_128_CBC_SHA".into()]).is_err());
    let backwards = ServerTlsSettings { min_version: Some(TlsVersion::Tls13), ..old };
    assert_eq!(
        ServerTls::new(&backwards).unwrap_err().to_string(),
        "tls min version TLS13 can't be greater than tls max version TLS12"
    );
    assert_eq!(
        TlsVersion::parse("TLS14").unwrap_err().to_string(),
        "could not parse tls version \"TLS14\": unsupported version \"TLS14\" (available: \
         TLS10,TLS11,TLS12,TLS13)"
    );
}

#[test]
fn callers_prove_who_they_are_where_that_is_asked_for() {
    let folder = folder();
    let folder = folder.path();
    let own = KeyPair {
        cert: path(folder, "client.pem"),
        key: path(folder, "client.key"),
        key_password: Secret::new("hush"),
    };
    for (allowed, is_let_in) in [(vec![], true), (vec!["client.example"], true), (vec!["x"], false)]
    {
        let (_server, address) = serve(&ServerTlsSettings {
            allowed_ca: vec![path(folder, "ca.pem")],
            allowed_dns_names: allowed.into_iter().map(str::to_owned).collect(),
            ..server_settings(folder)
        });
        let client = |key_pair| {
            let ca = path(folder, "ca.pem");
            ask(&address, ClientTlsSettings { ca, key_pair, ..ClientTlsSettings::default() })
        };
        assert_eq!(client(Some(own.clone())).is_ok(), is_let_in);
        assert!(client(None).is_err());
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = folder();
    let folder = folder.path();
    let pair = |cert: &str, key: &str, password: &str| ClientTlsSettings {
        key_pair: Some(KeyPair {
            cert: path(folder, cert),
            key: path(folder, key),
            key_password: Secret::new(password),
        }),
        ..ClientTlsSettings::default()
    };
    let ca = |name: &str| ClientTlsSettings { ca: path(folder, name), ..Default::default() };
    for (settings, expected) in [
        (ca("missing.pem"), "could not read certificate \""),
        (ca("empty.pem"), "could not parse any PEM certificates \""),
        (pair("missing.pem", "server.key", ""), "could not load certificate \""),
        (pair("server.pem", "missing.key", ""), "could not load private key \""),
        (pair("server.pem", "empty.pem", ""), "failed to decode private key: no PEM data found"),
        (pair("client.pem", "client.key", ""), "missing password for PKCS#8 encrypted private key"),
        (pair("client.pem", "client.key", "wrong"), "failed to decrypt PKCS#8 private key"),
        (pair("client.pem", "server.key", ""), "failed to load cert/key pair: tls: private key"),
    ] {
        let error = ClientTls::new(settings).unwrap_err().to_string();
        assert!(error.starts_with(expected) && error.contains(folder.to_str().unwrap()), "{error}");
    }
}

#[test]
fn one_that_does_not_encrypt_is_told_apart() {
    let listener = ListenAddress::Tcp("127.0.0.1:0".into()).listen().unwrap();
    let Ok(Bound::Tcp(address)) = listener.bound() else { unreachable!() };
    let handler = |_: &mut Incoming<'_>| ServerResponse::new(204);
    let clock = Arc::new(RealClock::new());
    let _server = Server::start(listener, ServerSettings::default(), None, handler, clock).unwrap();
    let error = ask(&format!("https://{address}/"), ClientTlsSettings::default()).unwrap_err();
    assert_eq!(error, "http: server gave HTTP response to HTTPS client");
}
