//! Histories of many isolates, coordinators and a ledger, in which nearly everything goes wrong; each follows from its seed.
//!
//! ```text
//! simulation                      a few histories, and every seed that once found something
//! simulation --histories N [--from S] [--planted F]
//! simulation --seed S             one history, told
//! simulation --faults [--only F] [--within N]   every planted mistake, until it is found
//! ```

mod faults;
mod host;
mod kept;
mod objects;
mod plan;
mod random;
mod runs;
mod truth;
mod world;

fn main() -> std::process::ExitCode {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let named = |name: &str| all.iter().position(|arg| arg == name).and_then(|at| all.get(at + 1));
    let after = |name: &str| named(name).and_then(|value| value.parse::<u64>().ok());
    let held = if let Some(seed) = after("--seed") {
        runs::tell(seed)
    } else if all.iter().any(|arg| arg == "--faults") {
        runs::find_all_faults(named("--only"), after("--within"))
    } else {
        let histories = after("--histories").unwrap_or(5_000);
        runs::keep_all(kept::SEEDS) && runs::run(after("--from").unwrap_or(0), histories, named("--planted"))
    };
    if held { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
