//! Builds the wasm files that are named as arguments: compiled, given their glue, and optimized for size.
//!
//! `make wasm` calls it. One file is built after another, because cargo gives them all the same file to work on.

mod compiled;
mod paths;
mod versions;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

/// A wasm file with its glue.
struct WasmFile {
    /// What it is called on the command line.
    name: &'static str,
    /// The cargo features it is compiled with.
    features: &'static str,
    /// The folder it is written to.
    folder: &'static str,
    /// What its files' names begin with.
    stem: &'static str,
}

const FILES: &[WasmFile] = &[
    WasmFile { name: "engine", features: "engine", folder: "pkg/wasm/engine", stem: "engine" },
    WasmFile { name: "objects", features: "objects", folder: "pkg/wasm/objects", stem: "objects" },
    WasmFile { name: "api", features: "api", folder: "pkg/wasm/api", stem: "api" },
    // With a panic on demand, for tests; the packed tarball is checked not to hold it.
    WasmFile { name: "panicking", features: "engine,panic-injection", folder: ".build/panicking", stem: "engine" },
    WasmFile { name: "panicking-api", features: "api,panic-injection", folder: ".build/panicking-api", stem: "api" },
];

fn main() -> ExitCode {
    if let Err(error) = build_named() {
        // Causes behind it, without the backtrace that a debug print would add.
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn build_named() -> Result<()> {
    let root = repository()?;
    versions::check(&root)?;
    for name in env::args().skip(1) {
        let file = FILES.iter().find(|file| file.name == name).with_context(|| unknown(&name))?;
        build(&root, file).with_context(|| format!("the wasm file `{name}` was not built"))?;
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    let names: Vec<_> = FILES.iter().map(|file| file.name).collect();
    format!("there is no wasm file `{name}`: name some of {}", names.join(", "))
}

fn repository() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().context("the repository was not found")
}

fn build(root: &Path, file: &WasmFile) -> Result<()> {
    let compiled = compiled::compile(root, file.features)?;
    keep_compiled(root, file, &compiled)?;
    let folder = root.join(file.folder);
    write_glue(&compiled, &folder, file.stem)?;
    let wasm = folder.join(format!("{}_bg.wasm", file.stem));
    optimize(root, &wasm)?;
    let bytes = fs::read(&wasm)?;
    let told = paths::found_in(&bytes, &paths::of_the_builder(root));
    ensure!(told.is_empty(), "it tells paths of the machine that built it: {}", told.join(", "));
    println!("{}: {} bytes", file.name, bytes.len());
    Ok(())
}

/// What it was before anything made it smaller: the sizes of `make evidence` have it as their control.
fn keep_compiled(root: &Path, file: &WasmFile, compiled: &Path) -> Result<()> {
    let folder = root.join(".build/compiled");
    fs::create_dir_all(&folder)?;
    fs::copy(compiled, folder.join(format!("{}.wasm", file.name)))?;
    Ok(())
}

fn write_glue(compiled: &Path, folder: &Path, stem: &str) -> Result<()> {
    Bindgen::new()
        .input_path(compiled)
        .out_name(stem)
        .web(true)?
        .typescript(true)
        // Every host says where its wasm is; a default would have bundlers look for a file that is not there.
        .omit_default_module_path(true)
        .generate(folder)
}

/// Which features of WebAssembly it may use stands in the file.
fn optimize(root: &Path, wasm: &Path) -> Result<()> {
    let optimizer = root.join("tests/node_modules/.bin/wasm-opt");
    let arguments = ["-Os", "--strip-debug", "--strip-producers", "--output"];
    let mut command = Command::new(&optimizer);
    run(command.arg(wasm).args(arguments).arg(wasm))
        .context("wasm-opt is part of the npm package `binaryen`: run `npm --prefix tests ci`")
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{program} could not be started"))?;
    ensure!(status.success(), "{program} failed: {status}");
    Ok(())
}
