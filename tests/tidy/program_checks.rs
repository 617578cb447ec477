//! That `scripts/package` finds out where a program would not run, before it is in a package.

use std::process::Command;

use super::source::root;

/// Runs commands with the script's checks at hand; what they say, as an error if they fail.
fn run(commands: &str) -> Result<String, String> {
    let script = format!(
        "set -euo pipefail
        . scripts/lib/prerequisites.sh
        . scripts/lib/program-checks.sh
        {commands}"
    );
    let output = Command::new("bash").args(["-c", &script]).current_dir(root()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// A `readelf` that tells of a program which needs one symbol, and one library.
fn program_that_needs(symbol: &str, version: &str, library: &str) -> String {
    format!(
        "readelf() {{
            case $2 in
            --version-info) echo '  0x0010:   Name: {version}  Flags: none  Version: 2' ;;
            --dyn-syms) echo '     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND {symbol}@{version} (2)' ;;
            --dynamic) echo ' 0x0000000000000001 (NEEDED)             Shared library: [{library}]' ;;
            esac
        }}"
    )
}

#[test]
fn a_program_of_this_machine_is_refused_for_a_glibc_that_never_was_and_taken_for_one_to_come() {
    let program = env!("CARGO_BIN_EXE_metric-sink");
    assert_eq!(run(&format!("check_glibc 2.999 '{program}'")), Ok(String::new()));
    let said = run(&format!("check_glibc 2.1 '{program}'")).unwrap_err();
    assert!(said.starts_with("error: the programs do not run with glibc 2.1:\n"), "{said}");
    assert!(said.contains("\n  metric-sink needs GLIBC_2."), "{said}");
    assert!(said.contains("__libc_start_main"), "{said}");
}

#[test]
fn versions_are_compared_by_their_numbers_and_those_without_one_are_refused() {
    for (needs, glibc, runs) in [
        ("GLIBC_2.2.5", "2.26", true),
        ("GLIBC_2.9", "2.26", true),
        ("GLIBC_2.26", "2.26", true),
        ("GLIBC_2.27", "2.26", false),
        ("GLIBC_2.33", "2.26", false),
        ("GLIBC_2.33", "2.34", true),
        ("GLIBC_2.100", "2.34", false),
        ("GLIBC_PRIVATE", "2.34", false),
        ("GLIBC_ABI_DT_RELR", "2.34", false),
    ] {
        let program = program_that_needs("stat", needs, "libc.so.6");
        let wanted = if runs {
            Ok(String::new())
        } else {
            let what = format!("the programs do not run with glibc {glibc}");
            Err(format!("error: {what}:\n  some-program needs {needs} for stat\n"))
        };
        assert_eq!(
            run(&format!("{program}; check_glibc {glibc} /some-program")),
            wanted,
            "{needs}"
        );
    }
}

#[test]
fn a_program_may_need_parts_of_glibc_and_no_other_library() {
    for (library, is_taken) in [
        ("libc.so.6", true),
        ("ld-linux-x86-64.so.2", true),
        ("libc.so", false),
        ("libz.so.1", false),
    ] {
        let program = program_that_needs("stat", "GLIBC_2.33", library);
        let said = run(&format!("{program}; check_libraries /some-program"));
        assert_eq!(said.is_ok(), is_taken, "{library}: {said:?}");
        if let Err(said) = said {
            assert_eq!(
                said,
                format!("error: some-program needs {library}, which not every host has\n")
            );
        }
    }
}

#[test]
fn what_is_no_program_is_refused() {
    let said = run("check_glibc 2.26 README.md").unwrap_err();
    assert!(said.ends_with("error: README.md is not a program for Linux\n"), "{said}");
}

#[test]
fn a_program_that_is_too_big_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(3 << 20).unwrap();
    let path = file.path().display();
    assert_eq!(run(&format!("check_size 3 '{path}'")), Ok(String::new()));
    let name = file.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(
        run(&format!("check_size 2 '{path}'")),
        Err(format!("error: {name} has 3145728 bytes, more than 2 MiB\n"))
    );
}
