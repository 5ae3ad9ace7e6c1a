//! Nobody there, or nobody there any more.

use super::*;

#[tokio::test]
async fn a_wave_of_nobody_pauses_and_begins_with_whoever_comes() {
    let mut scene = Scene::with(&[("b", 1)]).await;
    scene.apply(json!([wave("a", json!({"canary": 1})), wave("b", json!({}))])).await;
    assert_eq!(scene.stands().await, "paused running pending");
    scene.wait_s(600, &[]).await;
    assert_eq!(scene.stands().await, "paused running pending", "that nothing failed proves nothing");
    scene.add("a", "a-0").await;
    scene.tick().await;
    assert_eq!(scene.stands().await, "running canary pending");
    scene.everybody_succeeds().await;
    scene.wait_s(140, &[]).await;
    assert_eq!(scene.stands().await, "running passed running");
}

#[tokio::test]
async fn a_canary_that_falls_silent_before_it_begins_is_replaced_and_one_that_has_begun_is_not() {
    let scene = Scene::with(&[("a", 5)]).await;
    scene.apply(json!([wave("a", json!({"canary": 1, "maxInFlight": 5}))])).await;
    let first = scene.all_sync().await.remove(0);
    scene.wait_s(40, &[&first]).await;
    assert_eq!(scene.stands().await, "running canary");
    let mut asked = Vec::new();
    for index in 0..scene.hosts.len() {
        if scene.hosts[index].name != first && !scene.sync(index).await.is_null() {
            asked.push(index);
        }
    }
    assert_eq!(asked.len(), 1, "the next goes first");
    scene.report(asked[0], "DOWNLOAD", "UNDERWAY").await;
    let second = scene.hosts[asked[0]].name.clone();
    scene.wait_s(1_200, &[&first, &second]).await;
    assert_eq!(scene.stands().await, "paused canary", "what it fell silent over may be the release");
    scene.wait_s(20, &[]).await;
    assert_eq!(scene.stands().await, "halted halted", "it is back, and its upgrade stands still");
}

#[tokio::test]
async fn a_dead_executor_does_not_hold_the_wave_and_too_many_pause_it() {
    let mut scene = Scene::with(&[("a", 5)]).await;
    scene.wait_s(40, &["a-0"]).await;
    scene.apply(json!([wave("a", json!({"maxInFlight": 5}))])).await;
    scene.everybody_succeeds_but(&["a-0"]).await;
    assert_eq!(scene.outcomes().await[0], "a-0 unreachable");
    assert_eq!(scene.stands().await, "running soaking", "a fifth may be out of reach");
    scene.wait_s(40, &["a-0", "a-1"]).await;
    assert_eq!(scene.stands().await, "paused running", "two of five are too many");
    let plan = scene.plan().await;
    assert!(plan["reason"].as_str().unwrap().contains("2 of 5 executors do not sync"), "{}", plan["reason"]);
    scene.wait_s(10, &["a-0"]).await;
    assert_eq!(scene.stands().await, "running soaking", "it goes on by itself");
    scene.wait_s(40, &["a-0"]).await;
    assert_eq!(scene.stands().await, "running soaking", "the soak counts from when it was healthy again");
    scene.wait_s(30, &["a-0"]).await;
    assert_eq!(scene.stands().await, "completed passed");
}

impl Scene {
    async fn everybody_succeeds_but(&mut self, silent: &[&str]) {
        loop {
            let mut asked = Vec::new();
            for index in 0..self.hosts.len() {
                let name = self.hosts[index].name.clone();
                if !silent.contains(&name.as_str()) && !self.sync(index).await.is_null() {
                    asked.push(name);
                }
            }
            if asked.is_empty() {
                return;
            }
            for name in asked {
                self.succeed(&name).await;
            }
        }
    }
}

#[tokio::test]
async fn an_executor_that_falls_silent_before_it_begins_gives_its_place_to_the_next() {
    let mut scene = Scene::with(&[("a", 4)]).await;
    scene.apply(json!([wave("a", json!({"maxUnreachable": "50%"}))])).await;
    let first = scene.all_sync().await.remove(0);
    scene.wait_s(40, &[&first]).await;
    let asked: Vec<_> = {
        let mut asked = Vec::new();
        for index in 0..scene.hosts.len() {
            if scene.hosts[index].name != first && !scene.sync(index).await.is_null() {
                asked.push(index);
            }
        }
        asked
    };
    assert_eq!(asked.len(), 1, "the place of the dead one is free");
    scene.everybody_succeeds().await;
    assert!(versions(&scene).iter().all(|version| *version == "1.1.0"), "it came back, and had its turn");
}
