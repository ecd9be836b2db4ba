//! Whether a password may be set: its length, its kinds of characters, and how soon it would be guessed
//! by somebody who knows whose it is. One rule for pages and the command line.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mimamori_domain::Result;
use mimamori_policy::Pack;
use zxcvbn::feedback::Warning;

use super::romaji;
use crate::passwords::MOST_BYTES;
use crate::record::fault;

/// What people in Japan put into passwords, the most usual first.
static GUESSABLE: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("../../data/guessable-words.txt").lines();
    lines.filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
});

/// A word of one's own counts from so many Latin letters, or so many other characters: shorter ones are
/// in everything.
const LEAST_OWN: (usize, usize) = (3, 2);
/// So many characters must be left when words of one's own are taken out.
const LEAST_LEFT: usize = 8;

/// What to do about each weakness; what is in none of the rows gets [`TOO_EASY`].
const ADVICE: [(&[Warning], &str); 3] = [
    (
        &[
            Warning::StraightRowsOfKeysAreEasyToGuess,
            Warning::ShortKeyboardPatternsAreEasyToGuess,
            Warning::RepeatsLikeAaaAreEasyToGuess,
            Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess,
            Warning::SequencesLikeAbcAreEasyToGuess,
        ],
        "keys side by side, runs and repeats are guessed at once; join several unrelated words instead",
    ),
    (
        &[Warning::RecentYearsAreEasyToGuess, Warning::DatesAreOftenEasyToGuess],
        "a year or date is guessed at once; join several unrelated words instead",
    ),
    (
        &[
            Warning::ThisIsATop10Password,
            Warning::ThisIsATop100Password,
            Warning::ThisIsACommonPassword,
            Warning::ThisIsSimilarToACommonlyUsedPassword,
            Warning::AWordByItselfIsEasyToGuess,
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess,
            Warning::CommonNamesAndSurnamesAreEasyToGuess,
        ],
        "common words, names and places are guessed at once; join several unrelated words, at least four",
    ),
];
const TOO_EASY: &str = "this password would be guessed too soon; add one or two more unrelated words";
const OWN_WORD: &str = "your own name, sign-in name, birthday and institution are guessed first; leave them out and join several unrelated words";

/// What the pack asks of one person's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Fewest characters.
    least: u64,
    /// Fewest kinds of characters among capital letters, small letters, digits, others.
    kinds: u64,
    /// 0 to 4, as zxcvbn scores; 3 withstands 10^8 guesses, 4 10^10.
    score: u64,
}

impl Rules {
    /// Of somebody who holds a privileged role or not, and signs in with a second factor or not.
    pub(crate) fn of(pack: &Pack, privileged: bool, second_factor: bool) -> Result<Self> {
        let alone = pack.parameter_u64("password.least-characters")?;
        let least = if second_factor {
            pack.parameter_u64("password.least-characters-with-second-factor")?
        } else {
            alone
        };
        let least = if privileged {
            least.max(pack.parameter_u64("password.least-characters-privileged")?)
        } else {
            least
        };
        Ok(Self {
            least,
            kinds: pack.parameter_u64("password.least-kinds")?,
            score: pack.parameter_u64("password.least-strength")?,
        })
    }

    /// Refuses a password that breaks the rules, and says what is weak and what to do.
    pub(crate) fn judge(self, password: &str, own: &[String]) -> Result<()> {
        let Self { least, kinds, score } = self;
        if (password.chars().count() as u64) < least || password.len() > MOST_BYTES {
            let rule = format!("a password has at least {least} characters and at most {MOST_BYTES} bytes");
            return Err(weak(&rule));
        }
        if kinds_in(password) < kinds {
            let rule = format!(
                "a password mixes at least {kinds} of these: capital letters, small letters, digits, signs"
            );
            return Err(weak(&rule));
        }
        if left_without(&password.to_lowercase(), own) < LEAST_LEFT {
            return Err(weak(OWN_WORD));
        }
        let words: Vec<&str> = own.iter().map(String::as_str).chain(GUESSABLE.iter().copied()).collect();
        let found = zxcvbn::zxcvbn(password, &words);
        if u64::from(u8::from(found.score())) >= score {
            return Ok(());
        }
        let warning = found.feedback().and_then(zxcvbn::feedback::Feedback::warning);
        let advice = ADVICE.iter().find(|(known, _)| warning.is_some_and(|warning| known.contains(&warning)));
        Err(weak(advice.map_or(TOO_EASY, |(_, advice)| advice)))
    }
}

fn weak(rule: &str) -> mimamori_domain::Error {
    fault("password", rule, "business-rule")
}

/// How many characters are left without the words of one's own, the longest taken out first.
fn left_without(password: &str, own: &[String]) -> usize {
    let counts = |word: &&String| {
        let least = if word.is_ascii() { LEAST_OWN.0 } else { LEAST_OWN.1 };
        word.chars().count() >= least
    };
    let mut words: Vec<&String> = own.iter().filter(counts).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    let left = words.iter().fold(password.to_owned(), |left, word| left.replace(word.as_str(), ""));
    left.chars().count()
}

