//! Types on the command line.

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use xielu::convert::{DTYPES, RECIPES, Types, UnknownType};
use xielu::kernels::DType;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct TypeArgs {
    /// Type (or mixture) of everything that the options below do not name
    #[arg(long = "type", value_parser = all_parser(), value_name = "TYPE", ignore_case = true)]
    all: Option<Types>,
    /// The same as --type: llama.cpp's order, INPUT OUTPUT TYPE
    #[arg(value_parser = all_parser(), value_name = "TYPE", ignore_case = true, conflicts_with_all = ["all", "report"])]
    last: Option<Types>,
    /// Type of the MLP's matrices (up, down, gate)
    #[arg(long, value_parser = parser(), value_name = "TYPE", ignore_case = true)]
    mlp: Option<DType>,
    /// Type of the MLP's up (and gate) projections
    #[arg(long, value_parser = parser(), value_name = "TYPE", ignore_case = true)]
    up: Option<DType>,
    /// Type of the MLP's down projections
    #[arg(long, value_parser = parser(), value_name = "TYPE", ignore_case = true)]
    down: Option<DType>,
    /// Type of the value projections of attention
    #[arg(long, value_parser = parser(), value_name = "TYPE", ignore_case = true)]
    attn_v: Option<DType>,
    /// Type of every other matrix
    #[arg(long, value_parser = parser(), value_name = "TYPE", ignore_case = true)]
    rest: Option<DType>,
    /// Type of the token embedding
    #[arg(long, value_parser = parser(), value_name = "TYPE", ignore_case = true)]
    embeddings: Option<DType>,
    /// Type of the output head
    #[arg(long, value_parser = parser(), value_name = "TYPE", ignore_case = true)]
    output_type: Option<DType>,
    /// Write nothing; measure instead what each type does to the output of every MLP and to the
    /// perplexity on --text. Each candidate lies in the folder for temporary files for a while
    #[arg(long)]
    pub report: bool,
}

pub fn parser() -> impl TypedValueParser<Value = DType> {
    PossibleValuesParser::new(DTYPES.map(|(name, _)| name)).try_map(|name| {
        let found = DTYPES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        found.map(|(_, dtype)| dtype).ok_or(UnknownType)
    })
}

fn all_parser() -> impl TypedValueParser<Value = Types> {
    let names = DTYPES.iter().map(|(name, _)| *name).chain(RECIPES.iter().map(|(name, _)| *name));
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

impl TypeArgs {
    fn all(&self) -> Option<&Types> {
        self.all.as_ref().or(self.last.as_ref())
    }

    pub fn types(&self) -> anyhow::Result<Types> {
        let part = |one: Option<DType>, all: fn(&Types) -> DType, flag: &str| {
            let dtype = one.or(self.all().map(all));
            dtype.with_context(|| {
                format!("nothing says what type the {flag} part gets; give --type or --{flag}")
            })
        };
        let whole = |all: fn(&Types) -> Option<DType>| self.all().and_then(all);
        let rest = part(self.rest, |t| t.rest, "rest")?;
        Ok(Types {
            up: part(self.up.or(self.mlp), |t| t.up, "up")?,
            down: part(self.down.or(self.mlp), |t| t.down, "down")?,
            attn_v: part(self.attn_v.or(self.rest), |t| t.attn_v, "attn-v")?,
            rest,
            embeddings: self.embeddings.or(whole(|t| t.embeddings)),
            output: self.output_type.or(whole(|t| t.output)),
        })
    }
}
