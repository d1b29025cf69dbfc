//! Reading and writing files with a store that fails.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Fault, Faulty, at, contents, machine, once, store, variables};
use dermagan_cloud::{
    CloudError, Condition, Earlier, Patience, Store, Wanted, earlier, fetch, put_file, put_folder,
};
use object_store::memory::InMemory;

#[test]
fn a_folder_is_read_once_and_then_compared_by_etag() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = machine(&folder, "a");
    let memory = Arc::new(InMemory::new());
    let client = Faulty::new(&memory);
    let store = store(client.clone());
    for name in ["data/a.txt", "data/deep/b.txt", "data/c.txt", "database/x.txt"] {
        store.put(&at("s3://b").join(name), name.into(), &Condition::New).unwrap();
    }
    let read = |expected: (usize, usize)| {
        let place = at("s3://b/data");
        let fetched = fetch(&store, &place, &scratch, Wanted::All, &mut |_, _| ()).unwrap();
        assert_eq!((fetched.read, fetched.kept), expected);
        fetched.path
    };
    let path = read((3, 0));
    assert!(path.ends_with("s3/b/data"));
    assert_eq!(std::fs::read(path.join("deep/b.txt")).unwrap(), b"data/deep/b.txt");
    assert!(!path.with_file_name("database").exists());
    read((0, 3));
    // A file that someone changed here, an object that someone changed there, and one that is gone.
    std::fs::write(path.join("a.txt"), "other").unwrap();
    store.put(&at("s3://b/data/c.txt"), b"new".to_vec(), &Condition::Any).unwrap();
    store.delete(&at("s3://b/data/deep/b.txt")).unwrap();
    read((2, 0));
    assert_eq!(std::fs::read(path.join("a.txt")).unwrap(), b"data/a.txt");
    assert_eq!(std::fs::read(path.join("c.txt")).unwrap(), b"new");
    assert!(!path.join("deep").exists());
    // One object of the folder alone, and nothing.
    let one =
        fetch(&store, &at("s3://b/data/a.txt"), &scratch, Wanted::All, &mut |_, _| ()).unwrap();
    assert_eq!(one.path, path.join("a.txt"));
    let missing = fetch(&store, &at("s3://b/date"), &scratch, Wanted::All, &mut |_, _| ());
    let missing = missing.unwrap_err().to_string();
    assert!(
        missing.contains("s3://b/date: no such object") && missing.contains("data"),
        "{missing}"
    );
}

#[test]
fn an_interrupted_download_leaves_no_file_that_counts_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Arc::new(InMemory::new());
    let full = store(memory.clone());
    for number in 0..6 {
        full.put(&at(&format!("s3://b/d/{number}")), vec![number; 1000], &Condition::New).unwrap();
    }
    let scratch = machine(&folder, "a");
    for kill in 1..9 {
        let client = Faulty::new(&memory);
        client.kill_at(kill);
        let killed = fetch(&once(client), &at("s3://b/d"), &scratch, Wanted::All, &mut |_, _| ());
        assert!(killed.is_err() || kill > 2, "{kill}");
        let local = scratch.read(true).join("s3/b/d");
        if local.is_dir() {
            assert!(contents(&local).iter().all(|(_, bytes)| bytes.len() == 1000));
        }
    }
    let done = fetch(&full, &at("s3://b/d"), &scratch, Wanted::All, &mut |_, _| ()).unwrap();
    assert_eq!(contents(&done.path).len(), 6);
    assert!(contents(&folder.path().join("a/default/partial")).is_empty());
}

#[test]
fn of_a_run_a_generator_needs_few_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(Arc::new(InMemory::new()));
    for name in [
        "generator.safetensors",
        "training_options.json",
        "checkpoint-000001.safetensors",
        "fakes1.png",
    ] {
        store.put(&at("s3://b/run").join(name), name.into(), &Condition::New).unwrap();
    }
    let scratch = machine(&folder, "a");
    let model = fetch(&store, &at("s3://b/run"), &scratch, Wanted::Model, &mut |_, _| ()).unwrap();
    let names: Vec<String> = contents(&model.path).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["generator.safetensors", "training_options.json"]);
    let all = fetch(&store, &at("s3://b/run"), &scratch, Wanted::All, &mut |_, _| ()).unwrap();
    assert_eq!(contents(&all.path).len(), 4);
    assert_ne!(all.path, model.path);
}

#[test]
fn a_request_is_tried_again_and_a_lost_answer_does_no_harm() {
    let client = Faulty::new(&Arc::new(InMemory::new()));
    let store = store(client.clone());
    client.fault(1, Fault::Fails);
    client.fault(2, Fault::Fails);
    client.set_delay(Duration::from_millis(5));
    store.put(&at("s3://b/x"), b"1".to_vec(), &Condition::New).unwrap();
    assert_eq!(client.requests(), 3);
    // The next try meets the object that the first one wrote.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    std::fs::write(&file, "same").unwrap();
    client.fault(4, Fault::AnswerLost);
    put_file(&store, &at("s3://b/f"), &file, &Earlier::Nothing).unwrap();
    assert!(client.requests() > 5);
}

