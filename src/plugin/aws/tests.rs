//! Tests of where credentials come from, against services on this machine.

use std::collections::BTreeMap;

use super::*;
use crate::http::recorder::{Recorded, Recorder};
use crate::http::{ServerResponse, Url};
use crate::system::fake::FakeClock;

/// 30 August 2015, 12:36:00 UTC.
const NOW: Timestamp = Timestamp::from_seconds(1_440_938_160);

const ROLE: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
    <AccessKeyId>LENT</AccessKeyId><SecretAccessKey>a&amp;b</SecretAccessKey>\
    <SessionToken>t+/=</SessionToken><Expiration>2015-08-30T12:51:00Z</Expiration>\
    </Credentials></AssumeRoleResult></AssumeRoleResponse>";

const LENT: &str = "{\"Code\":\"Success\",\"AccessKeyId\":\"LENT\",\"SecretAccessKey\":\"s\",\
    \"Token\":\"session\",\"Expiration\":\"2015-08-30T18:00:00Z\"}";

fn options(change: impl FnOnce(&mut AwsOptions)) -> AwsOptions {
    let mut options = AwsOptions::default();
    change(&mut options);
    options
}

/// A signer in an environment of these variables alone, and its clock.
fn signer(
    options: &AwsOptions,
    variables: &[(&str, &str)],
) -> (Result<AwsSigner, AwsError>, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::at(NOW));
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let variables: Variables = Arc::new(move |name: &str| variables.get(name).cloned());
    (AwsSigner::in_surroundings("svc", options, clock.clone(), variables), clock)
}

/// The access key, the region and the session token of a signed request.
fn signed(signer: &AwsSigner) -> Result<(String, String, String), AwsError> {
    let mut request = Request::new("POST", Url::parse("http://h/").unwrap(), b"body");
    signer.sign(&mut request)?;
    let authorization = request.headers.get("Authorization").unwrap();
    let (_, scope) = authorization.split_once("Credential=").unwrap();
    let parts: Vec<_> = scope.split('/').collect();
    assert_eq!(parts[3], "svc");
    let token = request.headers.get("X-Amz-Security-Token").unwrap_or_default();
    Ok((parts[0].to_owned(), parts[2].to_owned(), token.to_owned()))
}

fn files() -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".aws");
    std::fs::create_dir(&folder).unwrap();
    let config = "[default]\nregion = home-1\n[profile team]\nregion = team-1\n\
                  [profile lent]\nrole_arn = arn:lent\nsource_profile = team\nexternal_id = e\n\
                  [profile lost]\nrole_arn = arn:lost\nsource_profile = nobody\n\
                  [profile sso]\nsso_session = s\nsso_account_id = 12\n\
                  [profile coded]\nrole_arn = x\nmfa_serial = y\n\
                  [profile told]\ncredential_process = echo '{\"Version\":1,\
                  \"AccessKeyId\":\"TOLD\",\"SecretAccessKey\":\"s\"}'\n[profile round]\nrole_arn = x\n\
                  source_profile = round2\n[profile round2]\nrole_arn = x\nsource_profile = round\n";
    std::fs::write(folder.join("config"), config).unwrap();
    let credentials = "[default]\naws_access_key_id = HOME\naws_secret_access_key = s\n\
                       [team]\naws_access_key_id = TEAM\naws_secret_access_key = s\n\
                       aws_session_token = team\n";
    std::fs::write(folder.join("credentials"), credentials).unwrap();
    let path = home.path().to_string_lossy().into_owned();
    (home, path)
}

#[test]
fn options_count_more_than_the_environment_and_that_more_than_files() {
    let (_home, path) = files();
    let other = format!("{path}/other");
    std::fs::write(&other, "[default]\naws_access_key_id=OTHER\naws_secret_access_key=s").unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let home = [("HOME", path.as_str())];
    let both = [keys.as_slice(), &home, &[("AWS_REGION", "env-1")]].concat();
    let team = [home.as_slice(), &[("AWS_PROFILE", "team")]].concat();
    for (options, variables, expected) in [
        (
            options(|o| (o.access_key, o.secret_key) = ("OWN".into(), "s".into())),
            both.as_slice(),
            ("OWN", "env-1", ""),
        ),
        (options(|o| o.region = "own-1".into()), &both, ("ENV", "own-1", "")),
        (options(|_| {}), &home, ("HOME", "home-1", "")),
        (options(|_| {}), &team, ("TEAM", "team-1", "team")),
        // A profile that is named counts more than keys in the environment.
        (options(|o| o.profile = "team".into()), &both, ("TEAM", "env-1", "team")),
        (options(|o| o.shared_credential_file = other.clone()), &home, ("OTHER", "home-1", "")),
    ] {
        let signer = signer(&options, variables).0.unwrap();
        let (key, region, token) = signed(&signer).unwrap();
        assert_eq!((key.as_str(), region.as_str(), token.as_str()), expected);
    }
}

