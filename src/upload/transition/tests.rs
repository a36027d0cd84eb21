//! Every transition, and every refusal.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::upload::Owner;

const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_700_000_000_000);

fn boot() -> BootId {
    BootId::new("this".to_owned())
}

fn offset(bytes: u64) -> UploadOffset {
    UploadOffset::new(bytes).unwrap()
}

fn length(bytes: u64) -> UploadLength {
    UploadLength::new(bytes).unwrap()
}

fn limits(max: Option<u64>) -> Limits {
    Limits { max_length: max.map(length), ..Limits::default() }
}

fn new(bytes: Option<u64>, relation: Relation) -> NewSession {
    let new = NewSession::of(Owner::anonymous(), bytes.map(length), Metadata::default());
    NewSession { relation, ..new }
}

fn session(bytes: Option<u64>) -> Session {
    let limits = limits(None);
    Session::create(new(bytes, Relation::Whole), UploadId::generate(), &limits, boot(), NOW)
        .unwrap()
}

fn partial(bytes: Option<u64>) -> Session {
    let limits = limits(None);
    let new = new(bytes, Relation::Partial);
    Session::create(new, UploadId::generate(), &limits, boot(), NOW).unwrap()
}

fn received(mut session: Session, bytes: u64) -> Session {
    let mut received = Received::default();
    received.append(&vec![0; usize::try_from(bytes).unwrap()]);
    let progress = Progress { received, boot: boot(), synced: true };
    session.receive(progress, &limits(None), NOW);
    session
}

fn completed(session: Session, bytes: u64) -> Session {
    let mut session = received(session, bytes);
    session.complete(&limits(None), NOW);
    session
}

fn append(at: u64, declares: Option<u64>, body: Option<u64>) -> AppendRequest {
    AppendRequest { at: offset(at), declares: declares.map(length), body_bytes: body }
}

fn plan(session: &Session, request: AppendRequest) -> Result<AppendPlan, Refusal> {
    session.plan_append(&request, &limits(None), NOW)
}

fn order(parts: &[Session]) -> ConcatOrder {
    ConcatOrder {
        owner: Owner::anonymous(),
        metadata: Metadata::default(),
        parts: parts.iter().map(Session::id).collect(),
        as_received: "final;…".to_owned(),
        max_length: None,
    }
}

fn assemble(parts: &[Session], limits: &Limits) -> Result<Session, Refusal> {
    Session::assemble(UploadId::generate(), &order(parts), parts, limits, boot(), NOW)
}

/// T-65
#[test]
fn a_session_longer_than_the_maximum_is_refused_and_one_of_exactly_that_length_is_not() {
    let create = |bytes| {
        let (new, limits) = (new(Some(bytes), Relation::Whole), limits(Some(10)));
        Session::create(new, UploadId::generate(), &limits, boot(), NOW)
    };
    assert!(create(10).is_ok());
    assert_eq!(create(11), Err(Refusal::TooLarge { max: length(10) }));
}

/// T-32
#[test]
fn an_append_at_the_wrong_offset_is_refused_and_names_the_right_one() {
    let session = received(session(Some(10)), 4);
    for wrong in [0, 3, 5, 10, 11] {
        let refusal = plan(&session, append(wrong, None, Some(1)));
        assert_eq!(refusal, Err(Refusal::OffsetMismatch { expected: offset(4) }));
    }
    assert_eq!(plan(&session, append(4, None, Some(6))).unwrap().budget_bytes, 6);
}

/// T-39, T-40, T-44
#[test]
fn a_body_longer_than_what_is_missing_is_refused_or_bounded() {
    let whole = session(Some(10));
    let session = received(whole.clone(), 4);
    let past = Refusal::PastTheEnd { length: length(10) };
    assert_eq!(plan(&session, append(4, None, Some(7))), Err(past.clone()));
    let open_ended = plan(&session, append(4, None, None)).unwrap();
    assert_eq!((open_ended.budget_bytes, open_ended.ceiling.refusal()), (6, past.clone()));
    let complete = completed(whole, 10);
    assert_eq!(plan(&complete, append(10, None, Some(1))), Err(past));
}

/// T-42, T-43
#[test]
fn an_empty_append_is_fine_at_the_offset_before_and_after_completion() {
    let running = received(session(Some(10)), 4);
    assert!(plan(&running, append(4, None, Some(0))).is_ok());
    let complete = completed(session(Some(10)), 10);
    assert_eq!(plan(&complete, append(10, None, Some(0))).unwrap().budget_bytes, 0);
}

