//! Which file of a crate imports from which: parsed by syn, tests left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// The source files of a crate by module path; the root's is empty.
pub struct Crate {
    files: BTreeMap<String, syn::File>,
    folders: BTreeMap<PathBuf, usize>,
}

impl Crate {
    /// Reads the files in `src`, or a single `lib.rs` beside the manifest.
    pub fn read(folder: &Path) -> Self {
        let mut krate = Self { files: BTreeMap::new(), folders: BTreeMap::new() };
        let source = folder.join("src");
        match source.is_dir() {
            true => krate.walk(&source, &source),
            false => krate.add(folder, &folder.join("lib.rs")),
        }
        krate
    }

    /// From texts by module path.
    pub fn of(texts: &[(&str, &str)]) -> Self {
        let parse =
            |(module, text): &(&str, &str)| ((*module).to_owned(), syn::parse_file(text).unwrap());
        Self { files: texts.iter().map(parse).collect(), folders: BTreeMap::new() }
    }

    fn walk(&mut self, source: &Path, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.walk(source, &path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                *self.folders.entry(folder.to_owned()).or_default() += 1;
                self.add(source, &path);
            }
        }
    }

    fn add(&mut self, source: &Path, path: &Path) {
        let relative = path.strip_prefix(source).unwrap().with_extension("");
        let mut parts: Vec<&str> = relative.iter().map(|part| part.to_str().unwrap()).collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        let file = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
        self.files.insert(parts.join("::"), file);
    }

    /// Source files per folder.
    pub fn files_per_folder(&self) -> &BTreeMap<PathBuf, usize> {
        &self.folders
    }

    /// Public modules of the root.
    pub fn public_modules(&self) -> usize {
        let public = |item: &&syn::Item| matches!(item, syn::Item::Mod(module) if matches!(module.vis, syn::Visibility::Public(_)));
        self.files.get("").map_or(0, |file| file.items.iter().filter(public).count())
    }

    /// The files that each file imports from. A name that a file passes on (`pub use`) counts for the file that defines
    /// it; the root, which imports everything, is left out.
    pub fn edges(&self) -> BTreeMap<String, Vec<String>> {
        let passed_on: BTreeMap<&str, BTreeMap<String, Vec<String>>> =
            self.files.iter().map(|(module, file)| (module.as_str(), reexports(file))).collect();
        let modules: BTreeSet<&str> = self.files.keys().map(String::as_str).collect();
        let names = Names { modules, passed_on };
        let others = self.files.iter().filter(|(module, _)| !module.is_empty());
        let of_file = |(module, file): (&String, &syn::File)| {
            let mut paths = Paths::default();
            paths.visit_file(file);
            let found = paths.0.iter().filter_map(|path| names.file_of(module, path, 0));
            let found: BTreeSet<String> =
                found.filter(|to| !to.is_empty() && to != module).collect();
            (module.clone(), found.into_iter().collect())
        };
        others.map(of_file).collect()
    }
}

/// The modules of a crate, and the names that they pass on.
struct Names<'a> {
    modules: BTreeSet<&'a str>,
    passed_on: BTreeMap<&'a str, BTreeMap<String, Vec<String>>>,
}

impl Names<'_> {
    /// The file that a path in `module` leads to; `None` for another crate's.
    fn file_of(&self, module: &str, path: &[String], depth: usize) -> Option<String> {
        let mut base: Vec<String> =
            module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                base.push(child.to_owned());
                if !self.modules.contains(base.join("::").as_str()) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        base.extend(rest.iter().cloned());
        let end = (0..=base.len()).rev().find(|end| {
            let here = base[..*end].join("::");
            self.modules.contains(here.as_str())
        })?;
        let here = base[..end].join("::");
        let passed_on = base.get(end).and_then(|name| self.passed_on[here.as_str()].get(name));
        match passed_on.filter(|_| depth < 8) {
            Some(path) => self.file_of(&here, path, depth + 1).or(Some(here)),
            None => Some(here),
        }
    }
}

/// The names that a file passes on, and where they come from.
fn reexports(file: &syn::File) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for item in &file.items {
        if let syn::Item::Use(item) = item
            && !matches!(item.vis, syn::Visibility::Inherited)
        {
            for (name, path) in leaves(&item.tree) {
                found.insert(name, path);
            }
        }
    }
    found
}

/// The names of a use tree with their paths.
fn leaves(tree: &syn::UseTree) -> Vec<(String, Vec<String>)> {
    match tree {
        syn::UseTree::Path(path) => leaves(&path.tree)
            .into_iter()
            .map(|(name, rest)| (name, [vec![path.ident.to_string()], rest].concat()))
            .collect(),
        syn::UseTree::Name(name) if name.ident == "self" => vec![(String::new(), Vec::new())],
        syn::UseTree::Name(name) => vec![(name.ident.to_string(), vec![name.ident.to_string()])],
        syn::UseTree::Rename(rename) => {
            vec![(rename.rename.to_string(), vec![rename.ident.to_string()])]
        }
        syn::UseTree::Glob(_) => vec![(String::new(), Vec::new())],
        syn::UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

/// All paths of a file outside of its tests.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => return syn::visit::visit_item(self, item),
        };
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
        };
        if !attributes.iter().any(is_test) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if matches!(item.vis, syn::Visibility::Inherited) {
            self.0.extend(leaves(&item.tree).into_iter().map(|(_, path)| path));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        syn::visit::visit_path(self, path);
    }
}

/// Groups of files that import each other, directly or through others.
pub fn cycles(edges: &BTreeMap<String, Vec<String>>) -> Vec<Vec<String>> {
    let reaches = |from: &String| -> BTreeSet<&String> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&String> = edges.get(from).into_iter().flatten().collect();
        while let Some(file) = open.pop() {
            if found.insert(file) {
                open.extend(edges.get(file).into_iter().flatten());
            }
        }
        found
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        edges.keys().map(|file| (file, reaches(file))).collect();
    let mut found: Vec<Vec<String>> = Vec::new();
    for file in edges.keys().filter(|file| reached[file].contains(file)) {
        if found.iter().flatten().any(|known| known == file) {
            continue;
        }
        let with =
            |other: &&String| reached[file].contains(*other) && reached[other].contains(file);
        found.push(edges.keys().filter(with).cloned().collect());
    }
    found
}
