//! Who to try a city as.

use mimamori_demo::{Options, Typical, city, typical_sign_ins};
use mimamori_policy::model::{Procedure, Who};
use mimamori_policy::{Language, Pack};

use crate::Filled;

/// Who is worth looking at: people who give care, citizens, and one holder of every role, each with what
/// waits for them and what they can try.
#[must_use]
pub fn sign_ins(options: &Options, pack: &Pack, filled: &Filled) -> Vec<Typical> {
    let city = city(options);
    let waits = |login: &str| filled.desks.get(login).filter(|(ja, _)| !ja.is_empty());
    let with = |who: Typical| match waits(&who.login) {
        Some((ja, en)) => Typical {
            who_ja: format!("{}：{ja}", who.who_ja),
            who_en: format!("{}: {en}", who.who_en),
            ..who
        },
        None => who,
    };
    let cares =
        |who: &Typical| city.staff.iter().all(|staff| staff.login != who.login || staff.roles.is_empty());
    let (care, offices): (Vec<Typical>, Vec<Typical>) = typical_sign_ins(&city).into_iter().partition(cares);
    let holds = |login: &str| filled.holders.iter().any(|holder| holder.login == login);
    // Who holds a role is shown with it below.
    let others = offices.into_iter().filter(|who| !holds(&who.login));
    let mut found: Vec<Typical> = care.into_iter().chain(others).map(with).collect();
    for role in pack.roles() {
        let Some(holder) = filled.holders.iter().find(|holder| holder.role == role.code.as_str()) else {
            continue;
        };
        let who = Who::Role(role.code.clone());
        let applies = |procedure: &&Procedure| procedure.applicants.contains(&who);
        let decides = |procedure: &&Procedure| {
            procedure.steps.iter().any(|step| step.decides() && step.by.contains(&who))
        };
        let applied = pack.procedures().iter().find(applies);
        let decided = pack
            .procedures()
            .iter()
            .filter(decides)
            .find(|procedure| applied.is_none_or(|applied| applied.code != procedure.code));
        let kept = pack.registers().iter().find(|register| register.keeper.contains(&who));
        let try_in = |language, words: [&str; 3], waiting: Option<&str>| {
            let names = [
                applied.map(|procedure| procedure.name(language)),
                decided.map(|procedure| procedure.name(language)),
                kept.map(|register| register.name(language)),
            ];
            let (colon, comma) = if language == Language::Ja { ("：", "、") } else { (": ", ", ") };
            let tried =
                words.iter().zip(names).filter_map(|(word, name)| Some(format!("{word}{colon}{}", name?)));
            waiting.map(ToOwned::to_owned).into_iter().chain(tried).collect::<Vec<_>>().join(comma)
        };
        let waiting = waits(&holder.login);
        let ja = try_in(Language::Ja, ["申請", "判断", "台帳"], waiting.map(|(ja, _)| ja.as_str()));
        let en = try_in(Language::En, ["applies", "decides", "keeps"], waiting.map(|(_, en)| en.as_str()));
        let with = |words: &str, open: &str, close: &str| match words {
            "" => String::new(),
            words => format!("{open}{words}{close}"),
        };
        found.push(Typical {
            login: holder.login.clone(),
            who_ja: format!("{} {}{}", role.name(Language::Ja), holder.name, with(&ja, "（", "）")),
            who_en: format!("{}{}", role.name(Language::En), with(&en, " (", ")")),
        });
    }
    found
}
