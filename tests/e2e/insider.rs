//! Insider's calls beyond the removal of identities: whole profiles, and the step from one to the
//! other.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use standin::Answer;
use standin::insider::{
    ANONYMIZE, CONTACT_ANONYMIZE, DELETE, IDENTITY, NO_SUCH_USER, SOLE_IDENTIFIER,
};

use crate::world::{Handle, Person, World, outcomes};

/// The accounts of these tests by name, with what is configured beside the usual.
pub fn accounts() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("profile", json!({ "erase": "profile" })),
        ("anonymize", json!({ "erase": "anonymize" })),
        ("escalate", json!({ "sole_identifier": "erase_profile" })),
        ("trusting", json!({ "no_such_user": "already_absent" })),
    ]
}

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("a profile is erased by its best identifier", profile),
        world.trial("a profile that is not found is looked for under the next name", next_name),
        world.trial("personal attributes are stripped by its best identifier", anonymize),
        world.trial("a sole identifier escalates to the profile", escalate),
        world.trial("no such user, and what the account makes of it", no_such_user),
        world.trial("a sole identifier does not overwrite the others' outcomes", last_one),
    ]
}

fn targets(world: &World, identifier: &str) -> Vec<String> {
    let requests = world.vendors.insider.requests_for(identifier);
    requests.iter().map(|sent| format!("{} {}", sent.method, sent.target)).collect()
}

fn only(outcome: &str, identifier: &str, source: &str) -> Vec<(String, String, String)> {
    vec![(source.to_owned(), identifier.to_owned(), outcome.to_owned())]
}

async fn profile(world: Arc<World>) -> Result<()> {
    let person = Person::new("profile");
    let subject = json!({ "email": person.email, "uuid": "pii-profile-uuid" });
    let reply = world.post_to("profile", &person.asks(&subject)).await?;
    ensure!(outcomes(&reply) == only("accepted", "uuid", "profile"), "{reply:?}");
    ensure!(reply.json()["deliveries"][0]["call"] == "profile", "{reply:?}");
    ensure!(targets(&world, "pii-profile-uuid") == [format!("POST {DELETE}")]);
    let by_id = json!({ "email": person.email, "insider_id": "pii-insider-id" });
    let reply = world.post_to("profile", &person.asks(&by_id)).await?;
    ensure!(outcomes(&reply) == only("accepted", "insider_id", "profile"), "{reply:?}");
    ensure!(targets(&world, &person.email).is_empty());
    Ok(())
}

async fn next_name(world: Arc<World>) -> Result<()> {
    let person = Person::new("next-name");
    let unknown = "pii-next-name-uuid";
    world.vendors.insider.script_at(DELETE, unknown, [Answer::json(404, NO_SUCH_USER)]);
    let subject = json!({ "email": person.email, "uuid": unknown });
    let reply = world.post_to("profile", &person.asks(&subject)).await?;
    ensure!(outcomes(&reply) == only("accepted", "email", "profile"), "{reply:?}");
    ensure!(reply.json()["deliveries"][0]["attempts"] == 2, "{reply:?}");
    Ok(())
}

async fn anonymize(world: Arc<World>) -> Result<()> {
    let person = Person::new("anonymize");
    let subject = json!({ "email": person.email, "phone_number": "+6598760001" });
    let reply = world.post_to("anonymize", &person.asks(&subject)).await?;
    ensure!(outcomes(&reply) == only("accepted", "email", "anonymize"), "{reply:?}");
    ensure!(targets(&world, &person.email) == [format!("POST {ANONYMIZE}")]);
    let by_id = json!({ "insider_id": "pii-anonymize-id" });
    world.post_to("anonymize", &person.asks(&by_id)).await?;
    ensure!(targets(&world, "pii-anonymize-id") == [format!("POST {CONTACT_ANONYMIZE}")]);
    Ok(())
}

async fn escalate(world: Arc<World>) -> Result<()> {
    let person = Person::new("escalate");
    world.vendors.insider.set_sole_identifier(&person.email);
    let reply = world.post_to("escalate", &person.webhook()).await?;
    ensure!(outcomes(&reply) == only("accepted", "email", "escalate"), "{reply:?}");
    let delivery = &reply.json()["deliveries"][0];
    ensure!(delivery["call"] == "profile" && delivery["attempts"] == 2, "{reply:?}");
    let asked = targets(&world, &person.email);
    ensure!(asked == [format!("DELETE {IDENTITY}"), format!("POST {DELETE}")]);
    Ok(())
}

async fn no_such_user(world: Arc<World>) -> Result<()> {
    for (source, path, outcome) in [
        ("anonymize", ANONYMIZE, "already_absent"),
        ("profile", DELETE, "rejected"),
        ("escalate", IDENTITY, "rejected"),
        ("trusting", IDENTITY, "already_absent"),
    ] {
        let person = Person::new(&format!("no-such-user-{source}"));
        world.vendors.insider.script_at(path, &person.email, [Answer::json(404, NO_SUCH_USER)]);
        let reply = world.post_to(source, &person.webhook()).await?;
        ensure!(reply.status == 200, "{reply:?}");
        ensure!(outcomes(&reply) == only(outcome, "email", source), "{reply:?}");
    }
    Ok(())
}

async fn last_one(world: Arc<World>) -> Result<()> {
    let person = Person::new("last-one");
    let uuid = "pii-last-one-uuid";
    let sole = Answer::json(400, SOLE_IDENTIFIER);
    world.vendors.insider.script_at(IDENTITY, uuid, [sole]);
    let subject = json!({ "uuid": uuid, "email": person.email });
    let reply = world.post_to("trusting", &person.asks(&subject)).await?;
    let good = ("trusting".to_owned(), "email".to_owned(), "accepted".to_owned());
    let kept = ("trusting".to_owned(), "uuid".to_owned(), "not_erased".to_owned());
    ensure!(reply.status == 200 && outcomes(&reply) == [good, kept], "{reply:?}");
    ensure!(reply.json()["state"] == "attention", "{reply:?}");
    Ok(())
}
