//! The command that changes how a queue behaves.

use printmesh_queue::{Between, QueueId, Role, Setting, Snapshot};
use printmesh_schedule::{Start, plan, which_heat};

use crate::{
    effect::Answer,
    input::Now,
    node::Node,
    problem::{Code, Problem},
};

/// Starts, each with whether it may heat at once.
type Starts = Vec<(Start, bool)>;

impl Node {
    /// `queue set`: all of it or nothing.
    ///
    /// # Errors
    /// `setting.unknown` and `setting.bad` list what there is and what is allowed; `member.role` when this host is no
    /// admin of the queue.
    pub(crate) fn queue_set(
        &mut self,
        name: &str,
        values: &[(String, String)],
    ) -> Result<Answer, Problem> {
        let queue = self.queue_named(name)?;
        let wanted = self.checked(values)?;
        self.require(queue, Role::Admin)?;
        let before = self.settings_of(queue);
        self.edit(queue, |edit| {
            for (setting, value) in &wanted {
                edit.set_setting(*setting, value);
            }
            Ok(())
        })?;
        let set: Vec<String> = wanted
            .iter()
            .map(|(setting, value)| format!("{} {value}", setting.key()))
            .collect();
        let already = wanted
            .iter()
            .all(|(setting, value)| before.get(*setting) == *value);
        Ok(Answer::Done {
            already,
            text: format!("{name}: {}", set.join(", ")),
        })
    }

    /// What `queue set` would change now: the starts as they are, and as they would be, each with whether it may heat at once.
    ///
    /// # Errors
    /// As `queue set`.
    pub fn preview(
        &self,
        name: &str,
        values: &[(String, String)],
        now: Now,
    ) -> Result<(Starts, Starts), Problem> {
        let queue = self.queue_named(name)?;
        let wanted = self.checked(values)?;
        self.require(queue, Role::Admin)?;
        let presence = self.presence_at(queue, now);
        let mut snapshot = self.queues[&queue].doc.snapshot().clone();
        let starts = |snapshot: &Snapshot| {
            let starts = plan(snapshot, &presence).starts;
            which_heat(snapshot, presence.now, starts)
        };
        let mut before = starts(&snapshot);
        // Who waits for a place does so, whatever is taken to be free.
        for (start, heats) in &mut before {
            let record = snapshot.printers.get(&start.printer);
            *heats &= record.is_none_or(|record| record.between != Some(Between::Heat));
        }
        for (setting, value) in &wanted {
            snapshot.settings.set(*setting, value);
        }
        Ok((before, starts(&snapshot)))
    }

    fn settings_of(&self, queue: QueueId) -> printmesh_queue::Settings {
        self.queues[&queue].doc.snapshot().settings.clone()
    }

    /// Reads what a person typed.
    fn checked(&self, values: &[(String, String)]) -> Result<Vec<(Setting, String)>, Problem> {
        let mut scratch = printmesh_queue::Settings::default();
        let mut wanted = Vec::new();
        for (key, value) in values {
            let Some(setting) = Setting::from_key(key) else {
                let keys: Vec<&str> = Setting::ALL.iter().map(|setting| setting.key()).collect();
                let title = format!("a queue has no setting `{key}`");
                let problem = Problem::new(Code::SettingUnknown, title);
                return Err(problem.because(format!("its settings are {}", keys.join(", "))));
            };
            if !scratch.set(setting, value) {
                let title = format!("`{value}` is no value for {key}");
                let problem = Problem::new(Code::SettingBad, title);
                return Err(problem.because(format!("it may be {}", setting.allowed())));
            }
            wanted.push((setting, value.clone()));
        }
        if wanted.is_empty() {
            let title = "no setting was named".to_owned();
            return Err(Problem::new(Code::SettingUnknown, title));
        }
        Ok(wanted)
    }
}
