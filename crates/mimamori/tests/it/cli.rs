//! The command line as people and scripts meet it: help, exit codes, what errors say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use mimamori::exit::{Exit, TABLE};

/// Runs the program with nothing of ours in its environment.
fn mimamori(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mimamori"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MIMAMORI_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(std::process::Stdio::null()).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn home_with(folder: &Path, settings: &str) -> String {
    fs::write(folder.join("mimamori.toml"), settings).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn help_names_every_command_and_every_exit_code() {
    let output = mimamori(&["--help"]);
    assert_eq!(code(&output), 0);
    let help = stdout(&output);
    for command in [
        "init",
        "serve",
        "demo",
        "import",
        "user",
        "institution",
        "token",
        "ledger",
        "key",
        "policy",
        "doctor",
    ] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))),
            "{command}: {help}"
        );
    }
    for (exit, meaning) in TABLE {
        assert!(help.contains(&format!("{:>3}  {meaning}", exit.code())), "{exit:?}: {help}");
    }
    let ledger = stdout(&mimamori(&["ledger", "--help"]));
    for command in ["verify", "prove", "verify-receipt", "review", "checkpoint", "export", "key", "new-epoch"]
    {
        assert!(ledger.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {ledger}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_64() {
    for arguments in [&["bake"][..], &["import"], &["user", "add"], &["ledger", "verify", "--copy", "x"], &[]]
    {
        let output = mimamori(arguments);
        assert_eq!(code(&output), i32::from(Exit::Usage.code()), "{arguments:?}");
        assert!(stdout(&output).is_empty() && !stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_unknown_setting_is_refused_with_place_and_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let home = home_with(folder.path(), "[listen]\nstaf = \"127.0.0.1:8080\"\n");
    let output = mimamori(&["--home", &home, "serve"]);
    assert_eq!(code(&output), i32::from(Exit::Configuration.code()));
    let text = stderr(&output);
    assert!(text.contains("mimamori.toml:2:1: unknown key `staf`"), "{text}");
    assert!(text.contains("Did you mean `staff`?"), "{text}");

    let output = mimamori(&["--home", &home, "--json", "serve"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(value["exit"], Exit::Configuration.code());
    assert!(value["next"].as_str().unwrap().contains("staff"));
}

#[test]
fn plain_http_for_other_machines_is_refused_before_anything_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let home = home_with(folder.path(), "[listen]\nfhir = \"0.0.0.0:0\"\n");
    let output = mimamori(&["--home", &home, "serve"]);
    assert_eq!(code(&output), i32::from(Exit::Configuration.code()));
    assert!(stderr(&output).contains("tls.certificate"), "{}", stderr(&output));
}

#[test]
fn no_installation_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("none");
    let output = mimamori(&["--home", home.to_str().unwrap(), "user", "list"]);
    assert_eq!(code(&output), i32::from(Exit::Unavailable.code()));
    assert!(stderr(&output).contains("mimamori init"), "{}", stderr(&output));
}

#[test]
fn init_leaves_a_used_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter"), "mine").unwrap();
    let output = mimamori(&["--home", folder.path().to_str().unwrap(), "init"]);
    assert_eq!(code(&output), i32::from(Exit::CannotCreate.code()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_init_takes_away_what_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    let output = mimamori(&["--home", home, "init", "--database", "sqlite:no/such/folder/x.db"]);
    assert_eq!(code(&output), i32::from(Exit::Unavailable.code()), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn init_makes_a_home_for_its_owner_only_and_doctor_watches_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("city");
    let text = home.to_str().unwrap();
    let output =
        mimamori(&["--home", text, "--json", "init", "--name", "小さな町", "--ledger", "town.example"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for inside in ["", "keys", "data", "state"] {
        assert_eq!(mode(&home.join(inside)), 0o700, "{inside}");
    }
    for inside in ["keys/root.key", "keys/ring", "mimamori.toml"] {
        assert_eq!(mode(&home.join(inside)), 0o600, "{inside}");
    }
    assert!(fs::read_to_string(home.join("mimamori.toml")).unwrap().contains("小さな町"));

    let states = |output: &Output| -> Vec<(String, String)> {
        let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        findings.as_array().unwrap().iter().map(|f| (text(&f["check"]), text(&f["state"]))).collect()
    };
    let output = mimamori(&["--home", text, "--json", "doctor"]);
    let healthy = states(&output);
    for check in ["settings", "permissions", "root key", "key ring", "policy pack", "database", "ledger"] {
        assert!(healthy.contains(&(check.to_owned(), "ok".to_owned())), "{check}: {healthy:?}");
    }

    let key = home.join("keys/root.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let output = mimamori(&["--home", text, "--json", "doctor"]);
    assert_eq!(code(&output), i32::from(Exit::Failed.code()));
    assert!(states(&output).contains(&("root key".to_owned(), "problem".to_owned())));
    let output = mimamori(&["--home", text, "user", "list"]);
    assert_eq!(code(&output), i32::from(Exit::Unavailable.code()));
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
}

#[test]
fn the_built_in_rules_are_valid_and_a_broken_pack_names_its_file() {
    assert_eq!(code(&mimamori(&["policy", "check"])), 0);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pack.yaml"), "id: [\n").unwrap();
    let output = mimamori(&["policy", "check", folder.path().to_str().unwrap()]);
    assert_eq!(code(&output), i32::from(Exit::Configuration.code()));
    assert!(stderr(&output).contains("pack.yaml"), "{}", stderr(&output));
}

#[test]
fn an_empty_copy_and_a_forged_receipt_are_findings() {
    let folder = tempfile::tempdir().unwrap();
    let seed = [7; 32];
    let signer = mimamori_ledger::Signer::from_seed("town.example", &seed).unwrap();
    let key = signer.verifier_key().to_string();
    let output = mimamori(&["ledger", "verify", "--copy", folder.path().to_str().unwrap(), "--key", &key]);
    assert_eq!(code(&output), i32::from(Exit::Findings.code()), "{}", stdout(&output));
    let receipt = folder.path().join("receipt");
    fs::write(&receipt, "c2sp.org/tlog-proof@v1\nindex 0\n").unwrap();
    let output = mimamori(&["ledger", "verify-receipt", receipt.to_str().unwrap(), "--key", &key]);
    assert_eq!(code(&output), i32::from(Exit::Findings.code()), "{}", stdout(&output));
    let output = mimamori(&["ledger", "verify-receipt", receipt.to_str().unwrap(), "--key", "nonsense"]);
    assert_eq!(code(&output), i32::from(Exit::Usage.code()));
}
