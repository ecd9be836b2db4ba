//! The organisation's own identity provider (OpenID Connect), by which people may sign in.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::wrong;
use crate::exit::Result;

/// The provider, and what this program is to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// As it stands in the provider's tokens.
    pub issuer: String,
    pub client_id: String,
    /// None: a public client.
    pub client_secret: Option<PathBuf>,
    pub scopes: Vec<String>,
    pub subject_claim: String,
    pub groups_claim: String,
    /// The authority (PEM) behind the provider's certificate; none: whichever the machine trusts.
    pub authority: Option<PathBuf>,
    pub name_ja: String,
    pub name_en: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct SignInSection {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    scopes: Option<String>,
    subject_claim: Option<String>,
    groups_claim: Option<String>,
    authority: Option<PathBuf>,
    name_ja: Option<String>,
    name_en: Option<String>,
}

impl SignInSection {
    /// The section as a whole; `None` when no issuer is named.
    pub(super) fn checked(self, home: &Path) -> Result<Option<SignIn>> {
        let Some(issuer) = self.issuer else {
            let others = [
                ("client-id", self.client_id.is_some()),
                ("client-secret-file", self.client_secret_file.is_some()),
                ("scopes", self.scopes.is_some()),
                ("subject-claim", self.subject_claim.is_some()),
                ("groups-claim", self.groups_claim.is_some()),
                ("authority", self.authority.is_some()),
                ("name-ja", self.name_ja.is_some()),
                ("name-en", self.name_en.is_some()),
            ];
            return match others.iter().find(|(_, set)| *set) {
                Some((name, _)) => Err(wrong(format!("sign-in.{name} is set but sign-in.issuer is not"))),
                None => Ok(None),
            };
        };
        let here = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
        let plain = here.iter().any(|start| {
            issuer.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        let spaced = issuer.chars().any(|c| c.is_control() || c.is_whitespace());
        if spaced || !(plain || issuer.starts_with("https://")) || issuer.contains(['?', '#', '@']) {
            return Err(wrong("sign-in.issuer must be the issuer's address, https://...").next(
                "It stands as \"issuer\" in the provider's /.well-known/openid-configuration; http:// is for a \
                 provider on this machine only.",
            ));
        }
        let client_id =
            self.client_id.ok_or_else(|| wrong("sign-in.issuer is set but sign-in.client-id is not"))?;
        let claim = |name: &str, given: Option<String>, usual: &str| {
            let claim = given.unwrap_or_else(|| usual.to_owned());
            match claim.trim().is_empty() {
                true => Err(wrong(format!("sign-in.{name} is empty"))),
                false => Ok(claim),
            }
        };
        Ok(Some(SignIn {
            issuer,
            client_id,
            client_secret: self.client_secret_file.map(|file| home.join(file)),
            scopes: self.scopes.as_deref().unwrap_or("").split_whitespace().map(ToOwned::to_owned).collect(),
            subject_claim: claim("subject-claim", self.subject_claim, "sub")?,
            groups_claim: claim("groups-claim", self.groups_claim, "groups")?,
            authority: self.authority.map(|file| home.join(file)),
            name_ja: self.name_ja.unwrap_or_else(|| "組織の認証基盤".to_owned()),
            name_en: self.name_en.unwrap_or_else(|| "your organisation's sign-in".to_owned()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, "mimamori.toml", Path::new("/srv/home"), &BTreeMap::new())
    }

    const LEAST: &str = "[sign-in]\nissuer = \"https://idp.example.jp\"\nclient-id = \"mimamori\"\n";

    #[test]
    fn without_an_issuer_people_sign_in_here_only_and_little_is_needed_with_one() {
        assert_eq!(parse("").unwrap().sign_in, None);
        let sign_in = parse(LEAST).unwrap().sign_in.unwrap();
        assert_eq!((sign_in.subject_claim.as_str(), sign_in.groups_claim.as_str()), ("sub", "groups"));
        assert_eq!((sign_in.client_secret, sign_in.scopes.len()), (None, 0));
        let more = format!("{LEAST}scopes = \"profile groups\"\nclient-secret-file = \"keys/idp\"");
        let sign_in = parse(&more).unwrap().sign_in.unwrap();
        assert_eq!(sign_in.scopes, ["profile", "groups"]);
        assert_eq!(sign_in.client_secret.unwrap(), Path::new("/srv/home/keys/idp"));
    }

    #[test]
    fn what_does_not_go_together_is_refused_and_says_why() {
        for (text, why) in [
            ("[sign-in]\nclient-id = \"m\"", "sign-in.issuer is not"),
            ("[sign-in]\nissuer = \"https://idp.example.jp\"", "sign-in.client-id is not"),
            ("[sign-in]\nissuer = \"http://idp.example.jp\"\nclient-id = \"m\"", "https://"),
            ("[sign-in]\nissuer = \"http://127.0.0.1.example.jp\"\nclient-id = \"m\"", "https://"),
            (&format!("{LEAST}subject-claim = \"\""), "subject-claim is empty"),
            (&format!("{LEAST}client-secret = \"x\""), "client-secret-file"),
            (&format!("{LEAST}isuer = \"x\""), "Did you mean `issuer`?"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(parse("[sign-in]\nissuer = \"http://127.0.0.1:9000\"\nclient-id = \"m\"").is_ok());
    }
}