#[test]
fn an_error_says_where_and_what_to_do_and_shows_no_secret() {
    let client = Faulty::new(&Arc::new(InMemory::new()));
    client.set_away(true);
    client.set_words("PUT http://x/y?sig=abcdef failed for top-secret-key of id-12345");
    let store = once(client.clone());
    let error = store.put(&at("s3://b/x"), Vec::new(), &Condition::Any).unwrap_err();
    let words = format!("{error} {error:?}");
    assert!(error.may_pass() && words.contains("s3://b/x: the store cannot be used"), "{words}");
    for secret in ["top-secret-key", "id-12345", "abcdef"] {
        assert!(!words.contains(secret), "{words}");
    }
    assert!(!format!("{store:?} {:?}", variables()).contains("secret-key"));
    for (words, expected) in [
        ("<Code>NoSuchBucket</Code>", "no such bucket"),
        ("<Code>SignatureDoesNotMatch</Code>", "refuses access"),
        ("server returned status 400 Bad Request", "the store answered"),
    ] {
        client.set_words(words);
        let error = store.head(&at("s3://b/x")).unwrap_err();
        assert!(error.to_string().contains(expected) && !error.may_pass(), "{error}");
    }
    let variables = dermagan_cloud::Variables::of([("AWS_ENDPOINT_URL", "ht tp://")]);
    let place = at("s3://b/x");
    let refused = Store::connect(&place, &variables, Patience::none())
        .and_then(|store| store.head(&place).map(|_| ()));
    assert!(refused.is_err());
}

#[test]
fn an_output_replaces_only_what_was_there_before() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = machine(&folder, "a");
    let store = store(Arc::new(InMemory::new()));
    let (place, file) = (at("s3://b/out/grid.png"), folder.path().join("local/grid.png"));
    assert_eq!(earlier(&store, &place, &scratch, &file).unwrap(), Earlier::Nothing);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "first").unwrap();
    put_file(&store, &place, &file, &Earlier::Nothing).unwrap();
    std::fs::remove_file(&file).unwrap();
    let before = earlier(&store, &place, &scratch, &file).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"first");
    std::fs::write(&file, "second").unwrap();
    put_file(&store, &place, &file, &before).unwrap();
    // By now it is another object.
    std::fs::write(&file, "third").unwrap();
    let error = put_file(&store, &place, &file, &before).unwrap_err();
    assert!(matches!(error, CloudError::Conflict { .. }), "{error}");
    assert_eq!(store.read(&place, 100).unwrap().unwrap().0, b"second");
}

/// A folder with a set of images whose bytes are `content`.
fn set(folder: &tempfile::TempDir, name: &str, content: &str) -> std::path::PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.join("images")).unwrap();
    for file in ["images/0.png", "images/1.png", "metadata.csv"] {
        std::fs::write(path.join(file), format!("{content} {file}")).unwrap();
    }
    path
}

#[test]
fn a_folder_whose_upload_is_killed_anywhere_is_not_complete_and_is_completed_by_the_same_call() {
    let folder = tempfile::tempdir().unwrap();
    let local = set(&folder, "set", "a");
    let place = at("s3://b/sets/one");
    for kill in 1..7 {
        let memory = Arc::new(InMemory::new());
        let client = Faulty::new(&memory);
        client.kill_at(kill);
        let killed = put_folder(&once(client), &place, &local, &mut |_, _| ());
        assert!(killed.is_err(), "{kill}");
        let full = store(memory.clone());
        let names = |store: &Store| -> Vec<String> {
            store.list(&place).unwrap().into_iter().map(|object| object.name).collect()
        };
        let there = names(&full);
        let complete = there.contains(&"metadata.csv".to_owned());
        assert!(!complete || there.len() == 4, "{kill}: {there:?}");
        put_folder(&full, &place, &local, &mut |_, _| ()).unwrap();
        assert_eq!(names(&full), ["images/0.png", "images/1.png", "metadata.csv"]);
    }
}

#[test]
fn two_different_sets_never_mix() {
    let folder = tempfile::tempdir().unwrap();
    let sets = [set(&folder, "one", "a"), set(&folder, "two", "b")];
    let place = at("s3://b/set");
    for _ in 0..10 {
        let memory = Arc::new(InMemory::new());
        let written: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = sets
                .iter()
                .map(|set| {
                    let (memory, place) = (memory.clone(), &place);
                    scope.spawn(move || {
                        let client = Faulty::new(&memory);
                        client.set_delay(Duration::from_millis(1));
                        put_folder(&store(client), place, set, &mut |_, _| ()).is_ok()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(written.iter().filter(|ok| **ok).count(), 1, "{written:?}");
        let full = store(memory);
        let objects = full.list(&place).unwrap();
        let expected = if written[0] { "a " } else { "b " };
        assert_eq!(objects.len(), 3);
        for object in objects {
            let (bytes, _) = full.read(&place.join(&object.name), 100).unwrap().unwrap();
            assert!(String::from_utf8(bytes).unwrap().starts_with(expected));
        }
    }
}

#[test]
fn a_large_file_is_written_in_parts_and_arrives_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.zip");
    let bytes: Vec<u8> = (0..(70u32 << 20)).map(|number| (number % 251) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    let memory = Arc::new(InMemory::new());
    let place = at("s3://b/large.zip");
    let client = Faulty::new(&memory);
    client.set_away(true);
    assert!(put_file(&once(client), &place, &file, &Earlier::Nothing).is_err());
    let full = store(memory);
    assert!(full.head(&place).unwrap().is_none());
    assert_eq!(put_file(&full, &place, &file, &Earlier::Nothing).unwrap(), bytes.len() as u64);
    assert!(full.read(&place, bytes.len() as u64).unwrap().unwrap().0 == bytes);
    // The place is not as it was any more.
    let error = put_file(&full, &place, &file, &Earlier::Nothing).unwrap_err();
    assert!(matches!(error, CloudError::Conflict { .. }), "{error}");
}
