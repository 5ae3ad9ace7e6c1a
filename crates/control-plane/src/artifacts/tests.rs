//! Artifacts in a bucket of a real S3-compatible server that checks every signature.

use axum::body::Body;
use axum::http::{Method, Request};
use novacula_lab::Bucket as Server;
use object_store::aws::{AmazonS3, AmazonS3Builder};

use super::*;
use crate::in_process::{Answered, ControlPlane, TARGET, comment, said, signer};

fn store(server: &Server, secret: &str) -> AmazonS3 {
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let retry = object_store::RetryConfig { max_retries: 0, ..object_store::RetryConfig::default() };
    AmazonS3Builder::new()
        .with_bucket_name(Server::NAME)
        .with_endpoint(server.url())
        .with_allow_http(true)
        .with_access_key_id(Server::KEY)
        .with_secret_access_key(secret)
        .with_retry(retry)
        .build()
        .unwrap()
}

fn bucket(server: &Server, signed_for: Option<Duration>) -> Bucket {
    Bucket::new(store(server, Server::SECRET), "novacula/test".into(), signed_for)
}

async fn fetch(control_plane: &ControlPlane, sha256: &str, bearer: &str, range: &str) -> Answered {
    let request = Request::builder()
        .method(Method::GET)
        .uri(format!("/api/v1/artifacts/{sha256}"))
        .header("authorization", format!("Bearer {bearer}"))
        .header("range", if range.is_empty() { "bytes" } else { range });
    control_plane.send(request.body(Body::empty()).unwrap()).await
}

/// Uploads these bytes as an agent of this version; the hash they are kept by.
async fn upload(control_plane: &ControlPlane, version: &str, bytes: &[u8]) -> Answered {
    let signature = signer("trusted").sign(bytes, &comment(version, TARGET));
    control_plane.upload(&[("signature", signature.as_bytes()), ("artifact", bytes)]).await
}

