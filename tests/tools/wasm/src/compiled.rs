//! The crate as the compiler leaves it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{paths, run};

const TARGET: &str = "wasm32-unknown-unknown";

/// Compiles the library; the file that the compiler wrote.
pub fn compile(root: &Path, features: &str) -> Result<PathBuf> {
    let target_folder = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--quiet", "--release", "--lib", "--locked"]);
    cargo.args(["--target", TARGET, "--features", features, "--target-dir"]).arg(&target_folder);
    // Separated by 0x1f, so that a path may have spaces.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", paths::remapping(root).join("\u{1f}"));
    run(&mut cargo)?;
    Ok(target_folder.join(TARGET).join("release/onegen.wasm"))
}
