//! The owners of runs who are no instances.

/// Begins a statement in which `owners` are those who own runs, and one empty row.
///
/// Each is found by one look into the index of owners, so it costs as many looks as there are
/// owners, however many runs they hold.
macro_rules! owners {
    () => {
        "WITH RECURSIVE owners (id) AS (\
         SELECT min(owner) FROM durable_runs WHERE owner IS NOT NULL UNION ALL \
         SELECT (SELECT min(r.owner) FROM durable_runs r WHERE r.owner > o.id) \
         FROM owners o WHERE o.id IS NOT NULL) "
    };
}

/// Ends a statement that lists instances and `owners o`: only those owners who are not known as
/// instances, and not `$1`.
macro_rules! unknown {
    () => {
        " WHERE o.id IS NOT NULL AND o.id <> $1 \
         AND NOT EXISTS (SELECT 1 FROM durable_instances i WHERE i.id = o.id) ORDER BY 2"
    };
}

pub(super) use {owners, unknown};
