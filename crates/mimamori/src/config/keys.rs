//! The settings there are: one table that the example file, the checks and the environment share.

/// What form a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Number,
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its place in the file, sections parted by dots.
    pub path: &'static str,
    pub form: Form,
    /// What is written in the example file; `None` leaves the line commented out.
    pub default: Option<&'static str>,
    /// Shown commented out in the example file when there is no default.
    pub example: &'static str,
    pub japanese: &'static str,
    pub english: &'static str,
}

/// Every setting, in the order of the example file.
pub const KEYS: &[Key] = &[
    Key {
        path: "name",
        form: Form::Text,
        default: Some("Mimamori"),
        example: "",
        japanese: "この設置の名前（画面の上に出ます）",
        english: "name of this installation, shown on every page",
    },
    Key {
        path: "address",
        form: Form::Text,
        default: None,
        example: "https://mimamori.example.jp",
        japanese: "利用者がブラウザーでひらく、画面のアドレス。パスキーとセキュリティキーはこのアドレスだけで使えます",
        english: "address at which people open the pages; passkeys and security keys work at this address only",
    },
    Key {
        path: "database",
        form: Form::Text,
        default: Some("sqlite:data/mimamori.db"),
        example: "",
        japanese: "データベース。SQLiteの相対パスはこのフォルダから数えます。PostgreSQLは postgres://利用者@ホスト/名前",
        english: "database; a relative SQLite path counts from this folder; PostgreSQL: postgres://user@host/name",
    },
    Key {
        path: "listen.staff",
        form: Form::Text,
        default: Some("127.0.0.1:8080"),
        example: "",
        japanese: "画面の待ち受け（アドレス:ポート）",
        english: "where the pages are served (address:port)",
    },
    Key {
        path: "listen.fhir",
        form: Form::Text,
        default: Some("127.0.0.1:8081"),
        example: "",
        japanese: "FHIR APIの待ち受け（アドレス:ポート）",
        english: "where the FHIR interface is served (address:port)",
    },
    Key {
        path: "listen.fhir-url",
        form: Form::Text,
        default: None,
        example: "https://fhir.example.jp/fhir",
        japanese: "外から見たFHIR APIのアドレス（/fhir で終わる）。リンクと、プログラムの署名の宛先に使います",
        english: "address of the FHIR interface as programs see it, ending in /fhir; what they sign their requests for",
    },
    Key {
        path: "listen.terminals",
        form: Form::Text,
        default: None,
        example: "127.0.0.1:8443",
        japanese: "画面の待ち受けのうち、登録端末の証明書を求めるもの（アドレス:ポート）。TLSの証明書が要ります",
        english: "where the pages are served to registered terminals with client certificates; needs TLS",
    },
    Key {
        path: "listen.programs",
        form: Form::Text,
        default: None,
        example: "127.0.0.1:8444",
        japanese: "FHIR APIの待ち受けのうち、登録した証明書を求めるもの（アドレス:ポート）。TLSの証明書が要ります",
        english: "where the FHIR interface is served to holders of client certificates; needs TLS",
    },
    Key {
        path: "listen.client-certificates",
        form: Form::Text,
        default: None,
        example: "required",
        japanese: "その二つで証明書を必ず求めるか: required（なければつながない）または asked（あれば確かめる）",
        english: "on those two: required (no connection without one) or asked (verified when there is one)",
    },
    Key {
        path: "listen.connections",
        form: Form::Number,
        default: None,
        example: "1024",
        japanese: "同時接続の上限（待ち受けごと）",
        english: "most connections at a time, per listener",
    },
    Key {
        path: "listen.connections-per-address",
        form: Form::Number,
        default: None,
        example: "128",
        japanese: "同じアドレスからの同時接続の上限。庁内が一つのアドレスに見えるときは増やします",
        english: "most connections at a time from one address; raise it behind address translation",
    },
    Key {
        path: "network.zones",
        form: Form::Text,
        default: None,
        example: "staff-network = 10.0.0.0/8, fd00::/8; home-visit = 192.0.2.0/24",
        japanese: "接続区分とアドレスの範囲。最も狭い範囲が当たり、どれにも入らなければ outside。書かなければ区別しません",
        english: "zones of the pack and their address ranges; the narrowest counts, none means outside; without it no zones",
    },
    Key {
        path: "network.proxies",
        form: Form::Text,
        default: None,
        example: "127.0.0.1, ::1",
        japanese: "利用者のアドレスを伝える前段の中継サーバー。ここにないものの言うことは信じません",
        english: "reverse proxies that are believed about who asks; nobody else is",
    },
    Key {
        path: "network.address-header",
        form: Form::Text,
        default: None,
        example: "x-forwarded-for",
        japanese: "中継サーバーが利用者のアドレスを書くヘッダー: x-forwarded-for または forwarded（中継サーバーが必ず付けるほう）",
        english: "header those proxies state the client in: x-forwarded-for or forwarded, the one they set themselves",
    },
    Key {
        path: "network.certificate-header",
        form: Form::Text,
        default: None,
        example: "client-cert",
        japanese: "中継サーバーが確かめた端末の証明書を Client-Cert（RFC 9440）で渡すときに書きます",
        english: "set when those proxies pass the verified client certificate as Client-Cert (RFC 9440)",
    },
    Key {
        path: "tls.certificate",
        form: Form::Text,
        default: None,
        example: "tls/certificate.pem",
        japanese: "サーバー証明書（PEM、中間証明書を続ける）。127.0.0.1以外で待ち受けるには必要です",
        english: "server certificate chain (PEM); needed to listen on anything but the loopback address",
    },
    Key {
        path: "tls.key",
        form: Form::Text,
        default: None,
        example: "tls/key.pem",
        japanese: "サーバー証明書の秘密鍵（PEM、権限0600）",
        english: "private key of the certificate (PEM, mode 0600)",
    },
    Key {
        path: "root-key.file",
        form: Form::Text,
        default: None,
        example: "keys/root.key",
        japanese: "ルート鍵のファイル（権限0600）。バックアップには入れず、別に保管します",
        english: "root key file (mode 0600); keep it apart from every backup",
    },
    Key {
        path: "policy.folder",
        form: Form::Text,
        default: None,
        example: "pack",
        japanese: "設置のときに使う規程パックのフォルダ。なければ標準のbase。設置後はデータベースにあるものが有効です",
        english: "folder of the policy pack to begin under; without it the built-in base pack. Later the stored one is in force",
    },
    Key {
        path: "log.level",
        form: Form::Text,
        default: None,
        example: "info",
        japanese: "記録の細かさ: error, warn, info, debug",
        english: "how much is logged: error, warn, info, debug",
    },
    Key {
        path: "log.format",
        form: Form::Text,
        default: None,
        example: "text",
        japanese: "記録の形式: text または json",
        english: "form of the log: text or json",
    },
    Key {
        path: "sign-in.issuer",
        form: Form::Text,
        default: None,
        example: "https://idp.example.jp/realms/hospital",
        japanese: "組織の認証基盤（OpenID Connect）の発行者。書くと、サインインの画面にその認証基盤でのサインインが出ます",
        english: "issuer of the organisation's identity provider (OpenID Connect); with it the sign-in page offers to sign in there",
    },
    Key {
        path: "sign-in.client-id",
        form: Form::Text,
        default: None,
        example: "mimamori",
        japanese: "認証基盤に登録した、このプログラムのクライアントID",
        english: "client id under which this program is registered there",
    },
    Key {
        path: "sign-in.client-secret-file",
        form: Form::Text,
        default: None,
        example: "keys/sign-in-secret",
        japanese: "クライアントの秘密を入れたファイル（本人だけが読めるもの）。なければPKCEだけで守ります",
        english: "file with the client secret, readable for this account only; without it PKCE alone protects",
    },
    Key {
        path: "sign-in.scopes",
        form: Form::Text,
        default: None,
        example: "profile groups",
        japanese: "openid のほかに求めるスコープ。空白で並べます",
        english: "scopes asked for beside openid, parted by spaces",
    },
    Key {
        path: "sign-in.subject-claim",
        form: Form::Text,
        default: None,
        example: "sub",
        japanese: "本人を表すクレーム。ふつうは sub",
        english: "claim that names the person, sub as a rule",
    },
    Key {
        path: "sign-in.groups-claim",
        form: Form::Text,
        default: None,
        example: "groups",
        japanese: "所属グループのクレーム。IDトークンに入っている必要があります",
        english: "claim with their groups; it must stand in the ID token",
    },
    Key {
        path: "sign-in.authority",
        form: Form::Text,
        default: None,
        example: "tls/idp-ca.pem",
        japanese: "認証基盤の証明書を発行した認証局（PEM）。書けばそれだけを、書かなければこの計算機が信頼するものを信じます",
        english: "authority (PEM) behind the provider's certificate, and no other; those that the machine trusts when left out",
    },
    Key {
        path: "sign-in.name-ja",
        form: Form::Text,
        default: None,
        example: "hospital sign-in",
        japanese: "サインインの画面での認証基盤の呼び名（日本語）",
        english: "what people call the provider, in Japanese",
    },
    Key {
        path: "sign-in.name-en",
        form: Form::Text,
        default: None,
        example: "hospital sign-in",
        japanese: "サインインの画面での認証基盤の呼び名（英語）",
        english: "what people call the provider, in English",
    },
    Key {
        path: "mail.server",
        form: Form::Text,
        default: None,
        example: "smtp.example.jp",
        japanese: "定期業務のお知らせを送るメールサーバー。書かなければメールは送りません",
        english: "mail server for reminders of duties; without it no mail is sent",
    },
    Key {
        path: "mail.port",
        form: Form::Number,
        default: None,
        example: "587",
        japanese: "ポート。書かなければ tls に合うもの（587・465・25）",
        english: "port; without it the one that fits tls (587, 465, 25)",
    },
    Key {
        path: "mail.tls",
        form: Form::Text,
        default: None,
        example: "starttls",
        japanese: "暗号化: starttls, implicit, none（none はこの機械のメールサーバーだけ）",
        english: "encryption: starttls, implicit, none (none only for a server on this machine)",
    },
    Key {
        path: "mail.authority",
        form: Form::Text,
        default: None,
        example: "tls/mail-authority.pem",
        japanese: "組織内の認証局の証明書（PEM）。この機械が信頼するものに加えます",
        english: "certificate authority of the organisation (PEM), beside those the machine trusts",
    },
    Key {
        path: "mail.from",
        form: Form::Text,
        default: None,
        example: "mimamori@example.jp",
        japanese: "差出人のアドレス",
        english: "address that mail comes from",
    },
    Key {
        path: "mail.user",
        form: Form::Text,
        default: None,
        example: "mimamori",
        japanese: "メールサーバーの利用者名",
        english: "user name at the mail server",
    },
    Key {
        path: "mail.password-file",
        form: Form::Text,
        default: None,
        example: "keys/mail-password",
        japanese: "パスワードのファイル（権限0600）。環境変数 MIMAMORI_MAIL_PASSWORD でも渡せます",
        english: "file with the password (mode 0600); MIMAMORI_MAIL_PASSWORD in the environment does too",
    },
    Key {
        path: "mail.link",
        form: Form::Text,
        default: None,
        example: "https://mimamori.example.jp/",
        japanese: "メールに書く、画面のアドレス",
        english: "address of the pages, as written into mails",
    },
    Key {
        path: "mail.hour",
        form: Form::Number,
        default: None,
        example: "8",
        japanese: "その日のお知らせを送り始める時（日本時間、0から23）",
        english: "hour in Japan from which a day's reminders are sent, 0 to 23",
    },
    Key {
        path: "jobs.verify-hours",
        form: Form::Number,
        default: None,
        example: "24",
        japanese: "証跡の検証を自動で行う間隔（時間）。0なら自動では行いません",
        english: "hours between verifications of the whole database; 0: never by itself",
    },
];

