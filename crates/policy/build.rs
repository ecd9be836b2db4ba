//! Puts every folder of `packs/` into the program: each file as it is, and each YAML file also as the
//! tree that reading it gives, because reading YAML is what loading a pack spends most time on. What the
//! files say is checked when they are loaded.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The reader of the program itself: a tree can be nothing else than what it would read.
#[path = "src/pack/yaml.rs"]
#[allow(dead_code, reason = "the program uses the rest")]
mod yaml;

use yaml::{Node, Value};

fn main() -> io::Result<()> {
    let packs = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../packs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    println!("cargo:rerun-if-changed={}", packs.display());
    println!("cargo:rerun-if-changed=src/pack/yaml.rs");
    println!("cargo:rerun-if-changed=build.rs");
    let mut code = "static PACKS: &[Embedded] = &[\n".to_owned();
    for folder in children(&packs)?.into_iter().filter(|path| path.join("pack.yaml").is_file()) {
        let mut files = Vec::new();
        collect(&folder, "", &mut files)?;
        let _written = writeln!(code, "    ({:?}, &[", name(&folder));
        for (path, file) in files {
            println!("cargo:rerun-if-changed={}", file.display());
            let tree = match tree(&file)? {
                Some(tree) => {
                    let kept = out.join(format!("{}-{}.tree", name(&folder), path.replace('/', "-")));
                    fs::write(&kept, tree)?;
                    format!("include_bytes!({kept:?})")
                }
                None => "&[]".to_owned(),
            };
            let _written = writeln!(code, "        ({path:?}, include_bytes!({file:?}), {tree}),");
        }
        code.push_str("    ]),\n");
    }
    code.push_str("];\n");
    fs::write(out.join("packs.rs"), code)
}

/// Notices that there are problems; which they are is told when the pack is loaded.
#[derive(Default)]
struct Problems(bool);

impl Problems {
    fn add(&mut self, _file: &str, _line: u64, _message: impl Into<String>) {
        self.0 = true;
    }
}

/// The tree of a YAML file, as `src/pack/tree.rs` reads it; none for other files and for wrong ones.
fn tree(file: &Path) -> io::Result<Option<Vec<u8>>> {
    if file.extension().is_none_or(|extension| extension != "yaml") {
        return Ok(None);
    }
    let Ok(text) = String::from_utf8(fs::read(file)?) else { return Ok(None) };
    let mut problems = Problems::default();
    let node = yaml::read(&text, "", &mut problems);
    Ok(node.filter(|_| !problems.0).map(|node| {
        let mut tree = Vec::new();
        write(&node, &mut tree);
        tree
    }))
}

fn write(node: &Node, tree: &mut Vec<u8>) {
    number(node.line, tree);
    match &node.value {
        Value::Empty => tree.push(0),
        Value::Text { text, plain } => {
            tree.push(if *plain { 1 } else { 2 });
            word(text, tree);
        }
        Value::List(nodes) => {
            tree.push(3);
            number(nodes.len() as u64, tree);
            nodes.iter().for_each(|node| write(node, tree));
        }
        Value::Map(entries) => {
            tree.push(4);
            number(entries.len() as u64, tree);
            for (key, node) in entries {
                number(key.line, tree);
                word(&key.text, tree);
                write(node, tree);
            }
        }
    }
}

fn word(text: &str, tree: &mut Vec<u8>) {
    number(text.len() as u64, tree);
    tree.extend_from_slice(text.as_bytes());
}

/// Seven bits a byte, least first; the top bit says that more follow.
fn number(mut value: u64, tree: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return tree.push(low & 0x7f);
        }
        tree.push(low | 0x80);
    }
}

/// The same files as reading a folder takes: no hidden ones, no `README.md` at the top.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for path in children(folder)? {
        let within = format!("{prefix}{}", name(&path));
        if path.is_dir() {
            collect(&path, &format!("{within}/"), files)?;
        } else if within != "README.md" {
            files.push((within, path));
        }
    }
    Ok(())
}

fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| !name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
