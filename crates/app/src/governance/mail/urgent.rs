//! The use of an emergency account, told by mail at once: to those whom the pack names, once for each of
//! them, and saying nothing but that there is one (mic.3.2.8-2-2-3).

use mimamori_domain::{ObjectId, Result};
use mimamori_policy::model::Who;

use super::{MailFailure, MailReminder, MailRound, Mailer, Stage, Waits, later};
use crate::App;
use crate::governance::who::{Reach, named};

impl App {
    /// Tells those whom `accounts.emergency-mail-to` names, and who gave an address, of every use of an
    /// emergency account that nobody has reviewed and that they were not told of yet. `link` is where the
    /// pages are.
    ///
    /// # Errors
    /// Unavailable when something could not be recorded: then nothing more is sent.
    pub async fn tell_emergencies_by_mail<M: Mailer>(&self, mailer: &M, link: &str) -> Result<MailRound> {
        self.in_force().await?.urgent_round(mailer, link).await
    }

    async fn urgent_round<M: Mailer>(&self, mailer: &M, link: &str) -> Result<MailRound> {
        let mut round = MailRound::default();
        let uses = self.unreviewed().await?;
        if uses.is_empty() {
            return Ok(round);
        }
        let now = self.clock.now();
        let roles = self.pack.parameter_text("accounts.emergency-mail-to")?;
        let words: Vec<Who> =
            roles.split_whitespace().filter_map(|code| code.parse().ok()).map(Who::Role).collect();
        let mut people = self.directory().await?;
        people.retain(|person| {
            person.account.mail.is_some() && named(person, &words, Reach::Anywhere, None, now).is_some()
        });
        for ((used, _), _) in uses {
            for person in &people {
                let Some(address) = person.account.mail.as_deref() else { continue };
                let key = format!("emergency|{used}");
                let claimed = self.claimed(person, key, Waits::default(), now, &mut round).await?;
                let Some(claimed) = claimed else { continue };
                let (subject, text) = words_of_use(link);
                let sent = mailer.send(address, &subject, &text).await;
                self.keep_urgent(claimed, sent, &mut round).await?;
                if let Err(failure) = sent
                    && failure.of_server().is_some()
                {
                    round.stopped = Some(failure);
                    return Ok(round);
                }
            }
        }
        Ok(round)
    }

    pub(super) async fn keep_urgent(
        &self,
        (object, (version, message)): (ObjectId, (u64, MailReminder)),
        sent: std::result::Result<(), MailFailure>,
        round: &mut MailRound,
    ) -> Result<()> {
        let message = match sent {
            Ok(()) => MailReminder { stage: Stage::Sent, ..message },
            Err(MailFailure::Refused) => MailReminder { stage: Stage::Refused, ..message },
            Err(failure) => later(message, failure, self.clock.now()),
        };
        match message.stage {
            Stage::Sent => round.sent += 1,
            Stage::Refused => round.refused += 1,
            Stage::Sending | Stage::Later => round.later += 1,
        }
        self.in_force().await?.keep_message(object, version, &message, None).await.map(drop)
    }
}

/// Subject and text, in both languages: that there is a use, and where to look.
fn words_of_use(link: &str) -> (String, String) {
    let subject = "【見守り】至急：非常時アカウントが使われています / Urgent: an emergency account is in use";
    let text = format!(
        "非常時アカウントが使われました。\n心当たりがあるかどうかにかかわらず、サインインして確かめ、使われ方を点検してください:\n{link}\n\n\
         このメールは、一回の使用につき一度だけ送られます。\n\n\
         --\n\
         An emergency account was used.\nWhether or not you know about it, sign in, look, and review the use:\n{link}\n\n\
         Sent once for each use.\n"
    );
    (subject.to_owned(), text)
}
