//! Trees of YAML files, read when the program was built.
//!
//! `build.rs` writes them and says what stands where. They belong to the bytes of the file beside them:
//! whoever takes a tree has compared these.

use super::yaml::{Key, Node, Value, Word};

/// The tree; none when it is not whole.
pub(super) fn read(tree: &'static [u8]) -> Option<Node> {
    let mut rest = tree;
    let node = node(&mut rest)?;
    rest.is_empty().then_some(node)
}

fn node(rest: &mut &'static [u8]) -> Option<Node> {
    let line = number(rest)?;
    let value = match byte(rest)? {
        0 => Value::Empty,
        1 => Value::Text { text: word(rest)?, plain: true },
        2 => Value::Text { text: word(rest)?, plain: false },
        3 => {
            let nodes = (0..number(rest)?).map(|_| node(rest)).collect::<Option<Vec<_>>>()?;
            Value::List(nodes)
        }
        4 => {
            let many = number(rest)?;
            let mut entries = Vec::with_capacity(usize::try_from(many).ok()?.min(rest.len()));
            for _ in 0..many {
                let key = Key { line: number(rest)?, text: word(rest)? };
                entries.push((key, node(rest)?));
            }
            Value::Map(entries)
        }
        _ => return None,
    };
    Some(Node { line, value })
}

fn word(rest: &mut &'static [u8]) -> Option<Word> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (word, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(word).ok().map(Word::Borrowed)
}

fn number(rest: &mut &'static [u8]) -> Option<u64> {
    let (mut value, mut shift) = (0_u64, 0_u32);
    loop {
        let byte = byte(rest)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

fn byte(rest: &mut &'static [u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::super::{Problems, embedded, yaml};
    use super::*;

    #[test]
    fn every_tree_is_what_its_file_says_line_by_line() {
        let mut seen = 0;
        for id in embedded::ids() {
            for (path, bytes) in embedded::files(id).unwrap() {
                if !path.ends_with(".yaml") {
                    continue;
                }
                let mut problems = Problems::default();
                let read = yaml::read(std::str::from_utf8(&bytes).unwrap(), &path, &mut problems).unwrap();
                let tree = embedded::tree(&path, &bytes).unwrap_or_else(|| panic!("{id}/{path} has no tree"));
                assert_eq!(format!("{tree:?}"), format!("{read:?}"), "{id}/{path}");
                seen += 1;
                // One byte more, and it is another file.
                assert!(embedded::tree(&path, &[bytes, b"\n".to_vec()].concat()).is_none());
            }
        }
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn what_is_cut_off_is_no_tree() {
        let (path, bytes) =
            embedded::files("base").unwrap().into_iter().find(|(p, _)| p == "pack.yaml").unwrap();
        let whole = embedded::tree_of(&path, &bytes).unwrap();
        for at in 0..whole.len() {
            assert!(read(&whole[..at]).is_none(), "{at}");
        }
        assert!(read([whole, &[0]].concat().leak()).is_none());
        assert!(read(&[0xff; 40]).is_none());
    }
}
