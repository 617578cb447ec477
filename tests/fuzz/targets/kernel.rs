//! The kernel's files, as the inputs read them: one file of a testcase's tree is damaged at a time.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use metric_agent::metric::Metric;
use metric_agent::plugin::{Accumulator, Deliver, Input, PluginLog, ServiceAccumulator};
use metric_agent::plugins::inputs;
use metric_agent::system::{HostRoots, System};
use tempfile::TempDir;

use super::{Outcome, Run, Target, context, first_line, outcome, plugins_in, system_with};
use crate::corpus;

const TOKENS: &[&str] = &[
    "\n",
    " ",
    "\t",
    ":",
    "  ",
    "kB",
    "(",
    ")",
    ") ",
    "-",
    "0",
    "18446744073709551616",
    "-1",
    "cpu",
    "cpu0 ",
    "eth0:",
    "max",
    "total=",
    "some avg10=",
    " - ",
    "\\040",
    "/",
    "..",
    "\0",
    "=",
    ",",
    "0x",
    ".",
    "e9",
    "lo",
];

/// The roots that a testcase may bring.
const ROOTS: [&str; 6] = ["proc", "sys", "etc", "run", "var", "dev"];

pub(super) fn targets() -> Vec<Target> {
    let plugins = inputs::ALL.iter().map(|input| input.name);
    plugins.filter(|plugin| !entries(plugin).is_empty()).map(of_input).collect()
}

fn of_input(plugin: &'static str) -> Target {
    let corpus = move || {
        let entries = entries(plugin).into_iter();
        entries.map(|(name, content)| [name.as_bytes(), b"\n", &content].concat()).collect()
    };
    let start = move || -> Run {
        let mut cases = HashMap::new();
        Box::new(move |input| {
            let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return 0 };
            let name = String::from_utf8_lossy(&input[..end]).into_owned();
            let Some((case, file)) = name.split_once('/') else { return 0 };
            let folder =
                corpus::root().join(format!("src/plugins/inputs/{plugin}/testcases/{case}"));
            if file.contains("..") || !folder.join(file).is_file() {
                return 0;
            }
            let case = cases.entry(case.to_owned()).or_insert_with(|| Case::new(plugin, &folder));
            case.gather_with(file, &input[end + 1..])
        })
    };
    Target {
        // The first line says which file of which case it is.
        head: first_line,
        nanos_per_byte: 50_000,
        ..Target::new(format!("kernel/{plugin}"), corpus, TOKENS, start)
    }
}

/// The files of the kernel in the testcases of a plugin: their names with that of the case, and
/// what they hold.
fn entries(plugin: &str) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for case in corpus::testcases(&format!("inputs/{plugin}")) {
        let parent = case.parent().unwrap().to_owned();
        for root in trees(&case).into_iter().map(|(_, folder)| folder) {
            for path in corpus::files(&root) {
                let name = path.strip_prefix(&parent).unwrap().to_str().unwrap().to_owned();
                all.extend(fs::read(&path).ok().map(|content| (name, content)));
            }
        }
    }
    all
}

/// The trees that a case brings, with the names of their roots.
fn trees(case: &Path) -> Vec<(&'static str, PathBuf)> {
    let of_root = |root: &'static str| {
        let folders = ["", "-1"].map(|suffix| case.join(format!("{root}{suffix}")));
        folders.into_iter().find(|folder| folder.is_dir()).map(|folder| (root, folder))
    };
    ROOTS.into_iter().filter_map(of_root).collect()
}

/// A testcase whose files are there to be damaged.
struct Case {
    folder: TempDir,
    original: PathBuf,
    plugin: &'static str,
    system: System,
}

impl Case {
    fn new(plugin: &'static str, original: &Path) -> Case {
        let folder = tempfile::tempdir().unwrap();
        for (_, tree) in trees(original) {
            copy(&tree, &folder.path().join(tree.file_name().unwrap()));
        }
        let roots = trees(original);
        let roots = HostRoots::from_variables(|variable| {
            let root = variable.strip_prefix("HOST_")?.to_lowercase();
            let (_, tree) = roots.iter().find(|(name, _)| *name == root)?;
            Some(folder.path().join(tree.file_name().unwrap()))
        });
        let original = original.to_owned();
        Case { system: system_with(roots), folder, original, plugin }
    }

    fn gather_with(&self, file: &str, content: &[u8]) -> Outcome {
        let path = self.folder.path().join(file);
        fs::write(&path, content).unwrap();
        let gathered = Arc::new(Gathered::default());
        for mut input in self.inputs() {
            let log = PluginLog::new("inputs.test");
            let clock = self.system.clock.clone();
            let later =
                ServiceAccumulator::new(gathered.clone(), clock.clone(), Default::default(), log);
            if let Err(error) = input.start(later) {
                gathered.report(&error);
            }
            // What is counted as a difference shows in the second round.
            for _ in 0..2 {
                let mut accumulator =
                    Accumulator::new(&*gathered, &*clock, std::time::Duration::ZERO);
                if let Err(error) = input.gather(&mut accumulator) {
                    drop(accumulator);
                    gathered.report(error.as_ref());
                }
            }
            input.stop();
        }
        fs::copy(self.original.join(file), &path).unwrap();
        gathered.outcome()
    }

    fn inputs(&self) -> Vec<Box<dyn Input>> {
        let declaration = inputs::ALL.iter().find(|input| input.name == self.plugin).unwrap();
        let tables = plugins_in(&self.original, "inputs");
        let tables = tables.iter().filter(|(name, _)| name == self.plugin);
        tables
            .filter_map(|(_, table)| (declaration.build)(&context(table, self.system.clone())).ok())
            .collect()
    }
}

fn copy(from: &Path, to: &Path) {
    for path in corpus::files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, &target).unwrap();
    }
}

/// Counts metrics and keeps the last error.
#[derive(Default)]
struct Gathered(Mutex<(usize, String)>);

impl Gathered {
    fn outcome(&self) -> Outcome {
        let gathered = self.0.lock().unwrap();
        outcome(format!("{} {}", "m".repeat(gathered.0.min(20)), gathered.1))
    }
}

impl Deliver for Gathered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.0.lock().unwrap().0 += metrics.len();
        metrics.clear();
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.0.lock().unwrap().1 = error.to_string();
    }
}
