//! How a lane treats its vendor: paced, resting, blocked, and never in another lane's way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use tokio::time::sleep;

use crate::durable::{operate, post, settled, until};
use crate::world::{Handle, Person, World, outcomes};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("lanes: a throttled lane rests as a whole", throttled),
        world.trial("lanes: a blocked lane keeps what waits, until it is resumed", blocked),
        world.trial("lanes: a blocked lane tries by itself whether it is fixed", probed),
        world.trial("lanes: a backlog flows at the pace and never above", paced),
        world.trial("lanes: a slow vendor does not keep the platform waiting", slow),
        world.trial("lanes: a vendor that hangs is tried again", hung),
        world.trial("lanes: a vendor that fails is left alone for a while", shut),
        world.trial("lanes: shards share an account", sharded),
        world.trial("lanes: calls that waited for a token keep to the pace", late_token),
    ]
}

async fn throttled(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["throttled"];
    let (first, second) = (Person::new("throttled-1"), Person::new("throttled-2"));
    let throttle = Answer::status(429).with_header("retry-after", "2");
    vendor.script(&first.email, [throttle, Answer::Success]);
    ensure!(post(&world, "throttled", &first).await?.status == 202);
    let answered = Instant::now();
    let reply = post(&world, "throttled", &second).await?;
    ensure!(reply.status == 202, "{reply:?}");
    ensure!(vendor.requests_for(&second.email).is_empty(), "the lane does not rest");
    for person in [&first, &second] {
        ensure!(settled(&world, "throttled", person).await?["state"] == "done");
    }
    ensure!(answered.elapsed() > Duration::from_millis(1500), "the lane did not rest long enough");
    ensure!(vendor.requests_for(&second.email).len() == 1);
    Ok(())
}

async fn blocked(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["blocked"];
    let (first, second) = (Person::new("blocked-1"), Person::new("blocked-2"));
    let waiting = Person::new("blocked-3");
    // The second is the probe that goes at once.
    vendor.script(&first.email, [Answer::status(401), Answer::Success]);
    vendor.script(&second.email, [Answer::status(401), Answer::Success]);
    for (person, attempts) in [(&first, 1), (&second, 1), (&waiting, 0)] {
        let reply = post(&world, "blocked", person).await?;
        ensure!(reply.status == 202 && reply.json()["state"] == "attention", "{reply:?}");
        let delivery = &reply.json()["deliveries"][0];
        ensure!(delivery["outcome"] == "blocked", "{reply:?}");
        ensure!(delivery["attempts"] == attempts, "{reply:?}");
        ensure!(delivery["detail"] == "the token was refused", "{reply:?}");
    }
    let lanes = operate(&world, "GET", "/lanes").await?.json();
    let lane = lanes["lanes"].as_array().into_iter().flatten();
    let lane = lane.into_iter().find(|lane| lane["vendor"] == "blocked").cloned();
    let lane = lane.unwrap_or_default();
    ensure!(lane["breaker"] == "blocked" && lane["waiting"] == 3, "{lane}");
    ensure!(lane["reason"] == "the token was refused", "{lane}");
    let reply = operate(&world, "POST", "/lanes/blocked/resume").await?;
    ensure!(reply.status == 202 && reply.json()["lanes"][0]["breaker"] == "closed", "{reply:?}");
    for person in [&first, &second, &waiting] {
        let done = |receipt: &Value| receipt["state"] == "done";
        until(&world, "blocked", person, done).await?;
    }
    ensure!(vendor.requests_for(&waiting.email).len() == 1);
    Ok(())
}

async fn probed(world: Arc<World>) -> Result<()> {
    let person = Person::new("probed");
    let refusals = [Answer::status(403), Answer::status(403), Answer::Success];
    world.accounts["probed"].script(&person.email, refusals);
    ensure!(post(&world, "probed", &person).await?.json()["state"] == "attention");
    let receipt = until(&world, "probed", &person, |receipt| receipt["state"] == "done").await?;
    ensure!(receipt["deliveries"][0]["attempts"] == 3, "{receipt}");
    Ok(())
}

async fn paced(world: Arc<World>) -> Result<()> {
    let people: Vec<Person> = (0..30).map(|n| Person::new(&format!("paced-{n}"))).collect();
    for person in &people {
        let reply = post(&world, "paced", person).await?;
        ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    }
    for person in &people {
        ensure!(settled(&world, "paced", person).await?["state"] == "done");
    }
    let requests = world.accounts["paced"].requests();
    ten_in_two_seconds(requests.iter().map(|request| request.received_at).collect(), 30)
}

