//! JSON for programs: which fields of an answer to keep.

use printmesh_api::problem::Problem;
use serde_json::{Map, Value};

use crate::error::usage;

/// What `--json` asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fields {
    /// Everything.
    All,
    /// Only these, as dotted paths.
    Some(Vec<Vec<String>>),
}

impl Fields {
    /// Reads `id,state,claims.host`; `*` is everything.
    pub(crate) fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let path = |path: &str| path.trim().split('.').map(str::to_owned).collect();
        Self::Some(text.split(',').map(path).collect())
    }

    /// Keeps the chosen fields: of each item where the answer is a list, else of the answer. The envelope stays.
    ///
    /// # Errors
    /// A usage problem that names the fields there are, when one is asked for that is not.
    pub(crate) fn select(&self, answer: Value) -> Result<Value, Problem> {
        let Self::Some(paths) = self else {
            return Ok(answer);
        };
        let Value::Object(mut answer) = answer else {
            return Ok(answer);
        };
        if let Some(Value::Array(items)) = answer.get_mut("items") {
            for item in items {
                *item = pick(item, paths)?;
            }
            return Ok(Value::Object(answer));
        }
        let envelope =
            ["apiVersion", "kind"].map(|name| (name.to_owned(), answer.get(name).cloned()));
        let mut chosen = pick(&Value::Object(answer), paths)?;
        if let Value::Object(chosen) = &mut chosen {
            for (name, value) in envelope {
                chosen.extend(value.map(|value| (name, value)));
            }
        }
        Ok(chosen)
    }
}

fn pick(value: &Value, paths: &[Vec<String>]) -> Result<Value, Problem> {
    let mut chosen = Value::Object(Map::new());
    for path in paths {
        copy(value, path, &mut chosen)?;
    }
    Ok(chosen)
}

/// Copies what lies at `path` to the same place in `to`; a list on the way is walked through.
fn copy(from: &Value, path: &[String], to: &mut Value) -> Result<(), Problem> {
    let Some((field, rest)) = path.split_first() else {
        *to = from.clone();
        return Ok(());
    };
    match from {
        Value::Array(items) => {
            if !to.is_array() {
                *to = Value::Array(vec![Value::Object(Map::new()); items.len()]);
            }
            for (item, chosen) in items.iter().zip(to.as_array_mut().into_iter().flatten()) {
                copy(item, path, chosen)?;
            }
            Ok(())
        }
        Value::Object(fields) => {
            let Some(value) = fields.get(field) else {
                let known: Vec<_> = fields.keys().map(String::as_str).collect();
                return Err(usage(format!("there is no field `{field}` to select"))
                    .because(format!("the fields are {}", known.join(", "))));
            };
            if let Value::Object(chosen) = to {
                let place = chosen
                    .entry(field.clone())
                    .or_insert_with(|| Value::Object(Map::new()));
                return copy(value, rest, place);
            }
            Ok(())
        }
        // An optional part that is absent has no fields to select: it stays absent.
        Value::Null => {
            *to = Value::Null;
            Ok(())
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(usage(format!(
            "`{field}` is asked of a value that has no fields"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list() -> Value {
        json!({"apiVersion": "printmesh/v1", "kind": "JobList", "asOf": "…", "items": [
            {"id": "kmz", "state": "printing", "claims": [{"host": "rack1", "copy": 1}, {"host": "rack2", "copy": 2}]},
            {"id": "lqw", "state": "queued", "claims": []},
        ]})
    }

    #[test]
    fn a_list_keeps_its_envelope_and_loses_the_rest_of_each_item() {
        let chosen = Fields::parse("id,claims.host").select(list()).unwrap();
        let expected = json!({"apiVersion": "printmesh/v1", "kind": "JobList", "asOf": "…", "items": [
            {"id": "kmz", "claims": [{"host": "rack1"}, {"host": "rack2"}]},
            {"id": "lqw", "claims": []},
        ]});
        assert_eq!(chosen, expected);
    }

    #[test]
    fn a_single_answer_keeps_version_and_kind() {
        let answer = json!({"apiVersion": "printmesh/v1", "kind": "Job", "id": "kmz", "name": "lid", "reason": null});
        let chosen = Fields::parse("name, reason").select(answer).unwrap();
        let expected =
            json!({"apiVersion": "printmesh/v1", "kind": "Job", "name": "lid", "reason": null});
        assert_eq!(chosen, expected);
    }

    #[test]
    fn everything_is_everything() {
        assert_eq!(Fields::parse("*").select(list()).unwrap(), list());
    }

    #[test]
    fn an_unknown_field_is_named_with_those_there_are() {
        let problem = Fields::parse("id,stat").select(list()).unwrap_err();
        assert_eq!(problem.exit, 2);
        assert!(problem.title.contains("`stat`"));
        assert_eq!(problem.why.unwrap(), "the fields are claims, id, state");
        assert!(Fields::parse("id.x").select(list()).is_err());
    }

    #[test]
    fn two_fields_of_one_part_both_stay() {
        let chosen = Fields::parse("claims.host,claims.copy")
            .select(list())
            .unwrap();
        assert_eq!(
            chosen["items"][0]["claims"][1],
            json!({"host": "rack2", "copy": 2})
        );
    }
}
