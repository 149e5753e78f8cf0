//! Mistakes that the simulation makes on purpose, to show that it would find them. Nothing of this is in a build without the
//! feature `planted-faults`.

/// A mistake of the core's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A lease lives a moment longer than it was granted for.
    LeaseLivesAtItsDeadline,
    /// A lease is granted beside a live one.
    GrantsBesideALease,
    /// A publication without a lease is accepted beside a leader.
    AcceptsBesideALeader,
    /// A publication under a lease that was taken over is accepted.
    AcceptsAfterATakeover,
    /// Generations go on from the latest that was published, whatever was handed out.
    CountsPublishedOnly,
    /// A failed render does not count.
    ForgetsFailures,
    /// What an isolate has seen of a route does not count.
    ForgetsWhatItHasSeen,
    /// A soft invalidation weakens a hard one.
    SoftWeakensHard,
    /// The end of a soft invalidation never comes.
    SoftNeverEnds,
    /// A position of a lost ledger counts as one of this one.
    ForeignPositionsCount,
    /// A copy takes an older answer for the latest.
    CopyGoesBack,
    /// A copy's age counts from when the answer arrived.
    AgeCountsFromTheAnswer,
    /// A page that is expired is served as stale.
    ServesExpired,
    /// Nobody is told that a part was stale.
    DoesNotTellOfStaleParts,
    /// A waiter is given what was invalidated before it asked.
    WaitersTakeAnything,
    /// A fenced render is kept as if it had been accepted.
    KeepsFencedRenders,
    /// What an isolate alone has is fresh as long as it says.
    KeepsItsOwn,
    /// What is rendered under a lease that travelled counts as being as new as the lease.
    CarriedLeaseOutranksItsRequest,
    /// An isolate that was told to hold asks again at once.
    ForgetsHolds,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::LeaseLivesAtItsDeadline,
        Self::GrantsBesideALease,
        Self::AcceptsBesideALeader,
        Self::AcceptsAfterATakeover,
        Self::CountsPublishedOnly,
        Self::ForgetsFailures,
        Self::ForgetsWhatItHasSeen,
        Self::SoftWeakensHard,
        Self::SoftNeverEnds,
        Self::ForeignPositionsCount,
        Self::CopyGoesBack,
        Self::AgeCountsFromTheAnswer,
        Self::ServesExpired,
        Self::DoesNotTellOfStaleParts,
        Self::WaitersTakeAnything,
        Self::KeepsFencedRenders,
        Self::KeepsItsOwn,
        Self::CarriedLeaseOutranksItsRequest,
        Self::ForgetsHolds,
    ];

    /// Whether it is made.
    #[cfg(not(feature = "planted-faults"))]
    pub(crate) const fn is_planted(self) -> bool {
        let _ = self;
        false
    }

    /// Whether it is made.
    #[cfg(feature = "planted-faults")]
    pub(crate) fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }
}

#[cfg(feature = "planted-faults")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// From now on this thread makes this mistake, and no other.
#[cfg(feature = "planted-faults")]
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}
