//! PTX text to instructions, as far as the kernels need it.

use std::collections::HashMap;

use super::operations::{Operation, operation};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    Param,
    Global,
    Shared,
}

#[derive(Clone, Debug)]
pub enum Operand {
    Register(usize),
    Immediate(u64),
    /// `tid.x`, `ctaid.x`, `nctaid.x`.
    Thread,
    Block,
    Blocks,
    Address {
        base: Option<usize>,
        offset: i64,
    },
}

pub struct Instruction {
    /// A predicate and the value at which the instruction runs.
    pub guard: Option<(usize, bool)>,
    pub operation: Operation,
    pub destinations: Vec<Operand>,
    pub sources: Vec<Operand>,
}

/// An entry point.
#[derive(Default)]
pub struct Program {
    pub instructions: Vec<Instruction>,
    pub registers: usize,
    pub param_bytes: usize,
    pub shared_bytes: usize,
}

/// The entry points of a file.
pub fn parse(ptx: &str) -> Vec<(String, Program)> {
    ptx.split(".visible .entry ").skip(1).map(Parser::entry).collect()
}

#[derive(Default)]
struct Parser {
    registers: HashMap<String, usize>,
    /// Offsets of shared variables, and 0 for the parameters.
    symbols: HashMap<String, i64>,
    labels: HashMap<String, usize>,
    program: Program,
}

/// The number in the last brackets.
fn bracketed(line: &str) -> usize {
    let (_, rest) = line.rsplit_once('[').expect("a size in brackets");
    rest.split(']').next().unwrap().parse().expect("a size")
}

impl Parser {
    fn entry(text: &str) -> (String, Program) {
        let (name, text) = text.split_once('(').expect("parameters");
        let (param, body) = text.split_once(')').expect("the end of the parameters");
        let mut parser = Parser::default();
        let param = param.trim();
        parser.program.param_bytes = bracketed(param);
        let symbol = param.split_whitespace().last().unwrap().split('[').next().unwrap();
        parser.symbols.insert(symbol.to_owned(), 0);
        let lines: Vec<&str> =
            body.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//")).collect();
        parser.declarations(&lines);
        for line in lines {
            if !line.starts_with(['.', '{', '}', '$']) {
                let instruction = parser.instruction(line.trim_end_matches(';'));
                parser.program.instructions.push(instruction);
            }
        }
        parser.program.registers = parser.registers.len();
        (name.to_owned(), parser.program)
    }

    /// Shared variables and labels.
    fn declarations(&mut self, lines: &[&str]) {
        let mut instructions = 0;
        for line in lines {
            if line.starts_with(".shared") {
                let name = line.split_whitespace().last().unwrap().split('[').next().unwrap();
                let start = self.program.shared_bytes.next_multiple_of(16);
                self.symbols.insert(name.to_owned(), start as i64);
                self.program.shared_bytes = start + bracketed(line);
            } else if let Some(label) = line.strip_suffix(':') {
                self.labels.insert(label.to_owned(), instructions);
            } else if !line.starts_with(['.', '{', '}']) {
                instructions += 1;
            }
        }
    }

    fn register(&mut self, name: &str) -> usize {
        let next = self.registers.len();
        *self.registers.entry(name.to_owned()).or_insert(next)
    }

    fn instruction(&mut self, line: &str) -> Instruction {
        let (guard, line) = match line.strip_prefix('@') {
            None => (None, line),
            Some(rest) => {
                let (predicate, rest) = rest.split_once(char::is_whitespace).unwrap();
                let name = predicate.trim_start_matches('!');
                (Some((self.register(name), name == predicate)), rest.trim())
            }
        };
        let (opcode, operands) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let groups = groups(operands);
        if opcode.starts_with("bra") {
            let operation = Operation::Branch(self.labels[groups[0]]);
            return Instruction { guard, operation, destinations: vec![], sources: vec![] };
        }
        let packed = opcode == "mov.b64" && groups.iter().any(|g| g.starts_with('{'));
        let operation = match packed {
            true if groups[0].starts_with('{') => Operation::Unpack,
            true => Operation::Pack,
            false => operation(opcode),
        };
        let mut groups = groups.into_iter().map(|group| self.operands(group));
        let destinations = groups.next().unwrap_or_default();
        let sources = groups.flatten().collect();
        Instruction { guard, operation, destinations, sources }
    }

    /// One operand, those between braces, or a result and its predicate.
    fn operands(&mut self, group: &str) -> Vec<Operand> {
        let inner = group.trim_matches(['{', '}']);
        inner.split([',', '|']).map(|text| self.operand(text.trim())).collect()
    }

    fn operand(&mut self, text: &str) -> Operand {
        match text {
            "%tid.x" => return Operand::Thread,
            "%ctaid.x" => return Operand::Block,
            "%nctaid.x" => return Operand::Blocks,
            _ => {}
        }
        if text.starts_with('%') {
            return Operand::Register(self.register(text));
        }
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.trim_end_matches(']');
            let (base, offset) = inner.split_once('+').unwrap_or((inner, "0"));
            let offset: i64 = offset.parse().expect("an offset");
            return match self.symbols.get(base) {
                Some(start) => Operand::Address { base: None, offset: start + offset },
                None => Operand::Address { base: Some(self.register(base)), offset },
            };
        }
        if let Some(&start) = self.symbols.get(text) {
            return Operand::Immediate(start as u64);
        }
        let hex = |digits| u64::from_str_radix(digits, 16).expect("hexadecimal digits");
        Operand::Immediate(match text.get(..2) {
            Some("0f" | "0d") => hex(&text[2..]),
            _ => text.parse::<i64>().unwrap_or_else(|_| panic!("operand {text}")) as u64,
        })
    }
}

/// Splits at the commas outside of braces.
fn groups(operands: &str) -> Vec<&str> {
    let mut depth = 0;
    let at_comma = |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    };
    operands.split(at_comma).map(str::trim).filter(|g| !g.is_empty()).collect()
}
