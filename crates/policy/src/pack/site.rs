//! What a site itself says in a pack: values of parameters, in a file of its own.

use crate::{Pack, PackProblem};

/// The site's own file within a pack.
const SITE: &str = "site.yaml";
/// Where it lists values of parameters.
const PARAMETERS: &str = "parameters:";

impl Pack {
    /// The same pack with values of parameters by their keys, written into its `site.yaml`.
    ///
    /// # Errors
    /// Every problem with its file and line: an unknown key, a value beyond its bounds.
    pub fn with_parameters(&self, values: &[(String, String)]) -> Result<Self, Vec<PackProblem>> {
        let mut files = self.files().clone();
        let site =
            files.get(SITE).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        files.insert(SITE.to_owned(), with_values(&site, values).into_bytes());
        Self::from_files(files)
    }
}

/// A site's file with values of parameters in it; an earlier line about the same parameter goes.
fn with_values(site: &str, values: &[(String, String)]) -> String {
    let about =
        |line: &str| values.iter().any(|(key, _)| line.trim().starts_with(&format!("- {{key: {key},")));
    let mut lines: Vec<String> = site.lines().filter(|line| !about(line)).map(ToOwned::to_owned).collect();
    let head = lines.iter().position(|line| line.starts_with(PARAMETERS));
    let rest =
        head.and_then(|at| lines.get(at)).and_then(|line| line.strip_prefix(PARAMETERS)).map(str::trim);
    let written = values.iter().map(|(key, value)| format!("{{key: {key}, value: {}}}", scalar(value)));
    if let (Some(head), Some(rest)) = (head, rest)
        && let Some(listed) = rest.strip_prefix('[')
    {
        let listed: String = written.map(|one| format!("{one}, ")).chain([listed.to_owned()]).collect();
        lines.splice(head..=head, [format!("{PARAMETERS} [{listed}")]);
        return lines.join("\n") + "\n";
    }
    let head = head.unwrap_or_else(|| {
        lines.push(PARAMETERS.to_owned());
        lines.len() - 1
    });
    lines.splice(head + 1..head + 1, written.map(|one| format!("  - {one}")));
    lines.join("\n") + "\n"
}

/// A value as YAML writes it: numbers, switches and lists plain, everything else in double quotes.
fn scalar(value: &str) -> String {
    let plain = value.parse::<u64>().is_ok()
        || matches!(value, "true" | "false")
        || (value.starts_with('[') && value.ends_with(']'));
    if plain { value.to_owned() } else { quoted(value) }
}

/// In double quotes: YAML 1.2, 7.3.1, with what is no letter to see escaped (5.7).
fn quoted(value: &str) -> String {
    let escaped = value.chars().map(|letter| match letter {
        '"' | '\\' => format!("\\{letter}"),
        control if control.is_control() => format!("\\U{:08X}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_value_of_the_site_makes_another_pack_and_keeps_to_its_bounds() {
        let pack = Pack::embedded("kasama").unwrap();
        let set = pack.with_parameters(&values(&[("retention.records-years", "7")])).unwrap();
        assert_eq!(set.parameter_u64("retention.records-years").unwrap(), 7);
        assert_ne!(set.hash(), pack.hash());
        assert!(
            pack.with_parameters(&values(&[("retention.records-years", "1")])).is_err(),
            "below its bound"
        );
        assert!(pack.with_parameters(&values(&[("retention.no-such-years", "7")])).is_err());
    }

    #[test]
    fn values_join_what_a_site_says_already() {
        let value = values(&[("a.b", "5")]);
        let block = with_values(
            "# ours\nparameters:\n  - {key: a.b, value: 3}\n  - {key: c, value: 1}\nunits:\n",
            &value,
        );
        assert_eq!(block, "# ours\nparameters:\n  - {key: a.b, value: 5}\n  - {key: c, value: 1}\nunits:\n");
        let line = with_values("parameters: [{key: c, value: 1}]\n", &value);
        assert_eq!(line, "parameters: [{key: a.b, value: 5}, {key: c, value: 1}]\n");
        assert_eq!(
            with_values("", &values(&[("x", "a \"b\" \\ \n")])),
            "parameters:\n  - {key: x, value: \"a \\\"b\\\" \\\\ \\U0000000A\"}\n"
        );
    }
}
