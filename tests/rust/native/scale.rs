//! What a ledger is asked by more isolates than a machine can run: by the real machines, in virtual time.

use std::collections::BinaryHeap;

use onegen::base::limits::LedgerPolicy;
use onegen::base::time::{Millis, Span};
use onegen::ledger::LedgerCopy;
use onegen::ledger::{Answer, Event, Ledger, Rows};

const START: Millis = Millis(1_800_000_000_000);
const OWN_WINDOW: Span = Span::seconds(1);
const RUN: Span = Span::seconds(120);
/// What is measured, once windows have settled.
const MEASURED: Span = Span::seconds(32);

/// Of isolates that are all visited all the time: questions to the ledger in a second, and the longest window of any of them.
fn asked_by(isolates: u64) -> (u64, Span) {
    let policy = LedgerPolicy::default();
    let mut rows = Rows::default();
    let mut ledger = Ledger::new(START);
    let mut copies: Vec<_> = (0..isolates).map(|_| LedgerCopy::default()).collect();
    // They begin at any time of the first second.
    let first = |n: u64| START.after(Span(n * 1000 / isolates));
    let mut next: BinaryHeap<_> = (0..isolates).map(|n| std::cmp::Reverse((first(n), n))).collect();
    let end = START.after(RUN);
    let mut questions = 0;
    while let Some(std::cmp::Reverse((now, n))) = next.pop() {
        if now >= end {
            break;
        }
        let copy = &mut copies[usize::try_from(n).unwrap()];
        let Ok(answer) = ledger.step(&policy, &mut rows, now, Event::Since { position: copy.position() });
        let Answer::Since(since) = answer else { unreachable!() };
        copy.merge(since, now);
        if end.since(now) <= MEASURED {
            questions += 1;
        }
        next.push(std::cmp::Reverse((now.after(copy.window(OWN_WINDOW)), n)));
    }
    let longest = copies.iter().map(|copy| copy.window(OWN_WINDOW)).max().unwrap_or_default();
    (questions / MEASURED.whole_seconds(), longest)
}

#[test]
fn a_ledger_with_ever_more_isolates_is_asked_more_rarely_by_each_and_never_more_than_it_can_take() {
    println!("isolates | questions a second | longest window");
    for isolates in [1, 100, 400, 600, 1000, 2000, 4000, 8000] {
        let (questions, window) = asked_by(isolates);
        println!("{isolates} | {questions} | {} ms", window.0);
        assert!(questions <= 1000, "{isolates} isolates ask {questions} times a second, more than an object takes");
        assert!(isolates > 500 || window == OWN_WINDOW, "{isolates} isolates need no longer window than {}", window.0);
        assert!(window <= Span::seconds(8));
    }
}

#[test]
fn beyond_eight_thousand_isolates_one_ledger_is_asked_more_than_it_can_take() {
    let (questions, window) = asked_by(10_000);
    assert_eq!(window, Span::seconds(8));
    assert!(questions > 1000, "then a limit that the documentation tells is out of date");
}