/// T-41
#[test]
fn a_deferred_upload_is_bounded_by_the_maximum() {
    let session = received(session(None), 4);
    let limits = limits(Some(10));
    let request = |body| append(4, None, body);
    let too_large = Err(Refusal::TooLarge { max: length(10) });
    assert_eq!(session.plan_append(&request(Some(7)), &limits, NOW), too_large);
    let open_ended = session.plan_append(&request(None), &limits, NOW).unwrap();
    assert_eq!(open_ended.budget_bytes, 6);
}

/// T-84, T-85, T-87, T-88
#[test]
fn a_length_is_declared_once_and_must_fit() {
    let session = received(session(None), 4);
    assert!(plan(&session, append(4, Some(10), Some(3))).is_ok());
    let too_short = plan(&session, append(4, Some(5), Some(3)));
    assert_eq!(too_short, Err(Refusal::LengthTooShort { received: 7 }));
    let too_large = session.plan_append(&append(4, Some(11), Some(0)), &limits(Some(10)), NOW);
    assert_eq!(too_large, Err(Refusal::TooLarge { max: length(10) }));

    let mut declared = session;
    declared.declare(length(10));
    assert!(plan(&declared, append(4, Some(10), Some(1))).is_ok());
    let changed = plan(&declared, append(4, Some(9), Some(1)));
    assert_eq!(changed, Err(Refusal::LengthIsFixed { length: length(10) }));
}

/// T-105, T-106
#[test]
fn an_expired_upload_takes_nothing_even_before_the_reaper_came() {
    let session = session(Some(10));
    let later = NOW.after(limits(None).session_timeout);
    let refusal = session.plan_append(&append(0, None, None), &limits(None), later);
    assert_eq!(refusal, Err(Refusal::Expired));
}

/// T-104
#[test]
fn activity_moves_the_expiry() {
    let mut session = session(Some(10));
    let before = session.expires_at();
    let later = NOW.after(Duration::from_secs(3600));
    let progress = Progress { received: Received::default(), boot: boot(), synced: true };
    session.receive(progress, &limits(None), later);
    assert_eq!(session.expires_at(), before.map(|_| later.after(limits(None).session_timeout)));
}

/// T-107
#[test]
fn a_finished_upload_does_not_expire_unless_a_retention_is_set() {
    assert_eq!(completed(session(Some(3)), 3).expires_at(), None);
    let mut kept = received(session(Some(3)), 3);
    let retention = Some(Duration::from_secs(60));
    kept.complete(&Limits { retention, ..limits(None) }, NOW);
    assert_eq!(kept.expires_at(), Some(NOW.after(Duration::from_secs(60))));
    assert!(completed(partial(Some(3)), 3).expires_at().is_some());
}

/// T-142, T-144, T-146
#[test]
fn a_final_upload_has_the_sum_of_its_parts_and_metadata_of_its_own() {
    let (a, b) = (completed(partial(Some(3)), 3), completed(partial(Some(4)), 4));
    let whole = assemble(&[a.clone(), b, a], &limits(None)).unwrap();
    assert_eq!(whole.length(), Some(length(10)));
    assert_eq!(whole.phase(), Phase::Assembling);
    assert!(whole.metadata().is_empty());
}

/// T-150
#[test]
fn a_final_upload_over_a_deferred_part_has_a_deferred_length_until_it_is_measured() {
    let (a, b) = (partial(None), completed(partial(Some(4)), 4));
    let mut whole = assemble(&[a.clone(), b.clone()], &limits(None)).unwrap();
    assert_eq!(whole.length(), None);
    whole.measure(&[completed(a, 2), b]);
    assert_eq!(whole.length(), Some(length(6)));
}

/// T-147
#[test]
fn a_final_upload_takes_no_bytes() {
    let whole = assemble(&[completed(partial(Some(3)), 3)], &limits(None)).unwrap();
    assert_eq!(plan(&whole, append(0, None, Some(0))), Err(Refusal::FinalTakesNoBytes));
}

