//! Runs that are kept in a store that fails.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Fault, Faulty, at, contents, machine, once, quick, store};
use dermagan_cloud::{
    CloudError, Condition, Mirror, MirrorEvent, POINTER, Pointer, RunCopy, Scratch, Store, begin,
    claim_number, newest_run, restore,
};
use object_store::memory::InMemory;

const RUN: &str = "s3://lab/runs/00000-phantom-tiny";

#[test]
fn writers_on_many_machines_get_different_numbers() {
    let memory = Arc::new(InMemory::new());
    let outdir = at("s3://lab/runs");
    let copied = store(memory.clone());
    copied.put(&outdir.join("00004-old-fast/log.txt"), Vec::new(), &Condition::New).unwrap();
    let numbers: BTreeSet<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|writer| {
                let (memory, outdir) = (memory.clone(), &outdir);
                scope.spawn(move || {
                    let client = Faulty::new(&memory);
                    client.set_delay(Duration::from_millis(1));
                    // The answer to the first PUT is lost.
                    client.fault(3, Fault::AnswerLost);
                    claim_number(&store(client), outdir, &format!("writer-{writer}")).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(numbers, (5..13).collect());
}

#[test]
fn the_newest_run_is_the_highest_number_that_has_a_checkpoint() {
    let store = store(Arc::new(InMemory::new()));
    let outdir = at("s3://lab/runs");
    let newest = || newest_run(&store, &outdir, "checkpoint-");
    assert!(newest().unwrap_err().to_string().contains("s3://lab/runs/latest: no such object"));
    for name in
        ["00002-a-b/checkpoint-000001.safetensors", "00010-a-b/log.txt", "claims/00011", "x/y"]
    {
        store.put(&outdir.join(name), Vec::new(), &Condition::New).unwrap();
    }
    assert_eq!(newest().unwrap(), outdir.join("00002-a-b"));
}

/// The local folder of the run on a machine.
fn local(scratch: &Scratch) -> PathBuf {
    let folder = scratch.runs().join(at(RUN).as_path());
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes what a snapshot writes, and removes the oldest checkpoint.
fn snapshot(folder: &Path, kimg: u32) {
    let checkpoint = |kimg: u32| folder.join(format!("checkpoint-{kimg:06}.safetensors"));
    std::fs::write(checkpoint(kimg), vec![kimg as u8; 5000]).unwrap();
    std::fs::write(folder.join(format!("fakes{kimg:06}.png")), "grid").unwrap();
    std::fs::write(folder.join("generator.safetensors"), format!("at {kimg}")).unwrap();
    let stats = (0..=kimg).map(|line| format!("{line}\n")).collect::<String>();
    std::fs::write(folder.join("stats.jsonl"), stats).unwrap();
    std::fs::write(folder.join("half.partial"), "half").unwrap();
    if kimg >= 3 {
        let _ = std::fs::remove_file(checkpoint(kimg - 3));
    }
}

/// The files of a run that count.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = contents(folder);
    files.retain(|(name, _)| !name.ends_with(".partial"));
    files
}

/// The objects of the run in the store, without the pointer.
fn objects(store: &Store) -> Vec<(String, Vec<u8>)> {
    let listed = store.list(&at(RUN)).unwrap().into_iter().filter(|object| object.name != POINTER);
    listed
        .map(|object| {
            let (bytes, _) = store.read(&at(RUN).join(&object.name), 1 << 20).unwrap().unwrap();
            (object.name, bytes)
        })
        .collect()
}

fn new_copy(store: Store, scratch: &Scratch) -> RunCopy {
    begin(&store, at(RUN), local(scratch), Some("s3://lab/data.zip".into()), scratch).unwrap()
}

#[test]
fn a_process_that_is_killed_anywhere_leaves_a_run_that_another_machine_resumes() {
    // Requests of both passes.
    let count = {
        let folder = tempfile::tempdir().unwrap();
        let scratch = machine(&folder, "a");
        let client = Faulty::new(&Arc::new(InMemory::new()));
        let mut copy = new_copy(once(client.clone()), &scratch);
        for kimg in [0, 3] {
            snapshot(copy.folder(), kimg);
            copy.pass().unwrap();
        }
        client.requests()
    };
    let mut resumed_at = BTreeSet::new();
    for kill in 1..=count {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (machine(&folder, "a"), machine(&folder, "b"));
        let memory = Arc::new(InMemory::new());
        let client = Faulty::new(&memory);
        client.kill_at(kill);
        let mut copy = new_copy(once(client), &first);
        let passes: Vec<bool> = [0, 3]
            .into_iter()
            .map(|kimg| {
                snapshot(copy.folder(), kimg);
                copy.pass().is_ok()
            })
            .collect();
        assert!(passes.contains(&false), "{kill}");
        let full = store(memory.clone());
        let Some((pointer, _)) = Pointer::read(&full, &at(RUN)).unwrap() else {
            assert!(!passes[0], "{kill}");
            continue;
        };
        let checkpoint = pointer.checkpoint.clone().unwrap();
        let restored = restore(&full, &at(RUN), &second, &mut |_, _| ()).unwrap();
        assert_eq!(restored.data(), Some("s3://lab/data.zip"));
        assert!(!restored.was_here);
        let kimg: u32 = checkpoint[11..17].parse().unwrap();
        resumed_at.insert(kimg);
        let bytes = std::fs::read(restored.folder.join(&checkpoint)).unwrap();
        assert_eq!(bytes, vec![kimg as u8; 5000], "{kill}");
        // It goes on, and the store ends as if nothing had happened.
        let mut copy = restored.take_over(&store(memory.clone()), &second).unwrap();
        for kimg in kimg + 1..=6 {
            snapshot(copy.folder(), kimg);
        }
        copy.pass().unwrap();
        assert_eq!(objects(&full), files(copy.folder()), "{kill}");
        let (pointer, _) = Pointer::read(&full, &at(RUN)).unwrap().unwrap();
        assert_eq!(pointer.checkpoint.unwrap(), "checkpoint-000006.safetensors");
    }
    assert_eq!(resumed_at, BTreeSet::from([0, 3]));
}

#[test]
fn the_machine_that_trained_last_goes_on_from_its_own_folder_and_an_older_one_reads_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (machine(&folder, "a"), machine(&folder, "b"));
    let memory = Arc::new(InMemory::new());
    let mut copy = new_copy(store(memory.clone()), &first);
    snapshot(copy.folder(), 1);
    copy.pass().unwrap();
    // This snapshot never reaches the store.
    snapshot(copy.folder(), 2);
    let again = restore(&store(memory.clone()), &at(RUN), &first, &mut |_, _| ()).unwrap();
    assert!(again.was_here && again.folder.join("checkpoint-000002.safetensors").is_file());
    let mut again = again.take_over(&store(memory.clone()), &first).unwrap();
    again.pass().unwrap();
    // The first writer notices before it writes an object.
    let before = objects(&store(memory.clone()));
    snapshot(copy.folder(), 3);
    let error = copy.pass().unwrap_err().to_string();
    assert!(error.contains("another process has gone on with this run"), "{error}");
    assert_eq!(objects(&store(memory.clone())), before);

    let other = restore(&store(memory.clone()), &at(RUN), &second, &mut |_, _| ()).unwrap();
    assert!(!other.was_here);
    let mut other = other.take_over(&store(memory.clone()), &second).unwrap();
    snapshot(other.folder(), 4);
    other.pass().unwrap();
    // What the first machine has is older or lost by now; it stays under another name.
    let back = restore(&store(memory.clone()), &at(RUN), &first, &mut |_, _| ()).unwrap();
    assert!(!back.was_here && back.folder.join("checkpoint-000004.safetensors").is_file());
    let aside = back.folder.with_file_name("aside-1-00000-phantom-tiny");
    assert!(aside.join("checkpoint-000003.safetensors").is_file());
}

#[test]
fn a_checkpoint_that_is_not_what_the_pointer_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Arc::new(InMemory::new());
    let mut copy = new_copy(store(memory.clone()), &machine(&folder, "a"));
    snapshot(copy.folder(), 1);
    copy.pass().unwrap();
    let full = store(memory);
    let checkpoint = at(RUN).join("checkpoint-000001.safetensors");
    full.put(&checkpoint, vec![9; 5000], &Condition::Any).unwrap();
    let second = machine(&folder, "b");
    let refused = || restore(&full, &at(RUN), &second, &mut |_, _| ()).unwrap_err().to_string();
    let error = refused();
    assert!(error.contains("checkpoint-000001.safetensors: its content is not"), "{error}");
    for bad in [&b"{}"[..], b"[", br#"{"format": 2, "producer": "x", "writer": "w", "serial": 1, "files": {}}"#,
        br#"{"format": 1, "producer": "x", "writer": "w", "serial": 1, "files": {"../x": {"size": 1, "sha256": ""}}}"#] {
        full.put(&at(RUN).join(POINTER), bad.to_vec(), &Condition::Any).unwrap();
        let error = refused();
        assert!(error.contains("latest.json: "), "{error}");
    }
    assert!(!second.runs().join(at(RUN).as_path()).exists());
}

#[test]
fn what_a_failed_pass_wrote_does_not_stay_when_the_run_has_moved_on() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Arc::new(InMemory::new());
    let client = Faulty::new(&memory);
    let mut copy = new_copy(once(client.clone()), &machine(&folder, "a"));
    let (mut kimg, mut passes) = (0, 0);
    for failing in 2..30 {
        snapshot(copy.folder(), kimg);
        client.fault(client.requests() + failing % 9 + 1, Fault::Fails);
        passes += usize::from(copy.pass().is_ok());
        kimg += 2;
        let _ = std::fs::remove_file(
            copy.folder().join(format!("checkpoint-{:06}.safetensors", kimg - 2)),
        );
    }
    assert!(passes < 28);
    snapshot(copy.folder(), kimg);
    let full = store(memory);
    for _ in 0..2 {
        let _ = copy.pass();
    }
    assert_eq!(objects(&full), files(copy.folder()));
}