/// So many calls, and never more than ten in two seconds.
fn ten_in_two_seconds(times: Vec<Instant>, count: usize) -> Result<()> {
    ensure!(times.len() == count, "{} calls", times.len());
    for window in times.windows(11) {
        let span = window[10] - window[0];
        ensure!(span > Duration::from_secs(2), "11 calls within {span:?}");
    }
    Ok(())
}

async fn late_token(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["late-token"];
    vendor.script_token_requests([Answer::Success.after(Duration::from_secs(3))]);
    let people: Vec<Person> = (0..20).map(|n| Person::new(&format!("late-token-{n}"))).collect();
    let people = Arc::new(people);
    let mut running = Vec::new();
    for index in 0..people.len() {
        let (world, people) = (world.clone(), people.clone());
        running.push(tokio::spawn(async move {
            // One by one, as the pace would let them go.
            sleep(Duration::from_millis(250 * index as u64)).await;
            let person = &people[index];
            let webhook = person.asks(&json!({ "user_id": person.user_id }));
            world.post_to("late-token", &webhook).await
        }));
    }
    for reply in running {
        let reply = reply.await??;
        ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    }
    for person in people.iter() {
        ensure!(settled(&world, "late-token", person).await?["state"] == "done");
    }
    let calls = people.iter().flat_map(|person| vendor.requests_for(&person.user_id));
    let mut times: Vec<Instant> = calls.map(|request| request.received_at).collect();
    times.sort();
    ten_in_two_seconds(times, people.len())
}

async fn slow(world: Arc<World>) -> Result<()> {
    let person = Person::new("slow");
    let late = Answer::Success.after(Duration::from_secs(5));
    world.accounts["slow"].script(&person.email, [late]);
    let started = Instant::now();
    let reply = post(&world, "slow", &person).await?;
    ensure!(reply.status == 202 && started.elapsed() < Duration::from_secs(5), "{reply:?}");
    let outcomes: Vec<_> = outcomes(&reply).into_iter().map(|(_, _, outcome)| outcome).collect();
    ensure!(outcomes == ["scheduled", "accepted"], "{reply:?}");
    let receipt = settled(&world, "slow", &person).await?;
    ensure!(receipt["state"] == "done", "{receipt}");
    ensure!(receipt["deliveries"][0]["attempts"] == 1, "{receipt}");
    Ok(())
}

async fn hung(world: Arc<World>) -> Result<()> {
    let person = Person::new("hung");
    world.accounts["hung"].script(&person.email, [Answer::Hang, Answer::Success]);
    let reply = post(&world, "hung", &person).await?;
    let delivery = &reply.json()["deliveries"][0];
    ensure!(reply.status == 202 && delivery["detail"] == "no answer in time", "{reply:?}");
    ensure!(settled(&world, "hung", &person).await?["state"] == "done");
    Ok(())
}

async fn shut(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["shut"];
    let people: Vec<Person> = (0..4).map(|n| Person::new(&format!("shut-{n}"))).collect();
    for person in &people {
        vendor.script(&person.email, [Answer::status(500), Answer::Success]);
        ensure!(post(&world, "shut", person).await?.status == 202);
    }
    let last = vendor.requests_for(&people[3].email);
    ensure!(last.len() <= 1, "the lane pressed on");
    for person in &people {
        ensure!(settled(&world, "shut", person).await?["state"] == "done");
    }
    Ok(())
}

async fn sharded(world: Arc<World>) -> Result<()> {
    let people: Vec<Person> = (0..9).map(|n| Person::new(&format!("sharded-{n}"))).collect();
    for person in &people {
        ensure!(post(&world, "sharded", person).await?.status == 200);
        ensure!(settled(&world, "sharded", person).await?["state"] == "done");
    }
    let lanes = operate(&world, "GET", "/lanes").await?.json();
    let lanes = lanes["lanes"].as_array().cloned().unwrap_or_default();
    let shards: Vec<&Value> = lanes.iter().filter(|lane| lane["vendor"] == "sharded").collect();
    ensure!(shards.len() == 3 && shards[0]["pace"][0]["calls"] == 333, "{shards:?}");
    let listed = operate(&world, "GET", "/erasures?vendor=sharded&limit=200").await?.json();
    let listed = listed["erasures"].as_array().cloned().unwrap_or_default();
    ensure!(listed.len() == 9, "{} are listed", listed.len());
    Ok(())
}
