//! Holds the source tree to the shape `ARCHITECTURE.md` promises.
//!
//! Plain `cargo test` runs this, so a tangled import fails on its author's
//! machine and not in review.

#![expect(clippy::expect_used, reason = "a failed read should stop the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Top-level modules, lowest first. A module imports from the rows above it only.
const LAYERS: &[&[&str]] = &[
    &["id", "time", "payload"],
    &["model"],
    &["protocol", "event"],
    &["driver", "control_plane"],
    &["store", "transport"],
    &["workflow"],
    &["registry"],
    &["engine"],
    &["worker", "schedule", "telemetry", "control"],
    &["durable"],
    &["http", "testing", "cli"],
    &["prelude", "lib", "bin"],
];

/// Lines of code a file may hold; comments, blanks and tests are free.
const MAX_CODE_LINES: usize = 400;

#[test]
fn imports_point_down_the_layers() {
    let tree = Tree::read();
    let mut wrong = Vec::new();
    for (file, imports) in &tree.imports {
        let Some(from) = layer_of(file) else {
            wrong.push(format!("{file}: not in LAYERS, give it a row"));
            continue;
        };
        let up = |target: &&String| top(target) != top(file) && layer_of(target) >= Some(from);
        wrong.extend(
            imports
                .iter()
                .filter(up)
                .map(|target| format!("{file} -> {target}")),
        );
    }
    assert!(
        wrong.is_empty(),
        "imports that point up or sideways:\n  {}\n\
         Move the shared type down a layer, or let the lower module define a trait \
         that the higher one implements.",
        wrong.join("\n  ")
    );
}

#[test]
fn no_two_files_import_each_other() {
    let tree = Tree::read();
    let mut done = BTreeSet::new();
    for file in tree.imports.keys() {
        let cycle = tree.cycle_through(file, &mut Vec::new(), &mut done);
        assert_eq!(cycle, None, "break this import cycle");
    }
}

#[test]
fn files_fit_in_the_head() {
    let mut long = Vec::new();
    for folder in ["src", "macros/src", "benches/src", "examples"] {
        let tree = Tree::of(folder);
        let lengths = tree
            .code
            .into_iter()
            .map(|(file, code)| (file, code.lines().count()));
        let too_long = lengths.filter(|(_, lines)| *lines > MAX_CODE_LINES);
        long.extend(too_long.map(|(file, lines)| (format!("{folder}/{file}"), lines)));
    }
    assert!(
        long.is_empty(),
        "over {MAX_CODE_LINES} code lines: {long:?}"
    );
}

#[test]
fn facades_only_point_elsewhere() {
    let items = [
        "fn ",
        "struct ",
        "enum ",
        "trait ",
        "impl ",
        "impl<",
        "macro_rules!",
    ];
    let tree = Tree::read();
    let is_facade = |file: &str| file == "lib" || tree.folders.contains(file);
    let has_items = |code: &str| items.iter().any(|item| code.contains(item));
    let busy = tree
        .code
        .iter()
        .filter(|(file, code)| is_facade(file) && has_items(code));
    let busy: Vec<_> = busy.map(|(file, _)| file).collect();
    assert!(busy.is_empty(), "give these items a named file: {busy:?}");
}

/// The tests that the tables of `docs/` name, by file and function.
#[test]
fn tables_name_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (page, least) in [("parity", 40), ("acceptance", 120)] {
        let text = fs::read_to_string(root.join(format!("docs/{page}.md"))).expect("the page");
        let mut named = BTreeSet::new();
        for (file, test) in text.split('`').filter_map(|word| word.rsplit_once("::")) {
            let is_letter = |it: char| it.is_ascii_lowercase() || "_:".contains(it);
            let is_name = |word: &str| word.chars().all(is_letter);
            if !(is_name(file) && is_name(test)) {
                continue;
            }
            let file = file.replace("::", "/");
            let places = [format!("tests/it/{file}.rs"), format!("tests/{file}.rs")];
            let code = places.map(|path| fs::read_to_string(root.join(path)).unwrap_or_default());
            let function = format!("fn {test}(");
            assert!(
                code.iter().any(|code| code.contains(&function)),
                "{page}.md: no test `{file}::{test}`"
            );
            named.insert((file, test));
        }
        assert!(named.len() > least, "{page}.md: only {} tests", named.len());
    }
}

/// A folder such as `src/` keyed by module path: `store/sql/run`, and `store/sql` for its `mod.rs`.
#[derive(Default)]
struct Tree {
    code: BTreeMap<String, String>,
    folders: BTreeSet<String>,
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl Tree {
    fn read() -> Self {
        let mut tree = Self::of("src");
        assert!(tree.code.contains_key("lib"), "no lib.rs under src");
        for (file, code) in &tree.code {
            tree.imports
                .insert(file.clone(), tree.imports_of(file, code));
        }
        tree
    }

    /// The code alone.
    fn of(folder: &str) -> Self {
        let mut tree = Self::default();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        tree.read_dir(&root, "");
        tree
    }

    fn read_dir(&mut self, dir: &Path, prefix: &str) {
        for entry in fs::read_dir(dir).expect("src is readable") {
            let path = entry.expect("entry is readable").path();
            let stem = path
                .file_stem()
                .expect("entry has a name")
                .to_string_lossy();
            let module = format!("{prefix}{stem}");
            if path.is_dir() {
                self.folders.insert(module.clone());
                self.read_dir(&path, &format!("{module}/"));
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let module = module.strip_suffix("/mod").unwrap_or(&module).to_owned();
                let text = fs::read_to_string(&path).expect("source is UTF-8");
                self.code.insert(module, shipped(&text));
            }
        }
    }

    /// Files named by a `crate::`, `self::` or `super::` path in `code`. A `$crate::` path belongs to
    /// whoever uses the macro that it stands in.
    fn imports_of(&self, file: &str, code: &str) -> BTreeSet<String> {
        let code = code.replace("$crate::", "");
        let parent = file.rsplit_once('/').map_or("", |(parent, _)| parent);
        let here = if self.folders.contains(file) {
            file
        } else {
            parent
        };
        let above = here.rsplit_once('/').map_or("", |(parent, _)| parent);
        let own = if here == file {
            (file, above)
        } else {
            (file, parent)
        };
        let bases = [("crate::", ""), ("self::", own.0), ("super::", own.1)];
        let mut found = BTreeSet::new();
        for (keyword, base) in bases {
            for rest in code.split(keyword).skip(1) {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
                let path = rest[..end.unwrap_or(rest.len())].replace("::", "/");
                let path = format!("{base}/{path}");
                let mut path = path.trim_matches('/');
                while !self.code.contains_key(path) && !path.is_empty() {
                    path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                }
                let target = if path.is_empty() { "lib" } else { path };
                if target != file {
                    found.insert(target.to_owned());
                }
            }
        }
        found
    }

    fn cycle_through(
        &self,
        file: &str,
        trail: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = trail.iter().position(|seen| seen == file) {
            return Some(trail[start..].to_vec());
        }
        if done.contains(file) {
            return None;
        }
        trail.push(file.to_owned());
        let mut next = self.imports.get(file).into_iter().flatten();
        let cycle = next.find_map(|target| self.cycle_through(target, trail, done));
        trail.pop();
        done.insert(file.to_owned());
        cycle
    }
}

/// The text without comments, blank lines and the trailing test module.
fn shipped(text: &str) -> String {
    let code = text
        .split("\n#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default();
    let code = code.lines().map(str::trim);
    let code = code.filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

fn top(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&top(module)))
}