#[test]
fn roles_are_asked_for_once_until_they_end() {
    let (_home, path) = files();
    let service = Recorder::start(|_| ServerResponse::with_body(200, "text/xml", ROLE));
    let variables = [("HOME", path.as_str()), ("AWS_ENDPOINT_URL_STS", service.url.as_str())];
    // Roles are asked for in a region, and that of another profile does not count.
    let without_region = signer(&options(|o| o.profile = "lent".into()), &variables).0.unwrap();
    assert!(matches!(signed(&without_region), Err(AwsError::NoRegion)));
    let role = |o: &mut AwsOptions| {
        (o.role_arn, o.region) = ("arn:own".into(), "r".into());
        o.role_session_name = "me".into();
    };
    let (signer, clock) = signer(&options(role), &variables);
    let signer = signer.unwrap();
    for _ in 0..2 {
        assert_eq!(signed(&signer).unwrap(), ("LENT".into(), "r".into(), "t+/=".into()));
    }
    let requests = service.take();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].body,
        "Action=AssumeRole&DurationSeconds=900&RoleArn=arn%3Aown&RoleSessionName=me\
         &Version=2011-06-15"
    );
    let authorization = requests[0].headers.get("Authorization").unwrap();
    assert!(authorization.contains("Credential=HOME/20150830/r/sts/aws4_request"));
    clock.advance(Duration::from_secs(850));
    signed(&signer).unwrap();
    assert_eq!(service.take().len(), 1);
}

#[test]
fn a_profile_may_lead_to_another() {
    let (_home, path) = files();
    let service = Recorder::start(|_| ServerResponse::with_body(200, "text/xml", ROLE));
    let variables = [("HOME", path.as_str()), ("AWS_ENDPOINT_URL", service.url.as_str())];
    let lent = options(|o| (o.profile, o.region) = ("lent".into(), "r".into()));
    signed(&signer(&lent, &variables).0.unwrap()).unwrap();
    let request = service.take().remove(0);
    assert!(request.headers.get("Authorization").unwrap().contains("Credential=TEAM/"));
    assert!(request.body.contains("ExternalId=e&"), "{}", request.body);
    assert!(request.body.contains("RoleSessionName=aws-go-sdk-1440938160000000000"));
}

#[test]
fn a_token_of_somebody_else_gets_a_role_without_a_signature() {
    let service = Recorder::start(|_| ServerResponse::with_body(200, "text/xml", ROLE));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "jwt\n").unwrap();
    let path = path.to_str().unwrap();
    let endpoint = ("AWS_ENDPOINT_URL_STS", service.url.as_str());
    let by_option = options(|o| {
        (o.role_arn, o.region, o.web_identity_token_file) = ("arn".into(), "r".into(), path.into());
    });
    let by_variable = [
        endpoint,
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
        ("AWS_ROLE_ARN", "arn"),
        ("AWS_REGION", "r"),
    ];
    for (options, variables) in
        [(by_option, &[endpoint][..]), (AwsOptions::default(), &by_variable)]
    {
        signed(&signer(&options, variables).0.unwrap()).unwrap();
        let request = service.take().remove(0);
        assert_eq!(
            request.body,
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn&RoleSessionName=1440938160000000000\
             &Version=2011-06-15&WebIdentityToken=jwt"
        );
        assert_eq!(request.headers.get("Authorization"), None);
    }
}

#[test]
fn a_program_of_a_profile_is_run() {
    let (_home, path) = files();
    let told = signer(&options(|o| o.profile = "told".into()), &[("HOME", &path)]).0.unwrap();
    assert_eq!(signed(&told).unwrap().0, "TOLD");
}

