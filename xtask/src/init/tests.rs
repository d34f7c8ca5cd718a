//! Setting up, from the command line and from answers at a terminal.

use std::fs;
use std::io::{self, Cursor};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

use super::*;
use crate::toolchain::remove;
use crate::workerd::new_folder;

/// `cargo xtask init` with these arguments.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// A folder with the shipped `wrangler.toml`.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = new_folder("init").unwrap();
        fs::copy(crate::root().join("wrangler.toml"), folder.join("wrangler.toml")).unwrap();
        Self(folder)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    fn vars(&self) -> Value {
        configuration::read(&self.text("wrangler.toml")).unwrap()["vars"].take()
    }

    /// Runs without a terminal; returns what is printed.
    fn run(&self, arguments: &[&str]) -> Result<String> {
        let none: Option<io::Empty> = None;
        self.run_with(arguments, &mut Interview::new(none, io::sink()))
    }

    fn run_with(
        &self,
        arguments: &[&str],
        interview: &mut Interview<impl BufRead, impl Write>,
    ) -> Result<String> {
        let all = std::iter::once("init").chain(arguments.iter().copied());
        let Arguments { options } = Arguments::try_parse_from(all)?;
        let mut out = Vec::new();
        set_up(&self.0, &options, interview, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = remove(&self.0);
    }
}

/// Both vendors, and all that is the same for every platform.
const COMMON: [&str; 16] = [
    "--vendor",
    "instacart-connect",
    "--vendor",
    "insider",
    "--instacart-auth",
    "client",
    "--partner-name",
    "acme",
    "--erase",
    "profile",
    "--delivery",
    "durable",
    "--admin",
    "yes",
    "--signed-receipts",
    "yes",
];

fn with_common<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().copied().chain(COMMON).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn each_platform_is_set_up_with_both_vendors_and_twice_is_the_same() {
    for (arguments, made, elsewhere) in [
        (
            &["--source", "transcend=transcend", "--set", "transcend.audience=acme-sombra"][..],
            &["TRANSCEND_RELAY_KEY"][..],
            &["TRANSCEND_API_KEY"][..],
        ),
        (&["--source", "shop=shopify"], &[], &["SHOP_CLIENT_SECRET"]),
        (&["--source", "consent=ketch"], &["CONSENT_TOKEN"], &[]),
        (
            &["--source", "consent=standard-webhooks", "--source", "a-2=segment"],
            &["CONSENT_WEBHOOK_SECRET", "A_2_SECRET"],
            &[],
        ),
        (
            &["--source", "x=standard-webhooks", "--set", "x.secret_from=platform"],
            &[],
            &["X_WEBHOOK_SECRET"],
        ),
        (&["--source", "f=fides", "--set", "f.erasure=always"], &["F_TOKEN"], &[]),
        (&["--source", "k=kertos", "--set", "k.identified_by=user_id"], &["K_API_KEY"], &[]),
        (&["--source", "m=meta"], &[], &["M_APP_SECRET"]),
        (
            &["--source", "i=iab-ddrf", "--set", "i.issuers=a.dev=https://a.dev/dsrdelete.json"],
            &[],
            &[],
        ),
        (&["--source", "o=opendsr"], &["O_TOKEN"], &[]),
        (&["--source", "d=datagrail-drop"], &[], &["D_SECRET"]),
        (
            &[
                "--source",
                "d=datagrail-dsr",
                "--set",
                "d.erasure=/type=x",
                "--set",
                "d.email=/email",
            ],
            &[],
            &["D_SECRET"],
        ),
        (
            &[
                "--source",
                "1=custom",
                "--set",
                "1.signature=github",
                "--set",
                "1.erasure=always",
                "--set",
                "1.user_ids=/user",
            ],
            &["SOURCE_1_WEBHOOK_SECRET"],
            &[],
        ),
    ] {
        let folder = Folder::new();
        let arguments = with_common(arguments);
        let printed =
            folder.run(&arguments).unwrap_or_else(|error| panic!("{arguments:?} {error:#}"));

        // The result passes the check of a build that is deployed: there is no placeholder.
        let wrangler = configuration::read(&folder.text("wrangler.toml")).unwrap();
        configuration::check(&wrangler).conclude(Purpose::Deployment).unwrap();

        let stored = folder.text(".dev.vars");
        assert_eq!(mode(&folder.0.join(".dev.vars")), 0o600);
        let own = ["PSEUDONYM_KEY", "ADMIN_TOKEN", "RECEIPT_SIGNING_KEY", "RECEIPT_SECRET"];
        for name in made.iter().chain(&own) {
            let line = stored.lines().find(|line| line.starts_with(&format!("{name}=\"")));
            let value = line.unwrap_or_else(|| panic!("{name}")).split('"').nth(1).unwrap();
            assert!(value.len() >= 43, "{name}");
            assert_eq!(printed.matches(value).count(), 1, "{name} is shown once");
            assert!(!printed.contains(&format!("  {name}: ")), "{name} is filled in: {printed}");
        }
        for name in elsewhere.iter().chain(&["INSIDER_TOKEN", "INSTACART_CLIENT_ID"]) {
            assert!(stored.contains(&format!("# {name}=")), "{name}: {stored}");
            assert!(printed.contains(&format!("  {name}: ")), "{name}: {printed}");
        }

        assert!(printed.contains("  npx wrangler deploy --secrets-file .dev.vars\n"), "{printed}");

        // Twice is the same, and shows no secret again.
        let before = [folder.text("wrangler.toml"), stored.clone()];
        let again = folder.run(&arguments).unwrap();
        assert_eq!(before, [folder.text("wrangler.toml"), folder.text(".dev.vars")]);
        for line in stored.lines().filter(|line| !line.starts_with('#')) {
            assert!(!again.contains(line.split('"').nth(1).unwrap()), "shown again");
        }
    }
}

