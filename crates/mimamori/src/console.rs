//! Talking with whoever runs a command: results on standard output, everything else on standard
//! error, JSON on request, progress bars only on a terminal.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::exit::{Exit, Failure, Result};

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    json: bool,
}

impl Console {
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether answers are JSON.
    #[must_use]
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// The result of a command: one JSON value, or text for people.
    pub fn result(self, value: &Value, text: impl Display) {
        let mut out = io::stdout().lock();
        // A closed pipe (`| head`) is no failure of ours.
        let _written = if self.json { writeln!(out, "{value}") } else { writeln!(out, "{text}") };
    }

    /// Something worth knowing on the way; not part of the result.
    pub fn note(self, text: impl Display) {
        if !self.json {
            let _written = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// How a command failed.
    pub fn failure(self, failure: &Failure) {
        let mut err = io::stderr().lock();
        let _written = if self.json {
            let value = json!({
                "error": failure.message,
                "next": failure.next,
                "exit": failure.exit.code(),
            });
            writeln!(err, "{value}")
        } else {
            writeln!(err, "mimamori: {failure}")
        };
    }

    /// A bar for work of known length; invisible without a terminal or with JSON.
    #[must_use]
    pub fn bar(self, length: u64, what: &'static str) -> ProgressBar {
        let target =
            if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(8) };
        let bar = ProgressBar::with_draw_target(Some(length), target).with_message(what);
        if let Ok(style) =
            ProgressStyle::with_template("{msg:18} {bar:32} {human_pos}/{human_len} {per_sec} {eta}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        bar
    }

    /// Asks for a new password: from standard input when `from_input`, else twice without echo.
    ///
    /// # Errors
    /// As [`Console::password`]; [`Exit::Usage`] when the two differ.
    pub fn new_password(self, from_input: bool) -> Result<String> {
        let password = self.password(from_input)?;
        if !from_input && prompt("もう一度 / Again: ")? != password {
            return Err(Failure::new(Exit::Usage, "the two passwords differ"));
        }
        Ok(password)
    }

    /// Asks for a password: from standard input when `from_input`, else without echo.
    ///
    /// # Errors
    /// [`Exit::Usage`] when there is no terminal or it is empty.
    pub fn password(self, from_input: bool) -> Result<String> {
        self.secret(from_input, "パスワード / Password: ", "password")
    }

    fn secret(self, from_input: bool, question: &str, what: &str) -> Result<String> {
        let typed = if from_input {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map_err(|error| unreadable(&error))?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            if !io::stdin().is_terminal() {
                return Err(Failure::new(Exit::Usage, format!("no terminal to ask for a {what}"))
                    .next("Send it on standard input with --password-stdin."));
            }
            prompt(question)?
        };
        if typed.is_empty() {
            return Err(Failure::new(Exit::Usage, format!("the {what} is empty")));
        }
        Ok(typed)
    }

    /// The code of a second factor: asked for like a password, or the next line of standard input.
    ///
    /// # Errors
    /// [`Exit::Usage`] without a terminal and without `from_input`.
    pub fn code(self, from_input: bool) -> Result<String> {
        self.secret(from_input, "認証コード / Code: ", "code")
    }

    /// Asks for a typed `yes` before something that cannot be undone.
    ///
    /// # Errors
    /// [`Exit::Usage`] when there is no terminal and `yes` was not given beforehand;
    /// [`Exit::Failed`] when the answer is anything else.
    pub fn confirm(self, question: &str, yes: bool) -> Result<()> {
        if yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::new(Exit::Usage, "no terminal to ask for confirmation")
                .next("Add --yes when it is certain."));
        }
        let mut err = io::stderr().lock();
        let _written = write!(err, "{question} [yes/no] ").and_then(|()| err.flush());
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        if read.is_ok() && line.trim() == "yes" {
            Ok(())
        } else {
            Err(Failure::new(Exit::Failed, "not confirmed; nothing was changed"))
        }
    }
}

fn prompt(question: &str) -> Result<String> {
    rpassword::prompt_password(question).map_err(|error| unreadable(&error))
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("no password could be read: {error}"))
}

/// A table with aligned columns; Japanese letters count as wide as they show.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
        }
        text.trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = vec![line(&mut head.iter().copied()), line(&mut rule.iter().map(String::as_str))];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_japanese_text() {
        let rows =
            [vec!["看護師".to_owned(), "nurse".to_owned()], vec!["医".to_owned(), "doctor".to_owned()]];
        let text = table(&["誰", "who"], &rows);
        assert_eq!(text, "誰      who\n------  ------\n看護師  nurse\n医      doctor");
    }
}
