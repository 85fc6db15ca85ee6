//! Mutations of JSON trees: values of other types and sizes, keys gone, doubled or elsewhere.

use fastrand::Rng;
use serde_json::{Map, Number, Value, json};

/// Numbers at which arithmetic on sizes, ids and floats goes wrong.
const NUMBERS: [f64; 14] = [
    0.0,
    1.0,
    -1.0,
    2.0,
    0.5,
    255.0,
    65_536.0,
    2_147_483_647.0,
    2_147_483_648.0,
    4_294_967_296.0,
    9.007_199_254_740_993e15,
    1e19,
    1e-45,
    1e308,
];

/// Texts that mean something to a reader, or nothing.
const TEXTS: [&str; 18] = [
    "",
    " ",
    "a",
    "\u{0}",
    "\u{1b}[2J",
    "\u{fffd}",
    "é",
    "</s>",
    "Ġ",
    ".*",
    "(",
    "BPE",
    "Regex",
    "ByteLevel",
    "Sequence",
    "NFC",
    "apertus",
    "llama3",
];

/// `text` with one to four changes; `None` if it is not JSON.
pub fn mutate(text: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut tree: Value = serde_json::from_slice(text).ok()?;
    for _ in 0..rng.u32(1..=4) {
        let donor = pick(&tree, rng).clone();
        let nodes = count(&tree);
        change(nth(&mut tree, &mut rng.usize(..nodes))?, donor, rng);
    }
    serde_json::to_vec(&tree).ok()
}

/// Changes one node; `donor` is another of the same tree.
fn change(node: &mut Value, donor: Value, rng: &mut Rng) {
    match rng.u32(..8) {
        0 => *node = donor,
        1 => *node = scalar(rng),
        2 => *node = json!([node.take()]),
        3 => *node = json!({ "type": "Sequence", "text_config": node.take() }),
        _ => match node {
            Value::Object(map) => change_object(map, donor, rng),
            Value::Array(list) => change_array(list, donor, rng),
            Value::String(text) => change_text(text, rng),
            Value::Number(number) => *number = near(number, rng),
            _ => *node = scalar(rng),
        },
    }
}

fn change_object(map: &mut Map<String, Value>, donor: Value, rng: &mut Rng) {
    let Some(key) = (!map.is_empty()).then(|| map.keys().nth(rng.usize(..map.len()))).flatten()
    else {
        map.insert("type".into(), donor);
        return;
    };
    let key = key.clone();
    match rng.u32(..4) {
        0 => drop(map.remove(&key)),
        1 => drop(map.insert(key, donor)),
        2 => drop(map.insert(key, scalar(rng))),
        _ => {
            let value = map.remove(&key).unwrap_or_default();
            let mut renamed = key;
            change_text(&mut renamed, rng);
            map.insert(renamed, value);
        }
    }
}

fn change_array(list: &mut Vec<Value>, donor: Value, rng: &mut Rng) {
    if list.is_empty() || rng.u32(..3) == 0 {
        list.insert(rng.usize(..=list.len()), donor);
        return;
    }
    let at = rng.usize(..list.len());
    match rng.u32(..3) {
        0 => drop(list.remove(at)),
        1 => list.insert(at, list[at].clone()),
        _ => {
            let other = rng.usize(..list.len());
            list.swap(at, other);
        }
    }
}

fn change_text(text: &mut String, rng: &mut Rng) {
    let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let at = cuts[rng.usize(..cuts.len())];
    match rng.u32(..4) {
        0 => text.truncate(at),
        1 => text.insert_str(at, TEXTS[rng.usize(..TEXTS.len())]),
        2 => drop(text.drain(..at)),
        _ => *text = TEXTS[rng.usize(..TEXTS.len())].into(),
    }
}

fn near(number: &Number, rng: &mut Rng) -> Number {
    let value = number.as_f64().unwrap_or_default();
    let moved = match rng.u32(..4) {
        0 => value + 1.0,
        1 => value - 1.0,
        2 => -value,
        _ => NUMBERS[rng.usize(..NUMBERS.len())],
    };
    if moved.fract() == 0.0 && moved.abs() < 1.8e19 && rng.bool() {
        return Number::from_i128(moved as i128).unwrap_or(0.into());
    }
    Number::from_f64(moved).unwrap_or(0.into())
}

fn scalar(rng: &mut Rng) -> Value {
    match rng.u32(..6) {
        0 => Value::Null,
        1 => Value::Bool(rng.bool()),
        2 => TEXTS[rng.usize(..TEXTS.len())].into(),
        3 => json!([]),
        4 => json!({}),
        _ => Value::Number(near(&0.into(), rng)),
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Object(map) => Box::new(map.values()),
        Value::Array(list) => Box::new(list.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

fn count(value: &Value) -> usize {
    1 + children(value).map(count).sum::<usize>()
}

/// A node, the shallow ones more often: half of all descents stop at each level.
fn pick<'v>(value: &'v Value, rng: &mut Rng) -> &'v Value {
    let all: Vec<&Value> = children(value).collect();
    if all.is_empty() || rng.u32(..4) == 0 { value } else { pick(all[rng.usize(..all.len())], rng) }
}

/// The node that a walk in order reaches after `left` others.
fn nth<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Object(map) => map.values_mut().find_map(|child| nth(child, left)),
        Value::Array(list) => list.iter_mut().find_map(|child| nth(child, left)),
        _ => None,
    }
}