#[test]
fn every_platform_has_a_recipe() {
    for (platform, _) in erasure_relay::source::ALL {
        assert!(recipe::ALL.iter().any(|recipe| recipe.platform == *platform), "{platform}");
    }
    assert_eq!(recipe::ALL.len(), erasure_relay::source::ALL.len());
}

#[test]
fn the_file_keeps_its_comments_and_the_examples_go() {
    let folder = Folder::new();
    folder.run(&with_common(&["--source", "ketch=ketch"])).unwrap();
    let text = folder.text("wrangler.toml");
    let kept = folder_comments(&fs::read_to_string(crate::root().join("wrangler.toml")).unwrap());
    for comment in kept.iter().filter(|comment| !comment.contains("Example, which")) {
        assert!(text.contains(comment.as_str()), "{comment} is lost:\n{text}");
    }
    assert!(!text.contains("Example, which") && !text.contains("mybrand\"\n"), "{text}");
    let vars = folder.vars();
    let sources: Vec<&String> = vars["SOURCES"].as_object().unwrap().keys().collect();
    assert_eq!(sources, ["ketch"], "{text}");
    assert_eq!(vars["VENDORS"]["insider"]["partner_name"], "acme");
    let at = |part: &str| text.find(part).unwrap();
    assert!(at("partner_name = \"acme\"") < at("erase = \"profile\"\n"), "{text}");
    assert!(at("# Who may ask") < at("[vars.SOURCES.ketch]"), "{text}");
    assert!(at("[vars.SOURCES.ketch]") < at("# Who is asked."), "{text}");

    // Another source, and other settings of the same: what is one's own stays.
    let own =
        text.replace("platform = \"ketch\"", "platform = \"ketch\" # ours\nmax_body_bytes = 4096");
    fs::write(folder.0.join("wrangler.toml"), own).unwrap();
    let printed = folder.run(&with_common(&["--source", "shop=shopify"])).unwrap();
    assert!(printed.contains("set up for ketch (ketch), shop (shopify), asking"), "{printed}");
    assert!(printed.contains("  ketch: POST /webhooks/ketch\n"), "{printed}");
    folder
        .run(&with_common(&["--source", "ketch=ketch", "--set", "ketch.user_id_type=uid"]))
        .unwrap();
    let (text, vars) = (folder.text("wrangler.toml"), folder.vars());
    assert!(text.contains("platform = \"ketch\" # ours\n"), "{text}");
    assert_eq!(vars["SOURCES"]["ketch"]["max_body_bytes"], 4096);
    assert_eq!(vars["SOURCES"]["ketch"]["identity_types"]["uid"], "user_id");
    assert_eq!(vars["SOURCES"]["shop"]["platform"], "shopify");
}

