//! A real control plane keeps its artifacts in a bucket, and the real agent fetches them from there, or through it.

use std::fs;
use std::path::Path;
use std::process::Command;

use novacula_lab::{Bucket, ControlPlane, Signer, builds, wait_for};
use novacula_protocol::RefusalCode;
use novacula_protocol::people::{
    Artifact, Page, Release, Upgrade, UpgradeRequest, Validation, ValidationState,
};
use novacula_protocol::spec::Confirm;
use serde_json::json;

use crate::bench::{Agent, LIMIT, NEXT};
use crate::certificates::{Authority, Certificate};
use crate::line::{Fate, Line};
use crate::nginx::Nginx;

const NAME: &str = "bench";
/// The shortest there is.
const SIGNED: [(&str, &str); 2] = [("S3_SIGNED_URLS", "true"), ("S3_SIGNED_URL_TTL_MS", "1000")];

/// A control plane with a release, and an agent of it.
struct Site {
    control_plane: ControlPlane,
    agent: Agent,
    key: String,
    artifact: Artifact,
}

impl Site {
    /// With a bucket, and more in its environment.
    fn with_bucket(endpoint: &str, more: &[(&str, &str)]) -> Self {
        let mut environment = Bucket::environment(endpoint);
        // Whatever is logged at all, and none of it may be a secret.
        let trace = ("RUST_LOG", "trace");
        let more = more.iter().chain([&trace]);
        environment.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::new(environment)
    }

    fn new(environment: Vec<(String, String)>) -> Self {
        let control_plane = ControlPlane::start_with(environment);
        publish(&control_plane);
        let releases: Page<Release> = control_plane.owner().get("releases");
        let artifact = releases.items[0].artifacts[0].clone();
        let key = control_plane.owner().executor_key(NAME);
        let url = control_plane.url();
        let agent = Agent::configured(&format!("url = {url:?}\naccess_token = {key:?}\n"));
        Self { control_plane, agent, key, artifact }
    }

    /// Asks for a dry run, which goes the whole way but for the swap.
    fn begin(&mut self) -> String {
        self.agent.start();
        let owner = self.control_plane.owner();
        let executor = wait_for("the agent has synced", LIMIT, || owner.executor(NAME));
        let version = NEXT.parse().unwrap();
        let request = UpgradeRequest { confirm_start: Some(Confirm::Manual), ..UpgradeRequest::to(version) };
        let upgrade: Upgrade = owner.post(&format!("executors/{}/upgrade", executor.id), &request);
        let upgrade: Upgrade = owner.post(&format!("upgrades/{}/validate", upgrade.id), &json!({}));
        upgrade.id.to_string()
    }

    /// A dry run from its beginning to its end.
    fn dry_run(&mut self) -> Validation {
        let id = self.begin();
        wait_for("the dry run has ended", LIMIT, || {
            let validation = self.control_plane.owner().upgrade(&id).validation;
            validation.filter(|validation| !matches!(validation.state, ValidationState::Running))
        })
    }

    /// Where the control plane sends an executor that asks for the artifact.
    fn location(&self) -> String {
        let config = ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false);
        let client: ureq::Agent = config.build().into();
        let url = format!("{}/api/v1/artifacts/{}", self.control_plane.url(), self.artifact.sha256);
        let answer = client.get(url).header("authorization", format!("Bearer {}", self.key)).call().unwrap();
        assert_eq!(answer.status().as_u16(), 307);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }
}

/// As a person does: `novactl release publish`.
fn publish(control_plane: &ControlPlane) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("novacula-agent");
    fs::copy(builds::agent(NEXT), &file).unwrap();
    fs::write(folder.path().join("novacula-agent.minisig"), Signer::trusted().sign_agent(&file, NEXT))
        .unwrap();
    let said = Command::new(builds::novactl())
        .args(["release", "publish", "--version", NEXT])
        .arg(&file)
        .env("NOVACULA_URL", control_plane.url())
        .env("NOVACULA_TOKEN", control_plane.owner().token())
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
}

/// A proxy before the bucket that tells what it was asked for.
fn teller(bucket: &Bucket) -> Nginx {
    let lines = format!(
        "client_max_body_size 0; location / {{ proxy_pass {}; proxy_set_header Host $http_host; }}",
        bucket.url()
    );
    Nginx::in_folder(|_| ()).listening("", &lines)
}

#[test]
fn an_agent_fetches_through_its_control_plane_what_is_kept_in_a_bucket() {
    let bucket = Bucket::start();
    let line = Line::to_url(&bucket.url(), &[]);
    let mut site = Site::with_bucket(&line.url(), &[]);
    assert!(bucket.objects().contains(&site.artifact.sha256), "{:?}", bucket.objects());
    // The bucket goes silent in the middle: what was fetched until then is not fetched again.
    line.meet(Fate::Cut(700_000));
    let before = line.carried();
    let end = site.dry_run();
    assert_eq!((end.state, end.error), (ValidationState::Passed, None));
    site.agent.is_untouched();
    let size = usize::try_from(site.artifact.size).unwrap();
    assert!(line.carried() - before < size + size / 5, "{} bytes came for {size}", line.carried() - before);
    says_no_secret(&site);
}

