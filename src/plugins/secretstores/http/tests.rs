//! The store against a server.

use super::*;
use crate::http::ServerResponse;
use crate::http::recorder::Recorder;
use crate::plugins::tests::secret_store;

fn server(status: u16, body: &'static str) -> Recorder {
    Recorder::start(move |_| ServerResponse::with_body(status, "application/json", body))
}

fn store(server: &Recorder, options: &str) -> Box<dyn SecretStore> {
    secret_store(&PLUGIN, &format!("url = '{}/s'\n{options}", server.url)).unwrap()
}

#[test]
fn secrets_are_the_texts_of_an_object_that_is_asked_for_once() {
    let server = server(200, r#"{"a": "hush", "b": null, "a b": "x"}"#);
    let store = store(&server, "token = ' t '\nheaders = {X-A = '1'}");
    assert_eq!(store.get("a").unwrap_err().to_string(), "not found");
    store.prepare().unwrap();
    store.prepare().unwrap();
    let requests = server.take();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line(), "GET /s?");
    assert_eq!(requests[0].headers.get("Authorization"), Some("Bearer t"));
    assert_eq!(requests[0].headers.get("X-A"), Some("1"));
    assert_eq!(store.list().unwrap(), ["a", "a b", "b"]);
    let get = |key| store.get(key).unwrap().expose().to_owned();
    assert_eq!((get("a").as_str(), get("b").as_str(), get("a b").as_str()), ("hush", "", "x"));
    assert_eq!(store.get("c").unwrap_err().to_string(), "not found");
}

#[test]
fn a_name_and_its_password_are_sent_together() {
    let server = server(201, "{}");
    for (options, expected) in
        [("username = 'me'\npassword = 'pw'", Some("Basic bWU6cHc=")), ("username = 'me'", None)]
    {
        store(&server, &format!("success_status_codes = [201]\n{options}")).prepare().unwrap();
        assert_eq!(server.take()[0].headers.get("Authorization"), expected);
    }
}

#[test]
fn answers_that_are_none_are_told() {
    let cases = [
        (
            404,
            "{}",
            "reading body failed: received status code 404 (Not Found), expected any value out of [200]",
        ),
        (200, r#"{"a": 1}"#, "an object of keys and secrets is wanted"),
        (200, "[]", "an object of keys and secrets is wanted"),
        (200, "{", "EOF while parsing"),
    ];
    for (status, body, expected) in cases {
        let server = server(status, body);
        let error = store(&server, "").prepare().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let store = secret_store(&PLUGIN, "url = 'http://127.0.0.1:1/'").unwrap();
    let error = store.prepare().unwrap_err().to_string();
    assert!(error.starts_with("reading body failed: executing request failed: Get"), "{error}");
}

/// Encrypted with openssl-enc(1): the key is made of the password `a secret key`, the salt
/// `somerandombytes` and 2000 iterations.
const ENCRYPTED: &str = r#"{"a": "3y1Za18sLLNIIHw1fv2Olg==", "bad": "QUJD", "none": "!"}"#;
const AES: &str = "[aes]\ninit_vector = '61737570657273656372657469763432'\n";

#[test]
fn secrets_are_decrypted_with_a_key_or_a_password() {
    let server = server(200, ENCRYPTED);
    let cipher = "cipher = 'AES256/CBC/PKCS#7'\n";
    let password = "password = 'a secret key'\nsalt = 'somerandombytes'\niterations = 2000";
    let key = "key = '63238c069e3c5d6aaa20048c43ce4ed0a910eef95f22f55bacdddacafa06b656'";
    for options in [password, key] {
        let store = store(&server, &format!("{cipher}{AES}{options}"));
        store.prepare().unwrap();
        assert_eq!(store.get("a").unwrap().expose(), "password A");
        assert_eq!(store.get("bad").unwrap_err().to_string(), "invalid data size 3");
        let error = store.get("none").unwrap_err().to_string();
        assert_eq!(error, "base64 decoding failed: illegal base64 data at input byte 0");
    }
}

#[test]
fn options_that_make_no_cipher_are_told() {
    let key = "key = '000102030405060708090a0b0c0d0e0f'";
    let cases = [
        ("cipher = 'rot13'", "unknown cipher \"rot13\""),
        ("cipher = 'AES128'", "please specify cipher mode"),
        ("cipher = 'AES/CBC'", "unsupported AES cipher \"aes\""),
        ("cipher = 'AES128/GCM'", "unsupported cipher mode \"GCM\""),
        ("cipher = 'AES128/CBC/x'", "unsupported padding \"x\""),
        ("cipher = 'AES128/CBC/none/x'", "too many variant elements"),
        ("cipher = 'AES128/CBC'", "either key or password has to be specified"),
        (
            "cipher = 'AES128/CBC'\n[aes]\npassword = 'p'",
            "salt and iterations required for password-based-keys",
        ),
        (
            &*format!("cipher = 'AES256/CBC'\n[aes]\n{key}"),
            "key length (128 bit) does not match cipher (256 bit)",
        ),
        ("cipher = 'AES128/CBC'\n[aes]\nkey = 'xy'", "decoding key failed: it does not"),
        (
            &*format!("cipher = 'AES128/CBC'\n[aes]\n{key}"),
            "'init_vector' has to be specified or derived from password",
        ),
        (
            &*format!("cipher = 'AES128/CBC'\n[aes]\ninit_vector = '00'\n{key}"),
            "init vector size must match block size",
        ),
        ("transformation = '$'", "transformation is not supported"),
    ];
    for (options, expected) in cases {
        let options = format!("url = 'http://127.0.0.1:1/'\n{options}");
        let error = secret_store(&PLUGIN, &options).err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
}
