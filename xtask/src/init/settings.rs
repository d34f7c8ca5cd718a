//! `wrangler.toml`, its comments kept.

use anyhow::{Context, Result};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike, Value};

use super::options::{Acceptance, Delivery, InstacartAuth, Jurisdiction, word};
use super::plan::Plan;
use super::recipe::{inline, put};
use super::vendors::Insider;

/// Marks a table of the shipped file that stands there as an example: one that the plan does not have
/// is removed, and of one that it has only the mark is.
const EXAMPLE: &str = "# Example, which `cargo xtask init` replaces.";

/// The text of a `wrangler.toml` with the plan's settings. Sources and vendors that the plan does not
/// have stay, unless they are examples.
///
/// # Errors
/// Where the text is not TOML, or has something else where a table must be.
pub fn write(text: &str, plan: &Plan) -> Result<String> {
    let mut document: DocumentMut = text.parse().context("wrangler.toml is not TOML")?;
    let root = match &plan.env {
        None => document.as_table_mut(),
        Some(env) => {
            let environments = table(document.as_table_mut(), "env", true)?;
            let environment = table(environments, env, false)?;
            set_address(environment);
            if plan.delivery == Delivery::Durable {
                bind_lanes(environment);
            }
            environment
        }
    };
    let vars = table(root, "vars", false)?;
    put(vars, "DELIVERY", word(plan.delivery).into());

    let sources = table(vars, "SOURCES", true)?;
    let names: Vec<&str> = plan.sources.iter().map(|source| source.name.as_str()).collect();
    let mut heading = remove_examples(sources, &names);
    for source in &plan.sources {
        let own = entry(sources, &source.name, &mut heading)?;
        if !source.is_new {
            let [mut before, mut after] = [Table::new(), Table::new()];
            source.write_before(&mut before);
            source.write(&mut after);
            merge(own, &before, &after);
            set_partial_erasure(
                own,
                plan.insider.as_ref().filter(|one| one.is_partial_erasure_given),
            );
            continue;
        }
        let platform = own.get("platform").and_then(Item::as_str);
        if platform.is_some_and(|platform| platform != source.platform()) {
            own.clear();
        }
        put(own, "platform", source.platform().into());
        source.write(own);
        let listed = source.listed_secrets();
        // Further names are those of a rotation.
        if listed.first().is_some_and(|first| !lists(own, first)) {
            put(own, "secrets", Array::from_iter(listed).into());
        }
        put(own, "vendors", Array::from_iter(plan.vendors()).into());
        set_partial_erasure(own, plan.insider.as_ref());
    }

    let vendors = table(vars, "VENDORS", true)?;
    let names = plan.vendors();
    let mut heading = remove_examples(vendors, &names);
    for name in &names {
        let is_new = !vendors.contains_key(name);
        let own = entry(vendors, name, &mut heading)?;
        let instacart = plan.instacart.as_ref().filter(|instacart| instacart.account == *name);
        match (instacart, &plan.insider) {
            (Some(instacart), _) => {
                put(own, "api", "instacart-connect".into());
                set_base_url(own, instacart.base_url.as_deref());
                put_auth(own, instacart.auth);
            }
            (None, Some(insider)) => {
                put(own, "api", "insider".into());
                set_base_url(own, insider.base_url.as_deref());
                put(own, "partner_name", insider.partner_name.as_str().into());
                put_after(own, "erase", word(insider.erase).into(), "partner_name");
                if !own.contains_key("auth") {
                    put(own, "auth", inline([("token", insider.token.as_str().into())]));
                }
            }
            _ => {}
        }
        if is_new && names.len() > 1 {
            put(own, "without_identifier", "not_applicable".into());
        }
        match plan.jurisdiction {
            _ if !is_new && !plan.is_jurisdiction_given => {}
            Jurisdiction::None => drop(own.remove("jurisdiction")),
            chosen => put(own, "jurisdiction", word(chosen).into()),
        }
    }
    Ok(document.to_string())
}

/// The table `key`, which is made where there is none. An implicit one has no header of its own.
fn table<'a>(parent: &'a mut Table, key: &str, is_implicit: bool) -> Result<&'a mut Table> {
    let item = parent.entry(key).or_insert_with(|| {
        let mut made = Table::new();
        made.set_implicit(is_implicit);
        Item::Table(made)
    });
    item.as_table_mut().with_context(|| format!("wrangler.toml: {key} must be a table"))
}

/// The entry `name` of a table; a new one begins with `heading`, which is then used up.
fn entry<'a>(
    parent: &'a mut Table,
    name: &str,
    heading: &mut Option<String>,
) -> Result<&'a mut Table> {
    let is_new = !parent.contains_key(name);
    let own = table(parent, name, false)?;
    if is_new {
        own.decor_mut().set_prefix(heading.take().unwrap_or_else(|| "\n".to_owned()));
    }
    Ok(own)
}

/// Removes examples that are not among `wanted`, and the mark of those that are. Returns the comment
/// above the first that is removed, without the mark.
fn remove_examples(tables: &mut Table, wanted: &[&str]) -> Option<String> {
    let mut heading = None;
    let mut unwanted = Vec::new();
    for (name, item) in tables.iter_mut() {
        let Some(own) = item.as_table_mut() else { continue };
        let prefix = own.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
        if !prefix.contains(EXAMPLE) {
            continue;
        }
        let rest = prefix.replace(&format!("{EXAMPLE}\n"), "");
        if wanted.contains(&name.get()) {
            own.decor_mut().set_prefix(rest);
        } else {
            unwanted.push(name.get().to_owned());
            heading.get_or_insert(rest);
        }
    }
    for name in unwanted {
        tables.remove(&name);
    }
    heading
}