/// The whole lines of a file that are comments.
fn folder_comments(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn one_vendor_and_identity_are_set_up_as_chosen() {
    let folder = Folder::new();
    let common = [
        "--source",
        "k=ketch",
        "--vendor",
        "insider",
        "--partner-name",
        "acme",
        "--erase",
        "identity",
        "--delivery",
        "direct",
        "--admin",
        "no",
        "--signed-receipts",
        "no",
    ];
    let printed = folder.run(&common).unwrap();
    assert!(printed.contains("warning: VENDORS.insider.erase: \"identity\" leaves"), "{printed}");
    assert!(!printed.contains("ADMIN_TOKEN") && !printed.contains("RECEIPT_SECRET"), "{printed}");
    let vars = folder.vars();
    assert_eq!(vars["DELIVERY"], "direct");
    assert_eq!(vars["VENDORS"].as_object().unwrap().len(), 1);
    assert_eq!(vars["SOURCES"]["k"]["vendors"], serde_json::json!(["insider"]));
    assert!(vars["SOURCES"]["k"]["partial_erasure"].is_null());
    let mut accepted = common.to_vec();
    accepted.extend(["--partial-erasure", "accept", "--insider-base-url", "http://127.0.0.1:8"]);
    let printed = folder.run(&accepted).unwrap();
    assert!(!printed.contains("warning"), "{printed}");
    let vars = folder.vars();
    assert_eq!(vars["SOURCES"]["k"]["partial_erasure"], "accept");
    assert_eq!(vars["VENDORS"]["insider"]["base_url"], "http://127.0.0.1:8");
}

#[test]
fn an_environment_has_its_own_variables_binding_and_secrets() {
    let folder = Folder::new();
    folder.run(&with_common(&["--source", "k=ketch"])).unwrap();
    let staging = with_common(&["--source", "k=ketch", "--env", "staging"]);
    let printed = folder.run(&staging).unwrap();
    let wrangler = configuration::read(&folder.text("wrangler.toml")).unwrap();
    configuration::check(&wrangler).conclude(Purpose::Deployment).unwrap();
    assert_eq!(wrangler["env"]["staging"]["vars"]["DELIVERY"], "durable");
    assert_eq!(wrangler["env"]["staging"]["routes"], serde_json::json!([]));
    assert_eq!(wrangler["env"]["staging"]["workers_dev"], true);
    let deploy = "  npx wrangler deploy --secrets-file .dev.vars.staging --env staging\n";
    for command in [deploy, "  npx wrangler dev --env staging\n"] {
        assert!(printed.contains(command), "{printed}");
    }
    // Where there is an environment, the top level must be named.
    let printed = folder.run(&with_common(&["--source", "k=ketch"])).unwrap();
    let deploy = "  npx wrangler deploy --secrets-file .dev.vars --env \"\"\n";
    assert!(printed.contains(deploy) && printed.contains("  npx wrangler dev\n"), "{printed}");
    let [one, other] = [".dev.vars", ".dev.vars.staging"].map(|name| folder.text(name));
    assert!(other.contains("K_TOKEN=\"") && one != other);
}

#[test]
fn secrets_that_are_there_are_never_overwritten() {
    let folder = Folder::new();
    let own = "ADMIN_TOKEN='my-own-admin-token'\nINSIDER_TOKEN='own'\nINSTACART_CLIENT_ID=''\nexport PSEUDONYM_KEY = \"own\"\n# K_TOKEN = \"x\"";
    fs::write(folder.0.join(".dev.vars"), own).unwrap();
    let printed = folder.run(&with_common(&["--source", "k=ketch"])).unwrap();
    let stored = folder.text(".dev.vars");
    assert!(stored.starts_with(&format!("{own}\nK_TOKEN=\"")), "{stored}");
    assert!(!printed.contains("  INSIDER_TOKEN: "), "it is filled in: {printed}");
    assert!(printed.contains("  INSTACART_CLIENT_ID: "), "it is empty: {printed}");
    assert_eq!(stored.matches("ADMIN_TOKEN").count(), 1);
    assert!(!printed.contains("ADMIN_TOKEN = ") && !printed.contains("my-own"), "{printed}");
    assert_eq!(mode(&folder.0.join(".dev.vars")), 0o600);
}

/// Everything that an operator may have edited stays, whatever else is set up.
#[test]
fn hand_edits_of_a_source_stay_and_what_an_option_names_changes() {
    let folder = Folder::new();
    let sources = [
        "--source",
        "transcend=transcend",
        "--set",
        "transcend.audience=acme",
        "--source",
        "shop=shopify",
        "--source",
        "ketch=ketch",
        "--erase",
        "identity",
    ];
    let common: Vec<&str> =
        COMMON.into_iter().filter(|word| !["--erase", "profile"].contains(word)).collect();
    let arguments: Vec<&str> = sources.iter().copied().chain(common).collect();
    folder.run(&arguments).unwrap();
    let own: toml_edit::DocumentMut = folder.text("wrangler.toml").parse().unwrap();
    let mut own = own;
    let vars = &mut own["vars"];
    vars["SOURCES"]["transcend"]["keys"]["url"] = "https://sombra.acme.dev/key".into();
    vars["SOURCES"]["transcend"]["tolerance_seconds"] = 500.into();
    vars["SOURCES"]["transcend"]["identity_types"]["card"] = "custom.loyalty".into();
    vars["SOURCES"]["shop"]["secrets"] =
        toml_edit::Array::from_iter(["SHOPIFY_CLIENT_SECRET"]).into();
    vars["SOURCES"]["ketch"]["vendors"] = toml_edit::Array::from_iter(["insider"]).into();
    vars["SOURCES"]["ketch"]["partial_erasure"] = "accept".into();
    vars["VENDORS"]["insider"]["auth"]["token"] = "OWN_TOKEN".into();
    vars["VENDORS"]["instacart"]["jurisdiction"] = "eu".into();
    let own = own.to_string();
    fs::write(folder.0.join("wrangler.toml"), &own).unwrap();

    // With every option again, and with none at all, since the file answers.
    for again in [&arguments[..], &[]] {
        let printed = folder.run(again).unwrap();
        assert_eq!(folder.text("wrangler.toml"), own, "{again:?}");
        assert!(!printed.contains("Changed settings"), "{printed}");
        assert!(printed.contains("  SHOPIFY_CLIENT_SECRET: "), "{printed}");
        assert!(printed.contains("  OWN_TOKEN: "), "{printed}");
        let note = "note: SOURCES.ketch.vendors stays as it is, without \"instacart\"\n";
        assert!(printed.contains(note) && printed.matches("note: ").count() == 1, "{printed}");
        assert!(!folder.text(".dev.vars").contains("SHOP_CLIENT_SECRET=\"w"));
    }

    // Another source takes the answers of the file.
    folder.run(&["--source", "kertos=kertos"]).unwrap();
    let vars = folder.vars();
    assert_eq!(vars["SOURCES"]["kertos"]["vendors"], serde_json::json!(["instacart", "insider"]));
    assert_eq!(vars["SOURCES"]["ketch"]["vendors"], serde_json::json!(["insider"]));

    // Only what is named changes, and is told.
    let printed = folder
        .run(&[
            "--source",
            "transcend",
            "--set",
            "transcend.user_id_type=uid",
            "--set",
            "transcend.audience=other",
            "--erase",
            "profile",
        ])
        .unwrap();
    let vars = folder.vars();
    let transcend = &vars["SOURCES"]["transcend"];
    let types = serde_json::json!({ "uid": "user_id", "card": "custom.loyalty" });
    assert_eq!(transcend["identity_types"], types);
    assert_eq!(transcend["signature"]["audience"], "other");
    assert_eq!(transcend["keys"]["url"], "https://sombra.acme.dev/key");
    assert_eq!(transcend["tolerance_seconds"], 500);
    for change in [
        "vars.SOURCES.transcend.signature.audience: \"acme\" -> \"other\"",
        "vars.SOURCES.transcend.identity_types.userId: \"user_id\" -> not set",
        "vars.SOURCES.transcend.identity_types.uid: not set -> \"user_id\"",
        "vars.VENDORS.insider.erase: \"identity\" -> \"profile\"",
    ] {
        assert!(printed.contains(&format!("  {change}\n")), "{change}: {printed}");
    }
    assert_eq!(printed.matches(" -> ").count(), 4, "{printed}");
}

#[test]
fn a_secret_that_the_platform_gives_is_not_made_later() {
    let folder = Folder::new();
    let source = ["--source", "x=standard-webhooks", "--set", "x.secret_from=platform"];
    folder.run(&with_common(&source)).unwrap();
    let before = folder.text(".dev.vars");
    folder.run(&[]).unwrap();
    assert_eq!(folder.text(".dev.vars"), before);
}

#[test]
fn at_a_terminal_what_the_file_says_is_suggested() {
    let folder = Folder::new();
    folder.run(&with_common(&["--source", "k=ketch"])).unwrap();
    let before = folder.text("wrangler.toml");
    let mut asked = Vec::new();
    let mut interview = Interview::new(Some(Cursor::new("\n".repeat(10))), &mut asked);
    folder.run_with(&[], &mut interview).unwrap();
    assert_eq!(folder.text("wrangler.toml"), before);
    let asked = String::from_utf8(asked).unwrap();
    for default in ["[none]", "[both]", "[client]", "[acme]", "[profile]", "[durable]", "[yes]"] {
        assert!(asked.contains(default), "{default}: {asked}");
    }
    assert!(!asked.contains("Where the lanes run"), "they are there already: {asked}");
}

#[test]
fn a_jurisdiction_changes_only_where_an_option_names_it() {
    let folder = Folder::new();
    folder.run(&with_common(&["--source", "k=ketch", "--jurisdiction", "eu"])).unwrap();
    folder.run(&["--source", "s=shopify"]).unwrap();
    assert_eq!(folder.vars()["VENDORS"]["insider"]["jurisdiction"], "eu");
    let printed = folder.run(&["--jurisdiction", "none"]).unwrap();
    let change = "  vars.VENDORS.insider.jurisdiction: \"eu\" -> not set\n";
    assert!(printed.contains(change), "{printed}");
}

#[test]
fn an_environment_that_is_no_table_is_an_error() {
    for wrong in ["env = 1\n", "[env]\nstaging = 1\n"] {
        let folder = Folder::new();
        let text = if wrong.starts_with('[') {
            folder.text("wrangler.toml") + wrong
        } else {
            format!("{wrong}{}", folder.text("wrangler.toml"))
        };
        fs::write(folder.0.join("wrangler.toml"), &text).unwrap();
        let arguments = with_common(&["--source", "k=ketch", "--env", "staging"]);
        let error = format!("{:#}", folder.run(&arguments).unwrap_err());
        assert!(error.contains("must be a table"), "{error}");
        assert_eq!(folder.text("wrangler.toml"), text);
    }
}

#[test]
fn a_shell_can_read_the_secrets() {
    let folder = Folder::new();
    folder.run(&with_common(&["--source", "k=standard-webhooks"])).unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-euc", ". ./.dev.vars; printf %s \"$K_WEBHOOK_SECRET\""]).current_dir(&folder.0);
    let output = shell.output().unwrap();
    let value = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && value.starts_with("whsec_"));
    assert!(folder.text(".dev.vars").contains(&value));
}

