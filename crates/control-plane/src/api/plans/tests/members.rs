//! Who is in a wave.

use super::*;

#[tokio::test]
async fn members_are_fixed_when_their_wave_begins() {
    let mut scene = Scene::with(&[("a", 2), ("b", 1)]).await;
    scene.apply(json!([wave("a", json!({"lateArrivers": "next"})), wave("b", json!({}))])).await;
    let leaver = scene.index("a-0");
    scene.hosts[leaver].wave = "elsewhere";
    scene.add("a", "a-late").await;
    scene.everybody_succeeds().await;
    assert_eq!(scene.plan().await["inNoWave"], json!(["a-late"]), "who is left out so far is shown");
    assert_eq!(scene.outcomes().await, ["a-0 completed", "a-1 completed"], "who left stays, who came waits");
    let members = scene.plan().await["id"].as_str().unwrap().to_owned();
    let members = scene.control_plane.get(&format!("/api/v1/fleet/plans/{members}/executors")).await.ok();
    let left = members["items"].as_array().unwrap().iter().find(|it| it["executorName"] == "a-0").unwrap();
    assert_eq!((&left["wave"], &left["waveByLabels"]), (&json!("a"), &Value::Null));
    scene.wait_s(70, &[]).await;
    scene.everybody_succeeds().await;
    let mut expected = ["a-0", "a-1", "a-late", "b-0"].map(|name| format!("{name} completed")).to_vec();
    expected.sort();
    assert_eq!(scene.outcomes().await, expected, "it went with the next wave");
}

#[tokio::test]
async fn late_arrivers_join_or_stay_as_the_wave_says() {
    for (policy, version) in [("join", "1.1.0"), ("never", "1.0.0")] {
        let mut scene = Scene::with(&[("a", 1), ("b", 1)]).await;
        scene.apply(json!([wave("a", json!({"lateArrivers": policy})), wave("b", json!({}))])).await;
        scene.add("a", "a-late").await;
        scene.tick().await;
        for _ in 0..3 {
            scene.everybody_succeeds().await;
            scene.wait_s(70, &[]).await;
        }
        assert_eq!(scene.stands().await, "completed passed passed", "{policy}");
        assert_eq!(scene.hosts[scene.index("a-late")].version, version, "{policy}");
    }
}

#[tokio::test]
async fn who_comes_too_late_to_join_goes_with_the_next_wave() {
    let mut scene = Scene::with(&[("a", 1), ("b", 1), ("c", 1)]).await;
    let waves =
        json!([wave("a", json!({"lateArrivers": "join"})), wave("b", json!({})), wave("c", json!({}))]);
    scene.apply(waves).await;
    scene.everybody_succeeds().await;
    scene.wait_s(70, &[]).await;
    assert_eq!(scene.stands().await, "running passed running pending");
    scene.add("a", "a-late").await;
    for _ in 0..3 {
        scene.everybody_succeeds().await;
        scene.wait_s(70, &[]).await;
    }
    assert_eq!(scene.stands().await, "completed passed passed passed");
    assert_eq!(scene.hosts[scene.index("a-late")].version, "1.1.0");
}