/// Waits for an event of a mirror.
fn wait_for(mirror: &Mirror, wanted: impl Fn(&MirrorEvent) -> bool) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if mirror.events().any(|event| wanted(&event)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("the event did not come");
}

#[test]
fn a_mirror_catches_up_after_the_store_was_away() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = machine(&folder, "a");
    let memory = Arc::new(InMemory::new());
    let client = Faulty::new(&memory);
    let copy = new_copy(once(client.clone()), &scratch);
    let run = copy.folder().to_owned();
    snapshot(&run, 0);
    let mirror = Mirror::start(copy, quick());
    wait_for(&mirror, |event| matches!(event, MirrorEvent::Mirrored(_)));
    client.set_away(true);
    for kimg in 1..6 {
        snapshot(&run, kimg);
        let start = Instant::now();
        mirror.changed();
        assert!(start.elapsed() < Duration::from_millis(100), "the run waited");
    }
    wait_for(&mirror, |event| matches!(event, MirrorEvent::Away { .. }));
    client.set_away(false);
    wait_for(&mirror, |event| *event == MirrorEvent::Back);
    snapshot(&run, 6);
    mirror.changed();
    mirror.finish(Duration::from_secs(10), &mut |_| ()).unwrap();
    assert_eq!(objects(&store(memory)), files(&run));
}

