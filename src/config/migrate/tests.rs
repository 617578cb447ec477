//! Old configurations and what becomes of them.

use super::*;
use crate::config::environment::Lookup;
use crate::config::remote::{Attempts, FetchError, Remote};
use crate::config::sources::Sources;
use crate::config::{LoadOptions, Loader, Plugins, Purpose};
use crate::plugin::Statistics;
use crate::system::System;

/// What is migrated, before and after.
const CASES: &[(&str, &str)] = &[
    (
        "# mine\n[tags] # all\n  a = \"1\"\n\n[agent]\n  logtarget = \"stderr\"\n  # where to\n  logfile = \"x\"\n  interval = \"1s\"\n",
        "# mine\n[global_tags] # all\n  a = \"1\"\n\n[agent]\n  # where to\n  interval = \"1s\"\n",
    ),
    ("[agent]\nlogtarget = 'file'\nlogfile = 'x'\n", "[agent]\nlogfile = 'x'\n"),
    ("[agent]\nsnmp_translator = 'netsnmp'\n", "[agent]\n"),
    (
        "[[inputs.cpu]]\n  ## only these\n  fieldpass = [\"a\", # one\n    \"b\"]\n  drop = ['${C}']\n",
        "[[inputs.cpu]]\n  ## only these\n  fieldinclude = [\"a\", # one\n    \"b\"]\n  fieldexclude = ['${C}']\n",
    ),
    (
        "[[outputs.discard]]\r\n\tpass = ['a', 'b']\r\n\tfieldpass = ['c', 'a']\r\n\tfieldinclude = [\"b\"]\r\n",
        "[[outputs.discard]]\r\n\tfieldinclude = [\"b\", 'a', 'c']\r\n",
    ),
    (
        "[[inputs.io]]\n  devices = [\"sda\"]\n  [inputs.io.tags]\n    a = \"b\"\n[[inputs.mem]]\n[[inputs.io]]",
        "[[inputs.diskio]]\n  devices = [\"sda\"]\n  [inputs.diskio.tags]\n    a = \"b\"\n[[inputs.mem]]\n[[inputs.diskio]]",
    ),
    (
        "[[inputs.tcp_listener]]\n  service_address = \":8094\"\n  max_tcp_connections = 250\n  allowed_pending_messages = 10\n",
        "[[inputs.socket_listener]]\n  service_address = \"tcp://:8094\"\n  max_connections = 250\n",
    ),
    (
        "[[ inputs . udp_listener ]]\n  udp_buffer_size = 100\n  udp_packet_size = 5\n",
        "[[ inputs . socket_listener ]]\n  service_address = \"udp://:8092\"\n  read_buffer_size = 100\n",
    ),
    (
        "[[inputs.httpjson]]\n  name = \"n\"\n  servers = [\"http://a/x?y=1\", \"http://b\"]\n  response_timeout = \"5s\"\n  ssl_ca = \"/ca\"\n  [inputs.httpjson.parameters]\n    k = \"v w\"\n    a = \"b\"\n  [inputs.httpjson.headers]\n    X = \"y\"\n",
        "[[inputs.http]]\n  data_format = \"json\"\n  name_override = \"n\"\n  urls = [\"http://a/x?y=1&a=b&k=v+w\", \"http://b?a=b&k=v+w\"]\n  timeout = \"5s\"\n  tls_ca = \"/ca\"\n  [inputs.http.headers]\n    X = \"y\"\n",
    ),
    (
        "[[inputs.logparser]]\n  files = [\"/a\"]\n  from_beginning = true\n  [inputs.logparser.tags]\n    a = \"b\"\n  [inputs.logparser.grok]\n    patterns = [\"%{X}\"]\n    measurement = \"m\"\n    custom_patterns = '''\nX 1\n'''\n",
        "[[inputs.tail]]\n  grok_patterns = [\"%{X}\"]\n  name_override = \"m\"\n  grok_custom_patterns = '''\nX 1\n'''\n  data_format = \"grok\"\n  files = [\"/a\"]\n  initial_read_offset = \"beginning\"\n  [inputs.tail.tags]\n    a = \"b\"\n",
    ),
    (
        "[[inputs.disk]]\n  mountpoints = ['/']\n  mount_points = ['/home']\n",
        "[[inputs.disk]]\n  mount_points = ['/home', '/']\n",
    ),
    ("[[inputs.http]]\nbearer_token = '/t'\n", "[[inputs.http]]\ntoken_file = '/t'\n"),
    (
        "[[inputs.http_listener_v2]]\npath = '/a'\npaths = ['/b']\nport = 80\n",
        "[[inputs.http_listener_v2]]\npaths = ['/b', '/a']\nservice_address = \"tcp://:80\"\n",
    ),
    (
        "[[inputs.http_listener_v2]]\nport = 80\nservice_address = 'tcp://h'\npath = '/a'\n",
        "[[inputs.http_listener_v2]]\nservice_address = \"tcp://h:80\"\npaths = ['/a']\n",
    ),
    (
        "[[inputs.mock]]\n[[inputs.mock.step]]\nname = 's'\nmin = 1.0\nmax = 2.0\nstep = 0.0\n",
        "[[inputs.mock]]\n[[inputs.mock.step]]\nname = 's'\nstart = 1.0\nstep = 2.0\n",
    ),
    ("[[inputs.net]]\nignore_protocol_stats = true\n", "[[inputs.net]]\n"),
    (
        "[[inputs.procstat]]\npattern = 'x'\npid_tag = true\ncmdline_tag = true\n",
        "[[inputs.procstat]]\npattern = 'x'\ntag_with = [\"pid\", \"cmdline\"]\n",
    ),
    (
        "[[inputs.procstat]]\ntag_with = ['user']\npid_tag = false\ncmdline_tag = true\nsupervisor_unit = ['a']\n",
        "[[inputs.procstat]]\ntag_with = ['user', \"cmdline\"]\nsupervisor_units = ['a']\n",
    ),
    (
        "[[inputs.statsd]]\nparse_data_dog_tags = true\nudp_packet_size = 5\n",
        "[[inputs.statsd]]\ndatadog_extensions = true\n",
    ),
    (
        "[[inputs.systemd_units]]\nsubcommand = 'show'\n",
        "[[inputs.systemd_units]]\ndetails = true\n",
    ),
    (
        "[[inputs.tail]]\nfiles = ['x']\nfrom_beginning = false\ndata_format = 'influx'\n",
        "[[inputs.tail]]\nfiles = ['x']\ninitial_read_offset = \"saved-or-end\"\ndata_format = 'influx'\n",
    ),
    (
        "[[outputs.influxdb]]\nurl = \"${URL}\"\nprecision = 's'\n",
        "[[outputs.influxdb]]\nurls = [\"${URL}\"]\n",
    ),
    (
        "[[outputs.kafka]]\nbrokers = ['a']\nmetric_name_header = 'name'\n",
        "[[outputs.kafka]]\nbrokers = ['a']\nheaders = { \"name\" = \"{{ .Name }}\" }\n",
    ),
    (
        "[[outputs.kafka]]\nmetric_name_header = 'name'\n[outputs.kafka.headers]\n  a = 'b'\n",
        "[[outputs.kafka]]\n[outputs.kafka.headers]\n  \"name\" = \"{{ .Name }}\"\n  a = 'b'\n",
    ),
    (
        "[[processors.enum]]\n  [[processors.enum.mapping]]\n    tag = 'a'\n    fields = ['c']\n    field = 'b'\n",
        "[[processors.enum]]\n  [[processors.enum.mapping]]\n    tags = ['a']\n    fields = ['c', 'b']\n",
    ),
    ("[inputs.net]\nignore_protocol_stats = true\n", "[inputs.net]\n"),
];