/// How many of: capital letters, small letters, digits, all others.
fn kinds_in(password: &str) -> u64 {
    let kinds: [fn(char) -> bool; 4] = [
        |c| c.is_uppercase(),
        |c| c.is_lowercase(),
        |c| c.is_numeric(),
        |c| !c.is_uppercase() && !c.is_lowercase() && !c.is_numeric(),
    ];
    kinds.iter().filter(|is| password.chars().any(is)).count() as u64
}

/// What somebody who knows a person would try first.
#[derive(Default)]
pub(crate) struct Known<'a> {
    pub(crate) login: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kana: Option<&'a str>,
    pub(crate) institution: Option<&'a str>,
    /// `1950-03-04`.
    pub(crate) birth: Option<&'a str>,
}

impl Known<'_> {
    /// The words, in lower case: parts and wholes, kana also in Latin letters.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut found: BTreeSet<String> = BTreeSet::new();
        let mut add = |word: &str| {
            if word.chars().count() > 1 {
                found.insert(word.to_lowercase());
            }
        };
        let split = |c: char| c.is_whitespace() || matches!(c, '.' | '-' | '_' | '@' | '・');
        for text in [Some(self.login), Some(self.name), self.institution].into_iter().flatten() {
            add(text);
            add(&text.replace(split, ""));
            text.split(split).for_each(&mut add);
        }
        if let Some(kana) = self.kana {
            let parts: Vec<&str> = kana.split(split).filter(|part| !part.is_empty()).collect();
            let reversed: Vec<&str> = parts.iter().rev().copied().collect();
            for text in parts.iter().map(ToString::to_string).chain([parts.concat(), reversed.concat()]) {
                add(&text);
                romaji::spellings(&text).iter().for_each(|word| add(word));
            }
        }
        if let Some(birth) = self.birth {
            let digits: String = birth.chars().filter(char::is_ascii_digit).collect();
            for part in [digits.get(..), digits.get(2..), digits.get(..4), digits.get(4..)] {
                part.into_iter().for_each(&mut add);
            }
        }
        found.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { least: 13, kinds: 2, score: 3 };

    fn hanako() -> Vec<String> {
        Known {
            login: "yamada.hanako",
            name: "山田 花子",
            kana: Some("ヤマダ ハナコ"),
            institution: Some("みほん訪問看護ステーション"),
            birth: Some("1950-03-04"),
        }
        .words()
    }

    fn told(password: &str) -> String {
        RULES.judge(password, &hanako()).map_or_else(|error| error.message().to_owned(), |()| String::new())
    }

    /// Proves: criteria of quality, resistance to guessing among them, are applied to each password.
    #[test]
    fn clause_mic_3_2_3_1_3_6() {
        for strong in [
            "haru-no-umi-hinemosu",
            "yukidoke-no-kawa-7",
            "Kabocha7 tonari densha",
            "緑の電車が橋を渡る朝の7時半",
        ] {
            assert_eq!(told(strong), "", "{strong}");
        }
        for own in [
            "yamadahanako1950",
            "Hanako-Yamada",
            "hanakoyamada-1",
            "hanako19500304",
            "山田花子山田花子山田花子1",
        ] {
            assert_eq!(told(own), OWN_WORD, "{own}");
        }
        for (guessed, advice) in [
            ("1qaz2wsx3edc4", ""),
            ("aaaaaaaaaaaa1", "repeats"),
            ("qwertyuiop1234", ""),
            ("password12345", ""),
            ("sakurasakura1", ""),
        ] {
            let told = told(guessed);
            assert!(
                !told.is_empty() && told.contains(advice) && !told.contains("your own"),
                "{guessed} {told}"
            );
        }
    }

    /// Proves: guessable passwords cannot be set; 13 characters alone, 8 with a second factor.
    #[test]
    fn clause_mhlw6_ops_14_6() {
        let pack = Pack::embedded_base().unwrap();
        let alone = Rules::of(&pack, false, false).unwrap();
        let second = Rules::of(&pack, false, true).unwrap();
        assert_eq!((alone.least, second.least), (13, 8));
        let twelve = "kabe7-hashi-";
        assert!(alone.judge(twelve, &[]).unwrap_err().message().contains("at least 13"));
        assert!(second.judge(twelve, &[]).is_ok());
        assert!(second.judge("kabe7-h", &[]).unwrap_err().message().contains("at least 8"));
        assert!(alone.judge(&"あ7い8".repeat(70), &[]).unwrap_err().message().contains("at most 256 bytes"));
    }

    /// Proves: several kinds of characters are asked for.
    #[test]
    fn clause_mic_3_2_3_1_2_1_kinds_of_characters() {
        assert!(told("kabochatonaridensha").contains("at least 2 of these"));
        assert_eq!(told("kabocha tonari densha"), "");
        assert_eq!((kinds_in("aB3-"), kinds_in("aa"), kinds_in("山1")), (4, 1, 2));
    }

    #[test]
    fn the_words_of_a_person_are_theirs_in_every_spelling() {
        let words = Known { kana: Some("オオノ ショウコ"), ..Known::default() }.words();
        for word in ["oono", "ono", "ohno", "shouko", "shoko", "syoko", "onoshoko", "shokoono"] {
            assert!(words.iter().any(|known| known == word), "{word} {words:?}");
        }
    }
}
