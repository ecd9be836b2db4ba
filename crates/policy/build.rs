//! Puts every folder of `packs/` into the program. What they say is checked when they are loaded.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let packs = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../packs");
    println!("cargo:rerun-if-changed={}", packs.display());
    let mut code = "static PACKS: &[Embedded] = &[\n".to_owned();
    for folder in children(&packs)?.into_iter().filter(|path| path.join("pack.yaml").is_file()) {
        let mut files = Vec::new();
        collect(&folder, "", &mut files)?;
        let _written = writeln!(code, "    ({:?}, &[", name(&folder));
        for (path, file) in files {
            println!("cargo:rerun-if-changed={}", file.display());
            let _written = writeln!(code, "        ({path:?}, include_bytes!({file:?})),");
        }
        code.push_str("    ]),\n");
    }
    code.push_str("];\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("packs.rs"), code)
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