#[test]
fn an_agent_goes_on_at_the_bucket_with_a_fresh_url_when_the_one_it_had_has_ended() {
    let bucket = Bucket::start();
    let nginx = teller(&bucket);
    let line = Line::to(nginx.port(), &[]);
    let mut site = Site::with_bucket(&line.url(), &SIGNED);
    let first = site.location();
    let before = nginx.answered().len();
    for fate in [Fate::Cut(700_000), Fate::Answer("403 Forbidden\r\n"), Fate::Cut(900_000)] {
        line.meet(fate);
    }
    let end = site.dry_run();
    assert_eq!((end.state, end.error), (ValidationState::Passed, None));
    site.agent.is_untouched();
    let ended = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    assert_eq!(ended.get(&first).call().unwrap().status().as_u16(), 403, "a URL of the beginning has ended");
    assert_eq!(site.agent.says("the server answers 403"), 1);

    let asked = nginx.answered().split_off(before);
    let fetches: Vec<_> = asked.iter().filter(|asked| !asked.authorization.starts_with("AWS4-")).collect();
    assert!(fetches.iter().all(|fetch| fetch.authorization.is_empty()), "no key is shown: {fetches:#?}");
    let parts: Vec<_> = fetches.iter().filter(|fetch| fetch.status == 206).collect();
    assert!(parts.len() >= 2 && parts.iter().all(|part| part.if_range.starts_with('"')), "{fetches:#?}");
    let size = usize::try_from(site.artifact.size).unwrap();
    assert!(line.carried() < size + size / 2, "{} bytes came for {size}", line.carried());
    says_no_secret(&site);
}

#[test]
fn a_bucket_is_spoken_to_through_tls_and_trusted_by_the_file_that_was_given() {
    let (bucket, authority) = (Bucket::start(), Authority::new());
    let lines = format!(
        "ssl_certificate certificate.pem; ssl_certificate_key key.pem; client_max_body_size 0;
         location / {{ proxy_pass {}; proxy_set_header Host $http_host; }}",
        bucket.url()
    );
    let nginx =
        Nginx::in_folder(|folder| authority.certify(Certificate::Good, folder)).listening("ssl", &lines);
    let url = format!("https://localhost:{}", nginx.port());
    let stranger = ControlPlane::start_with(Bucket::environment(&url));
    let agent = builds::agent(NEXT);
    let refused = stranger.owner().upload(&[], &agent, &Signer::trusted().sign_agent(&agent, NEXT));
    assert_eq!(refused.unwrap_err().code, "unavailable");
    assert!(bucket.objects().is_empty(), "the roots of this host do not know who that is");

    let ca_file = authority.ca_file();
    let mut site = Site::with_bucket(&url, &[("S3_CA_FILE", ca_file.to_str().unwrap())]);
    let end = site.dry_run();
    assert_eq!((end.state, end.error), (ValidationState::Passed, None));
    says_no_secret(&site);
}

#[test]
fn a_wrong_byte_in_the_bucket_is_refused_by_the_agent() {
    for more in [&[][..], &SIGNED[..]] {
        let bucket = Bucket::start();
        let mut site = Site::with_bucket(&bucket.url(), more);
        let object = bucket.object(&site.artifact.sha256);
        let mut bytes = fs::read(&object).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&object, bytes).unwrap();
        let end = site.dry_run();
        let error = end.error.unwrap_or_else(|| panic!("it is refused: {:?}", end.state));
        assert_eq!(error.code, RefusalCode::Sha256Mismatch.as_str(), "{}", error.message);
        site.agent.is_untouched();
    }
}

#[test]
fn an_agent_fetches_from_a_base_url_and_shows_its_key_to_nobody_there() {
    let bucket = Bucket::start();
    let prepare = |folder: &Path| std::os::unix::fs::symlink(bucket.object(""), folder.join("www")).unwrap();
    let nginx = Nginx::in_folder(prepare).listening("", "");
    let base = format!("http://127.0.0.1:{}/", nginx.port());
    let mut site = Site::with_bucket(&bucket.url(), &[("ARTIFACT_BASE_URL", &base)]);
    fetched_once(&mut site, &nginx);
}

#[test]
fn an_agent_fetches_from_a_cdn_that_pulls_from_the_control_plane() {
    let mut nginx = Nginx::in_folder(|_| ()).listening("", "");
    let base = format!("http://127.0.0.1:{}/novacula", nginx.port());
    let mut site = Site::new(vec![("ARTIFACT_BASE_URL".to_owned(), base)]);
    let (url, token) = (site.control_plane.url(), site.control_plane.owner().token());
    let pulls = format!(
        "location /novacula/ {{ proxy_pass {url}/api/v1/artifacts/; proxy_set_header Authorization 'Bearer {token}'; }}"
    );
    nginx.kill();
    nginx.write_config("", &pulls);
    assert!(nginx.start(), "nginx starts again");
    fetched_once(&mut site, &nginx);
}

fn says_no_secret(site: &Site) {
    let log = site.control_plane.log() + &site.agent.log();
    for secret in [Bucket::SECRET, "X-Amz-Signature", "AWS4-HMAC", &site.key] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "a line of a log has {secret}");
    }
}

fn fetched_once(site: &mut Site, nginx: &Nginx) {
    let end = site.dry_run();
    assert_eq!((end.state, end.error), (ValidationState::Passed, None));
    let asked = nginx.answered();
    assert_eq!((asked.len(), asked[0].status, asked[0].authorization.as_str()), (1, 200, ""), "{asked:?}");
}
