//! Cipher suites under the names that Go has for them.
//!
//! Those of TLS 1.3 cannot be chosen, neither there nor here: all of them are good.
//!
//! # References
//! Go's `tls.CipherSuites` and `tls.InsecureCipherSuites`.

use super::{TlsSettingsError, TlsVersion};

/// Suites of TLS 1.3, which are known by name and always on.
const ALWAYS_ON: [&str; 3] =
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/// Go's name and OpenSSL's.
type Names = (&'static str, &'static str);

const SECURE: [Names; 10] = [
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"),
];

const INSECURE: [Names; 12] = [
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
    ("TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
    ("TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256"),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA"),
    ("TLS_RSA_WITH_RC4_128_SHA", "RC4-SHA"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256"),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"),
    ("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "ECDHE-RSA-DES-CBC3-SHA"),
    ("TLS_ECDHE_RSA_WITH_RC4_128_SHA", "ECDHE-RSA-RC4-SHA"),
    ("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", "ECDHE-ECDSA-RC4-SHA"),
];

/// The list that OpenSSL is given for suites named Go's way, and for the lowest version.
///
/// # Errors
/// If there is no suite of a name.
pub fn list(suites: &[String], lowest: TlsVersion) -> Result<String, TlsSettingsError> {
    let mut chosen: Vec<&str> = Vec::new();
    for suite in suites {
        match suite.as_str() {
            "all" => chosen.extend(SECURE.iter().chain(&INSECURE).map(|names| names.1)),
            "secure" => chosen.extend(SECURE.iter().map(|names| names.1)),
            "insecure" => chosen.extend(INSECURE.iter().map(|names| names.1)),
            name => {
                let name = name.to_uppercase();
                let found = SECURE.iter().chain(&INSECURE).find(|names| names.0 == name);
                match found {
                    Some(names) => chosen.push(names.1),
                    None if ALWAYS_ON.contains(&name.as_str()) => {}
                    None => return Err(TlsSettingsError::Cipher(name)),
                }
            }
        }
    }
    if chosen.is_empty() {
        chosen.extend(SECURE.iter().map(|names| names.1));
        // What else Go offers where nothing is chosen.
        chosen.extend(["AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA"]);
    }
    // Go takes keys of 1024 bits, as level 1 does; below TLS 1.2 signatures are made with SHA-1,
    // which only level 0 lets pass.
    let level = if lowest < TlsVersion::Tls12 { 0 } else { 1 };
    chosen.push(if level == 0 { "@SECLEVEL=0" } else { "@SECLEVEL=1" });
    Ok(chosen.join(":"))
}

/// Go's names of the suites in a list that [`list`] has made.
pub fn names_of_list(list: &str) -> Vec<String> {
    let all = || SECURE.iter().chain(&INSECURE);
    let named = |suite: &str| all().find(|names| names.1 == suite).map(|names| names.0.to_owned());
    list.split(':').filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(suites: &[&str]) -> Result<String, String> {
        let suites: Vec<_> = suites.iter().map(|suite| (*suite).to_owned()).collect();
        list(&suites, TlsVersion::Tls12).map_err(|error| error.to_string())
    }

    #[test]
    fn suites_are_found_by_name_and_by_kind() {
        assert_eq!(
            listed(&["tls_ecdhe_rsa_with_aes_128_gcm_sha256"]).unwrap(),
            "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=1"
        );
        let secure = listed(&["secure"]).unwrap();
        assert!(secure.contains("ECDHE-RSA-AES256-SHA:") && !secure.contains("RC4"), "{secure}");
        assert!(listed(&["insecure"]).unwrap().contains("RC4-SHA"));
        assert!(listed(&["all"]).unwrap().contains(&secure[..20]));
        assert_eq!(listed(&["TLS_AES_128_GCM_SHA256"]), listed(&[]));
        let names = ["TLS_RSA_WITH_RC4_128_SHA", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
        assert_eq!(names_of_list(&listed(&names).unwrap()), names);
        let error = listed(&["nosuch"]).unwrap_err();
        assert_eq!(error, "could not parse cipher suites: \"NOSUCH\" unsupported cipher");
    }
}
