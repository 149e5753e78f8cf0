//! Every decoder, over its corpus and over what becomes of that when bytes are changed.
//!
//! ```text
//! fuzz                                       a few changes of every file in `corpus/`
//! fuzz --executions N [--seed S]             so many for each decoder
//! fuzz --executions N --careless             a decoder that trusts lengths: what finding something looks like
//! fuzz --loud                                with every panic's own message
//! ```

mod changes;
mod decoders;

use std::cell::Cell;
use std::path::PathBuf;
use std::process::ExitCode;

use decoders::{DECODERS, Decoder};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// What nobody should write: it is here to be found.
const CARELESS: Decoder = ("frame", |bytes| {
    let length = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
    bytes[12..12 + length].first() == Some(&b'{')
});

/// The committed files of a decoder: each was read without a panic once, and is again.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rust/fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Runs a decoder over changed files; how often it ran, and the shortest bytes that broke it.
fn broken_by((name, decode): Decoder, executions: u32, seed: u64) -> (u64, Option<Vec<u8>>) {
    let files = corpus(name);
    let ran = Cell::new(0_u64);
    let mut bytes_of_seed = [0; 32];
    bytes_of_seed[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: executions, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes_of_seed));
    let result = runner.run(&changes::of(files.len()), |(file, changes)| {
        ran.set(ran.get() + 1);
        let bytes = changes::changed(&files, file, &changes);
        std::panic::catch_unwind(|| decode(&bytes)).map_err(|_| TestCaseError::fail("a panic")).map(drop)
    });
    let broken = match result {
        Err(TestError::Fail(_, (file, changes))) => Some(changes::changed(&files, file, &changes)),
        _ => None,
    };
    (ran.get(), broken)
}

/// The corpus as it is: nothing panics, and every decoder accepts some of it. Otherwise its changes would prove little.
fn keeps_its_corpus((name, decode): Decoder) -> bool {
    let files = corpus(name);
    let taken = files.iter().filter(|bytes| std::panic::catch_unwind(|| decode(bytes)).unwrap_or_default()).count();
    println!("{name}: {taken} of {} files of its corpus are what they should be", files.len());
    let broken = files.iter().any(|bytes| std::panic::catch_unwind(|| decode(bytes)).is_err());
    taken > 0 && !broken
}

fn main() -> ExitCode {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| all.iter().position(|arg| arg == name).and_then(|at| all.get(at + 1)?.parse::<u64>().ok());
    let executions = after("--executions").and_then(|count| u32::try_from(count).ok()).unwrap_or(2_000);
    let decoders = if all.iter().any(|arg| arg == "--careless") { vec![CARELESS] } else { DECODERS.to_vec() };
    // What breaks is told below, once and short.
    if !all.iter().any(|arg| arg == "--loud") {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let kept = decoders.iter().filter(|decoder| keeps_its_corpus(**decoder)).count();
    let (mut ran, mut panics) = (0, 0);
    for decoder in &decoders {
        let (times, broken) = broken_by(*decoder, executions, after("--seed").unwrap_or(0));
        ran += times;
        if let Some(bytes) = broken {
            panics += 1;
            let start = &bytes[..bytes.len().min(600)];
            println!("{} panics on {} bytes: {:?}", decoder.0, bytes.len(), String::from_utf8_lossy(start));
        }
    }
    println!("fuzz_panics: {panics} (executions {ran}, decoders {})", decoders.len());
    if panics == 0 && kept == decoders.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
