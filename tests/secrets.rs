//! Secrets as people meet them: the sub-commands, and what never shows up.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Ended, Program, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

const STORES: &str = r#"
[[secretstores.jose]]
  id = "j"
  path = "ring"
  password = "p"

[[secretstores.docker]]
  id = "d"
  path = "files"

# None of this matters to the sub-commands.
[[inputs.nosuch]]
"#;

/// A folder with two stores: an empty one that can be written to, and two files.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("telegraf.conf"), STORES).unwrap();
    fs::create_dir(folder.path().join("files")).unwrap();
    fs::write(folder.path().join("files/pw"), "hush").unwrap();
    fs::write(folder.path().join("files/other"), "two\n").unwrap();
    folder
}

fn secrets(folder: &TempDir, words: &[&str]) -> Ended {
    Program::agent(folder.path())
        .args(["--config", "telegraf.conf", "--quiet", "--strict-env-handling", "secrets"])
        .args(words)
        .run(LIMIT)
}

/// What a sub-command prints that does what it is to do.
fn printed(folder: &TempDir, words: &[&str]) -> String {
    let ended = secrets(folder, words);
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""), "{words:?}");
    ended.stdout
}

/// The last error of a sub-command that does not, behind its time.
fn error(folder: &TempDir, words: &[&str]) -> String {
    let ended = secrets(folder, words);
    assert_eq!(ended.status.code(), Some(1), "{words:?}");
    let line = ended.stderr.lines().last().unwrap_or_default();
    line.split_once(" E! ").unwrap_or_default().1.to_owned()
}

#[test]
fn secrets_are_set_shown_and_removed_as_by_telegraf() {
    let folder = folder();
    assert_eq!(printed(&folder, &["set", "j", "key", "one"]), "");
    assert_eq!(printed(&folder, &["set", "j", "key", "va lue"]), "");
    assert_eq!(printed(&folder, &["get", "j", "key"]), "j:key = va lue\n");
    assert_eq!(printed(&folder, &["set", "j", "a/b%", "x"]), "");
    assert_eq!(
        printed(&folder, &["list"]),
        "Known secrets for store \"d\":\n    other                           \n    \
         pw                              \nKnown secrets for store \"j\":\n    \
         a/b%                            \n    key                             \n"
    );
    assert_eq!(
        printed(&folder, &["list", "--reveal-secret", "d"]),
        "Known secrets for store \"d\":\n    other                           two\n\n    \
         pw                              hush\n"
    );
    assert_eq!(printed(&folder, &["remove", "j", "key"]), "");
    assert_eq!(
        error(&folder, &["get", "j", "key"]),
        "unable to get secret: The specified item could not be found in the keyring"
    );
    assert!(printed(&folder, &[]).contains("secrets list"));
}

#[test]
fn what_cannot_be_done_is_said_in_telegrafs_words() {
    let folder = folder();
    let cases: [(&[&str], &str); 9] = [
        (&["list", "x"], "unable to get secret store \"x\": unknown secret store"),
        (&["get", "x", "y"], "unable to get secret store: unknown secret store"),
        (&["get", "j"], "invalid number of arguments"),
        (&["set", "j"], "invalid number of arguments"),
        (&["remove", "j"], "invalid number of arguments"),
        (&["set", "d", "a", "b"], "secret store \"d\" does not support setting secrets"),
        (&["remove", "d", "a"], "secret store \"d\" does not support removing secrets"),
        // Standard input is no terminal here.
        (&["set", "j", "key"], "inappropriate ioctl for device"),
        (
            &["remove", "j", "nosuch"],
            "unable to remove secret: remove ring/nosuch: no such file or directory",
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(error(&folder, words), expected, "{words:?}");
    }
}

#[test]
fn the_password_of_the_command_line_opens_stores_without_one() {
    let folder = folder();
    printed(&folder, &["set", "j", "key", "hush"]);
    let config = "[[secretstores.jose]]\nid = 'j'\npath = 'ring'\n";
    fs::write(folder.path().join("telegraf.conf"), config).unwrap();
    assert_eq!(printed(&folder, &["--password", "p", "get", "j", "key"]), "j:key = hush\n");
    let wrong = error(&folder, &["--password", "q", "get", "j", "key"]);
    assert!(wrong.contains("aes.KeyUnwrap(): integrity check failed."), "{wrong}");
}

#[test]
fn no_secret_stands_in_the_log() {
    let folder = folder();
    let config = r#"
[[secretstores.environment]]
  id = "env"
  prefix = "METRICS_"

[[inputs.http]]
  urls = ["http://127.0.0.1:1/"]
  username = "@{env:USER}"
  password = "plain-hush"
  headers = { X-Key = "@{env:KEY}" }

[[outputs.http]]
  url = "http://127.0.0.1:1/"
  password = "@{env:KEY}"

[[inputs.mem]]
[[outputs.kafka]]
  brokers = ["127.0.0.1:1"]
  topic = "t"
  startup_error_behavior = "retry"
  sasl_mechanism = "PLAIN"
  sasl_username = "@{env:USER}"
  sasl_password = "@{env:KEY}"
"#;
    fs::write(folder.path().join("telegraf.conf"), config).unwrap();
    let run = || {
        Program::agent(folder.path())
            .args(["--config", "telegraf.conf", "--debug", "--once"])
            .env("METRICS_USER", "user-hush")
    };
    let ended = run().env("METRICS_KEY", "key-hush").run(LIMIT);
    assert!(ended.stderr.contains("Loaded secretstores: env"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("-hush"), "{}", ended.stderr);
    let ended = run().run(LIMIT);
    let expected = "retrieving resolver failed: linking secrets failed: resolving \"@{env:KEY}\" \
                    failed: environment variable \"METRICS_KEY\" is not set (telegraf.conf:10:23)";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(!ended.stderr.contains("-hush"), "{}", ended.stderr);
}

#[test]
fn a_secret_that_may_change_is_read_at_each_use() {
    use std::io::{Read, Write};

    let folder = folder();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let config = format!(
        "[agent]\ninterval = '100ms'\nflush_interval = '100ms'\n[[inputs.mem]]\n\
         [[secretstores.docker]]\nid = 'd'\npath = 'files'\ndynamic = true\n\
         [[outputs.http]]\nurl = 'http://{}/'\nheaders = {{ X-Key = '<@{{d:pw}}>' }}\n",
        listener.local_addr().unwrap()
    );
    fs::write(folder.path().join("telegraf.conf"), config).unwrap();
    let args = ["--config", "telegraf.conf", "--strict-env-handling"];
    let agent = Program::agent(folder.path()).args(args).start();
    let wait_for_key = |key: &str| {
        let expected = format!("X-Key: <{key}>\r\n");
        loop {
            let (mut stream, _) = wait_for("a request", LIMIT, || listener.accept().ok());
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let mut head = vec![0; 4096];
            let count = stream.read(&mut head).unwrap();
            // The rest may stay unread: the connection is closed, and the batch kept.
            let answer = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).unwrap();
            if String::from_utf8_lossy(&head[..count]).contains(&expected) {
                return;
            }
        }
    };
    wait_for_key("hush");
    fs::write(folder.path().join("files/pw"), "new").unwrap();
    wait_for_key("new");
    drop(listener);
    assert!(agent.stop(LIMIT).status.success());
}
