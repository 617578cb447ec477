//! Configurations that lie on servers.

use super::*;

fn load_from(urls: &[&str], url_attempts: i64) -> Result<Loaded, String> {
    let options = LoadOptions { url_attempts, ..LoadOptions::default() };
    let loader = Loader {
        options: &options,
        plugins: &PLUGINS,
        environment: &variable,
        system: &system(),
        statistics: &Statistics::default(),
        remote: &Server,
    };
    let files = urls.iter().map(|url| (*url).to_owned()).collect();
    loader.load(&Sources { files, directories: Vec::new() }).map_err(|errors| errors.to_string())
}

#[test]
fn servers_are_asked_in_their_turn_and_a_secret_is_no_part_of_a_name() {
    let result = load_from(&["http://me:word@h/in", "https://h/out"], 0).unwrap();
    assert_eq!(loaded(&result), "inputs.probe outputs.hole");
    assert_eq!(&*result.plugins[0].file, "http://xxxxx@h/in");
    assert_eq!(
        load_from(&["http://h/in", "http://me:word@h/wrong"], 0).err().unwrap(),
        "loading config file http://xxxxx@h/wrong failed: error parsing nosuch, undefined but \
         requested input: nosuch (http://xxxxx@h/wrong:1:1); this version has the inputs other, probe"
    );
    assert_eq!(
        load_from(&["http://h/html?token=word"], 0).err().unwrap(),
        "loading config file http://h/html?token=xxxxx failed: provided config is not a TOML \
         file: http://h/html?token=xxxxx"
    );
    assert_eq!(
        load_from(&["ftp://h/in"], 0).err().unwrap(),
        "loading config file ftp://h/in failed: scheme \"ftp\" not supported"
    );
}

#[test]
fn the_number_of_attempts_is_the_flags_until_a_file_has_another() {
    let failed = |urls: &[&str], attempts| {
        let error = load_from(urls, attempts).err().unwrap();
        let lines = error.lines().map(|line| line.rsplit(": ").next().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(failed(&["http://h/none"], 0), ["UpTo(3)"]);
    assert_eq!(failed(&["http://h/none"], -1), ["Endless"]);
    assert_eq!(failed(&["http://h/none"], -2), ["-2"]);
    assert_eq!(failed(&["http://h/in", "http://h/none"], 2), ["UpTo(7)"]);
    assert_eq!(failed(&["http://h/none", "http://h/more"], 2), ["UpTo(2)"], "one is enough");
}