#[test]
fn those_who_have_signed_on_are_lent_roles_until_their_session_ends() {
    let lent = "{\"roleCredentials\":{\"accessKeyId\":\"LENT\",\"secretAccessKey\":\"s\",\
                \"sessionToken\":\"t\",\"expiration\":1440941760000}}";
    let portal = Recorder::start(move |_| ServerResponse::with_body(200, "text/plain", lent));
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let config = "[sso-session corp]\nsso_region = eu-1\nsso_start_url = https://start\n\
                  [profile new]\nsso_session = corp\nsso_account_id = 12\nsso_role_name = a b\n\
                  [profile old]\nsso_start_url = https://start\nsso_region = eu-1\n\
                  sso_account_id = 12\nsso_role_name = a b\n";
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let home = home.path().to_str().unwrap();
    let variables = [("HOME", home), ("AWS_ENDPOINT_URL_SSO", portal.url.as_str())];
    for (profile, key) in [("new", "corp"), ("old", "https://start")] {
        let options = options(|o| o.profile = profile.into());
        let (signer, clock) = signer(&options, &variables);
        let signer = signer.unwrap();
        let token_file = sso::SignOn::token_file(home, key);
        let error = signed(&signer).unwrap_err().to_string();
        assert!(error.starts_with(&format!("open {token_file}: no such file")), "{error}");
        let token = "{\"accessToken\":\"bearer\",\"expiresAt\":\"2015-08-30T13:00:00Z\"}";
        std::fs::write(&token_file, token).unwrap();
        for _ in 0..2 {
            assert_eq!(signed(&signer).unwrap(), ("LENT".into(), String::new(), "t".into()));
        }
        let requests = portal.take();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].line(), "GET /federation/credentials?account_id=12&role_name=a b");
        assert_eq!(requests[0].headers.get("X-Amz-Sso_bearer_token"), Some("bearer"));
        // The credentials end after an hour, the session before that.
        clock.advance(Duration::from_secs(3600));
        let error = signed(&signer).unwrap_err().to_string();
        assert!(error.starts_with("the SSO session has expired"), "{error}");
    }
}

#[test]
fn containers_and_machines_lend_credentials() {
    let answer = |request: &Recorded| {
        let body = match request.line().as_str() {
            "PUT /latest/api/token?" => "machine-token",
            "GET /latest/meta-data/iam/security-credentials?" => "role\n",
            _ => LENT,
        };
        ServerResponse::with_body(200, "text/plain", body)
    };
    let service = Recorder::start(answer);
    let url = format!("{}/creds", service.url);
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pass"),
    ];
    let machine = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url.as_str())];
    for variables in [&container[..], &machine] {
        let signer = signer(&AwsOptions::default(), variables).0.unwrap();
        assert_eq!(signed(&signer).unwrap(), ("LENT".into(), String::new(), "session".into()));
    }
    let requests = service.take();
    assert_eq!(requests[0].headers.get("Authorization"), Some("pass"));
    assert_eq!(requests[2].headers.get("X-Aws-Ec2-Metadata-Token"), Some("machine-token"));
    assert_eq!(requests[3].path, "/latest/meta-data/iam/security-credentials/role");
}

#[test]
fn what_cannot_work_is_told() {
    let (_home, path) = files();
    let service = Recorder::start(|_| {
        ServerResponse::with_body(403, "text/xml", "<Error><Message>not &lt;you&gt;</Message>")
    });
    let named = |name: &str| options(|o| o.profile = name.into());
    for (options, message) in [
        (named("nobody"), "failed to get shared config profile, nobody"),
        (named("lost"), "failed to get shared config profile, nobody"),
        (named("round"), "failed to get shared config profile, round"),
        (
            named("sso"),
            "profile \"sso\" is configured to use SSO but is missing required configuration: \
             sso_role_name, sso_region, sso_start_url",
        ),
        (named("coded"), "assume role with MFA enabled: the profile coded has mfa_serial"),
        (options(|o| o.access_key = "a".into()), "static credentials are empty"),
    ] {
        let error = signer(&options, &[("HOME", &path)]).0.err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    let role = options(|o| (o.role_arn, o.region) = ("arn".into(), "r".into()));
    let variables = [("HOME", path.as_str()), ("AWS_ENDPOINT_URL", service.url.as_str())];
    let error = signed(&signer(&role, &variables).0.unwrap()).unwrap_err().to_string();
    assert_eq!(error, "AssumeRole: 403: not <you>");
    let nowhere = [("AWS_EC2_METADATA_DISABLED", "true")];
    let signer = signer(&AwsOptions::default(), &nowhere).0.unwrap();
    assert!(matches!(signed(&signer), Err(AwsError::Nowhere)));
}
