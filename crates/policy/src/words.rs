//! Conditions of policies in words.

use cedar_policy::pst::{BinaryOp, Clause, EntityUID, Expr, Literal, UnaryOp, Var};

use crate::fact::Fact;
use crate::pack::Pack;
use crate::text::{Language, Text};

/// Type, code, Japanese, English of what the program itself defines.
const OWN_WORDS: &[(&str, &str, &str, &str)] = &[
    ("Purpose", "care", "診療・介護", "care"),
    ("Purpose", "personal", "本人の用", "the person's own use"),
    ("Purpose", "emergency", "生命の危険", "danger to life"),
    ("Purpose", "operations", "運用", "operations"),
    ("Purpose", "audit", "監査", "audit"),
    ("Purpose", "exchange", "機関間の連携", "exchange"),
    ("State", "draft", "下書き", "draft"),
    ("State", "awaiting", "確定待ち", "awaiting confirmation"),
    ("State", "confirmed", "確定", "confirmed"),
    ("State", "amended", "訂正済み", "amended"),
    ("State", "withdrawn", "取消済み", "withdrawn"),
    ("Action", "sign-in", "サインイン", "signing in"),
    ("Type", "Staff", "業務利用者", "a staff member"),
    ("Type", "Citizen", "市民利用者", "a citizen user"),
    ("Type", "Program", "プログラム", "a program"),
    ("Type", "System", "システム自身", "the system itself"),
    ("Type", "Record", "記録", "a record"),
    ("Type", "Thing", "記録以外", "not a record"),
    ("attribute", "purpose", "目的", "the purpose"),
    ("attribute", "strength", "本人確認の強さ", "the strength of sign-in"),
    ("attribute", "zone", "接続区分", "the zone"),
    ("attribute", "occupation", "職種", "the occupation"),
    ("attribute", "roles", "役割", "the roles"),
    ("attribute", "class", "情報区分", "the information class"),
    ("attribute", "state", "記録の状態", "the record's state"),
    ("attribute", "sensitivity", "機微の度合い", "the sensitivity"),
    ("variable", "principal", "利用者", "the caller"),
    ("variable", "action", "操作", "the action"),
    ("variable", "resource", "対象", "the target"),
    ("variable", "context", "状況", "the context"),
];

/// Operators as patterns: `{}` stands for the left and the right side.
const OPERATORS: &[(BinaryOp, &str, &str)] = &[
    (BinaryOp::And, "{}、かつ{}", "{} and {}"),
    (BinaryOp::Or, "{}、または{}", "{} or {}"),
    (BinaryOp::Eq, "{}が「{}」である", "{} is {}"),
    (BinaryOp::NotEq, "{}が「{}」でない", "{} is not {}"),
    (BinaryOp::Less, "{}が{}未満である", "{} is below {}"),
    (BinaryOp::LessEq, "{}が{}以下である", "{} is at most {}"),
    (BinaryOp::Greater, "{}が{}を超える", "{} is above {}"),
    (BinaryOp::GreaterEq, "{}が{}以上である", "{} is at least {}"),
    (BinaryOp::In, "{}が「{}」のいずれかである", "{} is one of {}"),
    (BinaryOp::Contains, "{}に「{}」を含む", "{} include {}"),
    (BinaryOp::ContainsAny, "{}に「{}」のいずれかを含む", "{} include one of {}"),
    (BinaryOp::ContainsAll, "{}に「{}」のすべてを含む", "{} include all of {}"),
];

/// The words of a pack's codes.
#[derive(Debug)]
pub(crate) struct Words {
    codes: Vec<(&'static str, String, Text)>,
}

impl Words {
    pub(crate) fn new(pack: &Pack) -> Self {
        let mut codes: Vec<_> = OWN_WORDS
            .iter()
            .map(|(kind, code, ja, en)| (*kind, (*code).to_owned(), Text::new(*ja, *en)))
            .collect();
        codes.extend(pack.occupations().iter().map(|o| ("Occupation", o.code.to_string(), o.name.clone())));
        codes.extend(pack.roles().iter().map(|r| ("Role", r.code.to_string(), r.name.clone())));
        codes.extend(pack.classes().iter().map(|c| ("Class", c.code.to_string(), c.name.clone())));
        codes.extend(pack.zones().iter().map(|z| ("Zone", z.code.to_string(), z.name.clone())));
        codes.extend(pack.things().iter().map(|t| ("Thing", t.code.to_string(), t.name.clone())));
        Self { codes }
    }

    /// A condition in both languages.
    pub(crate) fn condition(&self, clause: &Clause) -> Text {
        let [ja, en] = Language::ALL.map(|language| match clause {
            Clause::When(expr) => self.say(expr, language),
            Clause::Unless(expr) => not(&self.say(expr, language), language),
        });
        Text::new(ja, en)
    }

    fn say(&self, expr: &Expr, language: Language) -> String {
        match expr {
            Expr::GetAttr { expr: of, attr } => match (of.as_ref(), Fact::named(attr)) {
                (Expr::Var(Var::Context), Some(fact)) => fact.words().get(language).to_owned(),
                _ => self.word("attribute", attr, language),
            },
            Expr::HasAttr { attrs, .. } => {
                let attr = self.word("attribute", attrs.last(), language);
                pick(language, format!("{attr}がある"), format!("{attr} is known"))
            }
            Expr::Var(var) => self.word("variable", &var_name(var), language),
            Expr::Literal(literal) => self.literal(literal, language),
            Expr::Set(members) => {
                let members: Vec<_> = members.iter().map(|m| self.say(m, language)).collect();
                members.join(pick(language, "・", ", "))
            }
            Expr::UnaryOp { op: UnaryOp::Not, expr } => not(&self.say(expr, language), language),
            Expr::Is { expr, entity_type, in_expr: None } => {
                let who = self.say(expr, language);
                let kind = self.word("Type", &entity_type.to_string(), language);
                pick(language, format!("{who}が{kind}である"), format!("{who} is {kind}"))
            }
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right, language),
            other => other.to_string(),
        }
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr, language: Language) -> String {
        // `[a, b].contains(x)` reads as "x is one of a, b".
        let (op, left, right) = match (op, left) {
            (BinaryOp::Contains, Expr::Set(_)) => (BinaryOp::In, right, left),
            _ => (op, left, right),
        };
        let (left, right) = (self.say(left, language), self.say(right, language));
        match OPERATORS.iter().find(|row| row.0 == op) {
            Some((_, ja, en)) => pick(language, *ja, *en).replacen("{}", &left, 1).replacen("{}", &right, 1),
            None => format!("{left} {op:?} {right}"),
        }
    }

    fn literal(&self, literal: &Literal, language: Language) -> String {
        match literal {
            Literal::EntityUID(EntityUID { ty, eid }) => self.word(&ty.to_string(), eid, language),
            Literal::Bool(value) => value.to_string(),
            Literal::Long(value) => value.to_string(),
            Literal::String(value) => value.to_string(),
            other => format!("{other:?}"),
        }
    }

    fn word(&self, kind: &str, code: &str, language: Language) -> String {
        let found = self.codes.iter().find(|(k, c, _)| *k == kind && c == code);
        found.map_or_else(|| code.to_owned(), |(_, _, text)| text.get(language).to_owned())
    }
}

fn var_name(var: &Var) -> String {
    format!("{var:?}").to_ascii_lowercase()
}

fn not(words: &str, language: Language) -> String {
    pick(language, format!("次に当たらない: {words}"), format!("not so: {words}"))
}

fn pick<T>(language: Language, ja: T, en: T) -> T {
    match language {
        Language::Ja => ja,
        Language::En => en,
    }
}
