//! Shards are complete or absent, join only when all are there and whole, and do not mix.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

use std::path::Path;

use dermagan_shards::{Job, Joined, Shard, ShardRequest};

fn request(folder: &Path, index: usize, of: usize) -> ShardRequest {
    let line = vec!["squares".to_owned(), "-n".to_owned(), "10".to_owned()];
    ShardRequest { shard: Shard { index, of }, folder: folder.to_owned(), line }
}

fn job() -> Job {
    Job::new("squares", "ten", "avx2")
}

/// Makes a shard; false if it was there.
fn make(folder: &Path, index: usize, of: usize, job: &Job) -> bool {
    let request = request(folder, index, of);
    let Some(mut writer) = request.begin(job).unwrap() else { return false };
    for item in (0..10).filter(|item| request.shard.has(*item)) {
        writer.put(item, &vec![item as u8; item as usize]).unwrap();
    }
    writer.finish().unwrap();
    true
}

#[test]
fn any_number_of_shards_has_the_same_items_and_none_is_made_twice() {
    for of in [1, 2, 3, 10, 17] {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("shards");
        for index in 0..of {
            assert!(make(&folder, index, of, &job()));
            assert!(!make(&folder, index, of, &job()), "shard {index} of {of} is there");
        }
        let joined = Joined::open(&folder).unwrap();
        joined.check(&job()).unwrap();
        assert_eq!((joined.shards(), joined.len()), (of, 10));
        assert_eq!(joined.line(), ["squares", "-n", "10"]);
        for item in 0..10 {
            assert_eq!(joined.require(item).unwrap(), vec![item as u8; item as usize]);
        }
        assert_eq!(joined.get(10).unwrap(), None);
    }
}

#[test]
fn missing_shards_and_those_of_another_job_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("shards");
    let words = |folder: &Path| Joined::open(folder).unwrap_err().to_string();
    assert!(words(&folder).contains("no such folder"));
    assert!(words(dir.path()).contains("no complete shard"));
    make(&folder, 0, 3, &job());
    make(&folder, 2, 3, &job());
    assert!(words(&folder).contains("shards are missing: 2/3"), "{}", words(&folder));
    for (other, what) in [
        (Job::new("squares", "eleven", "avx2"), "other settings"),
        (Job::new("cubes", "ten", "avx2"), "of the command squares, not cubes"),
        (Job::new("squares", "ten", "avx512"), "computed on avx2, not avx512"),
        (Job { tool: "dermagan 0.0.1".to_owned(), ..job() }, "made by"),
    ] {
        let error = request(&folder, 1, 3).begin(&other).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let error = request(&folder, 1, 4).begin(&job()).unwrap_err().to_string();
    assert!(error.contains("of 3 shards, not of 4"), "{error}");
    make(&folder, 1, 3, &job());
    let joined = Joined::open(&folder).unwrap();
    // The machine that joins may be another.
    joined.check(&Job::new("squares", "ten", "amx")).unwrap();
    assert!(joined.check(&Job::new("squares", "eleven", "avx2")).is_err());
}

#[test]
fn a_shard_with_changed_bytes_is_found_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("shards");
    make(&folder, 0, 2, &job());
    make(&folder, 1, 2, &job());
    let items = folder.join("0002-of-0002.bin");
    let whole = std::fs::read(&items).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for (bytes, what) in [
        (changed, "not what its manifest says"),
        (whole[..whole.len() - 1].to_vec(), "in the middle of an item"),
        (b"nonsense".to_vec(), "no file of a shard"),
        (Vec::new(), "no file of a shard"),
        ([b"DGSHARD1".to_vec(), vec![255; 16]].concat(), "in the middle of an item"),
    ] {
        std::fs::write(&items, bytes).unwrap();
        let error = Joined::open(&folder).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert!(make(&folder, 1, 2, &job()), "it is made again");
        assert_eq!(std::fs::read(&items).unwrap(), whole);
    }
    // The number of items and the length count too.
    let manifest = folder.join("0002-of-0002.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"items\": 5", "\"items\": 41")).unwrap();
    let error = Joined::open(&folder).unwrap_err().to_string();
    assert!(error.contains("not what its manifest says"), "{error}");
    std::fs::remove_file(&items).unwrap();
    let error = Joined::open(&folder).unwrap_err().to_string();
    assert!(error.contains("missing") && error.contains("0002-of-0002.bin"), "{error}");
    assert!(make(&folder, 1, 2, &job()));
    std::fs::remove_file(&manifest).unwrap();
    assert!(make(&folder, 1, 2, &job()), "without its manifest a shard is not complete");
    Joined::open(&folder).unwrap();
}

#[test]
fn processes_that_begin_the_same_shard_make_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("shards");
    std::fs::create_dir(&folder).unwrap();
    let first = request(&folder, 0, 1).begin(&job()).unwrap().unwrap();
    let (same, other) = std::thread::scope(|threads| {
        let same = threads.spawn(|| request(&folder, 0, 1).begin(&job()).map(|w| w.is_none()));
        let other = threads.spawn(|| {
            let job = Job::new("squares", "eleven", "avx2");
            request(&folder, 0, 1).begin(&job).map(|w| w.is_none())
        });
        // Both look at the empty folder and then wait for the lock.
        std::thread::sleep(std::time::Duration::from_millis(300));
        first.finish().unwrap();
        (same.join().unwrap(), other.join().unwrap())
    });
    assert!(same.unwrap(), "it was made a second time");
    // One that wants other items must not take these for its own.
    assert!(other.unwrap_err().to_string().contains("other settings"));
}

#[test]
fn hidden_files_are_no_shards() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 0, 1, &job());
    std::fs::write(dir.path().join(".nfs000001"), "of a network file system").unwrap();
    assert!(!make(dir.path(), 0, 1, &job()));
    Joined::open(dir.path()).unwrap();
}

#[test]
fn a_shard_that_is_dropped_is_absent_and_other_files_are_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("shards");
    let mut writer = request(&folder, 0, 1).begin(&job()).unwrap().unwrap();
    writer.put(0, b"half").unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::write(folder.join("thesis.txt"), "years of work").unwrap();
    let error = request(&folder, 0, 1).begin(&job()).unwrap_err().to_string();
    assert!(error.contains("thesis.txt"), "{error}");
    assert!(Joined::open(&folder).unwrap_err().to_string().contains("thesis.txt"));
}
