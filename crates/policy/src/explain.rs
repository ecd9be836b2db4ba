//! Why a decision is as it is, in words.
//!
//! Each condition of each policy is compiled once as a little policy of its own, so that one further
//! evaluation tells which conditions hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::pst::{self, Clause, Expr};
use cedar_policy::{Policy, PolicyId, PolicySet};
use mimamori_domain::LegalBasis;

use crate::access::{Access, PolicyInfo, PolicyName};
use crate::authorizer::Decision;
use crate::text::{Language, Text};
use crate::words::Words;

/// Whether a policy lets or stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    Permit,
    Forbid,
}

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub decision: Decision,
    /// The policies that concern this kind of caller, action and target, in the pack's order.
    pub policies: Vec<PolicyFinding>,
}

/// One policy that concerns the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFinding {
    pub name: PolicyName,
    pub effect: Effect,
    pub basis: LegalBasis,
    /// What the policy says.
    pub text: Text,
    /// Every condition was met, so the policy took effect.
    pub applies: bool,
    pub conditions: Vec<ConditionFinding>,
}

/// One condition of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionFinding {
    pub text: Text,
    pub met: bool,
}

impl Explanation {
    /// The explanation as lines of text for a terminal or a plain page.
    #[must_use]
    pub fn to_text(&self, language: Language) -> String {
        let say = |ja: &'static str, en: &'static str| if language == Language::Ja { ja } else { en };
        let mut lines = vec![match self.decision.allowed {
            true => format!("{} ({})", say("許可", "allowed"), self.decision.basis),
            false => say("不許可", "not allowed").to_owned(),
        }];
        if !self.decision.allowed && !self.policies.iter().any(|p| p.applies && p.effect == Effect::Forbid) {
            lines.push(say("これを許すポリシーがありません。", "No policy permits it.").to_owned());
        }
        for policy in &self.policies {
            // A prohibition that did not strike explains nothing.
            if policy.effect == Effect::Forbid && !policy.applies {
                continue;
            }
            let word = match (policy.effect, policy.applies) {
                (Effect::Permit, true) => say("許す", "permits"),
                (Effect::Permit, false) => say("当たらず", "does not apply"),
                (Effect::Forbid, _) => say("禁じる", "forbids"),
            };
            lines.push(format!("- {} [{word}] {}", policy.name, policy.text.get(language)));
            for condition in policy.conditions.iter().filter(|c| policy.applies || !c.met) {
                let mark = if condition.met { say("○", "met") } else { say("×", "not met") };
                lines.push(format!("    {mark}: {}", condition.text.get(language)));
            }
        }
        lines.join("\n")
    }
}

/// A pack's policies taken apart.
#[derive(Debug)]
pub(crate) struct Explainer {
    parts: PolicySet,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    info: PolicyInfo,
    /// Name of the part that holds only the policy's scope.
    scope: String,
    conditions: Vec<(String, Text)>,
}

impl Explainer {
    pub(crate) fn new(access: &Access, words: &Words) -> Self {
        let mut parts = PolicySet::new();
        let mut rules = Vec::new();
        for info in &access.infos {
            let Some(policy) = access.policies.policy(&PolicyId::new(&info.name)) else {
                continue;
            };
            let Ok(pst) = policy.to_pst() else { continue };
            let body = pst.body();
            let scope = format!("{} scope", info.name);
            add(&mut parts, &scope, body.clone(), Vec::new());
            let mut conditions = Vec::new();
            for clause in body.clauses().iter().flat_map(conjuncts) {
                let name = format!("{} {}", info.name, conditions.len());
                let text = words.condition(&clause);
                let everywhere = pst::Template::new(
                    "part",
                    pst::Effect::Permit,
                    pst::PrincipalConstraint::Any,
                    pst::ActionConstraint::Any,
                    pst::ResourceConstraint::Any,
                );
                add(&mut parts, &name, everywhere, vec![clause]);
                conditions.push((name, text));
            }
            rules.push(Rule { info: info.clone(), scope, conditions });
        }
        Self { parts, rules }
    }

    /// What has to be evaluated to know which parts hold.
    pub(crate) const fn policies(&self) -> &PolicySet {
        &self.parts
    }

    /// Puts together what was found. `satisfied` names the parts that hold; `None` when the request
    /// could not be asked at all.
    pub(crate) fn explain(&self, decision: Decision, satisfied: Option<&BTreeSet<String>>) -> Explanation {
        let holds = |part: &str| satisfied.is_some_and(|parts| parts.contains(part));
        let concerned = self.rules.iter().filter(|rule| holds(&rule.scope));
        let policies = concerned.map(|rule| {
            let conditions: Vec<_> = rule
                .conditions
                .iter()
                .map(|(name, text)| ConditionFinding { text: text.clone(), met: holds(name) })
                .collect();
            PolicyFinding {
                name: Arc::clone(&rule.info.name),
                effect: if rule.info.forbids { Effect::Forbid } else { Effect::Permit },
                basis: rule.info.basis,
                text: rule.info.text.clone(),
                applies: conditions.iter().all(|c| c.met),
                conditions,
            }
        });
        Explanation { policies: policies.collect(), decision }
    }
}

/// Adds one part: a permitting policy with this scope and these conditions.
fn add(parts: &mut PolicySet, name: &str, scope: pst::Template, clauses: Vec<Clause>) {
    let mut template = scope.with_id(name.into());
    template.effect = pst::Effect::Permit;
    let Ok(template) = template.try_with_clauses(clauses) else {
        return;
    };
    let Ok(policy) = pst::StaticPolicy::try_from(template) else {
        return;
    };
    if let Ok(policy) = Policy::from_pst(pst::Policy::Static(policy)) {
        // Names are distinct, so there is nothing to lose.
        drop(parts.add(policy));
    }
}

/// A clause as the conditions that must all be met: `when a && b` is two, `unless a || b` too.
fn conjuncts(clause: &Clause) -> Vec<Clause> {
    let (expr, splits, rebuild): (_, _, fn(Arc<Expr>) -> Clause) = match clause {
        Clause::When(expr) => (expr, pst::BinaryOp::And, Clause::When),
        Clause::Unless(expr) => (expr, pst::BinaryOp::Or, Clause::Unless),
    };
    match expr.as_ref() {
        Expr::BinaryOp { op, left, right } if *op == splits => {
            [left, right].into_iter().flat_map(|side| conjuncts(&rebuild(Arc::clone(side)))).collect()
        }
        _ => vec![rebuild(Arc::clone(expr))],
    }
}
