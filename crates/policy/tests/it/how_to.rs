//! The examples of `docs/how-to` together are a pack that loads without a problem or a warning of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mimamori_policy::Pack;

const PAGES: &[&str] = &["write-a-pack.md", "add-a-register.md", "add-a-procedure.md"];

/// Each block of YAML begins with a comment that names its file.
fn examples() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to");
    let mut files = BTreeMap::new();
    for page in PAGES {
        let text = fs::read_to_string(folder.join(page)).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let path = block.lines().next().unwrap().strip_prefix("# ").expect("the file's name");
            assert!(files.insert(path.to_owned(), block.as_bytes().to_vec()).is_none(), "{path} twice");
        }
    }
    files
}

#[test]
fn the_examples_are_a_pack() {
    let pack = Pack::from_files(examples()).unwrap_or_else(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    });
    assert_eq!(pack.id(), "midori");
    assert!(pack.procedure("visit").is_some() && pack.register("visitors").is_some());
    let own: Vec<_> = pack.warnings().iter().filter(|w| !w.file.starts_with("extends/")).collect();
    assert!(own.is_empty(), "{own:?}");
    for clause in pack.clauses().filter(|clause| clause.catalogue() == "midori") {
        assert!(!pack.answers(&clause.id).is_empty(), "{}", clause.id);
    }
}