/// Removes every example of an environment.
pub fn remove_all_examples(root: &mut Table, env: Option<&str>) {
    let root = match env {
        None => Some(root),
        Some(env) => root.get_mut("env").and_then(|all| all.get_mut(env)?.as_table_mut()),
    };
    let Some(vars) = root.and_then(|root| root.get_mut("vars")?.as_table_mut()) else { return };
    for name in ["SOURCES", "VENDORS"] {
        if let Some(tables) = vars.get_mut(name).and_then(Item::as_table_mut) {
            remove_examples(tables, &[]);
        }
    }
}

/// Does to `own` what makes `after` of `before`: what is the same in both stays as it is in `own`.
fn merge(own: &mut dyn TableLike, before: &dyn TableLike, after: &dyn TableLike) {
    for (key, _) in before.iter().filter(|(key, _)| !after.contains_key(key)) {
        own.remove(key);
    }
    for (key, new) in after.iter() {
        let old = before.get(key);
        if old.is_some_and(|old| old.to_string().trim() == new.to_string().trim()) {
            continue;
        }
        let inner = own.get_mut(key).and_then(Item::as_table_like_mut);
        match (inner, old.and_then(Item::as_table_like), new.as_table_like()) {
            (Some(own), Some(old), Some(new)) => merge(own, old, new),
            _ => match (own.get_mut(key), new.as_value()) {
                (Some(Item::Value(known)), Some(new)) => {
                    let decor = known.decor().clone();
                    *known = new.clone();
                    *known.decor_mut() = decor;
                }
                _ => drop(own.insert(key, new.clone())),
            },
        }
    }
}

/// Sets a value behind the setting `before`, where it is new. Comments behind `before` go with it.
fn put_after(own: &mut Table, key: &str, value: Value, before: &str) {
    if own.contains_key(key) {
        return put(own, key, value);
    }
    let keys: Vec<String> = own.iter().map(|(key, _)| key.to_owned()).collect();
    let behind = keys.iter().skip_while(|key| *key != before).skip(1);
    let mut moved: Vec<_> = behind.filter_map(|key| own.remove_entry(key)).collect();
    own.insert(key, value.into());
    if let (Some((next, _)), Some(mut new)) = (moved.first_mut(), own.key_mut(key)) {
        let comment = next.leaf_decor().prefix().cloned();
        new.leaf_decor_mut().set_prefix(comment.unwrap_or_default());
        next.leaf_decor_mut().set_prefix("");
    }
    for (key, item) in moved {
        own.insert_formatted(&key, item);
    }
}

/// Whether the setting `secrets` names this one.
fn lists(own: &Table, name: &str) -> bool {
    let listed = own.get("secrets").and_then(Item::as_array);
    listed.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)))
}

/// Sets whether an erasure that leaves a profile counts; without an answer it stays as it is.
fn set_partial_erasure(own: &mut Table, answer: Option<&Insider>) {
    match answer.map(|insider| insider.partial_erasure) {
        Some(Acceptance::Accept) => put(own, "partial_erasure", "accept".into()),
        Some(Acceptance::Refuse) => drop(own.remove("partial_erasure")),
        None => {}
    }
}

/// Sets the host, or leaves the one that is there.
fn set_base_url(own: &mut Table, url: Option<&str>) {
    if let Some(url) = url {
        put(own, "base_url", url.into());
    }
}

/// Sets how Instacart is authenticated to. A setting of the same kind stays, since it may say more,
/// such as a second client.
fn put_auth(own: &mut Table, auth: InstacartAuth) {
    let (kind, names) = match auth {
        InstacartAuth::Token => ("token", vec![("token", "INSTACART_TOKEN".into())]),
        InstacartAuth::Client => (
            "client_id",
            vec![
                ("client_id", "INSTACART_CLIENT_ID".into()),
                ("client_secret", "INSTACART_CLIENT_SECRET".into()),
            ],
        ),
    };
    let is_there = own.get("auth").is_some_and(|auth| auth.get(kind).is_some());
    if !is_there {
        put(own, "auth", inline(names));
    }
}

/// Gives an environment an address of its own on workers.dev, where it has no routes: it would inherit
/// those of the top level, and take over their domain.
fn set_address(environment: &mut Table) {
    if environment.contains_key("route") || environment.contains_key("routes") {
        return;
    }
    environment.insert("routes", Item::Value(Array::new().into()));
    if !environment.contains_key("workers_dev") {
        environment.insert("workers_dev", Item::Value(true.into()));
    }
}

/// Binds the lanes in an environment, which does not inherit the binding.
fn bind_lanes(environment: &mut Table) {
    if environment.contains_key("durable_objects") {
        return;
    }
    let mut binding = Table::new();
    binding.insert("name", "LANES".into());
    binding.insert("class_name", "Lane".into());
    let mut all = ArrayOfTables::new();
    all.push(binding);
    let mut objects = Table::new();
    objects.set_implicit(true);
    objects.insert("bindings", Item::ArrayOfTables(all));
    environment.insert("durable_objects", Item::Table(objects));
}
