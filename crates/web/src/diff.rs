//! What changed between two versions of a text, in pieces that read well in Japanese.

/// A piece of the newer text beside the older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) change: Change,
    pub(crate) text: String,
}

/// Whether a piece stayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Same,
    Added,
    Removed,
}

impl Piece {
    pub(crate) fn is_added(&self) -> bool {
        self.change == Change::Added
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.change == Change::Removed
    }
}

/// The table of the comparison may have this many cells; longer texts are compared by lines, and
/// what is still longer as a whole.
const CELLS: usize = 4_000_000;

/// The pieces from `old` to `new`: a longest common subsequence over runs of one script.
pub(crate) fn pieces(old: &str, new: &str) -> Vec<Piece> {
    let (a, b) = (runs(old), runs(new));
    if a.len().saturating_mul(b.len()) <= CELLS {
        return compare(&a, &b);
    }
    let lines = |t| str::split_inclusive(t, '\n').collect::<Vec<_>>();
    let (a, b) = (lines(old), lines(new));
    if a.len().saturating_mul(b.len()) <= CELLS {
        return compare(&a, &b);
    }
    let mut out = Vec::new();
    push(&mut out, Change::Removed, old);
    push(&mut out, Change::Added, new);
    out
}

fn compare(old: &[&str], new: &[&str]) -> Vec<Piece> {
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    let at = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let best = if a == b {
                at(&longest, i + 1, j + 1) + 1
            } else {
                at(&longest, i + 1, j).max(at(&longest, i, j + 1))
            };
            if let Some(cell) = longest.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                push(&mut out, Change::Same, a);
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || at(&longest, i + 1, j) >= at(&longest, i, j + 1) => {
                push(&mut out, Change::Removed, a);
                i += 1;
            }
            (_, Some(b)) => {
                push(&mut out, Change::Added, b);
                j += 1;
            }
            _ => return out,
        }
    }
}

fn push(out: &mut Vec<Piece>, change: Change, text: &str) {
    match out.last_mut() {
        Some(last) if last.change == change => last.text.push_str(text),
        _ if text.is_empty() => {}
        _ => out.push(Piece { change, text: text.to_owned() }),
    }
}

/// Cuts a text where the script changes; line ends and punctuation stand alone.
fn runs(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut last) = (0, None);
    for (at, c) in text.char_indices() {
        let script = script(c);
        if last.is_some_and(|l| l != script || l == Script::Other) {
            out.extend(text.get(start..at));
            start = at;
        }
        last = Some(script);
    }
    out.extend(text.get(start..).filter(|t| !t.is_empty()));
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Kanji,
    Hiragana,
    Katakana,
    Alphanumeric,
    Other,
}

fn script(c: char) -> Script {
    match c {
        '\u{3040}'..='\u{309f}' => Script::Hiragana,
        '\u{30a0}'..='\u{30ff}' | '\u{ff66}'..='\u{ff9f}' => Script::Katakana,
        '々' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => Script::Kanji,
        // A number with its point is one thing.
        '.' => Script::Alphanumeric,
        c if c.is_alphanumeric() => Script::Alphanumeric,
        _ => Script::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(old: &str, new: &str) -> String {
        let mark = |p: &Piece| match p.change {
            Change::Same => p.text.clone(),
            Change::Added => format!("[+{}]", p.text),
            Change::Removed => format!("[-{}]", p.text),
        };
        pieces(old, new).iter().map(mark).collect()
    }

    #[test]
    fn whole_words_and_numbers_change() {
        assert_eq!(
            marked("朝の体温は36.5度でした。", "朝の体温は37.5度でした。"),
            "朝の体温は[-36.5][+37.5]度でした。"
        );
        assert_eq!(marked("食欲あり", "食欲あり\n眠れている"), "食欲あり[+\n眠れている]");
        assert_eq!(marked("同じ", "同じ"), "同じ");
        assert_eq!(marked("", ""), "");
    }

    #[test]
    fn both_texts_can_be_put_together_again() {
        let old = "a。".repeat(3000);
        let new = format!("{}終わり", "b。".repeat(3000));
        for (old, new) in [("朝は粥を全量。", "昼は粥を半量。水分少なめ"), (&old, &new), ("", "x")]
        {
            let pieces = pieces(old, new);
            let without = |gone| {
                let kept = pieces.iter().filter(|p| p.change != gone);
                kept.map(|p| p.text.as_str()).collect::<String>()
            };
            assert_eq!(without(Change::Added), old);
            assert_eq!(without(Change::Removed), new);
        }
    }
}