#[test]
fn a_run_that_is_faster_than_the_store_has_a_checkpoint_in_it_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Arc::new(InMemory::new());
    let client = Faulty::new(&memory);
    client.set_delay(Duration::from_millis(3));
    let copy = new_copy(once(client), &machine(&folder, "a"));
    let run = copy.folder().to_owned();
    snapshot(&run, 0);
    let mirror = Mirror::start(copy, quick());
    wait_for(&mirror, |event| matches!(event, MirrorEvent::Mirrored(_)));
    let full = store(memory.clone());
    let mut seen = BTreeSet::new();
    for kimg in 1..60 {
        // Each pass takes longer than three snapshots, after which its checkpoints are gone here.
        snapshot(&run, kimg);
        mirror.changed();
        std::thread::sleep(Duration::from_millis(2));
        let (pointer, _) = Pointer::read(&full, &at(RUN)).unwrap().unwrap();
        let name = pointer.checkpoint.expect("a checkpoint");
        // A later pass may have removed it since.
        let object = full.read(&at(RUN).join(&name), 1 << 20).unwrap();
        let now = Pointer::read(&full, &at(RUN)).unwrap().unwrap().0.checkpoint;
        assert!(object.is_some() || now.as_ref() != Some(&name), "{name}");
        seen.insert(name);
    }
    assert!(seen.len() > 1);
    mirror.finish(Duration::from_secs(10), &mut |_| ()).unwrap();
    assert_eq!(objects(&full), files(&run));
}

