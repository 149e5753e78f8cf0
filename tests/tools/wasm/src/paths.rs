//! Paths of the machine that builds: panic messages would tell them to every reader of the file.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where sources are compiled from, each with the name under which the file may tell of it.
fn sources(root: &Path) -> Vec<(PathBuf, &'static str)> {
    let home = env::home_dir().unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let mut sources =
        vec![(root.to_owned(), "onegen"), (cargo_home.join("registry/src"), "crates"), (cargo_home, "cargo")];
    sources.extend(sysroot().map(|folder| (folder, "rust")));
    sources
}

fn sysroot() -> Option<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// Arguments that have the compiler write other names in the place of these paths. The last that fits a path counts.
pub fn remapping(root: &Path) -> Vec<String> {
    let argument = |(folder, name): (PathBuf, &str)| format!("--remap-path-prefix={}={name}", folder.display());
    sources(root).into_iter().rev().map(argument).collect()
}

/// What must not stand in a built file.
pub fn of_the_builder(root: &Path) -> Vec<String> {
    let folders = sources(root).into_iter().map(|(folder, _)| folder);
    folders.chain(env::home_dir()).map(|folder| folder.display().to_string()).filter(|path| path.len() > 1).collect()
}

/// Those of the paths that stand in the bytes.
pub fn found_in(bytes: &[u8], paths: &[String]) -> Vec<String> {
    let holds = |path: &&String| bytes.windows(path.len()).any(|window| window == path.as_bytes());
    paths.iter().filter(holds).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_stands_in_a_file_is_found() {
        let paths = ["/home/builder".to_owned(), "/elsewhere".to_owned()];
        assert_eq!(found_in(b"\0asm panicked at /home/builder/crate/src/lib.rs", &paths), ["/home/builder"]);
        assert!(found_in(b"\0asm panicked at crates/crate/src/lib.rs", &paths).is_empty());
    }

    #[test]
    fn what_the_compiler_is_told_to_rename_is_what_must_not_be_found() {
        let root = Path::new("/home/builder/onegen");
        let renamed = remapping(root).join("\n");
        for path in of_the_builder(root)
            .iter()
            .filter(|path| **path != env::home_dir().unwrap_or_default().display().to_string())
        {
            assert!(renamed.contains(&format!("={path}=")), "{path} is not in {renamed}");
        }
    }
}
