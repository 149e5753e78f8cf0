//! The glue's generator has to be of exactly the version that the crate is compiled with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// # Errors
/// When the two Cargo.lock files name different versions.
pub fn check(root: &Path) -> Result<()> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock was not read")?;
    let compiled = locked(&lock, "wasm-bindgen").context("Cargo.lock names no wasm-bindgen")?;
    let generator = locked(include_str!("../Cargo.lock"), "wasm-bindgen-cli-support").unwrap_or_default();
    ensure!(
        compiled == generator,
        "Cargo.lock has wasm-bindgen {compiled}, but tests/tools/wasm has wasm-bindgen-cli-support {generator}, and no file is \
         built: set `wasm-bindgen-cli-support = \"={compiled}\"` in tests/tools/wasm/Cargo.toml"
    );
    Ok(())
}

/// The version of a package in the text of a Cargo.lock.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"\nversion = \"");
    lock.split_once(&name)?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str =
        "[[package]]\nname = \"a-b\"\nversion = \"2.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";

    #[test]
    fn the_version_is_that_of_the_package_of_exactly_this_name() {
        assert_eq!(locked(LOCK, "a"), Some("1.0.0"));
        assert_eq!(locked(LOCK, "a-b"), Some("2.0.0"));
        assert_eq!(locked(LOCK, "b"), None);
    }

    #[test]
    fn another_version_is_told_with_what_to_do() {
        let root = std::env::temp_dir().join(format!("onegen-wasm-{}", std::process::id()));
        fs::create_dir_all(&root).expect("a folder");
        fs::write(root.join("Cargo.lock"), "name = \"wasm-bindgen\"\nversion = \"0.2.1\"\n").expect("a file");
        let told = check(&root).expect_err("they differ").to_string();
        fs::remove_dir_all(&root).expect("it is there");
        assert!(told.contains("has wasm-bindgen 0.2.1") && told.contains("\"=0.2.1\""), "{told}");
    }

    #[test]
    fn the_two_of_this_repository_agree() {
        check(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."))).expect("the same version");
    }
}
