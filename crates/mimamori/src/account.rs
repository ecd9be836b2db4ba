//! Who runs this command, as the operating system knows them.

/// The account's name; with `sudo`, also who used it. Goes sealed into the ledger.
#[must_use]
pub fn name() -> String {
    let number = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = name_of(&accounts, number).unwrap_or_else(|| number.to_string());
    match std::env::var("SUDO_USER") {
        // Only the administrator's own environment is believed: anybody else could write anything.
        Ok(user) if number == 0 && !user.is_empty() => format!("{account} ({user})"),
        _ => account,
    }
}

fn name_of(accounts: &str, number: u32) -> Option<String> {
    let number = number.to_string();
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\ncare:x:1000:1000::/home/care:/bin/sh\nbroken\n";
        assert_eq!(name_of(accounts, 1000).as_deref(), Some("care"));
        assert_eq!(name_of(accounts, 7), None);
    }
}
