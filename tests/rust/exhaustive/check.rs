//! How a check is run, and what it prints.

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

/// Sees every state, or stops at the first that breaks a promise.
pub(crate) fn check<M>(name: &str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let checker = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    println!("{name}: {} steps into {} different states", checker.state_count(), checker.unique_state_count());
    checker.assert_properties();
}

/// The check must find what is wrong, else it would find nothing either when the code is.
pub(crate) fn assert_noticed<M>(mistake: &str, broken: &'static str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let goal = HasDiscoveries::AnyOf([broken].into());
    let checker = model.checker().threads(2).finish_when(goal).spawn_bfs().join();
    println!("{mistake}: noticed within {} states", checker.unique_state_count());
    checker.assert_any_discovery(broken);
}
