use super::*;
use crate::upload::geometry::{ClaimedRange, Contradiction, Statement};
use crate::upload::transition::Progress;
use crate::upload::{
    BootId, ConcatOrder, Metadata, NewSession, Owner, Received, UploadId, UploadLength,
};

const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_700_000_000_000);

fn boot() -> BootId {
    BootId::new("this".to_owned())
}

fn new(length: Option<u64>) -> NewSession {
    NewSession::of(Owner::anonymous(), length.and_then(UploadLength::new), Metadata::default())
}

fn create(new: NewSession) -> Session {
    Session::create(new, UploadId::generate(), &Limits::default(), boot(), NOW).unwrap()
}

fn holding(mut session: Session, bytes: usize) -> Session {
    let mut received = Received::default();
    received.append(&vec![0; bytes]);
    session.receive(Progress { received, boot: boot(), synced: true }, &Limits::default(), NOW);
    session
}

/// A chunk of fifteen bytes in chunks of four.
fn claim(chunk: u64) -> ChunkClaim {
    ChunkClaim {
        chunk,
        total_chunks: None,
        length: Some(15),
        chunk_bytes: Some(4),
        range: None,
        body_bytes: None,
    }
}

fn plan(session: &Session, claim: &ChunkClaim) -> Result<ChunkPlan, Refusal> {
    session.plan_chunk(claim, &Limits::default(), NOW)
}

fn takes(session: &Session, claim: &ChunkClaim) -> (u64, u64) {
    match plan(session, claim) {
        Ok(ChunkPlan::Receive(take)) => (take.from, take.reached),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chunk_of_an_upload_without_any_is_taken_from_its_front() {
    assert_eq!(takes(&create(new(Some(15))), &claim(2)), (8, 8));
    assert_eq!(takes(&create(new(None)), &claim(3)), (12, 12));
}

#[test]
fn what_lies_before_the_offset_is_there_whatever_brought_it() {
    let session = holding(create(new(Some(15))), 6);
    assert_eq!(plan(&session, &claim(0)), Ok(ChunkPlan::There));
    assert_eq!(takes(&session, &claim(1)), (4, 6));
}

#[test]
fn a_chunk_goes_on_where_it_was_cut_or_before_but_not_behind() {
    let session = holding(create(new(Some(15))), 6);
    let from = |first| ChunkClaim {
        range: Some(ClaimedRange { first, last: 7, complete: 15 }),
        ..claim(1)
    };
    assert_eq!(takes(&session, &from(5)), (5, 6));
    assert_eq!(takes(&session, &from(6)), (6, 6));
    let expected = UploadOffset::new(6).unwrap();
    assert_eq!(plan(&session, &from(7)), Err(Refusal::OffsetMismatch { expected }));
}

#[test]
fn once_cut_into_chunks_an_upload_keeps_its_geometry() {
    let mut session = create(new(None));
    let geometry = claim(0).infer(None, 10).unwrap();
    session.cut_into(geometry, &Limits::default()).unwrap();
    assert_eq!(session.length(), UploadLength::new(15));
    let other = ChunkClaim { chunk_bytes: Some(5), ..claim(0) };
    let contradiction =
        Contradiction { statement: Statement::ChunkSize, against: Against::Session, expected: 4 };
    assert_eq!(plan(&session, &other), Err(Refusal::ChunkContradicts(contradiction)));
}

#[test]
fn a_length_known_before_is_the_one_that_chunks_must_agree_with() {
    let contradiction =
        Contradiction { statement: Statement::TotalSize, against: Against::Session, expected: 20 };
    let refused = plan(&create(new(Some(20))), &claim(0));
    assert_eq!(refused, Err(Refusal::ChunkContradicts(contradiction)));
}

#[test]
fn an_upload_is_not_cut_into_chunks_shorter_than_what_is_there_or_longer_than_it_may_be() {
    let session = holding(create(new(None)), 16);
    assert_eq!(plan(&session, &claim(3)), Err(Refusal::LengthTooShort { received: 16 }));
    let max_length = UploadLength::new(14);
    let session = create(NewSession { max_length, ..new(None) });
    let max = max_length.unwrap();
    assert_eq!(plan(&session, &claim(0)), Err(Refusal::TooLarge { max }));
}

#[test]
fn a_final_upload_takes_no_chunk_and_a_complete_one_needs_none() {
    let mut part = create(NewSession { relation: Relation::Partial, ..new(Some(0)) });
    part.complete(&Limits::default(), NOW);
    let order = ConcatOrder {
        owner: Owner::anonymous(),
        metadata: Metadata::default(),
        parts: vec![part.id()],
        as_received: String::new(),
        max_length: None,
    };
    let id = UploadId::generate();
    let whole = Session::assemble(id, &order, &[part], &Limits::default(), boot(), NOW).unwrap();
    assert_eq!(plan(&whole, &claim(0)), Err(Refusal::FinalTakesNoBytes));
    let mut complete = holding(create(new(Some(15))), 15);
    complete.complete(&Limits::default(), NOW);
    assert_eq!(plan(&complete, &claim(3)), Ok(ChunkPlan::There));
}

#[test]
fn an_upload_that_expired_takes_no_chunk() {
    let session = create(new(Some(15)));
    let later = NOW.after(Limits::default().session_timeout);
    assert_eq!(session.plan_chunk(&claim(0), &Limits::default(), later), Err(Refusal::Expired));
}