#[test]
fn only_what_is_out_of_date_changes() {
    for (before, after) in CASES {
        let migrated =
            migrate(before.as_bytes()).unwrap_or_else(|error| panic!("{before}: {error}"));
        assert_eq!(migrated.text, *after, "{before}");
        assert!(migrated.applied > 0);
        let again = migrate(after.as_bytes()).unwrap();
        assert_eq!((again.text.as_str(), again.applied), (*after, 0), "{after}");
    }
}

struct NoServers;

impl Remote for NoServers {
    fn fetch(&self, url: &str, _attempts: Attempts) -> Result<Vec<u8>, FetchError> {
        Err(FetchError::Url(url.to_owned()))
    }
}

#[test]
fn what_is_migrated_loads_without_unknown_options() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.conf").to_string_lossy().into_owned();
    let environment: &Lookup<'_> = &|_| None;
    let plugins = Plugins::all();
    let mut n_checked = 0;
    for (_, after) in CASES {
        let mut needed =
            after.split("[[inputs.").skip(1).map(|rest| rest.split(']').next().unwrap());
        // Plugins that are not here yet may be named all the same.
        if !needed.all(|name| plugins.inputs.iter().any(|plugin| name.starts_with(plugin.name))) {
            continue;
        }
        std::fs::write(&path, after).unwrap();
        let loader = Loader {
            options: &LoadOptions { purpose: Purpose::Check, ..LoadOptions::default() },
            plugins: &plugins,
            environment,
            system: &System::real(),
            statistics: &Statistics::default(),
            remote: &NoServers,
        };
        let files = vec![path.clone()];
        if let Err(errors) = loader.load(&Sources { files, directories: Vec::new() }) {
            let errors = errors.to_string();
            let is_about_names = errors.contains("fields [") || errors.contains("undefined");
            assert!(!is_about_names, "{after}: {errors}");
        }
        n_checked += 1;
    }
    assert!(n_checked > 20, "{n_checked}");
}