#[test]
fn without_a_terminal_every_missing_or_wrong_answer_is_named_and_nothing_is_written() {
    let folder = Folder::new();
    let before = folder.text("wrangler.toml");
    let fails = |arguments: &[&str]| folder.run(arguments).unwrap_err().to_string();
    let error =
        fails(&["--source", "t=transcend", "--vendor", "instacart-connect", "--vendor", "insider"]);
    for option in [
        "--set t.audience",
        "--instacart-auth",
        "--partner-name",
        "--erase",
        "--delivery",
        "--admin",
        "--signed-receipts",
    ] {
        assert!(error.contains(&format!("\n  {option}: must be given")), "{option}: {error}");
    }
    for option in ["--source", "--vendor"] {
        assert!(fails(&[]).contains(&format!("\n  {option}: must be given")), "{option}");
    }
    for (arguments, wrong) in [
        (&["--source", "a=fax"][..], "--source a: the platform must be one of: "),
        (&["--source", "ketch=kecth"], ", opendsr, custom, not \"kecth\""),
        (&["--source", "whsec_pasted"], "--source: the platform must be one of: "),
        (&["--source", "k=whsec_pasted"], "--source k: the platform must be one of: "),
        (&["--source", "a b=ketch"], "--source: the name must be of "),
        (&["--source", "a-b=ketch", "--source", "a_b=ketch"], "another source has the same name"),
        (&["--source", "k=ketch", "--set", "k.typo=1"], "--set k.typo: is not a setting"),
        (&["--source", "k=ketch", "--set", "whsec_pasted"], "--set: is not a setting"),
        (
            &["--source", "k=ketch", "--partial-erasure", "accept"],
            "--partial-erasure: has no effect",
        ),
        (&["--source", "k=ketch", "--env", "a/b"], "--env: the name must be"),
    ] {
        let error = fails(&with_common(arguments));
        assert!(error.contains(wrong) && !error.contains("whsec_pasted"), "{arguments:?}: {error}");
    }
    // What only the check of the whole finds.
    let mut wrong = with_common(&["--source", "k=ketch"]);
    wrong.extend(["--insider-base-url", "http://insider.dev"]);
    let error = format!("{:#}", folder.run(&wrong).unwrap_err());
    assert!(
        error.contains("nothing was written: wrangler.toml:\n  VENDORS.insider.base_url: "),
        "{error}"
    );
    assert_eq!(folder.text("wrangler.toml"), before);
    assert!(!folder.0.join(".dev.vars").exists());
}

