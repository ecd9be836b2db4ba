//! Blind indexes: people by tokens, clinical search, source identifiers.

use crate::Statement;
use crate::value::ColumnType::{Blob, Int, Text};

statements! {
    /// People who have all of some tokens: how many distinct tokens there are, after object, at
    /// most so many; list 0 the (field, token). In the order of their ids. Columns: object, subject.
    WITH_ALL_TOKENS = Statement::read(
        "search_with_all_tokens",
        "SELECT object, subject FROM search_token WHERE (field, token) IN (VALUES {0}) AND object > $2 \
         GROUP BY object, subject HAVING count(*) >= $1 ORDER BY object LIMIT ($3 + 0)",
        &[Int, Blob, Int],
        &[Blob, Blob],
    ).with_lists(&[&[Int, Blob]]);

    /// Who has one token: field, token, after object, at most so many.
    WITH_TOKEN = Statement::read(
        "search_with_token",
        "SELECT object, subject FROM search_token WHERE field = $1 AND token = $2 AND object > $3 \
         ORDER BY object LIMIT ($4 + 0)",
        &[Int, Blob, Blob, Int],
        &[Blob, Blob],
    );

    /// How many have one token, counted up to a limit: the rarest is asked first.
    TOKEN_FREQUENCY = Statement::read(
        "search_token_frequency",
        "SELECT CAST(count(*) AS bigint) FROM \
         (SELECT 1 AS one FROM search_token WHERE field = $1 AND token = $2 LIMIT ($3 + 0)) AS counted",
        &[Int, Blob, Int],
        &[Int],
    );

    /// Who has a token, tested for others: list 0 the objects, field, token.
    OF_THESE_WITH_TOKEN = Statement::read(
        "search_of_these_with_token",
        "SELECT object, subject FROM search_token WHERE field = $1 AND token = $2 AND object IN ({0})",
        &[Int, Blob],
        &[Blob, Blob],
    ).with_lists(&[&[Blob]]);

    /// Tokens of an object. Columns: field, token, generation.
    TOKENS_OF = Statement::read(
        "search_tokens_of",
        "SELECT field, token, generation FROM search_token WHERE object = $1 ORDER BY field, token",
        &[Blob],
        &[Int, Blob, Int],
    );

    /// Forgets all tokens of an object.
    FORGET_TOKENS = Statement::change(
        "search_forget_tokens",
        "DELETE FROM search_token WHERE object = $1",
        &[Blob],
    );

    /// Forgets an object's tokens of older generations, after a rebuild.
    FORGET_OLD_TOKENS = Statement::change(
        "search_forget_old_tokens",
        "DELETE FROM search_token WHERE object = $1 AND generation < $2",
        &[Blob, Int],
    );

    /// A subject's records of a kind that touch a time span, newest first: subject, kind, from,
    /// before, at most so many. Columns: object, start, finish.
    CLINICAL = Statement::read(
        "clinical_by_time",
        "SELECT object, max(start), max(finish) FROM clinical_index \
         WHERE subject = $1 AND kind = $2 AND start < $4 AND finish >= $3 \
         GROUP BY object ORDER BY 2 DESC, object DESC LIMIT ($5 + 0)",
        &[Blob, Text, Int, Int, Int],
        &[Blob, Int, Int],
    );

    /// The same for some codes only: list 0 the code tokens.
    CLINICAL_WITH_CODES = Statement::read(
        "clinical_by_time_and_code",
        "SELECT object, max(start), max(finish) FROM clinical_index \
         WHERE subject = $1 AND kind = $2 AND start < $4 AND finish >= $3 AND code_token IN ({0}) \
         GROUP BY object ORDER BY 2 DESC, object DESC LIMIT ($5 + 0)",
        &[Blob, Text, Int, Int, Int],
        &[Blob, Int, Int],
    ).with_lists(&[&[Blob]]);

    /// Forgets an object's clinical index rows.
    FORGET_CLINICAL = Statement::change(
        "clinical_forget",
        "DELETE FROM clinical_index WHERE object = $1",
        &[Blob],
    );

    /// Which object an imported identifier became.
    SOURCE = Statement::read(
        "source_get",
        "SELECT object FROM source_id WHERE token = $1",
        &[Blob],
        &[Blob],
    );

    /// Which objects some imported identifiers became. Columns: token, object.
    SOURCES = Statement::read(
        "source_get_many",
        "SELECT token, object FROM source_id WHERE token IN ({0})",
        &[],
        &[Blob, Blob],
    ).with_lists(&[&[Blob]]);
}