#[test]
fn what_contradicts_itself_is_left_to_people() {
    for (text, message) in [
        (
            "\n[[inputs.http]]\nbearer_token = 'a'\ntoken_file = 'b'",
            "migrating \"inputs.http\" (line 2) failed: contradicting setting for 'bearer_token' \
             and 'token_file'",
        ),
        (
            "[[inputs.cpu]]\nfieldpass = 'x'",
            "migrating \"inputs.cpu\" (line 1) failed: unexpected type string for 'fieldpass'",
        ),
        (
            "[[outputs.file]]\nssl_ca = 'a'\ntls_ca = 'b'",
            "migrating \"outputs.file\" (line 1) failed: contradicting setting for 'ssl_ca' and \
             'tls_ca'",
        ),
        (
            "[[processors.enum]]\nmapping = [{ tag = 'a', tags = ['b'] }]",
            "migrating \"processors.enum\" (line 1) failed: 'tag' stands in an inline table; \
             please change it by hand",
        ),
        (
            "[agent]\nlogtarget = 'eventlog'\nlogformat = 'text'",
            "migrating \"agent\" (line 1) failed: contradicting setting for 'logtarget' and \
             'logformat'",
        ),
        ("a = ", "parsing failed: line 1: "),
        ("# nothing", "no TOML configuration found"),
    ] {
        let error = migrate(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
}

#[test]
fn people_are_told_what_they_have_to_know() {
    let text = "[[inputs.cpu]]\n\n[[inputs.httpjson]]\nservers = ['http://a']\n\
                [[inputs.tail]]\nfrom_beginning = true\ninitial_read_offset = 'end'\n";
    let migrated = migrate(text.as_bytes()).unwrap();
    assert_eq!(migrated.applied, 2);
    let starts = ["Plugin \"inputs.httpjson\" in line 3: ", "Plugin \"inputs.tail\" in line "];
    for (note, start) in migrated.notes.iter().zip(starts) {
        assert!(note.starts_with(start), "{note}");
    }
    assert_eq!(migrated.notes.len(), 2);
    assert!(is_replaced("inputs", "io") && !is_replaced("outputs", "io"));
}
