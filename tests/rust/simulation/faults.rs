//! Mistakes that are made on purpose: each must be found, else nothing would be found either when it is made by accident.

pub(crate) use onegen::base::fault::Fault;

/// Mistakes of whoever drives the machines: the hosts and the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glue {
    RepliesBeforeStoring,
    SupersededAnswersFromMemory,
    GenerationsBeginAnew,
    IgnoresTheFence,
    TakesFailedPutsForDone,
    WakesNobody,
    NewerComesWithoutBytes,
    FillIsTakenForRefresh,
    BackOffDoesNotGrow,
    HitForMissIsForgotten,
    AnswersOwnRowsAlone,
    LeaderWritesKv,
    PositionAtTheEnd,
    ForgetsStaleParts,
    FailedRenderIsStored,
    LeaseIsNotGivenBack,
    PrefetchMayLead,
    BuildsShareAScope,
    WindowOfAMinute,
}

impl Glue {
    pub(crate) const ALL: [Self; 19] = [
        Self::RepliesBeforeStoring,
        Self::SupersededAnswersFromMemory,
        Self::GenerationsBeginAnew,
        Self::IgnoresTheFence,
        Self::TakesFailedPutsForDone,
        Self::WakesNobody,
        Self::NewerComesWithoutBytes,
        Self::FillIsTakenForRefresh,
        Self::BackOffDoesNotGrow,
        Self::HitForMissIsForgotten,
        Self::AnswersOwnRowsAlone,
        Self::LeaderWritesKv,
        Self::PositionAtTheEnd,
        Self::ForgetsStaleParts,
        Self::FailedRenderIsStored,
        Self::LeaseIsNotGivenBack,
        Self::PrefetchMayLead,
        Self::BuildsShareAScope,
        Self::WindowOfAMinute,
    ];
}
