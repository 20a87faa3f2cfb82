//! What happens inside one redb transaction: applying writes, remembering how to take them back, and the bookkeeping beside them.
//!
//! Errors are redb's own here; what they mean to a caller is decided outside.

use redb::{Durability, Error, ReadableDatabase as _, ReadableTable as _, WriteTransaction};

use super::{FORMAT, LOGS, META, META_COMMITS, META_FORMAT, VALUES, Write};

/// How to take back the writes of one transaction.
#[derive(Debug, Default)]
pub(super) struct Undo {
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Restore {
        key: Vec<u8>,
        value: Option<Vec<u8>>,
    },
    Cut {
        log: [u8; 32],
        index: u64,
    },
    Refill {
        log: [u8; 32],
        entries: Vec<(u64, Vec<u8>)>,
    },
}

impl Undo {
    /// Restores, as transaction `number`, what was there before the writes.
    pub(super) fn take_back(&self, redb: &redb::Database, number: u64) -> Result<(), Error> {
        durably(redb, number, |transaction| {
            let mut values = transaction.open_table(VALUES)?;
            let mut logs = transaction.open_table(LOGS)?;
            for step in self.steps.iter().rev() {
                match step {
                    Step::Restore {
                        key,
                        value: Some(value),
                    } => drop(values.insert(key.as_slice(), value.as_slice())?),
                    Step::Restore { key, value: None } => drop(values.remove(key.as_slice())?),
                    Step::Cut { log, index } => drop(logs.remove((log, *index))?),
                    Step::Refill { log, entries } => {
                        for (index, entry) in entries {
                            logs.insert((log, *index), entry.as_slice())?;
                        }
                    }
                }
            }
            Ok(())
        })
    }
}

/// Applies `writes` in their order, as transaction `number`. `undo` is complete whenever the transaction can have reached the file.
pub(super) fn write(
    redb: &redb::Database,
    writes: &[Write],
    number: u64,
    undo: &mut Undo,
) -> Result<(), Error> {
    durably(redb, number, |transaction| {
        let mut values = transaction.open_table(VALUES)?;
        let mut logs = transaction.open_table(LOGS)?;
        for write in writes {
            undo.steps.push(match write {
                Write::Put { key, value } => {
                    let old = values.insert(key.as_slice(), value.as_slice())?;
                    Step::Restore {
                        key: key.clone(),
                        value: old.map(|old| old.value().to_vec()),
                    }
                }
                Write::Delete { key } => {
                    let old = values.remove(key.as_slice())?;
                    Step::Restore {
                        key: key.clone(),
                        value: old.map(|old| old.value().to_vec()),
                    }
                }
                Write::Append { log, entry } => {
                    let last = logs
                        .range((log, 0)..=(log, u64::MAX))?
                        .next_back()
                        .transpose()?;
                    let index = last.map_or(0, |(key, _)| key.value().1 + 1);
                    logs.insert((log, index), entry.as_slice())?;
                    Step::Cut { log: *log, index }
                }
                Write::Clear { log } => {
                    let all = (log, 0)..=(log, u64::MAX);
                    let mut entries = Vec::new();
                    for entry in logs.extract_from_if(all, |_, _| true)? {
                        let (key, value) = entry?;
                        entries.push((key.value().1, value.value().to_vec()));
                    }
                    Step::Refill { log: *log, entries }
                }
            });
        }
        Ok(())
    })
}

/// Makes the tables and notes the format.
pub(super) fn initialise(redb: &redb::Database) -> Result<(), Error> {
    durably(redb, 0, |transaction| {
        transaction.open_table(VALUES)?;
        transaction.open_table(LOGS)?;
        transaction.open_table(META)?.insert(META_FORMAT, FORMAT)?;
        Ok(())
    })
}

/// Returns the number of the last transaction in the file.
pub(super) fn commits(redb: &redb::Database) -> Result<u64, Error> {
    Ok(meta(redb, META_COMMITS)?.unwrap_or(0))
}

/// Returns a number of the bookkeeping, if it was written.
pub(super) fn meta(redb: &redb::Database, key: &str) -> Result<Option<u64>, Error> {
    match redb.begin_read()?.open_table(META) {
        Ok(meta) => Ok(meta.get(key)?.map(|number| number.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn durably(
    redb: &redb::Database,
    number: u64,
    change: impl FnOnce(&WriteTransaction) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut transaction = redb.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    change(&transaction)?;
    transaction.open_table(META)?.insert(META_COMMITS, number)?;
    Ok(transaction.commit()?)
}