#[test]
fn at_a_terminal_what_is_missing_is_asked_for_until_it_is_right() {
    let folder = Folder::new();
    let answers = "fax\nketch\nmy name\nk\n\nboth\n\n\nACME\nacme\n\nall\nprofile\n\n\n\nno\n";
    let mut asked = Vec::new();
    let mut interview = Interview::new(Some(Cursor::new(answers)), &mut asked);
    let printed = folder.run_with(&[], &mut interview).unwrap();
    let asked = String::from_utf8(asked).unwrap();
    assert!(asked.contains("must be lowercase") && asked.contains("[account_id]"), "{asked}");
    assert!(printed.contains("K_TOKEN = ") && !printed.contains("RECEIPT_SECRET"), "{printed}");
    let vars = folder.vars();
    assert_eq!(vars["VENDORS"]["insider"]["erase"], "profile");
    assert_eq!(vars["VENDORS"]["instacart"]["auth"]["client_id"], "INSTACART_CLIENT_ID");
    // The input ends too early.
    let before = folder.text("wrangler.toml");
    let mut interview = Interview::new(Some(Cursor::new("ketch\n")), io::sink());
    let error = folder.run_with(&[], &mut interview).unwrap_err().to_string();
    assert!(error.starts_with("the input ended"), "{error}");
    assert_eq!(folder.text("wrangler.toml"), before);
}