fn sha256_of(release: &serde_json::Value) -> String {
    release["artifacts"][0]["sha256"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_uploaded_is_in_the_bucket_once_and_goes_when_no_release_has_it() {
    let server = Server::start();
    let control_plane = ControlPlane::with_bucket(bucket(&server, None)).await;
    let first = sha256_of(&upload(&control_plane, "1.0.0", b"the bytes").await.ok());
    let second = sha256_of(&upload(&control_plane, "1.1.0", b"the bytes").await.ok());
    assert_eq!((&first, server.objects()), (&second, vec![first.clone()]));
    assert_eq!(std::fs::read(server.object(&first)).unwrap(), b"the bytes");
    assert_eq!(control_plane.artifact_files(), 0, "nothing stays in the folder that uploads come in by");

    let other = sha256_of(&upload(&control_plane, "1.1.0", b"other bytes").await.ok());
    let mut both = vec![first.clone(), other.clone()];
    both.sort();
    assert_eq!(server.objects(), both, "1.0.0 still has the first");
    upload(&control_plane, "1.0.0", b"other bytes").await.ok();
    assert_eq!(server.objects(), [other], "no release has the first any more");
}

#[tokio::test]
async fn what_is_refused_was_never_in_the_bucket() {
    let server = Server::start();
    let control_plane = ControlPlane::with_bucket(bucket(&server, None)).await;
    let signature = signer("trusted").sign(b"other bytes", &comment("1.0.0", TARGET));
    let fields: [(&str, &[u8]); 2] = [("signature", signature.as_bytes()), ("artifact", b"the bytes")];
    assert_eq!(control_plane.upload(&fields).await.problem().0, 422);
    assert_eq!((server.objects(), control_plane.artifact_files()), (Vec::new(), 0));
}

#[tokio::test]
async fn an_artifact_of_several_parts_is_fetched_whole_or_in_part_through_the_control_plane() {
    let server = Server::start();
    let control_plane = ControlPlane::with_bucket(bucket(&server, None)).await;
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let release = upload(&control_plane, "1.0.0", &bytes).await.ok();
    let sha256 = sha256_of(&release);
    let id = release["id"].as_str().unwrap();
    let publish = serde_json::json!({"status": "published"});
    control_plane.patch(&format!("/api/v1/releases/{id}"), publish).await.ok();
    let key = control_plane.key().await;
    let whole = fetch(&control_plane, &sha256, &key, "").await;
    assert_eq!((whole.status.as_u16(), whole.bytes == bytes), (200, true));
    let part = fetch(&control_plane, &sha256, &key, "bytes=9000000-").await;
    assert_eq!(
        (part.status.as_u16(), part.header("content-range")),
        (206, "bytes 9000000-19999999/20000000")
    );
    assert!(part.bytes == bytes[9_000_000..]);
    let last = fetch(&control_plane, &sha256, &key, "bytes=-1").await;
    assert_eq!((last.status.as_u16(), &last.bytes[..]), (206, &bytes[19_999_999..]));
    let behind = fetch(&control_plane, &sha256, &key, "bytes=20000000-").await;
    assert_eq!(behind.problem(), (416, "range_not_satisfiable".to_owned()));
}

#[tokio::test]
async fn an_executor_is_sent_to_the_bucket_by_a_url_that_ends_and_opens_nothing_else() {
    let server = Server::start();
    let control_plane = ControlPlane::with_bucket(bucket(&server, Some(Duration::from_secs(1)))).await;
    let release = control_plane.publish("1.2.3").await;
    let sha256 = sha256_of(&release);
    let key = control_plane.key().await;
    let sent = fetch(&control_plane, &sha256, &key, "bytes=2-").await;
    assert_eq!((sent.status.as_u16(), sent.header("cache-control")), (307, "no-store"));
    let url = sent.header("location").to_owned();
    assert!(url.starts_with(&server.url()) && !url.contains(&key) && !url.contains(Server::SECRET), "{url}");
    let status = |url: String| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        agent.get(url).call().unwrap().status().as_u16()
    };
    assert_eq!(status(url.clone()), 200);
    assert_eq!(status(url.replace(&sha256, "novacula.txt")), 403);
    novacula_lab::wait_for("the URL has ended", Duration::from_secs(10), || {
        (status(url.clone()) == 403).then_some(())
    });
    let again = fetch(&control_plane, &sha256, &key, "").await;
    assert_eq!(status(again.header("location").to_owned()), 200, "whoever asks again gets a fresh one");

    let person = fetch(&control_plane, &sha256, control_plane.owner(), "").await;
    assert_eq!(person.status.as_u16(), 200, "a person's program need not follow");
    let stranger = fetch(&control_plane, &sha256, "nva_unknown", "").await;
    assert_eq!(stranger.problem(), (401, "invalid_api_key".to_owned()));
    let draft = sha256_of(&control_plane.draft("1.3.0", b"not for executors yet").await);
    assert_eq!(fetch(&control_plane, &draft, &key, "").await.problem().0, 404);
}

#[tokio::test]
async fn while_the_bucket_is_away_syncs_go_on_and_it_is_measured() {
    let mut server = Server::start();
    let control_plane = ControlPlane::with_bucket(bucket(&server, None)).await;
    let release = control_plane.publish("1.1.0").await;
    let sha256 = sha256_of(&release);
    let (key, id) = control_plane.executor("host-1", "1.0.0").await;
    let reachable = async |value: &str| {
        let Kept::Bucket(bucket) = &control_plane.app.artifacts.kept else { panic!("it is a bucket") };
        bucket.look().await;
        let text = String::from_utf8(control_plane.get("/metrics").await.bytes).unwrap();
        let line = format!("novacula_artifact_bucket_reachable {value}");
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    };
    reachable("1").await;
    server.stop();
    reachable("0").await;
    control_plane.request(&id, "1.1.0").await.ok();
    let spec = control_plane.sync(&key, said("host-1", "1.0.0")).await.ok()["pendingUpgrade"].clone();
    assert_eq!(spec["sha256"], sha256.as_str());
    let away = fetch(&control_plane, &sha256, &key, "").await;
    assert_eq!((away.problem(), away.header("retry-after")), ((503, "unavailable".to_owned()), "10"));
    assert_eq!(upload(&control_plane, "1.2.0", b"more").await.problem().0, 503);
    assert_eq!(control_plane.artifact_files(), 0);
    server.start_again();
    reachable("1").await;
    assert_eq!(fetch(&control_plane, &sha256, &key, "").await.status.as_u16(), 200);
    std::fs::remove_file(server.object("novacula.txt")).unwrap();
    reachable("0").await;
    reachable("1").await;
}

#[tokio::test]
async fn an_object_of_another_size_is_not_sent() {
    let server = Server::start();
    let control_plane = ControlPlane::with_bucket(bucket(&server, None)).await;
    let sha256 = sha256_of(&control_plane.publish("1.1.0").await);
    let key = control_plane.key().await;
    std::fs::write(server.object(&sha256), "half").unwrap();
    assert_eq!(fetch(&control_plane, &sha256, &key, "").await.problem().0, 503);
    assert_eq!(fetch(&control_plane, &sha256, &key, "bytes=1-").await.problem().0, 503);
}

#[tokio::test]
async fn an_upload_in_parts_that_is_given_up_leaves_nothing_in_the_bucket() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::open(folder.path().to_owned(), Some(bucket(&server, None))).unwrap();
    let mut incoming = artifacts.begin().unwrap();
    incoming.take(&vec![7; 20_000_000]).await.unwrap();
    let received = incoming.complete().await.unwrap();
    std::fs::File::options().write(true).open(&received.path).unwrap().set_len(17_000_000).unwrap();
    artifacts.place(received).await.unwrap_err();
    assert_eq!(server.files(), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_by_the_bucket_and_repeated_nowhere() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let wrong = Bucket::new(store(&server, "hunter2"), "novacula/test".into(), None);
    let artifacts = Artifacts::open(folder.path().to_owned(), Some(wrong)).unwrap();
    let mut incoming = artifacts.begin().unwrap();
    incoming.take(b"abc").await.unwrap();
    let trouble = artifacts.place(incoming.complete().await.unwrap()).await.unwrap_err().to_string();
    assert!(trouble.contains("403") && !trouble.contains("hunter2"), "{trouble}");
    assert_eq!(server.objects(), [""; 0]);
    assert_eq!(artifacts.health(), Some((true, 1)));
}