/// T-153, T-154, T-156, T-161
#[test]
fn what_cannot_be_joined_is_refused_with_the_part_that_is_wrong() {
    let good = completed(partial(Some(3)), 3);
    let whole = completed(session(Some(3)), 3);
    let refusal = Refusal::NotAPart { part: whole.id() };
    assert_eq!(assemble(&[good.clone(), whole], &limits(None)), Err(refusal));

    let mut strangers = good.clone();
    strangers.owner = Owner::named("mallory".to_owned());
    let refusal = Refusal::PartMissing { part: strangers.id() };
    assert_eq!(assemble(&[strangers], &limits(None)), Err(refusal));

    let mut gone = good.clone();
    gone.depart(Departure::Terminated, &limits(None), NOW);
    let refusal = Refusal::PartMissing { part: gone.id() };
    assert_eq!(assemble(&[gone], &limits(None)), Err(refusal));

    assert_eq!(assemble(&[], &limits(None)), Err(Refusal::NoParts));
    let many = vec![good.clone(); 3];
    let few = Limits { max_parts: 2, ..limits(None) };
    assert_eq!(assemble(&many, &few), Err(Refusal::TooManyParts { max: 2 }));
    let small = Refusal::TooLarge { max: length(8) };
    assert_eq!(assemble(&many, &limits(Some(8))), Err(small));
}

#[test]
fn only_a_complete_upload_that_is_no_partial_can_be_read() {
    assert_eq!(session(Some(3)).plan_read(NOW), Err(Refusal::NotComplete));
    assert_eq!(completed(session(Some(3)), 3).plan_read(NOW), Ok(length(3)));
    let partial = completed(partial(Some(3)), 3);
    assert_eq!(partial.plan_read(NOW), Err(Refusal::PartialIsNotServed));
}

/// T-132
#[test]
fn what_left_is_remembered_by_its_reason_and_nothing_else() {
    let metadata = Metadata::parse("name c2VjcmV0").unwrap();
    for (why, refusal) in
        [(Departure::Terminated, Refusal::Terminated), (Departure::Expired, Refusal::Expired)]
    {
        let mut gone = completed(session(Some(3)), 3);
        gone.metadata = metadata.clone();
        gone.depart(why, &limits(None), NOW);
        assert_eq!(gone.present(NOW), Err(refusal));
        assert!(gone.metadata().is_empty());
        assert_eq!(gone.offset(), UploadOffset::ZERO);
    }
}

proptest! {
    /// Whatever is asked of whatever session: a plan never lets an upload pass its bounds.
    #[test]
    fn no_plan_passes_the_length_or_the_maximum(
        total in prop::option::of(0_u64..50), have in 0_u64..50, at in 0_u64..50,
        declares in prop::option::of(0_u64..60), body in prop::option::of(0_u64..60),
        max in prop::option::of(1_u64..50),
    ) {
        let have = total.map_or(have, |total| have.min(total));
        let session = received(session(total), have);
        let request = append(at, declares, body);
        if let Ok(plan) = session.plan_append(&request, &limits(max), NOW) {
            let end = plan.start.advance(plan.budget_bytes).unwrap().get();
            prop_assert_eq!(at, have);
            prop_assert!(total.or(declares).is_none_or(|total| end <= total));
            prop_assert!(body.is_none_or(|body| body <= plan.budget_bytes));
            if total.is_none() {
                prop_assert!(max.is_none_or(|max| end <= max));
            }
        }
    }
}

///
#[test]
fn an_upload_that_has_to_be_gone_by_a_moment_expires_then_at_the_latest() {
    let limits = limits(None);
    let soon = NOW.after(Duration::from_secs(60));
    let new = NewSession { keep_until: Some(soon), ..new(Some(3), Relation::Whole) };
    let mut session = Session::create(new, UploadId::generate(), &limits, boot(), NOW).unwrap();
    assert_eq!(session.expires_at(), Some(soon));
    session = received(session, 3);
    assert_eq!(session.expires_at(), Some(soon));
    session.complete(&limits, NOW);
    assert_eq!(session.expires_at(), Some(soon));
    assert_eq!(session.plan_read(soon), Err(Refusal::Expired));
    let retention = Some(Duration::from_secs(10));
    session.complete(&Limits { retention, ..limits }, NOW);
    assert_eq!(session.expires_at(), Some(NOW.after(Duration::from_secs(10))));
}

///
#[test]
fn an_upload_that_could_be_created_again_for_ever_is_never_forgotten() {
    for (memory, forgotten) in [
        (Memory::ForAWhile, Some(NOW.after(Limits::default().tombstone_retention))),
        (Memory::ForEver, None),
    ] {
        let new = NewSession { memory, ..new(Some(3), Relation::Whole) };
        let mut session =
            Session::create(new, UploadId::generate(), &limits(None), boot(), NOW).unwrap();
        session.depart(Departure::Terminated, &limits(None), NOW);
        assert_eq!(session.expires_at(), forgotten);
    }
}