#[test]
fn a_store_that_stays_away_is_an_error_at_the_end_that_says_where_the_run_is() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = machine(&folder, "a");
    let client = Faulty::new(&Arc::new(InMemory::new()));
    let copy = new_copy(once(client.clone()), &scratch);
    let run = copy.folder().to_owned();
    snapshot(&run, 0);
    client.set_away(true);
    let mirror = Mirror::start(copy, quick());
    let start = Instant::now();
    let error = mirror.finish(Duration::from_millis(300), &mut |_| ()).unwrap_err();
    assert!(
        start.elapsed() > Duration::from_millis(100) && start.elapsed() < Duration::from_secs(5)
    );
    let words = error.to_string();
    assert!(words.contains(&run.display().to_string()), "{words}");
    assert!(words.contains(&format!("dermagan train --resume {RUN}")), "{words}");
    // The same machine writes the rest later, although the store has nothing yet.
    client.set_away(false);
    let later = restore(&store(client.clone()), &at(RUN), &scratch, &mut |_, _| ()).unwrap();
    assert!(later.was_here);
    later.take_over(&store(client.clone()), &scratch).unwrap().pass().unwrap();
    assert_eq!(objects(&store(client)), files(&run));
}

#[test]
fn a_run_that_another_process_goes_on_with_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (machine(&folder, "a"), machine(&folder, "b"));
    let memory = Arc::new(InMemory::new());
    let copy = new_copy(once(memory.clone()), &first);
    snapshot(copy.folder(), 1);
    let mirror = Mirror::start(copy, quick());
    wait_for(&mirror, |event| matches!(event, MirrorEvent::Mirrored(_)));
    let other = restore(&store(memory.clone()), &at(RUN), &second, &mut |_, _| ()).unwrap();
    other.take_over(&store(memory), &second).unwrap();
    mirror.changed();
    wait_for(&mirror, |event| matches!(event, MirrorEvent::TakenOver { .. }));
    assert!(mirror.is_taken_over());
    let error = mirror.finish(Duration::from_secs(1), &mut |_| ()).unwrap_err();
    assert!(matches!(&error, CloudError::Conflict { .. }), "{error}");
    assert!(error.to_string().contains(&local(&first).display().to_string()), "{error}");
}

#[test]
fn a_run_that_was_copied_to_the_store_by_hand_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Arc::new(InMemory::new());
    let full = store(memory.clone());
    let place = at(RUN);
    let none = restore(&full, &place, &machine(&folder, "a"), &mut |_, _| ()).unwrap_err();
    assert!(matches!(none, CloudError::Missing { .. }), "{none}");
    for name in ["log.txt", "training_options.json"] {
        full.put(&place.join(name), name.into(), &Condition::New).unwrap();
    }
    let without = restore(&full, &place, &machine(&folder, "a"), &mut |_, _| ()).unwrap_err();
    assert!(without.to_string().contains("no complete checkpoint"), "{without}");
    full.put(&place.join("checkpoint-000001.safetensors"), vec![1; 10], &Condition::New).unwrap();
    let scratch = machine(&folder, "a");
    let restored = restore(&full, &place, &scratch, &mut |_, _| ()).unwrap();
    let mut copy = restored.take_over(&store(memory), &scratch).unwrap();
    copy.pass().unwrap();
    let (pointer, _) = Pointer::read(&full, &place).unwrap().unwrap();
    assert_eq!(pointer.checkpoint.as_deref(), Some("checkpoint-000001.safetensors"));
    assert_eq!(objects(&full), files(copy.folder()));
}