impl Key {
    /// The environment variable that overrides it: `listen.staff` is `MIMAMORI_LISTEN_STAFF`.
    #[must_use]
    pub fn variable(&self) -> String {
        let name: String = self
            .path
            .chars()
            .map(|c| if c == '.' || c == '-' { '_' } else { c.to_ascii_uppercase() })
            .collect();
        format!("MIMAMORI_{name}")
    }

    /// Section and name: `listen.staff` is `("listen", "staff")`, `name` is `("", "name")`.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }
}

/// The documented example file, with `values` (path, value) in place of defaults.
#[must_use]
pub fn example_file(values: &[(&str, &str)]) -> String {
    let mut text = String::from(
        "# 見守りの設定。行頭の # を取ると有効になります。環境変数で上書きできます（例 MIMAMORI_LISTEN_STAFF）。\n\
         # Settings of Mimamori. Remove the leading # to set one. Environment variables win\n\
         # (for example MIMAMORI_LISTEN_STAFF). A key that is not known is refused.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.parts();
        if of != section {
            text.push_str(&format!("\n[{of}]\n"));
            section = of;
        } else {
            text.push('\n');
        }
        text.push_str(&format!("# {}\n# {}\n", key.japanese, key.english));
        let given = values.iter().find(|(path, _)| *path == key.path).map(|(_, value)| *value);
        let (mark, value) = match given.or(key.default) {
            Some(value) => ("", value),
            None => ("# ", key.example),
        };
        let value = match key.form {
            Form::Text => toml::Value::from(value).to_string(),
            Form::Number => value.to_owned(),
        };
        text.push_str(&format!("{mark}{name} = {value}\n"));
    }
    text
}

/// The known word nearest to `wrong`, if any is near enough to be meant.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|word| (edits(wrong, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many letters must be added, dropped or changed (Levenshtein) to get from one to the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, diagonal), above) in to.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(0);
            let change = diagonal + usize::from(a != *b);
            next.push(change.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_letters() {
        for (a, b, n) in [("", "", 0), ("staf", "staff", 1), ("", "abc", 3), ("kitten", "sitting", 3)] {
            assert_eq!(edits(a, b), n, "{a} {b}");
            assert_eq!(edits(b, a), n, "{b} {a}");
        }
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        assert_eq!(nearest("staf", ["staff", "fhir"]), Some("staff"));
        assert_eq!(nearest("colour", ["staff", "fhir"]), None);
    }

    #[test]
    fn variables_are_distinct_and_well_formed() {
        let names: std::collections::BTreeSet<String> = KEYS.iter().map(Key::variable).collect();
        assert_eq!(names.len(), KEYS.len());
        assert!(names.contains("MIMAMORI_LISTEN_CONNECTIONS_PER_ADDRESS"));
    }
}
